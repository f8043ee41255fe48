/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock: open-file-description byte locks with a deadline. They vanish with the descriptor, so a
 * killed holder frees at once, and nothing is ever left on disk. Waiters sleep in the kernel (first
 * come, first served); the deadline is kept by a timer signal that is private to the call.
 */
#ifndef NETD_SYS_LOCK_H
#define NETD_SYS_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Takes a write lock on byte `at` of fd. ERR_BUSY (ETIMEDOUT) after timeout_ms. */
int lock_take(int fd, int64_t at, int timeout_ms, struct err *e);
void lock_drop(int fd, int64_t at);

/* The same for the bytes at..at+len-1 (len 0: to the end of all bytes), without waiting: 0, or 1
 * when some of them are locked through another open of the file. */
int lock_try_range(int fd, int64_t at, int64_t len, struct err *e);
void lock_drop_range(int fd, int64_t at, int64_t len);
/* True when byte `at` is locked through another open of the file. Changes nothing. */
bool lock_is_taken(int fd, int64_t at);

#endif
