/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front_jail: what the front runs without: files, capabilities, its former user, new processes,
 * new sockets of any kind, and all system calls but those that stand here with their reason. What
 * needs a privilege comes before the privilege goes.
 */
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "broker/front.h"
#include "sys/confine.h"
#include "sys/filter.h"

static const struct filter_rule allowed[] = {
	/* The loop. */
	FILTER_ANY(epoll_wait),
	FILTER_ANY(epoll_pwait),
	FILTER_ANY(epoll_ctl),
	/* Strangers, and the back. */
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	FILTER_GET(SOL_SOCKET, SO_PEERCRED),
	FILTER_FLAGS(recvmsg, 2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_PEEK),
	FILTER_FLAGS(sendmsg, 2, MSG_DONTWAIT | MSG_NOSIGNAL),
	/* Closing takes no time. */
	{SCMP_SYS(setitimer), {{0, FILTER_EQ, ITIMER_REAL}}},
	/* The log. */
	{SCMP_SYS(write), {{0, FILTER_EQ, STDERR_FILENO}}},
	/* JSON's memory. */
	{SCMP_SYS(mmap), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
	{SCMP_SYS(mprotect), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
};

int front_jail(const struct front_config *c, struct err *e)
{
	const struct filter_spec spec = {
		.allow = {FILTER_LIST(allowed), filter_always, filter_memory},
		.kill = {filter_deadly, filter_alien}};
	const char *step;
	struct filter program;
	int r = filter_compile(&spec, &program, e);
	const struct confine confine = {
		.n_files = FRONT_CONNS + 64,
		.may_write = true, /* the log may be a file */
		.in_void = true,
		.uid = c->uid,
		.gid = c->gid,
		/* It goes with the back, at once: a new netd shall not find the socket answered. */
		.parent = getppid(),
		.filter = &program,
	};

	if (r < 0)
		return r;
	r = confine_enter(&confine, &step);
	filter_free(&program);
	return r < 0 ? err_sys(e, -r, "giving up privilege: %s", step) : 0;
}
