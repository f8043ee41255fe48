/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wheel: eleven levels of 64 slots, so every time of 64 bits has its place. A timer lies at the
 * level of the highest base-64 digit in which its time differs from the present, in the slot of
 * that digit. So all of one level come before all of the next, and the first slot of the lowest
 * level that is not empty is what comes next.
 */
#include "flow/wheel.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"

#define BITS 6
#define SLOTS (1u << BITS)
#define LEVELS 11

struct wheel {
	uint64_t now;
	uint64_t used[LEVELS]; /* bitmap of slots that may hold timers */
	struct timer *slot[LEVELS][SLOTS];
	struct timer *past;   /* due already */
	struct timer *firing; /* of the slot that is being emptied */
};

int wheel_new(uint64_t now, struct wheel **ret, struct err *e)
{
	struct wheel *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, ERR_INTERNAL, ENOMEM, "timers");
	w->now = now;
	*ret = w;
	return 0;
}

void wheel_free(struct wheel *w)
{
	free(w);
}

static void link_in(struct timer **head, struct timer *t)
{
	t->next = *head;
	t->pprev = head;
	if (t->next)
		t->next->pprev = &t->next;
	*head = t;
}

static void place(struct wheel *w, struct timer *t)
{
	uint64_t at = t->due, diff = at ^ w->now;
	unsigned level, slot;

	if (at <= w->now) {
		link_in(&w->past, t);
		return;
	}
	level = (63 - (unsigned)__builtin_clzll(diff)) / BITS;
	slot = (unsigned)(at >> (BITS * level)) & (SLOTS - 1);
	w->used[level] |= 1ull << slot;
	link_in(&w->slot[level][slot], t);
}

bool timer_is_set(const struct timer *t)
{
	return t->pprev;
}

void timer_clear(struct wheel *w, struct timer *t)
{
	(void)w; /* the slot's bit is cleared when it is looked at */
	if (!t->pprev)
		return;
	*t->pprev = t->next;
	if (t->next)
		t->next->pprev = t->pprev;
	t->next = NULL;
	t->pprev = NULL;
}

void timer_set(struct wheel *w, struct timer *t, uint64_t due)
{
	timer_clear(w, t);
	t->due = due;
	place(w, t);
}

/* The earliest slot that holds a timer: when it begins. */
static uint64_t earliest(struct wheel *w, unsigned *ret_level, unsigned *ret_slot)
{
	for (unsigned level = 0; level < LEVELS; level++) {
		while (w->used[level] != 0) {
			unsigned slot = (unsigned)__builtin_ctzll(w->used[level]);
			unsigned shift = level * BITS;
			uint64_t turn = w->now >> shift >> BITS << BITS;

			if (!w->slot[level][slot]) {
				w->used[level] &= ~(1ull << slot);
				continue;
			}
			*ret_level = level;
			*ret_slot = slot;
			return (turn | slot) << shift;
		}
	}
	return UINT64_MAX;
}

/* Calls what is in the list *from that is due, puts the rest again. */
static void empty(struct wheel *w, struct timer **from, uint64_t now)
{
	struct timer *t;

	w->firing = *from;
	*from = NULL;
	if (w->firing)
		w->firing->pprev = &w->firing;
	while ((t = w->firing)) {
		timer_clear(w, t);
		if (t->due > w->now)
			place(w, t);
		else
			t->fn(t, now);
	}
}

void wheel_run(struct wheel *w, uint64_t now)
{
	unsigned level = 0, slot = 0; /* gcc 12 does not see that they are set */
	uint64_t at;

	empty(w, &w->past, now);
	while ((at = earliest(w, &level, &slot)) <= now) {
		w->now = at;
		w->used[level] &= ~(1ull << slot);
		empty(w, &w->slot[level][slot], now);
	}
	if (now > w->now)
		w->now = now;
}

uint64_t wheel_next(const struct wheel *w)
{
	unsigned level, slot;

	if (w->past)
		return w->now;
	/* Only bits of empty slots change. */
	return earliest((struct wheel *)(uintptr_t)w, &level, &slot);
}
