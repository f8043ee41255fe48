/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_timer: what is due. A call that comes early finds nothing to do and does no harm, so the
 * caller's timer need not be moved when a deadline moves away. RFC 6298 section 5, RFC 9293 3.8.3,
 * 3.8.4, 3.8.6.1, RFC 8985 7.3, RFC 5382 REQ-5.
 */
#include "tcp/tcb.h"

#include "tcp/tcb_parts.h"

static enum tcb_timeout_result give_up(struct tcb *t)
{
	/* The container may be there after all: it learns that nobody listens any more. */
	if (t->state == TCP_SYN_SENT || t->state == TCP_CLOSING || t->state == TCP_LAST_ACK)
		tcb_move(t, TCP_CLOSED);
	else
		t->is_rst_due = true;
	t->rtx_at = t->ack_at = t->life_at = TCB_NEVER;
	t->is_life_stale = false;
	return TCB_GIVE_UP;
}

static enum tcb_timeout_result syn_timeout(struct tcb *t, uint64_t now)
{
	if (now - t->stalled >= TCB_SYN_GIVE_UP)
		return give_up(t);
	t->backoff++;
	t->is_syn_due = t->is_syn_lost = true;
	t->is_timing = false;
	t->rtx_at = TCB_NEVER;
	return TCB_GO_ON;
}

/* Nothing is under way and the window does not let the queue out (MUST-36, MUST-37, SHLD-29,
 * SHLD-30), or it was shut over what is under way: ask for as long as the peer answers. */
static enum tcb_timeout_result probe_timeout(struct tcb *t, uint64_t now)
{
	if (now - t->last_rx >= TCB_DATA_GIVE_UP)
		return give_up(t);
	if (t->snd_wnd == 0)
		t->is_probe_due = true;
	else
		t->is_forced = true; /* sender's silly window: RFC 1122 4.2.3.4 (4) */
	if (t->backoff < UINT8_MAX)
		t->backoff++;
	t->rtx_at = now + tcb_cc_rto(t);
	return TCB_GO_ON;
}

/* Two round trips without an ACK that moves anything. */
static void probe_tail(struct tcb *t, uint64_t now)
{
	t->is_tlp_timer = false;
	t->rtx_at = now + tcb_cc_rto(t);
	if (t->phase != TCB_OPEN) {
		t->is_reprobed = t->is_forced = true;
		t->high_rxt = t->snd_una;
	} else if (t->n_sacked > 0) {
		t->lost_to = t->sacked[t->n_sacked - 1].left;
		tcb_cc_enter_fast(t, now);
	} else {
		t->is_tlp_due = true;
	}
}

static enum tcb_timeout_result rtx_timeout(struct tcb *t, uint64_t now)
{
	if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
		return syn_timeout(t, now);
	if (tcb_flight(t) == 0 || t->snd_wnd == 0)
		return probe_timeout(t, now);
	if (t->is_tlp_timer) {
		probe_tail(t, now);
		return TCB_GO_ON;
	}
	if (t->n_rto == 0)
		t->stalled = now;
	else if (now - t->stalled >= TCB_DATA_GIVE_UP)
		return give_up(t);
	if (t->n_rto < UINT8_MAX)
		t->n_rto++;
	if (t->backoff < UINT8_MAX)
		t->backoff++;
	tcb_cc_enter_loss(t, now);
	t->rtx_at = now + tcb_cc_rto(t);
	return TCB_GO_ON;
}

/* RFC 9293 MUST-24 to MUST-29. Data under way is a probe already. */
static enum tcb_timeout_result keep_alive(struct tcb *t, uint64_t now)
{
	if (now - t->last_rx < TCB_KEEP_IDLE) {
		t->n_keep = 0;
		t->life_at = t->last_rx + TCB_KEEP_IDLE;
		return TCB_GO_ON;
	}
	if (tcb_flight(t) == 0 && t->queued == 0) {
		if (t->n_keep == TCB_KEEP_MAX)
			return give_up(t);
		t->n_keep++;
		t->is_probe_due = true;
	}
	t->life_at = now + TCB_KEEP_INTERVAL;
	return TCB_GO_ON;
}

static enum tcb_timeout_result life_timeout(struct tcb *t, uint64_t now)
{
	switch (t->state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return keep_alive(t, now);
	case TCP_TIME_WAIT:
		tcb_move(t, TCP_CLOSED);
		return TCB_EXPIRED;
	default:
		if (now - t->last_rx < TCB_TRANSITORY) {
			t->life_at = t->last_rx + TCB_TRANSITORY;
			return TCB_GO_ON;
		}
		if (t->queued > 0) {
			/* Not the end of a connection yet: retransmission has a bound of its own.
			 */
			t->life_at = now + TCB_TRANSITORY;
			return TCB_GO_ON;
		}
		return give_up(t);
	}
}

enum tcb_timeout_result tcb_timeout(struct tcb *t, uint64_t now)
{
	enum tcb_timeout_result r = TCB_GO_ON;

	if (now >= t->ack_at) {
		t->ack_at = TCB_NEVER;
		t->is_ack_due = true;
	}
	if (now >= t->rtx_at)
		r = rtx_timeout(t, now);
	if (r == TCB_GO_ON && now >= t->life_at)
		r = life_timeout(t, now);
	return r;
}
