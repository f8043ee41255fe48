/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp: BOOTP frame and options. Of a client's options the four that a server with one network
 * needs are read; which address it gets is decided in local/dhcp.c.
 * RFC 2131 2, RFC 2132, RFC 6842 3, RFC 1542.
 * Deviation: options in the file and sname fields (RFC 2132 9.3) are not read: no client of one
 * link has so many.
 */
#include "wire/dhcp.h"

#include "wire/bytes.h"

#define COOKIE 0x63825363u
#define REPLY_MIN 300
#define FLAG_BROADCAST 0x8000

enum {
	OP_REQUEST = 1,
	OP_REPLY = 2,
	HW_ETHER = 1,

	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_MTU = 26,
	OPT_BROADCAST = 28,
	OPT_REQUESTED = 50,
	OPT_LEASE = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_CLIENT_ID = 61,
	OPT_END = 255,
};

static void take_ip(struct bytes *b, struct ip *ret)
{
	*ret = (struct ip){.family = AF_INET};
	bytes_copy(b, ret->b, 4);
}

static int parse_option(struct dhcp *d, uint8_t kind, struct bytes o)
{
	switch (kind) {
	case OPT_TYPE:
		if (o.len != 1)
			return -1;
		d->type = bytes_u8(&o);
		return 0;
	case OPT_REQUESTED:
	case OPT_SERVER:
		if (o.len != 4)
			return -1;
		take_ip(&o, kind == OPT_SERVER ? &d->server : &d->requested);
		return 0;
	case OPT_CLIENT_ID:
		d->n_id = o.len <= sizeof(d->id) ? (uint8_t)o.len : 0;
		bytes_copy(&o, d->id, d->n_id);
		return 0;
	default:
		return 0;
	}
}

static int parse_options(struct dhcp *d, struct bytes b)
{
	while (b.len > 0) {
		uint8_t kind = bytes_u8(&b), size;
		const uint8_t *value;

		if (kind == OPT_END)
			return 0;
		if (kind == OPT_PAD)
			continue;
		size = bytes_u8(&b);
		value = bytes_take(&b, size);
		if (b.is_short || parse_option(d, kind, bytes_of(value, size)) < 0)
			return -1;
	}
	return 0;
}

static bool is_of_client(uint8_t type)
{
	return type == DHCP_DISCOVER || type == DHCP_REQUEST || type == DHCP_DECLINE ||
	       type == DHCP_RELEASE || type == DHCP_INFORM;
}

int dhcp_parse(const uint8_t *p, size_t len, struct dhcp *ret)
{
	struct bytes b = bytes_of(p, len);
	uint8_t op = bytes_u8(&b), hw = bytes_u8(&b), hw_len = bytes_u8(&b);
	struct dhcp d = {0};
	uint32_t relay;

	bytes_u8(&b); /* hops */
	d.xid = bytes_u32(&b);
	bytes_u16(&b); /* seconds */
	d.is_broadcast = bytes_u16(&b) & FLAG_BROADCAST;
	take_ip(&b, &d.client);
	bytes_u32(&b); /* yiaddr, siaddr: the server's to fill */
	bytes_u32(&b);
	relay = bytes_u32(&b);
	bytes_copy(&b, d.mac.b, sizeof(d.mac.b));
	bytes_take(&b, 10 + 64 + 128); /* rest of chaddr, sname, file */
	if (bytes_u32(&b) != COOKIE || b.is_short)
		return -1;
	if (op != OP_REQUEST || hw != HW_ETHER || hw_len != 6 || relay != 0 || (d.mac.b[0] & 1) ||
	    parse_options(&d, b) < 0 || !is_of_client(d.type))
		return -1;
	*ret = d;
	return 0;
}

static void put_ip(struct out *o, uint8_t kind, const struct ip *ip)
{
	if (ip->family != AF_INET)
		return;
	out_u8(o, kind);
	out_u8(o, 4);
	out_copy(o, ip->b, 4);
}

static void put_u32(struct out *o, uint8_t kind, uint32_t v)
{
	out_u8(o, kind);
	out_u8(o, 4);
	out_u32(o, v);
}

/* What tells a client its network; a NAK tells nothing (RFC 2131 table 3). */
static void put_network(struct out *o, const struct dhcp_reply *a)
{
	uint32_t mask = a->prefix_len ? UINT32_MAX << (32 - a->prefix_len) : 0;

	if (a->lease_s)
		put_u32(o, OPT_LEASE, a->lease_s);
	put_u32(o, OPT_MASK, mask);
	put_ip(o, OPT_ROUTER, &a->server);
	put_ip(o, OPT_BROADCAST, &a->broadcast);
	put_ip(o, OPT_DNS, &a->dns);
	if (a->mtu) {
		out_u8(o, OPT_MTU);
		out_u8(o, 2);
		out_u16(o, a->mtu);
	}
}

size_t dhcp_build(uint8_t *out, const struct dhcp *q, const struct dhcp_reply *a)
{
	static const uint8_t zero[10 + 64 + 128];
	struct out o = out_of(out, DHCP_REPLY_MAX);

	out_u8(&o, OP_REPLY);
	out_u8(&o, HW_ETHER);
	out_u8(&o, 6);
	out_u8(&o, 0);
	out_u32(&o, q->xid);
	out_u16(&o, 0);
	out_u16(&o, q->is_broadcast ? FLAG_BROADCAST : 0);
	out_copy(&o, a->client.b, 4);
	out_copy(&o, a->yours.b, 4);
	out_u32(&o, 0); /* siaddr: no boot server */
	out_u32(&o, 0);
	out_copy(&o, q->mac.b, sizeof(q->mac.b));
	out_copy(&o, zero, sizeof(zero));
	out_u32(&o, COOKIE);
	out_u8(&o, OPT_TYPE);
	out_u8(&o, 1);
	out_u8(&o, a->type);
	put_ip(&o, OPT_SERVER, &a->server);
	if (a->type != DHCP_NAK)
		put_network(&o, a);
	if (q->n_id) { /* RFC 6842 3 */
		out_u8(&o, OPT_CLIENT_ID);
		out_u8(&o, q->n_id);
		out_copy(&o, q->id, q->n_id);
	}
	out_u8(&o, OPT_END);
	while (o.len < REPLY_MIN)
		out_u8(&o, OPT_PAD);
	return o.len;
}
