/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limit: thousandths of a byte, for a millisecond of the least rate is one byte. PURE. */
#include "flow/limit.h"

#define BURSTS_A_SECOND 50 /* what passes in 20 ms may come at once */
#define MILLI 1000
#define MOST (INT64_MAX / 8)

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void limit_init(struct limit *l, uint64_t bits, size_t min, uint64_t now)
{
	const uint64_t rate = bits / 8, most = MOST / MILLI;
	uint64_t burst = rate / BURSTS_A_SECOND;

	burst = burst < min ? min : burst;
	*l = (struct limit){
		.rate = rate, .burst = (int64_t)(burst < most ? burst : most) * MILLI, .at = now};
	l->tokens = l->share = l->burst;
}

static void fill(struct limit *l, uint64_t now)
{
	/* A clock that stands still, or was set back, gives nothing. */
	const uint64_t passed = now > l->at ? now - l->at : 0;
	int64_t more = MOST;

	if (passed == 0)
		return;
	l->at = now;
	if (passed < (uint64_t)MOST / l->rate)
		more = (int64_t)(passed * l->rate);
	l->tokens = min64(l->tokens + more, l->burst);
	l->share = min64(l->share + more / 4 * 3, l->burst);
}

size_t limit_room(struct limit *l, uint64_t now)
{
	fill(l, now);
	return l->tokens < MILLI ? 0 : (size_t)(l->tokens / MILLI);
}

void limit_take(struct limit *l, size_t n)
{
	l->tokens -= min64((int64_t)n, MOST / MILLI) * MILLI;
	if (l->tokens < -MOST)
		l->tokens = -MOST;
}

uint64_t limit_due(const struct limit *l)
{
	const uint64_t owed = l->tokens < MILLI ? (uint64_t)(MILLI - l->tokens) : 0;

	return l->at + (owed + l->rate - 1) / l->rate;
}

bool limit_admit(struct limit *l, size_t n, uint64_t now)
{
	fill(l, now);
	if (l->tokens <= -l->burst || (l->is_waited && l->share <= 0))
		return false;
	limit_take(l, n);
	/* Alone it may have all; that is not held against it for long. */
	l->share -= min64((int64_t)n, MOST / MILLI) * MILLI;
	if (l->share < -l->burst)
		l->share = -l->burst;
	return true;
}
