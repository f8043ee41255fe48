/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gather: what the worker knows, asked for piece by piece: counters, what passed each published
 * port, conversations. One gathering at a time, with a deadline: a worker that does not answer
 * leaves its part out.
 */
#ifndef SLIRP_PROC_GATHER_H
#define SLIRP_PROC_GATHER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proc/published.h"
#include "stack/ctlmsg.h"

enum { GATHER_STATS = 1, GATHER_PORTS = 2, GATHER_FLOWS = 4 };

#define GATHER_FLOWS_MAX 20000 /* listed at most */

struct gathered {
	unsigned need;
	bool is_whole; /* all that was needed came */
	bool has_stats;
	struct stats stats;
	struct ctlmsg_gauges gauges;
	json_t *flows; /* array; NULL: not asked for. Borrowed */
	bool is_cut;   /* there are more */
};

struct gather;

struct gather_env {
	struct published *published; /* gets the tallies */
	/* Sends m to the worker. Negative: it cannot be told. */
	int (*tell)(void *tell_arg, const struct ctlmsg *m);
	void *tell_arg;
	void (*done)(void *arg, const struct gathered *g);
	void *arg;
};

int gather_new(const struct gather_env *env, struct gather **ret, struct err *e);
void gather_free(struct gather *g); /* accepts NULL */
bool gather_is_under_way(const struct gather *g);
/* None is under way. done is called when it ends, maybe before the return. */
void gather_start(struct gather *g, unsigned need, uint64_t now);
/* A message of the worker that may be an answer. */
void gather_message(struct gather *g, const struct ctlmsg *m, uint64_t now);
/* By when gather_end is to be called; UINT64_MAX: never. */
uint64_t gather_deadline(const struct gather *g);
/* The rest will not come. Does nothing when none is under way. */
void gather_end(struct gather *g);

#endif
