/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bess: one listener, one client. It reads no frame; the worker does. Runs before the supervisor
 * confines itself.
 */
#include "proc/bess.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "proc/ctl.h"

/* 0: somebody is there; 1: it is over; negative. */
static int wait_client(int fd, int signals, int exit_fd, struct err *e)
{
	struct pollfd p[] = {
		{.fd = fd, .events = POLLIN},
		{.fd = signals, .events = POLLIN},
		{.fd = exit_fd}, /* its end alone: POLLHUP, POLLERR */
	};
	int n;

	do
		n = poll(p, sizeof(p) / sizeof(p[0]), -1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "poll");
	return p[1].revents || p[2].revents;
}

/* 0 and the client's, 1 when it was none of ours or is gone already, negative. */
static int take_client(int listener, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN))
		return 1;
	if (fd < 0)
		return err_sys(e, errno, "accept");
	if (!ctl_is_welcome(fd))
		return 1;
	*ret_fd = fd_take(&fd);
	return 0;
}

int bess_open(const char *path, int signals, int exit_fd, int *ret_fd, struct err *e)
{
	CLEAN_FD int listener = -1;
	int r = ctl_bind(path, SOCK_SEQPACKET, &listener, e);

	if (r < 0)
		return r;
	printf("Waiting for connection to %s\n", path);
	(void)fflush(stdout);
	for (;;) {
		r = wait_client(listener, signals, exit_fd, e);
		if (r != 0)
			break;
		r = take_client(listener, ret_fd, e);
		if (r <= 0)
			break;
	}
	(void)unlink(path);
	return r < 0 ? err_ctx(e, r, "%s", path) : r;
}
