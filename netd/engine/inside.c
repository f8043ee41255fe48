/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inside: the interface in the container's namespace: up, addresses, routes, neighbours. Everything
 * here goes with the link.
 */

#include "engine/internal.h"
#include "net/route.h"

static int see_default(const struct route_spec *s, void *arg)
{
	bool *has = arg;

	if (s->dst.len == 0 && s->dst.ip.family)
		has[ip_fam(&s->dst.ip)] = true;
	return 0;
}

/* Routes of one family. A container that has a default route already (a further interface) keeps
 * it. */
static int network_routes(struct work *w, struct rtnl_batch *b, int f, uint32_t index,
			  bool has_default, struct err *e)
{
	const struct attachment *a = w->a;
	bool routed = a->mode == NET_ROUTED;
	struct mac gw = routed ? a->host_mac : w->bridge_mac;
	struct route_spec via = {.gateway = a->gateway[f], .ifindex = index, .onlink = routed};

	/* The gateway's MAC is known: the first packet leaves without asking for it. In routed mode
	 * nobody would answer, so there the entry is permanent. */
	int r = route_neigh_add(b, index, &a->gateway[f], &gw,
				routed ? NEIGH_PERMANENT : NEIGH_STALE, e);
	if (r < 0)
		return r;
	via.dst.ip.family = a->gateway[f].family;
	if (a->internal && routed)
		via.dst = w->net.subnet[f];
	else if (a->internal || has_default)
		return 0;
	return route_add(b, &via, e);
}

/* The host's MAC address is known. On a bridge only where the host is the gateway; a bridge of
 * somebody else's may change its address. */
static int gateway_neighbours(struct work *w, struct rtnl_batch *b, uint32_t index, struct err *e)
{
	const struct attachment *a = w->a;
	bool routed = a->mode == NET_ROUTED;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	int r = 0;

	if (!routed && (!w->net.is_gateway || w->is_bridge_strange))
		return 0;
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (list[i].gateway.family)
			r = route_neigh_add(b, index, &list[i].gateway,
					    routed ? &a->host_mac : &w->bridge_mac,
					    routed ? NEIGH_PERMANENT : NEIGH_STALE, e);
	return r;
}

int inside_neighbours(struct work *w, uint32_t index, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	int r = rtnl_batch_new(w->inside, &b, e);

	if (r >= 0)
		r = gateway_neighbours(w, b, index, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

static int described_routes(struct work *w, struct rtnl_batch *b, uint32_t index, struct err *e)
{
	const struct attachment *a = w->a;
	int r = gateway_neighbours(w, b, index, e);

	for (size_t i = 0; r >= 0 && i < a->n_route; i++) {
		const struct attach_route *t = &a->route[i];
		struct route_spec s = {.dst = t->dst,
				       .gateway = t->gw,
				       .ifindex = index,
				       .beside = true,
				       .onlink = a->mode == NET_ROUTED && t->gw.family,
				       .mtu = t->mtu,
				       .advmss = t->advmss,
				       .priority = t->priority,
				       .table = t->table,
				       .scope = t->scope};

		r = route_add(b, &s, e);
	}
	for (int f = 0; r >= 0 && f < N_FAM; f++) {
		struct route_spec s = {.gateway = a->gateway[f],
				       .ifindex = index,
				       .beside = true,
				       .onlink = a->mode == NET_ROUTED};

		s.dst.ip.family = a->gateway[f].family;
		if (a->is_default_route[f])
			r = route_add(b, &s, e);
	}
	return r;
}

static int add_addresses(struct work *w, struct rtnl_batch *b, uint32_t index, struct err *e)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(w->a, list);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = w->a->is_dad ? route_addr_add_dad(b, index, &list[i].addr, e)
				 : route_addr_add(b, index, &list[i].addr, e);
	return r;
}

int inside_make(struct work *w, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	bool has_default[N_FAM] = {false, false};
	uint32_t index = w->a->ctr_ifindex;
	int r = work_inside(w, e);

	if (r >= 0 && !w->a->has_routes)
		r = route_each(w->inside, see_default, has_default, e);
	if (r >= 0)
		r = rtnl_batch_new(w->inside, &b, e);
	if (r >= 0)
		r = link_set_up(b, 1, e);
	if (r >= 0)
		r = link_set_addrgen(b, index, LINK_ADDRGEN_EUI64,
				     e); /* the guard expects that one */
	if (r >= 0)
		r = link_set_up(b, index, e);
	if (r >= 0)
		r = link_settle(b, index, e);
	if (r >= 0)
		r = add_addresses(w, b, index, e);
	for (int f = 0; r >= 0 && !w->a->has_routes && f < N_FAM; f++)
		if (w->a->addr[f].ip.family)
			r = network_routes(w, b, f, index, has_default[f], e);
	if (r >= 0 && w->a->has_routes)
		r = described_routes(w, b, index, e);
	if (r >= 0)
		r = rtnl_batch_run(b, e);
	w->is_fresh_inside = r >= 0;
	return r < 0 ? err_ctx(e, r, "in the container") : 0;
}
