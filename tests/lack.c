/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lack: see lack.h. One thread only. */
#include "lack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The linker's names (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);

static size_t n_asked, first; /* first: that fails; 0: nothing is counted */
static bool is_for_good, has_failed;

void lack_begin(size_t nth, bool for_good)
{
	n_asked = 0;
	first = nth;
	is_for_good = for_good;
	has_failed = false;
}

bool lack_end(void)
{
	bool was = has_failed;

	first = 0;
	has_failed = false;
	return was;
}

size_t lack_count(void)
{
	return n_asked;
}

static bool fails(void)
{
	if (!first || ++n_asked < first || (n_asked > first && !is_for_good))
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}
