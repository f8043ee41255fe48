/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip: headers of both families. A packet that comes out IP_OK has a payload inside the bytes given,
 * and a fragment of one ends within 65,535 bytes. Addresses are not judged here (flow/policy.h),
 * and fragments are put together elsewhere (wire/reass.h). RFC 791, RFC 1122 3.2.1, RFC 6864; RFC
 * 8200, RFC 5095, RFC 6946, RFC 7112.
 */
#include "wire/ip.h"

#include <netinet/in.h>

#include "wire/bytes.h"
#include "wire/cksum.h"

#define DATAGRAM_MAX 65535u
/* RFC 8200 4.1 knows six kinds, one of them twice; longer chains are of no honest sender. */
#define EXT_HEADERS_MAX 8

enum {
	OPT4_END = 0,
	OPT4_NOP = 1,
	OPT4_LSRR = 131,
	OPT4_SSRR = 137,
	OPT6_PAD1 = 0,
	OPT6_PADN = 1,
	OPT6_ROUTER_ALERT = 5, /* RFC 2711: of MLD messages; asks nothing of a host */
};

/* ICMPv6 parameter problem codes (RFC 4443 3.4, RFC 7112 5). */
enum { PROBLEM_FIELD = 0, PROBLEM_NEXT = 1, PROBLEM_OPTION = 2, PROBLEM_CHAIN = 3 };

static bool options4_ok(struct bytes b)
{
	while (b.len > 0) {
		uint8_t kind = bytes_u8(&b), size;

		if (kind == OPT4_END)
			return true;
		if (kind == OPT4_NOP)
			continue;
		size = bytes_u8(&b);
		/* RFC 1122 3.3.5 lets a host refuse to be a hop of a source route. */
		if (size < 2 || kind == OPT4_LSRR || kind == OPT4_SSRR)
			return false;
		if (!bytes_take(&b, size - 2u))
			return false;
	}
	return true;
}

/* Pieces but the last are multiples of 8, none is empty, and none ends beyond the largest datagram
 * (with its header; "ping of death"). */
static bool fragment_ok(const struct ip_packet *k, size_t header)
{
	if (k->len == 0 || (k->is_more && k->len % 8 != 0))
		return false;
	return k->frag_offset + k->len + header <= DATAGRAM_MAX;
}

enum ip_verdict ip_parse4(const uint8_t *p, size_t len, struct ip_packet *ret)
{
	struct bytes b = bytes_of(p, len);
	uint8_t first = bytes_u8(&b);
	size_t header = (size_t)(first & 0xf) * 4, total;
	struct ip_packet k = {.start = p, .proto_at = 9};
	uint16_t frag;

	k.tos = bytes_u8(&b);
	total = bytes_u16(&b);
	k.frag_id = bytes_u16(&b);
	frag = bytes_u16(&b);
	k.ttl = bytes_u8(&b);
	k.proto = bytes_u8(&b);
	bytes_u16(&b);
	k.src.family = k.dst.family = AF_INET;
	bytes_copy(&b, k.src.b, 4);
	bytes_copy(&b, k.dst.b, 4);
	if (b.is_short || first >> 4 != 4 || header < IP4_HDR_LEN || total < header || total > len)
		return IP_BAD;
	if (cksum_fold(cksum_add(0, p, header)) != 0)
		return IP_BAD_CHECKSUM;
	if (!options4_ok(bytes_of(b.p, header - IP4_HDR_LEN)))
		return IP_BAD;
	k.total = total;
	k.payload = p + header;
	k.len = total - header;
	k.is_df = frag & 0x4000;
	k.is_more = frag & 0x2000;
	k.frag_offset = (frag & 0x1fffu) * 8;
	k.is_fragment = k.is_more || k.frag_offset > 0;
	if (k.is_fragment && !fragment_ok(&k, header))
		return IP_BAD;
	*ret = k;
	return IP_OK;
}

/* The chain of IPv6 headers: b is at the one of type k->proto, named by the byte at k->proto_at. */
struct chain {
	struct ip_packet *k;
	struct bytes b;
	struct ip_problem problem;
};

static uint32_t at(const struct chain *c)
{
	return (uint32_t)(c->b.p - c->k->start);
}

static enum ip_verdict say(struct chain *c, uint8_t code, uint32_t pointer)
{
	c->problem = (struct ip_problem){code, pointer};
	return IP_BAD_HEADER;
}

/* RFC 8200 4.2: the two highest bits of an unknown option say what becomes of the packet. */
static enum ip_verdict options6(struct chain *c, struct bytes b)
{
	while (b.len > 0) {
		uint32_t pointer = (uint32_t)(b.p - c->k->start);
		uint8_t kind = bytes_u8(&b), size;

		if (kind == OPT6_PAD1)
			continue;
		size = bytes_u8(&b);
		bytes_take(&b, size);
		if (b.is_short)
			return IP_BAD;
		if (kind == OPT6_PADN || kind == OPT6_ROUTER_ALERT)
			continue;
		switch (kind >> 6) {
		case 0:
			break;
		case 1:
			return IP_BAD;
		case 2:
			return say(c, PROBLEM_OPTION, pointer);
		default:
			return c->k->dst.b[0] == 0xff ? IP_BAD : say(c, PROBLEM_OPTION, pointer);
		}
	}
	return IP_OK;
}

/* RFC 8200 4.4, RFC 5095: nobody here is a hop, so a routing header is passed over once there are
 * none left to visit, and refused before. */
static enum ip_verdict routing6(struct chain *c, struct bytes b, uint32_t start)
{
	uint8_t left;

	bytes_u8(&b); /* type */
	left = bytes_u8(&b);
	return left == 0 ? IP_OK : say(c, PROBLEM_FIELD, start + 2);
}

/* One header with a length of its own: hop-by-hop, routing, destination options. */
static enum ip_verdict sized6(struct chain *c)
{
	uint8_t type = c->k->proto;
	uint32_t start = at(c);
	struct bytes inside;
	uint8_t next = bytes_u8(&c->b);
	size_t len = 6 + (size_t)bytes_u8(&c->b) * 8;
	const uint8_t *p = bytes_take(&c->b, len);

	if (!p)
		return IP_BAD;
	c->k->proto = next;
	c->k->proto_at = start;
	inside = bytes_of(p, len);
	return type == IPPROTO_ROUTING ? routing6(c, inside, start) : options6(c, inside);
}

static enum ip_verdict fragment6(struct chain *c)
{
	struct ip_packet *k = c->k;
	uint32_t start = at(c);
	uint16_t frag;

	k->proto = bytes_u8(&c->b);
	k->proto_at = start;
	bytes_u8(&c->b);
	frag = bytes_u16(&c->b);
	k->frag_id = bytes_u32(&c->b);
	if (c->b.is_short)
		return IP_BAD;
	k->frag_offset = frag & 0xfff8;
	k->is_more = frag & 1;
	k->is_fragment = k->is_more || k->frag_offset > 0;
	if (!k->is_fragment) /* RFC 6946: an atomic fragment is whole */
		return IP_OK;
	k->payload = c->b.p;
	k->len = c->b.len;
	if (k->is_more && k->len % 8 != 0)
		return say(c, PROBLEM_FIELD, 4); /* RFC 8200 4.5: the payload length */
	if (k->frag_offset + k->len > DATAGRAM_MAX)
		return say(c, PROBLEM_FIELD, start + 2);
	return k->len > 0 ? IP_OK : IP_BAD;
}

static enum ip_verdict walk6(struct chain *c)
{
	for (int i = 0;; i++) {
		uint8_t type = c->k->proto;
		enum ip_verdict v;

		if (type == IPPROTO_NONE)
			return IP_NO_PAYLOAD;
		if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_DSTOPTS &&
		    type != IPPROTO_FRAGMENT)
			return IP_OK;
		if (i == EXT_HEADERS_MAX)
			return IP_BAD;
		/* RFC 8200 4.1: hop-by-hop options come directly behind the IPv6 header. */
		if (type == IPPROTO_HOPOPTS && at(c) != IP6_HDR_LEN)
			return say(c, PROBLEM_NEXT, c->k->proto_at);
		v = type == IPPROTO_FRAGMENT ? fragment6(c) : sized6(c);
		if (v != IP_OK || c->k->is_fragment)
			return v;
	}
}

static size_t transport_min(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_UDP:
	case IPPROTO_ICMPV6:
		return 8;
	default:
		return 0;
	}
}

/* RFC 8200 4.5, RFC 7112 5: the first fragment holds every header up to that of the transport. */
static enum ip_verdict first_fragment6(struct chain *c)
{
	struct ip_packet inner = *c->k;
	struct chain rest = {.k = &inner, .b = c->b};
	enum ip_verdict v;

	inner.is_fragment = false;
	for (int i = 0; i < EXT_HEADERS_MAX; i++) {
		if (inner.proto != IPPROTO_ROUTING && inner.proto != IPPROTO_DSTOPTS)
			break;
		v = sized6(&rest);
		if (v != IP_OK) {
			c->problem = rest.problem;
			return rest.b.is_short ? say(c, PROBLEM_CHAIN, 0) : v;
		}
	}
	return rest.b.len < transport_min(inner.proto) ? say(c, PROBLEM_CHAIN, 0) : IP_OK;
}

enum ip_verdict ip_parse6(const uint8_t *p, size_t len, struct ip_packet *ret,
			  struct ip_problem *ret_problem)
{
	struct bytes b = bytes_of(p, len);
	uint32_t first = bytes_u32(&b);
	size_t payload = bytes_u16(&b);
	struct ip_packet k = {.start = p, .proto_at = 6};
	struct chain c = {.k = &k};
	enum ip_verdict v;

	k.proto = bytes_u8(&b);
	k.ttl = bytes_u8(&b);
	k.tos = (uint8_t)(first >> 20);
	k.src.family = k.dst.family = AF_INET6;
	bytes_copy(&b, k.src.b, 16);
	bytes_copy(&b, k.dst.b, 16);
	if (b.is_short || first >> 28 != 6 || payload > b.len)
		return IP_BAD;
	k.total = IP6_HDR_LEN + payload;
	c.b = bytes_of(b.p, payload);
	v = walk6(&c);
	if (v == IP_OK && k.is_fragment && k.frag_offset == 0)
		v = first_fragment6(&c);
	if (v == IP_BAD_HEADER)
		*ret_problem = c.problem;
	if (v == IP_BAD)
		return v;
	k.payload = c.b.p;
	k.len = c.b.len;
	*ret = k;
	return v;
}

void ip_build4(uint8_t *out, const struct ip_build *b, size_t payload_len)
{
	struct out o = out_of(out, IP4_HDR_LEN);
	unsigned frag = b->frag_offset / 8u | (b->is_more ? 0x2000u : 0) | (b->is_df ? 0x4000u : 0);
	uint16_t sum;

	out_u8(&o, 0x45);
	out_u8(&o, b->tos);
	out_u16(&o, (uint16_t)(IP4_HDR_LEN + payload_len));
	out_u16(&o, b->id);
	out_u16(&o, (uint16_t)frag);
	out_u8(&o, b->ttl);
	out_u8(&o, b->proto);
	out_u16(&o, 0);
	out_copy(&o, b->src.b, 4);
	out_copy(&o, b->dst.b, 4);
	sum = cksum_fold(cksum_add(0, out, IP4_HDR_LEN));
	out[10] = (uint8_t)(sum >> 8);
	out[11] = (uint8_t)sum;
}

void ip_build6(uint8_t *out, const struct ip_build *b, size_t payload_len)
{
	struct out o = out_of(out, IP6_HDR_LEN);

	out_u32(&o, 6u << 28 | (uint32_t)b->tos << 20);
	out_u16(&o, (uint16_t)payload_len);
	out_u8(&o, b->proto);
	out_u8(&o, b->ttl);
	out_copy(&o, b->src.b, 16);
	out_copy(&o, b->dst.b, 16);
}

void ip_build6_frag(uint8_t *out, uint8_t proto, uint32_t offset, bool is_more, uint32_t id)
{
	struct out o = out_of(out, IP6_FRAG_LEN);

	out_u8(&o, proto);
	out_u8(&o, 0);
	out_u16(&o, (uint16_t)((offset & 0xfff8) | is_more));
	out_u32(&o, id);
}

uint32_t ip_pseudo_sum(const struct ip *src, const struct ip *dst, uint8_t proto, size_t l4_len)
{
	uint8_t head[40];
	struct out o = out_of(head, sizeof(head));
	size_t n = ip_size(src);

	out_copy(&o, src->b, n);
	out_copy(&o, dst->b, n);
	out_u32(&o, (uint32_t)l4_len);
	out_u32(&o, proto);
	return cksum_add(0, head, o.len);
}

bool ip_sum_ok(const struct ip_packet *p)
{
	uint32_t sum = 0;

	if (p->proto != IPPROTO_ICMP)
		sum = ip_pseudo_sum(&p->src, &p->dst, p->proto, p->len);
	return cksum_fold(cksum_add(sum, p->payload, p->len)) == 0;
}
