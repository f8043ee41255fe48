/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf: a growing text buffer. An allocation failure sticks in .failed, so a printer checks once. */
#ifndef NETD_BASE_BUF_H
#define NETD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *p; /* NUL-terminated whenever not NULL */
	size_t len, cap;
	bool failed;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		0                                                                                  \
	}

void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add(struct buf *b, const void *data, size_t len);
void buf_free(struct buf *b); /* also usable as cleanup: CLEAN_BUF */
#define CLEAN_BUF __attribute__((cleanup(buf_free)))

#endif
