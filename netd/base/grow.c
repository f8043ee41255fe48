/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grow: twice as many places, whenever all are taken. */
#include "base/grow.h"

#include <stdint.h>
#include <stdlib.h>

#define FIRST 16

bool grow_list(void *list, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? 2 * *cap : FIRST;
	void **at = list; /* the address of a pointer, whatever that points to */
	void *v;

	if (n < *cap)
		return true;
	if (more > (size_t)PTRDIFF_MAX / size)
		return false;
	v = realloc(*at, more * size);
	if (!v)
		return false;
	*at = v;
	*cap = more;
	return true;
}
