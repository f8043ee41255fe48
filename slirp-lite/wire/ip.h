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
	uint8_t proto;     /* of payload, after extension headers */
	uint32_t proto_at; /* where the header says so, from its start: the pointer of an ICMPv6
			    * "unrecognized next header" */
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

/* p, len: from the first byte of the IP header to the end of the frame. The IPv4 header checksum is
 * checked always: links offload those of the transport only. Of a fragment, payload is its piece of
 * the datagram, whose end is at most 65,535 bytes into it; what reass.h makes of it is parsed
 * again. Source-routed IPv4 packets are IP_BAD. */
/* ret is written unless IP_BAD or IP_BAD_CHECKSUM; with IP_BAD_HEADER only addresses and total
 * count. */
enum ip_verdict ip_parse4(const uint8_t *p, size_t len, struct ip_packet *ret);
enum ip_verdict ip_parse6(const uint8_t *p, size_t len, struct ip_packet *ret,
			  struct ip_problem *ret_problem);

#define IP4_HDR_LEN 20
#define IP6_HDR_LEN 40
#define IP6_FRAG_LEN 8

/* Headers in front of payload_len bytes; out has room for IP4_HDR_LEN / IP6_HDR_LEN. The IPv4
 * header checksum is computed. IPv4: frag_offset in bytes, is_more and id, all zero for a whole
 * packet; IPv6 fragments have proto 44 and an ip_build6_frag in front of their payload. */
struct ip_build {
	struct ip src, dst;
	uint8_t proto, ttl, tos;
	bool is_df, is_more;
	uint16_t id;
	uint16_t frag_offset;
};
void ip_build4(uint8_t *out, const struct ip_build *b, size_t payload_len);
void ip_build6(uint8_t *out, const struct ip_build *b, size_t payload_len);

/* IPv6 fragment header: IP6_FRAG_LEN bytes; offset in bytes, a multiple of 8. */
void ip_build6_frag(uint8_t *out, uint8_t proto, uint32_t offset, bool is_more, uint32_t id);

/* Sum of the pseudo header, to go on with (cksum.h). */
uint32_t ip_pseudo_sum(const struct ip *src, const struct ip *dst, uint8_t proto, size_t l4_len);
/* Whether the transport checksum over all of the payload is right: TCP, ICMP, ICMPv6 (UDP:
 * udphdr_sum_ok). */
bool ip_sum_ok(const struct ip_packet *p);

#endif
