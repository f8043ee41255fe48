/* SPDX-License-Identifier: GPL-2.0-or-later */
/* here: is fd the network namespace that the caller runs in? Told by the file, not by the cookie,
 * which is what is tested. */
#ifndef TESTS_SYS_HERE_H
#define TESTS_SYS_HERE_H

#include <stdbool.h>
#include <sys/stat.h>

static inline bool is_here(int fd)
{
	struct stat mine, other;

	return fstat(fd, &other) == 0 && stat("/proc/thread-self/ns/net", &mine) == 0 &&
	       mine.st_dev == other.st_dev && mine.st_ino == other.st_ino;
}

#endif
