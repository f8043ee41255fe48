/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal: what emit holds: neighbours in a cache where the newest of a place stays, the allowance
 * for ICMP errors, and the ids of packets and of fragments. */
#ifndef SLIRP_EMIT_INTERNAL_H
#define SLIRP_EMIT_INTERNAL_H

#include "emit/emit.h"

#define NEIGHBOURS 256

struct neighbour {
	struct ip ip;
	struct mac mac;
};

struct emit {
	const struct plan *plan;
	struct link *link;
	struct stats *stats;
	emit_tap_fn *tap;
	void *tap_arg;
	uint16_t id;
	uint32_t frag_id;
	uint32_t tokens;
	uint64_t tokens_at;
	struct neighbour neighbours[NEIGHBOURS];
};

#endif
