/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parts: taking single parts off an attachment that is up. What is taken away in the kernel is
 * taken away first and leaves the record then, so the record always lists everything that may
 * exist. A foreign attachment without any part is none.
 */
#include <errno.h>
#include <string.h>

#include "engine/internal.h"

static int off_ports(struct engine *g, struct attachment *a, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *part = NULL;
	int r = a->n_publish ? ports_start_part(a, &part, e) : 1;

	if (r == 0)
		r = attachment_add_publish(part, a->publish, a->n_publish, e);
	if (r == 0)
		r = ports_withdraw(g, a, part, e);
	return r < 0 ? r : 0;
}

static int off_rates(struct engine *g, struct attachment *a, struct err *e)
{
	int r;

	if (!attach_rate_is_set(&a->rate))
		return 0;
	r = rate_remove(g, a, true, e);
	if (r < 0)
		return r;
	memset(&a->rate, 0, sizeof(a->rate));
	return up_record(g, a, e);
}

/* What was set inside stays as it is. */
static int off_tune(struct engine *g, struct attachment *a, struct err *e)
{
	if (a->n_sysctl == 0 && !attach_tune_is_set(&a->tune))
		return 0;
	a->n_sysctl = 0;
	memset(&a->tune, 0, sizeof(a->tune));
	return up_record(g, a, e);
}

/* The addresses are somebody else's business from here on. */
static int off_lease(struct engine *g, struct attachment *a, struct err *e)
{
	struct err all = ERR_INIT;
	int r;

	if (!a->is_leased)
		return 0;
	r = store_lock(g->store, e);
	if (r < 0)
		return r;
	addrs_drop(g, a, &all);
	a->is_leased = false;
	r = all.kind == ERR_NONE ? store_put_attachment(g->store, a, e) : -EIO;
	store_unlock(g->store);
	err_gather(e, &all);
	return r;
}

static bool has_parts(const struct attachment *a)
{
	return a->n_publish || a->n_sysctl || attach_tune_is_set(&a->tune) ||
	       attach_rate_is_set(&a->rate);
}

/* A foreign attachment without parts goes, but for its lease. */
static int off_rest(struct engine *g, struct attachment *a, struct err *e)
{
	int r;

	if (!a->is_leased)
		return teardown_all(g, a, true, e);
	a->phase = ATTACH_INTENT; /* as if it had not come to be */
	r = up_record(g, a, e);
	return r < 0 ? r : teardown_all(g, a, true, e);
}

static int take_off(struct engine *g, struct attachment *a, unsigned int parts, struct err *e)
{
	int r = 0;

	if (a->kind == ATTACH_LEASE)
		return parts & PART_LEASE ? teardown_all(g, a, true, e) : 0;
	if (parts & PART_PORTS)
		r = off_ports(g, a, e);
	if (r >= 0 && parts & PART_RATES)
		r = off_rates(g, a, e);
	if (r >= 0 && parts & PART_TUNE)
		r = off_tune(g, a, e);
	if (r >= 0 && parts & PART_LEASE && a->kind == ATTACH_FOREIGN)
		r = off_lease(g, a, e);
	if (r >= 0 && a->kind == ATTACH_FOREIGN && !has_parts(a))
		r = off_rest(g, a, e);
	return r < 0 ? r : 0;
}

int engine_take_off(struct engine *g, const char *id, const char *ifname, unsigned int parts,
		    struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	int r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, id, ifname, &a, e);
	if (r == 0)
		r = take_off(g, a, parts, e);
	store_unlock_key(g->store, key);
	return r;
}
