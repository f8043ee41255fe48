/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bucket: so many a millisecond, and so many at once. A value, fed with the clock; starts full. */
#ifndef SLIRP_FLOW_BUCKET_H
#define SLIRP_FLOW_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t tokens, at; /* how many may be taken, and when that was so */
	uint64_t most;       /* at once */
	uint64_t per_ms;
};

#define BUCKET_FULL(rate_ms, burst)                                                                \
	{                                                                                          \
		.tokens = (burst), .most = (burst), .per_ms = (rate_ms)                            \
	}

static inline bool bucket_take(struct bucket *b, uint64_t now)
{
	/* A clock that stands still, or was set back, gives nothing. */
	const uint64_t passed = now > b->at ? now - b->at : 0;

	b->tokens = passed < b->most ? b->tokens + passed * b->per_ms : b->most;
	if (b->tokens > b->most)
		b->tokens = b->most;
	b->at = now;
	if (b->tokens == 0)
		return false;
	b->tokens--;
	return true;
}

#endif
