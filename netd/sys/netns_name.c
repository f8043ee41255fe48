/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns_name: named network namespaces, kept where and how ip-netns(8) keeps them: /run/netns is a
 * shared mount, NAME in it an empty file with the namespace bound over it. Makers exclude each
 * other by flock(2) of the directory, which iproute2 takes too. An empty file that has no namespace
 * on it is what a maker killed half-way leaves; the next one takes it over. Never configures the
 * namespace. Read ip-netns(8), mount_namespaces(7).
 */
#include "sys/netns_name.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sys/netns.h"
#include "sys/pidfs.h"

#define LOCK_MS 10000
#define STACK_MAX 16 /* mounts over one another that a removal takes away */

int netns_name_path(const char *name, char out[NETNS_PATH_LEN], struct err *e)
{
	size_t len = name ? strlen(name) : 0;

	if (len == 0 || len > NAME_MAX)
		return err_invalid(e, ERR_USAGE,
				   "name of a network namespace: expected 1 to %d characters",
				   NAME_MAX);
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_invalid(e, ERR_USAGE,
				   "name of a network namespace \"%s\": expected a file name",
				   name);
	(void)snprintf(out, NETNS_PATH_LEN, "%s/%s", NETNS_DIR, name);
	return 0;
}

static int lock_dir(int fd, struct err *e)
{
	uint64_t deadline = clock_ms() + LOCK_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "%s: lock", NETNS_DIR);
		if (clock_left(deadline) == 0)
			return err_set(e, ERR_BUSY, ETIMEDOUT, "%s: locked by another process",
				       NETNS_DIR);
		(void)poll(NULL, 0, 2);
	}
	return 0;
}

/* Makes the directory a shared mount, so that a name made here is seen, and goes away, in the mount
 * namespaces of services as well. The descriptor handed out holds the lock. */
static int prepare_dir(int *ret_lock, struct err *e)
{
	CLEAN_FD int fd = -1;
	int r;

	if (mkdir(NETNS_DIR, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "%s: mkdir", NETNS_DIR);
	fd = open(NETNS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", NETNS_DIR);
	r = lock_dir(fd, e);
	if (r < 0)
		return r;
	if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) < 0) {
		if (errno != EINVAL) /* EINVAL: not a mount point yet */
			return err_sys(e, errno, "%s: make it a shared mount", NETNS_DIR);
		if (mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) < 0)
			return err_sys(e, errno, "%s: bind mount", NETNS_DIR);
		if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) < 0)
			return err_sys(e, errno, "%s: make it a shared mount", NETNS_DIR);
	}
	*ret_lock = fd_take(&fd);
	return 0;
}

/* The empty file to mount on. 0 made, 1 one was there that nobody uses. */
static int make_file(const char *path, const char *name, struct err *e)
{
	CLEAN_FD int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	struct statfs fs;
	struct stat st;

	if (fd >= 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, errno, "%s", path);
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == 0 && fs.f_type != NSFS_MAGIC)
		return 1;
	return err_set(e, ERR_CONFLICT, EEXIST, "network namespace \"%s\"", name);
}

static int bind_new(const char *path, struct err *e)
{
	CLEAN_FD int home = -1;
	int r;

	r = netns_leave(&home, e);
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(e, errno, "new network namespace");
	if (mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL) < 0)
		r = err_sys(e, errno, "%s: bind mount", path);
	netns_return(home);
	return r;
}

int netns_create_name(const char *name, struct err *e)
{
	CLEAN_FD int lock = -1;
	char path[NETNS_PATH_LEN];
	int r;

	r = netns_name_path(name, path, e);
	if (r < 0)
		return r;
	r = prepare_dir(&lock, e);
	if (r < 0)
		return r;
	r = make_file(path, name, e);
	if (r < 0)
		return r;
	r = bind_new(path, e);
	if (r < 0)
		(void)unlink(path);
	return r;
}

int netns_delete_name(const char *name, struct err *e)
{
	char path[NETNS_PATH_LEN];
	int n = 0, r;

	r = netns_name_path(name, path, e);
	if (r < 0)
		return r;
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 && ++n < STACK_MAX)
		;
	if (n < STACK_MAX && errno != EINVAL) { /* EINVAL: no mount (any more), as it should be */
		if (errno == ENOENT)
			return 1;
		return err_sys(e, errno, "%s: umount", path);
	}
	if (unlink(path) == 0)
		return 0;
	if (errno == ENOENT)
		return n ? 0 : 1;
	return err_sys(e, errno, "%s: unlink", path);
}
