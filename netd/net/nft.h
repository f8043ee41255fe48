/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: loads and lists rulesets through libnftables, which is opened on first use (dlopen: it costs
 * 0.4 ms of start-up) and is the authority for everything but the hot path. libnftables 1.0.6
 * aborts when its descriptor is >= 1024: the context is made in a short-lived child when the
 * process holds that many, and always when the caller says so.
 */
#ifndef NETD_NET_NFT_H
#define NETD_NET_NFT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Makes every following call use a child of its own. */
void nft_use_child(bool always);

/* Runs text as one transaction. libnftables' own message goes into the error. */
int nft_run(const char *text, struct err *e);
/* The same for a caller that holds a lock through descriptor fd (-1: none). A child outlives a
 * caller that is killed, for the kernel finishes a transaction that has begun; it keeps fd open
 * until it has ended, and the lock with it. */
int nft_run_locked(const char *text, int fd, struct err *e);
/* Our two tables as nft text, counters, handles and the flags of the tables stripped. Empty when
 * they do not exist. */
int nft_list(struct buf *out, struct err *e);

#endif
