/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcphdr: TCP headers and options, bytes <-> values (RFC 9293 3.1, RFC 7323, RFC 2018). Pure. */
#ifndef SLIRP_WIRE_TCPHDR_H
#define SLIRP_WIRE_TCPHDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_CWR 0x80

#define TCP_SACK_MAX 4
#define TCP_HDR_MAX 60

struct tcp_sack {
	uint32_t left, right;
};

struct tcphdr_v {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint16_t wnd; /* as on the wire, unscaled */
	uint8_t flags;
	uint16_t urgent; /* never used as a length */
	uint16_t mss;    /* of a SYN; 0: none */
	bool has_wscale, has_sack_ok, has_ts;
	uint8_t wscale; /* at most 14 (RFC 7323 2.3) */
	uint32_t tsval, tsecr;
	uint8_t n_sack;
	struct tcp_sack sack[TCP_SACK_MAX];
};

/* p, len: the TCP segment. 0 and the header length (20..60) in *ret_hdr_len, or -1 when it is
 * malformed. Unknown and broken options end the option list, never the segment (MUST-5, MUST-6,
 * MUST-7); MSS, window scale and SACK-permitted count in a SYN only. The checksum is not looked at.
 */
int tcphdr_parse(const uint8_t *p, size_t len, struct tcphdr_v *ret, size_t *ret_hdr_len);
/* Writes header and options, checksum zero; out has TCP_HDR_MAX bytes. Returns the length, a
 * multiple of 4. Options in the order and padding that Linux's fast path knows (NOP NOP TS). */
size_t tcphdr_build(uint8_t *out, const struct tcphdr_v *h);

/* Sequence space arithmetic (RFC 9293 3.4). */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

#endif
