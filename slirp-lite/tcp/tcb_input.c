/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_input: a segment arrives: RFC 9293 3.10.7 with the checks of RFC 5961 and RFC 7323, in the
 * order of the standard: sequence number, RST, SYN, ACK, data, FIN. The in-order segment of an
 * established connection takes a short way with the same results. Never answers by itself: it notes
 * what tcb_output has to say.
 */
#include "tcp/tcb.h"

#include "tcp/tcb_parts.h"

/* An ACK that may wait for company (RFC 5681 4.2, RFC 9293 MUST-58, MUST-59). */
static void note_in_order(struct tcb *t, uint32_t len, uint64_t now)
{
	if (len <= t->conf_mss && len > t->rcv_mss)
		t->rcv_mss = (uint16_t)len;
	/* At least every second full-sized segment; a super-segment is several. */
	if (t->n_quick > 0) {
		t->n_quick--;
		t->is_ack_due = true;
	} else if (len > t->rcv_mss || t->rcv_nxt - t->rcv_acked >= 2u * t->rcv_mss) {
		t->is_ack_due = true;
	} else if (t->ack_at == TCB_NEVER) {
		t->ack_at = now + TCB_DELACK;
	}
}

static void took(struct tcb *t, uint32_t n)
{
	t->room -= u32_min(n, t->room);
	if (seq_lt(t->rcv_adv, t->rcv_nxt))
		t->rcv_adv = t->rcv_nxt;
}

static void note_alive(struct tcb *t, uint64_t now)
{
	/* After a pause the peer begins with a small window: see that it grows. */
	if (now - t->last_rx > t->rto && t->n_quick == 0)
		t->n_quick = TCB_QUICK;
	t->last_rx = now;
}

/* Header prediction: true when the segment was dealt with. */
static bool input_fast(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint32_t room,
		       uint64_t now, struct tcb_result *ret)
{
	uint32_t acked = h->ack - t->snd_una, wnd;

	if (t->state != TCP_ESTABLISHED || (h->flags & ~(TCP_PSH | TCP_URG)) != TCP_ACK ||
	    h->seq != t->rcv_nxt)
		return false;
	if (t->n_ooo | t->n_sacked | t->n_dup | t->phase | h->n_sack | t->has_rcv_fin |
	    t->is_rst_due)
		return false;
	if (acked > t->snd_nxt - t->snd_una || (acked | len) == 0)
		return false;
	if (len > t->rcv_adv - t->rcv_nxt || len > room)
		return false;
	if (t->has_ts) {
		if (!h->has_ts || seq_lt(h->tsval, t->ts_recent))
			return false;
		if (t->rcv_acked == h->seq) {
			t->ts_recent = h->tsval;
			t->ts_recent_at = (uint32_t)now;
		}
	}
	wnd = (uint32_t)h->wnd << t->snd_shift;
	if (wnd == 0 || t->snd_wnd == 0 || seq_lt(h->seq, t->snd_wl1))
		return false;
	note_alive(t, now);
	t->snd_wnd = wnd;
	t->snd_wnd_max = u32_max(t->snd_wnd_max, wnd);
	t->snd_wl1 = h->seq;
	t->snd_wl2 = h->ack;
	if (acked > 0)
		tcb_ack_advance(t, h, acked, now, ret);
	if (len > 0) {
		ret->data_len = ret->advance = len;
		t->rcv_nxt += len;
		took(t, len);
		note_in_order(t, len, now);
	}
	return true;
}

/* SYN-HELD: nothing was said yet; the container may repeat its SYN, think again, or give up. */
static void input_held(struct tcb *t, const struct tcphdr_v *h, uint64_t now,
		       struct tcb_result *ret)
{
	if (h->flags & TCP_RST) {
		if (h->seq != t->rcv_nxt) {
			ret->is_drop = true;
			return;
		}
		tcb_move(t, TCP_CLOSED);
		ret->is_reset = true;
	} else if (!tcb_is_opening(h)) {
		ret->is_drop = true;
	} else if (h->seq + 1 != t->rcv_nxt) {
		tcb_take_syn(t, h);
		t->last_rx = now;
	}
}

/* Our SYN is acknowledged: the last that was sent, says its timestamp, or there was only one. */
static void sample_syn(struct tcb *t, const struct tcphdr_v *h, uint64_t now)
{
	bool is_last = t->has_ts && h->has_ts && !seq_lt(h->tsecr, t->timed_at + t->ts_base);
	uint32_t rtt = (uint32_t)now - t->timed_at;

	if ((is_last || t->is_timing) && rtt <= INT32_MAX)
		tcb_cc_sample(t, rtt);
	t->is_timing = false;
}

/* RFC 9293 3.10.7.3. */
static void input_syn_sent(struct tcb *t, const struct tcphdr_v *h, uint64_t now,
			   struct tcb_result *ret)
{
	bool has_ack = h->flags & TCP_ACK;

	if (has_ack && (h->ack != t->snd_nxt || t->snd_nxt == t->snd_una)) {
		/* First: of a connection that is no more here; the RST ends it there, too. */
		ret->is_drop = true;
		if (!(h->flags & TCP_RST)) {
			t->is_refusal = true;
			t->high_rxt = h->ack;
		}
		return;
	}
	if (h->flags & TCP_RST) {
		ret->is_drop = !has_ack;
		if (has_ack) {
			tcb_move(t, TCP_CLOSED);
			ret->is_reset = true;
		}
		return;
	}
	if ((h->flags & (TCP_SYN | TCP_FIN)) != TCP_SYN) {
		ret->is_drop = true;
		return;
	}
	tcb_take_syn(t, h);
	t->ts_recent_at = (uint32_t)now;
	t->last_rx = now;
	/* The window field of our SYN was a promise. */
	t->rcv_adv = t->rcv_nxt + u32_min(t->room, UINT16_MAX);
	if (!has_ack) {
		tcb_move(t, TCP_SYN_RCVD); /* simultaneous open, MUST-10 */
		t->is_syn_due = true;
		return;
	}
	t->snd_una = t->snd_wl2 = h->ack;
	if (t->is_timing || t->has_ts)
		tcb_cc_sample(t,
			      t->has_ts ? tcb_ts(t, now) - h->tsecr : (uint32_t)now - t->timed_at);
	t->is_timing = false;
	tcb_connected(t, now);
	t->is_ack_due = true;
	ret->is_connected = true;
}

/* RFC 7323 5.3 R1. An old value counts no more after 24 days. */
static bool is_paws_reject(const struct tcb *t, const struct tcphdr_v *h, uint64_t now)
{
	return h->has_ts && seq_lt(h->tsval, t->ts_recent) &&
	       (uint32_t)now - t->ts_recent_at < TCB_PAWS_IDLE;
}

/* RFC 9293 3.10.7.4, first: table 6. A segment without data at the very edge brings an ACK that is
 * good, and so does one beyond a shut window (MUST-66). */
static bool is_acceptable(const struct tcb *t, const struct tcphdr_v *h, uint32_t seg_len)
{
	uint32_t wnd = t->rcv_adv - t->rcv_nxt, at = h->seq - t->rcv_nxt;

	if (at <= wnd && (seg_len == 0 || at < wnd || at == 0))
		return true;
	return seg_len > 0 && seq_lt(h->seq, t->rcv_nxt) && seq_lt(t->rcv_nxt, h->seq + seg_len);
}

static void reject(struct tcb *t, const struct tcphdr_v *h, uint32_t seg_len, uint64_t now,
		   struct tcb_result *ret)
{
	ret->is_drop = true;
	if (h->flags & TCP_RST)
		return;
	/* What is old was sent again because an ACK was lost, or is a keep-alive; both need their
	 * ACK, and somebody is there. Anything else could make two ends answer each other without
	 * end. */
	if (seg_len > 0 || h->seq + 1 == t->rcv_nxt) {
		t->is_ack_due = true;
		t->last_rx = now;
	} else {
		ret->is_challenge = true;
	}
	if (t->state == TCP_TIME_WAIT && (h->flags & TCP_FIN))
		t->life_at = now + TCB_TIME_WAIT;
}

/* RFC 9293 3.10.7.4, second; RFC 5961 3.2. */
static void input_rst(struct tcb *t, const struct tcphdr_v *h, struct tcb_result *ret)
{
	if (h->seq != t->rcv_nxt) {
		ret->is_drop = true;
		ret->is_challenge = h->seq - t->rcv_nxt < t->rcv_adv - t->rcv_nxt;
		return;
	}
	/* In the last three states both directions had their FIN: nothing is to be aborted. */
	if (t->state == TCP_CLOSING || t->state == TCP_LAST_ACK || t->state == TCP_TIME_WAIT)
		ret->is_closed = true;
	else
		ret->is_reset = true;
	tcb_move(t, TCP_CLOSED);
}

/* RFC 9293 MAY-2, RFC 6191: a SYN that cannot be an old one ends TIME-WAIT. */
static bool is_reopening(const struct tcb *t, const struct tcphdr_v *h)
{
	if (t->state != TCP_TIME_WAIT || !tcb_is_opening(h))
		return false;
	if (t->has_ts && h->has_ts && h->tsval != t->ts_recent)
		return seq_lt(t->ts_recent, h->tsval);
	return seq_lt(t->rcv_nxt - 1, h->seq);
}

/* SYN-RECEIVED and the peer's SYN again: our SYN,ACK was lost. True: done. */
static bool input_syn_again(struct tcb *t, const struct tcphdr_v *h, uint64_t now)
{
	if (t->state != TCP_SYN_RCVD || h->seq + 1 != t->rcv_nxt || !tcb_is_opening(h))
		return false;
	t->last_rx = now;
	if (t->has_ts && h->has_ts && !seq_lt(h->tsval, t->ts_recent)) {
		t->ts_recent = h->tsval; /* the echo is of the last one */
		t->ts_recent_at = (uint32_t)now;
	}
	t->is_syn_due = true;
	return true;
}

/* Both opened, and the peer's SYN,ACK acknowledges our SYN; its own is known. */
static bool is_crossed_syn(const struct tcb *t, const struct tcphdr_v *h)
{
	return t->state == TCP_SYN_RCVD && t->is_active && h->seq + 1 == t->rcv_nxt &&
	       (h->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == (TCP_SYN | TCP_ACK) &&
	       h->ack == t->snd_nxt;
}

/* The ACK field of a connection that is open or opening. false: the segment ends here. */
static bool input_ack(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint64_t now,
		      struct tcb_result *ret)
{
	if (t->state == TCP_SYN_RCVD) {
		if (h->ack != t->snd_nxt || t->snd_nxt == t->snd_una) {
			ret->is_drop = true;
			t->is_refusal = true;
			t->high_rxt = h->ack;
			return false;
		}
		sample_syn(t, h, now);
		t->snd_una = h->ack;
		/* The handshake's last segment is the first with a scaled window. */
		t->snd_wnd = (uint32_t)h->wnd << t->snd_shift;
		t->snd_wnd_max = t->snd_wnd;
		t->snd_wl1 = h->seq;
		t->snd_wl2 = h->ack;
		tcb_connected(t, now);
		ret->is_connected = true;
		return true;
	}
	/* RFC 5961 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT. */
	if (seq_lt(t->snd_nxt, h->ack) || seq_lt(h->ack, t->snd_una - t->snd_wnd_max)) {
		ret->is_drop = ret->is_challenge = true;
		return false;
	}
	tcb_ack_take(t, h, len, now, ret);
	if (!t->is_fin_sent || t->snd_una != t->snd_nxt)
		return true;
	switch (t->state) {
	case TCP_FIN_WAIT_1:
		tcb_move(t, TCP_FIN_WAIT_2);
		return true;
	case TCP_CLOSING:
		tcb_move(t, TCP_TIME_WAIT);
		return false;
	case TCP_LAST_ACK:
		tcb_move(t, TCP_CLOSED);
		ret->is_closed = true;
		return false;
	default:
		return true;
	}
}

/* RFC 9293 3.10.7.4, eighth: everything up to the FIN is here. */
static void took_fin(struct tcb *t, struct tcb_result *ret)
{
	t->rcv_nxt++;
	took(t, 0);
	t->is_ack_due = true;
	ret->is_eof = true;
	switch (t->state) {
	case TCP_ESTABLISHED:
		tcb_move(t, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1:
		tcb_move(t, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT_2:
		tcb_move(t, TCP_TIME_WAIT);
		break;
	default:
		break;
	}
}

/* Seventh: the payload [seq, seq + len), maybe with a FIN behind it. */
static void input_data(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint32_t room,
		       uint64_t now, struct tcb_result *ret)
{
	uint32_t left = seq_max(h->seq, t->rcv_nxt), right = h->seq + len, edge = t->rcv_adv;
	bool has_fin = h->flags & TCP_FIN, was_ordered = t->n_ooo == 0 && left == h->seq;
	struct tcb_range part;
	uint32_t advance;

	if (room < edge - t->rcv_nxt)
		edge = t->rcv_nxt + room;
	if (seq_lt(edge, right)) {
		right = edge; /* only what was promised */
		has_fin = false;
		t->is_ack_due = true;
	}
	if (t->has_rcv_fin && seq_lt(t->rcv_fin, right))
		right = t->rcv_fin;
	if (has_fin && !t->has_rcv_fin && !seq_lt(right, t->rcv_nxt) &&
	    !tcb_ooo_is_beyond(t, right)) {
		t->has_rcv_fin = true;
		t->rcv_fin = right;
	}
	if (len > 0) {
		if (seq_lt(left, right) && tcb_ooo_take(t, left, right, &part, &advance)) {
			ret->data_skip = part.left - h->seq;
			ret->data_len = part.right - part.left;
			ret->advance = advance;
			ret->data_at = part.left - (t->rcv_nxt - advance);
			ret->is_more = seq_lt(part.right, right) && seq_lt(t->rcv_nxt, right);
			took(t, advance);
		} else {
			ret->is_drop = true;
		}
		/* RFC 5681 4.2: a gap, the filling of one, and what came before, at once. */
		if (was_ordered && ret->advance > 0 && t->n_ooo == 0)
			note_in_order(t, len, now);
		else
			t->is_ack_due = true;
	}
	if (t->has_rcv_fin && t->rcv_nxt == t->rcv_fin)
		took_fin(t, ret);
	else if (has_fin)
		t->is_ack_due = true;
}

static void input_synchronized(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint32_t room,
			       uint64_t now, struct tcb_result *ret)
{
	uint32_t seg_len = len + ((h->flags & TCP_FIN) ? 1 : 0);

	if (t->has_ts && !(h->flags & TCP_RST)) {
		if (!h->has_ts) { /* RFC 7323 3.2 */
			ret->is_drop = true;
			return;
		}
		if (is_paws_reject(t, h, now)) {
			ret->is_drop = t->is_ack_due = true;
			return;
		}
	}
	if ((h->flags & TCP_SYN) && !(h->flags & TCP_RST)) {
		/* Fourth; RFC 5961 4.2 asks for it wherever the sequence number lies. */
		ret->is_drop = ret->is_challenge = true;
		return;
	}
	if (!is_acceptable(t, h, seg_len)) {
		reject(t, h, seg_len, now, ret);
		return;
	}
	if (h->flags & TCP_RST) {
		input_rst(t, h, ret);
		return;
	}
	if (!(h->flags & TCP_ACK)) {
		ret->is_drop = true;
		return;
	}
	note_alive(t, now);
	if (t->has_ts && seq_le(h->seq, t->rcv_acked)) { /* RFC 7323 4.3 */
		t->ts_recent = h->tsval;
		t->ts_recent_at = (uint32_t)now;
	}
	if (!input_ack(t, h, len, now, ret) || seg_len == 0)
		return;
	if (t->state == TCP_ESTABLISHED || t->state == TCP_FIN_WAIT_1 || t->state == TCP_FIN_WAIT_2)
		input_data(t, h, len, room, now, ret);
	else
		t->is_ack_due = true;
}

void tcb_input(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint32_t room, uint64_t now,
	       struct tcb_result *ret)
{
	struct tcphdr_v stripped;

	*ret = (struct tcb_result){0};
	if (input_fast(t, h, len, room, now, ret))
		return;
	if (t->is_rst_due || t->state == TCP_CLOSED) {
		ret->is_drop = true;
	} else if (t->state == TCP_SYN_HELD) {
		input_held(t, h, now, ret);
	} else if (t->state == TCP_SYN_SENT) {
		input_syn_sent(t, h, now, ret);
	} else if (is_reopening(t, h)) {
		tcb_move(t, TCP_CLOSED);
		ret->is_reopen = true;
	} else if (!input_syn_again(t, h, now)) {
		if (is_crossed_syn(t, h)) {
			stripped = *h;
			stripped.seq++;
			stripped.wnd >>= t->snd_shift; /* a SYN's window is not scaled */
			stripped.flags &= (uint8_t)~TCP_SYN;
			t->is_ack_due = true;
			h = &stripped;
			len = 0;
		}
		input_synchronized(t, h, len, room, now, ret);
	}
}
