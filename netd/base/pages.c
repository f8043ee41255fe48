/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages: not reserved, for most of a table that is made for the worst case is never used. */
#include "base/pages.h"

#include <sys/mman.h>

void *pages_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void pages_unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}
