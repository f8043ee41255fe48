/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failmalloc: preloaded into a program, makes its FAIL_AT-th allocation return NULL (0 or unset:
 * none), and with FAIL_AGAIN the FAIL_AGAIN-th after that one too. With FAIL_COUNT set, the number
 * of allocations is written to descriptor 9 at the end. Allocations of one process fail: children
 * are left alone. Built on the C library's own names for its allocator.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static long n_allocations, fail_at = -1, fail_again;

static int is_to_fail(void)
{
	static pid_t self;

	if (self == 0)
		self = getpid();
	if (getpid() != self)
		return 0;
	if (fail_at < 0) {
		const char *s = getenv("FAIL_AT");
		fail_at = s ? strtol(s, NULL, 10) : 0;
		s = getenv("FAIL_AGAIN");
		fail_again = fail_at && s ? fail_at + strtol(s, NULL, 10) : 0;
	}
	if (++n_allocations != fail_at && n_allocations != fail_again)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return is_to_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return is_to_fail() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return is_to_fail() ? NULL : __libc_realloc(p, size);
}

__attribute__((destructor)) static void tell(void)
{
	char text[24];

	if (!getenv("FAIL_COUNT"))
		return;
	int len = snprintf(text, sizeof(text), "%ld\n", n_allocations);
	if (len > 0 && write(9, text, (size_t)len) != len)
		_exit(99);
}
