/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * observe: asks the kernel, and only asks. The host part is a handful of requests whatever the
 * number of containers (it is in the way of every `up`); the attachment part is complete, for check
 * and repair.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "net/link.h"
#include "net/route.h"
#include "net/ruleset.h"
#include "net/uplink.h"
#include "sys/netns.h"
#include "sys/probe.h"
#include "sys/sysctl.h"

/* Notes that key should be want, if it exists and is not so already. */
static void want_sysctl(struct observed *o, int fam, const char *ifname, const char *leaf, int want)
{
	struct host_sysctl s = {.want = want};

	if (o->n_sysctl == OBSERVED_SYSCTL_MAX)
		return;
	conf_key(s.key, fam, ifname, leaf);
	for (size_t i = 0; i < o->n_sysctl; i++)
		if (strcmp(o->sysctl[i].key, s.key) == 0)
			return;
	if (sysctl_get_int(s.key, &s.now, NULL) == 0 && s.now != want)
		o->sysctl[o->n_sysctl++] = s;
}

/* What an interface to the outside needs so that packets coming in by it are forwarded. */
static void observe_uplink(struct work *w, const struct link_info *l)
{
	int ra;
	char key[SYSCTL_KEYLEN];
	const char *ifname = l->name;

	if (w->net.subnet[FAM4].ip.family && !l->is_forwarding[FAM4])
		want_sysctl(&w->obs, FAM4, ifname, "forwarding", 1);
	if (!w->net.subnet[FAM6].ip.family)
		return;
	if (l->is_forwarding[FAM6] && probe_allowed(PROBE_IPV6_FORCE_FORWARDING)) {
		w->has_force_forwarding = true;
		return;
	}
	if (probe_has(PROBE_IPV6_FORCE_FORWARDING)) {
		want_sysctl(&w->obs, FAM6, ifname, "force_forwarding", 1);
		return;
	}
	/* Forwarding makes an interface a router, which stops listening to advertisements unless
	 * accept_ra is 2; so that goes first. */
	conf_key(key, FAM6, ifname, "accept_ra");
	if (sysctl_get_int(key, &ra, NULL) == 0 && ra == 1)
		want_sysctl(&w->obs, FAM6, ifname, "accept_ra", 2);
	want_sysctl(&w->obs, FAM6, ifname, "forwarding", 1);
}

static int each_uplink(const struct link_info *l, void *arg)
{
	struct work *w = arg;

	if (l->is_up && name_check_ifname(l->name, "interface", NULL) == 0 && !link_is_ours(l) &&
	    l->master == 0 && strcmp(l->name, w->net.bridge) != 0 &&
	    (strcmp(l->kind, "bridge") != 0 || !spec_is_bridge(w->g, l->name)))
		observe_uplink(w, l);
	return 0;
}

/* The interface of a family's default route. 1: there is none, or it is that of the index seen. */
static int find_uplink(struct work *w, int f, uint32_t *io_seen, struct link_info *ret,
		       struct err *e)
{
	uint32_t index;
	int r;

	if (f == FAM4 && w->has_seen_uplink) {
		w->has_seen_uplink = false;
		*ret = w->seen_uplink;
		*io_seen = ret->index;
		return 0;
	}
	r = uplink_index(w->g->host, f, &index, e);
	if (r != 0 || index == *io_seen)
		return r < 0 ? r : 1;
	*io_seen = index;
	return link_get_index(w->g->host, index, ret, e);
}

/* Every interface when the network is new; else only that of the default route, which may have
 * appeared since. */
static int observe_forwarding(struct work *w, struct err *e)
{
	uint32_t seen = 0;
	struct link_info l;
	int r = 0;

	if (w->net.mode == NET_BRIDGE &&
	    (w->net.internal || (w->net.is_spec && !w->net.is_gateway)))
		return 0;
	if (!w->obs.has_network && !w->net.internal) {
		r = link_each(w->g->host, each_uplink, w, e);
	}
	for (int f = 0; r >= 0 && w->obs.has_network && !w->net.internal && f < N_FAM; f++) {
		r = w->net.subnet[f].ip.family ? find_uplink(w, f, &seen, &l, e) : 1;
		if (r == 0)
			each_uplink(&l, w);
	}
	if (r < 0)
		return r;
	if (w->net.subnet[FAM6].ip.family && !w->has_force_forwarding &&
	    !probe_has(PROBE_IPV6_FORCE_FORWARDING))
		want_sysctl(&w->obs, FAM6, "all", "forwarding", 1);
	return 0;
}

static int has_all(struct work *w, const struct elem_list *l, bool *ret, struct err *e)
{
	bool *has = calloc(l->n ? l->n : 1, sizeof(bool));
	if (!has)
		return err_set(e, ERR_INTERNAL, ENOMEM, "elements");
	int r = nftbatch_has(w->g->nft, l, has, e);
	*ret = r >= 0;
	for (size_t i = 0; r >= 0 && i < l->n; i++)
		*ret = *ret && has[i];
	free(has);
	return r < 0 ? r : 0;
}

static int observe_net_elements(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_network(&w->net, &l, e);

	return r < 0 ? r : has_all(w, &l, &w->obs.has_network, e);
}

/* Could parts be missing although the bridge is up? It is set up last, but only when we make it;
 * and subnets may have been added since. */
static bool is_uncertain(const struct work *w)
{
	bool grows = w->net.n_more > 0 || (w->net.is_spec && w->is_new_network);

	for (int f = 0; f < N_FAM; f++)
		grows = grows || w->net.is_member[f];
	return w->g->deep || w->is_bridge_strange || w->net.is_filtering || w->net.is_adopted ||
	       grows;
}

static int observe_bridge(struct work *w, struct err *e)
{
	int r = bridge_observe(w, e);

	if (r != 0)
		return r < 0 ? r : 0;
	w->obs.has_network = w->is_bridge_up && !w->has_old_net;
	if (!w->obs.has_network || !is_uncertain(w))
		return 0;
	r = observe_net_elements(w, e);
	if (r >= 0 && w->obs.has_network && w->net.is_spec) {
		r = bridge_has_gateways(w, e);
		w->obs.has_network = r == 1;
	}
	if (r >= 0 && w->obs.has_network) {
		r = vlan_bridge_observe(w, e);
		w->obs.has_network = r == 1;
	}
	return r < 0 ? r : 0;
}

static int observe_network(struct work *w, struct err *e)
{
	int r = w->net.mode == NET_BRIDGE ? observe_bridge(w, e) : observe_net_elements(w, e);

	w->obs.has_network = w->obs.has_network && !w->has_old_net;
	return r;
}

int observe_host(struct work *w, struct err *e)
{
	memset(&w->obs, 0, sizeof(w->obs));
	w->bridge_index = 0;
	int r = member_generation(w->g->store, &w->generation, e);
	if (r < 0)
		return r;
	r = hostop_owner(w->g, e);
	if (r < 0)
		return r;
	w->obs.tables = r == 0 ? TABLES_OK : r == 1 ? TABLES_ABSENT : TABLES_OTHER;
	if (r == 0 && w->g->deep && !w->g->has_rules) {
		int intact = rules_intact(w->g, e);
		if (intact < 0)
			return intact;
		w->g->has_rules = intact;
		if (!intact)
			w->obs.tables = TABLES_OTHER;
	}
	/* Tables without any attachment on record belong to a state that was lost. */
	if (r == 0 && w->first == MEMBER_FIRST_OF_HOST)
		w->obs.tables = TABLES_OTHER;
	if (w->obs.tables == TABLES_OK || w->net.mode == NET_BRIDGE)
		r = observe_network(w, e);
	if (r < 0)
		return r;
	if (w->obs.tables != TABLES_OK && w->net.mode == NET_ROUTED)
		w->obs.has_network = false;
	r = names_observe_network(w, e);
	return r < 0 ? r : observe_forwarding(w, e);
}

/* Addresses or routes that are looked for, one bit each. */
struct seek {
	uint32_t ifindex;
	size_t n;
	struct attach_ip ip[ATTACH_IP_MAX];
	unsigned int addrs, host_routes;
	bool is_default[N_FAM];
	const struct attachment *a;
	bool route[ATTACH_ROUTE_MAX];
};

static int seek_addr(uint32_t ifindex, const struct prefix *p, void *arg)
{
	struct seek *s = arg;

	for (size_t i = 0; ifindex == s->ifindex && i < s->n; i++)
		if (p->len == s->ip[i].addr.len && ip_equal(&p->ip, &s->ip[i].addr.ip))
			s->addrs |= 1u << i;
	return 0;
}

static int seek_route(const struct route_spec *p, void *arg)
{
	struct seek *s = arg;

	if (p->dst.len == 0 && p->dst.ip.family)
		s->is_default[ip_fam(&p->dst.ip)] = true;
	for (size_t i = 0; p->ifindex == s->ifindex && i < s->a->n_route; i++) {
		const struct attach_route *t = &s->a->route[i];

		if (p->dst.ip.family == t->dst.ip.family && prefix_equal(&p->dst, &t->dst) &&
		    ip_equal(&p->gateway, &t->gw))
			s->route[i] = true;
	}
	return 0;
}

static int seek_host_route(const struct route_spec *p, void *arg)
{
	struct seek *s = arg;

	for (size_t i = 0; p->ifindex == s->ifindex && i < s->n; i++)
		if (p->dst.ip.family && ip_equal(&p->dst.ip, &s->ip[i].addr.ip))
			s->host_routes |= 1u << i;
	return 0;
}

/* Only the main table is looked at. */
static bool has_routes(const struct seek *s)
{
	const struct attachment *a = s->a;

	for (int f = 0; f < N_FAM; f++) {
		bool wants = a->has_routes ? a->is_default_route[f]
					   : !a->internal && a->addr[f].ip.family;
		if (wants && !s->is_default[f])
			return false;
	}
	for (size_t i = 0; i < a->n_route; i++)
		if (!s->route[i] && (a->route[i].table == 0 || a->route[i].table == 254))
			return false;
	return true;
}

static int observe_inside(struct work *w, struct err *e)
{
	struct link_info l;
	struct seek s = {.a = w->a};

	if (w->netns_fd < 0) {
		w->obs.has_inside = true; /* cannot be seen: nothing to say against it */
		return 0;
	}
	int r = work_inside(w, e);
	if (r == 0)
		r = link_get(w->inside, w->a->ifname, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	s.ifindex = l.index;
	s.n = attachment_ips(w->a, s.ip);
	r = route_each_addr(w->inside, seek_addr, &s, e);
	if (r >= 0)
		r = route_each(w->inside, seek_route, &s, e);
	if (r < 0)
		return r;
	w->obs.has_inside = (l.is_up || w->a->is_down) &&
			    memcmp(&l.mac, &w->a->mac, sizeof(l.mac)) == 0 &&
			    s.addrs == (1u << s.n) - 1 && has_routes(&s);
	return 0;
}

static int observe_link(struct work *w, struct err *e)
{
	struct link_info l;
	int r = link_get(w->g->host, w->a->host_ifname, &l, e);

	if (r != 0)
		return r < 0 ? r : 0;
	w->obs.has_link = l.index == w->a->host_ifindex;
	w->obs.has_port = w->a->mode != NET_BRIDGE ||
			  (l.is_up && w->bridge_index && l.master == w->bridge_index);
	if (w->a->mode == NET_BRIDGE) {
		w->obs.has_host_route = true;
		return attach_vlan_is_set(&w->a->vlan) ? vlan_port_observe(w, e) : 0;
	}
	struct seek s = {.a = w->a, .ifindex = l.index};
	s.n = attachment_ips(w->a, s.ip);
	r = route_each(w->g->host, seek_host_route, &s, e);
	w->obs.has_host_route = l.is_up && s.host_routes == (1u << s.n) - 1;
	return r < 0 ? r : 0;
}

static int observe_publish(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	char key[KEY_STRLEN];
	size_t has = 0, want = 0;

	if (w->a->n_publish == 0)
		return 0;
	name_key(w->a->id, w->a->ifname, key);
	int r = elem_of_publish(w->a, w->a->publish, w->a->n_publish, &l, e);
	if (r >= 0)
		r = has_all(w, &l, &w->obs.has_dnat, e);
	if (r >= 0 && !w->res)
		r = reserve_open(store_dirfd(w->g->store), &w->res, e);
	if (r >= 0)
		r = reserve_count(w->res, key, w->a->publish, w->a->n_publish, &has, &want, e);
	if (r < 0)
		return r;
	w->obs.has_reservation = has == want;
	return 0;
}

int observe_attachment(struct work *w, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_endpoint(w->a, &l, e);

	if (r >= 0)
		r = has_all(w, &l, &w->obs.has_guard, e);
	if (r >= 0 && w->a->kind == ATTACH_VETH)
		r = observe_link(w, e);
	if (r >= 0 && w->a->kind == ATTACH_VETH && w->obs.has_link)
		r = observe_inside(w, e);
	if (r >= 0 && (w->a->n_sysctl || attach_tune_is_set(&w->a->tune)))
		r = tune_observe(w, e);
	if (r >= 0)
		r = rate_observe(w, e);
	if (r >= 0 && attachment_has_names(w->a))
		r = names_observe(w, e);
	if (r >= 0)
		r = observe_publish(w, e);
	return r < 0 ? r : 0;
}
