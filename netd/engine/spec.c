/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec: networks that their users describe at each use. The description of the first member makes
 * the record; later ones must agree with it. Subnets of addresses that somebody else decided on
 * are added as they come. Such networks may share a bridge, and then also subnets. Touches records
 * only, under the global lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"

static int add_set_subnets(struct network *n, const struct addr_set *set, struct err *e)
{
	struct net_subnet have;

	for (size_t i = 0; i < set->n; i++) {
		struct net_subnet s = {.subnet = set->r[i].subnet, .gateway = set->r[i].gateway};
		int r;

		if (network_find_subnet(n, &s.subnet.ip, &have) &&
		    prefix_equal(&have.subnet, &s.subnet))
			continue;
		r = network_add_subnet(n, &s, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The network as the request has it, but for the subnets of given addresses. */
static int described(const struct up_request *req, struct network *ret, struct err *e)
{
	struct network n = *req->net_spec;
	int r = 0;

	n.is_spec = true;
	n.implicit = true;
	n.is_adopted = false;
	for (size_t i = 0; r >= 0 && i < req->n_set; i++)
		r = add_set_subnets(&n, &req->set[i], e);
	if (r >= 0)
		r = network_complete(&n, e);
	if (r < 0)
		return err_what(e, r, WHAT_NETWORK);
	*ret = n;
	return 0;
}

/* 1: subnets were added. */
static int add_given_subnets(struct network *n, const struct up_request *req, struct err *e)
{
	struct net_subnet have;
	int grown = 0;

	for (size_t i = 0; i < req->n_given; i++) {
		struct attach_ip a = addrs_given(n, &req->given[i]);
		struct net_subnet s = {.subnet = prefix_network(&req->given[i].addr),
				       .gateway = a.gateway,
				       .is_member = true};

		if (network_find_subnet(n, &a.addr.ip, &have))
			continue;
		int r = network_add_subnet(n, &s, e);
		if (r < 0)
			return err_what(e, r, WHAT_NETWORK);
		grown = 1;
	}
	return grown;
}

static bool same_subnets(const struct network *want, const struct network *have)
{
	struct net_subnet a[NETWORK_SUBNET_MAX], b[NETWORK_SUBNET_MAX];
	size_t n = network_subnets(want, a), k = network_subnets(have, b), left = 0;

	for (size_t i = 0; i < k; i++)
		left += !b[i].is_member;
	if (n != left)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < k && !(prefix_equal(&a[i].subnet, &b[j].subnet) &&
				  ip_equal(&a[i].gateway, &b[j].gateway) && !b[j].is_member))
			j++;
		if (j == k)
			return false;
	}
	return true;
}

static bool same_nomasq(const struct network *want, const struct network *have)
{
	bool same = want->n_nomasq == have->n_nomasq;

	for (size_t i = 0; same && i < want->n_nomasq; i++)
		same = prefix_equal(&want->nomasq[i], &have->nomasq[i]);
	return same;
}

/* Settings that members share and that would have to change for those who are there. The names of
 * those that differ, subnets not among them. */
static bool differs(const struct network *want, const struct network *have, char *out, size_t size)
{
	const struct {
		const char *name;
		bool differs;
	} table[] = {
		{"mode", want->mode != have->mode},
		{"bridge", strcmp(want->bridge, have->bridge) != 0},
		{"gateway", want->is_gateway != have->is_gateway},
		{"masquerading", want->masquerade != have->masquerade || !same_nomasq(want, have)},
		{"internal", want->internal != have->internal},
		{"isolation", want->isolate != have->isolate},
		{"openness", want->is_open != have->is_open && !have->has_policy},
		{"VLAN", want->vlan != have->vlan || want->is_filtering != have->is_filtering},
		{"names", want->names != have->names},
		{"kind", !have->is_spec},
	};
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].differs && used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
						 table[i].name);
	return used > 0;
}

struct overlap {
	const struct network *n;
	struct err *e;
};

/* Another network with the same subnets on the same bridge is the same place by another name. */
static bool is_twin(const struct network *a, const struct network *b)
{
	return a->is_spec && b->is_spec && a->mode == NET_BRIDGE && b->mode == NET_BRIDGE &&
	       strcmp(a->bridge, b->bridge) == 0 && a->isolate == b->isolate &&
	       a->internal == b->internal;
}

static int see_other(const struct network *o, void *arg)
{
	struct net_subnet a[NETWORK_SUBNET_MAX], b[NETWORK_SUBNET_MAX];
	struct overlap *t = arg;
	size_t n = network_subnets(t->n, a), k = network_subnets(o, b);
	char s[PREFIX_STRLEN], u[PREFIX_STRLEN];

	if (strcmp(o->name, t->n->name) == 0)
		return 0;
	for (size_t i = 0; i < n * k; i++) {
		const struct prefix *p = &a[i / k].subnet, *q = &b[i % k].subnet;

		if (!prefix_overlaps(p, q) || (prefix_equal(p, q) && is_twin(o, t->n)))
			continue;
		return err_what(t->e,
				err_set(t->e, ERR_CONFLICT, 0,
					"subnet %s of network %s collides with %s of network %s",
					prefix_str(p, s), t->n->name, prefix_str(q, u), o->name),
				WHAT_NETWORK);
	}
	return 0;
}

/* The description replaces the settled gateways; what belongs to members stays. */
static int replace_subnets(struct work *w, const struct network *want, struct err *e)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	struct network n = *want;
	size_t k = network_subnets(&w->net, list);

	w->old_net = w->net;
	w->has_old_net = true;
	for (size_t i = 0; i < k; i++) {
		struct net_subnet have;

		/* Still ours to take back. */
		if (list[i].is_own && network_find_subnet(&n, &list[i].subnet.ip, &have) &&
		    prefix_equal(&have.subnet, &list[i].subnet) &&
		    ip_equal(&have.gateway, &list[i].gateway))
			network_set_own(&n, &list[i].subnet, true);
		if (list[i].is_member && !network_find_subnet(&n, &list[i].subnet.ip, &have) &&
		    network_add_subnet(&n, &list[i], NULL) < 0)
			return err_what(e,
					err_set(e, ERR_CONFLICT, 0,
						"network %s: its members' subnets leave no room",
						n.name),
					WHAT_NETWORK);
	}
	n.is_open = w->net.has_policy ? w->net.is_open : n.is_open;
	n.has_policy = w->net.has_policy;
	n.is_adopted = w->net.is_adopted;
	n.names_port = w->net.names_port;
	n.implicit = w->net.implicit;
	w->net = n;
	w->is_new_network = true;
	return 0;
}

static int agree(struct work *w, const struct network *want, bool force, struct err *e)
{
	char names[160];

	if (differs(want, &w->net, names, sizeof(names)))
		return err_what(e,
				err_set(e, ERR_CONFLICT, 0,
					"network %s has members with other settings: %s",
					w->net.name, names),
				WHAT_NETWORK);
	if (same_subnets(want, &w->net))
		return 0;
	if (!force)
		return err_what(e,
				err_set(e, ERR_CONFLICT, 0,
					"network %s has members in other subnets or with another "
					"gateway",
					w->net.name),
				WHAT_NETWORK);
	return replace_subnets(w, want, e);
}

/* A record without members, left by a process that was killed: it binds nobody. 1: it is gone. */
static int drop_deserted(struct work *w)
{
	int left = member_peek(w->g->store, w->net.name, NULL);

	if (left <= MEMBER_OTHERS)
		return left;
	left = hostop_network_gone(w->g, &w->net, MEMBER_FIRST_OF_NETWORK, NULL);
	return left < 0 ? left : 1;
}

int spec_find(struct work *w, const struct up_request *req, struct err *e)
{
	struct overlap t = {.n = &w->net, .e = e};
	struct err why = ERR_INIT;
	struct network want;
	int r;

	if (req->kind == ATTACH_FOREIGN) {
		w->net = (struct network){.mode = NET_ROUTED};
		snprintf(w->net.name, sizeof(w->net.name), "%s", req->network);
		return name_check_network(req->network, "network name", e);
	}
	if (strcmp(req->network, req->net_spec->name) != 0)
		return err_set(e, ERR_INTERNAL, EINVAL, "two names of one network");
	w->is_force_address = req->is_force_address;
	r = described(req, &want, e);
	if (r >= 0)
		r = store_get_network(w->g->store, req->network, &w->net, e);
	if (r < 0)
		return r;
	if (r == 0)
		r = agree(w, &want, req->is_force_address, &why);
	if (r < 0 && w->net.is_spec && w->net.implicit && drop_deserted(w) == 1)
		r = 1;
	if (r < 0)
		err_gather(e, &why);
	if (r == 1) {
		w->net = want;
		w->has_old_net = false;
		w->is_new_network = true;
		r = 0;
	}
	if (r >= 0) {
		r = add_given_subnets(&w->net, req, e);
		w->is_new_network = w->is_new_network || r == 1;
	}
	if (r >= 0 && w->is_new_network)
		r = store_each_network(w->g->store, see_other, &t, e);
	return r < 0 ? r : 0;
}

struct bridge_search {
	const char *ifname;
	bool found;
};

static int see_bridge(const struct network *n, void *arg)
{
	struct bridge_search *t = arg;

	t->found = t->found || strcmp(n->bridge, t->ifname) == 0;
	return t->found;
}

bool spec_is_bridge(struct engine *g, const char *ifname)
{
	struct bridge_search t = {.ifname = ifname};

	return store_each_network(g->store, see_bridge, &t, NULL) >= 0 && t.found;
}

struct keep {
	const struct network *n;
	struct elem_list *l;
	struct err *e;
};

static int keep_others(const struct network *o, void *arg)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct keep *t = arg;
	size_t kept = 0;
	int r = strcmp(o->name, t->n->name) == 0 ? 0 : elem_of_network(o, &l, t->e);

	for (size_t i = 0; r >= 0 && l.n && i < t->l->n; i++) {
		size_t k = 0;

		while (k < l.n && !elem_same_key(&t->l->v[i], &l.v[k]))
			k++;
		if (k == l.n)
			t->l->v[kept++] = t->l->v[i];
	}
	if (r >= 0 && l.n)
		t->l->n = kept;
	return r;
}

int spec_own_elements(struct engine *g, const struct network *n, struct elem_list *l, struct err *e)
{
	struct keep t = {.n = n, .l = l, .e = e};
	int r = elem_of_network(n, l, e);

	if (r >= 0 && n->is_spec)
		r = store_each_network(g->store, keep_others, &t, e);
	return r < 0 ? r : 0;
}
