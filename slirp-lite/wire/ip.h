/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip: IPv4 and IPv6 packets, bytes <-> values (RFC 791, RFC 8200). Pure. IPv4 options and IPv6
 * extension headers are checked and skipped; what they ask to be answered is a verdict.
 */
#ifndef SLIRP_WIRE_IP_H
#define SLIRP_WIRE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

struct ip_packet {
	struct ip src, dst;
	uint8_t proto; /* of payload, after extension headers */
	uint8_t ttl, tos;
	bool is_df;
	const uint8_t *start; /* the IP header */
	size_t total;         /* header and payload, by its own length field; padding is cut off */
	const uint8_t *payload;
	size_t len;       /* of payload */
	bool is_fragment; /* one that is not the whole (RFC 6946 atomic ones are whole) */
	bool is_more;     /* more fragments follow */
	uint32_t frag_id;
	uint32_t frag_offset; /* bytes */
};

enum ip_verdict {
	IP_OK,
	IP_BAD,          /* malformed: drop */
	IP_BAD_CHECKSUM, /* drop */
	IP_BAD_HEADER, /* answer with ICMPv6 parameter problem: code and pointer in *ret_problem */
	IP_NO_PAYLOAD, /* IPv6 no next header: nothing to do */
};

struct ip_problem {
	uint8_t code;     /* RFC 4443 3.4 */
	uint32_t pointer; /* from the start of the IPv6 header */
};

/* p, len: from the first byte of the IP header to the end of the frame. is_checked: the IPv4 header
 * checksum needs no check. */
enum ip_verdict ip_parse4(const uint8_t *p, size_t len, struct ip_packet *ret);
enum ip_verdict ip_parse6(const uint8_t *p, size_t len, struct ip_packet *ret,
			  struct ip_problem *ret_problem);

#define IP4_HDR_LEN 20
#define IP6_HDR_LEN 40

/* Headers in front of payload_len bytes; out has room for IP4_HDR_LEN / IP6_HDR_LEN. The IPv4
 * header checksum is computed. frag: offset in bytes and more flag, id; all zero for a whole
 * packet. */
struct ip_build {
	struct ip src, dst;
	uint8_t proto, ttl, tos;
	bool is_df, is_more;
	uint16_t id;
	uint16_t frag_offset;
};
void ip_build4(uint8_t *out, const struct ip_build *b, size_t payload_len);
void ip_build6(uint8_t *out, const struct ip_build *b, size_t payload_len);

/* Sum of the pseudo header, to go on with (cksum.h). */
uint32_t ip_pseudo_sum(const struct ip *src, const struct ip *dst, uint8_t proto, size_t l4_len);

#endif
