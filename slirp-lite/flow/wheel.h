/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wheel: timers as nodes embedded in their owners; hierarchical, millisecond ticks, no allocation,
 * no cost while nothing is due. Time is passed in (milliseconds of one monotonic 64-bit clock).
 */
#ifndef SLIRP_FLOW_WHEEL_H
#define SLIRP_FLOW_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	struct timer *next, **pprev; /* pprev NULL: not set */
	uint64_t due;                /* ms */
	void (*fn)(struct timer *t, uint64_t now);
};

struct wheel;
struct err;

int wheel_new(uint64_t now, struct wheel **ret, struct err *e);
void wheel_free(struct wheel *w);
void timer_set(struct wheel *w, struct timer *t, uint64_t due); /* sets or moves */
void timer_clear(struct wheel *w, struct timer *t);             /* accepts one that is not set */
bool timer_is_set(const struct timer *t);
/* Runs what is due; a fn may set and clear any timer. */
void wheel_run(struct wheel *w, uint64_t now);
/* When to call wheel_run next (may be early, never late); UINT64_MAX: nothing is set. */
uint64_t wheel_next(const struct wheel *w);

#endif
