/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper: the life of a keeper: be there, and look after the other one; the one that made the other
 * looks after the way out and after who answers names, too (mend.h). It wakes when one of these
 * ends, when it is told to end, and when something in the directory comes or goes. It opens no file
 * but two records, and of what others write it reads the uplink's alone, which is not believed.
 * Read pidfd_open(2), inotify(7), signalfd(2).
 */
#include "rootless/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "rootless/mend.h"
#include "sys/bootid.h"
#include "sys/fork.h"

/* Descriptors of a keeper, besides the standard ones. */
enum {
	DIR_FD = 3,
	PIPE_READ = KEEPER_PIPE,
	PIPE_WRITE,
	NETNS_FD = KEEPER_NETNS,
	START_SOCK,
	FLOWS_FD = KEEPER_FLOWS,
	N_FIXED
};

#define AGAIN_MS 200 /* when there is no process to be had */

struct life {
	struct keeper_shared *shared;
	struct keep_record record;
	int self, partner; /* pidfds; -1 */
	int signals, names;
	bool is_lead; /* this one looks after the way out */
	struct mend mend;
};

static void take_place(int fd, int place)
{
	if (fd < 0 || dup3(fd, place, place > 2 ? O_CLOEXEC : 0) < 0)
		_exit(1);
}

/* Above all places, so that none is overwritten before it is taken. */
static int out_of_the_way(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 2 * N_FIXED);
}

static void settle(const struct keeper *k)
{
	int null = out_of_the_way(open("/dev/null", O_RDWR | O_CLOEXEC));
	int dir = out_of_the_way(k->dir_fd), sock = out_of_the_way(k->sock);
	int in = out_of_the_way(k->pipe[0]), out = out_of_the_way(k->pipe[1]);
	int netns = out_of_the_way(k->netns_fd), flows = out_of_the_way(k->flows_fd);

	for (int fd = 0; fd < 3; fd++)
		take_place(null, fd);
	take_place(dir, DIR_FD);
	take_place(in, PIPE_READ);
	take_place(out, PIPE_WRITE);
	take_place(netns, NETNS_FD);
	take_place(sock, START_SOCK);
	take_place(flows, FLOWS_FD);
	if (close_range(N_FIXED, ~0U, 0) < 0 || chdir("/") < 0)
		_exit(1);
	(void)setsid();
	(void)umask(077);
	(void)prctl(PR_SET_NAME, "netns-up-host");
}

static bool arrange_signals(struct life *l)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM};
	sigset_t set;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals >= 0;
}

/* What one process has for itself. */
static void open_own(struct life *l)
{
	l->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	l->names = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (l->self < 0 || l->names < 0 ||
	    inotify_add_watch(l->names, "/proc/self/fd/3",
			      IN_DELETE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) < 0)
		_exit(1);
}

static int write_self(struct life *l, pid_t partner)
{
	struct err e = ERR_INIT;

	l->record.pid[0] = getpid();
	l->record.pid[1] = partner;
	for (int i = 0; i < KEEP_N; i++)
		if (keep_start_time(l->record.pid[i], &l->record.start[i]) < 0)
			l->record.start[i] = 0;
	return keep_write(DIR_FD, &l->record, &e);
}

/* The new one goes on from here as well, as the partner of its maker. 1: there is none to be had.
 */
static int make_partner(struct life *l)
{
	int pidfd = -1;
	pid_t pid = fork_into(0, &pidfd);

	if (pid < 0)
		return 1;
	if (pid > 0) {
		l->partner = pidfd;
		if (!l->is_lead)
			mend_look(&l->mend, DIR_FD);
		l->is_lead = true;
		return write_self(l, pid) < 0 ? 1 : 0;
	}
	l->partner = l->self;
	l->is_lead = false;
	mend_forget(&l->mend);
	fd_closep(&l->names);
	open_own(l);
	return 0;
}

static _Noreturn void end(struct life *l)
{
	atomic_store(&l->shared->is_ending, true);
	_exit(0);
}

static void read_signals(struct life *l)
{
	struct signalfd_siginfo si;

	while (read(l->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		if (si.ssi_signo == SIGTERM)
			end(l);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static bool is_on_record(void)
{
	return faccessat(DIR_FD, KEEP_FILE, F_OK, 0) == 0 || errno != ENOENT;
}

static int wait_of(const struct life *l)
{
	int wait = l->is_lead ? mend_wait(&l->mend, clock_ms()) : -1;

	return l->partner < 0 && (wait < 0 || wait > AGAIN_MS) ? AGAIN_MS : wait;
}

static _Noreturn void live(struct life *l)
{
	char events[1024];

	for (;;) {
		const struct mend_watch *w = l->mend.watch;
		struct pollfd p[6] = {{.fd = l->partner, .events = POLLIN},
				      {.fd = l->signals, .events = POLLIN},
				      {.fd = l->names, .events = POLLIN},
				      {.fd = l->mend.child, .events = POLLIN},
				      {.fd = w[MEND_UPLINK].pidfd, .events = POLLIN},
				      {.fd = w[MEND_NAMES].pidfd, .events = POLLIN}};
		int n = poll(p, 6, wait_of(l));
		const bool has_ended[MEND_N] = {n > 0 && p[4].revents, n > 0 && p[5].revents};

		if (n > 0 && p[1].revents)
			read_signals(l);
		while (n > 0 && p[2].revents && read(l->names, events, sizeof(events)) > 0)
			;
		if (atomic_load(&l->shared->is_ending) || !is_on_record())
			end(l);
		if (n > 0 && p[0].revents)
			fd_closep(&l->partner);
		if (l->partner < 0)
			(void)make_partner(l);
		else if (l->is_lead && n >= 0)
			mend_turn(&l->mend, DIR_FD, has_ended, n > 0 && p[3].revents,
				  n > 0 && p[2].revents);
	}
}

_Noreturn void keeper_first(const struct keeper *k)
{
	struct life l = {.shared = k->shared, .partner = -1, .mend = MEND_INIT};
	const char ready = KEEPER_READY;
	struct stat netns, pidns;
	pid_t self;

	settle(k);
	if (!arrange_signals(&l) || fstat(NETNS_FD, &netns) < 0 ||
	    stat("/proc/self/ns/pid", &pidns) < 0 || bootid_get(l.record.boot_id, NULL) < 0)
		_exit(1);
	l.record.pidns_ino = pidns.st_ino;
	l.record.netns_dev = netns.st_dev;
	l.record.netns_ino = netns.st_ino;
	open_own(&l);
	self = getpid();
	if (make_partner(&l) > 0)
		end(&l);
	if (getpid() == self && send(START_SOCK, &ready, 1, MSG_NOSIGNAL) != 1)
		end(&l);
	close(START_SOCK);
	live(&l);
}
