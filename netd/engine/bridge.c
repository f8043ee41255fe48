/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridge: the bridges of networks. Ours carries our mark and the MAC address that follows from the
 * network's gateway; it goes with the last member. A described network may name a bridge that is
 * there already, made by another such network or by somebody else: it is used as it is, gets the
 * gateway addresses that it lacks (which are recorded first, and taken back), and is not deleted
 * while anybody else could be using it. Global lock held throughout.
 */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "engine/internal.h"
#include "net/route.h"
#include "net/uplink.h"
#include "store/hostlog.h"
#include "sys/probe.h"
#include "sys/sysctl.h"

static struct mac bridge_mac(const struct network *n)
{
	const struct ip *gw = n->gateway[FAM4].family ? &n->gateway[FAM4] : &n->gateway[FAM6];
	uint64_t h = hash64(n->name, strlen(n->name), 0x6272);
	struct mac m;

	if (gw->family)
		return mac_from_ip(gw);
	memcpy(m.b, &h, sizeof(m.b));
	m.b[0] = 0x76; /* locally administered, unlike that of any address */
	return m;
}

/* ---- looking ---- */

static int not_usable(struct work *w, const struct link_info *l, struct err *e)
{
	if (!w->net.is_spec)
		return err_set(e, ERR_CONFLICT, 0, "network %s: a link %s exists that is not ours",
			       w->net.name, l->name);
	return err_what(e,
			err_set(e, ERR_USAGE, 0, "network %s: the link %s is not a bridge",
				w->net.name, l->name),
			WHAT_NETWORK);
}

int bridge_observe(struct work *w, struct err *e)
{
	struct mac m = bridge_mac(&w->net);
	struct link_info l = w->seen_bridge;
	int r = w->has_seen_bridge ? 0 : link_get(w->g->host, w->net.bridge, &l, e);

	w->has_seen_bridge = false;
	if (r != 0)
		return r;
	bool is_bridge = strcmp(l.kind, "bridge") == 0;
	bool is_made = l.group == LINK_GROUP_BRIDGE && memcmp(&l.mac, &m, sizeof(m)) == 0;
	if (!is_bridge || (!is_made && !w->net.is_spec))
		return not_usable(w, &l, e);
	w->bridge_index = l.index;
	w->bridge_mac = l.mac;
	w->bridge_mtu = l.mtu;
	w->is_bridge_up = l.is_up;
	w->is_bridge_strange = !is_made;
	return 0;
}

struct bridge_addrs {
	uint32_t index;
	size_t n;
	struct prefix p[64];
};

static int see_addr(uint32_t ifindex, const struct prefix *p, void *arg)
{
	struct bridge_addrs *t = arg;

	if (ifindex == t->index && t->n < sizeof(t->p) / sizeof(t->p[0]))
		t->p[t->n++] = *p;
	return 0;
}

static bool has_gateway(const struct bridge_addrs *t, const struct net_subnet *s)
{
	for (size_t i = 0; i < t->n; i++)
		if (ip_equal(&t->p[i].ip, &s->gateway) && t->p[i].len == s->subnet.len)
			return true;
	return false;
}

/* The bridge is to have this address. */
static bool wants_gateway(const struct network *n, const struct net_subnet *s)
{
	return s->gateway.family && (!n->is_spec || n->is_gateway) &&
	       prefix_contains(&s->subnet, &s->gateway);
}

int bridge_has_gateways(struct work *w, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	struct bridge_addrs t = {.index = w->bridge_index};
	size_t k = network_subnets(&w->net, list);

	if (w->net.is_spec && !w->net.is_gateway)
		return 1;
	int r = route_each_addr(w->g->host, see_addr, &t, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < k; i++)
		if (wants_gateway(&w->net, &list[i]) && !has_gateway(&t, &list[i]))
			return 0;
	return 1;
}

/* ---- ours ---- */

static int set_own(int fam, const char *ifname, const char *leaf, int value, struct err *e)
{
	char key[SYSCTL_KEYLEN];

	conf_key(key, fam, ifname, leaf);
	int r = sysctl_set_or_has(key, value, e);
	/* IPv6 may be off on this host. Where /proc is read-only, as for the root of a user
	 * namespace, the host can do without all but the forwarding. */
	if (r == -ENOENT || (r == -EROFS && !strstr(leaf, "forwarding"))) {
		err_reset(e);
		return 0;
	}
	return r;
}

static int bridge_sysctls(const struct network *n, struct err *e)
{
	const char *br = n->bridge;
	bool v6 = n->subnet[FAM6].ip.family != 0;
	int r = set_own(FAM6, br, "accept_ra", 0, e);

	if (r == 0)
		r = set_own(FAM6, br, "accept_redirects", 0, e);
	if (r == 0)
		r = set_own(FAM6, br, "autoconf", 0, e);
	/* A described network may get its IPv6 subnet later. */
	if (r == 0 && (!v6 || n->is_spec))
		r = set_own(FAM6, br, "disable_ipv6", !v6, e);
	if (r == 0)
		r = set_own(FAM4, br, "accept_redirects", 0, e);
	if (n->is_spec && !n->is_gateway)
		return r;
	if (r == 0 && n->subnet[FAM4].ip.family)
		r = set_own(FAM4, br, "forwarding", 1, e);
	if (r == 0 && v6 && probe_has(PROBE_IPV6_FORCE_FORWARDING))
		r = set_own(FAM6, br, "force_forwarding", 1, e);
	return r;
}

struct ports {
	uint32_t bridge;
	bool any;
};

static int see_port(const struct link_info *l, void *arg)
{
	struct ports *p = arg;

	p->any = l->master == p->bridge;
	return p->any;
}

static int has_ports(struct engine *g, uint32_t bridge, struct err *e)
{
	struct ports p = {.bridge = bridge};
	int r = link_each(g->host, see_port, &p, e);

	return r < 0 ? r : p.any;
}

/* A bridge that is down: half made by a killed process, and then it has no ports yet; or somebody
 * set it down, and then it is only completed. */
static int drop_half(struct work *w, struct err *e)
{
	if (!w->bridge_index || w->is_bridge_up)
		return 0;
	int r = has_ports(w->g, w->bridge_index, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = link_del(w->g->host, w->bridge_index, e);
	w->bridge_index = 0;
	return r < 0 ? r : 0;
}

static int make_own(struct work *w, struct err *e)
{
	struct bridge_spec s = {.name = w->net.bridge,
				.mac = bridge_mac(&w->net),
				.mtu = w->net.mtu,
				.group = LINK_GROUP_BRIDGE,
				.keep_down = true};
	int r = s.mtu ? 0 : uplink_mtu(w->g->host, &s.mtu, e);

	if (r >= 0)
		r = drop_half(w, e);
	if (r == 0 && !w->bridge_index)
		r = link_bridge_add(w->g->host, &s, &w->bridge_index, e);
	if (r == 0) {
		w->bridge_mac = s.mac;
		r = bridge_sysctls(&w->net, e);
	}
	return r;
}

/* ---- those that were there ---- */

static int record_sysctl(struct work *w, int fam, const char *leaf, struct err *e)
{
	char key[SYSCTL_KEYLEN];
	int now, r;

	conf_key(key, fam, w->net.bridge, leaf);
	if (sysctl_get_int(key, &now, NULL) < 0 || now != 0)
		return 0;
	r = hostlog_put(w->g->store, key, now, 1, e);
	return r < 0 ? r : sysctl_set_int(key, 1, e);
}

static int adopt_sysctls(struct work *w, struct err *e)
{
	int r = 0;

	if (!w->net.is_gateway)
		return 0;
	if (w->net.subnet[FAM4].ip.family)
		r = record_sysctl(w, FAM4, "forwarding", e);
	if (r >= 0 && w->net.subnet[FAM6].ip.family && probe_has(PROBE_IPV6_FORCE_FORWARDING))
		r = record_sysctl(w, FAM6, "force_forwarding", e);
	return r < 0 ? r : 0;
}

struct gateway_search {
	const char *bridge;
	const struct prefix *p;
	bool found;
};

static int see_gateway(const struct network *n, void *arg)
{
	struct gateway_search *t = arg;
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = strcmp(n->bridge, t->bridge) == 0 ? network_subnets(n, list) : 0;

	for (size_t i = 0; i < k; i++)
		t->found = t->found || ip_equal(&list[i].gateway, &t->p->ip);
	return t->found;
}

/* An address of somebody else's that contradicts a gateway of ours: another one of the same subnet,
 * and with IPv4 any other. */
static bool contradicts(const struct prefix *have, const struct net_subnet *s)
{
	if (have->ip.family != s->subnet.ip.family || ip_is_link_local(&have->ip) ||
	    (ip_equal(&have->ip, &s->gateway) && have->len == s->subnet.len))
		return false;
	return have->ip.family == AF_INET || prefix_overlaps(have, &s->subnet);
}

static int settle_address(struct work *w, const struct prefix *have, const struct net_subnet *s,
			  struct rtnl_batch *b, struct err *e)
{
	struct gateway_search t = {.bridge = w->net.bridge, .p = have};
	char a[PREFIX_STRLEN], c[IP_STRLEN];
	int r;

	if (!contradicts(have, s))
		return 0;
	r = store_each_network(w->g->store, see_gateway, &t, e);
	if (r < 0 || t.found)
		return r < 0 ? r : 0;
	if (w->is_force_address)
		return route_addr_del(b, w->bridge_index, have, e);
	return err_what(e,
			err_set(e, ERR_USAGE, 0,
				"bridge %s has the address %s: the gateway %s does not go with it",
				w->net.bridge, prefix_str(have, a), ip_str(&s->gateway, c)),
			WHAT_NETWORK);
}

/* Decides which addresses are ours to take back, and records it before they are there. */
static int adopt(struct work *w, struct rtnl_batch *b, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	struct bridge_addrs t = {.index = w->bridge_index};
	size_t k = network_subnets(&w->net, list);
	int r = route_each_addr(w->g->host, see_addr, &t, e);

	w->net.is_adopted = true;
	for (size_t i = 0; r >= 0 && i < k; i++) {
		if (!wants_gateway(&w->net, &list[i]))
			continue;
		for (size_t j = 0; r >= 0 && j < t.n; j++)
			r = settle_address(w, &t.p[j], &list[i], b, e);
		if (r >= 0 && !has_gateway(&t, &list[i]))
			network_set_own(&w->net, &list[i].subnet, true);
	}
	if (r >= 0)
		r = store_put_network(w->g->store, &w->net, e);
	return r < 0 ? r : adopt_sysctls(w, e);
}

struct heir {
	const struct network *from;
	const struct net_subnet *subnet;
	bool found;
	struct network n;
};

static int see_heir(const struct network *o, void *arg)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	struct heir *t = arg;
	size_t k = network_subnets(o, list);

	if (strcmp(o->name, t->from->name) == 0 || strcmp(o->bridge, t->from->bridge) != 0)
		return 0;
	for (size_t i = 0; i < k; i++)
		if (wants_gateway(o, &list[i]) &&
		    prefix_equal(&list[i].subnet, &t->subnet->subnet) &&
		    ip_equal(&list[i].gateway, &t->subnet->gateway))
			t->found = true;
	if (t->found)
		t->n = *o;
	return t->found;
}

/* Another network has the same gateway: it is the one now that will take it back. 1: so. */
static int bequeath(struct engine *g, const struct network *n, const struct net_subnet *s,
		    struct err *e)
{
	struct heir t = {.from = n, .subnet = s};
	int r = store_each_network(g->store, see_heir, &t, e);

	if (r < 0 || !t.found)
		return r < 0 ? r : 0;
	network_set_own(&t.n, &s->subnet, true);
	r = store_put_network(g->store, &t.n, e);
	return r < 0 ? r : 1;
}

/* Takes one of the old gateways off, unless it is another network's too. */
static int drop_gateway(struct work *w, const struct net_subnet *s, struct rtnl_batch *b,
			struct err *e)
{
	const struct prefix p = {.ip = s->gateway, .len = s->subnet.len};
	struct heir t = {.from = &w->old_net, .subnet = s};
	int r = s->is_own ? bequeath(w->g, &w->old_net, s, e)
			  : store_each_network(w->g->store, see_heir, &t, e);

	if (r < 0)
		return r;
	return r > 0 || t.found ? 0 : route_addr_del(b, w->bridge_index, &p, e);
}

/* Gateways that the description has no more; on somebody else's bridge those that we put there. */
static int drop_old_gateways(struct work *w, struct rtnl_batch *b, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX], have;
	size_t k = w->has_old_net ? network_subnets(&w->old_net, list) : 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < k; i++) {
		struct prefix p = {.ip = list[i].gateway, .len = list[i].subnet.len};

		if (!wants_gateway(&w->old_net, &list[i]) ||
		    (w->old_net.is_adopted && !list[i].is_own))
			continue;
		if (!network_find_subnet(&w->net, &p.ip, &have) ||
		    !ip_equal(&have.gateway, &p.ip) || have.subnet.len != p.len)
			r = drop_gateway(w, &list[i], b, e);
	}
	return r;
}

static int add_gateways(struct work *w, struct rtnl_batch *b, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(&w->net, list);
	bool v6 = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < k; i++) {
		struct prefix p = {.ip = list[i].gateway, .len = list[i].subnet.len};

		v6 = v6 || list[i].subnet.ip.family == AF_INET6;
		if (wants_gateway(&w->net, &list[i]))
			r = route_addr_add(b, w->bridge_index, &p, e);
	}
	/* The multicast querier speaks IPv6 from a link-local address only. */
	struct prefix local = {.ip = ip_link_local_from_mac(&w->bridge_mac), .len = 64};
	if (r >= 0 && v6 && !w->is_bridge_strange)
		r = route_addr_add(b, w->bridge_index, &local, e);
	return r;
}

int bridge_make(struct work *w, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	int r = rtnl_batch_new(w->g->host, &b, e);

	if (r >= 0)
		r = w->is_bridge_strange ? adopt(w, b, e) : make_own(w, e);
	if (r >= 0)
		r = vlan_bridge_make(w, b, e);
	if (r >= 0)
		r = drop_old_gateways(w, b, e);
	if (r >= 0)
		r = add_gateways(w, b, e);
	if (r >= 0)
		r = link_set_up(b, w->bridge_index, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

/* ---- the end ---- */

struct sharers {
	struct engine *g;
	const struct network *n;
	bool any;
};

static int see_sharer(const struct network *o, void *arg)
{
	struct sharers *t = arg;

	if (strcmp(o->name, t->n->name) != 0 && strcmp(o->bridge, t->n->bridge) == 0 &&
	    member_peek(t->g->store, o->name, NULL) == MEMBER_OTHERS)
		t->any = true;
	return t->any;
}

/* 1: the bridge may be deleted, 0: it may not. */
static int may_delete(struct engine *g, const struct network *n, const struct link_info *l,
		      struct err *e)
{
	struct sharers t = {.g = g, .n = n};
	struct mac m = bridge_mac(n);
	int r;

	if (l->group != LINK_GROUP_BRIDGE)
		return 0;
	if (!n->is_spec)
		return memcmp(&l->mac, &m, sizeof(m)) == 0;
	r = store_each_network(g->store, see_sharer, &t, e);
	if (r >= 0 && !t.any)
		r = has_ports(g, l->index, e);
	return r < 0 ? r : !t.any && r == 0;
}

static int take_back(struct engine *g, const struct network *n, uint32_t index, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct net_subnet list[NETWORK_SUBNET_MAX];
	size_t k = network_subnets(n, list);
	int r = rtnl_batch_new(g->host, &b, e);

	for (size_t i = 0; r >= 0 && i < k; i++) {
		struct prefix p = {.ip = list[i].gateway, .len = list[i].subnet.len};

		if (!list[i].is_own)
			continue;
		r = bequeath(g, n, &list[i], e);
		if (r == 0)
			r = route_addr_del(b, index, &p, e);
	}
	return r < 0 ? r : rtnl_batch_run(b, e);
}

void bridge_gone(struct engine *g, const struct network *n, struct err *all)
{
	struct err one = ERR_INIT;
	struct rtnl *own = NULL;
	struct link_info l;
	int r = link_get(g->host, n->bridge, &l, &one);

	if (r == 0 && strcmp(l.kind, "bridge") == 0)
		r = may_delete(g, n, &l, &one);
	else
		r = r < 0 ? r : 2;
	if (r == 1) {
		r = rtnl_open(&own, &one); /* link_del_echo uses the socket up */
		if (r == 0)
			r = link_del_echo(own, l.index, nftbatch_fd(g->nft), &one);
		rtnl_close(own);
	} else if (r == 0) {
		r = take_back(g, n, l.index, &one);
	}
	if (r < 0)
		err_gather(all, &one);
}
