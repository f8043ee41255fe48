/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host: the system calls behind the table; EINTR is tried again (none of them waits). */
#include "io/host.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define RETRY(call)                                                                                \
	({                                                                                         \
		__typeof__(call) r_;                                                               \
		do                                                                                 \
			r_ = (call);                                                               \
		while (r_ < 0 && errno == EINTR);                                                  \
		r_ < 0 ? -errno : r_;                                                              \
	})

static int do_socket(int family, enum host_kind kind)
{
	const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int type = SOCK_DGRAM, proto = IPPROTO_UDP;

	if (kind == HOST_TCP) {
		type = SOCK_STREAM;
		proto = IPPROTO_TCP;
	} else if (kind == HOST_PING) {
		proto = family == AF_INET ? (int)IPPROTO_ICMP : (int)IPPROTO_ICMPV6;
	}
	return RETRY(socket(family, type | flags, proto));
}

static int do_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return RETRY(connect(fd, sa, len));
}

static int do_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return RETRY(bind(fd, sa, len));
}

static ssize_t do_readv(int fd, const struct iovec *iov, int n)
{
	return RETRY(readv(fd, iov, n));
}

static ssize_t do_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return RETRY(sendmsg(fd, m, flags | MSG_NOSIGNAL));
}

static ssize_t do_recvmsg(int fd, struct msghdr *m, int flags)
{
	return RETRY(recvmsg(fd, m, flags));
}

static int do_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return RETRY(sendmmsg(fd, m, n, flags | MSG_NOSIGNAL));
}

static int do_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return RETRY(recvmmsg(fd, m, n, flags, NULL));
}

static int do_shutdown(int fd, int how)
{
	return RETRY(shutdown(fd, how));
}

static int do_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return RETRY(setsockopt(fd, level, name, value, len));
}

static int do_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return RETRY(getsockopt(fd, level, name, value, len));
}

static int do_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return RETRY(getsockname(fd, sa, len));
}

static int do_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	return RETRY(accept4(fd, sa, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static void do_close(int fd)
{
	close(fd);
}

const struct host_ops host_kernel = {
	.socket = do_socket,
	.connect = do_connect,
	.bind = do_bind,
	.readv = do_readv,
	.sendmsg = do_sendmsg,
	.recvmsg = do_recvmsg,
	.sendmmsg = do_sendmmsg,
	.recvmmsg = do_recvmmsg,
	.shutdown = do_shutdown,
	.setsockopt = do_setsockopt,
	.getsockopt = do_getsockopt,
	.getsockname = do_getsockname,
	.accept = do_accept,
	.close = do_close,
};

socklen_t host_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(ret, 0, sizeof(*ret));
	if (ip->family == AF_INET) {
		memcpy(&v4.sin_addr, ip->b, 4);
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, ip->b, 16);
	memcpy(ret, &v6, sizeof(v6));
	return sizeof(v6);
}

int host_from_sockaddr(const struct sockaddr_storage *sa, socklen_t len, struct ip *ret_ip,
		       uint16_t *ret_port)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct ip ip = {0};

	if (sa->ss_family == AF_INET && len >= sizeof(v4)) {
		memcpy(&v4, sa, sizeof(v4));
		ip.family = AF_INET;
		memcpy(ip.b, &v4.sin_addr, 4);
		*ret_port = ntohs(v4.sin_port);
	} else if (sa->ss_family == AF_INET6 && len >= sizeof(v6)) {
		memcpy(&v6, sa, sizeof(v6));
		ip.family = AF_INET6;
		memcpy(ip.b, &v6.sin6_addr, 16);
		*ret_port = ntohs(v6.sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	*ret_ip = ip;
	return 0;
}

struct ip host_plain(const struct ip *ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct ip v4 = {.family = AF_INET};

	if (ip->family != AF_INET6 || memcmp(ip->b, mapped, sizeof(mapped)) != 0)
		return *ip;
	memcpy(v4.b, ip->b + 12, 4);
	return v4;
}

int host_error(const struct host_ops *ops, int fd)
{
	int value = 0;
	socklen_t len = sizeof(value);
	int r = ops->getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len);

	return r < 0 ? -r : value;
}
