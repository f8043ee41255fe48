/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats: the names of the counters. */
#include "flow/stats.h"

#define STATS_NAME(id, name) [STAT_##id] = (name),
static const char *const names[N_STATS] = {STATS(STATS_NAME)};

const char *stats_name(enum stat_id s)
{
	return s < N_STATS ? names[s] : "unknown";
}
