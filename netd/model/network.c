/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network: the rules that make a description of a network a valid one, and what follows from them
 * (bridge name, gateways). It never asks the host whether a subnet is free. Special ranges: RFC
 * 6890.
 */
#include "model/network.h"

#include <string.h>

/* Ranges that no container can have addresses in, and what they are. */
static const struct {
	struct prefix range;
	const char *what;
} special[] = {
	{{{AF_INET, {0}}, 8}, "this host's"},
	{{{AF_INET, {127}}, 8}, "the loopback"},
	{{{AF_INET, {169, 254}}, 16}, "the link-local"},
	{{{AF_INET, {224}}, 4}, "the multicast"},
	{{{AF_INET, {240}}, 4}, "the reserved"},
	{{{AF_INET6, {0}}, 127}, "the unspecified and loopback"},
	{{{AF_INET6, {[10] = 0xff, [11] = 0xff}}, 96}, "the IPv4-mapped"},
	{{{AF_INET6, {0xfe, 0x80}}, 10}, "the link-local"},
	{{{AF_INET6, {0xff}}, 8}, "the multicast"},
};

static const struct ip routed_gateway[N_FAM] = {
	[FAM4] = {AF_INET, {169, 254, 1, 1}},
	[FAM6] = {AF_INET6, {0xfe, 0x80, [15] = 1}},
};

const char *net_mode_str(enum net_mode m)
{
	return m == NET_ROUTED ? "routed" : "bridge";
}

int net_mode_parse(const char *s, enum net_mode *ret, struct err *e)
{
	if (strcmp(s, "bridge") == 0)
		*ret = NET_BRIDGE;
	else if (strcmp(s, "routed") == 0)
		*ret = NET_ROUTED;
	else
		return err_invalid(e, ERR_USAGE, "expected bridge or routed, found \"%.40s\"", s);
	return 0;
}

/* NULL, or what is wrong with the length of a subnet. */
static const char *check_len(const struct prefix *p)
{
	if (ip_fam(&p->ip) == FAM4)
		return p->len < 8 || p->len > 30 ? "expected a prefix length 8..30" : NULL;
	return p->len < 48 || p->len > 126 ? "expected a prefix length 48..126" : NULL;
}

int network_check_subnet(const struct prefix *p, struct err *e)
{
	struct prefix net = prefix_network(p);
	const char *why = check_len(p);
	char s[PREFIX_STRLEN], t[PREFIX_STRLEN];

	if (p->ip.family == 0)
		return err_invalid(e, ERR_USAGE, "no subnet");
	if (why)
		return err_invalid(e, ERR_USAGE, "subnet %s: %s", prefix_str(p, s), why);
	if (!prefix_equal(&net, p))
		return err_invalid(e, ERR_USAGE,
				   "subnet %s has host bits set: the network address is %s",
				   prefix_str(p, s), prefix_str(&net, t));
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (prefix_overlaps(p, &special[i].range))
			return err_invalid(e, ERR_USAGE, "subnet %s lies in %s range %s",
					   prefix_str(p, s), special[i].what,
					   prefix_str(&special[i].range, t));
	return 0;
}

bool network_is_special(const struct ip *ip)
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (prefix_contains(&special[i].range, ip))
			return true;
	return false;
}

struct ip network_gateway(enum net_mode mode, const struct prefix *subnet)
{
	struct ip gw = {0};

	if (mode == NET_ROUTED)
		return routed_gateway[ip_fam(&subnet->ip)];
	(void)prefix_nth(subnet, 1, &gw); /* a subnet that was checked has one */
	return gw;
}

int network_check_gateway(enum net_mode mode, const struct prefix *subnet, const struct ip *gw,
			  struct err *e)
{
	struct ip expected = network_gateway(mode, subnet);
	char s[IP_STRLEN], t[IP_STRLEN];

	if (ip_equal(gw, &expected))
		return 0;
	return err_invalid(e, ERR_USAGE, "expected the gateway %s, found %s", ip_str(&expected, s),
			   ip_str(gw, t));
}

int network_check_nomasq(const struct prefix *list, size_t n, struct err *e)
{
	char s[PREFIX_STRLEN], t[PREFIX_STRLEN];

	if (n > NETWORK_NOMASQ_MAX)
		return err_invalid(e, ERR_USAGE, "more than %d destinations without masquerading",
				   NETWORK_NOMASQ_MAX);
	for (size_t i = 0; i < n; i++) {
		struct prefix net = prefix_network(&list[i]);

		if (!prefix_equal(&net, &list[i]))
			return err_invalid(
				e, ERR_USAGE,
				"destination %s has host bits set: the network address is %s",
				prefix_str(&list[i], s), prefix_str(&net, t));
		for (size_t j = 0; j < i; j++)
			if (prefix_overlaps(&list[i], &list[j]))
				return err_invalid(e, ERR_USAGE, "destinations %s and %s overlap",
						   prefix_str(&list[j], s),
						   prefix_str(&list[i], t));
	}
	return 0;
}

static int check_mtu(const struct network *n, struct err *e)
{
	/* RFC 791: 68; RFC 8200 section 5: a link that carries IPv6 has at least 1,280. */
	uint32_t min = n->subnet[FAM6].ip.family ? 1280 : 68;

	if (n->mtu == 0 || (n->mtu >= min && n->mtu <= 65535))
		return 0;
	return err_invalid(e, ERR_USAGE, "MTU: expected %u..65535, found %u", min, n->mtu);
}

size_t network_subnets(const struct network *n, struct net_subnet ret[NETWORK_SUBNET_MAX])
{
	size_t k = 0;

	for (int f = 0; f < N_FAM; f++)
		if (n->subnet[f].ip.family)
			ret[k++] = (struct net_subnet){.subnet = n->subnet[f],
						       .gateway = n->gateway[f],
						       .is_member = n->is_member[f],
						       .is_own = n->is_own[f]};
	for (size_t i = 0; i < n->n_more; i++)
		ret[k++] = n->more[i];
	return k;
}

bool network_find_subnet(const struct network *n, const struct ip *ip, struct net_subnet *ret)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);

	for (size_t i = 0; i < k; i++) {
		if (prefix_contains(&list[i].subnet, ip)) {
			*ret = list[i];
			return true;
		}
	}
	return false;
}

void network_set_own(struct network *n, const struct prefix *subnet, bool is_own)
{
	for (int f = 0; f < N_FAM; f++)
		if (prefix_equal(&n->subnet[f], subnet))
			n->is_own[f] = is_own;
	for (size_t i = 0; i < n->n_more; i++)
		if (prefix_equal(&n->more[i].subnet, subnet))
			n->more[i].is_own = is_own;
}

int network_add_subnet(struct network *n, const struct net_subnet *s, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);
	int f = ip_fam(&s->subnet.ip);
	char a[PREFIX_STRLEN], b[PREFIX_STRLEN];

	for (size_t i = 0; i < k; i++)
		if (prefix_overlaps(&list[i].subnet, &s->subnet))
			return err_invalid(e, ERR_USAGE, "subnets %s and %s of network %s overlap",
					   prefix_str(&list[i].subnet, a),
					   prefix_str(&s->subnet, b), n->name);
	if (!n->subnet[f].ip.family) {
		n->subnet[f] = s->subnet;
		n->gateway[f] = s->gateway;
		n->is_member[f] = s->is_member;
		n->is_own[f] = s->is_own;
		return 0;
	}
	if (n->n_more == NETWORK_MORE_MAX)
		return err_invalid(e, ERR_QUOTA, "network %s has more than %d subnets", n->name,
				   NETWORK_SUBNET_MAX);
	n->more[n->n_more++] = *s;
	return 0;
}

/* Described by a caller: what it leaves out follows, what it says is only checked. */
static int complete_spec(struct network *n, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);
	char s[PREFIX_STRLEN], t[IP_STRLEN];
	int r = 0;

	if (n->mode == NET_ROUTED)
		memset(n->bridge, 0, sizeof(n->bridge));
	else if (!n->bridge[0])
		name_bridge(n->name, n->bridge);
	else
		r = name_check_ifname(n->bridge, "bridge", e);
	for (size_t i = 0; r == 0 && i < k; i++) {
		struct prefix net = prefix_network(&list[i].subnet);

		if (!prefix_equal(&net, &list[i].subnet))
			r = err_invalid(e, ERR_USAGE, "subnet %s has host bits set",
					prefix_str(&list[i].subnet, s));
		else if (n->mode == NET_BRIDGE && list[i].gateway.family && !list[i].is_member &&
			 !prefix_contains(&net, &list[i].gateway))
			r = err_invalid(e, ERR_USAGE, "gateway %s is outside of %s",
					ip_str(&list[i].gateway, t),
					prefix_str(&list[i].subnet, s));
	}
	for (int f = 0; f < N_FAM; f++)
		if (n->mode == NET_ROUTED && n->subnet[f].ip.family)
			n->gateway[f] = routed_gateway[f];
	for (size_t i = 0; n->mode == NET_ROUTED && i < n->n_more; i++)
		n->more[i].gateway = routed_gateway[ip_fam(&n->more[i].subnet.ip)];
	if (r == 0)
		r = network_check_nomasq(n->nomasq, n->n_nomasq, e);
	return r < 0 ? r : check_mtu(n, e);
}

int network_complete(struct network *n, struct err *e)
{
	struct network done = *n;
	bool has_any = false;
	int r;

	r = name_check_network(n->name, "network name", e);
	if (r < 0)
		return r;
	if (n->is_spec) {
		r = complete_spec(&done, e);
		if (r == 0)
			*n = done;
		return r;
	}
	memset(done.bridge, 0, sizeof(done.bridge));
	if (n->mode == NET_BRIDGE)
		name_bridge(n->name, done.bridge);
	for (int f = 0; f < N_FAM; f++) {
		char s[PREFIX_STRLEN];

		done.gateway[f] = (struct ip){0};
		if (n->subnet[f].ip.family == 0)
			continue;
		has_any = true;
		if (ip_fam(&n->subnet[f].ip) != f)
			return err_invalid(e, ERR_USAGE, "subnet %s is not of family IPv%d",
					   prefix_str(&n->subnet[f], s), f == FAM4 ? 4 : 6);
		r = network_check_subnet(&n->subnet[f], e);
		if (r < 0)
			return r;
		done.gateway[f] = network_gateway(n->mode, &n->subnet[f]);
	}
	if (!has_any)
		return err_invalid(e, ERR_USAGE, "network %s: expected at least one subnet",
				   n->name);
	r = network_check_nomasq(n->nomasq, n->n_nomasq, e);
	if (r == 0)
		r = check_mtu(n, e);
	if (r < 0)
		return r;
	*n = done;
	return 0;
}

bool network_resolver(const struct network *n, int fam, struct ip *ret)
{
	const struct prefix *p = &n->subnet[fam];

	if (!n->names || !p->ip.family)
		return false;
	if (n->mode == NET_ROUTED)
		return !n->is_spec && prefix_nth(p, 1, ret) == 0;
	if ((n->is_spec && !n->is_gateway) || !n->gateway[fam].family ||
	    !prefix_contains(p, &n->gateway[fam]))
		return false;
	*ret = n->gateway[fam];
	return true;
}
