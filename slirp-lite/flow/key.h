/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * key: what tells one flow from another: the container's address and port, and those of whom it
 * talks to, as the container sees them. Without padding, so that it is compared and hashed as
 * bytes.
 */
#ifndef SLIRP_FLOW_KEY_H
#define SLIRP_FLOW_KEY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "model/addr.h"

struct flow_key {
	struct ip guest, peer;
	uint16_t guest_port, peer_port; /* host order */
};
_Static_assert(sizeof(struct flow_key) == 2 * sizeof(struct ip) + 4, "no padding");

static inline bool key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
