/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages: large tables that cost nothing until they are used. */
#ifndef NETD_BASE_PAGES_H
#define NETD_BASE_PAGES_H

#include <stddef.h>

/* Zeroed memory of its own pages, untouched: an allocator may touch what it hands out. NULL: none.
 */
void *pages_map(size_t size);
void pages_unmap(void *p, size_t size); /* accepts NULL */

#endif
