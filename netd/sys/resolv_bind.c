/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv_bind: puts a resolv.conf in place for one mount namespace. /etc/resolv.conf is followed to
 * the file it leads to, and a file of a small tmpfs is bound over that: the host's file is never
 * written, and a symbolic link stays one. A memfd cannot be bound (its mount belongs to no
 * namespace), and before Linux 6.15 a file of a detached mount cannot either, so the tmpfs is
 * attached for a moment over the directory the file is in. The caller's mount namespace must be its
 * own and private. Read mount_namespaces(7), fsopen and move_mount in the kernel's
 * filesystems/mount_api.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/unshare_int.h"

#define TARGET "/etc/resolv.conf"

/* A tmpfs that can hold one small file, attached nowhere. */
static int make_tmpfs(void)
{
	CLEAN_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", "256k", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_file(int dir, const char *text)
{
	CLEAN_FD int fd = openat(dir, "resolv.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text), NULL);
	if (r < 0)
		return r;
	/* The umask may be anything. */
	return fchmod(fd, 0644) < 0 ? -errno : 0;
}

/* The directory that holds the file behind fd, by the path that the kernel has for it. */
static int open_parent(int fd)
{
	char link[40], path[PATH_MAX];
	ssize_t n;
	char *slash;
	int dir;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (path[0] != '/')
		return -ENOENT;
	slash[slash == path] = '\0';
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : dir;
}

static int bind_file(int fs, int target)
{
	CLEAN_FD int tree = open_tree(fs, "resolv.conf", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return -errno;
	if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

int resolv_bind(const char *text)
{
	CLEAN_FD int target = open(TARGET, O_PATH | O_CLOEXEC);
	CLEAN_FD int parent = -1;
	CLEAN_FD int fs = -1;
	char path[40];
	int r;

	if (target < 0)
		return errno == ENOENT || errno == ENOTDIR ? 1 : -errno;
	parent = open_parent(target);
	if (parent < 0)
		return parent;
	fs = make_tmpfs();
	if (fs < 0)
		return fs;
	r = write_file(fs, text);
	if (r < 0)
		return r;
	if (move_mount(fs, "", parent, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	r = bind_file(fs, target);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fs);
	if (umount2(path, MNT_DETACH) < 0 && r == 0)
		r = -errno;
	return r;
}
