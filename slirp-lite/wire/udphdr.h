/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udphdr: UDP headers, bytes <-> values (RFC 768, RFC 8200 8.1). Pure. */
#ifndef SLIRP_WIRE_UDPHDR_H
#define SLIRP_WIRE_UDPHDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/ip.h"

#define UDP_HDR_LEN 8

struct udphdr_v {
	uint16_t sport, dport;
	uint16_t csum;          /* as on the wire; 0: none */
	const uint8_t *payload; /* what the UDP length says; bytes behind it are cut off */
	size_t len;
};

/* p, len: the payload of the IP packet. 0, or -1: shorter than a header, a length below 8 (0
 * included: no jumbograms) or beyond the packet. */
int udphdr_parse(const uint8_t *p, size_t len, struct udphdr_v *ret);
/* Whether the checksum of what udphdr_parse found in pkt is right; none is right in IPv4 and wrong
 * in IPv6. */
bool udphdr_sum_ok(const struct ip_packet *pkt, const struct udphdr_v *u);
/* out has room for UDP_HDR_LEN; the checksum field is csum as given (0 for emit_packet). */
void udphdr_build(uint8_t *out, uint16_t sport, uint16_t dport, uint16_t csum, size_t payload_len);

#endif
