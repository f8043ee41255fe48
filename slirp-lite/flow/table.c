/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: chained hashing by slot numbers; free slots are a stack. A kept table is a page with what
 * tells of the slots, and the slots; the chains are the process's own. */
#include "flow/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"
#include "flow/kept.h"
#include "flow/siphash.h"

#define TABLE_MAX (1u << 20)
#define KEPT_MAGIC 0x736c6f7473203031ull
#define KEPT_HEAD 4096 /* bytes before the slots */
#define KEPT_SOME 64u  /* slots that are read at a time */

/* At the beginning of its part of a memory file. */
struct kept {
	uint64_t magic;
	uint32_t slot_size, n_ever;
};

struct table {
	struct kept *kept; /* NULL: the slots are the process's own */
	size_t there;      /* of what is kept: bytes that are memory */
	uint8_t *slots;
	uint32_t *bucket; /* slot number + 1; 0: empty */
	uint32_t mask;    /* of buckets */
	size_t slot_size;
	uint32_t max, n;
	uint32_t n_ever; /* slots that were in use once: the others are untouched memory */
	uint32_t free;   /* slot number + 1 */
	struct siphash_key seed;
};

/* next of a slot that is free carries this bit: table_next passes over it. */
#define IS_FREE (1u << 31)

static struct table_node *slot_at(const struct table *t, uint32_t i)
{
	return (struct table_node *)(void *)(t->slots + i * t->slot_size);
}

static size_t kept_size(const struct table *t)
{
	return KEPT_HEAD + t->max * t->slot_size;
}

/* What there is in the file now. It is read, not mapped: it may be shorter than it says, and what
 * was looked at does not change any more. */
static int tell_left(int fd, size_t at, size_t slot_size, void (*left)(void *arg, const void *slot),
		     void *arg)
{
	struct kept head = {0};
	struct stat st;
	uint8_t *some;
	ssize_t n = pread(fd, &head, sizeof(head), (off_t)at);

	if (n < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (n != (ssize_t)sizeof(head) || head.magic != KEPT_MAGIC || head.slot_size != slot_size ||
	    head.n_ever > TABLE_MAX ||
	    (uint64_t)st.st_size < at + KEPT_HEAD + (uint64_t)head.n_ever * slot_size)
		return 0;
	some = malloc(KEPT_SOME * slot_size);
	if (!some)
		return -ENOMEM;
	at += KEPT_HEAD;
	for (uint32_t i = 0; i < head.n_ever; at += (size_t)n) {
		n = pread(fd, some, KEPT_SOME * slot_size, (off_t)at);
		if (n < (ssize_t)slot_size)
			break;
		n -= n % (ssize_t)slot_size;
		for (ssize_t k = 0; k < n && i < head.n_ever; k += (ssize_t)slot_size, i++) {
			const struct table_node *node = (const void *)(some + k);

			if (!(node->next & IS_FREE))
				left(arg, node);
		}
	}
	free(some);
	return 0;
}

static bool is_too_long(size_t size)
{
	struct rlimit lim;

	return getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY &&
	       lim.rlim_cur < size;
}

/* Emptied, not overwritten: what was touched once would stay memory. */
static int map_kept(struct table *t, int fd, size_t at)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0 || ((uint64_t)st.st_size > at && ftruncate(fd, (off_t)at) < 0))
		return -errno;
	/* To ask for more than is allowed would be the end by a signal. */
	if (is_too_long(at + kept_size(t)))
		return -EFBIG;
	if (ftruncate(fd, (off_t)(at + kept_size(t))) < 0)
		return -errno;
	p = mmap(NULL, kept_size(t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)at);
	if (p == MAP_FAILED)
		return -errno;
	t->kept = p;
	if (!kept_grow(p, &t->there, KEPT_HEAD))
		return -ENOMEM;
	t->slots = (uint8_t *)p + KEPT_HEAD;
	*t->kept = (struct kept){.magic = KEPT_MAGIC, .slot_size = (uint32_t)t->slot_size};
	return 0;
}

/* fd: of a memory file, or -1. */
static int new (uint32_t max, size_t slot_size, int fd, size_t at, struct table **ret,
		struct err *e)
{
	struct table *t;
	uint32_t n_buckets = 64;
	int r;

	if (max == 0 || max > TABLE_MAX || slot_size < sizeof(struct table_node))
		return err_set(e, ERR_INTERNAL, EINVAL, "flow table of %u slots", max);
	while (n_buckets < max)
		n_buckets *= 2;
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(e, ERR_INTERNAL, ENOMEM, "flow table");
	*t = (struct table){.mask = n_buckets - 1, .slot_size = slot_size, .max = max};
	r = fd >= 0 ? map_kept(t, fd, at) : 0;
	if (r < 0) {
		table_free(t);
		return err_sys(e, -r, "memory file of the flow table");
	}
	if (fd < 0)
		t->slots = pages_map(max * slot_size);
	t->bucket = pages_map(n_buckets * sizeof(*t->bucket));
	if (!t->slots || !t->bucket) {
		table_free(t);
		return err_set(e, ERR_INTERNAL, ENOMEM, "flow table of %u slots", max);
	}
	if (getrandom(t->seed.b, sizeof(t->seed.b), 0) != (ssize_t)sizeof(t->seed.b)) {
		table_free(t);
		return err_sys(e, EIO, "random seed of the flow table");
	}
	*ret = t;
	return 0;
}

int table_new(uint32_t max, size_t slot_size, struct table **ret, struct err *e)
{
	return new (max, slot_size, -1, 0, ret, e);
}

int table_new_kept(uint32_t max, size_t slot_size, int fd, size_t at,
		   void (*left)(void *arg, const void *slot), void *arg, struct table **ret,
		   struct err *e)
{
	int r = tell_left(fd, at, slot_size, left, arg);

	return r < 0 ? err_sys(e, -r, "memory file of the last flow table")
		     : new (max, slot_size, fd, at, ret, e);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	if (t->kept)
		munmap(t->kept, kept_size(t));
	else
		pages_unmap(t->slots, t->max * t->slot_size);
	pages_unmap(t->bucket, (t->mask + 1ul) * sizeof(*t->bucket));
	free(t);
}

static uint32_t number_of(const struct table *t, const void *slot)
{
	return (uint32_t)((size_t)((const uint8_t *)slot - t->slots) / t->slot_size);
}

static uint32_t *bucket_of(const struct table *t, const struct flow_key *k)
{
	return &t->bucket[siphash(&t->seed, k, sizeof(*k)) & t->mask];
}

void *table_find(const struct table *t, const struct flow_key *k)
{
	for (uint32_t i = *bucket_of(t, k); i != 0; i = slot_at(t, i - 1)->next)
		if (key_equal(&slot_at(t, i - 1)->key, k))
			return slot_at(t, i - 1);
	return NULL;
}

void *table_add(struct table *t, const struct flow_key *k)
{
	struct table_node *n;
	bool is_new = false;
	uint32_t *b, i;

	if (t->free != 0) {
		i = t->free - 1;
		t->free = slot_at(t, i)->next & ~IS_FREE;
	} else if (t->n_ever < t->max &&
		   (!t->kept ||
		    kept_grow(t->kept, &t->there, KEPT_HEAD + (t->n_ever + 1ul) * t->slot_size))) {
		i = t->n_ever++;
		is_new = true;
	} else {
		return NULL;
	}
	n = slot_at(t, i);
	memset(n, 0, t->slot_size);
	n->key = *k;
	b = bucket_of(t, k);
	n->next = *b;
	*b = i + 1;
	t->n++;
	/* After it is filled: until now it is no slot to who comes after us. */
	if (is_new && t->kept)
		t->kept->n_ever = t->n_ever;
	return n;
}

void table_remove(struct table *t, void *slot)
{
	struct table_node *n = slot;
	uint32_t number = number_of(t, slot) + 1, *at = bucket_of(t, &n->key);

	while (*at != number)
		at = &slot_at(t, *at - 1)->next;
	*at = n->next;
	n->next = t->free | IS_FREE;
	t->free = number;
	t->n--;
}

uint32_t table_count(const struct table *t)
{
	return t->n;
}

uint32_t table_max(const struct table *t)
{
	return t->max;
}

void *table_next(const struct table *t, const void *after)
{
	for (uint32_t i = after ? number_of(t, after) + 1 : 0; i < t->n_ever; i++)
		if (!(slot_at(t, i)->next & IS_FREE))
			return slot_at(t, i);
	return NULL;
}

void *table_step(const struct table *t, uint32_t *cursor)
{
	for (uint32_t i = *cursor; i < t->n_ever; i++)
		if (!(slot_at(t, i)->next & IS_FREE)) {
			*cursor = i + 1;
			return slot_at(t, i);
		}
	return NULL;
}
