/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: flows found by their key: a fixed number of slots of one size and a keyed hash, mapped
 * once at start. A slot that was never used costs no memory; the one freed last is used first.
 *
 * A slot's life: free -> table_add (zeroed but for its node) -> found by table_find ->
 * table_remove -> free. A pointer to it is good in between and no longer.
 */
#ifndef SLIRP_FLOW_TABLE_H
#define SLIRP_FLOW_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/key.h"

/* The first member of a slot. */
struct table_node {
	struct flow_key key;
	uint32_t next; /* of its chain, or of the free list: slot number + 1; 0: the last */
};

struct table;

/* max: 1..2^20 slots of slot_size bytes, which begin with a table_node. */
int table_new(uint32_t max, size_t slot_size, struct table **ret, struct err *e);
/* The same with its slots in fd, a memory file (borrowed, only for this call) that outlives the
 * process and is written by one table at a time, from byte `at` (whole pages) to its end; what is
 * before is somebody else's. `left` is called for each slot that the last table in it had in use
 * when its process ended; whoever had it may have been cut short or worse, so nothing in it is to
 * be believed. It may be called again for the same slot by the next table, when the process ends
 * before all were told. A file of other slots is begun anew. */
int table_new_kept(uint32_t max, size_t slot_size, int fd, size_t at,
		   void (*left)(void *arg, const void *slot), void *arg, struct table **ret,
		   struct err *e);
void table_free(struct table *t); /* accepts NULL */
void *table_find(const struct table *t, const struct flow_key *k);
/* The caller has looked: k is not in the table. NULL: it is full, or (a kept one) memory is. */
void *table_add(struct table *t, const struct flow_key *k);
void table_remove(struct table *t, void *slot);
uint32_t table_count(const struct table *t);
uint32_t table_max(const struct table *t);
/* The next slot in use after `after` (NULL: the first), in no order that means anything. */
void *table_next(const struct table *t, const void *after);
/* The same by number: the first slot in use at or after *cursor, which is moved past it. */
void *table_step(const struct table *t, uint32_t *cursor);

#endif
