/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftdump: parts of a table of nf_tables as the kernel lists them: its messages, one behind the
 * other in a buffer, unread.
 */
#ifndef NETD_NET_NFTDUMP_H
#define NETD_NET_NFTDUMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct nlmsghdr;

#define NFTDUMP_BYTES ((size_t)64 << 10)

struct nftdump {
	int fd;       /* NETLINK_NETFILTER */
	uint32_t seq; /* the last one that was used */
	char *data;   /* NFTDUMP_BYTES */
};

/* Asks by an NFT_MSG_GET... for what the named table has of it (NULL: what belongs to no table),
 * set: the elements of that one, and appends the answers to out. -EAGAIN: it was changed meanwhile,
 * or is gone. */
int nftdump_ask(struct nftdump *rd, uint16_t type, uint8_t family, const char *table,
		const char *set, struct buf *out, struct err *e);
/* The message after h, NULL: the first; NULL when there is none. */
const struct nlmsghdr *nftdump_next(const struct buf *b, const struct nlmsghdr *h);

#endif
