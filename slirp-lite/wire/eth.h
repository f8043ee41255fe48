/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eth: Ethernet II headers, bytes <-> values (IEEE 802.3). Pure. Tags are types like any other. */
#ifndef SLIRP_WIRE_ETH_H
#define SLIRP_WIRE_ETH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

#define ETH_HDR_LEN 14

enum {
	ETH_TYPE_IP4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_IP6 = 0x86dd,
};

struct eth_frame {
	struct mac dst, src;
	uint16_t type; /* host order */
	const uint8_t *payload;
	size_t len; /* of payload, padding included */
};

/* 0, or -1: too short, or sent from a group address. */
int eth_parse(const uint8_t *p, size_t len, struct eth_frame *ret);
/* out has room for ETH_HDR_LEN. */
void eth_build(uint8_t *out, const struct mac *dst, const struct mac *src, uint16_t type);
bool eth_is_group(const struct mac *m); /* multicast or broadcast */
bool eth_equal(const struct mac *a, const struct mac *b);

extern const struct mac eth_broadcast;
/* Group address of an IPv4 or IPv6 multicast address (RFC 1112 6.4, RFC 2464 7). */
struct mac eth_of_group(const struct ip *ip);

#endif
