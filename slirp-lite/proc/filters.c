/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filters: why each call is there stands beside it; one that the worker no longer makes is to be
 * taken out. Addresses cannot be seen by a filter: where the worker may connect to is decided in
 * flow/policy.c, and on TCP ports by Landlock. libseccomp compares all 64 bits of an argument or
 * masked ones; the kernel's int arguments are compared by their low half. Read seccomp(2),
 * socket(7), tcp(7), ip(7), ipv6(7), udp(7).
 */
#include "proc/filters.h"

#include <fcntl.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#define SPLICE_FLAGS (SPLICE_F_NONBLOCK | SPLICE_F_MOVE)

/* MSG_CMSG_CLOEXEC: descriptors that the supervisor hands over. Not in it: OOB, FASTOPEN. */
#define MSG_FLAGS                                                                                  \
	(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE | MSG_MORE |            \
	 MSG_ZEROCOPY | MSG_CMSG_CLOEXEC)
#define ADDRESS_MAX ((uint32_t)sizeof(struct sockaddr_in6))

#define ALWAYS(call)                                                                               \
	{                                                                                          \
		SCMP_SYS(call),                                                                    \
		{                                                                                  \
			{                                                                          \
				0                                                                  \
			}                                                                          \
		}                                                                                  \
	}
#define FLAGS(call, arg, flags)                                                                    \
	{                                                                                          \
		SCMP_SYS(call),                                                                    \
		{                                                                                  \
			{                                                                          \
				(arg), FILTER_WITHIN, (uint32_t)(flags)                            \
			}                                                                          \
		}                                                                                  \
	}
#define SOCKET(family, type, proto)                                                                \
	{                                                                                          \
		SCMP_SYS(socket),                                                                  \
		{                                                                                  \
			{0, FILTER_EQ, (family)},                                                  \
				{1, FILTER_EQ, (type) | SOCK_NONBLOCK | SOCK_CLOEXEC},             \
				{2, FILTER_EQ, (proto)},                                           \
		}                                                                                  \
	}
#define SET(level, name)                                                                           \
	{                                                                                          \
		SCMP_SYS(setsockopt),                                                              \
		{                                                                                  \
			{1, FILTER_EQ, (level)},                                                   \
			{                                                                          \
				2, FILTER_EQ, (name)                                               \
			}                                                                          \
		}                                                                                  \
	}
#define GET(level, name)                                                                           \
	{                                                                                          \
		SCMP_SYS(getsockopt),                                                              \
		{                                                                                  \
			{1, FILTER_EQ, (level)},                                                   \
			{                                                                          \
				2, FILTER_EQ, (name)                                               \
			}                                                                          \
		}                                                                                  \
	}

static const struct filter_rule worker[] = {
	/* Frames, the log, the capture, timers; every descriptor that is not a socket was opened
	 * before. */
	ALWAYS(read),
	ALWAYS(readv),
	ALWAYS(write),
	ALWAYS(writev),
	ALWAYS(close),
	/* Payload and messages. */
	FLAGS(recvfrom, 3, MSG_FLAGS),
	FLAGS(sendto, 3, MSG_FLAGS),
	FLAGS(recvmsg, 2, MSG_FLAGS),
	FLAGS(sendmsg, 2, MSG_FLAGS),
	FLAGS(recvmmsg, 3, MSG_FLAGS),
	FLAGS(sendmmsg, 3, MSG_FLAGS),
	FLAGS(splice, 5, SPLICE_FLAGS),
	/* Host sockets: io/host.h has three kinds in two families. No other, not even MPTCP. */
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
	{SCMP_SYS(connect), {{2, FILTER_MOST, ADDRESS_MAX}}},
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	ALWAYS(getsockname),
	ALWAYS(shutdown),
	/* Options: none that loads a program or a rule (SO_ATTACH_FILTER, IPT_SO_SET_REPLACE),
	 * changes the protocol (TCP_ULP) or forges state (TCP_REPAIR). */
	SET(SOL_SOCKET, SO_REUSEADDR),
	SET(SOL_SOCKET, SO_SNDBUF),
	SET(SOL_SOCKET, SO_RCVBUF),
	SET(SOL_SOCKET, SO_LINGER),
	SET(SOL_SOCKET, SO_KEEPALIVE),
	SET(SOL_SOCKET, SO_PEEK_OFF),
	SET(SOL_SOCKET, SO_ZEROCOPY),
	SET(IPPROTO_TCP, TCP_NODELAY),
	SET(IPPROTO_TCP, TCP_QUICKACK),
	SET(IPPROTO_TCP, TCP_USER_TIMEOUT),
	SET(IPPROTO_TCP, TCP_SYNCNT),
	SET(IPPROTO_TCP, TCP_KEEPIDLE),
	SET(IPPROTO_TCP, TCP_KEEPINTVL),
	SET(IPPROTO_TCP, TCP_KEEPCNT),
	SET(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	SET(IPPROTO_TCP, TCP_MAXSEG),
	SET(IPPROTO_TCP, TCP_LINGER2),
	SET(IPPROTO_IP, IP_RECVERR),
	SET(IPPROTO_IP, IP_PKTINFO),
	SET(IPPROTO_IP, IP_TTL),
	SET(IPPROTO_IP, IP_TOS),
	SET(IPPROTO_IP, IP_RECVTOS),
	SET(IPPROTO_IP, IP_RECVTOS),
	SET(IPPROTO_IP, IP_MTU_DISCOVER),
	SET(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	SET(IPPROTO_IPV6, IPV6_V6ONLY),
	SET(IPPROTO_IPV6, IPV6_RECVERR),
	SET(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	SET(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	SET(IPPROTO_IPV6, IPV6_TCLASS),
	SET(IPPROTO_IPV6, IPV6_RECVTCLASS),
	SET(IPPROTO_IPV6, IPV6_RECVTCLASS),
	SET(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	SET(IPPROTO_UDP, UDP_SEGMENT),
	SET(IPPROTO_UDP, UDP_GRO),
	GET(SOL_SOCKET, SO_ERROR),
	GET(SOL_SOCKET, SO_SNDBUF),
	GET(SOL_SOCKET, SO_RCVBUF),
	GET(IPPROTO_TCP, TCP_INFO),
	GET(IPPROTO_IP, IP_MTU),
	GET(IPPROTO_IPV6, IPV6_MTU),
	/* The loop. */
	ALWAYS(epoll_ctl),
	ALWAYS(epoll_wait),
	ALWAYS(epoll_pwait),
	ALWAYS(epoll_pwait2),
	ALWAYS(sched_yield),
	ALWAYS(timerfd_settime),
	ALWAYS(clock_gettime),
	/* Memory is given back, never asked for. */
	{SCMP_SYS(madvise), {{2, FILTER_EQ, MADV_DONTNEED}}},
	ALWAYS(rt_sigreturn),
	ALWAYS(restart_syscall),
	ALWAYS(exit_group),
};

/* Of the address that is configured; the port is the kernel's choice. */
static const struct filter_rule worker_bind[] = {
	{SCMP_SYS(bind), {{2, FILTER_MOST, ADDRESS_MAX}}},
};

/* The supervisor parses JSON and text, so it allocates; it opens what Landlock lets it open, makes
 * the worker's control pair, and ends the zygote. */
static const struct filter_rule supervisor[] = {
	ALWAYS(read),
	ALWAYS(readv),
	ALWAYS(write),
	ALWAYS(writev),
	ALWAYS(close),
	ALWAYS(poll),
	ALWAYS(ppoll),
	ALWAYS(recvmsg),
	ALWAYS(sendmsg),
	ALWAYS(recvfrom),
	ALWAYS(sendto),
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	{SCMP_SYS(socketpair),
	 {{0, FILTER_EQ, AF_UNIX}, {1, FILTER_EQ, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	{SCMP_SYS(pipe2), {{1, FILTER_EQ, O_NONBLOCK | O_CLOEXEC}}},
	GET(SOL_SOCKET, SO_PEERCRED),
	/* Published ports (proc/listen.c). */
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	SET(SOL_SOCKET, SO_REUSEADDR),
	SET(IPPROTO_IPV6, IPV6_V6ONLY),
	{SCMP_SYS(bind), {{2, FILTER_MOST, ADDRESS_MAX}}},
	ALWAYS(listen),
	ALWAYS(getsockname),
	/* The index of an interface that a resolver's scope names. */
	{SCMP_SYS(socket), {{0, FILTER_EQ, AF_INET}, {1, FILTER_EQ, SOCK_DGRAM | SOCK_CLOEXEC}}},
	{SCMP_SYS(ioctl), {{1, FILTER_EQ, SIOCGIFINDEX}}},
	/* resolv.conf and the target's path. */
	{SCMP_SYS(open), {{1, FILTER_WITHIN, O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE}}},
	{SCMP_SYS(openat), {{2, FILTER_WITHIN, O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE}}},
	ALWAYS(fstat),
	ALWAYS(stat),
	ALWAYS(lstat),
	ALWAYS(newfstatat),
	ALWAYS(statx),
	ALWAYS(lseek),
	ALWAYS(readlink),
	ALWAYS(readlinkat),
	ALWAYS(inotify_add_watch),
	/* The control socket's file, in its directory alone (Landlock). */
	ALWAYS(unlink),
	ALWAYS(unlinkat),
	/* Standard descriptors to /dev/null; the writes of the C library's streams. */
	ALWAYS(dup2),
	ALWAYS(dup3),
	/* Not F_SETOWN and F_SETSIG, which send signals. */
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_GETFD}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_SETFD}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_GETFL}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_SETFL}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_DUPFD_CLOEXEC}}},
	ALWAYS(wait4),
	ALWAYS(waitid),
	ALWAYS(pidfd_send_signal),
	ALWAYS(clock_gettime),
	ALWAYS(getpid),
	ALWAYS(geteuid),
	ALWAYS(getuid),
	ALWAYS(getrandom),
	/* The allocator. */
	ALWAYS(brk),
	{SCMP_SYS(mmap), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
	{SCMP_SYS(mprotect), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
	ALWAYS(munmap),
	ALWAYS(mremap),
	ALWAYS(madvise),
	ALWAYS(futex),
	ALWAYS(rt_sigprocmask),
	ALWAYS(rt_sigreturn),
	ALWAYS(restart_syscall),
	ALWAYS(exit_group),
};

/* What makes sockets inside the container's network namespace, and dumps which of them are served.
 * It never uses one of them. */
static const struct filter_rule nsd[] = {
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	FLAGS(recvmsg, 2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC),
	FLAGS(sendmsg, 2, MSG_DONTWAIT | MSG_NOSIGNAL),
	ALWAYS(poll),
	ALWAYS(ppoll),
	ALWAYS(close),
	ALWAYS(clock_gettime),
	ALWAYS(rt_sigreturn),
	ALWAYS(restart_syscall),
	ALWAYS(exit_group),
};

struct filter_spec filters_worker(bool may_bind)
{
	struct filter_spec s = {.allow = {FILTER_LIST(worker)}, .kill = {filter_deadly}};

	if (may_bind)
		s.allow[1] = (struct filter_list)FILTER_LIST(worker_bind);
	return s;
}

struct filter_spec filters_supervisor(void)
{
	return (struct filter_spec){.allow = {FILTER_LIST(supervisor)}, .kill = {filter_deadly}};
}

struct filter_spec filters_nsd(void)
{
	return (struct filter_spec){.allow = {FILTER_LIST(nsd)}, .kill = {filter_deadly}};
}
