/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publish: reads and prints the port grammar and decides which runs collide. It never looks at the
 * host: whether a port is free is for the claims and the sockets to say. The canonical text always
 * names both ports and the protocol, so two equal runs have one text.
 */
#include "model/publish.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

#define SPEC_MAX 128 /* longer than any valid text */
#define FEW 32       /* runs that are compared each with each */

static int bad(const char *spec, struct err *e, const char *what)
{
	return err_invalid(e, ERR_USAGE, "\"%.128s\": %s", spec, what);
}

int proto_parse(const char *s, uint8_t *ret, struct err *e)
{
	static const uint8_t all[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	for (size_t i = 0; i < sizeof(all); i++) {
		if (strcmp(s, proto_str(all[i])) == 0) {
			*ret = all[i];
			return 0;
		}
	}
	return err_invalid(e, ERR_USAGE, "expected the protocol tcp, udp or sctp, found \"%.20s\"",
			   s);
}

int publish_check_host_ip(const struct ip *ip, struct err *e)
{
	static const struct ip broadcast = {.family = AF_INET, .b = {255, 255, 255, 255}};
	const char *why = NULL;
	char s[IP_STRLEN];

	if (ip_is_multicast(ip) || ip_equal(ip, &broadcast))
		why = "is not a unicast address";
	else if (ip->family == AF_INET6 && ip_is_link_local(ip))
		/* It names a host only together with an interface. */
		why = "is a link-local address";
	if (why)
		return err_invalid(e, ERR_USAGE, "host address %s %s", ip_str(ip, s), why);
	return 0;
}

/* Takes "HOSTIP:" off the front of *s when there is one; without, *ret stays as it is. */
static int parse_host_ip(const char *spec, char **s, struct ip *ret, struct err *e)
{
	struct ip ip;
	char *end;
	int r;

	if (**s == '[') {
		end = strchr(*s, ']');
		if (!end || end[1] != ':')
			return bad(spec, e, "expected \"]:\" after the IPv6 host address");
		*end++ = '\0';
		r = ip_parse(*s + 1, &ip, e);
		if (r == 0 && ip.family != AF_INET6)
			return bad(spec, e, "only an IPv6 host address stands in brackets");
	} else {
		end = strchr(*s, ':');
		/* A dot before the first colon: an address; no port has one. */
		if (!end || !memchr(*s, '.', (size_t)(end - *s)))
			return 0;
		*end = '\0';
		r = ip_parse(*s, &ip, e);
	}
	if (r == 0)
		r = publish_check_host_ip(&ip, e);
	if (r < 0)
		return err_ctx(e, r, "\"%.128s\"", spec);
	*s = end + 1;
	*ret = ip;
	return 0;
}

static int parse_port(const char *spec, const char *what, const char *s, uint32_t min,
		      uint32_t *ret, struct err *e)
{
	if (parse_u32(s, min, 65535, ret) == 0)
		return 0;
	return err_invalid(e, ERR_USAGE,
			   "\"%.128s\": %s port: expected a number %u..65535, found \"%.20s\"",
			   spec, what, min, s);
}

static int parse_range(const char *spec, const char *what, char *s, uint32_t min,
		       uint32_t *ret_first, uint32_t *ret_count, struct err *e)
{
	char *dash = strchr(s, '-');
	uint32_t first, last;
	int r;

	if (dash)
		*dash = '\0';
	r = parse_port(spec, what, s, dash ? 1 : min, &first, e);
	if (r < 0)
		return r;
	last = first;
	if (dash) {
		r = parse_port(spec, what, dash + 1, 1, &last, e);
		if (r < 0)
			return r;
	}
	if (last < first)
		return err_invalid(e, ERR_USAGE,
				   "\"%.128s\": %s ports: the range %u-%u is reversed", spec, what,
				   first, last);
	*ret_first = first;
	*ret_count = last - first + 1;
	return 0;
}

int publish_parse(const char *spec, struct publish *ret, struct err *e)
{
	struct publish p = {.proto = IPPROTO_TCP};
	uint32_t host, ctr, n_host, n_ctr;
	char copy[SPEC_MAX], *s = copy, *slash, *colon;
	size_t len = strlen(spec);
	int r;

	if (len == 0 || len >= sizeof(copy))
		return bad(spec, e,
			   "expected [HOSTIP:]HOST[-HOST][:CTR[-CTR]][/tcp|udp|sctp] as published "
			   "port");
	memcpy(copy, spec, len + 1);
	slash = strchr(s, '/');
	if (slash) {
		*slash = '\0';
		r = proto_parse(slash + 1, &p.proto, e);
		if (r < 0)
			return err_ctx(e, r, "\"%.128s\"", spec);
	}
	r = parse_host_ip(spec, &s, &p.host_ip, e);
	if (r < 0)
		return r;
	colon = strchr(s, ':');
	if (colon)
		*colon = '\0';
	r = parse_range(spec, "host", s, 0, &host, &n_host, e);
	if (r < 0)
		return r;
	if (!colon && host == 0)
		return bad(spec, e, "host port 0 (any free one) needs a container port after it");
	ctr = host;
	n_ctr = n_host;
	if (colon) {
		r = parse_range(spec, "container", colon + 1, 1, &ctr, &n_ctr, e);
		if (r < 0)
			return r;
	}
	if (host == 0 && n_ctr != 1)
		return bad(spec, e,
			   "host port 0 (any free one) takes one container port, no range");
	if (n_ctr != n_host)
		return err_invalid(e, ERR_USAGE, "\"%.128s\": %u host ports but %u container ports",
				   spec, n_host, n_ctr);
	p.host_port = (uint16_t)host;
	p.ctr_port = (uint16_t)ctr;
	p.count = (uint16_t)n_host;
	*ret = p;
	return 0;
}

static size_t print_range(char *out, size_t room, uint16_t first, uint16_t count)
{
	if (count > 1)
		return (size_t)snprintf(out, room, "%u-%u", first, first + count - 1u);
	return (size_t)snprintf(out, room, "%u", first);
}

const char *publish_str(const struct publish *p, char out[PUBLISH_STRLEN])
{
	char ip[IP_STRLEN];
	size_t n = 0;

	ip_str(&p->host_ip, ip);
	if (p->host_ip.family == AF_INET6)
		n += (size_t)snprintf(out, PUBLISH_STRLEN, "[%s]:", ip);
	else if (p->host_ip.family == AF_INET)
		n += (size_t)snprintf(out, PUBLISH_STRLEN, "%s:", ip);
	n += print_range(out + n, PUBLISH_STRLEN - n, p->host_port, p->count);
	out[n++] = ':';
	n += print_range(out + n, PUBLISH_STRLEN - n, p->ctr_port, p->count);
	snprintf(out + n, PUBLISH_STRLEN - n, "/%s", proto_str(p->proto));
	return out;
}

const char *proto_str(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		return "unknown";
	}
}

bool publish_equal(const struct publish *a, const struct publish *b)
{
	return a->proto == b->proto && ip_equal(&a->host_ip, &b->host_ip) &&
	       a->host_port == b->host_port && a->ctr_port == b->ctr_port && a->count == b->count &&
	       a->is_unheld == b->is_unheld;
}

bool publish_covers(const struct publish *p, int f)
{
	return p->host_ip.family == 0 || ip_fam(&p->host_ip) == f;
}

static bool is_wild(const struct ip *ip)
{
	return ip->family == 0 || ip_is_any(ip);
}

bool publish_overlaps(const struct publish *a, const struct publish *b)
{
	/* A port still to be picked is picked free. */
	if (a->proto != b->proto || a->host_port == 0 || b->host_port == 0)
		return false;
	if (a->host_port + a->count <= b->host_port || b->host_port + b->count <= a->host_port)
		return false;
	if (!(publish_covers(a, FAM4) && publish_covers(b, FAM4)) &&
	    !(publish_covers(a, FAM6) && publish_covers(b, FAM6)))
		return false;
	return is_wild(&a->host_ip) || is_wild(&b->host_ip) || ip_equal(&a->host_ip, &b->host_ip);
}

bool publish_is_interval(const struct publish *p)
{
	return p->count > PUBLISH_EXPLODE_MAX && p->host_port == p->ctr_port;
}

static int say_overlap(const struct publish *x, const struct publish *y, struct err *e)
{
	char a[PUBLISH_STRLEN], b[PUBLISH_STRLEN];

	return err_invalid(e, ERR_USAGE, "published ports %s and %s overlap", publish_str(x, a),
			   publish_str(y, b));
}

static int check_pairs(const struct publish *list, size_t n, struct err *e)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (publish_overlaps(&list[j], &list[i]))
				return say_overlap(&list[j], &list[i], e);
	return 0;
}

struct in_order {
	const struct publish *p;
};

static int by_host_port(const void *left, const void *right)
{
	const struct in_order *a = left, *b = right;

	return a->p->host_port - b->p->host_port;
}

/* By host port each has to be compared with those only that begin before it ends. */
static int check_sorted(struct in_order *sorted, size_t n, struct err *e)
{
	qsort(sorted, n, sizeof(*sorted), by_host_port);
	for (size_t i = 0; i < n; i++) {
		const struct publish *a = sorted[i].p;

		for (size_t j = i + 1; j < n; j++) {
			const struct publish *b = sorted[j].p;

			if (b->host_port >= a->host_port + a->count)
				break;
			if (publish_overlaps(a, b))
				return a < b ? say_overlap(a, b, e) : say_overlap(b, a, e);
		}
	}
	return 0;
}

int publish_check_list(const struct publish *list, size_t n, struct err *e)
{
	struct in_order *sorted = n > FEW ? calloc(n, sizeof(*sorted)) : NULL;
	int r;

	if (!sorted)
		return check_pairs(list, n, e);
	for (size_t i = 0; i < n; i++)
		sorted[i].p = &list[i];
	r = check_sorted(sorted, n, e);
	free(sorted);
	return r;
}
