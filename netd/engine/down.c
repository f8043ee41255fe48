/* SPDX-License-Identifier: GPL-2.0-or-later */
/* down: takes an attachment away by its record; idempotent, and at peace with a namespace, a
 * network or a record that is gone or broken. Owns nothing; see teardown for the order. */
#include <stdio.h>

#include "engine/internal.h"

/* No record: a process may have been killed before it wrote one, or after it removed it. */
static int down_unrecorded(struct engine *g, const char *id, const char *ifname, const char *key,
			   struct err *e)
{
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = prepare_leave(g, key, e);
	if (r >= 0)
		r = store_del_attachment(g->store, id, ifname, e);
	store_unlock(g->store);
	return r < 0 ? r : ENGINE_NOTHING;
}

/* The record cannot be read: what follows from its name goes. */
static int down_broken(struct engine *g, const char *key, struct err *e)
{
	struct gc_result counts = {0};
	int r = gc_one_broken(g, key, &counts, e);

	return r < 0 ? r : ENGINE_DONE;
}

static int down_recorded(struct engine *g, const struct attachment *a, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *lease = NULL;
	bool leaves_lease = a->is_leased && a->phase == ATTACH_INTENT;

	snprintf(g->network, sizeof(g->network), "%s", a->network);
	int r = teardown_all(g, a, true, e);

	if (r < 0 || !leaves_lease ||
	    store_get_attachment(g->store, a->id, a->ifname, &lease, NULL) != 0)
		return r;
	return teardown_all(g, lease, true, e);
}

int engine_down(struct engine *g, const char *id, const char *ifname, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct err one = ERR_INIT;
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, id, ifname, &a, &one);
	if (r == 0)
		r = down_recorded(g, a, e);
	else if (r == 1)
		r = down_unrecorded(g, id, ifname, key, e);
	else if (one.kind == ERR_PROTOCOL)
		r = down_broken(g, key, e);
	else
		err_gather(e, &one);
	store_unlock_key(g->store, key);
	return r;
}
