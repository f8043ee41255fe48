/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame: Ethernet frames built by hand, for sending what no honest stack would. Lengths and
 * checksums are right; all else is what the caller says. */
#ifndef TESTS_NET_NFT_FRAME_H
#define TESTS_NET_NFT_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

struct frame {
	uint8_t b[256];
	size_t len;
};

void frame_eth(struct frame *f, const struct mac *dst, const struct mac *src, uint16_t type);
void frame_vlan(struct frame *f, const struct mac *dst, const struct mac *src, uint16_t tpid,
		uint16_t vid, uint16_t type);
void frame_bytes(struct frame *f, const void *p, size_t len);
void frame_arp(struct frame *f, uint16_t htype, uint16_t op, const struct mac *sha,
	       const struct ip *spa, const struct ip *tpa);
/* IPv4 or IPv6 by the family of src, with one UDP datagram or ICMP message of that payload. */
void frame_udp(struct frame *f, const struct ip *src, const struct ip *dst, uint16_t sport,
	       uint16_t dport, const void *payload, size_t len);
void frame_icmp(struct frame *f, const struct ip *src, const struct ip *dst, uint8_t type,
		uint8_t code, const void *rest, size_t len);
/* ICMPv6 behind a fragment header (first fragment, more to come). */
void frame_icmp_fragment(struct frame *f, const struct ip *src, const struct ip *dst, uint8_t type,
			 const void *rest, size_t len);

#endif
