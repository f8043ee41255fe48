/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * up: one attachment from request to committed record. Locks: the attachment's first, held to the
 * end; the global one while names are claimed and shared things are made, and again for the commit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/gcnet.h"
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
	hostop_network(w->g, w->a, &w->net);
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

int up_record(struct engine *g, const struct attachment *a, struct err *e)
{
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = store_put_attachment(g->store, a, e);
	store_unlock(g->store);
	return r;
}

static int check_same(const struct up_request *req, const struct attachment *have, struct err *e)
{
	if (request_is_same(req, have))
		return 0;
	return err_what(e,
			err_set(e, ERR_CONFLICT, 0,
				"%s/%s is up with other settings: take it down first", have->id,
				have->ifname),
			WHAT_INTERFACE);
}

/* The attachment is on record for this very namespace. */
static int up_again(struct engine *g, const struct up_request *req, struct attachment *have,
		    struct err *e)
{
	CLEAN_WORK struct work w = {.g = g, .a = have, .netns_fd = req->netns_fd};
	uint32_t index = have->host_ifindex;
	int r = check_same(req, have, e);

	if (r >= 0)
		r = up_repair(&w, e);
	if (r >= 0 && index != have->host_ifindex)
		r = up_record(g, have, e);
	return r < 0 ? r : ENGINE_NOTHING;
}

static int taken(const struct attachment *have, const char *by, struct err *e)
{
	return err_what(e, err_set(e, ERR_CONFLICT, 0, "%s/%s %s", have->id, have->ifname, by),
			WHAT_INTERFACE);
}

/* A lease of the same addresses becomes part of a foreign attachment, or of one of ours that was
 * given them: the claims stay, they have the same owner. */
static bool takes_lease(const struct up_request *req, const struct attachment *lease)
{
	struct attach_ip list[ATTACH_IP_MAX];
	size_t n = attachment_ips(lease, list);

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < req->n_given && !ip_equal(&req->given[k].addr.ip, &list[i].addr.ip))
			k++;
		if (k == req->n_given)
			return false;
	}
	return request_is_described(req) && strcmp(req->network, lease->network) == 0;
}

/* A record of that name exists. Returns ENGINE_NOTHING when it is the answer, 0 when it is gone
 * now, or makes way. */
static int up_found(struct engine *g, const struct up_request *req, uint64_t cookie,
		    struct attachment *have, bool *ret_is_lease, struct err *e)
{
	int r;

	if (have->uid != req->uid)
		return taken(have, "is another user's", e);
	if (have->phase == ATTACH_LEAVING)
		return teardown_all(g, have, false, e);
	if (have->kind == ATTACH_LEASE && have->phase == ATTACH_COMMITTED &&
	    takes_lease(req, have)) {
		*ret_is_lease = true;
		return 0;
	}
	if (have->kind == ATTACH_LEASE && req->kind == ATTACH_FOREIGN)
		return taken(have, "has a lease of other addresses", e);
	if (have->phase == ATTACH_COMMITTED && have->netns_cookie == cookie &&
	    have->kind != ATTACH_LEASE)
		return up_again(g, req, have, e);
	if (have->phase == ATTACH_COMMITTED) {
		r = attachment_is_alive(g, have, e);
		if (r < 0)
			return r;
		if (r == 1 && have->netns_cookie != cookie)
			return taken(have, "belongs to another namespace that is alive", e);
	}
	r = teardown_all(g, have, false, e);
	/* What was half made over a lease leaves the lease. */
	if (r >= 0 && have->is_leased && have->kind == ATTACH_FOREIGN &&
	    have->phase == ATTACH_INTENT)
		*ret_is_lease = true;
	return r;
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
	if (!member_any(w->g->store, req->network))
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
			prepare_unbind(w);
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
static int up_new(struct engine *g, const struct up_request *req, uint64_t cookie, bool is_leased,
		  struct rtnl **inside, struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = calloc(1, sizeof(*a));
	CLEAN_WORK struct work w = {.g = g, .a = a, .netns_fd = req->netns_fd, .inside = *inside};

	*inside = NULL;

	if (!a)
		return err_set(e, ERR_INTERNAL, ENOMEM, "attachment");
	a->netns_cookie = cookie;
	a->is_leased = is_leased;
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
		prepare_unbind(&w);
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

	if (r >= 0 && *ret_cookie == g->cookie && !req->is_own_netns)
		return err_what(
			e,
			err_set(e, ERR_USAGE, 0,
				"the target is in the host's own network namespace: it has no "
				"network of its own to set up"),
			WHAT_NETNS);
	return r;
}

static int up_once(struct engine *g, const struct up_request *req, struct attachment **ret,
		   struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *have = NULL;
	CLEAN_RTNL struct rtnl *inside = NULL;
	char key[KEY_STRLEN];
	bool is_lease = false;
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
		r = up_found(g, req, cookie, have, &is_lease, e);
	else if (r == 1)
		r = 0;
	if (r == ENGINE_NOTHING) {
		*ret = have;
		have = NULL;
	} else if (r == 0) {
		r = up_new(g, req, cookie, is_lease && req->kind == ATTACH_FOREIGN, &inside, ret,
			   e);
	}
	g->tidy = g->tidy && r < 0;
	store_unlock_key(g->store, key);
	return r;
}

int engine_up(struct engine *g, const struct up_request *req, struct attachment **ret,
	      struct err *e)
{
	struct err first = ERR_INIT;
	int r = up_once(g, req, ret, &first);

	if (r < 0 && gcnet_may_retry(g, req->network, &first)) {
		err_reset(&first);
		r = up_once(g, req, ret, &first);
	}
	if (r < 0)
		err_gather(e, &first);
	ports_revive(g);
	names_revive(g);
	return r;
}

/* What up_again would do. */
static int preview_again(struct engine *g, const struct up_request *req, struct attachment *have,
			 struct buf *out, struct err *e)
{
	CLEAN_WORK struct work w = {.g = g, .a = have, .netns_fd = req->netns_fd};
	int r = check_same(req, have, e);

	return r < 0 ? r : check_observed(&w, out, e);
}

static int preview(struct work *w, const struct up_request *req, struct buf *out, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *have = NULL;
	struct engine *g = w->g;
	int r = store_get_attachment(g->store, req->id, req->ifname, &have, e);

	if (r == 0 && have->uid == req->uid && have->phase == ATTACH_COMMITTED &&
	    have->kind != ATTACH_LEASE && have->netns_cookie == w->a->netns_cookie)
		return preview_again(g, req, have, out, e);
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
