/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bucket: how often each user may: a table of token buckets of fixed size. Where it is full, the
 * bucket that has rested longest makes place. PURE.
 */
#ifndef NETD_BROKER_BUCKET_H
#define NETD_BROKER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKETS 512

struct buckets {
	struct {
		uint32_t uid;
		bool is_used;
		uint64_t at_ms;
		uint64_t millis; /* thousandths of a token */
	} b[BUCKETS];
};

/* Takes a token of uid's, of which burst are there at first and per_minute more come. now_ms only
 * grows. False: there is none. */
bool bucket_take(struct buckets *t, uint32_t uid, uint64_t now_ms, uint32_t burst,
		 uint32_t per_minute);

#endif
