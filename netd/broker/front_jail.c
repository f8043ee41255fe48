/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front_jail: what the front runs without: files, capabilities, its former user, new processes,
 * new sockets of any kind, and all system calls but those that stand here with their reason. What
 * needs a privilege comes before the privilege goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "broker/front.h"
#include "sys/filter.h"
#include "sys/sandbox.h"

#define ALWAYS(call)                                                                               \
	{                                                                                          \
		SCMP_SYS(call),                                                                    \
		{                                                                                  \
			{                                                                          \
				0                                                                  \
			}                                                                          \
		}                                                                                  \
	}
#define MSG_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC)

static const struct filter_rule allowed[] = {
	/* The loop. */
	ALWAYS(epoll_wait),
	ALWAYS(epoll_pwait),
	ALWAYS(epoll_ctl),
	ALWAYS(clock_gettime),
	/* Strangers, and the back. */
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	{SCMP_SYS(getsockopt), {{1, FILTER_EQ, SOL_SOCKET}, {2, FILTER_EQ, SO_PEERCRED}}},
	{SCMP_SYS(recvmsg), {{2, FILTER_WITHIN, MSG_FLAGS | MSG_PEEK}}},
	{SCMP_SYS(sendmsg), {{2, FILTER_WITHIN, MSG_FLAGS}}},
	ALWAYS(close),
	/* Closing takes no time. */
	{SCMP_SYS(setitimer), {{0, FILTER_EQ, ITIMER_REAL}}},
	/* The log. */
	{SCMP_SYS(write), {{0, FILTER_EQ, STDERR_FILENO}}},
	/* JSON's memory; jansson seeds its hash. */
	ALWAYS(brk),
	{SCMP_SYS(mmap), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
	{SCMP_SYS(mprotect), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
	ALWAYS(munmap),
	ALWAYS(mremap),
	ALWAYS(madvise),
	ALWAYS(futex),
	ALWAYS(getrandom),
	ALWAYS(rt_sigreturn),
	ALWAYS(restart_syscall),
	ALWAYS(exit_group),
};

static int drop_user(const struct front_config *c)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	/* EINVAL: a user namespace that has one number. */
	if (setresgid(c->gid, c->gid, c->gid) < 0 && errno != EINVAL)
		return -errno;
	if (setresuid(c->uid, c->uid, c->uid) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

int front_jail(const struct front_config *c, struct err *e)
{
	const struct filter_spec spec = {.allow = {FILTER_LIST(allowed)}, .kill = {filter_deadly}};
	struct filter program;
	int r = filter_compile(&spec, &program, e);

	if (r < 0)
		return r;
	r = sandbox_limit(FRONT_CONNS + 64, true); /* the log may be a file */
	if (r == 0)
		r = sandbox_enter_void();
	if (r == 0)
		r = sandbox_drop_bounding();
	if (r == 0)
		r = sandbox_lock_securebits();
	if (r == 0)
		r = drop_user(c);
	if (r == 0)
		r = sandbox_drop_capabilities();
	if (r == 0)
		r = sandbox_forbid_gains();
	if (r == 0)
		r = sandbox_landlock(NULL);
	/* It goes with the back, at once: a new netd shall not find the socket answered. Here, for
	 * a change of user takes it off. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0)
		r = filter_load(&program);
	filter_free(&program);
	return r < 0 ? err_sys(e, -r, "giving up privilege") : 0;
}
