/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host: the calls to the host's sockets, behind a table so that tests and fuzzers put a host of
 * their own in their place. The default table is the system calls; each returns >= 0 or -errno.
 * Sockets are SOCK_NONBLOCK | SOCK_CLOEXEC. Only the six kinds that the system call filter admits
 * are made: TCP, UDP and ping, each in both families.
 */
#ifndef SLIRP_IO_HOST_H
#define SLIRP_IO_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "model/addr.h"

enum host_kind { HOST_TCP, HOST_UDP, HOST_PING };

struct host_ops {
	int (*socket)(int family, enum host_kind kind);
	int (*connect)(int fd, const struct sockaddr *sa, socklen_t len);
	int (*bind)(int fd, const struct sockaddr *sa, socklen_t len);
	ssize_t (*readv)(int fd, const struct iovec *iov, int n);
	ssize_t (*sendmsg)(int fd, const struct msghdr *m, int flags); /* MSG_NOSIGNAL is added */
	ssize_t (*recvmsg)(int fd, struct msghdr *m, int flags);
	int (*sendmmsg)(int fd, struct mmsghdr *m, unsigned n, int flags);
	int (*recvmmsg)(int fd, struct mmsghdr *m, unsigned n, int flags);
	int (*shutdown)(int fd, int how);
	int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
	int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
	int (*getsockname)(int fd, struct sockaddr *sa, socklen_t *len);
	int (*accept)(int fd, struct sockaddr *sa, socklen_t *len);
	void (*close)(int fd);
};

extern const struct host_ops host_kernel;

/* struct ip and port <-> sockaddr. */
socklen_t host_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret);
int host_from_sockaddr(const struct sockaddr_storage *sa, socklen_t len, struct ip *ret_ip,
		       uint16_t *ret_port);
/* A v4-mapped address, as sockets of both families have it, is its IPv4 address; others stay. */
struct ip host_plain(const struct ip *ip);
/* SO_ERROR, which is cleared by it. */
int host_error(const struct host_ops *ops, int fd);

#endif
