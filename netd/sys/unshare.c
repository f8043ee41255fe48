/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unshare: the caller's side of unshare.h: clone, id maps, the word to go, signals and the end. The
 * child's side is unshare_child.c. It never configures a network: the caller does that between
 * start and go. Read clone(2), user_namespaces(7), signalfd(2).
 */
#include "sys/unshare.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/fork.h"
#include "sys/unshare_int.h"
#include "sys/userns.h"

#define READY_MS 10000
#define GO_MS 30000
#define KILL_MS 5000

#define HOSTNAME_MAX 64
#define RESOLV_TEXT_MAX ((size_t)128 * 1024)

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static const int forwarded[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
				SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

void unshare_signals(sigset_t *ret)
{
	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(ret, forwarded[i]);
}

bool unshare_is_for(pid_t target, int sig, int code)
{
	if (code != SI_KERNEL)
		return true;
	/* A terminal sends to its foreground process group, but tells its hangup to the session's
	 * leader alone. */
	if ((sig == SIGHUP || sig == SIGCONT) && getsid(0) == getpid())
		return true;
	return getpgid(target) != getpgrp();
}

static unsigned long clone_flags(unsigned flags)
{
	static const struct {
		unsigned run;
		unsigned long clone;
	} map[] = {
		{RUN_PID, CLONE_NEWPID}, {RUN_MOUNT, CLONE_NEWNS},  {RUN_UTS, CLONE_NEWUTS},
		{RUN_IPC, CLONE_NEWIPC}, {RUN_USER, CLONE_NEWUSER}, {RUN_CGROUP, CLONE_NEWCGROUP},
	};
	unsigned long r = CLONE_NEWNET;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (flags & map[i].run)
			r |= map[i].clone;
	return r;
}

static bool hostname_ok(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > HOSTNAME_MAX || s[0] == '-' || s[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '.')
			return false;
	}
	return true;
}

static int check_spec(const struct run_spec *spec, struct run_spec *ret, struct err *e)
{
	if (!spec->argv || !spec->argv[0] || !*spec->argv[0])
		return err_invalid(e, ERR_USAGE, "command to run: expected a word");
	if (spec->hostname && !hostname_ok(spec->hostname))
		return err_invalid(e, ERR_USAGE,
				   "host name \"%s\": expected 1 to %d letters, digits, \"-\", "
				   "\".\", the first a letter or digit",
				   spec->hostname, HOSTNAME_MAX);
	if (spec->resolv_conf && strlen(spec->resolv_conf) > RESOLV_TEXT_MAX)
		return err_set(e, ERR_USAGE, EFBIG, "resolv.conf");
	*ret = *spec;
	if (spec->hostname)
		ret->flags |= RUN_UTS;
	if (spec->resolv_conf || spec->flags & RUN_PID)
		ret->flags |= RUN_MOUNT;
	return 0;
}

static int hold_signals(struct run_child *c, struct err *e)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t set;

	unshare_signals(&set);
	if (sigprocmask(SIG_BLOCK, &set, &c->old_mask) < 0)
		return err_sys(e, errno, "block signals");
	/* A caller that ignores SIGCHLD would get no exit status. */
	(void)sigaction(SIGCHLD, &dfl, &c->old_chld);
	c->masked = true;
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (c->signals < 0)
		return err_sys(e, errno, "signalfd");
	return 0;
}

int unshare_refused(unsigned flags, int sys, struct err *e)
{
	if (sys == ENOSPC || sys == EUSERS)
		return err_set(e, ERR_QUOTA, sys, "new namespaces (see /proc/sys/user/max_*)");
	if (sys != EPERM)
		return err_sys(e, sys, "new namespaces");
	if (flags & (RUN_USER | RUN_SPLIT))
		return err_set(
			e, ERR_DENIED, sys,
			"new user namespace (is user.max_user_namespaces 0, or "
			"kernel.unprivileged_userns_clone, or a security module against it?)");
	return err_set(e, ERR_DENIED, sys,
		       "new namespaces need root (CAP_SYS_ADMIN); --user needs none");
}

static int make_child(const struct run_spec *spec, struct run_child *c, struct err *e)
{
	CLEAN_FD int ours = -1;
	CLEAN_FD int theirs = -1;
	pid_t self = getpid(), pid;
	int pair[2], pidfd = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	c->channel = fd_take(&ours);
	if (spec->flags & RUN_SPLIT)
		return unshare_split(spec, c, clone_flags(spec->flags), theirs, e);
	pid = fork_into(clone_flags(spec->flags), &pidfd);
	if (pid == 0)
		unshare_child(spec, c, theirs, self);
	if (pid < 0)
		return unshare_refused(spec->flags, errno, e);
	c->pid = pid;
	c->pidfd = pidfd;
	return 0;
}

/* Sets the ids that the child has in its own user namespace. */
static int map_ids(struct run_child *c, struct err *e)
{
	enum userns_map map;

	return userns_write_maps(c->pid, false, &map, &c->n_ids, e);
}

/* One message of the child. 1 when there is one, 0 at the end of the channel. */
static int receive(const struct run_child *c, uint64_t deadline, struct run_report *ret,
		   struct err *e)
{
	int r = fd_await(c->channel, POLLIN, deadline);
	ssize_t n;

	if (r < 0)
		return err_sys(e, -r, "poll");
	if (r == 0)
		return err_set(e, ERR_BUSY, ETIMEDOUT, "child %d does not answer", (int)c->pid);
	n = recv(c->channel, ret, sizeof(*ret), MSG_DONTWAIT);
	if (n < 0 && errno != ECONNRESET) /* it died with our word unread: an end like any other */
		return err_sys(e, errno, "channel of child %d", (int)c->pid);
	return n == (ssize_t)sizeof(*ret);
}

static int child_error(struct run_child *c, const struct run_report *m, struct err *e)
{
	const char *hint = "";

	switch (m->stage) {
	case RUN_FAILED_EXEC:
		c->exec_status = m->sys == ENOENT ? 127 : 126;
		return err_sys(e, m->sys, "%s", c->command);
	case RUN_FAILED_PROPAGATION:
		return err_sys(e, m->sys, "make mounts private");
	case RUN_FAILED_RESOLV_CONF:
		return err_sys(e, m->sys, "bind a file over /etc/resolv.conf");
	case RUN_FAILED_HOSTNAME:
		return err_sys(e, m->sys, "set the host name");
	case RUN_FAILED_PROC:
		if (m->sys == EPERM)
			hint = " (inside a container with a masked /proc the kernel forbids it)";
		return err_sys(e, m->sys, "mount /proc%s", hint);
	case RUN_FAILED_FORK:
		return err_sys(e, m->sys, "fork");
	default:
		return err_sys(e, m->sys, "child %d", (int)c->pid);
	}
}

static int await_ready(struct run_child *c, struct err *e)
{
	struct run_report m;
	int r;

	r = receive(c, clock_ms() + READY_MS, &m, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_KERNEL, 0, "child %d ended before it was ready", (int)c->pid);
	if (m.stage != RUN_READY)
		return child_error(c, &m, e);
	return 0;
}

int unshare_start(const struct run_spec *spec, struct run_child *ret, struct err *e)
{
	struct run_spec full;
	int r;

	r = check_spec(spec, &full, e);
	if (r < 0)
		return r;
	ret->command = spec->argv[0];
	r = hold_signals(ret, e);
	if (r < 0)
		return r;
	r = make_child(&full, ret, e);
	if (r < 0)
		return r;
	if (full.flags & RUN_USER && !(full.flags & RUN_SPLIT)) {
		r = map_ids(ret, e);
		if (r < 0)
			return r;
	}
	return await_ready(ret, e);
}

int unshare_go(struct run_child *c, struct err *e)
{
	uint64_t deadline = clock_ms() + GO_MS;
	const char word = RUN_GO;
	struct run_report m;
	int missing = 0, r;

	if (send(c->channel, &word, 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, errno, "child %d", (int)c->pid);
	while ((r = receive(c, deadline, &m, e)) > 0) {
		if (m.stage != RUN_NO_RESOLV_CONF)
			return child_error(c, &m, e);
		missing = 1;
	}
	/* It has served; a socket holds the network namespace that it was made in. */
	fd_closep(&c->channel);
	return r < 0 ? r : missing;
}

static void forward(const struct run_child *c)
{
	struct signalfd_siginfo si;

	while (read(c->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (unshare_is_for(c->pid, sig, si.ssi_code))
			(void)syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0);
	}
}

/* The child has ended: takes its status and, with it, its number away. */
static int reap(struct run_child *c, struct err *e)
{
	siginfo_t si = {.si_pid = 0};
	int r;

	do
		r = waitid((idtype_t)P_PIDFD, (id_t)c->pidfd, &si, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, errno, "wait for child %d", (int)c->pid);
	c->reaped = true;
	c->status = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	return 0;
}

int unshare_wait(struct run_child *c, int *ret_status, struct err *e)
{
	struct pollfd p[2] = {
		{.fd = c->pidfd, .events = POLLIN},
		{.fd = c->signals, .events = POLLIN},
	};
	int r;

	while (!c->reaped) {
		/* The one wait without a deadline: the command takes as long as it takes. */
		r = poll(p, 2, -1);
		if (r < 0 && errno != EINTR)
			return err_sys(e, errno, "poll");
		if (r <= 0)
			continue;
		if (p[1].revents)
			forward(c);
		if (p[0].revents) {
			r = reap(c, e);
			if (r < 0)
				return r;
		}
	}
	*ret_status = c->status;
	return 0;
}

void unshare_end(struct run_child *c)
{
	struct signalfd_siginfo si;

	fd_closep(&c->channel);
	if (c->pidfd >= 0 && !c->reaped) {
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
		if (fd_await(c->pidfd, POLLIN, clock_ms() + KILL_MS) > 0)
			(void)reap(c, NULL);
	}
	fd_closep(&c->pidfd);
	if (c->signals >= 0)
		while (read(c->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
			;
	fd_closep(&c->signals);
	if (c->masked) {
		(void)sigaction(SIGCHLD, &c->old_chld, NULL);
		(void)sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
	}
	c->masked = false;
}
