/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots: a table of fixed size, mapped once at start. Memory of slots never taken is never touched,
 * so a large limit costs nothing until it is used. Each slot begins with a struct slot; a
 * generation number tells a slot from the one that had its place before, so that a late event
 * cannot reach it.
 */
#ifndef SLIRP_LITE_RELAY_SLOTS_H
#define SLIRP_LITE_RELAY_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_NONE UINT32_MAX
/* Generations fit the 24 bits that an event has room for. */
#define SLOT_GEN_MASK 0xffffffu

struct slot {
	uint32_t gen;
	uint32_t next_free; /* index + 1; 0 ends the list */
	bool used;
};

struct slots {
	uint8_t *mem;
	size_t size; /* of one slot */
	uint32_t max, n_used;
	uint32_t n_touched; /* slots at and above this one were never taken */
	uint32_t free_head; /* index + 1 */
};

int slots_init(struct slots *s, uint32_t max, size_t size); /* 0 or -errno */
void slots_free(struct slots *s);
/* Index of a zeroed slot (but for its head), SLOT_NONE when the table is full. */
uint32_t slots_take(struct slots *s);
void slots_give(struct slots *s, uint32_t i);
void *slots_at(const struct slots *s, uint32_t i);
/* The slot when it is the one that had this generation, else NULL. Any numbers are safe. */
void *slots_live(const struct slots *s, uint32_t i, uint32_t gen);
/* The first used slot at or after i, SLOT_NONE at the end. */
uint32_t slots_next(const struct slots *s, uint32_t i);

#endif
