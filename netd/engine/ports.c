/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: publish and unpublish on an attachment that is up. The record is written before ports are
 * added and after they are taken away, so it always lists everything that may exist.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
static int start_part(const struct attachment *a, struct attachment **ret, struct err *e)
{
	struct attachment *part = calloc(1, sizeof(*part));

	if (!part)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	*part = *a;
	part->publish = NULL;
	part->n_publish = 0;
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
		if (r < 0)
			prepare_drop_ports(w->g, a, w->a->publish, w->a->n_publish, NULL);
	}
	if (r >= 0)
		r = member_generation(w->g->store, &w->generation, e);
	store_unlock(w->g->store);
	return r;
}

/* Forgets ports that are off: record first, then the claims, so that nobody can take a port that
 * the record of a still lists. */
static int forget(struct engine *g, struct attachment *a, const struct publish *p, size_t n,
		  struct err *e)
{
	size_t kept = 0;
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < a->n_publish; i++) {
		bool off = false;
		for (size_t k = 0; !off && k < n; k++)
			off = same_host_ports(&a->publish[i], &p[k]);
		if (!off)
			a->publish[kept++] = a->publish[i];
	}
	a->n_publish = kept;
	r = store_put_attachment(g->store, a, e);
	if (r >= 0)
		r = prepare_drop_ports(g, a, p, n, e);
	store_unlock(g->store);
	return r;
}

static int publish_apply(struct work *w, struct attachment *a, struct err *e)
{
	static const enum op_kind ops[] = {OP_RESERVE, OP_DNAT, OP_CONNTRACK};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		w->plan.op[w->plan.n++] = (struct op){.kind = ops[i]};
	int r = apply_endpoint(w, true, e);
	if (r >= 0) {
		r = store_lock(w->g->store, e);
		if (r >= 0) {
			r = apply_elements_again(w, e);
			store_unlock(w->g->store);
		}
	}
	if (r < 0) {
		struct err one = ERR_INIT;
		if (forget(w->g, a, w->a->publish, w->a->n_publish, &one) < 0)
			err_gather(e, &one);
	}
	return r;
}

int engine_publish(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		   size_t n, struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *part = NULL;
	CLEAN_WORK struct work w = {.g = g, .netns_fd = -1};
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = get_committed(g, id, ifname, &a, e);
	if (r >= 0)
		r = start_part(a, &part, e);
	if (r >= 0)
		r = missing_only(a, p, n, part, e);
	if (r >= 0 && part->n_publish) {
		w.a = part;
		r = publish_claim(&w, a, e);
		if (r >= 0)
			r = publish_apply(&w, a, e);
	}
	if (r >= 0) {
		*ret = a;
		a = NULL;
	}
	store_unlock_key(g->store, key);
	return r < 0 ? r : 0;
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

static int take_off(struct engine *g, const struct attachment *part, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct ip target[N_FAM] = {part->addr[FAM4].ip, part->addr[FAM6].ip};
	struct reserve *res = NULL;
	char key[KEY_STRLEN];

	name_key(part->id, part->ifname, key);
	int r = elem_of_publish(part, part->publish, part->n_publish, &l, e);
	if (r >= 0)
		r = nftbatch_del(g->nft, &l, e);
	if (r >= 0)
		r = conntrack_flush_on(nftbatch_fd(g->nft), part->publish, part->n_publish, target,
				       true, e);
	if (r >= 0)
		r = reserve_open(store_dirfd(g->store), &res, e);
	if (r >= 0)
		r = reserve_release(res, key, part->publish, part->n_publish, e);
	reserve_closep(&res);
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
		r = start_part(a, &part, e);
	if (r >= 0)
		r = find_published(a, p, n, part, e);
	if (r >= 0 && part->n_publish) {
		r = take_off(g, part, e);
		if (r >= 0)
			r = forget(g, a, part->publish, part->n_publish, e);
	}
	if (r >= 0) {
		*ret = a;
		a = NULL;
	}
	store_unlock_key(g->store, key);
	return r < 0 ? r : 0;
}
