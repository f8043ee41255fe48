/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * adjust: rates, sysctls, settings and caps of an attachment that is up. The record says what may
 * be there before it is: while a limit is taken off, or a MAC address changes, it has both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "engine/internal.h"
#include "net/route.h"

static uint64_t either(uint64_t a, uint64_t b)
{
	return a ? a : b;
}

/* ---- rates ---- */

/* As it was, as far as possible; what may be left stays on record. */
static void restore_rate(struct engine *g, struct attachment *a, const struct attachment *was)
{
	int r = rate_remove(g, a, false, NULL);

	if (r >= 0 && attach_rate_is_set(&was->rate))
		r = rate_make(g, was, -1, NULL);
	if (r < 0) {
		a->rate.in_rate = either(a->rate.in_rate, was->rate.in_rate);
		a->rate.out_rate = either(a->rate.out_rate, was->rate.out_rate);
		return;
	}
	a->rate = was->rate;
	memcpy(a->host_ifname, was->host_ifname, sizeof(a->host_ifname));
	(void)up_record(g, a, NULL);
}

static int adjust_rate(struct engine *g, struct attachment *a, const struct adjust_request *req,
		       struct err *e)
{
	const struct attach_rate *rate = req->rate;
	const struct attachment was = *a; /* owns nothing */
	int r = attach_rate_check(rate, e);

	if (r < 0)
		return r;
	if (!attach_rate_is_set(rate) && !attach_rate_is_set(&was.rate))
		return 0;
	if (req->host_ifname && a->kind == ATTACH_FOREIGN)
		snprintf(a->host_ifname, sizeof(a->host_ifname), "%s", req->host_ifname);
	a->rate.in_rate = either(rate->in_rate, was.rate.in_rate);
	a->rate.out_rate = either(rate->out_rate, was.rate.out_rate);
	r = up_record(g, a, e);
	if (r < 0)
		return r;
	a->rate = *rate;
	r = rate_make(g, a, req->netns_fd, e);
	if (r < 0) {
		restore_rate(g, a, &was);
		return r;
	}
	return up_record(g, a, e);
}

/* ---- settings ---- */

static bool is_mac(const struct mac *m)
{
	static const struct mac none;

	return memcmp(m, &none, sizeof(none)) != 0;
}

static void merge_tune(struct attach_tune *into, const struct attach_tune *t)
{
	if (t->has_promisc) {
		into->has_promisc = true;
		into->is_promisc = t->is_promisc;
	}
	if (t->has_allmulti) {
		into->has_allmulti = true;
		into->is_allmulti = t->is_allmulti;
	}
	if (t->has_tx_queue_len) {
		into->has_tx_queue_len = true;
		into->tx_queue_len = t->tx_queue_len;
	}
	if (t->mtu)
		into->mtu = t->mtu;
	if (is_mac(&t->mac))
		into->mac = t->mac;
}

static int add_guard(struct engine *g, const struct attachment *a, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_endpoint(a, &l, e);

	return r < 0 ? r : nftbatch_add(g->nft, &l, NULL, e);
}

/* Elements of a that now does not have. */
static int drop_guard(struct engine *g, const struct attachment *a, const struct attachment *now,
		      struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0}, keep = {0};
	size_t n = 0;
	int r = elem_of_endpoint(a, &l, e);

	if (r >= 0)
		r = elem_of_endpoint(now, &keep, e);
	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		size_t k = 0;

		while (k < keep.n && !elem_same_key(&l.v[i], &keep.v[k]))
			k++;
		if (k == keep.n)
			l.v[n++] = l.v[i];
	}
	l.n = r >= 0 ? n : l.n;
	return r < 0 ? r : nftbatch_del(g->nft, &l, e);
}

/* The host and the bridge expect the new address. */
static int move_neighbours(struct engine *g, const struct attachment *a, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(a, list);
	uint32_t index = a->host_ifindex;
	struct link_info l;
	int r = rtnl_batch_new(g->host, &b, e);

	if (r >= 0 && a->mode == NET_BRIDGE) {
		r = link_get(g->host, a->bridge, &l, e);
		if (r != 0)
			return r < 0 ? r : err_set(e, ERR_ABSENT, 0, "bridge %s", a->bridge);
		index = l.index;
		r = link_fdb_add(b, a->host_ifindex, &a->mac, e);
	}
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = route_neigh_add(b, index, &list[i].addr.ip, &a->mac, NEIGH_PERMANENT, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

/* Both addresses are let through while the change is on its way. */
static int adjust_mac(struct work *w, struct err *e)
{
	struct attachment *a = w->a;
	struct attachment both = *a;
	int r = add_guard(w->g, a, e);

	if (r >= 0)
		r = tune_make(w, e);
	if (r < 0)
		return r;
	a->mac = a->tune.mac;
	r = move_neighbours(w->g, a, e);
	if (r >= 0)
		r = drop_guard(w->g, &both, a, e);
	if (r < 0)
		a->mac = both.mac; /* on record: both */
	return r;
}

static int adjust_settings(struct engine *g, struct attachment *a, const struct adjust_request *req,
			   struct err *e)
{
	CLEAN_WORK struct work w = {.g = g, .a = a, .netns_fd = req->netns_fd};
	const struct attach_tune before = a->tune;
	CLEAN_FREE struct attach_sysctl *sysctl = NULL; /* as it was */
	size_t n_sysctl = a->n_sysctl;
	int r;

	if (n_sysctl) {
		sysctl = malloc(n_sysctl * sizeof(*sysctl));
		if (!sysctl)
			return err_set(e, ERR_INTERNAL, ENOMEM, "sysctls");
		memcpy(sysctl, a->sysctl, n_sysctl * sizeof(*sysctl));
	}
	r = attachment_add_sysctls(a, req->sysctl, req->n_sysctl, e);
	if (r < 0)
		return r;
	if (req->tune)
		merge_tune(&a->tune, req->tune);
	r = up_record(g, a, e);
	if (r < 0)
		return r;
	bool moves = a->kind == ATTACH_VETH && is_mac(&a->tune.mac) &&
		     memcmp(&a->mac, &a->tune.mac, sizeof(a->mac)) != 0;
	r = moves ? adjust_mac(&w, e) : tune_make(&w, e);
	if (r >= 0 && a->kind == ATTACH_VETH && a->tune.mtu)
		a->mtu = a->tune.mtu;
	if (r >= 0)
		return up_record(g, a, e);
	/* What could not be set is not looked after; what was before is, as it was. */
	if (!moves) {
		a->tune = before;
		a->n_sysctl = n_sysctl;
		if (n_sysctl)
			memcpy(a->sysctl, sysctl, n_sysctl * sizeof(*sysctl));
		(void)up_record(g, a, NULL);
	}
	return r;
}

/* ---- caps ---- */

static bool is_same_bound(const struct elem *x, const struct elem_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (elem_same_key(x, &l->v[i]))
			return x->bound == l->v[i].bound;
	return false;
}

/* Elements of from that are not in other as they are. */
static int bounds_only_in(const struct attachment *from, const struct attachment *other,
			  struct elem_list *ret, struct err *e)
{
	CLEAN_ELEMS struct elem_list there = {0};
	size_t n = 0;
	int r = elem_of_endpoint(from, ret, e);

	if (r >= 0)
		r = elem_of_endpoint(other, &there, e);
	for (size_t i = 0; r >= 0 && i < ret->n; i++)
		if (elem_sets[ret->v[i].set].bound && !is_same_bound(&ret->v[i], &there))
			ret->v[n++] = ret->v[i];
	ret->n = r >= 0 ? n : 0;
	return r;
}

/* An element that is there keeps its number whatever is added, so it goes first: at every moment
 * the kernel has what the record says, or less, and check and gc put back what is missing. */
static int adjust_cap(struct engine *g, struct attachment *a, const struct attach_cap *cap,
		      struct err *e)
{
	CLEAN_ELEMS struct elem_list old = {0}, new = {0};
	const struct attachment was = *a; /* owns nothing */
	int r;

	if (a->kind != ATTACH_VETH)
		return 0;
	a->cap = *cap;
	r = bounds_only_in(&was, a, &old, e);
	if (r >= 0)
		r = bounds_only_in(a, &was, &new, e);
	if (r >= 0)
		r = nftbatch_del(g->nft, &old, e);
	if (r >= 0)
		r = up_record(g, a, e);
	if (r >= 0)
		r = nftbatch_add(g->nft, &new, NULL, e);
	if (r != -ENOENT || !attach_cap_is_set(cap) || hostop_owner(g, NULL) != 0)
		return r;
	/* The tables are there, the sets are not: see hostop_tables. */
	err_reset(e);
	a->cap = (struct attach_cap){0};
	r = up_record(g, a, e);
	if (r < 0 || cap->is_usual)
		return r;
	return err_set(e, ERR_UNSUPPORTED, 0,
		       "caps of connections and packets: the kernel lacks CONFIG_NFT_LIMIT or "
		       "CONFIG_NFT_CONNLIMIT");
}

static int adjust(struct engine *g, struct attachment *a, const struct adjust_request *req,
		  struct err *e)
{
	uint64_t cookie = 0;
	bool settles = req->n_sysctl || (req->tune && attach_tune_is_set(req->tune));
	int r = settles ? engine_cookie(req->netns_fd, &cookie, e) : 0;

	if (r >= 0 && settles && cookie != a->netns_cookie)
		return err_what(e,
				err_set(e, ERR_CONFLICT, 0, "%s/%s belongs to another namespace",
					a->id, a->ifname),
				WHAT_NETNS);
	if (r >= 0 && req->rate)
		r = adjust_rate(g, a, req, e);
	if (r >= 0 && settles)
		r = adjust_settings(g, a, req, e);
	if (r >= 0 && req->cap)
		r = adjust_cap(g, a, req->cap, e);
	return r;
}

int engine_adjust(struct engine *g, const struct adjust_request *req, struct attachment **ret,
		  struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char key[KEY_STRLEN];

	name_key(req->id, req->ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, req->id, req->ifname, &a, e);
	if (r == 1 || (r == 0 && (a->phase != ATTACH_COMMITTED || a->kind == ATTACH_LEASE)))
		r = err_set(e, ERR_ABSENT, 0, "there is no attachment %s/%s", req->id, req->ifname);
	if (r >= 0)
		r = adjust(g, a, req, e);
	if (r >= 0) {
		*ret = a;
		a = NULL;
	}
	store_unlock_key(g->store, key);
	return r < 0 ? r : 0;
}
