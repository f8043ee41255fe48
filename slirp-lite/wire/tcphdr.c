/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcphdr: TCP headers and the options that this program knows: MSS, window scale, SACK, timestamps.
 * Judges form only; whether a segment is acceptable is the machine's business (tcp/tcb.h).
 * RFC 9293 3.1 and 3.2 (MUST-4 to MUST-7), RFC 7323 appendix A, RFC 2018.
 */
#include "wire/tcphdr.h"

#include "wire/bytes.h"

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
};

#define WSCALE_MAX 14
#define HDR_LEN 20

/* RFC 9293 MUST-5: MSS may come in any segment, but counts in a SYN only. */
static void parse_option(struct tcphdr_v *h, uint8_t kind, struct bytes o)
{
	bool is_syn = h->flags & TCP_SYN;

	switch (kind) {
	case OPT_MSS:
		if (is_syn && o.len == 2)
			h->mss = bytes_u16(&o);
		break;
	case OPT_WSCALE:
		if (is_syn && o.len == 1) {
			uint8_t shift = bytes_u8(&o);

			h->has_wscale = true;
			h->wscale = shift > WSCALE_MAX ? WSCALE_MAX : shift;
		}
		break;
	case OPT_SACK_OK:
		if (is_syn && o.len == 0)
			h->has_sack_ok = true;
		break;
	case OPT_SACK:
		if (o.len == 0 || o.len % 8 != 0)
			break;
		for (h->n_sack = 0; o.len > 0 && h->n_sack < TCP_SACK_MAX; h->n_sack++) {
			h->sack[h->n_sack].left = bytes_u32(&o);
			h->sack[h->n_sack].right = bytes_u32(&o);
		}
		break;
	case OPT_TS:
		if (o.len == 8) {
			h->has_ts = true;
			h->tsval = bytes_u32(&o);
			h->tsecr = bytes_u32(&o);
		}
		break;
	default: /* RFC 9293 MUST-6: unknown ones are skipped */
		break;
	}
}

/* RFC 9293 MUST-7: whatever a length says, the list ends at the header's end. */
static void parse_options(struct tcphdr_v *h, struct bytes b)
{
	while (b.len > 0) {
		uint8_t kind = bytes_u8(&b), size;
		const uint8_t *value;

		if (kind == OPT_END)
			return;
		if (kind == OPT_NOP)
			continue;
		size = bytes_u8(&b);
		if (b.is_short || size < 2)
			return;
		value = bytes_take(&b, size - 2u);
		if (!value)
			return;
		parse_option(h, kind, bytes_of(value, size - 2u));
	}
}

int tcphdr_parse(const uint8_t *p, size_t len, struct tcphdr_v *ret, size_t *ret_hdr_len)
{
	struct bytes b = bytes_of(p, len);
	struct tcphdr_v h = {.sport = bytes_u16(&b), .dport = bytes_u16(&b)};
	const uint8_t *options;
	size_t hdr_len;

	h.seq = bytes_u32(&b);
	h.ack = bytes_u32(&b);
	hdr_len = (size_t)(bytes_u8(&b) >> 4) * 4;
	h.flags = bytes_u8(&b);
	h.wnd = bytes_u16(&b);
	bytes_u16(&b);
	h.urgent = bytes_u16(&b);
	if (b.is_short || hdr_len < HDR_LEN)
		return -1;
	options = bytes_take(&b, hdr_len - HDR_LEN);
	if (!options)
		return -1;
	/* What nearly every segment of a bulk flow carries (RFC 7323 appendix A): NOP NOP TS. */
	if (hdr_len == HDR_LEN + 12 && options[0] == OPT_NOP && options[1] == OPT_NOP &&
	    options[2] == OPT_TS && options[3] == 10)
		parse_option(&h, OPT_TS, bytes_of(options + 4, 8));
	else
		parse_options(&h, bytes_of(options, hdr_len - HDR_LEN));
	*ret = h;
	*ret_hdr_len = hdr_len;
	return 0;
}

/* A SYN: MSS, SACK permitted and timestamps in one group of 12, window scale. */
static void build_syn_options(struct out *o, const struct tcphdr_v *h)
{
	if (h->mss) {
		out_u8(o, OPT_MSS);
		out_u8(o, 4);
		out_u16(o, h->mss);
	}
	if (h->has_sack_ok || h->has_ts) {
		out_u8(o, h->has_sack_ok ? OPT_SACK_OK : OPT_NOP);
		out_u8(o, h->has_sack_ok ? 2 : OPT_NOP);
	}
	if (h->has_ts) {
		out_u8(o, OPT_TS);
		out_u8(o, 10);
		out_u32(o, h->tsval);
		out_u32(o, h->tsecr);
	} else if (h->has_sack_ok) {
		out_u16(o, OPT_NOP << 8 | OPT_NOP);
	}
	if (h->has_wscale) {
		out_u8(o, OPT_NOP);
		out_u8(o, OPT_WSCALE);
		out_u8(o, 3);
		out_u8(o, h->wscale);
	}
}

static void build_options(struct out *o, const struct tcphdr_v *h)
{
	/* Forty bytes of options: a fourth block does not fit beside timestamps (RFC 2018 3). */
	uint8_t n = h->n_sack, max = h->has_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;

	if (h->has_ts) {
		out_u8(o, OPT_NOP);
		out_u8(o, OPT_NOP);
		out_u8(o, OPT_TS);
		out_u8(o, 10);
		out_u32(o, h->tsval);
		out_u32(o, h->tsecr);
	}
	if (n == 0)
		return;
	if (n > max)
		n = max;
	out_u8(o, OPT_NOP);
	out_u8(o, OPT_NOP);
	out_u8(o, OPT_SACK);
	out_u8(o, (uint8_t)(2 + 8 * n));
	for (uint8_t i = 0; i < n; i++) {
		out_u32(o, h->sack[i].left);
		out_u32(o, h->sack[i].right);
	}
}

size_t tcphdr_build(uint8_t *out, const struct tcphdr_v *h)
{
	struct out o = out_of(out, TCP_HDR_MAX);

	out_u16(&o, h->sport);
	out_u16(&o, h->dport);
	out_u32(&o, h->seq);
	out_u32(&o, h->ack);
	out_u8(&o, 0);
	out_u8(&o, h->flags);
	out_u16(&o, h->wnd);
	out_u16(&o, 0);
	out_u16(&o, h->urgent);
	if (h->flags & TCP_SYN)
		build_syn_options(&o, h);
	else
		build_options(&o, h);
	out[12] = (uint8_t)(o.len / 4 << 4);
	return o.len;
}
