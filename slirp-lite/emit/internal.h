/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal: what emit holds: neighbours in a cache where the newest of a place stays, the allowance
 * for ICMP errors, and the ids of packets and of fragments. */
#ifndef SLIRP_EMIT_INTERNAL_H
#define SLIRP_EMIT_INTERNAL_H

#include "emit/emit.h"

#define NEIGHBOURS 256
#define NEAR_MAX 256

struct neighbour {
	struct ip ip;
	struct mac mac;
	uint32_t n_asked; /* for others that would be here */
};

struct near {
	struct ip ip;
	uint32_t n_held;
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
	struct mac last; /* that sent a frame; all zero: nobody did */
	struct neighbour neighbours[NEIGHBOURS];
	unsigned n_near;
	struct near near[NEAR_MAX];
};

/* Its place, which may be another's. */
struct neighbour *emit_neighbour(struct emit *x, const struct ip *ip);
bool emit_is_broadcast(const struct ip *ip);
/* Asks whose address it is, where that is neither known nor given; not at every frame. */
void emit_ask(struct emit *x, const struct ip *ip);

#endif
