/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdpass: descriptors between our own processes. It owns nothing: what was received belongs to the
 * caller, what could not be accepted is closed here. Read unix(7) and cmsg(3).
 */
#include "sys/fdpass.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DROP_US 1000
#define DROP_PACKETS 16

union control {
	struct cmsghdr hdr;
	char space[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

int fdpass_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds)
{
	union control ctl = {.space = {0}};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > FDPASS_MAX || len == 0)
		return -EINVAL;
	if (n_fds > 0) {
		m.msg_control = &ctl;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		ctl.hdr = (struct cmsghdr){.cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&ctl.hdr), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Takes the descriptors out of the message. Their number, which may be more than max. */
static size_t take(struct msghdr *m, int *fds, size_t max)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (n < max)
				fds[n] = fd;
			else
				close(fd);
			n++;
		}
	}
	return n;
}

ssize_t fdpass_recv(int sock, void *data, size_t size, int *fds, size_t max)
{
	union control ctl = {.space = {0}};
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &ctl,
			   .msg_controllen = sizeof(ctl.space)};
	size_t n_fds;
	ssize_t n;

	for (size_t i = 0; i < max; i++)
		fds[i] = -1;
	do
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	n_fds = take(&m, fds, max);
	if (n_fds <= max && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	for (size_t i = 0; i < max; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	return -EPROTO;
}

ssize_t fdpass_peek(int sock, void *data, size_t size, bool *ret_has_fds)
{
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* There is room for no descriptor. */
	*ret_has_fds = m.msg_flags & MSG_CTRUNC;
	return m.msg_flags & MSG_TRUNC ? -EPROTO : n;
}

static void interrupt(int sig)
{
	(void)sig;
}

int fdpass_drop_setup(void)
{
	const struct sigaction a = {.sa_handler = interrupt}; /* no SA_RESTART */

	return sigaction(SIGALRM, &a, NULL) < 0 ? -errno : 0;
}

static void drop(int *fd, int n_read)
{
	const struct itimerval on = {{.tv_usec = DROP_US}, {.tv_usec = DROP_US}}, off = {{0}, {0}};

	if (*fd < 0)
		return;
	/* Again and again: the first may come before there is anything to interrupt. */
	setitimer(ITIMER_REAL, &on, NULL);
	for (int i = 0; i < n_read; i++) {
		struct msghdr m = {.msg_iov = NULL};

		if (recvmsg(*fd, &m, MSG_DONTWAIT) < 0 && errno != EINTR)
			break;
	}
	close(*fd);
	setitimer(ITIMER_REAL, &off, NULL);
	*fd = -1;
}

void fdpass_drop(int *fd)
{
	drop(fd, 0);
}

void fdpass_drop_read(int *fd)
{
	drop(fd, DROP_PACKETS);
}
