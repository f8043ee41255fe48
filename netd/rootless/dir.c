/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir: finds, makes and checks the user's directory. In /tmp anybody may have made it first: it is
 * opened without following links and believed only when it is ours alone.
 */
#include "rootless/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"

#define LOCK_MS 60000 /* the containers of a group all start, or all end, at once */
#define SUFFIX ".sock"

static bool is_own_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static int choose(const char *dir, char out[ROOTLESS_DIR_MAX + 1], struct err *e)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char user[40];
	int n;

	(void)snprintf(user, sizeof(user), "/run/user/%u", (unsigned)geteuid());
	if (dir)
		n = snprintf(out, ROOTLESS_DIR_MAX + 1, "%s", dir);
	else if (run && run[0] == '/' && is_own_dir(run))
		n = snprintf(out, ROOTLESS_DIR_MAX + 1, "%s/netns-up", run);
	else if (is_own_dir(user))
		n = snprintf(out, ROOTLESS_DIR_MAX + 1, "%s/netns-up", user);
	else
		n = snprintf(out, ROOTLESS_DIR_MAX + 1, "/tmp/netns-up-%u", (unsigned)geteuid());
	if (n > ROOTLESS_DIR_MAX)
		return err_set(e, ERR_USAGE, ENAMETOOLONG, "state directory: at most %d bytes",
			       ROOTLESS_DIR_MAX);
	return 0;
}

int dir_open(const char *dir, bool is_read_only, char path[ROOTLESS_DIR_MAX + 1], int *ret_fd,
	     struct err *e)
{
	CLEAN_FD int fd = -1;
	struct stat st;
	int r = choose(dir, path, e);

	if (r < 0)
		return r;
	if (!is_read_only && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "state directory %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && is_read_only)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "state directory %s", path);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return err_set(
			e, ERR_DENIED, 0,
			"state directory %s: it belongs to or may be changed by somebody else",
			path);
	*ret_fd = fd_take(&fd);
	return 0;
}

int dir_lock(int dir_fd, int *ret_fd, struct err *e)
{
	static const struct timespec pause = {.tv_nsec = 5000000};
	CLEAN_FD int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	uint64_t deadline = clock_ms() + LOCK_MS;

	if (fd < 0)
		return err_sys(e, errno, "lock of the state directory");
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "lock of the state directory");
		if (clock_left(deadline) == 0)
			return err_set(e, ERR_BUSY, ETIMEDOUT, "lock of the state directory");
		(void)nanosleep(&pause, NULL);
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

void dir_socket_name(const char *id, const char *ifname, char out[ROOTLESS_FILE_STRLEN])
{
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	(void)snprintf(out, ROOTLESS_FILE_STRLEN, "%016llx" SUFFIX,
		       (unsigned long long)hash64(key, strlen(key), 0));
}

bool dir_is_socket_name(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return n == 16 && strcmp(name + n, SUFFIX) == 0;
}
