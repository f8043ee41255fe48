/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal: RFC 791 3.1, RFC 8200 3. Every byte is taken from a cursor that ends where they end. */
#include "model/refusal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define IP4_LEN 20
#define IP6_LEN 40

struct cursor {
	const uint8_t *p;
	size_t left;
	bool is_short;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (n > c->left) {
		c->is_short = true;
		return NULL;
	}
	c->p += n;
	c->left -= n;
	return p;
}

static struct ip ip_of(int family, const uint8_t *p)
{
	struct ip ip = {.family = (uint8_t)family};

	memcpy(ip.b, p, family == AF_INET ? 4 : 16);
	return ip;
}

/* What comes next has ports, unless it is a later fragment. */
static void take_port(struct cursor *c, struct refusal *r)
{
	const uint8_t *p = r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP ? take(c, 4) : NULL;

	if (p)
		r->port = (uint16_t)(p[2] << 8 | p[3]);
}

static int parse4(struct cursor *c, struct refusal *r)
{
	const uint8_t *h = take(c, IP4_LEN);
	size_t len = h ? (h[0] & 15u) * 4u : 0;

	if (len < IP4_LEN)
		return -EBADMSG;
	r->proto = h[9];
	r->from = ip_of(AF_INET, h + 12);
	r->to = ip_of(AF_INET, h + 16);
	(void)take(c, len - IP4_LEN);
	if (!c->is_short && ((h[6] & 0x1f) | h[7]) == 0)
		take_port(c, r);
	return 0;
}

static int parse6(struct cursor *c, struct refusal *r)
{
	const uint8_t *h = take(c, IP6_LEN);

	if (!h)
		return -EBADMSG;
	r->proto = h[6];
	r->from = ip_of(AF_INET6, h + 8);
	r->to = ip_of(AF_INET6, h + 24);
	take_port(c, r);
	return 0;
}

int refusal_parse(const uint8_t *packet, size_t len, struct refusal *ret)
{
	struct cursor c = {.p = packet, .left = len};
	struct refusal r = {.proto = 0};
	int version = len ? packet[0] >> 4 : 0;
	int w = version == 4 ? parse4(&c, &r) : version == 6 ? parse6(&c, &r) : -EBADMSG;

	if (w == 0)
		*ret = r;
	return w;
}

static const char *proto_str(uint8_t proto, char out[16])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		snprintf(out, 16, "proto-%u", proto);
		return out;
	}
}

const char *refusal_str(const struct refusal *r, char out[REFUSAL_STRLEN])
{
	bool in_brackets = r->port && r->to.family == AF_INET6;
	char s[IP_STRLEN], proto[16], port[8] = "";

	if (r->port)
		snprintf(port, sizeof(port), ":%u", r->port);
	snprintf(out, REFUSAL_STRLEN, "%s %s%s%s%s", proto_str(r->proto, proto),
		 in_brackets ? "[" : "", ip_str(&r->to, s), in_brackets ? "]" : "", port);
	return out;
}
