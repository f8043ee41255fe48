/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_output: the next segment: what is retransmitted, what is new, what only acknowledges; the
 * windows that limit it and the window that is promised. One call makes one segment, which may be
 * several on the wire. RFC 9293 3.8.6, 3.8.6.2, RFC 6675 section 4 NextSeg(), RFC 8985 7.3,
 * RFC 7323 2.3, RFC 5681 4.1.
 */
#include "tcp/tcb.h"

#include "tcp/tcb_parts.h"

/* What goes out: `len` bytes of data from sequence number seq on, then a FIN. */
struct plan {
	uint32_t seq, len;
	bool has_fin, is_retransmit;
	bool is_rescue; /* RFC 6675 rule 4: HighRxt stays */
};

/* The window field: never less than what was promised but for what its steps of 2^shift cannot say
 * (SHLD-14; the promise itself stands, see is_acceptable), and more only when it is worth telling
 * (MUST-39: silly window). */
static uint16_t take_window(struct tcb *t)
{
	uint32_t open = t->rcv_adv - t->rcv_nxt, room = u32_max(t->room, open), field;

	if (t->room < open + u32_min(t->conf_mss, t->room_max / 2))
		room = open;
	field = room >> t->rcv_shift;
	if ((field << t->rcv_shift) < open && ((field + 1) << t->rcv_shift) <= t->room)
		field++;
	field = u32_min(field, UINT16_MAX);
	t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + (field << t->rcv_shift));
	return (uint16_t)field;
}

/* Room came back: worth a segment of its own? Always when the peer is stopped or nearly so; else
 * the next ACK says it. */
static bool tcb_is_window_due(const struct tcb *t)
{
	uint32_t open = t->rcv_adv - t->rcv_nxt, room = t->room & ~((1u << t->rcv_shift) - 1);
	uint32_t step = u32_min(t->conf_mss, t->room_max / 2);

	if (room <= open || t->has_rcv_fin)
		return false;
	if (open >= step)
		step = u32_max(2u * t->conf_mss, t->room / 4);
	return room - open >= u32_max(step, 1);
}

static void fill(struct tcb *t, uint64_t now, uint8_t flags, uint32_t seq, struct tcb_segment *ret)
{
	uint8_t blocks;

	*ret = (struct tcb_segment){.mss = t->mss};
	ret->h.seq = seq;
	ret->h.flags = flags;
	if (t->has_ts) {
		ret->h.has_ts = true;
		ret->h.tsval = tcb_ts(t, now);
		ret->h.tsecr = t->ts_recent;
	}
	if (!(flags & TCP_ACK))
		return;
	ret->h.ack = t->rcv_nxt;
	if (flags & TCP_SYN) {
		t->is_ack_due = false;
		return;
	}
	ret->h.wnd = take_window(t);
	blocks = tcb_ooo_blocks(t);
	if (blocks > 0) {
		ret->h.n_sack = blocks;
		for (unsigned i = 0; i < blocks; i++)
			ret->h.sack[i] = (struct tcp_sack){t->ooo[i].left, t->ooo[i].right};
		ret->mss = (uint16_t)(ret->mss - (4 + 8 * blocks));
	}
	t->rcv_acked = t->rcv_nxt;
	t->ack_at = TCB_NEVER;
	t->is_ack_due = false;
}

static void output_rst(struct tcb *t, struct tcb_segment *ret)
{
	*ret = (struct tcb_segment){.mss = t->mss};
	ret->h.flags = TCP_RST | TCP_ACK;
	ret->h.ack = t->rcv_nxt;
	/* Nothing was said yet in SYN-HELD: the answer to the SYN (3.10.7.1). */
	ret->h.seq = t->state == TCP_SYN_HELD ? 0 : t->snd_nxt;
	t->is_rst_due = false;
	tcb_move(t, TCP_CLOSED);
}

static void output_refusal(struct tcb *t, struct tcb_segment *ret)
{
	*ret = (struct tcb_segment){.mss = t->mss};
	ret->h.flags = TCP_RST;
	ret->h.seq = t->high_rxt;
	t->is_refusal = false;
}

/* RFC 9293 3.7.1 (SHLD-5), RFC 7323 2.2 and 3.2: an answer has the options that were offered. */
static void output_syn(struct tcb *t, uint64_t now, struct tcb_segment *ret)
{
	bool is_answer = t->state == TCP_SYN_RCVD;

	fill(t, now, is_answer ? TCP_SYN | TCP_ACK : TCP_SYN, t->snd_una, ret);
	ret->h.mss = t->conf_mss;
	ret->h.wnd = (uint16_t)u32_min(t->room, UINT16_MAX);
	ret->h.has_sack_ok = !is_answer || t->has_sack;
	ret->h.has_ts = !is_answer || t->has_ts;
	ret->h.tsval = ret->h.has_ts ? tcb_ts(t, now) : 0;
	ret->h.has_wscale = !is_answer || t->rcv_shift > 0;
	ret->h.wscale = ret->h.has_wscale ? TCB_SHIFT : 0;
	ret->is_retransmit = t->snd_nxt != t->snd_una;
	if (is_answer)
		t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + ret->h.wnd);
	t->is_timing = !ret->is_retransmit; /* Karn */
	t->timed_seq = t->snd_una;
	t->timed_at = (uint32_t)now;
	t->snd_nxt = t->snd_una + 1;
	t->is_syn_due = false;
	if (t->rtx_at == TCB_NEVER)
		t->rtx_at = now + tcb_cc_rto(t);
}

/* Payload of one wire segment: the options of this one make it shorter. */
static uint32_t wire_mss(const struct tcb *t)
{
	uint8_t blocks = tcb_ooo_blocks(t);

	return blocks ? t->mss - (4u + 8u * blocks) : t->mss;
}

/* Sequence number behind the last byte of data. */
static uint32_t data_end(const struct tcb *t)
{
	return t->snd_una + t->queued;
}

/* What of [seq, right) goes at once: right may hold the FIN. */
static bool plan_again(const struct tcb *t, uint32_t seq, uint32_t right, uint32_t max,
		       struct plan *ret)
{
	uint32_t edge = t->snd_una + t->snd_wnd, end = data_end(t), n;

	right = seq_min(right, edge); /* the window may have shrunk (SHLD-16) */
	if (!seq_lt(seq, right))
		return false;
	*ret = (struct plan){.seq = seq, .is_retransmit = true};
	n = right - seq;
	if (t->is_fin_sent && right == end + 1) {
		n--;
		ret->has_fin = true;
	}
	max = u32_min(max, t->segment_max);
	if (n > max) {
		n = max;
		ret->has_fin = false;
	}
	ret->len = n;
	return n > 0 || ret->has_fin;
}

static uint32_t whole(uint32_t n, uint32_t mss)
{
	return n < mss ? n : n - n % mss;
}

/* RFC 6675 NextSeg() rule 1; the first of a recovery goes whatever the pipe holds. */
static bool plan_lost(const struct tcb *t, uint32_t space, uint32_t mss, struct plan *ret)
{
	struct tcb_range hole;

	if (t->is_forced)
		space = u32_max(space, mss);
	else if (space < mss)
		return false;
	if (!tcb_sack_hole(t, t->high_rxt, &hole) || !tcb_sack_is_lost(t, hole.left))
		return false;
	if (seq_lt(t->lost_to, hole.right) && seq_lt(hole.left, t->lost_to) &&
	    !tcb_sack_is_lost(t, t->lost_to))
		hole.right = t->lost_to;
	return plan_again(t, hole.left, hole.right, whole(space, mss), ret);
}

/* Rules 3 and 4. */
static bool plan_rescue(struct tcb *t, uint32_t space, uint32_t mss, struct plan *ret)
{
	struct tcb_range hole;

	if (t->phase != TCB_FAST || !t->has_sack || t->n_sacked == 0 || space < mss)
		return false;
	if (tcb_sack_hole(t, t->high_rxt, &hole) &&
	    seq_lt(hole.left, t->sacked[t->n_sacked - 1].right))
		return plan_again(t, hole.left, hole.right, mss, ret);
	if (t->is_rescued || !seq_lt(t->sacked[t->n_sacked - 1].right, t->snd_nxt))
		return false;
	hole.left = seq_max(t->sacked[t->n_sacked - 1].right, t->snd_nxt - mss);
	if (!plan_again(t, hole.left, t->snd_nxt, mss, ret))
		return false;
	t->is_rescued = ret->is_rescue = true;
	return true;
}

/* How much may follow what was sent when `want` bytes wait: the smaller of both windows, whole
 * segments unless it is all there is. RFC 9293 3.8.6.2.1 (MUST-38). */
static uint32_t allowed(const struct tcb *t, uint32_t want, uint32_t wnd, uint32_t cwnd,
			uint32_t mss)
{
	uint32_t n = u32_min(u32_min(want, t->segment_max), u32_min(wnd, cwnd));
	bool is_moving = t->snd_nxt != t->snd_una;

	if (n == want)
		return n; /* all there is */
	if (n >= mss) {
		/* With much on the way, ACKs bring room for a larger piece soon. */
		if (is_moving && n < t->segment_max && n < u32_min(t->cwnd, t->snd_wnd) / 4)
			return 0;
		return n - n % mss;
	}
	if (cwnd < mss && is_moving)
		return 0;
	/* The window is small: half of the largest ever seen is no silly one; and with nothing that
	 * would bring an ACK, the time-out overrides. */
	if (n >= t->snd_wnd_max / 2 || (t->is_forced && !is_moving))
		return n;
	return 0;
}

static uint32_t new_bytes(const struct tcb *t, uint32_t pipe, uint32_t mss)
{
	uint32_t unsent = data_end(t) - t->snd_nxt, used = tcb_flight(t);

	if (t->is_fin_sent || unsent == 0 || t->snd_wnd <= used)
		return 0;
	return allowed(t, unsent, t->snd_wnd - used, t->cwnd > pipe ? t->cwnd - pipe : 0, mss);
}

uint32_t tcb_room(const struct tcb *t, uint32_t n)
{
	uint32_t flight = tcb_flight(t), used = tcb_sack_pipe(t) + (n > flight ? n - flight : 0);
	uint32_t wnd = t->snd_wnd > n ? t->snd_wnd - n : 0;

	return u32_min(wnd, t->cwnd > used ? t->cwnd - used : 0);
}

static bool plan_new(struct tcb *t, uint32_t pipe, uint32_t mss, uint64_t now, struct plan *ret)
{
	uint32_t n, end;

	if (t->snd_una == t->snd_nxt && t->queued > 0)
		tcb_cc_idle(t, now);
	n = new_bytes(t, pipe, mss);
	end = t->snd_nxt + n;
	*ret = (struct plan){.seq = t->snd_nxt, .len = n};
	ret->has_fin = t->is_fin_due && !t->is_fin_sent && end == data_end(t) &&
		       end - t->snd_una < t->snd_wnd;
	return n > 0 || ret->has_fin;
}

/* RFC 8985 7.3: new data if the peer has room, else the last segment once more. */
static bool plan_probe(struct tcb *t, uint32_t mss, struct plan *ret)
{
	uint32_t unsent = t->is_fin_sent ? 0 : data_end(t) - t->snd_nxt, used = tcb_flight(t);

	t->is_tlp_due = false;
	if (used == 0 || t->phase != TCB_OPEN)
		return false;
	if (unsent > 0 && t->snd_wnd > used && t->snd_wnd - used >= u32_min(unsent, mss))
		*ret = (struct plan){.seq = t->snd_nxt, .len = u32_min(unsent, mss)};
	else if (!plan_again(t, t->snd_nxt - u32_min(used, mss), t->snd_nxt, mss, ret))
		return false;
	t->is_tlp_sent = true;
	t->mark = seq_max(t->snd_nxt, ret->seq + ret->len + ret->has_fin);
	return true;
}

static bool plan(struct tcb *t, uint64_t now, struct plan *ret)
{
	uint32_t mss = wire_mss(t), pipe, space;

	if (t->is_tlp_due && plan_probe(t, mss, ret))
		return true;
	/* Nothing to send and nothing lost: the usual case of a receiver. */
	if (t->phase == TCB_OPEN && t->snd_nxt - t->snd_una >= t->queued &&
	    (!t->is_fin_due || t->is_fin_sent))
		return false;
	pipe = tcb_sack_pipe(t);
	space = t->cwnd > pipe ? t->cwnd - pipe : 0;
	if (t->phase != TCB_OPEN && plan_lost(t, space, mss, ret))
		return true;
	if (plan_new(t, pipe, mss, now, ret))
		return true;
	return t->phase != TCB_OPEN && plan_rescue(t, space, mss, ret);
}

static void sent(struct tcb *t, const struct plan *p, uint64_t now)
{
	uint32_t right = p->seq + p->len + (p->has_fin ? 1 : 0);

	t->is_forced = false;
	t->last_tx = now;
	if (p->has_fin)
		t->is_fin_sent = true;
	if (p->is_retransmit) {
		t->is_timing = false;
		if (t->is_tlp_sent && right == t->mark) {
			t->rexmit_ts = tcb_ts(t, now);
		} else if (!p->is_rescue) {
			t->high_rxt = seq_max(t->high_rxt, right);
			t->mark = t->snd_nxt;
		}
	} else if (!t->is_timing && !t->has_ts) {
		t->is_timing = true;
		t->timed_seq = p->seq;
		t->timed_at = (uint32_t)now;
	}
	if (seq_lt(t->snd_nxt, right))
		t->snd_nxt = right;
	/* RFC 6298 5.1; the first of what is sent again begins anew. */
	if (t->rtx_at == TCB_NEVER || (p->is_retransmit && p->seq == t->snd_una))
		tcb_cc_arm(t, now);
	if (t->phase == TCB_OPEN && !p->is_retransmit && !t->is_tlp_sent)
		tcb_cc_arm(t, now);
}

static void output_plan(struct tcb *t, const struct plan *p, uint64_t now, struct tcb_segment *ret)
{
	uint8_t flags = TCP_ACK;

	if (p->has_fin)
		flags |= TCP_FIN;
	if (p->len > 0 && p->seq + p->len == data_end(t))
		flags |= TCP_PSH; /* MUST-60, MUST-61: the queue ends here */
	fill(t, now, flags, p->seq, ret);
	ret->data_at = p->seq - t->snd_una;
	ret->data_len = p->len;
	ret->is_retransmit = p->is_retransmit;
	sent(t, p, now);
}

/* The queue waits for the peer's window with nothing under way that would bring an ACK. */
static void arm_probe(struct tcb *t, uint64_t now)
{
	bool is_waiting = t->queued > 0 || (t->is_fin_due && !t->is_fin_sent);

	if (t->rtx_at == TCB_NEVER && is_waiting && tcb_flight(t) == 0)
		t->rtx_at = now + tcb_cc_rto(t);
}

static bool output_open(struct tcb *t, uint64_t now, struct tcb_segment *ret)
{
	struct plan p;

	if (t->is_probe_due) {
		/* Unacceptable by its sequence number: whoever gets it has to answer. */
		t->is_probe_due = false;
		fill(t, now, TCP_ACK, t->snd_una - 1, ret);
		return true;
	}
	if (t->state != TCP_TIME_WAIT && t->state != TCP_FIN_WAIT_2) {
		if (plan(t, now, &p)) {
			output_plan(t, &p, now, ret);
			return true;
		}
		arm_probe(t, now);
	}
	if (t->is_ack_due || tcb_is_window_due(t)) {
		fill(t, now, TCP_ACK, t->snd_nxt, ret);
		return true;
	}
	return false;
}

bool tcb_output(struct tcb *t, uint64_t now, struct tcb_segment *ret)
{
	if (t->is_life_stale) {
		t->is_life_stale = false;
		if (tcb_bound(t) > 0)
			t->life_at = now + tcb_bound(t);
	}
	if (t->is_rst_due) {
		output_rst(t, ret);
		return true;
	}
	if (t->is_refusal) {
		output_refusal(t, ret);
		return true;
	}
	switch (t->state) {
	case TCP_CLOSED:
	case TCP_SYN_HELD:
		return false;
	case TCP_SYN_SENT:
	case TCP_SYN_RCVD:
		if (t->is_syn_due)
			output_syn(t, now, ret);
		else if (t->is_ack_due)
			fill(t, now, TCP_ACK, t->snd_nxt, ret);
		else
			return false;
		return true;
	default:
		return output_open(t, now, ret);
	}
}
