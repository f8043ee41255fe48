/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gcnet: one network made to have the attachments of a list and no others, and the question whether
 * there is room for one more. The members' directory is the index: nothing is asked of the kernel
 * to know whose they are.
 */
#include "engine/gcnet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/grow.h"
#include "engine/internal.h"
#include "net/ruleset.h"
#include "store/claim.h"
#include "store/keys.h"
#include "sys/bootid.h"

struct members {
	const char *network;
	char (*keep)[KEY_STRLEN]; /* sorted */
	size_t n_keep;
	size_t n, cap;
	size_t n_members; /* the first of them are in the network; the others may be, by their
			     record */
	char (*key)[KEY_STRLEN];
};

static int by_key(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A runtime's list may be long, and is asked for each member. */
static int sort_keep(struct members *m, const struct attach_name *keep, size_t n)
{
	m->keep = calloc(n ? n : 1, sizeof(*m->keep));
	if (!m->keep)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		name_key(keep[i].id, keep[i].ifname, m->keep[i]);
	m->n_keep = n;
	qsort(m->keep, n, sizeof(*m->keep), by_key);
	return 0;
}

static int note(struct members *m, const char *key)
{
	if (m->n_keep && bsearch(key, m->keep, m->n_keep, sizeof(*m->keep), by_key))
		return 0;
	if (!GROW(m->key, m->n, m->cap))
		return -ENOMEM;
	strncpy(m->key[m->n], key, KEY_STRLEN - 1);
	m->key[m->n++][KEY_STRLEN - 1] = '\0';
	return 0;
}

static int see_member(const char *network, const char *key, void *arg)
{
	struct members *m = arg;

	return !m->network || strcmp(network, m->network) == 0 ? note(m, key) : 0;
}

/* Who was killed on its way out may have left its network and still have its record. */
static int see_record(const char *id, const char *ifname, void *arg)
{
	struct members *m = arg;
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->key[i], key) == 0)
			return 0;
	return note(m, key);
}

/* The wall clock may be set between the two. A record of another boot is older than any call. */
static bool is_newer(const struct engine *g, const struct attachment *a, uint64_t started_at)
{
	return strcmp(a->boot_id, g->boot_id) == 0 && a->made_at >= started_at;
}

/* No record: its process was killed before it wrote one, or after it removed it. */
static int forget(struct engine *g, const char *key, struct gc_result *ret, struct err *e)
{
	int r = store_lock(g->store, e);

	if (r < 0)
		return r;
	r = prepare_leave(g, key, e);
	store_unlock(g->store);
	ret->n_claims += r > 0;
	return r < 0 ? r : 0;
}

static int gone(struct engine *g, const struct attachment *a, struct gc_result *ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *lease = NULL;
	bool leaves_lease = a->is_leased && a->phase == ATTACH_INTENT;
	int r = teardown_all(g, a, false, e);

	if (r >= 0 && leaves_lease &&
	    store_get_attachment(g->store, a->id, a->ifname, &lease, NULL) == 0)
		r = teardown_all(g, lease, false, e);
	ret->n_attachments += r >= 0;
	return r;
}

static int one_member(struct engine *g, const struct members *m, size_t i, uint64_t started_at,
		      struct gc_result *ret, struct err *e)
{
	const char *key = m->key[i];
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	struct err why = ERR_INIT;
	int r;

	if (name_parse_key(key, id, ifname) < 0)
		return 0;
	r = store_lock_key(g->store, key, e);
	if (r < 0)
		return r;
	r = store_get_attachment(g->store, id, ifname, &a, &why);
	if (r == 0)
		r = strcmp(a->network, m->network) != 0 || is_newer(g, a, started_at)
			    ? 0
			    : gone(g, a, ret, e);
	else if (r > 0)
		r = forget(g, key, ret, e);
	else if (why.kind == ERR_PROTOCOL && i < m->n_members)
		r = gc_one_broken(g, key, ret, e);
	else if (why.kind == ERR_PROTOCOL)
		r = 0; /* whose it is only the record knew */
	else
		err_gather(e, &why);
	store_unlock_key(g->store, key);
	return r;
}

int engine_gc_network(struct engine *g, const char *network, const struct attach_name *keep,
		      size_t n_keep, uint64_t started_at, struct gc_result *ret, struct err *e)
{
	struct members m = {.network = network};
	struct err all = ERR_INIT, one = ERR_INIT;
	int r = name_check_network(network, "network name", e);

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	if (sort_keep(&m, keep, n_keep) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "attachments to keep");
	if (!started_at)
		started_at = clock_boot_ns();
	r = member_each(g->store, NULL, see_member, &m, &one);
	m.n_members = m.n;
	if (r >= 0)
		r = store_each_key(g->store, NULL, see_record, &m, &one);
	if (r < 0)
		err_ctx(&one, r, "members of network %s", network);
	err_gather(&all, &one);
	for (size_t i = 0; i < m.n; i++) {
		err_reset(&one);
		if (one_member(g, &m, i, started_at, ret, &one) < 0)
			err_gather(&all, &one);
	}
	free(m.key);
	free(m.keep);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

/* 1: it was dead, and is gone. A half made one belongs to a transaction that may be under way. */
static int heal_one(struct engine *g, const char *network, const char *key)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	int r;

	if (name_parse_key(key, id, ifname) < 0 || store_lock_key(g->store, key, NULL) < 0)
		return 0;
	r = store_get_attachment(g->store, id, ifname, &a, NULL);
	if (r == 0 && a->phase == ATTACH_COMMITTED &&
	    (!network || strcmp(a->network, network) == 0) && attachment_is_alive(g, a, NULL) == 0)
		r = teardown_all(g, a, false, NULL) >= 0;
	store_unlock_key(g->store, key);
	return r == 1 && a;
}

/* Takes away those attachments and leases of a network (NULL: of any) whose namespace or boot is
 * gone, and returns how many; what cannot be removed is left for gc to tell. */
static size_t gcnet_heal(struct engine *g, const char *network)
{
	struct members m = {.network = network};
	size_t n = 0;

	if (member_each(g->store, NULL, see_member, &m, NULL) < 0)
		m.n = 0;
	for (size_t i = 0; i < m.n; i++)
		n += heal_one(g, network, m.key[i]) == 1;
	free(m.key);
	return n;
}

bool gcnet_may_retry(struct engine *g, const char *network, const struct err *why)
{
	/* Addresses are of one network, ports of the host. */
	if (why->what == WHAT_POOL || why->what == WHAT_ADDRESS)
		return gcnet_heal(g, network) > 0;
	return why->what == WHAT_PORT && gcnet_heal(g, NULL) > 0;
}

static int check_tables(const char *state_dir, struct err *e)
{
	CLEAN_NFTBATCH struct nftbatch *nft = NULL;
	int r = nftbatch_open(&nft, e);

	if (r >= 0)
		r = nftbatch_tables(nft, ruleset_version(), engine_owner(state_dir), e);
	if (r >= 0 && r != 3)
		return hold_check(nft, state_dir ? state_dir : ENGINE_STATE_DIR, e);
	if (r < 0)
		return r;
	return err_what(e,
			err_set(e, ERR_CONFLICT, 0,
				"the tables of this host belong to another state directory"),
			WHAT_TABLE);
}

static int check_pools(struct store *s, const struct addr_set *set, size_t n_set, struct err *e)
{
	char text[PREFIX_STRLEN];

	for (size_t i = 0; i < n_set; i++) {
		int r = claim_is_full(s, &set[i], e);

		if (r < 0)
			return r;
		if (r == 1)
			return err_what(e,
					err_set(e, ERR_QUOTA, 0,
						"no address left in %s%s: %llu in use",
						prefix_str(&set[i].r[0].subnet, text),
						set[i].n > 1 ? " and further ranges" : "",
						(unsigned long long)pool_size(&set[i])),
					WHAT_POOL);
	}
	return 0;
}

int engine_status(const char *state_dir, const struct addr_set *set, size_t n_set, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	int r = engine_open(state_dir, true, &g, e);

	if (r == 0)
		r = check_pools(g->store, set, n_set, e);
	return r < 0 ? r : check_tables(state_dir, e);
}
