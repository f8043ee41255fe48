/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nflog: packets that rules give to who listens (`log group`). */
#ifndef NETD_NET_NFLOG_H
#define NETD_NET_NFLOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* In the caller's network namespace. ERR_BUSY: somebody else listens to that group. */
int nflog_open(uint16_t group, int *ret_fd, struct err *e);
/* Each packet that has come, its first bytes, as many at most as a turn may take; never waits. What
 * was lost for want of room is lost. */
int nflog_read(int fd, void (*fn)(const uint8_t *packet, size_t len, void *arg), void *arg,
	       struct err *e);

#endif
