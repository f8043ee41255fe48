/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kept: read madvise(2). */
#include "flow/kept.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

bool kept_grow(void *mapping, size_t *there, size_t end)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t more;

	if (end <= *there)
		return true;
	more = (end - *there + page - 1) / page * page;
	/* A kernel that does not know it (before Linux 5.14) has us find out. */
	if (madvise((uint8_t *)mapping + *there, more, MADV_POPULATE_WRITE) < 0 && errno != EINVAL)
		return false;
	*there += more;
	return true;
}

void kept_forget(void *mapping, size_t *there, size_t size)
{
	(void)madvise(mapping, size, MADV_REMOVE);
	*there = 0;
}
