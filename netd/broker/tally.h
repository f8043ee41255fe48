/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tally: how requests of each user ended, as the log says it, for metrics. A table of fixed size:
 * where it is full, the user who has been silent longest is counted with the others. PURE.
 */
#ifndef NETD_BROKER_TALLY_H
#define NETD_BROKER_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "broker/call.h"

#define TALLY_USERS 64
/* By kind of error, ERR_NONE: granted; and those that were too many a minute. */
#define TALLY_RATE (ERR_INTERNAL + 1)
#define TALLY_RESULTS (TALLY_RATE + 1)

struct tally {
	struct tally_user {
		bool is_used;
		uint32_t uid;
		uint64_t last; /* when it was counted last, in counts */
		uint64_t n[N_CALL_VERBS][TALLY_RESULTS];
	} user[TALLY_USERS], others;
	uint64_t n_counted;
};

/* verb, result: what is out of range is not counted. */
void tally_add(struct tally *t, uint32_t uid, uint32_t verb, unsigned result);
/* Of one user (uid NULL: of all) in the Prometheus text format, at most about max bytes: who would
 * not fit is counted with the others, which only they see who see all. */
void tally_print(const struct tally *t, const uint32_t *uid, size_t max, struct buf *out);

#endif
