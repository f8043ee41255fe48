/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keptfile: two that write to one file would spoil each other's memory, so it is locked. A lock is
 * of an opened file, which a mapping of it holds as long as a descriptor does: it goes when the
 * last worker is gone. Read flock(2). */
#include "proc/keptfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* One that was killed may take a moment. */
#define LOCK_MS 2000
#define LOCK_PAUSE_MS 10

/* A file that is memory, and has no name. */
static bool is_memory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 &&
	       fcntl(fd, F_GET_SEALS) >= 0;
}

/* Opened anew, for the lock is not to be one with whoever gave it to us. */
static int open_again(int fd)
{
	char path[32];
	int own;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_CLOEXEC);
	return own < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : own;
}

static bool lock(int fd)
{
	uint64_t deadline = clock_ms() + LOCK_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || clock_left(deadline) == 0)
			return false;
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return true;
}

int keptfile_open(int given, int *ret, struct err *e)
{
	CLEAN_FD int fd = -1;

	if (given >= 0 && !is_memory(given))
		return err_set(e, ERR_USAGE, 0, "--flows-fd: %d is no memory file", given);
	if (given >= 0)
		fd = open_again(given);
	if (fd >= 0 && !lock(fd)) {
		fd_closep(&fd);
		log_warn("--flows-fd: another one has it: what it leaves is not reset");
	}
	if (fd < 0)
		fd = memfd_create("slirp-flows", MFD_CLOEXEC);
	*ret = fd_take(&fd);
	return 0;
}
