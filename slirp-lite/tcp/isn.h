/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isn: initial sequence numbers and timestamp offsets that nobody without the key can foretell, and
 * that go up with time for one pair of endpoints (RFC 6528, RFC 7323 5.4 and 7.1). Pure.
 */
#ifndef SLIRP_TCP_ISN_H
#define SLIRP_TCP_ISN_H

#include <stdint.h>

#include "flow/key.h"
#include "flow/siphash.h"

/* now in ms, the clock that tcb.h gets. */
uint32_t isn_make(const struct siphash_key *secret, const struct flow_key *flow, uint64_t now);
/* struct tcb_conf's ts_base: the same for one pair of endpoints, so that timestamps go on growing
 * from one connection to the next (RFC 6191). */
uint32_t isn_ts_base(const struct siphash_key *secret, const struct flow_key *flow);

#endif
