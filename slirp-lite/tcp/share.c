/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share: where the namespace forwards for several containers, none of them may take what the others
 * need: connections whose host has not answered yet, and chunks of the pool. Both are counted in as
 * many places as there are hashes of a connection's source, its address; what the namespace itself
 * has are published ports, each of somebody else, so there it is address and port. A source that
 * holds its share gets no more until it has given an eighth of that back: what its connections
 * would send waits, unread or not acknowledged, and only it waits.
 */
#include <string.h>

#include "tcp/flow.h"

static struct share *of(struct tcp_flow *f)
{
	return &f->owner->shares[f->share];
}

static bool is_shared(const struct tcp *t)
{
	return t->env.policy->plan.is_forwarding;
}

void share_begin(struct tcp_flow *f)
{
	const struct flow_key *k = &f->node.key;
	struct {
		struct ip ip;
		uint32_t port;
	} source;

	if (!is_shared(f->owner))
		return;
	memset(&source, 0, sizeof(source)); /* what lies between the two is hashed, too */
	source.ip = k->guest;
	if (ip_equal(&k->guest, &f->owner->env.policy->plan.guest[ip_fam(&k->guest)]))
		source.port = k->guest_port;
	f->share = (uint8_t)(siphash(&f->owner->secret, &source, sizeof(source)) % N_SHARES);
}

bool share_open(struct tcp_flow *f)
{
	if (!is_shared(f->owner))
		return true;
	if (of(f)->n_opening > table_max(f->owner->table) / SHARE_OPENING)
		return false;
	of(f)->n_opening++;
	f->is_opening = true;
	return true;
}

void share_opened(struct tcp_flow *f)
{
	if (!f->is_opening)
		return;
	f->is_opening = false;
	of(f)->n_opening--;
}

void share_charge(struct tcp_flow *f)
{
	const struct ring *rx = &f->rx;
	const unsigned n =
		f->tx.n_held + (rx->n_held > rx->n_reserved ? rx->n_held : rx->n_reserved);
	struct share *s = of(f);
	size_t most;

	if (n == f->n_charged || !is_shared(f->owner))
		return;
	most = pool_n_chunks(f->owner->env.pool) / 4 * 3;
	s->n_chunks += n;
	s->n_chunks -= f->n_charged;
	f->n_charged = (uint8_t)n;
	if (s->n_chunks >= most) {
		s->is_full = true;
	} else if (s->is_full && s->n_chunks < most - most / 8) {
		s->is_full = false;
		f->owner->is_starved = true; /* those who wait are looked for */
	}
}

bool share_is_full(const struct tcp_flow *f)
{
	return f->owner->shares[f->share].is_full;
}
