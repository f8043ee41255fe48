/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watcher: the process that reads resolv.conf, so that the one that reads packets needs no file. It
 * reads nothing else, writes nothing, and says nothing but lists of addresses. It ends with the
 * responder. Where it cannot be had (inotify instances are limited), the list of the start stays.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "names/server.h"
#include "proc/nameservers.h"
#include "sys/fdpass.h"

static _Noreturn void leave(int status)
{
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

static _Noreturn void watch(struct nameservers *n, struct resolvers *list, int to)
{
	for (;;) {
		struct pollfd p[] = {{.fd = n->fd, .events = POLLIN}, {.fd = to, .events = POLLIN}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			leave(1);
		if (p[1].revents)
			leave(0);
		if (p[0].revents && nameservers_changed(n, list, NULL) == 1)
			(void)fdpass_send(to, list, sizeof(*list), NULL, 0);
	}
}

static _Noreturn void child(struct nameservers *n, struct resolvers *list, int to, pid_t parent)
{
	close(NAMESMSG_CONTROL_FD);
	if (cage_enter_watcher(parent) < 0)
		leave(1);
	watch(n, list, to);
}

int watcher_start(struct resolvers *ret, int *ret_fd)
{
	struct nameservers n = NAMESERVERS_INIT;
	CLEAN_FD int ours = -1, its = -1;
	pid_t parent = getpid();
	int pair[2];

	*ret_fd = -1;
	/* Watched first: what changes while it is read for the first time is then seen. */
	(void)nameservers_watch(NAMESERVERS_PATH, &n, NULL);
	if (nameservers_load(NAMESERVERS_PATH, ret, NULL) < 0)
		memset(ret, 0, sizeof(*ret));
	if (n.fd < 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		nameservers_close(&n);
		return -errno;
	}
	ours = pair[0];
	its = pair[1];
	signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
	pid_t pid = fork();
	if (pid < 0) {
		nameservers_close(&n);
		return -errno;
	}
	if (pid == 0) {
		fd_closep(&ours);
		child(&n, ret, fd_take(&its), parent);
	}
	nameservers_close(&n);
	*ret_fd = fd_take(&ours);
	return 0;
}
