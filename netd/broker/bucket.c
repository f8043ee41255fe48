/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bucket: token buckets by user. PURE: the caller brings the clock. */
#include "broker/bucket.h"

#include <stddef.h>

static size_t find(struct buckets *t, uint32_t uid, uint64_t now_ms, uint32_t burst)
{
	size_t oldest = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		if (t->b[i].is_used && t->b[i].uid == uid)
			return i;
		if (t->b[oldest].is_used &&
		    (!t->b[i].is_used || t->b[i].at_ms < t->b[oldest].at_ms))
			oldest = i;
	}
	t->b[oldest].is_used = true;
	t->b[oldest].uid = uid;
	t->b[oldest].at_ms = now_ms;
	t->b[oldest].millis = (uint64_t)burst * 1000;
	return oldest;
}

bool bucket_take(struct buckets *t, uint32_t uid, uint64_t now_ms, uint32_t burst,
		 uint32_t per_minute)
{
	size_t i = find(t, uid, now_ms, burst);
	uint64_t max = (uint64_t)burst * 1000;
	/* A token a minute is 1000/60000 of a thousandth a millisecond; beyond an hour all is full.
	 */
	uint64_t passed = now_ms - t->b[i].at_ms < 3600000 ? now_ms - t->b[i].at_ms : 3600000;
	uint64_t more = passed * per_minute / 60;

	/* Time that gave nothing yet is not lost. */
	if (more) {
		t->b[i].millis += more;
		t->b[i].at_ms = now_ms;
	}
	if (t->b[i].millis > max)
		t->b[i].millis = max;
	if (t->b[i].millis < 1000)
		return false;
	t->b[i].millis -= 1000;
	return true;
}
