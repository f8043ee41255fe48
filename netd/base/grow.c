/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grow: twice as many places, whenever all are taken. */
#include "base/grow.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 16

bool grow_list(void *list, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? 2 * *cap : FIRST;
	void *v, *larger;

	if (n < *cap)
		return true;
	if (more > (size_t)PTRDIFF_MAX / size)
		return false;
	/* Whatever it points to: list is the address of the pointer. */
	memcpy(&v, list, sizeof(v));
	larger = realloc(v, more * size);
	if (!larger)
		return false;
	memcpy(list, &larger, sizeof(larger));
	*cap = more;
	return true;
}
