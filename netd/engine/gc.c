/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gc: brings records and kernel together: what has a record but no life goes, what has life but no
 * record goes, what lives but lost a part gets it back. Each attachment is handled under its own
 * lock, so transactions under way are waited for and never cut.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/grow.h"
#include "engine/internal.h"
#include "net/link.h"
#include "store/claim.h"

struct keys {
	size_t n, cap;
	char (*v)[KEY_STRLEN];
	bool failed;
};

static void keys_add(struct keys *k, const char *key)
{
	if (!GROW(k->v, k->n, k->cap)) {
		k->failed = true;
		return;
	}
	snprintf(k->v[k->n++], KEY_STRLEN, "%s", key);
}

struct census {
	struct keys all, broken, hosts;
};

static void census_free(struct census *c)
{
	free(c->all.v);
	free(c->broken.v);
	free(c->hosts.v);
}

static int census_valid(const struct attachment *a, void *arg)
{
	struct census *c = arg;
	char key[KEY_STRLEN];

	name_key(a->id, a->ifname, key);
	keys_add(&c->all, key);
	keys_add(&c->hosts, a->host_ifname);
	if (a->rate.out_rate) {
		char ifb[IFNAME_STRLEN];

		name_ifb(a->id, a->ifname, ifb);
		keys_add(&c->hosts, ifb);
	}
	return 0;
}

static void census_broken(const char *name, const struct err *why, void *arg)
{
	struct census *c = arg;

	(void)why;
	keys_add(&c->broken, name);
}

static int census_take(struct engine *g, struct census *c, struct err *e)
{
	int r = store_each_attachment(g->store, census_valid, census_broken, c, e);

	if (r >= 0 && (c->all.failed || c->broken.failed || c->hosts.failed))
		r = err_set(e, ERR_INTERNAL, ENOMEM, "list of attachments");
	return r;
}

static int repair(struct engine *g, struct attachment *a, struct gc_result *ret, struct err *e)
{
	CLEAN_WORK struct work w = {.g = g, .a = a, .netns_fd = -1};
	int r = up_repair(&w, e);

	if (r >= 0 && w.plan.n)
		ret->n_repaired++;
	return r;
}

/* A living one is mended, a dead one goes; it may die while it is being mended. */
static int gc_attachment(struct engine *g, struct attachment *a, struct gc_result *ret,
			 struct err *e)
{
	int r = a->phase == ATTACH_COMMITTED ? attachment_is_alive(g, a, e) : 0;

	if (r > 0) {
		r = repair(g, a, ret, e);
		if (r >= 0 || e->kind != ERR_ABSENT || attachment_is_alive(g, a, NULL) != 0)
			return r;
		err_reset(e);
		r = 0;
	}
	if (r == 0) {
		r = teardown_all(g, a, false, e);
		ret->n_attachments += r >= 0;
	}
	return r;
}

static int gc_one(struct engine *g, const char *key, struct gc_result *ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];

	if (name_parse_key(key, id, ifname) < 0)
		return 0;
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, id, ifname, &a, e);
	if (r == 0)
		r = gc_attachment(g, a, ret, e);
	store_unlock_key(g->store, key);
	return r < 0 ? r : 0;
}

/* A record that cannot be read: its name is the key, and the link's name follows from it. The
 * elements it put into the tables go with hostop_tables, which knows only what is readable and
 * comes first. Global lock held. */
static int gc_broken(struct engine *g, const char *name, struct gc_result *ret, struct err *e)
{
	char id[ID_STRLEN], ifname[IFNAME_STRLEN], host[IFNAME_STRLEN];
	struct link_info l;
	int r = store_del_broken(g->store, name, e);

	if (r < 0)
		return r;
	ret->n_broken++;
	if (name_parse_key(name, id, ifname) < 0)
		return 0;
	name_host_ifname(id, ifname, host);
	if (link_get(g->host, host, &l, NULL) == 0)
		r = link_del(g->host, l.index, e);
	name_ifb(id, ifname, host);
	if (r >= 0 && link_get(g->host, host, &l, NULL) == 0)
		r = link_del(g->host, l.index, e);
	if (r >= 0)
		r = prepare_leave(g, name, e);
	if (r >= 0) {
		struct reserve *res = NULL;
		r = reserve_open(store_dirfd(g->store), &res, e);
		if (r >= 0)
			r = reserve_release(res, name, NULL, 0, e);
		reserve_closep(&res);
	}
	return r;
}

int gc_one_broken(struct engine *g, const char *name, struct gc_result *ret, struct err *e)
{
	struct work w = {.g = g};
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = hostop_tables(&w, e);
	if (r >= 0)
		r = gc_broken(g, name, ret, e);
	store_unlock(g->store);
	return r;
}

static int gc_all_broken(struct engine *g, const struct census *c, struct gc_result *ret,
			 struct err *all)
{
	struct work w = {.g = g};

	if (c->broken.n == 0)
		return 0;
	/* First what the records put into the tables: only they tell that something is left. */
	int r = hostop_tables(&w, all);
	for (size_t i = 0; r >= 0 && i < c->broken.n; i++) {
		struct err one = ERR_INIT;
		if (gc_broken(g, c->broken.v[i], ret, &one) < 0)
			err_gather(all, &one);
	}
	return r < 0 ? r : all->kind == ERR_NONE ? 0 : -EIO;
}

struct strays {
	const struct census *c;
	size_t n, n_marked;
	uint32_t index[256];
};

static int see_link(const struct link_info *l, void *arg)
{
	struct strays *s = arg;

	s->n_marked += l->group == LINK_GROUP_STRAY;
	if ((l->group != LINK_GROUP_VETH && l->group != LINK_GROUP_IFB) ||
	    s->n == sizeof(s->index) / sizeof(s->index[0]))
		return 0;
	for (size_t i = 0; i < s->c->hosts.n; i++)
		if (strcmp(s->c->hosts.v[i], l->name) == 0)
			return 0;
	s->index[s->n++] = l->index;
	return 0;
}

/* Marks some of them; s->n: how many. */
static int mark_strays(struct engine *g, struct strays *s, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;

	s->n = s->n_marked = 0;
	int r = link_each(g->host, see_link, s, e);
	if (r >= 0)
		r = rtnl_batch_new(g->host, &b, e);
	for (size_t i = 0; r >= 0 && i < s->n; i++)
		r = link_set_group(b, s->index[i], LINK_GROUP_STRAY, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

/* By group, for the kernel waits once for a request and holds everybody up meanwhile. */
static int gc_strays(struct engine *g, const struct census *c, struct gc_result *ret, struct err *e)
{
	struct strays s = {.c = c};
	int r;

	do {
		r = mark_strays(g, &s, e);
	} while (r >= 0 && s.n > 0);
	if (r < 0 || s.n_marked == 0)
		return r;
	r = link_del_group(g->host, LINK_GROUP_STRAY, e);
	if (r >= 0)
		ret->n_links += s.n_marked;
	return r < 0 ? r : 0;
}

static int count_ours(const struct link_info *l, void *arg)
{
	size_t *n = arg;

	*n += link_is_ours(l);
	return 0;
}

/* Nothing on record: whatever carries our mark is left over. */
static int gc_all_links(struct engine *g, struct gc_result *ret, struct err *e)
{
	size_t n = 0;
	int r = link_each(g->host, count_ours, &n, e);

	if (r >= 0 && n)
		r = hostop_purge(g, e);
	if (r >= 0)
		ret->n_links += n;
	return r;
}

static int gc_ports(struct engine *g, struct err *e)
{
	struct reserve *res = NULL;
	int r = reserve_open(store_dirfd(g->store), &res, e);

	if (r >= 0)
		r = prepare_sweep_ports(g, res, e);
	reserve_closep(&res);
	return r < 0 ? r : 0;
}

struct members {
	struct store *store;
	struct keys dead;
};

static int see_member(const char *network, const char *key, void *arg)
{
	struct members *m = arg;

	(void)network;
	if (!store_has_attachment(m->store, key))
		keys_add(&m->dead, key);
	return 0;
}

/* Members whose process died between joining and its record. */
static int gc_members(struct engine *g, struct err *e)
{
	struct members m = {.store = g->store};
	int r = member_each(g->store, NULL, see_member, &m, e);

	for (size_t i = 0; r >= 0 && i < m.dead.n; i++)
		r = prepare_leave(g, m.dead.v[i], e);
	free(m.dead.v);
	return r < 0 ? r : 0;
}

struct deserted {
	struct engine *g;
	struct err *all;
};

/* A described network whose last member's process was killed before it removed the record. */
static int see_deserted(const struct network *n, void *arg)
{
	struct deserted *t = arg;
	struct err one = ERR_INIT;

	if (n->is_spec && n->implicit && member_peek(t->g->store, n->name, NULL) > MEMBER_OTHERS &&
	    hostop_network_gone(t->g, n, MEMBER_FIRST_OF_NETWORK, &one) < 0)
		err_gather(t->all, &one);
	return 0;
}

static int gc_networks(struct engine *g, struct err *e)
{
	struct err all = ERR_INIT;
	struct deserted t = {.g = g, .all = &all};

	/* Whose record cannot be read is told when the network is used. */
	(void)store_each_network(g->store, see_deserted, &t, NULL);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

/* Global lock held: a record is written under it before its link is made, so a link without a
 * record is nobody's. */
static int gc_kernel(struct engine *g, bool is_gentle, struct gc_result *ret, struct err *e)
{
	struct census c = {0};
	size_t n_claims = 0;
	int r = hostop_owner(g, e);

	if (r >= 0)
		r = census_take(g, &c, e);
	if (r >= 0 && is_gentle && c.broken.n) {
		/* Nor anything of theirs, which without them looks like nobody's. */
		r = err_set(e, ERR_IO, 0, "%zu records cannot be read; `netns-up gc` removes them",
			    c.broken.n);
		census_free(&c);
		return r;
	}
	if (r >= 0)
		r = gc_all_broken(g, &c, ret, e);
	if (r >= 0)
		r = c.all.n ? gc_strays(g, &c, ret, e) : gc_all_links(g, ret, e);
	if (r >= 0)
		r = claim_sweep(g->store, &n_claims, e);
	if (r >= 0)
		r = gc_ports(g, e);
	if (r >= 0)
		r = names_sweep(g, e);
	if (r >= 0)
		r = gc_members(g, e);
	if (r >= 0)
		r = gc_networks(g, e);
	ret->n_claims += n_claims;
	if (r >= 0 && c.all.n == 0) {
		const struct network none = {.mode = NET_ROUTED};
		r = hostop_network_gone(g, &none, MEMBER_FIRST_OF_HOST, e);
	}
	census_free(&c);
	return r < 0 ? r : 0;
}

static int gc_all(struct engine *g, bool is_gentle, struct gc_result *ret, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	struct census c = {0};

	g->deep = true;
	memset(ret, 0, sizeof(*ret));
	if (census_take(g, &c, &one) < 0)
		err_gather(&all, &one);
	for (size_t i = 0; i < c.all.n; i++) {
		err_reset(&one);
		if (gc_one(g, c.all.v[i], ret, &one) < 0)
			err_gather(&all, &one);
		engine_progress(g, "containers", i + 1, c.all.n);
	}
	census_free(&c);
	err_reset(&one);
	if (store_lock(g->store, &one) < 0) {
		err_gather(&all, &one);
	} else {
		err_reset(&one);
		if (gc_kernel(g, is_gentle, ret, &one) < 0)
			err_gather(&all, &one);
		store_unlock(g->store);
	}
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

int engine_gc(struct engine *g, struct gc_result *ret, struct err *e)
{
	return gc_all(g, false, ret, e);
}

int engine_gc_gentle(struct engine *g, struct gc_result *ret, struct err *e)
{
	return gc_all(g, true, ret, e);
}
