/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jail: what the forwarder runs without: files (its root is an empty read-only file system that has
 * no other mount in it, and Landlock denies every file right), capabilities, the bounding set,
 * root's user, new processes, debuggers, and all system calls but the few below. Steps that a
 * kernel or a container runtime may lack are skipped (Landlock, the empty root without
 * CAP_SYS_ADMIN and CAP_SYS_CHROOT); the others must work. The order is sys/confine.c's.
 */
#include "fwd/jail.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/confine.h"
#include "sys/filter.h"

static const struct filter_rule allowed[] = {
	FILTER_ANY(epoll_wait),
	FILTER_ANY(epoll_pwait),
	FILTER_ANY(epoll_ctl),
	FILTER_FLAGS(splice, 5, SPLICE_F_NONBLOCK | SPLICE_F_MOVE),
	FILTER_ANY(shutdown),
	FILTER_ANY(connect),
	FILTER_ANY(getsockname),
	FILTER_FLAGS(recvmsg, 2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC),
	FILTER_FLAGS(recvmmsg, 3, MSG_DONTWAIT),
	FILTER_FLAGS(recvfrom, 3, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC),
	FILTER_FLAGS(sendto, 3, MSG_DONTWAIT | MSG_NOSIGNAL),
	FILTER_FLAGS(sendmmsg, 3, MSG_DONTWAIT | MSG_NOSIGNAL),
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	FILTER_SET(SOL_SOCKET, SO_LINGER),
	FILTER_SET(SOL_SOCKET, SO_KEEPALIVE),
	FILTER_SET(IPPROTO_TCP, TCP_NODELAY),
	FILTER_SET(IPPROTO_TCP, TCP_SYNCNT),
	FILTER_SET(IPPROTO_TCP, TCP_KEEPIDLE),
	FILTER_SET(IPPROTO_TCP, TCP_KEEPINTVL),
	FILTER_SET(IPPROTO_TCP, TCP_KEEPCNT),
	FILTER_GET(SOL_SOCKET, SO_ERROR),
	FILTER_GET(SOL_SOCKET, SO_PEERCRED),
	FILTER_GET(SOL_SOCKET, SO_PROTOCOL),
	FILTER_GET(SOL_SOCKET, SO_ACCEPTCONN),
	{SCMP_SYS(pipe2), {{1, FILTER_EQ, O_NONBLOCK | O_CLOEXEC}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_SETPIPE_SZ}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_GETPIPE_SZ}}},
};

int jail_enter(const char **ret_step)
{
	const struct filter_spec spec = {
		.allow = {FILTER_LIST(allowed), filter_always, filter_inet},
		.kill = {filter_deadly, filter_alien}};
	static struct filter filter; /* stays: freeing it may be a call that it refuses */
	const struct confine confine = {
		.n_files = JAIL_NOFILE,
		.in_void = true,
		.uid = CONFINE_NOBODY,
		.gid = CONFINE_NOBODY,
		.filter = &filter,
	};
	int r = filter_compile(&spec, &filter, NULL);

	*ret_step = "system call filter";
	return r < 0 ? r : confine_enter(&confine, ret_step);
}
