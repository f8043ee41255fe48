/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard: the store's locks. Byte 0 of the lock file is the global lock, the other bytes, chosen by
 * hash, are those of attachments; two keys on one byte would merely wait for each other.
 *
 * The lock file disappears with the store. A lock on a file without a name protects nothing, so who
 * gets one opens the store anew and begins again. A store is removed only while no other process
 * holds an attachment's lock; therefore a lock that is held stays good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/dir.h"
#include "store/file.h"
#include "sys/lock.h"

#define KEY_MASK 0x3fffffffffffffffULL
#define TAKE_TRIES 1000

static int64_t guard_byte(const char *key)
{
	return 1 + (int64_t)(hash64(key, strlen(key), 0) & KEY_MASK);
}

static bool is_gone(const struct store *s)
{
	struct stat st;

	return fstat(s->lockfd, &st) == 0 && st.st_nlink == 0;
}

int guard_lock_file(struct store *s, int64_t at, struct err *e)
{
	int r;

	if (s->lockfd < 0)
		return err_sys(e, s->lock_sys ? s->lock_sys : EBADF, "%s/lock", s->path);
	r = lock_take(s->lockfd, at, s->lock_ms, e);
	if (r < 0)
		return err_ctx(e, r, "%s", s->path);
	if (!is_gone(s))
		return 0;
	lock_drop(s->lockfd, at);
	return 1;
}

static int take(struct store *s, int64_t at, struct err *e)
{
	uint64_t deadline = clock_ms() + (uint64_t)s->lock_ms;

	for (int i = 0; i < TAKE_TRIES; i++) {
		int r = guard_lock_file(s, at, e);

		if (r <= 0)
			return r;
		if (s->n_held > 0)
			return err_set(e, ERR_INTERNAL, ESTALE,
				       "%s was removed while an attachment of it was locked",
				       s->path);
		r = dir_attach(s, true, e);
		if (r < 0)
			return r;
		if (i > 0 && clock_left(deadline) <= 0)
			break;
	}
	return err_set(e, ERR_BUSY, ETIMEDOUT, "others keep removing the state directory %s",
		       s->path);
}

void store_set_lock_ms(struct store *s, int ms)
{
	s->lock_ms = ms;
}

int store_lock(struct store *s, struct err *e)
{
	int r;

	if (s->is_locked)
		return err_set(e, ERR_INTERNAL, EDEADLK, "the global lock is held already");
	r = take(s, LOCK_GLOBAL, e);
	s->fresh = 0;
	if (r == 0)
		s->is_locked = true;
	return r;
}

void store_unlock(struct store *s)
{
	if (!s->is_locked)
		return;
	s->is_locked = false;
	lock_drop(s->lockfd, LOCK_GLOBAL);
}

/* Index of the first held byte that is not below at. */
static size_t held_find(const struct store *s, int64_t at)
{
	size_t i = 0;

	while (i < s->n_held && s->held[i] < at)
		i++;
	return i;
}

static bool held_has(const struct store *s, int64_t at)
{
	size_t i = held_find(s, at);

	return i < s->n_held && s->held[i] == at;
}

bool guard_key_is_busy(const struct store *s, const char *key)
{
	return s->lockfd >= 0 && lock_is_taken(s->lockfd, guard_byte(key));
}

int store_lock_key(struct store *s, const char *key, struct err *e)
{
	int64_t at = guard_byte(key);
	int64_t *p;
	size_t i;
	int r;

	if (held_has(s, at))
		return err_set(e, ERR_INTERNAL, EDEADLK, "the lock of %s is held already", key);
	if (s->is_locked)
		return err_set(e, ERR_INTERNAL, EDEADLK,
			       "the lock of %s comes before the global lock", key);
	p = realloc(s->held, (s->n_held + 1) * sizeof(*p));
	if (!p)
		return err_sys(e, ENOMEM, "no memory for a lock");
	s->held = p;
	r = take(s, at, e);
	if (r < 0)
		return err_ctx(e, r, "%s", key);
	i = held_find(s, at);
	memmove(s->held + i + 1, s->held + i, (s->n_held - i) * sizeof(*p));
	s->held[i] = at;
	s->n_held++;
	return 0;
}

void store_unlock_key(struct store *s, const char *key)
{
	int64_t at = guard_byte(key);
	size_t i = held_find(s, at);

	if (i == s->n_held || s->held[i] != at)
		return;
	memmove(s->held + i, s->held + i + 1, (s->n_held - i - 1) * sizeof(*s->held));
	s->n_held--;
	lock_drop(s->lockfd, at);
}

/* Gives back all bytes of attachments but those that this store held before. */
static void drop_others(struct store *s)
{
	int64_t from = LOCK_GLOBAL + 1;

	for (size_t i = 0; i < s->n_held; i++) {
		if (s->held[i] > from)
			lock_drop_range(s->lockfd, from, s->held[i] - from);
		from = s->held[i] + 1;
	}
	lock_drop_range(s->lockfd, from, 0);
}

/* Names that may be left in a store about to be removed. */
static int is_foreign(const char *name, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < N_DIR_FILES; i++)
		if (strcmp(name, dir_file_name[i]) == 0)
			return 0;
	for (int i = 0; i < N_SUB; i++)
		if (strcmp(name, dir_sub_name[i]) == 0)
			return 0;
	return 1;
}

int store_remove_if_empty(struct store *s, struct err *e)
{
	int r;

	if (!s->is_locked)
		return err_set(e, ERR_INTERNAL, EPERM, "the global lock is not held");
	r = dir_is_empty(s, e);
	if (r <= 0)
		return r < 0 ? r : 1;
	r = file_each(s->dirfd, is_foreign, NULL, e);
	if (r != 0)
		return r;
	r = lock_try_range(s->lockfd, LOCK_GLOBAL + 1, 0, e);
	if (r != 0)
		return r; /* somebody is between his lock and his record */
	r = dir_remove_all(s, e);
	if (is_gone(s)) {
		s->n_held = 0; /* of a file without a name: they mean nothing any more */
		lock_drop_range(s->lockfd, LOCK_GLOBAL + 1, 0);
	} else {
		drop_others(s);
	}
	return r;
}
