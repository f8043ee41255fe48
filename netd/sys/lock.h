/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock: open-file-description byte locks with a deadline. They vanish with the descriptor, so a killed
 * holder frees at once, and nothing is ever left on disk. Waiters sleep in the kernel (first come,
 * first served); the deadline is kept by a timer signal that is private to the call.
 */
#ifndef NETD_SYS_LOCK_H
#define NETD_SYS_LOCK_H

#include <stdint.h>

#include "base/err.h"

/* Takes a write lock on byte `at` of fd. ERR_BUSY (ETIMEDOUT) after timeout_ms. */
int lock_take(int fd, int64_t at, int timeout_ms, struct err *e);
void lock_drop(int fd, int64_t at);

#endif
