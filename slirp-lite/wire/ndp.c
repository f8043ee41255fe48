/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ndp: form and validity of neighbour discovery messages. Whoever forged one from off the link is
 * stopped here by its hop limit; what a valid one may change is decided in local/ndp.c.
 * RFC 4861 4, 6.1, 7.1; RFC 8106 5.1; RFC 6980 (no fragments: whole packets only come here).
 */
#include "wire/ndp.h"

#include "wire/bytes.h"
#include "wire/icmp.h"

enum {
	OPT_SOURCE_MAC = 1,
	OPT_TARGET_MAC = 2,
	OPT_PREFIX = 3,
	OPT_MTU = 5,
	OPT_DNS = 25,
};

#define FOREVER UINT32_MAX

/* RFC 4861 4.6: lengths count 8 bytes, and 0 has the whole packet discarded. */
static int parse_options(struct bytes b, uint8_t wanted, struct ndp *n)
{
	while (b.len > 0) {
		uint8_t type = bytes_u8(&b), size = bytes_u8(&b);
		const uint8_t *value;
		struct bytes o;

		if (b.is_short || size == 0)
			return -1;
		value = bytes_take(&b, size * 8u - 2);
		if (!value)
			return -1;
		if (type != wanted || size != 1)
			continue;
		o = bytes_of(value, 6);
		n->has_mac = bytes_copy(&o, n->mac.b, sizeof(n->mac.b));
	}
	return n->has_mac && (n->mac.b[0] & 1) ? -1 : 0;
}

static bool is_solicited_node(const struct ip *ip)
{
	static const uint8_t head[13] = {0xff, 2, [11] = 1, [12] = 0xff};

	return memcmp(ip->b, head, sizeof(head)) == 0;
}

static int check(const struct ip_packet *k, const struct ndp *n)
{
	bool is_from_nobody = ip_is_any(&k->src);

	if (ip_is_multicast(&k->src))
		return -1;
	switch (n->type) {
	case ICMP_V6_RS:
		return is_from_nobody && n->has_mac ? -1 : 0;
	case ICMP_V6_NS:
		if (is_from_nobody && (n->has_mac || !is_solicited_node(&k->dst)))
			return -1;
		return ip_is_multicast(&n->target) ? -1 : 0;
	default:
		if (ip_is_multicast(&k->dst) && n->is_solicited)
			return -1;
		return ip_is_multicast(&n->target) || is_from_nobody ? -1 : 0;
	}
}

int ndp_parse(const struct ip_packet *k, struct ndp *ret)
{
	struct bytes b = bytes_of(k->payload, k->len);
	struct ndp n = {.type = bytes_u8(&b)};
	uint8_t code = bytes_u8(&b), flags;

	if (n.type != ICMP_V6_RS && n.type != ICMP_V6_NS && n.type != ICMP_V6_NA)
		return -1;
	bytes_u16(&b);
	flags = bytes_u8(&b);
	bytes_take(&b, 3);
	if (n.type != ICMP_V6_RS) {
		n.target.family = AF_INET6;
		bytes_copy(&b, n.target.b, 16);
	}
	if (n.type == ICMP_V6_NA) {
		n.is_router = flags & 0x80;
		n.is_solicited = flags & 0x40;
		n.is_override = flags & 0x20;
	}
	if (b.is_short || k->ttl != NDP_HOP_LIMIT || code != 0 ||
	    parse_options(b, n.type == ICMP_V6_NA ? OPT_TARGET_MAC : OPT_SOURCE_MAC, &n) < 0 ||
	    check(k, &n) < 0)
		return -1;
	*ret = n;
	return 0;
}

static void put_mac(struct out *o, uint8_t type, const struct mac *mac)
{
	out_u8(o, type);
	out_u8(o, 1);
	out_copy(o, mac->b, sizeof(mac->b));
}

void ndp_build_na(uint8_t *out, const struct ip *target, const struct mac *mac, bool is_solicited)
{
	struct out o = out_of(out, NDP_NA_LEN);

	out_u8(&o, ICMP_V6_NA);
	out_u8(&o, 0);
	out_u16(&o, 0);
	out_u32(&o, 0xa0000000u | (is_solicited ? 0x40000000u : 0)); /* router, override */
	out_copy(&o, target->b, 16);
	put_mac(&o, OPT_TARGET_MAC, mac);
}

void ndp_build_ns(uint8_t *out, const struct ip *target, const struct mac *mac)
{
	struct out o = out_of(out, NDP_NS_LEN);

	out_u8(&o, ICMP_V6_NS);
	out_u8(&o, 0);
	out_u16(&o, 0);
	out_u32(&o, 0);
	out_copy(&o, target->b, 16);
	put_mac(&o, OPT_SOURCE_MAC, mac);
}

static void put_prefix(struct out *o, const struct ndp_ra *ra)
{
	struct prefix net = prefix_network(&ra->prefix);

	out_u8(o, OPT_PREFIX);
	out_u8(o, 4);
	out_u8(o, net.len);
	out_u8(o, ra->is_autonomous ? 0xc0 : 0x80); /* on link, autonomous */
	out_u32(o, FOREVER);                        /* valid */
	out_u32(o, FOREVER);                        /* preferred */
	out_u32(o, 0);
	out_copy(o, net.ip.b, 16);
}

size_t ndp_build_ra(uint8_t *out, const struct ndp_ra *ra)
{
	struct out o = out_of(out, NDP_RA_MAX);

	out_u8(&o, ICMP_V6_RA);
	out_u8(&o, 0);
	out_u16(&o, 0);
	out_u8(&o, 64); /* hop limit for the guest */
	out_u8(&o, (uint8_t)((ra->is_managed ? 0x80 : 0) | (ra->is_other ? 0x40 : 0)));
	out_u16(&o, ra->lifetime);
	out_u32(&o, 0); /* reachable time and retransmission timer: the guest's own */
	out_u32(&o, 0);
	put_mac(&o, OPT_SOURCE_MAC, &ra->mac);
	out_u8(&o, OPT_MTU);
	out_u8(&o, 1);
	out_u16(&o, 0);
	out_u32(&o, ra->mtu);
	put_prefix(&o, ra);
	if (ra->dns.family) {
		out_u8(&o, OPT_DNS);
		out_u8(&o, 3);
		out_u16(&o, 0);
		out_u32(&o, FOREVER);
		out_copy(&o, ra->dns.b, 16);
	}
	return o.len;
}
