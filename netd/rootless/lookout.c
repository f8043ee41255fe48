/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookout: see lookout.h. One question, one answer with descriptors. Read unix(7) on SCM_RIGHTS. */
#include "rootless/lookout.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/fdpass.h"
#include "sys/fork.h"

/* Longer than keep_find takes. */
#define ANSWER_MS 20000
#define N_FDS (KEEP_N + 3)

enum { DIR_FD = 3, SOCK_FD, N_FIXED };

struct answer {
	int result;
	struct err error;
	struct keep_record record;
	int32_t pid;
	int place[N_FDS]; /* of each descriptor among those that come along; -1: none */
};

/* The descriptors of what was found, in the order of the answer. */
static void list_fds(struct keep *k, int *ret[N_FDS])
{
	for (int i = 0; i < KEEP_N; i++)
		ret[i] = &k->pidfd[i];
	ret[KEEP_N] = &k->netns_fd;
	ret[KEEP_N + 1] = &k->userns_fd;
	ret[KEEP_N + 2] = &k->pipe_fd;
}

/* ---- the process ---- */

static void settle(int dir_fd, int sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	null = fcntl(null, F_DUPFD_CLOEXEC, N_FIXED);
	dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, N_FIXED);
	sock = fcntl(sock, F_DUPFD_CLOEXEC, N_FIXED);
	for (int fd = 0; fd < DIR_FD; fd++)
		if (dup2(null, fd) < 0)
			_exit(1);
	if (dup3(dir_fd, DIR_FD, O_CLOEXEC) < 0 || dup3(sock, SOCK_FD, O_CLOEXEC) < 0 ||
	    close_range(N_FIXED, ~0U, 0) < 0)
		_exit(1);
}

static void serve_one(void)
{
	struct keep k = KEEP_INIT;
	struct answer a = {.error = ERR_INIT};
	int *from[N_FDS], fds[N_FDS];
	size_t n = 0;

	a.result = keep_find(DIR_FD, &k, &a.error);
	a.record = k.record;
	a.pid = k.pid;
	list_fds(&k, from);
	for (int i = 0; i < N_FDS; i++) {
		a.place[i] = *from[i] < 0 ? -1 : (int)n;
		if (*from[i] >= 0)
			fds[n++] = *from[i];
	}
	if (fdpass_send(SOCK_FD, &a, sizeof(a), fds, n) < 0)
		_exit(1);
	keep_close(&k);
}

static _Noreturn void serve(int dir_fd, int sock, pid_t maker)
{
	sigset_t all;
	char word;

	/* A signal to the group is for the maker, who ends us. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != maker)
		_exit(1);
	settle(dir_fd, sock);
	while (recv(SOCK_FD, &word, 1, 0) == 1)
		serve_one();
	_exit(0);
}

/* ---- its maker ---- */

int lookout_start(struct lookout *l, int dir_fd, struct err *e)
{
	pid_t maker = getpid();
	int pair[2], pidfd = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	l->pid = fork_into(0, &pidfd);
	if (l->pid == 0)
		serve(dir_fd, pair[1], maker);
	close(pair[1]);
	if (l->pid < 0) {
		int sys = errno;

		close(pair[0]);
		l->pid = 0;
		return err_sys(e, sys, "fork");
	}
	close(pidfd);
	l->sock = pair[0];
	return 0;
}

int lookout_find(struct lookout *l, struct keep *ret, struct err *e)
{
	struct answer a;
	int *to[N_FDS], fds[N_FDS], r;

	if (send(l->sock, "", 1, MSG_NOSIGNAL) != 1)
		return err_sys(e, errno, "the process that stayed outside");
	r = fd_await(l->sock, POLLIN, clock_ms() + ANSWER_MS);
	memset(fds, 0xff, sizeof(fds));
	if (r <= 0 || fdpass_recv(l->sock, &a, sizeof(a), fds, N_FDS) != (ssize_t)sizeof(a))
		return err_set(e, ERR_KERNEL, 0, "the process that stayed outside does not answer");
	ret->record = a.record;
	ret->pid = a.pid;
	list_fds(ret, to);
	for (int i = 0; i < N_FDS; i++)
		if (a.place[i] >= 0 && a.place[i] < N_FDS)
			*to[i] = fds[a.place[i]];
	if (a.result < 0)
		err_gather(e, &a.error);
	return a.result;
}

void lookout_end(struct lookout *l)
{
	/* Whoever else was born with it. */
	if (l->sock >= 0)
		(void)shutdown(l->sock, SHUT_RDWR);
	fd_closep(&l->sock);
	while (l->pid > 0 && waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
		;
	l->pid = 0;
}
