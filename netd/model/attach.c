/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach: the rules of an attachment's parts. A sysctl key becomes a path, so here is the gate: it
 * begins with net/, and its components are names as the kernel has them, never "." or "..". Read
 * the kernel's Documentation/networking/ip-sysctl.rst, rtnetlink(7) for scopes.
 */
#include "model/attach.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* The kernel's RT_SCOPE_*: this room knows no rtnetlink. */
enum { SCOPE_UNIVERSE = 0, SCOPE_SITE = 200, SCOPE_LINK = 253, SCOPE_HOST = 254 };

#define RATE_MIN 8000u /* a thousand bytes a second: less would not pass one packet a second */

static bool is_unicast(const struct ip *ip)
{
	return ip->family && !ip_is_any(ip) && !ip_is_multicast(ip) && !ip_is_loopback(ip) &&
	       !(ip->family == AF_INET && ip->b[0] >= 240);
}

int attach_ip_check(const struct attach_ip *ip, struct err *e)
{
	char s[PREFIX_STRLEN], t[IP_STRLEN];

	if (!is_unicast(&ip->addr.ip))
		return err_invalid(e, ERR_USAGE, "address %s is not one for an interface",
				   prefix_str(&ip->addr, s));
	if (ip->gateway.family &&
	    (ip->gateway.family != ip->addr.ip.family || !is_unicast(&ip->gateway)))
		return err_invalid(e, ERR_USAGE, "address %s: gateway %s", prefix_str(&ip->addr, s),
				   ip_str(&ip->gateway, t));
	return 0;
}

bool attach_rate_is_set(const struct attach_rate *r)
{
	return r->in_rate || r->out_rate;
}

bool attach_cap_is_set(const struct attach_cap *c)
{
	return c->conns || c->conn_rate || c->packet_rate || c->in_conns || c->in_conn_rate;
}

bool attach_cap_equal(const struct attach_cap *a, const struct attach_cap *b)
{
	return a->conns == b->conns && a->conn_rate == b->conn_rate &&
	       a->packet_rate == b->packet_rate && a->in_conns == b->in_conns &&
	       a->in_conn_rate == b->in_conn_rate;
}

bool attach_tune_is_set(const struct attach_tune *t)
{
	static const struct mac none;

	return t->has_promisc || t->has_allmulti || t->has_tx_queue_len || t->mtu ||
	       memcmp(&t->mac, &none, sizeof(none)) != 0;
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/* "net/" and further components of which none is empty, "." or "..". */
static bool is_path(const char *s)
{
	size_t start = 0, len = strlen(s);

	if (strncmp(s, "net/", 4) != 0 || len >= ATTACH_SYSCTL_KEYLEN)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (s[i] != '/' && s[i] != '\0') {
			if (!is_key_char(s[i]))
				return false;
			continue;
		}
		if (i == start || (s[start] == '.' && (i - start == 1 || s[start + 1] == '.')))
			return false;
		start = i + 1;
	}
	return true;
}

static bool is_value(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if ((s[i] < 0x20 && s[i] != '\t') || s[i] >= 0x7f)
			return false;
	return len > 0 && len < ATTACH_SYSCTL_VALUELEN;
}

int attach_sysctl_check(const struct attach_sysctl *s, struct err *e)
{
	if (memchr(s->key, 0, sizeof(s->key)) && is_path(s->key) &&
	    memchr(s->value, 0, sizeof(s->value)) && is_value(s->value))
		return 0;
	return err_invalid(e, ERR_USAGE, "sysctl \"%.*s\": not a key under net/ with a value",
			   (int)sizeof(s->key), s->key);
}

/* Copies key with IFNAME spelled out, '.' and '/' in the places of a path. */
static int spell(const char *key, const char *ifname, char out[ATTACH_SYSCTL_KEYLEN])
{
	const char *sep = strpbrk(key, "./"), *mark = strstr(key, "IFNAME");
	bool swap = sep && *sep == '.';
	size_t n = 0;

	for (const char *p = key; *p;) {
		const char *from = p;
		size_t len = 1;

		if (p == mark) {
			from = ifname;
			len = strlen(ifname);
			p += strlen("IFNAME");
		} else {
			p++;
		}
		if (n + len >= ATTACH_SYSCTL_KEYLEN)
			return -1;
		for (size_t i = 0; i < len; i++) {
			char c = from[i];

			if (swap && from != ifname && (c == '.' || c == '/'))
				c = c == '.' ? '/' : '.';
			out[n++] = c;
		}
	}
	out[n] = '\0';
	return 0;
}

int attach_sysctl_parse(const char *key, const char *value, const char *ifname,
			struct attach_sysctl *ret, struct err *e)
{
	struct attach_sysctl s = {.key = ""};

	if (spell(key, ifname, s.key) < 0 || !is_path(s.key))
		return err_invalid(e, ERR_USAGE,
				   "sysctl \"%.120s\": expected a key that begins with net. (or "
				   "net/) and has no empty part and no ..",
				   key);
	if (!is_value(value))
		return err_invalid(e, ERR_USAGE,
				   "sysctl %s: expected a value of 1..%d printable characters in "
				   "one line",
				   s.key, ATTACH_SYSCTL_VALUELEN - 1);
	snprintf(s.value, sizeof(s.value), "%s", value);
	*ret = s;
	return 0;
}

int attach_route_check(const struct attach_route *r, struct err *e)
{
	struct prefix net = prefix_network(&r->dst);
	char s[PREFIX_STRLEN], t[IP_STRLEN];

	if (r->dst.ip.family != AF_INET && r->dst.ip.family != AF_INET6)
		return err_invalid(e, ERR_USAGE, "a route without a destination");
	prefix_str(&r->dst, s);
	if (!prefix_equal(&net, &r->dst))
		return err_invalid(e, ERR_USAGE, "route to %s: host bits are set", s);
	if (r->gw.family && r->gw.family != r->dst.ip.family)
		return err_invalid(e, ERR_USAGE, "route to %s: gateway %s is of another family", s,
				   ip_str(&r->gw, t));
	if (r->scope != SCOPE_UNIVERSE && r->scope != SCOPE_SITE && r->scope != SCOPE_LINK &&
	    r->scope != SCOPE_HOST)
		return err_invalid(e, ERR_USAGE,
				   "route to %s: scope %d (expected 0, 200, 253 or 254)", s,
				   r->scope);
	if (r->gw.family && r->scope >= SCOPE_LINK)
		return err_invalid(e, ERR_USAGE, "route to %s: scope link has no gateway", s);
	if ((r->mtu && r->mtu < 68) || r->mtu > 65535 || r->advmss > 65535)
		return err_invalid(e, ERR_USAGE, "route to %s: mtu %u, advmss %u", s, r->mtu,
				   r->advmss);
	return 0;
}

int attach_rate_check(const struct attach_rate *r, struct err *e)
{
	const uint64_t rate[2] = {r->in_rate, r->out_rate}, burst[2] = {r->in_burst, r->out_burst};

	for (int i = 0; i < 2; i++) {
		if (rate[i] && rate[i] < RATE_MIN)
			return err_invalid(e, ERR_USAGE,
					   "rate of %llu bits a second: expected %u or more",
					   (unsigned long long)rate[i], RATE_MIN);
		if (burst[i] && !rate[i])
			return err_invalid(e, ERR_USAGE, "a burst without a rate");
		if (burst[i] / 8 > UINT32_MAX || (burst[i] && burst[i] < 8))
			return err_invalid(e, ERR_USAGE, "burst of %llu bits",
					   (unsigned long long)burst[i]);
	}
	return 0;
}

static const struct {
	const char *name;
	uint64_t factor;
} rate_units[] = {
	{"gbit", 1000000000},
	{"mbit", 1000000},
	{"kbit", 1000},
	{"bit", 1},
};
#define N_RATE_UNITS (sizeof(rate_units) / sizeof(rate_units[0]))

int attach_rate_parse(const char *s, uint64_t *ret_bits, struct err *e)
{
	size_t digits = strspn(s, "0123456789"), i = 0;
	uint64_t v;

	if (strcmp(s, "none") == 0) {
		*ret_bits = 0;
		return 0;
	}
	while (i < N_RATE_UNITS && strcmp(s + digits, rate_units[i].name) != 0)
		i++;
	if (i == N_RATE_UNITS || parse_u64_n(s, digits, 1, UINT64_MAX, &v) < 0 ||
	    __builtin_mul_overflow(v, rate_units[i].factor, &v) || v < RATE_MIN)
		return err_set(e, ERR_USAGE, 0,
			       "expected a rate of %u bit and more, as 250mbit (bit, kbit, mbit, "
			       "gbit), or none, found \"%.40s\"",
			       RATE_MIN, s);
	*ret_bits = v;
	return 0;
}

const char *attach_rate_str(uint64_t bits, char out[ATTACH_RATE_STRLEN])
{
	size_t i = 0;

	while (bits % rate_units[i].factor)
		i++;
	if (bits)
		snprintf(out, ATTACH_RATE_STRLEN, "%" PRIu64 "%s", bits / rate_units[i].factor,
			 rate_units[i].name);
	else
		snprintf(out, ATTACH_RATE_STRLEN, "none");
	return out;
}

bool attach_vlan_is_set(const struct attach_vlan *v)
{
	return v->pvid || v->n_trunk || v->is_alone;
}

static int check_range(uint16_t min, uint16_t max, struct err *e)
{
	if (min < VLAN_MIN || max > VLAN_MAX || min > max)
		return err_invalid(e, ERR_USAGE, "VLANs: expected %d..%d, found %u..%u", VLAN_MIN,
				   VLAN_MAX, min, max);
	return 0;
}

int attach_vlan_check(const struct attach_vlan *v, struct err *e)
{
	if (v->pvid > VLAN_MAX)
		return err_invalid(e, ERR_USAGE, "VLAN: expected %d..%d, found %u", VLAN_MIN,
				   VLAN_MAX, v->pvid);
	if (v->n_trunk > ATTACH_TRUNK_MAX)
		return err_invalid(e, ERR_USAGE, "more than %d ranges of VLANs", ATTACH_TRUNK_MAX);
	for (size_t i = 0; i < v->n_trunk; i++) {
		if (check_range(v->trunk[i].min, v->trunk[i].max, e) < 0)
			return -EINVAL;
		if (i && v->trunk[i].min <= v->trunk[i - 1].max)
			return err_invalid(e, ERR_USAGE, "VLANs: %u..%u is out of order",
					   v->trunk[i].min, v->trunk[i].max);
	}
	return 0;
}

int attach_vlan_add_trunk(struct attach_vlan *v, uint16_t min, uint16_t max, struct err *e)
{
	struct attach_vlan_range all[ATTACH_TRUNK_MAX + 1];
	size_t n = 0, i = 0;

	if (check_range(min, max, e) < 0)
		return -EINVAL;
	while (i < v->n_trunk && v->trunk[i].max + 1 < min)
		all[n++] = v->trunk[i++];
	for (; i < v->n_trunk && v->trunk[i].min <= max + 1; i++) {
		min = v->trunk[i].min < min ? v->trunk[i].min : min;
		max = v->trunk[i].max > max ? v->trunk[i].max : max;
	}
	all[n++] = (struct attach_vlan_range){min, max};
	while (i < v->n_trunk)
		all[n++] = v->trunk[i++];
	if (n > ATTACH_TRUNK_MAX)
		return err_set(e, ERR_QUOTA, 0, "more than %d ranges of VLANs", ATTACH_TRUNK_MAX);
	memcpy(v->trunk, all, n * sizeof(all[0]));
	v->n_trunk = (uint16_t)n;
	return 0;
}

bool attach_vlan_has(const struct attach_vlan *v, uint16_t vid)
{
	for (size_t i = 0; i < v->n_trunk; i++)
		if (vid >= v->trunk[i].min && vid <= v->trunk[i].max)
			return true;
	return false;
}
