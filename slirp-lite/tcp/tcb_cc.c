/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_cc: round-trip time and time-outs (RFC 6298), the congestion window (RFC 5681, RFC 6928,
 * RFC 3465), and the entries into and ways out of loss recovery (RFC 6675, RFC 6582, RFC 3522,
 * RFC 8985 section 7). What is sent in recovery is decided in tcb_output.c.
 */
#include "tcp/tcb.h"

#include "tcp/tcb_parts.h"

#define TLP_SLACK 10 /* ms beyond two round trips: the clock's step and a busy machine */

static uint32_t initial_window(const struct tcb *t)
{
	return u32_min(10u * t->mss, u32_max(2u * t->mss, 14600)); /* RFC 6928 */
}

void tcb_cc_init(struct tcb *t)
{
	t->cwnd = t->is_syn_lost ? t->mss : initial_window(t); /* RFC 5681 3.1 */
	t->ssthresh = TCB_CWND_MAX;
	t->recover = t->high_rxt = t->lost_to = t->snd_una;
	t->phase = TCB_OPEN;
}

void tcb_cc_sample(struct tcb *t, uint32_t rtt)
{
	rtt = u32_min(rtt, TCB_RTO_MAX);
	if (!t->has_rtt) {
		t->has_rtt = true;
		t->srtt = rtt << 3;
		t->rttvar = rtt << 1;
	} else {
		uint32_t srtt = t->srtt >> 3, diff = srtt > rtt ? srtt - rtt : rtt - srtt;

		t->rttvar += diff - (t->rttvar >> 2);
		t->srtt += rtt - (t->srtt >> 3);
	}
	/* The floor is on the variance, so that a delayed ACK never meets the timer. */
	t->rto = u32_min((t->srtt >> 3) + u32_max(t->rttvar, TCB_RTO_MIN), TCB_RTO_MAX);
}

uint32_t tcb_cc_rto(const struct tcb *t)
{
	uint64_t rto = (uint64_t)t->rto << (t->backoff < 16 ? t->backoff : 16);

	return rto < TCB_RTO_MAX ? (uint32_t)rto : TCB_RTO_MAX;
}

/* RFC 8985 7.2: before the time-out proper a probe, where an answer cannot be a delayed ACK: more
 * than one segment is under way, or there are holes. A hole that is still there then is no disorder
 * (RFC 8985 6.2 step 5, RFC 5827).
 * Deviation: RFC 8985 has no probe in recovery; here, where no time of each segment is kept, it
 * finds retransmissions that were lost. One, until SND.UNA moves. */
static uint32_t probe_timeout(const struct tcb *t)
{
	if (!t->has_sack || !t->has_rtt || t->backoff > 0 || t->snd_wnd == 0 ||
	    t->state < TCP_ESTABLISHED)
		return UINT32_MAX;
	if (t->phase != TCB_OPEN)
		return t->is_reprobed ? UINT32_MAX
				      : (t->srtt >> 2) + u32_max(t->rttvar, 2 * TLP_SLACK);
	if (t->is_tlp_sent || (t->n_sacked == 0 && tcb_flight(t) <= t->mss))
		return UINT32_MAX;
	return (t->srtt >> 2) + TLP_SLACK;
}

void tcb_cc_arm(struct tcb *t, uint64_t now)
{
	uint32_t rto = tcb_cc_rto(t), pto = probe_timeout(t);

	t->is_tlp_timer = pto < rto;
	t->rtx_at = now + u32_min(rto, pto);
}

/* Only a window that is used grows: flight is what was under way before this ACK. */
void tcb_cc_grow(struct tcb *t, uint32_t acked, uint32_t flight)
{
	if (t->cwnd < t->ssthresh) {
		if (flight < t->cwnd / 2)
			return;
		/* RFC 3465 2.3: after a time-out one ACK may stand for what came long ago. */
		if (t->phase == TCB_LOSS)
			acked = u32_min(acked, 2u * t->mss);
		t->cwnd += u32_min(acked, t->ssthresh - t->cwnd);
	} else {
		if (flight < t->cwnd - t->cwnd / 4)
			return;
		t->cwnd_acked += acked;
		if (t->cwnd_acked < t->cwnd)
			return;
		t->cwnd_acked = 0;
		t->cwnd += t->mss;
	}
	t->cwnd = u32_min(t->cwnd, TCB_CWND_MAX);
}

static void remember(struct tcb *t, uint64_t now)
{
	t->prior_cwnd = t->cwnd;
	t->prior_ssthresh = t->ssthresh;
	t->rexmit_ts = tcb_ts(t, now);
	t->may_undo = t->has_ts;
}

/* RFC 5681 equation 4. */
static uint32_t half_flight(const struct tcb *t)
{
	return u32_max(tcb_flight(t) / 2, 2u * t->mss);
}

/* RFC 6675 section 5 step 4, RFC 6582 3.2 step 2. */
void tcb_cc_enter_fast(struct tcb *t, uint64_t now)
{
	remember(t, now);
	t->phase = TCB_FAST;
	t->recover = t->snd_nxt;
	t->high_rxt = t->snd_una;
	t->lost_to = seq_max(t->lost_to, t->snd_una + t->mss);
	t->ssthresh = t->cwnd = half_flight(t);
	t->cwnd_acked = 0;
	t->is_forced = true;
	t->is_rescued = t->is_timing = false;
	t->is_tlp_due = t->is_tlp_sent = t->is_reprobed = false;
}

/* RFC 5681 3.1 and 5, RFC 6675 5.1: what was SACKed may be gone (RFC 2018 section 8), and all that
 * is under way counts as lost. */
void tcb_cc_enter_loss(struct tcb *t, uint64_t now)
{
	if (t->phase != TCB_LOSS) {
		remember(t, now);
		t->ssthresh = half_flight(t);
	} else {
		t->may_undo = false;
		t->rexmit_ts = tcb_ts(t, now);
	}
	t->phase = TCB_LOSS;
	t->n_sacked = 0;
	t->n_dup = 0;
	t->recover = t->lost_to = t->snd_nxt;
	t->high_rxt = t->snd_una;
	t->cwnd = t->mss;
	t->cwnd_acked = 0;
	t->is_forced = true;
	t->is_rescued = t->is_timing = false;
	t->is_tlp_due = t->is_tlp_sent = t->is_reprobed = false;
}

void tcb_cc_leave(struct tcb *t)
{
	/* RFC 6582 3.2 step 3: without SACK a window's worth might leave in one burst. */
	if (t->phase == TCB_FAST && !t->has_sack)
		t->cwnd = u32_min(t->ssthresh, u32_max(tcb_flight(t), t->mss) + t->mss);
	t->phase = TCB_OPEN;
	t->n_dup = 0;
	t->lost_to = t->high_rxt = t->snd_una;
	t->may_undo = t->is_forced = false;
}

void tcb_cc_idle(struct tcb *t, uint64_t now)
{
	if (now - t->last_tx > t->rto)
		t->cwnd = u32_min(t->cwnd, initial_window(t));
}
