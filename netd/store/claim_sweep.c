/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim_sweep: walks all claims. Reads every name once, sorts by owner, asks each owner's record
 * once, and removes what it does not list. Also removes what can be no claim, empty port
 * directories, and the
 * "." files of killed writers: the names in the other directories are only looked at for that.
 */
#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/file.h"
#include "store/slot.h"

/* One link. */
struct found {
	enum store_sub sub;
	char *name;  /* in sub */
	char *inner; /* in the directory sub/name, or NULL */
	char owner[KEY_STRLEN];
};

struct sweep {
	struct store *s;
	const char *only; /* remove the claims of this key, and nothing else */
	struct found **v;
	size_t n, cap;
	size_t n_removed;
	struct err *all;
	int first; /* first error's return value */
};

static void note(struct sweep *w, enum store_sub sub, const char *name, int r, struct err *one)
{
	if (r >= 0)
		return;
	dir_ctx(w->s, sub, name, r, one);
	err_gather(w->all, one);
	w->first = w->first ? w->first : r;
}

static int add(struct sweep *w, enum store_sub sub, const char *name, const char *inner,
	       const char *owner)
{
	size_t len = strlen(name) + 1;
	struct found *f;

	if (w->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 256;
		struct found **p = realloc(w->v, cap * sizeof(struct found *));

		if (!p)
			return -ENOMEM;
		w->v = p;
		w->cap = cap;
	}
	f = malloc(sizeof(*f) + len + (inner ? strlen(inner) + 1 : 0));
	if (!f)
		return -ENOMEM;
	f->sub = sub;
	f->name = memcpy(f + 1, name, len);
	f->inner = inner ? strcpy(f->name + len, inner) : NULL;
	memcpy(f->owner, owner, strlen(owner) + 1);
	w->v[w->n++] = f;
	return 0;
}

static void remove_junk(struct sweep *w, enum store_sub sub, int fd, const char *name)
{
	struct err one = ERR_INIT;
	int r = file_remove_tree(fd, name, &one);

	note(w, sub, name, r, &one);
	if (r == 0)
		w->n_removed++;
}

static void gather(struct sweep *w, enum store_sub sub, int fd, const char *outer)
{
	CLEAN_NAMES struct file_names l = {0};
	struct err one = ERR_INIT;
	int r = file_list(fd, &l, &one);

	note(w, sub, outer, r, &one);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		const char *name = l.name[i];
		char owner[KEY_STRLEN];
		struct slot sl;
		int got;

		err_reset(&one);
		got = owner_read(fd, name, owner, &one);
		if (got == 0 && (!w->only || strcmp(owner, w->only) == 0)) {
			got = add(w, sub, outer ? outer : name, outer ? name : NULL, owner);
			note(w, sub, name, got, &one);
		} else if (got == OWNER_DIR && sub == SUB_PORTS && !outer &&
			   slot_parse_port(name, NULL, &sl) == 0) {
			CLEAN_FD int inner = -1;

			if (file_open_dir(fd, name, false, &inner, &one) == 0)
				gather(w, sub, inner, name);
			if (unlinkat(fd, name, AT_REMOVEDIR) == 0)
				w->n_removed++; /* left empty by a killed process */
		} else if ((got == OWNER_DIR || (got < 0 && one.kind == ERR_PROTOCOL)) &&
			   !w->only) {
			remove_junk(w, sub, fd, name);
		} else if (got < 0) {
			note(w, sub, name, got, &one);
		}
	}
}

static bool is_listed(const struct attachment *a, const struct found *f)
{
	struct slot sl;
	struct ip ip;

	switch (f->sub) {
	case SUB_ADDRS:
		return ip_parse(f->name, &ip, NULL) == 0 && owner_lists_addr(a, &ip);
	case SUB_PORTS:
		return slot_parse_port(f->name, f->inner, &sl) == 0 && owner_lists_slot(a, &sl);
	case SUB_RANGES:
		return slot_parse_range(f->name, &sl) == 0 && owner_lists_slot(a, &sl);
	default:
		return true;
	}
}

static void remove_found(struct sweep *w, const struct found *f)
{
	CLEAN_FD int inner = -1;
	struct err one = ERR_INIT;
	int fd, r;

	r = dir_sub(w->s, f->sub, false, &fd, &one);
	if (r == 0 && f->inner)
		r = file_open_dir(fd, f->name, false, &inner, &one);
	if (r == 0)
		r = file_unlink(f->inner ? inner : fd, f->inner ? f->inner : f->name, false, &one);
	if (r == 0)
		w->n_removed++;
	if (f->inner)
		unlinkat(fd, f->name, AT_REMOVEDIR); /* only if it is empty now */
	note(w, f->sub, f->name, r, &one);
}

static int by_owner(const void *a, const void *b)
{
	return strcmp((*(struct found *const *)a)->owner, (*(struct found *const *)b)->owner);
}

static void remove_dead(struct sweep *w)
{
	size_t i = 0;

	if (w->n > 1)
		qsort(w->v, w->n, sizeof(*w->v), by_owner);
	while (i < w->n) {
		CLEAN_ATTACHMENT struct attachment *a = NULL;
		const char *owner = w->v[i]->owner;
		enum owner_state state = w->only ? OWNER_DEAD : owner_state(w->s, owner, &a);

		for (; i < w->n && strcmp(w->v[i]->owner, owner) == 0; i++)
			if (state == OWNER_DEAD ||
			    (state == OWNER_RECORD && !is_listed(a, w->v[i])))
				remove_found(w, w->v[i]);
	}
}

static void walk(struct sweep *w)
{
	static const enum store_sub subs[] = {SUB_ADDRS, SUB_PORTS, SUB_RANGES};

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		struct err one = ERR_INIT;
		int fd, r = dir_sub(w->s, subs[i], false, &fd, &one);

		if (r == 0)
			gather(w, subs[i], fd, NULL);
		else if (r < 0) {
			err_gather(w->all, &one);
			w->first = w->first ? w->first : r;
		}
	}
	remove_dead(w);
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
}

/* Writers of networks, cursors, host and identity hold the global lock, so theirs are dead. That of
 * an attachment may be at work under its own lock. */
static void sweep_temps(struct sweep *w, enum store_sub sub)
{
	CLEAN_NAMES struct file_names l = {0};
	struct err one = ERR_INIT;
	int fd, r;

	r = dir_sub(w->s, sub, false, &fd, &one);
	if (r == 0)
		r = file_list(fd, &l, &one);
	note(w, sub, NULL, r, &one);
	for (size_t i = 0; r == 0 && i < l.n && l.name[i][0] <= '.'; i++) {
		if (l.name[i][0] != '.' ||
		    (sub == SUB_ATTACHMENTS && guard_key_is_busy(w->s, l.name[i] + 1)))
			continue;
		remove_junk(w, sub, fd, l.name[i]);
	}
}

int claim_sweep(struct store *s, size_t *ret_removed, struct err *e)
{
	static const enum store_sub temps[] = {SUB_ATTACHMENTS, SUB_NETWORKS, SUB_CURSORS,
					       SUB_HOST};
	struct err all = ERR_INIT;
	struct sweep w = {.s = s, .all = &all};
	int r = owner_check_call(s, NULL, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(temps) / sizeof(temps[0]); i++)
		sweep_temps(&w, temps[i]);
	if (unlinkat(s->dirfd, ".identity", 0) == 0)
		w.n_removed++;
	walk(&w);
	*ret_removed = w.n_removed;
	if (w.first < 0 && e)
		*e = all;
	return w.first;
}

int claim_drop_all(struct store *s, const char *key, struct err *e)
{
	struct err all = ERR_INIT;
	struct sweep w = {.s = s, .all = &all, .only = key};
	int r = owner_check_call(s, NULL, e);

	if (r < 0)
		return r;
	walk(&w);
	if (w.first < 0 && e)
		*e = all;
	return w.first;
}
