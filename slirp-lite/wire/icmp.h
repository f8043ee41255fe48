/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icmp: ICMP and ICMPv6 messages, bytes <-> values, and the packet that an error carries inside
 * (RFC 792, RFC 4443, RFC 1122 3.2.2). Pure. Neighbour discovery is in ndp.h.
 */
#ifndef SLIRP_WIRE_ICMP_H
#define SLIRP_WIRE_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/ip.h"

#define ICMP_HDR_LEN 8

/* Types, then the codes that this program sends. */
enum {
	ICMP_V4_ECHO_REPLY = 0,
	ICMP_V4_UNREACH = 3,
	ICMP_V4_QUENCH = 4,
	ICMP_V4_REDIRECT = 5,
	ICMP_V4_ECHO = 8,
	ICMP_V4_TIME = 11,
	ICMP_V4_PARAM = 12,

	ICMP_V4_UNREACH_NET = 0,
	ICMP_V4_UNREACH_HOST = 1,
	ICMP_V4_UNREACH_PROTO = 2,
	ICMP_V4_UNREACH_PORT = 3,
	ICMP_V4_UNREACH_FRAG = 4, /* needed, and don't fragment is set; info: MTU */
	ICMP_V4_UNREACH_ADMIN = 13,
	ICMP_V4_TIME_TTL = 0,
	ICMP_V4_TIME_REASSEMBLY = 1,

	ICMP_V6_UNREACH = 1,
	ICMP_V6_TOO_BIG = 2, /* info: MTU */
	ICMP_V6_TIME = 3,
	ICMP_V6_PARAM = 4, /* info: pointer */
	ICMP_V6_ECHO = 128,
	ICMP_V6_ECHO_REPLY = 129,
	ICMP_V6_MLD_QUERY = 130,
	ICMP_V6_MLD_REPORT = 131,
	ICMP_V6_MLD_DONE = 132,
	ICMP_V6_RS = 133,
	ICMP_V6_RA = 134,
	ICMP_V6_NS = 135,
	ICMP_V6_NA = 136,
	ICMP_V6_REDIRECT = 137,
	ICMP_V6_MLD2_REPORT = 143,

	ICMP_V6_UNREACH_ROUTE = 0,
	ICMP_V6_UNREACH_ADMIN = 1,
	ICMP_V6_UNREACH_ADDR = 3,
	ICMP_V6_UNREACH_PORT = 4,
	ICMP_V6_TIME_HOPS = 0,
	ICMP_V6_TIME_REASSEMBLY = 1,
	ICMP_V6_PARAM_FIELD = 0,
	ICMP_V6_PARAM_NEXT = 1,
	ICMP_V6_PARAM_OPTION = 2,
	ICMP_V6_PARAM_CHAIN = 3, /* RFC 7112 5 */
};

struct icmp_v {
	uint8_t type, code;
	uint32_t info; /* second word: id << 16 | seq of echoes, MTU, pointer */
	const uint8_t *payload;
	size_t len;
};

/* p, len: the payload of the IP packet. 0, or -1: shorter than 8 bytes. The checksum is not looked
 * at: ip_sum_ok. */
int icmp_parse(const uint8_t *p, size_t len, struct icmp_v *ret);
/* out has room for ICMP_HDR_LEN; the checksum is left zero. */
void icmp_build(uint8_t *out, uint8_t type, uint8_t code, uint32_t info);
/* Whether it is an error message (RFC 1122 3.2.2, RFC 4443 2.1): never answered by another. */
bool icmp_is_error(int family, uint8_t type);
/* How many bytes of the offending packet an error carries: the error stays within 576 (RFC 1812
 * 4.3.2.3) and 1280 bytes (RFC 4443 2.4 (c)). */
size_t icmp_cause_max(int family);

/* The offending packet inside an error; it may be cut anywhere behind its ports. */
struct icmp_cause {
	struct ip src, dst;
	uint8_t proto;
	uint16_t sport, dport; /* TCP, UDP; echoes: sport is the id, dport the sequence number */
	uint32_t seq;          /* TCP */
	uint8_t icmp_type;     /* ICMP, ICMPv6 */
	bool is_fragment;      /* not the first: no ports, 0 */
};

/* p, len: icmp_v.payload of an error. 0, or -1: not a packet of the family, or cut too early. */
int icmp_parse_cause(int family, const uint8_t *p, size_t len, struct icmp_cause *ret);

#endif
