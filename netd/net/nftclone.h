/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftclone: our two tables as the kernel has them, made anew in one transaction with other flags.
 * The flags that say whose a table is cannot be changed on a living one, so it is deleted and made
 * again, with everything in it, between two packets. What the rules say is not looked at.
 */
#ifndef NETD_NET_NFTCLONE_H
#define NETD_NET_NFTCLONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/nftmsg.h"

/* as NULL: reads both tables through the NETLINK_NETFILTER socket fd, whose next sequence number is
 * *seq, and builds a transaction (begin, but no end) that replaces those that exist by the same
 * with `flags`. It is void (ERESTART) when a rule of the namespace changes before it is sent.
 * *ret_n: its messages, begin not counted. 0; 1: there is no table; -EAGAIN: it was changed while
 * it was read.
 *
 * as: for another namespace, where they are to have that name, in the place of what has it; without
 * a begin. */
int nftclone_build(int fd, uint32_t *seq, const char *as, uint32_t flags, struct nftmsg *ret,
		   size_t *ret_n, struct err *e);
/* The same for another namespace, under their own name and without flags, and without the elements
 * of sets and maps that have a name: what is left does not change, however many elements there are
 * and whoever changes any, and is the same bit for bit for tables that are alike. fd: nobody
 * else's. */
int nftclone_build_rules(int fd, struct nftmsg *ret, struct err *e);

#endif
