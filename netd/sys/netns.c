/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns: ways into network namespaces and the one way back. This file owns opening by pid, path and
 * name, the identity of a namespace, and calls into it; named ones are made in netns_name.c. It
 * never leaves the calling thread in another namespace. Read namespaces(7), setns(2),
 * pidfd_open(2), ioctl_ns(2).
 */
#include "sys/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/netns_name.h"
#include "sys/pidfs.h"
#include "sys/probe.h"

static int open_retry(int dirfd, const char *path, int flags)
{
	int fd;

	do
		fd = openat(dirfd, path, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int absent(pid_t pid, struct err *e)
{
	return err_set(e, ERR_ABSENT, ESRCH, "pid %d", (int)pid);
}

static int denied(pid_t pid, int sys, struct err *e)
{
	return err_set(e, ERR_DENIED, sys,
		       "pid %d: its network namespace may not be opened (CAP_SYS_PTRACE over the "
		       "process is needed%s)",
		       (int)pid, geteuid() == 0 ? ", which this root lacks" : ": be root");
}

/* -ENOSYS when this kernel, a seccomp filter or NETNS_UP_WITHOUT lets us have none. */
static int open_pidfd(pid_t pid, int *ret, struct err *e)
{
	int fd;

	if (!probe_allowed(PROBE_PIDFD_OPEN))
		return -ENOSYS;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	switch (errno) {
	case ESRCH:
		return absent(pid, e);
	case EINVAL:
	case ENOENT:
		return err_set(e, ERR_USAGE, errno, "pid %d is a thread, not a process", (int)pid);
	case ENOSYS:
	case EPERM: /* what container seccomp filters answer for calls they do not know */
		return -ENOSYS;
	default:
		return err_sys(e, errno, "pid %d: pidfd_open", (int)pid);
	}
}

/* The descriptor of /proc/PID stays with that process: files below it fail once it is gone, also
 * when the number is in use again. */
static int open_by_proc(pid_t pid, int pidfd, int *ret, struct err *e)
{
	CLEAN_FD int dir = -1;
	CLEAN_FD int fd = -1;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	dir = open_retry(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	if (dir == -ENOENT || dir == -ESRCH)
		return absent(pid, e);
	if (dir < 0)
		return err_sys(e, -dir, "%s", path);
	fd = open_retry(dir, "ns/net", O_RDONLY);
	if (fd == -ENOENT || fd == -ESRCH)
		return absent(pid, e);
	if (fd == -EACCES || fd == -EPERM)
		return denied(pid, -fd, e);
	if (fd < 0)
		return err_sys(e, -fd, "%s/ns/net", path);
	/* The number may have been given to another process before /proc/PID was opened. */
	if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH)
		return absent(pid, e);
	*ret = fd_take(&fd);
	return 0;
}

int netns_open_pid(pid_t pid, int *ret_fd, int *ret_pidfd, struct err *e)
{
	CLEAN_FD int pidfd = -1;
	CLEAN_FD int fd = -1;
	int r;

	if (pid <= 0)
		return err_set(e, ERR_USAGE, EINVAL, "pid %d", (int)pid);
	r = open_pidfd(pid, &pidfd, e);
	if (r < 0 && r != -ENOSYS)
		return r;
	if (pidfd >= 0 && probe_allowed(PROBE_PIDFD_GET_NETNS)) {
		fd = ioctl(pidfd, PIDFS_GET_NET_NAMESPACE, 0);
		if (fd < 0 && errno == ESRCH)
			return absent(pid, e);
		if (fd < 0 && (errno == EACCES || errno == EPERM))
			return denied(pid, errno, e);
		/* Any other answer is that of a kernel without this call. */
	}
	if (fd < 0) {
		r = open_by_proc(pid, pidfd, &fd, e);
		if (r < 0)
			return r;
	}
	*ret_fd = fd_take(&fd);
	if (ret_pidfd)
		*ret_pidfd = fd_take(&pidfd);
	return 0;
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	case S_IFSOCK:
		return "a socket";
	default:
		return "no file";
	}
}

static const char *ns_name(int type)
{
	switch (type) {
	case CLONE_NEWNS:
		return "a mount";
	case CLONE_NEWUTS:
		return "a UTS";
	case CLONE_NEWIPC:
		return "an IPC";
	case CLONE_NEWUSER:
		return "a user";
	case CLONE_NEWPID:
		return "a pid";
	case CLONE_NEWCGROUP:
		return "a cgroup";
	default:
		return "another kind of";
	}
}

/* A descriptor that only names the file; what it is, is looked at before it is opened for real. */
static int open_handle(const char *path, int *ret, struct err *e)
{
	CLEAN_FD int fd = open_retry(AT_FDCWD, path, O_PATH);
	struct statfs fs;
	struct stat st;

	if (fd < 0) {
		int sys = -fd;

		switch (sys) {
		case ENOTDIR:
			return err_set(e, ERR_ABSENT, sys, "%s", path);
		case ELOOP:
		case ENAMETOOLONG:
			return err_set(e, ERR_USAGE, sys, "%s", path);
		default:
			return err_sys(e, sys, "%s", path);
		}
	}
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s: stat", path);
	if (fs.f_type != NSFS_MAGIC)
		return err_invalid(e, ERR_USAGE, "%s is %s, not a network namespace", path,
				   type_name(st.st_mode));
	*ret = fd_take(&fd);
	return 0;
}

int netns_open_path(const char *path, int *ret_fd, struct err *e)
{
	CLEAN_FD int handle = -1;
	CLEAN_FD int fd = -1;
	char again[40];
	int r, type;

	if (!path || !*path)
		return err_invalid(e, ERR_USAGE, "empty path of a network namespace");
	r = open_handle(path, &handle, e);
	if (r < 0)
		return r;
	(void)snprintf(again, sizeof(again), "/proc/self/fd/%d", handle);
	fd = open_retry(AT_FDCWD, again, O_RDONLY);
	if (fd < 0)
		return err_sys(e, -fd, "%s", path);
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return err_sys(e, errno, "%s: NS_GET_NSTYPE", path);
	if (type != CLONE_NEWNET)
		return err_invalid(e, ERR_USAGE, "%s is %s namespace, not a network namespace",
				   path, ns_name(type));
	*ret_fd = fd_take(&fd);
	return 0;
}

int netns_open_name(const char *name, int *ret_fd, struct err *e)
{
	char path[NETNS_PATH_LEN];
	int r;

	r = netns_name_path(name, path, e);
	if (r < 0)
		return r;
	return netns_open_path(path, ret_fd, e);
}

int netns_open_self(int *ret_fd, struct err *e)
{
	int fd = open_retry(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);

	if (fd < 0)
		return err_sys(e, -fd, "/proc/thread-self/ns/net");
	*ret_fd = fd;
	return 0;
}

int netns_leave(int *ret_home, struct err *e)
{
	CLEAN_FD int home = -1;
	int r;

	r = netns_open_self(&home, e);
	if (r < 0)
		return r;
	/* Going home needs a privilege of its own (a process in a user namespace has it over its
	 * new namespaces, not over those it came from): found out before it is too late. */
	if (setns(home, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter a network namespace (CAP_SYS_ADMIN is needed)");
	*ret_home = fd_take(&home);
	return 0;
}

void netns_return(int home)
{
	static const char text[] = "netns-up: cannot go back to my own network namespace\n";

	if (setns(home, CLONE_NEWNET) == 0)
		return;
	/* All that follows would act on the wrong host. */
	(void)!write(2, text, sizeof(text) - 1);
	_exit(70);
}

int netns_call(int fd, int (*fn)(void *arg, struct err *e), void *arg, struct err *e)
{
	CLEAN_FD int home = -1;
	int r;

	r = netns_leave(&home, e);
	if (r < 0)
		return r;
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter a network namespace");
	r = fn(arg, e);
	netns_return(home);
	return r;
}

static int read_cookie(void *arg, struct err *e)
{
	/* AF_UNIX is the one family that every kernel has, and needs no privilege. */
	CLEAN_FD int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	if (s < 0)
		return err_sys(e, errno, "socket");
	if (getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		return err_sys(e, errno, "SO_NETNS_COOKIE");
	*(uint64_t *)arg = cookie;
	return 0;
}

int netns_cookie(int fd, uint64_t *ret, struct err *e)
{
	return netns_call(fd, read_cookie, ret, e);
}
