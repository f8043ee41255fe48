/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isn: see isn.h. ISN = M + F(flow, secret) with M a counter of 4 microseconds: RFC 6528 section 3.
 */
#include "tcp/isn.h"

static uint64_t flow_hash(const struct siphash_key *secret, const struct flow_key *flow)
{
	return siphash(secret, flow, sizeof(*flow));
}

uint32_t isn_make(const struct siphash_key *secret, const struct flow_key *flow, uint64_t now)
{
	return (uint32_t)flow_hash(secret, flow) + (uint32_t)(now * 250);
}

uint32_t isn_ts_base(const struct siphash_key *secret, const struct flow_key *flow)
{
	return (uint32_t)(flow_hash(secret, flow) >> 32);
}
