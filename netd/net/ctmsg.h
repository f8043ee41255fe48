/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctmsg: conntrack entries and requests as ctnetlink messages. No socket. Not for other rooms. */
#ifndef NETD_NET_CTMSG_H
#define NETD_NET_CTMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

struct nlmsghdr;

/* What we look at in an entry. Ports are 0 for protocols without. */
struct ctmsg_entry {
	uint8_t proto;
	struct ip orig_dst, reply_src;
	uint16_t orig_dport;
	uint32_t status; /* IPS_* */
	uint32_t id;
	uint16_t zone;     /* network order, as the kernel sent it */
	const void *tuple; /* the content of CTA_TUPLE_ORIG, inside the message */
	size_t tuple_len;
};
bool ctmsg_parse(const struct nlmsghdr *h, struct ctmsg_entry *ret);

/* What the kernel compares before it deletes. Addresses are IPv4 only: Linux (seen in 6.18)
 * compares IPv6 addresses the wrong way round and would delete all other entries. */
struct ctmsg_filter {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t proto;
	uint16_t orig_dport;
	uint16_t reply_sport; /* 0: any */
	struct ip orig_dst;   /* family 0: any */
	struct ip reply_src;  /* family 0: any */
	uint32_t status_mask, status;
};

/* Each builds one message at buf (zeroed by the call) and returns its length, a multiple of four
 * and never above CTMSG_MAX. */
#define CTMSG_MAX 384
size_t ctmsg_dump(char *buf, uint32_t seq, uint8_t family);
size_t ctmsg_delete_filtered(char *buf, uint32_t seq, const struct ctmsg_filter *f);
/* Exactly this entry: nothing happens when its place was taken by another one. 0: does not fit. */
size_t ctmsg_delete(char *buf, uint32_t seq, const struct ctmsg_entry *x);

#endif
