/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * up: one attachment from request to committed record. Locks: the attachment's first, held to the
 * end; the global one while names are claimed and shared things are made, and again for the commit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "net/link.h"

static void note_start(struct work *w)
{
	w->g->fwd_started = w->g->fwd_started || (w->res && reserve_started(w->res));
}

static int repair_host(struct work *w, struct err *e)
{
	int r = store_lock(w->g->store, e);

	if (r < 0)
		return r;
	if (store_get_network(w->g->store, w->a->network, &w->net, NULL) != 0)
		hostop_network_of(w->a, &w->net);
	r = observe_host(w, e);
	if (r >= 0)
		r = observe_attachment(w, e);
	if (r >= 0) {
		plan_up(w->a, &w->obs, &w->plan);
		r = apply_host(w, e);
	}
	store_unlock(w->g->store);
	return r;
}

/* The reservation comes last here and by itself: when it cannot be had, because somebody took the
 * port meanwhile, that must not keep the rest from being mended. */
static int repair_endpoint(struct work *w, struct err *e)
{
	const struct plan whole = w->plan;
	struct err all = ERR_INIT, one = ERR_INIT;

	w->plan.n = 0;
	for (size_t i = 0; i < whole.n; i++)
		if (whole.op[i].kind != OP_RESERVE)
			w->plan.op[w->plan.n++] = whole.op[i];
	if (apply_endpoint(w, false, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (w->a->n_publish && !w->obs.has_reservation && ports_reserve(w->res, w->a, &one) < 0)
		err_gather(&all, &one);
	w->plan = whole;
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

int up_repair(struct work *w, struct err *e)
{
	int r = repair_host(w, e);

	if (r >= 0)
		r = repair_endpoint(w, e);
	note_start(w);
	return r;
}

/* A record that is renamed into its place while gc reads the directory could be missed. */
static int put_again(struct engine *g, const struct attachment *a, struct err *e)
{
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = store_put_attachment(g->store, a, e);
	store_unlock(g->store);
	return r;
}

/* The attachment is on record for this very namespace. */
static int up_again(struct engine *g, const struct up_request *req, struct attachment *have,
		    struct err *e)
{
	CLEAN_WORK struct work w = {.g = g, .a = have, .netns_fd = req->netns_fd};
	uint32_t index = have->host_ifindex;

	if (!request_is_same(req, have))
		return err_what(e,
				err_set(e, ERR_CONFLICT, 0,
					"%s/%s is up with other settings: take it down first",
					have->id, have->ifname),
				WHAT_INTERFACE);
	int r = up_repair(&w, e);
	if (r >= 0 && index != have->host_ifindex)
		r = put_again(g, have, e);
	return r < 0 ? r : ENGINE_NOTHING;
}

/* A record of that name exists. Returns ENGINE_NOTHING when it is the answer, 0 when it is gone
 * now. */
static int up_found(struct engine *g, const struct up_request *req, uint64_t cookie,
		    struct attachment *have, struct err *e)
{
	struct link_info l;

	if (have->phase == ATTACH_COMMITTED && have->netns_cookie == cookie)
		return up_again(g, req, have, e);
	if (have->phase == ATTACH_COMMITTED) {
		int r = link_get(g->host, have->host_ifname, &l, e);
		if (r < 0)
			return r;
		if (r == 0 && l.index == have->host_ifindex)
			return err_what(e,
					err_set(e, ERR_CONFLICT, 0,
						"%s/%s belongs to another namespace that is alive",
						have->id, have->ifname),
					WHAT_INTERFACE);
	}
	return teardown_all(g, have, false, e);
}

static int find_network(struct work *w, const struct up_request *req, struct err *e)
{
	int r;

	if (request_is_described(req))
		return spec_find(w, req, e);
	r = network_find(w->g, req->network, &w->net, e);
	w->is_new_network = r == 1;
	return r < 0 ? r : 0;
}

static int up_prepare(struct work *w, const struct up_request *req, struct err *e)
{
	int r = store_lock(w->g->store, e);

	if (r < 0)
		return r;
	if (!member_any(w->g->store))
		r = hostop_purge(w->g, e);
	if (r >= 0)
		r = find_network(w, req, e);
	if (r >= 0)
		r = prepare_claim(w, req, e);
	if (r >= 0) {
		r = observe_host(w, e);
		if (r >= 0) {
			plan_up(w->a, &w->obs, &w->plan);
			r = apply_host(w, e);
		}
		if (r < 0) {
			struct err one = ERR_INIT;
			if (prepare_release(w->g, w->a, &one) < 0)
				err_gather(e, &one);
		}
	}
	store_unlock(w->g->store);
	return r;
}

static int up_commit(struct work *w, struct err *e)
{
	int r = store_lock(w->g->store, e);

	if (r < 0)
		return r;
	r = apply_elements_again(w, e);
	if (r >= 0) {
		w->a->phase = ATTACH_COMMITTED;
		r = store_put_attachment(w->g->store, w->a, e);
	}
	store_unlock(w->g->store);
	return r;
}

/* inside is taken over. */
static int up_new(struct engine *g, const struct up_request *req, uint64_t cookie,
		  struct rtnl **inside, struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = calloc(1, sizeof(*a));
	CLEAN_WORK struct work w = {.g = g, .a = a, .netns_fd = req->netns_fd, .inside = *inside};

	*inside = NULL;

	if (!a)
		return err_set(e, ERR_INTERNAL, ENOMEM, "attachment");
	a->netns_cookie = cookie;
	int r = up_prepare(&w, req, e);
	note_start(&w);
	if (r < 0)
		return r;
	r = apply_endpoint(&w, true, e);
	note_start(&w);
	if (r >= 0)
		r = up_commit(&w, e);
	if (r < 0) {
		struct err one = ERR_INIT;
		if (teardown_all(g, a, false, &one) < 0)
			err_gather(e, &one);
		return r;
	}
	*ret = a;
	a = NULL;
	return ENGINE_DONE;
}

static int up_check_target(struct engine *g, const struct up_request *req, struct rtnl **ret_inside,
			   uint64_t *ret_cookie, struct err *e)
{
	int r = rtnl_open_in(req->netns_fd, ret_inside, e);

	if (r >= 0)
		r = rtnl_cookie(*ret_inside, ret_cookie, e);

	if (r >= 0 && *ret_cookie == g->cookie)
		return err_what(
			e,
			err_set(e, ERR_USAGE, 0,
				"the target is in the host's own network namespace: it has no "
				"network of its own to set up"),
			WHAT_NETNS);
	return r;
}

int engine_up(struct engine *g, const struct up_request *req, struct attachment **ret,
	      struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *have = NULL;
	CLEAN_RTNL struct rtnl *inside = NULL;
	char key[KEY_STRLEN];
	uint64_t cookie;

	int r = up_check_target(g, req, &inside, &cookie, e);

	if (r < 0)
		return r;
	name_key(req->id, req->ifname, key);
	r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, req->id, req->ifname, &have, e);
	if (r == 0)
		r = up_found(g, req, cookie, have, e);
	else if (r == 1)
		r = 0;
	if (r == ENGINE_NOTHING) {
		*ret = have;
		have = NULL;
	} else if (r == 0) {
		r = up_new(g, req, cookie, &inside, ret, e);
	}
	g->tidy = g->tidy && r < 0;
	store_unlock_key(g->store, key);
	ports_revive(g);
	return r;
}

static int preview(struct work *w, const struct up_request *req, struct buf *out, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *have = NULL;
	struct engine *g = w->g;
	int r = store_get_attachment(g->store, req->id, req->ifname, &have, e);

	if (r == 0)
		return err_set(e, ERR_CONFLICT, 0, "%s/%s exists: `check` tells what it lacks",
			       have->id, have->ifname);
	if (r > 0)
		r = store_lock(g->store, e);
	if (r < 0)
		return r;
	r = find_network(w, req, e);
	if (r >= 0)
		r = prepare_preview(w, req, e);
	if (r >= 0)
		r = observe_host(w, e);
	if (r >= 0) {
		plan_up(w->a, &w->obs, &w->plan);
		plan_text(&w->plan, &w->net, w->a, &w->obs, out);
	}
	store_unlock(g->store);
	return r;
}

int engine_up_plan(struct engine *g, const struct up_request *req, struct buf *out, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = calloc(1, sizeof(*a));
	CLEAN_WORK struct work w = {.g = g, .a = a, .netns_fd = req->netns_fd};
	char key[KEY_STRLEN];

	if (!a)
		return err_set(e, ERR_INTERNAL, ENOMEM, "attachment");
	int r = up_check_target(g, req, &w.inside, &a->netns_cookie, e);
	if (r < 0)
		return r;
	/* The claims it makes and drops bear the name of the real thing. */
	name_key(req->id, req->ifname, key);
	r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = preview(&w, req, out, e);
	store_unlock_key(g->store, key);
	return r < 0 ? r : 0;
}
