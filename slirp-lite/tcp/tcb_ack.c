/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_ack: what an acceptable acknowledgment does: the send window, the transmit queue's bytes that
 * are done with, round-trip samples, duplicate ACKs and the course of loss recovery.
 * RFC 9293 3.10.7.4 (fifth), RFC 5681, RFC 6675 section 5, RFC 6582, RFC 3522, RFC 8985 7.4.
 */
#include "tcp/tcb.h"

#include "tcp/tcb_parts.h"

#define DUP_THRESH 3

/* RFC 9293 3.10.7.4: SND.WL1 and SND.WL2 keep old segments from setting the window. What
 * acknowledges more than any before is not old, even when it is a retransmission; were its window
 * passed over, the edge would move on with SND.UNA unasked. */
static void update_window(struct tcb *t, const struct tcphdr_v *h)
{
	if (!seq_lt(t->snd_una, h->ack) && !seq_lt(t->snd_wl1, h->seq) &&
	    !(t->snd_wl1 == h->seq && seq_le(t->snd_wl2, h->ack)))
		return;
	t->snd_wnd = (uint32_t)h->wnd << t->snd_shift;
	t->snd_wnd_max = u32_max(t->snd_wnd_max, t->snd_wnd);
	t->snd_wl1 = seq_max(t->snd_wl1, h->seq);
	t->snd_wl2 = h->ack;
}

/* RFC 7323 4.1, else one segment at a time that was sent once. After a time-out an echo older than
 * the last retransmission tells nothing: maybe only the ACK was lost (Karn). The back-off stays
 * until a sample is good (RFC 6298 section 5), or the answer to the retransmission came as soon as
 * the estimate has it: then that is no reason to doubt it. */
static void sample(struct tcb *t, const struct tcphdr_v *h, uint64_t now)
{
	uint32_t rtt;

	if (t->n_rto > 0 && tcb_ts(t, now) - t->rexmit_ts <= t->rto)
		t->backoff = 0;
	if (t->has_ts && h->has_ts) {
		rtt = tcb_ts(t, now) - h->tsecr;
		if (rtt > INT32_MAX || (t->n_rto > 0 && seq_lt(h->tsecr, t->rexmit_ts)))
			return;
	} else if (t->is_timing && seq_lt(t->timed_seq, h->ack)) {
		t->is_timing = false;
		rtt = (uint32_t)now - t->timed_at;
	} else {
		return;
	}
	tcb_cc_sample(t, rtt);
	t->backoff = 0;
}

/* The ACK answers a segment that was sent before the first retransmission: nothing was lost, it
 * was late or in disorder (RFC 3522). */
static bool was_spurious(const struct tcb *t, const struct tcphdr_v *h)
{
	return t->may_undo && h->has_ts && seq_lt(h->tsecr, t->rexmit_ts);
}

static void undo(struct tcb *t)
{
	t->cwnd = u32_max(t->cwnd, t->prior_cwnd);
	t->ssthresh = t->prior_ssthresh;
	t->phase = TCB_OPEN;
	t->n_dup = 0;
	t->lost_to = t->high_rxt = t->snd_una;
	t->may_undo = t->is_forced = false;
}

static void recovery_step(struct tcb *t, uint32_t n, uint32_t flight)
{
	if (seq_le(t->recover, t->snd_una)) {
		if (t->phase == TCB_LOSS)
			tcb_cc_grow(t, n, flight);
		tcb_cc_leave(t);
		return;
	}
	if (t->phase == TCB_LOSS) {
		tcb_cc_grow(t, n, flight > t->cwnd ? flight : t->cwnd);
	} else if (!t->has_sack) {
		/* A partial ACK: the next segment is lost, too (RFC 6582 3.2 step 3). */
		uint32_t left = n / t->mss;

		t->n_dup = (uint8_t)(t->n_dup > left ? t->n_dup - left : 0);
		t->lost_to = t->snd_una + t->mss;
		t->high_rxt = t->snd_una;
		t->is_forced = true;
	}
	t->high_rxt = seq_max(t->high_rxt, t->snd_una);
}

/* The tail probe was acknowledged together with the rest: had its original arrived, the ACK would
 * carry an older timestamp. So something was lost (RFC 8985 7.4.2). */
static void probe_acked(struct tcb *t, const struct tcphdr_v *h)
{
	if (t->has_ts && h->has_ts && !seq_lt(h->tsecr, t->rexmit_ts))
		t->ssthresh = t->cwnd = u32_max(t->cwnd / 2, 2u * t->mss);
	t->is_tlp_sent = false;
}

void tcb_ack_advance(struct tcb *t, const struct tcphdr_v *h, uint32_t n, uint64_t now,
		     struct tcb_result *ret)
{
	uint32_t flight = tcb_flight(t), data = n;

	t->snd_una = h->ack;
	if (t->is_fin_sent && t->snd_una == t->snd_nxt)
		data--;
	t->queued -= u32_min(data, t->queued);
	ret->acked = data;
	sample(t, h, now);
	t->n_rto = 0;
	if (t->n_sacked > 0)
		tcb_sack_acked(t);
	if (t->is_tlp_sent && seq_le(t->mark, t->snd_una))
		probe_acked(t, h);
	if (t->phase == TCB_OPEN) {
		t->n_dup = 0;
		tcb_cc_grow(t, n, flight);
		t->lost_to = t->high_rxt = t->snd_una;
	} else if (was_spurious(t, h)) {
		undo(t);
	} else {
		t->may_undo = false;
		recovery_step(t, n, flight);
	}
	t->is_tlp_due = t->is_reprobed = false;
	if (t->snd_una == t->snd_nxt)
		t->rtx_at = TCB_NEVER;
	else
		tcb_cc_arm(t, now);
}

/* RFC 5681 section 2, RFC 6675 section 2. */
static bool is_duplicate(const struct tcb *t, const struct tcphdr_v *h, uint32_t len,
			 uint32_t fresh, uint32_t old_wnd)
{
	if (t->snd_una == t->snd_nxt || h->ack != t->snd_una)
		return false;
	if (t->has_sack)
		return fresh > 0;
	return len == 0 && !(h->flags & (TCP_SYN | TCP_FIN)) && old_wnd == t->snd_wnd;
}

/* What was sent behind the last retransmission has arrived, three segments of it: so the
 * retransmissions that are still missing were lost, too (as RFC 8985 would find by time). */
static void detect_lost_again(struct tcb *t)
{
	uint32_t top = t->sacked[t->n_sacked - 1].right;

	if (seq_le(t->high_rxt, t->snd_una) || seq_lt(top, t->mark + DUP_THRESH * t->mss))
		return;
	t->high_rxt = t->snd_una;
	t->mark = t->snd_nxt;
	t->is_forced = true;
}

static void detect_loss(struct tcb *t, bool is_dup, uint64_t now)
{
	if (is_dup && t->n_dup < UINT8_MAX)
		t->n_dup++;
	if (t->phase != TCB_OPEN) {
		if (t->n_sacked > 0)
			detect_lost_again(t);
		return;
	}
	/* The tail probe arrived and what was sent two round trips before it did not. */
	if (t->is_tlp_sent && t->n_sacked > 0 && t->sacked[t->n_sacked - 1].right == t->mark) {
		t->lost_to = t->sacked[t->n_sacked - 1].left;
		tcb_cc_enter_fast(t, now);
		return;
	}
	if (t->n_sacked == 0 && t->n_dup == 0)
		return;
	if (t->n_dup >= DUP_THRESH || (t->n_sacked > 0 && tcb_sack_is_lost(t, t->snd_una)))
		tcb_cc_enter_fast(t, now);
}

void tcb_ack_take(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint64_t now,
		  struct tcb_result *ret)
{
	uint32_t n = h->ack - t->snd_una, old_wnd = t->snd_wnd, fresh = 0;
	bool was_shut = t->snd_wnd == 0;

	if (seq_lt(h->ack, t->snd_una))
		return; /* old news; its window is not to be believed either */
	update_window(t, h);
	if (n > 0)
		tcb_ack_advance(t, h, n, now, ret);
	if (h->n_sack > 0)
		fresh = tcb_sack_update(t, h);
	if (fresh > 0 && (t->is_tlp_timer || t->phase == TCB_OPEN))
		tcb_cc_arm(t, now); /* something arrives: the hole gets its time */
	if (t->snd_una != t->snd_nxt)
		detect_loss(t, n == 0 && is_duplicate(t, h, len, fresh, old_wnd), now);
	if (was_shut && t->snd_wnd > 0) {
		/* The window opens: what the probes waited for. What it dropped goes out again. */
		t->backoff = 0;
		t->is_probe_due = false;
		if (t->snd_una != t->snd_nxt)
			tcb_cc_arm(t, now);
		else
			t->rtx_at = TCB_NEVER;
	}
}
