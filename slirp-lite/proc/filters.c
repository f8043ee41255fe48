/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filters: why each call is there stands beside it (what several processes have is in
 * sys/filter_lists.c); one that the worker no longer makes is to be taken out. Addresses cannot be
 * seen by a filter: where the worker may connect to is decided in flow/policy.c, and on TCP ports
 * by Landlock. libseccomp compares all 64 bits of an argument or masked ones; the kernel's int
 * arguments are compared by their low half. Read seccomp(2), socket(7), tcp(7), ip(7), ipv6(7),
 * udp(7).
 */
#include "proc/filters.h"

#include <fcntl.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define SPLICE_FLAGS (SPLICE_F_NONBLOCK | SPLICE_F_MOVE)

/* Not in it: OOB, FASTOPEN, ZEROCOPY. */
#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
/* Messages of processes of ours, with descriptors. */
#define PASS_FLAGS (MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
#define ADDRESS_MAX ((uint32_t)sizeof(struct sockaddr_in6))

static const struct filter_rule worker[] = {
	/* Frames, the log, the capture, timers; every descriptor that is not a socket was opened
	 * before. */
	FILTER_ANY(read),
	FILTER_ANY(readv),
	FILTER_ANY(write),
	FILTER_ANY(writev),
	/* Payload and messages. */
	FILTER_FLAGS(recvfrom, 3, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC),
	FILTER_FLAGS(sendto, 3, SEND_FLAGS),
	FILTER_FLAGS(recvmsg, 2, PASS_FLAGS | MSG_ERRQUEUE),
	FILTER_FLAGS(sendmsg, 2, SEND_FLAGS),
	FILTER_FLAGS(recvmmsg, 3, MSG_DONTWAIT),
	FILTER_FLAGS(sendmmsg, 3, SEND_FLAGS),
	FILTER_FLAGS(splice, 5, SPLICE_FLAGS),
	/* Host sockets: those of filter_inet and these are what io/host.h has. */
	FILTER_SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
	FILTER_SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
	{SCMP_SYS(connect), {{2, FILTER_MOST, ADDRESS_MAX}}},
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	FILTER_ANY(getsockname),
	FILTER_ANY(shutdown),
	/* Options: none that loads a program or a rule (SO_ATTACH_FILTER, IPT_SO_SET_REPLACE),
	 * changes the protocol (TCP_ULP) or forges state (TCP_REPAIR). */
	FILTER_SET(SOL_SOCKET, SO_SNDBUF),
	FILTER_SET(SOL_SOCKET, SO_RCVBUF),
	FILTER_SET(SOL_SOCKET, SO_LINGER),
	FILTER_SET(SOL_SOCKET, SO_KEEPALIVE),
	FILTER_SET(IPPROTO_TCP, TCP_NODELAY),
	FILTER_SET(IPPROTO_TCP, TCP_SYNCNT),
	FILTER_SET(IPPROTO_TCP, TCP_KEEPIDLE),
	FILTER_SET(IPPROTO_TCP, TCP_KEEPINTVL),
	FILTER_SET(IPPROTO_TCP, TCP_KEEPCNT),
	FILTER_SET(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	FILTER_SET(IPPROTO_IP, IP_RECVERR),
	FILTER_SET(IPPROTO_IP, IP_PKTINFO),
	FILTER_SET(IPPROTO_IP, IP_TTL),
	FILTER_SET(IPPROTO_IP, IP_TOS),
	FILTER_SET(IPPROTO_IP, IP_RECVTOS),
	FILTER_SET(IPPROTO_IP, IP_MTU_DISCOVER),
	FILTER_SET(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	FILTER_SET(IPPROTO_IPV6, IPV6_V6ONLY),
	FILTER_SET(IPPROTO_IPV6, IPV6_RECVERR),
	FILTER_SET(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	FILTER_SET(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	FILTER_SET(IPPROTO_IPV6, IPV6_TCLASS),
	FILTER_SET(IPPROTO_IPV6, IPV6_RECVTCLASS),
	FILTER_SET(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	FILTER_SET(IPPROTO_UDP, UDP_GRO),
	FILTER_GET(SOL_SOCKET, SO_ERROR),
	/* The loop; which of the two epoll_wait(2) is the instruction set says. */
	FILTER_ANY(epoll_ctl),
	FILTER_ANY(epoll_wait),
	FILTER_ANY(epoll_pwait),
	/* A sleep of microseconds: see loop_gather. */
	{SCMP_SYS(epoll_pwait2), {{2, FILTER_EQ, 1}}},
	FILTER_ANY(sched_yield),
	/* Memory is given back, that of the memory file too, and never asked for; where a page of
	 * that is none to be had, that is an error by this, and no signal. */
	{SCMP_SYS(madvise), {{2, FILTER_EQ, MADV_DONTNEED}}},
	{SCMP_SYS(madvise), {{2, FILTER_EQ, MADV_REMOVE}}},
	{SCMP_SYS(madvise), {{2, FILTER_EQ, MADV_POPULATE_WRITE}}},
};

/* Of the address that is configured; the port is the kernel's choice. */
static const struct filter_rule worker_bind[] = {
	{SCMP_SYS(bind), {{2, FILTER_MOST, ADDRESS_MAX}}},
};

/* The supervisor parses JSON and text, so it allocates; it opens what Landlock lets it open, makes
 * the worker's control pair, and ends the zygote. */
static const struct filter_rule supervisor[] = {
	FILTER_ANY(read),
	FILTER_ANY(write),
	FILTER_ANY(poll),
	FILTER_ANY(ppoll),
	FILTER_FLAGS(recvmsg, 2, PASS_FLAGS),
	FILTER_FLAGS(sendmsg, 2, SEND_FLAGS),
	FILTER_FLAGS(recvfrom, 3, MSG_DONTWAIT),
	FILTER_FLAGS(sendto, 3, SEND_FLAGS),
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	{SCMP_SYS(socketpair),
	 {{0, FILTER_EQ, AF_UNIX}, {1, FILTER_EQ, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	{SCMP_SYS(pipe2), {{1, FILTER_EQ, O_NONBLOCK | O_CLOEXEC}}},
	FILTER_GET(SOL_SOCKET, SO_PEERCRED),
	/* Published ports (proc/listen.c), on sockets of filter_inet. */
	FILTER_SET(SOL_SOCKET, SO_REUSEADDR),
	FILTER_SET(IPPROTO_IPV6, IPV6_V6ONLY),
	{SCMP_SYS(bind), {{2, FILTER_MOST, ADDRESS_MAX}}},
	FILTER_ANY(listen),
	FILTER_ANY(getsockname),
	/* The control socket's file, in its directory alone (Landlock). */
	FILTER_ANY(unlink),
	FILTER_ANY(unlinkat),
	/* Standard descriptors to /dev/null. */
	{SCMP_SYS(dup2), {{1, FILTER_MOST, STDERR_FILENO}}},
	{SCMP_SYS(dup3), {{1, FILTER_MOST, STDERR_FILENO}}},
	FILTER_ANY(wait4),
	FILTER_ANY(pidfd_send_signal),
	FILTER_ANY(getpid),
	FILTER_ANY(geteuid),
	/* The allocator, with filter_memory. */
	{SCMP_SYS(mmap), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
	{SCMP_SYS(mprotect), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
};

/* What makes sockets inside the container's network namespace, and dumps which of them are served.
 * It never uses one of them. */
static const struct filter_rule nsd[] = {
	FILTER_FLAGS(recvmsg, 2, PASS_FLAGS),
	FILTER_FLAGS(sendmsg, 2, SEND_FLAGS),
	FILTER_ANY(poll),
	FILTER_ANY(ppoll),
};

/* Sockets with addresses of clients elsewhere. It cannot listen, and has no raw socket. */
static const struct filter_rule nsd_bind[] = {
	FILTER_SET(SOL_SOCKET, SO_REUSEADDR),
	FILTER_SET(SOL_SOCKET, SO_MARK),
	FILTER_SET(IPPROTO_IP, IP_TRANSPARENT),
	FILTER_SET(IPPROTO_IPV6, IPV6_TRANSPARENT),
	{SCMP_SYS(bind), {{2, FILTER_MOST, ADDRESS_MAX}}},
};

struct filter_spec filters_worker(bool may_bind)
{
	struct filter_spec s = {.allow = {FILTER_LIST(worker), filter_always, filter_inet},
				.kill = {filter_deadly, filter_alien}};

	if (may_bind)
		s.allow[3] = (struct filter_list)FILTER_LIST(worker_bind);
	return s;
}

struct filter_spec filters_supervisor(void)
{
	return (struct filter_spec){.allow = {FILTER_LIST(supervisor), filter_always, filter_inet,
					      filter_look, filter_memory},
				    .kill = {filter_deadly, filter_alien}};
}

struct filter_spec filters_nsd(bool is_transparent)
{
	struct filter_spec s = {.allow = {FILTER_LIST(nsd), filter_always, filter_inet},
				.kill = {filter_deadly, filter_alien}};

	if (is_transparent)
		s.allow[3] = (struct filter_list)FILTER_LIST(nsd_bind);
	return s;
}
