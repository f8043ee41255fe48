/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userns: ways into user namespaces. Joining one changes the credentials of the calling process for
 * good, so it is for a short-lived child. Id maps are userns_map.c's. Read user_namespaces(7),
 * setns(2), ioctl_ns(2).
 */
#include "sys/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/fdpass.h"

#define SOCKET_MS 10000

static bool is_own(int userns_fd)
{
	struct stat a, b;

	return fstat(userns_fd, &a) == 0 && stat("/proc/self/ns/user", &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int userns_of(int ns_fd, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = -1;

	do
		fd = ioctl(ns_fd, NS_GET_USERNS);
	while (fd < 0 && errno == EINTR);
	if (fd < 0 && errno == EPERM)
		return 2;
	if (fd < 0)
		return err_sys(e, errno, "owner of the namespace");
	if (is_own(fd))
		return 1;
	*ret_fd = fd_take(&fd);
	return 0;
}

int userns_open_path(const char *path, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = -1;
	struct stat st;

	/* A FIFO or a device may neither hang the open nor be touched by it. */
	do
		fd = open(path, O_PATH | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_invalid(e, ERR_USAGE, "%s is no user namespace", path);
	fd_closep(&fd);
	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWUSER)
		return err_invalid(e, ERR_USAGE, "%s is no user namespace", path);
	*ret_fd = fd_take(&fd);
	return 0;
}

int userns_join(int userns_fd, int netns_fd, struct err *e)
{
	/* EINVAL: we are in it already. Whatever else is wrong shows in the next step, whose
	 * privilege may also come from elsewhere. */
	int sys = userns_fd >= 0 && setns(userns_fd, CLONE_NEWUSER) < 0 ? errno : 0;

	if (setns(netns_fd, CLONE_NEWNET) == 0)
		return 0;
	if (sys == 0 || sys == EINVAL)
		sys = errno;
	if (sys == EPERM)
		return err_set(e, ERR_DENIED, sys,
			       "enter the network namespace (it belongs to another user)");
	return err_sys(e, sys, "enter the network namespace");
}

int userns_owner_uid(int ns_fd, uid_t *ret, struct err *e)
{
	CLEAN_FD int fd = -1;
	uid_t uid;
	int r = userns_of(ns_fd, &fd, e);

	if (r > 0)
		return err_set(e, ERR_DENIED, 0, "the namespace is not in one of another user");
	if (r == 0 && ioctl(fd, NS_GET_OWNER_UID, &uid) < 0)
		r = err_sys(e, errno, "owner of the user namespace");
	if (r == 0)
		*ret = uid;
	return r;
}

/* In the child: the socket, or the errno, to whoever waits. System calls only. */
static void open_and_send(int sock, int userns_fd, int netns_fd, const int what[3])
{
	struct err e = ERR_INIT;
	int sys = 0, fd = -1;

	if (userns_join(userns_fd, netns_fd, &e) < 0)
		sys = e.sys ? e.sys : EPERM;
	else
		fd = socket(what[0], what[1] | SOCK_CLOEXEC, what[2]);
	if (!sys && fd < 0)
		sys = errno;
	(void)fdpass_send(sock, &sys, sizeof(sys), &fd, fd >= 0);
	_exit(0);
}

/* 0 and the socket, or the errno as a negative number. */
static int receive(int sock, int *ret_fd)
{
	uint64_t deadline = clock_ms() + SOCKET_MS;
	struct pollfd p = {.fd = sock, .events = POLLIN};
	ssize_t n = -EAGAIN;
	int sys = 0;

	while (n == -EAGAIN) {
		if (poll(&p, 1, clock_left(deadline)) == 0)
			return -ETIMEDOUT;
		n = fdpass_recv(sock, &sys, sizeof(sys), ret_fd, 1);
	}
	if (n != sizeof(sys))
		return n < 0 ? (int)n : -EPIPE;
	return sys ? -sys : *ret_fd < 0 ? -EPROTO : 0;
}

void userns_collect(pid_t child)
{
	if (child <= 0)
		return;
	/* It has done what it was for, and may be kept from its end by who owns the namespace. */
	kill(child, SIGKILL); /* ours until it has been waited for */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
}

int userns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd, pid_t *ret_child,
		  struct err *e)
{
	const int what[3] = {domain, type, protocol};
	CLEAN_FD int userns_fd = -1;
	CLEAN_FD int fd = -1;
	int pair[2], r = userns_of(netns_fd, &userns_fd, e);
	pid_t pid;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		open_and_send(pair[1], userns_fd, netns_fd, what);
	}
	r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r == 0)
		r = receive(pair[0], &fd);
	close(pair[0]);
	if (r < 0 || !ret_child)
		userns_collect(pid);
	if (r < 0)
		return err_sys(e, -r, "socket in the network namespace");
	*ret_fd = fd_take(&fd);
	if (ret_child)
		*ret_child = pid;
	return 0;
}
