/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: publish and unpublish on an attachment that is up. The record is written before ports are
 * added and after they are taken away, so it always lists everything that may exist. Also gives the
 * ports of all attachments to a forwarder that was started anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "engine/gcnet.h"
#include "engine/internal.h"
#include "net/conntrack.h"

/* The same run of host ports, whatever it leads to. */
static bool same_host_ports(const struct publish *a, const struct publish *b)
{
	return a->proto == b->proto && a->host_port == b->host_port && a->count == b->count &&
	       ip_equal(&a->host_ip, &b->host_ip);
}

static int get_committed(struct engine *g, const char *id, const char *ifname,
			 struct attachment **ret, struct err *e)
{
	int r = store_get_attachment(g->store, id, ifname, ret, e);

	if (r == 1 || (r == 0 && (*ret)->phase != ATTACH_COMMITTED))
		return err_set(e, ERR_ABSENT, 0, "there is no attachment %s/%s", id, ifname);
	return r;
}

static void gather(struct err *all, struct err *one, int r)
{
	if (r < 0)
		err_gather(all, one);
	err_reset(one);
}

int ports_reserve(struct reserve *res, const struct attachment *a, struct err *e)
{
	struct ip target[N_FAM] = {a->addr[FAM4].ip, a->addr[FAM6].ip};
	struct err all = ERR_INIT, one = ERR_INIT;
	char key[KEY_STRLEN];
	bool has[N_FAM];

	name_key(a->id, a->ifname, key);
	attachment_families(a, has);
	for (size_t i = 0; i < a->n_publish; i++) {
		struct publish p = a->publish[i];
		gather(&all, &one, reserve_bind(res, &p, has, &one));
	}
	gather(&all, &one, reserve_commit(res, key, target, &one));
	reserve_cut(res, 0);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

struct publishers {
	size_t n, cap;
	char (*key)[KEY_STRLEN];
};

static int see_publisher(const struct attachment *a, void *arg)
{
	struct publishers *l = arg;

	if (a->phase != ATTACH_COMMITTED || a->n_publish == 0)
		return 0;
	if (!GROW(l->key, l->n, l->cap))
		return -ENOMEM;
	name_key(a->id, a->ifname, l->key[l->n++]);
	return 0;
}

/* The attachment, if it is up and has a port that nobody serves; else NULL. */
static struct attachment *find_unserved(struct engine *g, struct reserve *res, const char *key)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct attachment *ret = NULL;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	size_t has = 0, want = 0;

	if (name_parse_key(key, id, ifname) < 0 ||
	    store_get_attachment(g->store, id, ifname, &a, NULL) != 0 ||
	    a->phase != ATTACH_COMMITTED ||
	    reserve_count(res, key, a->publish, a->n_publish, &has, &want, NULL) < 0)
		return NULL;
	if (has < want) {
		ret = a;
		a = NULL;
	}
	return ret;
}

/* Looked at without the lock first: nobody who is at work on something whole is waited for. */
static void revive(struct engine *g, struct reserve *res, const char *key)
{
	CLEAN_ATTACHMENT struct attachment *seen = find_unserved(g, res, key);
	CLEAN_ATTACHMENT struct attachment *a = NULL;

	if (!seen || store_lock_key(g->store, key, NULL) < 0)
		return;
	a = find_unserved(g, res, key);
	if (a)
		ports_reserve(res, a, NULL);
	store_unlock_key(g->store, key);
}

void ports_revive(struct engine *g)
{
	CLEAN_RESERVE struct reserve *res = NULL;
	struct publishers l = {0};

	if (!g->fwd_started)
		return;
	g->fwd_started = false;
	if (reserve_open(store_dirfd(g->store), &res, NULL) == 0 &&
	    store_each_attachment(g->store, see_publisher, NULL, &l, NULL) >= 0)
		for (size_t i = 0; i < l.n; i++)
			revive(g, res, l.key[i]);
	free(l.key);
}

/* What of p is not published yet; refuses what overlaps with something else that is. */
static int missing_only(const struct attachment *a, const struct publish *p, size_t n,
			struct attachment *part, struct err *e)
{
	char s[PUBLISH_STRLEN], t[PUBLISH_STRLEN];
	int r = publish_check_list(p, n, e);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		bool there = false;
		for (size_t k = 0; r >= 0 && !there && k < a->n_publish; k++) {
			there = publish_equal(&p[i], &a->publish[k]);
			if (!there && publish_overlaps(&p[i], &a->publish[k]))
				r = err_set(e, ERR_CONFLICT, 0, "publish %s: %s/%s has %s",
					    publish_str(&p[i], s), a->id, a->ifname,
					    publish_str(&a->publish[k], t));
		}
		if (r >= 0 && !there)
			r = attachment_add_publish(part, &p[i], 1, e);
	}
	return r;
}

/* A copy of a without its ports, to which some are added: the transaction's own share. */
int ports_start_part(const struct attachment *a, struct attachment **ret, struct err *e)
{
	struct attachment *part = calloc(1, sizeof(*part));

	if (!part)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	*part = *a;
	/* What a owns stays its own. */
	part->publish = NULL;
	part->n_publish = 0;
	part->route = NULL;
	part->n_route = 0;
	part->sysctl = NULL;
	part->n_sysctl = 0;
	part->alias = NULL;
	part->n_alias = 0;
	part->note = NULL;
	memset(part->resolver, 0, sizeof(part->resolver)); /* nor is it found by names */
	*ret = part;
	return 0;
}

static int publish_claim(struct work *w, struct attachment *a, struct err *e)
{
	int r = store_lock(w->g->store, e);

	if (r < 0)
		return r;
	hostop_network_of(a, &w->net);
	r = prepare_claim_ports(w, a, w->a->publish, w->a->n_publish, e);
	if (r >= 0) {
		r = attachment_add_publish(a, w->a->publish, w->a->n_publish, e);
		if (r >= 0)
			r = publish_check_list(a->publish, a->n_publish, e);
		if (r >= 0)
			r = store_put_attachment(w->g->store, a, e);
		if (r < 0) {
			prepare_unbind(w);
			prepare_drop_ports(w->g, a, w->a->publish, w->a->n_publish, NULL);
		}
	}
	if (r >= 0)
		r = member_generation(w->g->store, &w->generation, e);
	store_unlock(w->g->store);
	return r;
}

/* Takes part's ports out of a's list. */
static void strike(struct attachment *a, const struct attachment *part)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->n_publish; i++) {
		bool off = false;
		for (size_t k = 0; !off && k < part->n_publish; k++)
			off = same_host_ports(&a->publish[i], &part->publish[k]);
		if (!off)
			a->publish[kept++] = a->publish[i];
	}
	a->n_publish = kept;
}

static int del_dnat(struct engine *g, const struct attachment *part, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	int r = elem_of_publish(part, part->publish, part->n_publish, &l, e);

	return r < 0 ? r : nftbatch_del(g->nft, &l, e);
}

/* Forgets ports that are off: record first, then the claims, so that nobody can take a port that
 * the record of a still lists. Tables loaded anew since generation `before` were filled from that
 * record, so what was taken off then may be back. */
static int forget(struct engine *g, struct attachment *a, const struct attachment *part,
		  uint64_t before, struct err *e)
{
	uint64_t now = before;
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	strike(a, part);
	r = store_put_attachment(g->store, a, e);
	if (r >= 0)
		r = member_generation(g->store, &now, e);
	if (r >= 0 && now != before)
		r = del_dnat(g, part, e);
	if (r >= 0)
		r = prepare_drop_ports(g, a, part->publish, part->n_publish, e);
	store_unlock(g->store);
	return r;
}

/* Goes on after errors and reports them together. */
static int take_off(struct engine *g, const struct attachment *part, struct err *e)
{
	struct ip target[N_FAM] = {part->addr[FAM4].ip, part->addr[FAM6].ip};
	struct err all = ERR_INIT, one = ERR_INIT;
	struct reserve *res = NULL;
	char key[KEY_STRLEN];

	name_key(part->id, part->ifname, key);
	gather(&all, &one, del_dnat(g, part, &one));
	gather(&all, &one,
	       conntrack_flush(nftbatch_fd(g->nft), part->publish, part->n_publish, target, true,
			       &one));
	int r = reserve_open(store_dirfd(g->store), &res, &one);
	if (r >= 0)
		r = reserve_release(res, key, part->publish, part->n_publish, &one);
	gather(&all, &one, r);
	reserve_closep(&res);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

/* What could not be taken away stays on record, so that `publish`, `unpublish` or `down` finds it.
 */
int ports_withdraw(struct engine *g, struct attachment *a, const struct attachment *part,
		   struct err *e)
{
	uint64_t before;
	int r = member_generation(g->store, &before, e);

	if (r >= 0)
		r = take_off(g, part, e);
	return r < 0 ? r : forget(g, a, part, before, e);
}

static int publish_apply(struct work *w, struct attachment *a, struct err *e)
{
	static const enum op_kind ops[] = {OP_RESERVE, OP_DNAT, OP_CONNTRACK};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		w->plan.op[w->plan.n++] = (struct op){.kind = ops[i]};
	int r = apply_endpoint(w, false, e);
	if (r >= 0) {
		r = store_lock(w->g->store, e);
		if (r >= 0) {
			r = apply_elements_again(w, e);
			store_unlock(w->g->store);
		}
	}
	if (r < 0) {
		struct err one = ERR_INIT;
		prepare_unbind(w);
		if (ports_withdraw(w->g, a, w->a, &one) < 0)
			err_gather(e, &one);
	}
	return r;
}

/* Ports that are on record already may be there in part only, when the call that was to publish
 * them was killed. */
static int mend(struct engine *g, struct attachment *a, struct err *e)
{
	CLEAN_WORK struct work w = {.g = g, .a = a, .netns_fd = -1};

	return up_repair(&w, e);
}

static int publish_new(struct engine *g, struct attachment *a, struct attachment *part,
		       struct err *e)
{
	CLEAN_WORK struct work w = {.g = g, .a = part, .netns_fd = -1};
	int r = publish_claim(&w, a, e);

	if (r >= 0)
		r = publish_apply(&w, a, e);
	g->fwd_started = g->fwd_started || (w.res && reserve_started(w.res));
	return r;
}

static int publish_once(struct engine *g, const char *id, const char *ifname,
			const struct publish *p, size_t n, struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *part = NULL;
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = get_committed(g, id, ifname, &a, e);
	if (r >= 0)
		r = ports_start_part(a, &part, e);
	if (r >= 0)
		r = missing_only(a, p, n, part, e);
	if (r >= 0 && part->n_publish < n)
		r = mend(g, a, e);
	if (r >= 0 && part->n_publish)
		r = publish_new(g, a, part, e);
	if (r >= 0) {
		*ret = a;
		a = NULL;
	}
	store_unlock_key(g->store, key);
	return r < 0 ? r : 0;
}

int engine_publish(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		   size_t n, struct attachment **ret, struct err *e)
{
	struct err first = ERR_INIT;
	int r = publish_once(g, id, ifname, p, n, ret, &first);

	if (r < 0 && gcnet_may_retry(g, NULL, &first)) {
		err_reset(&first);
		r = publish_once(g, id, ifname, p, n, ret, &first);
	}
	if (r < 0)
		err_gather(e, &first);
	ports_revive(g);
	return r;
}

/* The published runs that p names, with what they lead to. */
static int find_published(const struct attachment *a, const struct publish *p, size_t n,
			  struct attachment *part, struct err *e)
{
	char s[PUBLISH_STRLEN];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		size_t k = 0;
		while (k < a->n_publish && !same_host_ports(&p[i], &a->publish[k]))
			k++;
		if (k == a->n_publish)
			r = err_set(e, ERR_ABSENT, 0, "%s/%s does not publish %s", a->id, a->ifname,
				    publish_str(&p[i], s));
		else
			r = attachment_add_publish(part, &a->publish[k], 1, e);
	}
	return r;
}

int engine_unpublish(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		     size_t n, struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *part = NULL;
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = get_committed(g, id, ifname, &a, e);
	if (r >= 0)
		r = ports_start_part(a, &part, e);
	if (r >= 0)
		r = find_published(a, p, n, part, e);
	if (r >= 0 && part->n_publish)
		r = ports_withdraw(g, a, part, e);
	if (r >= 0) {
		*ret = a;
		a = NULL;
	}
	store_unlock_key(g->store, key);
	return r < 0 ? r : 0;
}
