/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy: what somebody else than the describer of a network decides about it. Such a decision is
 * on record and outlasts descriptions that say otherwise; it goes with the network. Only ever
 * narrows what may reach the containers.
 */
#include "engine/internal.h"

/* The elements that let everybody in, those that another network has too not among them. */
static int open_elements(struct engine *g, struct network n, struct elem_list *l, struct err *e)
{
	size_t kept = 0;

	n.is_open = true;
	int r = spec_own_elements(g, &n, l, e);
	for (size_t i = 0; r >= 0 && i < l->n; i++)
		if (l->v[i].set == SET_OPEN4 || l->v[i].set == SET_OPEN6)
			l->v[kept++] = l->v[i];
	if (r >= 0)
		l->n = kept;
	return r;
}

static int close_network(struct engine *g, const char *name, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct network n;
	int r = store_get_network(g->store, name, &n, e);

	if (r == 1)
		return err_what(e, err_set(e, ERR_ABSENT, 0, "there is no network %s", name),
				WHAT_NETWORK);
	if (r == 0 && (n.is_open || !n.has_policy)) {
		n.is_open = false;
		n.has_policy = true;
		r = store_put_network(g->store, &n, e);
	}
	/* Also where the record said so before: its writer may have been killed here. */
	if (r == 0)
		r = open_elements(g, n, &l, e);
	return r < 0 ? r : nftbatch_del(g->nft, &l, e);
}

int engine_network_close(struct engine *g, const char *name, struct err *e)
{
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = close_network(g, name, e);
	store_unlock(g->store);
	return r < 0 ? r : 0;
}
