/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icmp: messages of both ICMPs have one shape: type, code, checksum, a word, the rest. An error's
 * rest is the beginning of the packet it is about; it was cut by whoever sent the error, so its
 * length fields are not held against it. RFC 792, RFC 4443, RFC 1812 4.3.2.
 */
#include "wire/icmp.h"

#include <netinet/in.h>

#include "wire/bytes.h"

/* Extension headers followed inside an error. */
#define CAUSE_HEADERS_MAX 8

int icmp_parse(const uint8_t *p, size_t len, struct icmp_v *ret)
{
	struct bytes b = bytes_of(p, len);
	struct icmp_v m = {.type = bytes_u8(&b), .code = bytes_u8(&b)};

	bytes_u16(&b);
	m.info = bytes_u32(&b);
	if (b.is_short)
		return -1;
	m.payload = b.p;
	m.len = b.len;
	*ret = m;
	return 0;
}

void icmp_build(uint8_t *out, uint8_t type, uint8_t code, uint32_t info)
{
	struct out o = out_of(out, ICMP_HDR_LEN);

	out_u8(&o, type);
	out_u8(&o, code);
	out_u16(&o, 0);
	out_u32(&o, info);
}

bool icmp_is_error(int family, uint8_t type)
{
	if (family == AF_INET6)
		return type < 128;
	return type == ICMP_V4_UNREACH || type == ICMP_V4_QUENCH || type == ICMP_V4_REDIRECT ||
	       type == ICMP_V4_TIME || type == ICMP_V4_PARAM;
}

size_t icmp_cause_max(int family)
{
	return family == AF_INET6 ? 1280 - IP6_HDR_LEN - ICMP_HDR_LEN
				  : 576 - IP4_HDR_LEN - ICMP_HDR_LEN;
}

/* The first bytes of the transport header: eight of them are in every error. */
static int parse_transport(struct bytes *b, struct icmp_cause *c)
{
	uint16_t first, second;

	if (c->is_fragment)
		return 0;
	switch (c->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		c->sport = bytes_u16(b);
		c->dport = bytes_u16(b);
		if (c->proto == IPPROTO_TCP)
			c->seq = bytes_u32(b);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		c->icmp_type = bytes_u8(b);
		bytes_take(b, 3);
		first = bytes_u16(b);
		second = bytes_u16(b);
		c->sport = first;
		c->dport = second;
		break;
	default:
		break;
	}
	return b->is_short ? -1 : 0;
}

static int parse_cause4(const uint8_t *p, size_t len, struct icmp_cause *c)
{
	struct bytes b = bytes_of(p, len);
	uint8_t first = bytes_u8(&b);
	size_t header = (size_t)(first & 0xf) * 4;

	bytes_take(&b, 5);
	c->is_fragment = bytes_u16(&b) & 0x1fff;
	bytes_u8(&b);
	c->proto = bytes_u8(&b);
	bytes_u16(&b);
	c->src.family = c->dst.family = AF_INET;
	bytes_copy(&b, c->src.b, 4);
	bytes_copy(&b, c->dst.b, 4);
	if (b.is_short || first >> 4 != 4 || header < IP4_HDR_LEN)
		return -1;
	bytes_take(&b, header - IP4_HDR_LEN);
	return parse_transport(&b, c);
}

static int parse_cause6(const uint8_t *p, size_t len, struct icmp_cause *c)
{
	struct bytes b = bytes_of(p, len);
	uint8_t first = bytes_u8(&b);

	bytes_take(&b, 5);
	c->proto = bytes_u8(&b);
	bytes_u8(&b);
	c->src.family = c->dst.family = AF_INET6;
	bytes_copy(&b, c->src.b, 16);
	bytes_copy(&b, c->dst.b, 16);
	if (first >> 4 != 6)
		return -1;
	for (int i = 0; i < CAUSE_HEADERS_MAX && !b.is_short; i++) {
		uint8_t next, size;

		if (c->proto != IPPROTO_HOPOPTS && c->proto != IPPROTO_ROUTING &&
		    c->proto != IPPROTO_DSTOPTS && c->proto != IPPROTO_FRAGMENT)
			break;
		next = bytes_u8(&b);
		size = bytes_u8(&b);
		if (c->proto == IPPROTO_FRAGMENT) {
			c->is_fragment = bytes_u16(&b) & 0xfff8;
			bytes_u32(&b);
		} else {
			bytes_take(&b, 6 + (size_t)size * 8);
		}
		c->proto = next;
		if (c->is_fragment)
			break;
	}
	return b.is_short ? -1 : parse_transport(&b, c);
}

int icmp_parse_cause(int family, const uint8_t *p, size_t len, struct icmp_cause *ret)
{
	struct icmp_cause c = {0};
	int r = family == AF_INET6 ? parse_cause6(p, len, &c) : parse_cause4(p, len, &c);

	if (r == 0)
		*ret = c;
	return r;
}
