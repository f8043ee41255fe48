/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ndp: neighbour discovery as a router's side needs it: solicitations and advertisements of
 * neighbours and router solicitations in; neighbour and router advertisements out (RFC 4861, RFC
 * 8106). Pure.
 */
#ifndef SLIRP_WIRE_NDP_H
#define SLIRP_WIRE_NDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"
#include "wire/ip.h"

#define NDP_HOP_LIMIT 255

struct ndp {
	uint8_t type;                              /* ICMP_V6_RS, ICMP_V6_NS or ICMP_V6_NA */
	struct ip target;                          /* NS, NA */
	bool is_router, is_solicited, is_override; /* NA */
	bool has_mac;
	struct mac mac; /* NS, RS: of the source; NA: of the target */
};

/* k: an ICMPv6 packet whose checksum is right. 0, or -1: another type, or a message that RFC 4861
 * 6.1.1, 7.1.1, 7.1.2 has a node discard: hop limit not 255, code not 0, an option of length 0 ...
 */
int ndp_parse(const struct ip_packet *k, struct ndp *ret);

/* ICMPv6 messages, checksum zero. */
#define NDP_NA_LEN 32
void ndp_build_na(uint8_t *out, const struct ip *target, const struct mac *mac, bool is_solicited);

#define NDP_NS_LEN 32
void ndp_build_ns(uint8_t *out, const struct ip *target, const struct mac *mac);

struct ndp_ra {
	struct mac mac;
	bool is_managed, is_other; /* addresses, other configuration by DHCPv6 */
	uint16_t lifetime;         /* s, of the router */
	uint32_t mtu;
	struct prefix prefix;
	bool is_autonomous; /* SLAAC: for prefixes of 64 bits only */
	struct ip dns;      /* family 0: none */
};

#define NDP_RA_MAX 128
size_t ndp_build_ra(uint8_t *out, const struct ndp_ra *ra);

#endif
