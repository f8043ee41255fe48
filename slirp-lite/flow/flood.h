/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flood: whether small messages come so fast that it is worth to let some gather: a look that finds
 * one costs as much as one that finds thirty. Only when nearly all go one way: who waits for
 * answers would wait longer. A value, fed with the clock.
 */
#ifndef SLIRP_FLOW_FLOOD_H
#define SLIRP_FLOW_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#define FLOOD_WINDOW_NS 1000000u
#define FLOOD_APART_NS 16000u /* between two, at most */
#define FLOOD_ONE_WAY 8u      /* times as many as the other way, at least */

struct flood {
	uint64_t since; /* the window's begin, ns */
	uint64_t n_in, n_out;
	bool is_on; /* the last window was one */
};

static inline void flood_note(struct flood *f, unsigned n_in, unsigned n_out, uint64_t now)
{
	const uint64_t passed = now - f->since;

	f->n_in += n_in;
	f->n_out += n_out;
	if (passed < FLOOD_WINDOW_NS)
		return;

	const uint64_t most = f->n_in > f->n_out ? f->n_in : f->n_out;
	const uint64_t least = f->n_in > f->n_out ? f->n_out : f->n_in;

	f->is_on = most * FLOOD_APART_NS >= passed && least * FLOOD_ONE_WAY <= most;
	f->n_in = f->n_out = 0;
	f->since = now;
}

#endif
