/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trim: for a process that lives long and has nothing to do for now. */
#ifndef NETD_SYS_TRIM_H
#define NETD_SYS_TRIM_H

#include <stdbool.h>
#include <stdint.h>

/* What is given back is needed again by the next request, at the cost of some hundred page faults:
 * so not between two of a series, but for one that has no end. */
#define TRIM_REST_MS 1000
#define TRIM_LATEST_MS 10000

/* Once, before anything large is allocated: what is large goes back as soon as it is free. */
void trim_setup(void);
/* Memory that is free goes, and so do the code and tables that lie in files, of which what is
 * needed is there again by the first use. */
void trim_now(void);

/* When: after a rest, when there is nothing to do. Zeroed: never yet. */
struct trim {
	bool is_awake; /* something was done since the last time: */
	uint64_t first_ms, last_ms;
};
void trim_wake(struct trim *t, uint64_t now_ms);
/* Milliseconds until it is to be called again, or -1: not before the next awakening. */
int trim_turn(struct trim *t, uint64_t now_ms, bool is_idle);

#endif
