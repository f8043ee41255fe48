/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list: connections as others may look at them, and the end of those of one port. */
#include "tcp/flows.h"

#include "tcp/flow.h"

bool tcp_list(const struct tcp *t, uint32_t *cursor, uint64_t now, struct tcp_seen *ret)
{
	const struct tcp_flow *f = table_step(t->table, cursor);

	if (!f)
		return false;
	*ret = (struct tcp_seen){
		.key = f->node.key,
		.state = (enum tcp_state)f->tcb.state,
		.is_inward = f->tally != NULL,
		.rtt_us = f->tcb.has_rtt ? f->tcb.srtt * 125 : 0, /* 1/8 ms */
		.idle_ms = now > f->tcb.last_rx ? (uint32_t)(now - f->tcb.last_rx) : 0,
		.n_timeout = f->tcb.n_rto,
		.queued = (uint32_t)f->tx.len,
		.blocked = (uint32_t)f->rx.len,
	};
	return true;
}

void tcp_cut(struct tcp *t, const struct port_tally *tally, uint64_t now)
{
	struct tcp_flow *f;
	uint32_t cursor = 0;

	while ((f = table_step(t->table, &cursor)))
		if (f->tally == tally) {
			tcb_reset(&f->tcb);
			tx_output(f, now);
			flow_end(f, true);
		}
}
