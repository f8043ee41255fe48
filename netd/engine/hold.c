/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold: for a resident caller: keeps our tables. Where the kernel has the flags, they belong to a
 * socket of the caller's, which nobody else's flush or edit gets past; root's other programs get
 * that socket at a door in the state directory. Without the flags the tables are watched, and
 * loaded anew from the records when somebody else has changed them (and see keep.c).
 *
 * Adopting and mending are done under the global lock, under which bases are loaded too: so nobody
 * is refused half way through.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/internal.h"
#include "net/nftshare.h"
#include "net/nftwatch.h"
#include "net/ruleset.h"
#include "sys/probe.h"

struct engine_hold {
	char *state_dir;
	char door[PATH_MAX];
	struct nftwatch *watch;
	struct nftshare *share; /* NULL: the tables are only watched */
	struct nftshare *keep;  /* then: what their stand-in belongs to; NULL: there is none */
	struct err no_keep;     /* why */
	int door_fd;
	bool has_made_dir;
};

static struct engine_hold *in_use;

void engine_hold_use(struct engine_hold *h)
{
	in_use = h;
}

int hold_writer(struct nftbatch *n, const char *state_dir, struct err *e)
{
	char door[PATH_MAX];

	if (snprintf(door, sizeof(door), "%s/" HOLD_DOOR, state_dir) >= (int)sizeof(door))
		return err_set(e, ERR_USAGE, ENAMETOOLONG, "state directory");
	return nftbatch_use(n, door, in_use ? in_use->share : NULL, e);
}

int hold_check(struct nftbatch *n, const char *state_dir, struct err *e)
{
	struct nftshare *share = NULL;
	struct nftbatch_table t[2];
	char door[PATH_MAX];
	bool is_known;
	int r = nftbatch_holders(n, t, e);

	if (r < 0 || !((t[0].flags | t[1].flags) & NFTBATCH_OWNER))
		return r;
	snprintf(door, sizeof(door), "%s/" HOLD_DOOR, state_dir);
	is_known = nftshare_fetch(door, nftbatch_fd(n), &share, NULL) == 0;
	for (int i = 0; i < 2; i++)
		is_known = is_known &&
			   (!(t[i].flags & NFTBATCH_OWNER) || t[i].owner == nftshare_port(share));
	nftshare_closep(&share);
	if (is_known)
		return 0;
	return err_what(e,
			err_set(e, ERR_CONFLICT, 0,
				"the tables of this host are held by a process that is not netd"),
			WHAT_TABLE);
}

/* 1 and why: it cannot be. */
static int try_flags(struct err *e)
{
	CLEAN_NFTBATCH struct nftbatch *n = NULL;
	int r;

	if (!probe_allowed(PROBE_NFT_OWNER)) {
		err_set(e, ERR_UNSUPPORTED, 0, "%s is forced off", probe_name(PROBE_NFT_OWNER));
		return 1;
	}
	r = nftbatch_open(&n, e);
	if (r >= 0)
		r = nftbatch_can_hold(n, e);
	if (r == 0)
		err_set(e, ERR_UNSUPPORTED, 0,
			"the kernel lacks tables that outlive their owner (Linux 6.9)");
	return r == 1 ? 0 : 1;
}

static int open_door(struct engine_hold *h, struct err *e)
{
	h->has_made_dir = mkdir(h->state_dir, 0755) == 0;
	if (!h->has_made_dir && errno != EEXIST)
		return err_sys(e, errno, "%s", h->state_dir);
	return nftshare_listen(h->door, &h->door_fd, e);
}

static struct engine_hold *new_hold(const char *state_dir, struct err *e)
{
	struct engine_hold *h = calloc(1, sizeof(*h));
	const char *dir = state_dir ? state_dir : ENGINE_STATE_DIR;

	if (h) {
		h->door_fd = -1;
		h->state_dir = strdup(dir);
		snprintf(h->door, sizeof(h->door), "%s/" HOLD_DOOR, dir);
	}
	if (h && h->state_dir)
		return h;
	free(h);
	err_set(e, ERR_INTERNAL, ENOMEM, "holding the tables");
	return NULL;
}

/* 1 and why: they will only be watched, with a stand-in where that can be. */
static int try_to_hold(struct engine_hold *h, struct err *e)
{
	if (try_flags(e) == 0 && open_door(h, e) == 0)
		(void)nftshare_make(&h->share, e);
	if (!h->share && !h->keep)
		(void)keep_open(&h->keep, &h->no_keep);
	return !h->share;
}

int engine_hold_open(const char *state_dir, struct engine_hold **ret, struct err *e)
{
	struct engine_hold *h = new_hold(state_dir, e);
	int r = h ? nftwatch_open(&h->watch, e) : -ENOMEM;

	if (r < 0) {
		engine_hold_closep(&h);
		return r;
	}
	*ret = h;
	return try_to_hold(h, e);
}

void engine_hold_hand(const struct engine_hold *h, struct hold_fds *ret)
{
	const struct nftshare *s = h->share ? h->share : h->keep;

	_Static_assert(HOLD_WATCHED == NFTWATCH_STATES, "the same");
	*ret = (struct hold_fds){.watch = nftwatch_fd(h->watch),
				 .door = h->door_fd,
				 .socket = s ? nftshare_fd(s) : -1,
				 .lock = s ? nftshare_lock_fd(s) : -1,
				 .has_made_dir = h->has_made_dir,
				 .watched = nftwatch_state(h->watch)};
}

int engine_hold_take(const char *state_dir, const struct hold_fds *from, struct engine_hold **ret,
		     struct err *e)
{
	struct engine_hold *h = new_hold(state_dir, e);
	bool is_held = from->door >= 0 && from->socket >= 0;
	int r = h ? 0 : -ENOMEM;

	if (r == 0 && is_held)
		r = nftshare_adopt(from->socket, from->lock, &h->share, e);
	else if (r == 0 && from->socket >= 0)
		r = nftshare_adopt(from->socket, from->lock, &h->keep, e);
	if (r == 0)
		r = nftwatch_adopt(from->watch, from->watched, &h->watch, e);
	if (r < 0) {
		/* Not by closep: what it would close and remove is the caller's. */
		if (h)
			free(h->state_dir);
		free(h);
		return r;
	}
	*ret = h;
	if (from->door < 0)
		return try_to_hold(h, e);
	h->door_fd = from->door;
	h->has_made_dir = from->has_made_dir;
	if (!h->share)
		err_set(e, ERR_UNSUPPORTED, 0, "as before");
	return !h->share;
}

void engine_hold_closep(struct engine_hold **p)
{
	struct engine_hold *h = *p;

	if (!h)
		return;
	if (in_use == h)
		in_use = NULL;
	if (h->door_fd >= 0)
		unlink(h->door);
	if (h->has_made_dir)
		rmdir(h->state_dir); /* only if it is empty */
	fd_closep(&h->door_fd);
	nftwatch_closep(&h->watch);
	nftshare_closep(&h->share);
	nftshare_closep(&h->keep);
	free(h->state_dir);
	free(h);
	*p = NULL;
}

int engine_hold_keeps(const struct engine_hold *h, struct err *why)
{
	if (!h->keep)
		*why = h->no_keep;
	return h->keep != NULL;
}

int engine_hold_fd(const struct engine_hold *h)
{
	return nftwatch_fd(h->watch);
}

int engine_hold_door(const struct engine_hold *h)
{
	return h->door_fd;
}

void engine_hold_serve(const struct engine_hold *h)
{
	nftshare_serve(h->door_fd, h->share);
}

int engine_hold_read(struct engine_hold *h, struct err *e)
{
	int what = nftwatch_read(h->watch, e), r = 0;

	if (what < 0)
		return what;
	r |= what & NFTWATCH_MADE ? HOLD_MADE : 0;
	r |= what & NFTWATCH_FOREIGN ? HOLD_SUSPECT : 0;
	r |= what & NFTWATCH_LOST ? HOLD_UNKNOWN : 0;
	r |= h->keep && (what & NFTWATCH_KEPT) ? HOLD_SHARED : 0;
	return r;
}

void engine_hold_fds(const struct engine_hold *h, int ret[ENGINE_HOLD_FDS])
{
	const struct nftshare *s = !h ? NULL : h->share ? h->share : h->keep;

	ret[0] = s ? nftshare_fd(s) : -1;
	ret[1] = s ? nftshare_lock_fd(s) : -1;
}

/* ---- looking after them ---- */

/* 1: what is on record is in the tables. */
static int elements_intact(struct engine *g, struct err *e)
{
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_FREE bool *has = NULL;
	int r = hostop_elements(g, &l, e);

	if (r < 0)
		return r;
	has = calloc(l.n ? l.n : 1, sizeof(*has));
	if (!has)
		return err_set(e, ERR_INTERNAL, ENOMEM, "elements");
	r = nftbatch_has(g->nft, &l, has, e);
	for (size_t i = 0; r >= 0 && i < l.n; i++)
		if (!has[i])
			return 0;
	return r < 0 ? r : 1;
}

/* Are both tables there, and those of another version of this program? That one loads its own when
 * it is used next, and may know of no holder. */
static bool is_other_version(const struct engine *g, const struct nftbatch_table t[2])
{
	char own[RULESET_COMMENT_STRLEN];

	ruleset_comment(ruleset_version(), g->owner, own);
	for (int i = 0; i < 2; i++)
		if (!t[i].is_there || !t[i].comment[0] || strcmp(t[i].comment, own) == 0)
			return false;
	return true;
}

static bool is_own(const struct engine_hold *h, const struct nftbatch_table t[2])
{
	return h->share && (t[0].flags & t[1].flags & NFTBATCH_OWNER) &&
	       t[0].owner == nftshare_port(h->share) && t[1].owner == t[0].owner;
}

/* 1: something is wrong with them. */
static int is_damaged(struct engine *g, const struct nftbatch_table t[2], bool is_held,
		      unsigned what, struct err *e)
{
	char own[RULESET_COMMENT_STRLEN];
	int r;

	ruleset_comment(ruleset_version(), g->owner, own);
	for (int i = 0; i < 2; i++)
		if (!t[i].is_there || strcmp(t[i].comment, own) != 0)
			return 1;
	if (is_held)
		return 0; /* nobody else can have touched them */
	if (what & HOLD_SUSPECT)
		return 1;
	if (!(what & HOLD_UNKNOWN))
		return 0;
	r = rules_intact(g, e);
	if (r == 1)
		r = elements_intact(g, e);
	return r < 0 ? r : !r;
}

static int look_after(struct engine_hold *h, struct engine *g, unsigned what, struct kept *k,
		      struct hold_result *ret, struct err *e)
{
	struct work w = {.g = g};
	struct nftbatch_table t[2];
	int r;

	if (!member_any(g->store, NULL))
		return 0;
	r = hostop_owner(g, e);
	if (r >= 0)
		r = nftbatch_holders(g->nft, t, e);
	if (r < 0)
		return r;
	ret->is_other = is_other_version(g, t);
	if (ret->is_other)
		return 0;
	r = is_damaged(g, t, is_own(h, t), what, e);
	if (r == 1) {
		r = hostop_tables(&w, e);
		ret->is_mended = r >= 0;
	}
	if (r >= 0 && h->keep)
		r = keep_look(g, k, e);
	if (r >= 0 && ret->is_mended)
		r = keep_note_ports(g, k, e);
	if (r < 0 || !h->share)
		return r;
	r = nftbatch_adopt(g->nft, e);
	ret->is_held = r == 0;
	ret->is_taken = r == 2;
	return r < 0 ? r : 0;
}

int engine_hold_look(struct engine_hold *h, unsigned what, struct hold_result *ret, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_KEEP struct kept k = {0};
	int r = engine_open(h->state_dir, true, &g, e);

	memset(ret, 0, sizeof(*ret));
	if (r == 1 && h->keep)
		r = keep_drop(h->keep, e);
	if (r != 0 || !g)
		return r < 0 ? r : 0;
	engine_closep(&g);
	r = engine_open(h->state_dir, false, &g, e);
	if (r >= 0)
		r = store_lock(g->store, e);
	if (r < 0)
		return r;
	r = look_after(h, g, what, &k, ret, e);
	store_unlock(g->store);
	if (r >= 0 && h->keep)
		r = keep_put(g, &k, h->keep, e);
	if (r >= 0)
		r = keep_forget_flows(g, &k, e);
	return r < 0 ? r : 0;
}
