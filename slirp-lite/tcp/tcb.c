/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb: the life of a connection: states and the moves between them, opening, what the host's side
 * asks for, and the answer to segments that belong to no connection. Segments are judged in
 * tcb_input.c and made in tcb_output.c. RFC 9293 3.3.2, 3.5, 3.6, 3.10.
 */
#include "tcp/tcb.h"

#include <string.h>

#include "tcp/tcb_parts.h"

#define MSS_MIN 88
#define MSS_MAX 65495
#define MSS_DEFAULT 536 /* MUST-15; also where IPv6 would allow 1220 */
#define RCV_MSS_FIRST 536

#define TO(s) (1u << TCP_##s)

/* RFC 9293 figure 5, and the state of ours where the host's connect() is waited for. */
static const uint16_t moves[N_TCP_STATES] = {
	[TCP_CLOSED] = TO(SYN_HELD) | TO(SYN_SENT),
	[TCP_SYN_HELD] = TO(SYN_RCVD) | TO(CLOSED),
	[TCP_SYN_SENT] = TO(SYN_RCVD) | TO(ESTABLISHED) | TO(CLOSED),
	[TCP_SYN_RCVD] = TO(ESTABLISHED) | TO(CLOSED),
	[TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
	[TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT) | TO(CLOSED),
	[TCP_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
	[TCP_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
	[TCP_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
	[TCP_LAST_ACK] = TO(CLOSED),
	[TCP_TIME_WAIT] = TO(CLOSED),
};

bool tcb_may_move(enum tcp_state from, enum tcp_state to)
{
	return moves[from] & (1u << to);
}

void tcb_move(struct tcb *t, enum tcp_state to)
{
	if (!tcb_may_move(t->state, to))
		to = TCP_CLOSED;
	t->state = (uint8_t)to;
	t->is_life_stale = true;
	if (to == TCP_CLOSED || to == TCP_TIME_WAIT) {
		t->rtx_at = TCB_NEVER;
		t->is_probe_due = t->is_syn_due = t->is_tlp_due = false;
	}
	if (to == TCP_CLOSED) {
		t->ack_at = t->life_at = TCB_NEVER;
		t->is_ack_due = t->is_refusal = t->is_life_stale = false;
	}
}

uint64_t tcb_bound(const struct tcb *t)
{
	switch (t->state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return TCB_KEEP_IDLE;
	case TCP_FIN_WAIT_1:
	case TCP_FIN_WAIT_2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return TCB_TRANSITORY;
	case TCP_TIME_WAIT:
		return TCB_TIME_WAIT;
	default:
		return 0;
	}
}

static void start(struct tcb *t, const struct tcb_conf *c, enum tcp_state s, uint64_t now)
{
	memset(t, 0, sizeof(*t));
	t->rtx_at = t->ack_at = t->life_at = TCB_NEVER;
	tcb_move(t, s);
	t->snd_una = t->snd_nxt = c->isn;
	t->conf_mss = (uint16_t)u32_max(MSS_MIN, u32_min(c->mss, MSS_MAX));
	t->segment_max = c->segment_max;
	t->rcv_mss = RCV_MSS_FIRST;
	t->room = t->room_max = c->window;
	t->ts_base = c->ts_base;
	t->n_quick = TCB_QUICK;
	t->rto = TCB_RTO_FIRST;
	t->last_rx = t->last_tx = t->stalled = now;
}

/* RFC 9293 MUST-14 to MUST-16, RFC 6691, RFC 7323 2.2 and 3.2, RFC 2018 section 2. */
void tcb_take_syn(struct tcb *t, const struct tcphdr_v *syn)
{
	uint32_t mss = syn->mss ? u32_max(syn->mss, MSS_MIN) : MSS_DEFAULT;

	mss = u32_min(mss, t->conf_mss);
	t->has_ts = syn->has_ts;
	t->has_sack = syn->has_sack_ok;
	t->snd_shift = syn->has_wscale ? syn->wscale : 0;
	t->rcv_shift = syn->has_wscale ? TCB_SHIFT : 0;
	t->mss = (uint16_t)(mss - (t->has_ts ? TCB_TS_LEN : 0));
	t->segment_max = u32_max(t->segment_max, t->mss);
	t->rcv_nxt = t->rcv_acked = t->rcv_adv = syn->seq + 1;
	t->ts_recent = syn->tsval;
	t->snd_wnd = t->snd_wnd_max = syn->wnd; /* never scaled: RFC 7323 2.2 */
	t->snd_wl1 = syn->seq;
	t->snd_wl2 = t->snd_una;
}

void tcb_open_passive(struct tcb *t, const struct tcb_conf *conf, const struct tcphdr_v *syn,
		      uint64_t now)
{
	start(t, conf, TCP_SYN_HELD, now);
	tcb_take_syn(t, syn);
	t->ts_recent_at = (uint32_t)now;
}

void tcb_accept(struct tcb *t, uint64_t now)
{
	if (t->state != TCP_SYN_HELD || t->is_rst_due)
		return;
	tcb_move(t, TCP_SYN_RCVD);
	t->is_syn_due = true;
	t->stalled = now;
}

void tcb_open_active(struct tcb *t, const struct tcb_conf *conf, uint64_t now)
{
	start(t, conf, TCP_SYN_SENT, now);
	t->is_active = t->is_syn_due = true;
	t->mss = (uint16_t)u32_min(MSS_DEFAULT, t->conf_mss);
}

/* Our SYN is acknowledged and the peer's is known. */
void tcb_connected(struct tcb *t, uint64_t now)
{
	tcb_move(t, TCP_ESTABLISHED);
	if (t->is_fin_due)
		tcb_move(t, TCP_FIN_WAIT_1);
	t->is_syn_due = false;
	t->backoff = 0;
	t->rtx_at = TCB_NEVER;
	if (t->is_syn_lost && !t->has_rtt)
		t->rto = TCB_RTO_SYN_LOST;
	t->life_at = now + tcb_bound(t);
	t->is_life_stale = false;
	tcb_cc_init(t);
}

void tcb_set_queued(struct tcb *t, uint32_t n)
{
	/* After the FIN nothing can follow. */
	if (!t->is_fin_sent)
		t->queued = n;
}

void tcb_set_room(struct tcb *t, uint32_t room)
{
	t->room = u32_min(room, (uint32_t)UINT16_MAX << t->rcv_shift);
	t->room_max = u32_max(t->room_max, t->room);
}

void tcb_ack_now(struct tcb *t)
{
	if (t->state >= TCP_SYN_RCVD)
		t->is_ack_due = true;
}

/* RFC 9293 3.10.4. In SYN-SENT and SYN-RECEIVED the FIN waits for the connection, since the host's
 * side may have said what it has to say before it was open. */
void tcb_shutdown(struct tcb *t)
{
	if (t->is_fin_due || t->is_rst_due || t->state == TCP_CLOSED)
		return;
	t->is_fin_due = true;
	if (t->state == TCP_ESTABLISHED)
		tcb_move(t, TCP_FIN_WAIT_1);
	else if (t->state == TCP_CLOSE_WAIT)
		tcb_move(t, TCP_LAST_ACK);
}

/* RFC 9293 3.10.5. */
void tcb_reset(struct tcb *t)
{
	switch (t->state) {
	case TCP_SYN_HELD:
	case TCP_SYN_RCVD:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT_1:
	case TCP_FIN_WAIT_2:
	case TCP_CLOSE_WAIT:
		t->is_rst_due = true;
		break;
	case TCP_CLOSED:
		break;
	default:
		tcb_move(t, TCP_CLOSED);
	}
}

uint64_t tcb_deadline(const struct tcb *t)
{
	uint64_t at = t->rtx_at < t->ack_at ? t->rtx_at : t->ack_at;

	return at < t->life_at ? at : t->life_at;
}

bool tcb_is_opening(const struct tcphdr_v *h)
{
	return (h->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

bool tcb_stray(const struct tcphdr_v *h, uint32_t len, struct tcphdr_v *ret)
{
	uint8_t f = h->flags;

	if (f & TCP_RST)
		return false;
	/* Flags that no TCP sends together: not worth an answer (RFC 9293 does not know them). */
	if (!(f & (TCP_SYN | TCP_ACK)) || (f & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN))
		return false;
	*ret = (struct tcphdr_v){.sport = h->dport, .dport = h->sport, .flags = TCP_RST};
	if (f & TCP_ACK) {
		ret->seq = h->ack;
	} else {
		ret->ack = h->seq + len + 1;
		ret->flags |= TCP_ACK;
	}
	return true;
}
