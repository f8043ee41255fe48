/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grow: room in a list, which is an array with a count of elements and one of places. */
#ifndef NETD_BASE_GROW_H
#define NETD_BASE_GROW_H

#include <stdbool.h>
#include <stddef.h>

/* True when there is room for one more behind the first n of v, made where there was none: v and
 * cap may be others then. False: no memory, all is as it was. v is NULL and cap 0 at first. */
#define GROW(v, n, cap) grow_list(&(v), (n), &(cap), sizeof(*(v)))
bool grow_list(void *list, size_t n, size_t *cap, size_t size);

#endif
