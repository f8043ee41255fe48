/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syn: the container's SYN as it came, for one who lets another TCP answer it: what of it is not in
 * the connection's key. A value, small enough for a flow's slot.
 */
#ifndef SLIRP_FLOW_SYN_H
#define SLIRP_FLOW_SYN_H

#include <stddef.h>
#include <stdint.h>

#include "flow/key.h"

#define SYN_OPTIONS_MAX 40
#define SYN_HDR_MAX (20 + SYN_OPTIONS_MAX)

struct syn {
	uint8_t options[SYN_OPTIONS_MAX];
	uint8_t n_options; /* bytes, a multiple of 4 */
	uint8_t flags;     /* SYN, and what RFC 3168 has in it */
	uint8_t wnd[2];
	uint8_t ttl, tos; /* the caller's, of the IP header */
};

/* Of a TCP header of len bytes, all options included (20 to 60, a multiple of 4). */
void syn_keep(struct syn *s, const uint8_t *hdr, size_t len);
/* The header again, checksum zero; its length. */
size_t syn_build(const struct syn *s, const struct flow_key *k, uint32_t seq,
		 uint8_t out[SYN_HDR_MAX]);

#endif
