/* SPDX-License-Identifier: GPL-2.0-or-later */
/* syn: see syn.h. RFC 9293 3.1 for the places in the header. Pure. */
#include "flow/syn.h"

#include <string.h>

#define FIXED 20
#define AT_OFFSET 12
#define AT_FLAGS 13
#define AT_WND 14

void syn_keep(struct syn *s, const uint8_t *hdr, size_t len)
{
	memset(s, 0, sizeof(*s));
	if (len < FIXED || len > SYN_HDR_MAX)
		return;
	s->n_options = (uint8_t)((len - FIXED) & ~(size_t)3);
	s->flags = hdr[AT_FLAGS];
	memcpy(s->wnd, hdr + AT_WND, sizeof(s->wnd));
	memcpy(s->options, hdr + FIXED, s->n_options);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

size_t syn_build(const struct syn *s, const struct flow_key *k, uint32_t seq,
		 uint8_t out[SYN_HDR_MAX])
{
	const size_t len = FIXED + (size_t)s->n_options;

	memset(out, 0, FIXED);
	put16(out, k->guest_port);
	put16(out + 2, k->peer_port);
	put16(out + 4, (uint16_t)(seq >> 16));
	put16(out + 6, (uint16_t)seq);
	out[AT_OFFSET] = (uint8_t)(len / 4 << 4);
	out[AT_FLAGS] = s->flags;
	memcpy(out + AT_WND, s->wnd, sizeof(s->wnd));
	memcpy(out + FIXED, s->options, s->n_options);
	return len;
}
