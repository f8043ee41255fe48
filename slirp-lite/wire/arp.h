/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arp: ARP for IPv4 over Ethernet, bytes <-> values (RFC 826). Pure. */
#ifndef SLIRP_WIRE_ARP_H
#define SLIRP_WIRE_ARP_H

#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

#define ARP_LEN 28

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp {
	uint16_t op; /* ARP_REQUEST or ARP_REPLY */
	struct mac sender_mac, target_mac;
	struct ip sender, target;
};

/* p, len: behind the Ethernet header; padding is ignored. 0, or -1: short, other hardware, protocol
 * or sizes, another operation, or a sender with a group MAC address. */
int arp_parse(const uint8_t *p, size_t len, struct arp *ret);
/* out has room for ARP_LEN. */
void arp_build(uint8_t *out, const struct arp *a);

#endif
