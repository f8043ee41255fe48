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
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

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
