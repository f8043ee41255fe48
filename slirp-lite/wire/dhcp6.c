/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp6: messages and options, one level of nesting (addresses inside an IA_NA). Relay messages and
 * prefix delegation are refused by not being known. What is answered is decided in local/dhcp6.c.
 * RFC 8415 8, 16, 21; RFC 3646 3.
 */
#include "wire/dhcp6.h"

#include "wire/bytes.h"

enum {
	OPT_CLIENT_ID = 1,
	OPT_SERVER_ID = 2,
	OPT_IA_NA = 3,
	OPT_IA_ADDRESS = 5,
	OPT_ORO = 6,
	OPT_STATUS = 13,
	OPT_RAPID = 14,
	OPT_DNS = 23,
};

#define ADDRESS_LEN 24 /* address, preferred and valid lifetime */

/* The next option; false: none, or *is_bad. */
static bool next_option(struct bytes *b, uint16_t *ret_kind, struct bytes *ret, bool *is_bad)
{
	uint16_t kind, size;
	const uint8_t *value;

	if (b->len == 0)
		return false;
	kind = bytes_u16(b);
	size = bytes_u16(b);
	value = bytes_take(b, size);
	if (b->is_short) {
		*is_bad = true;
		return false;
	}
	*ret_kind = kind;
	*ret = bytes_of(value, size);
	return true;
}

static bool parse_duid(struct bytes o, struct dhcp6_duid *ret)
{
	if (o.len < 2 || o.len > sizeof(ret->b) || ret->len)
		return false;
	ret->len = (uint8_t)o.len;
	return bytes_copy(&o, ret->b, ret->len);
}

static bool parse_ia(struct bytes o, struct dhcp6 *d)
{
	struct ip address = {0};
	uint32_t id = bytes_u32(&o);
	bool is_bad = false;
	struct bytes inner;
	uint16_t kind;

	bytes_take(&o, 8); /* T1, T2: the server's to say */
	if (o.is_short)
		return false;
	while (next_option(&o, &kind, &inner, &is_bad)) {
		if (kind != OPT_IA_ADDRESS)
			continue;
		if (inner.len < ADDRESS_LEN)
			return false;
		if (!address.family) {
			address.family = AF_INET6;
			bytes_copy(&inner, address.b, 16);
		}
	}
	if (d->n_ia < DHCP6_IA_MAX) {
		d->ia[d->n_ia].id = id;
		d->ia[d->n_ia].address = address;
		d->n_ia++;
	}
	return !is_bad;
}

static bool parse_option(struct dhcp6 *d, uint16_t kind, struct bytes o)
{
	switch (kind) {
	case OPT_CLIENT_ID:
		return parse_duid(o, &d->client);
	case OPT_SERVER_ID:
		return parse_duid(o, &d->server);
	case OPT_IA_NA:
		return parse_ia(o, d);
	case OPT_ORO:
		if (o.len % 2 != 0)
			return false;
		while (o.len > 0)
			d->wants_dns |= bytes_u16(&o) == OPT_DNS;
		return true;
	case OPT_RAPID:
		d->is_rapid = true;
		return o.len == 0;
	default:
		return true;
	}
}

/* RFC 8415 16.2 to 16.12. */
static bool ids_ok(const struct dhcp6 *d)
{
	switch (d->type) {
	case DHCP6_SOLICIT:
	case DHCP6_CONFIRM:
	case DHCP6_REBIND:
		return d->client.len && !d->server.len;
	case DHCP6_REQUEST:
	case DHCP6_RENEW:
	case DHCP6_RELEASE:
	case DHCP6_DECLINE:
		return d->client.len && d->server.len;
	case DHCP6_INFORMATION: /* 16.12: an IA has it discarded */
		return d->n_ia == 0;
	default:
		return false;
	}
}

int dhcp6_parse(const uint8_t *p, size_t len, struct dhcp6 *ret)
{
	struct bytes b = bytes_of(p, len), o;
	uint32_t head = bytes_u32(&b);
	struct dhcp6 d = {.type = (uint8_t)(head >> 24), .xid = head & 0xffffff};
	bool is_bad = false;
	uint16_t kind;

	if (b.is_short)
		return -1;
	while (next_option(&b, &kind, &o, &is_bad))
		if (!parse_option(&d, kind, o))
			return -1;
	if (is_bad || !ids_ok(&d))
		return -1;
	*ret = d;
	return 0;
}

static void put_head(struct out *o, uint16_t kind, size_t len)
{
	out_u16(o, kind);
	out_u16(o, (uint16_t)len);
}

static void put_status(struct out *o, uint16_t status)
{
	put_head(o, OPT_STATUS, 2);
	out_u16(o, status);
}

static void put_ia(struct out *o, uint32_t id, const struct dhcp6_reply *a, bool has_address)
{
	put_head(o, OPT_IA_NA, 12 + 4 + (has_address ? ADDRESS_LEN : 2u));
	out_u32(o, id);
	out_u32(o, a->lifetime_s / 2);     /* T1 */
	out_u32(o, a->lifetime_s / 5 * 4); /* T2 */
	if (!has_address) {
		put_status(o, a->ia_status);
		return;
	}
	put_head(o, OPT_IA_ADDRESS, ADDRESS_LEN);
	out_copy(o, a->address.b, 16);
	out_u32(o, a->lifetime_s);
	out_u32(o, a->lifetime_s);
}

size_t dhcp6_build(uint8_t *out, const struct dhcp6 *q, const struct dhcp6_reply *a)
{
	struct out o = out_of(out, DHCP6_REPLY_MAX);

	out_u32(&o, (uint32_t)a->type << 24 | q->xid);
	if (q->client.len) {
		put_head(&o, OPT_CLIENT_ID, q->client.len);
		out_copy(&o, q->client.b, q->client.len);
	}
	put_head(&o, OPT_SERVER_ID, a->server.len);
	out_copy(&o, a->server.b, a->server.len);
	if (a->type == DHCP6_REPLY && q->type == DHCP6_SOLICIT)
		put_head(&o, OPT_RAPID, 0);
	if (a->has_status)
		put_status(&o, a->status);
	if (q->type != DHCP6_CONFIRM)
		for (uint8_t i = 0; i < q->n_ia; i++)
			put_ia(&o, q->ia[i].id, a, i == 0 && a->address.family == AF_INET6);
	if (a->dns.family == AF_INET6) {
		put_head(&o, OPT_DNS, 16);
		out_copy(&o, a->dns.b, 16);
	}
	return o.len;
}
