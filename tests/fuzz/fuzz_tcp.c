/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_tcp: the TCP machine as a program of events: segments whose numbers are symbols (what is
 * expected next, the edge of the window, what was sent last, beside any number), what the host
 * does, and time. So it gets past the handshake at once and into every corner. A model of what was
 * sent, taken and promised is kept beside it, and after each step the invariants are held against
 * it.
 */
#include <string.h>

#include "tcp/tcb.h"
#include "tcp/tcb_parts.h"

#include "fuzz.h"

#define RX (1u << 17) /* more than any window here */
#define ROOM_MAX 65536u
#define QUEUE_MAX 200000u

struct input {
	const uint8_t *p;
	size_t n;
};

struct model {
	struct tcb t;
	struct tcb_conf conf;
	uint64_t now;
	uint32_t room, queued;
	bool has[RX];
	uint32_t base; /* sequence number of the first byte that is not in order */
	bool has_base, has_eof, is_connected;
	uint32_t told, edge; /* right edge: that we promised, that the peer did */
	bool has_told, has_edge;
	uint16_t syn_wnd; /* promised before the peer's numbers were known */
	bool has_ts, is_reset;
};

static uint8_t u8(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

static uint32_t u32(struct input *in)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 8 | u8(in);
	return v;
}

static uint32_t small(struct input *in)
{
	static const uint32_t sizes[] = {0, 1, 10, 100, 536, 1448, 1460, 2896, 10000, 60000, 65535};
	uint8_t b = u8(in);

	return b < 128 ? sizes[b % 11] : (b & 127u) * 97u;
}

static uint32_t pick_seq(struct model *m, struct input *in)
{
	const struct tcb *t = &m->t;
	uint8_t b = u8(in);
	int8_t delta = (b & 0x80) ? (int8_t)u8(in) : 0;
	uint32_t at;

	switch (b & 7) {
	case 1:
		at = t->rcv_nxt - 1;
		break;
	case 2:
		at = t->rcv_adv;
		break;
	case 3:
		at = t->rcv_nxt + small(in);
		break;
	case 4:
		at = t->rcv_nxt - small(in);
		break;
	case 5:
		at = t->n_ooo ? t->ooo[0].left : t->rcv_nxt;
		break;
	case 6:
		at = t->n_ooo ? t->ooo[t->n_ooo - 1].right : t->rcv_nxt;
		break;
	case 7:
		at = u32(in);
		break;
	default:
		at = t->rcv_nxt;
	}
	return at + (uint32_t)(int32_t)delta;
}

static uint32_t pick_ack(struct model *m, struct input *in)
{
	const struct tcb *t = &m->t;
	uint8_t b = u8(in);
	int8_t delta = (b & 0x80) ? (int8_t)u8(in) : 0;
	uint32_t at;

	switch (b & 7) {
	case 1:
		at = t->snd_una;
		break;
	case 2:
		at = t->snd_una + t->mss;
		break;
	case 3:
		at = t->snd_una + small(in);
		break;
	case 4:
		at = t->snd_una - t->snd_wnd_max;
		break;
	case 5:
		at = t->snd_una + (t->snd_nxt - t->snd_una) / 2;
		break;
	case 7:
		at = u32(in);
		break;
	default:
		at = t->snd_nxt;
	}
	return at + (uint32_t)(int32_t)delta;
}

/* What the peer allows: any ACK that may be taken raises it. */
static void note_edge(struct model *m, const struct tcphdr_v *h, uint8_t shift)
{
	uint32_t edge;

	if (!(h->flags & TCP_ACK) && m->t.state != TCP_SYN_SENT)
		return;
	edge = ((h->flags & TCP_ACK) ? h->ack : m->t.snd_una) +
	       ((uint32_t)h->wnd << ((h->flags & TCP_SYN) ? 0 : shift));
	if ((h->flags & TCP_ACK) &&
	    (seq_lt(m->t.snd_nxt, h->ack) || seq_lt(h->ack, m->t.snd_una - m->t.snd_wnd_max)))
		return;
	if (!m->has_edge || seq_lt(m->edge, edge))
		m->edge = edge;
	m->has_edge = true;
}

static void apply(struct model *m, const struct tcphdr_v *h, uint32_t len,
		  const struct tcb_result *r)
{
	MUST(r->data_skip <= len && r->data_len <= len - r->data_skip);
	if (r->data_len + r->advance > 0) {
		MUST(m->has_base && !m->has_eof);
		MUST(r->data_at <= m->room && r->data_len <= m->room - r->data_at);
		/* It is the part of the segment that it says it is. */
		MUST(m->base + r->data_at ==
		     h->seq + ((h->flags & TCP_SYN) ? 1 : 0) + r->data_skip);
	}
	for (uint32_t i = 0; i < r->data_len; i++) {
		bool *p = &m->has[(m->base + r->data_at + i) % RX];

		MUST(!*p);
		*p = true;
	}
	for (uint32_t i = 0; i < r->advance; i++) {
		bool *p = &m->has[(m->base + i) % RX];

		MUST(*p);
		*p = false;
	}
	MUST(r->advance <= m->room);
	m->base += r->advance;
	m->room -= r->advance;
	if (r->is_eof) {
		MUST(!m->has_eof);
		m->has_eof = true;
	}
	MUST(r->acked <= m->queued);
	m->queued -= r->acked;
	if (r->is_connected) {
		MUST(!m->is_connected);
		m->is_connected = true;
	}
	MUST(!(r->is_reset && r->is_closed));
	if (r->is_reset || r->is_closed || r->is_reopen)
		MUST(m->t.state == TCP_CLOSED);
}

static void check_segment(struct model *m, const struct tcb_segment *g)
{
	const struct tcphdr_v *h = &g->h;
	uint32_t right = h->seq + g->data_len + ((h->flags & TCP_FIN) ? 1 : 0), edge;

	MUST(g->data_len == 0 ||
	     (g->data_at <= m->queued && g->data_len <= m->queued - g->data_at));
	MUST(g->data_len <= m->t.segment_max);
	MUST(g->data_len == 0 || (g->mss >= 40 && g->mss <= m->t.mss));
	MUST(h->wscale <= 14 && h->n_sack <= TCP_SACK_MAX - (h->has_ts ? 1 : 0));
	if (g->data_len > 0 || (h->flags & TCP_FIN))
		MUST(m->is_connected && m->has_edge && seq_le(right, m->edge));
	if (h->flags & TCP_RST) {
		MUST(g->data_len == 0);
		return;
	}
	if (!(h->flags & TCP_ACK)) {
		MUST(h->flags == TCP_SYN && h->wnd <= m->room);
		m->syn_wnd = h->wnd;
		return;
	}
	MUST(h->ack == m->base + (m->has_eof ? 1 : 0));
	edge = h->ack + ((uint32_t)h->wnd << ((h->flags & TCP_SYN) ? 0 : m->t.rcv_shift));
	MUST(seq_le(edge, h->ack + m->room) || (m->has_told && seq_le(edge, m->told)) ||
	     (m->has_eof && edge == h->ack));
	if (!m->has_told || seq_lt(m->told, edge))
		m->told = edge;
	m->has_told = true;
	for (unsigned i = 0; i < h->n_sack; i++) {
		MUST(seq_lt(h->ack, h->sack[i].left) && seq_lt(h->sack[i].left, h->sack[i].right));
		MUST(m->has[h->sack[i].left % RX] && m->has[(h->sack[i].right - 1) % RX]);
		MUST(!m->has[(h->sack[i].left - 1) % RX] && !m->has[h->sack[i].right % RX]);
	}
}

static void check_tcb(const struct model *m)
{
	const struct tcb *t = &m->t;

	MUST(t->state < N_TCP_STATES);
	MUST(t->n_ooo <= TCB_N_OOO && t->n_sacked <= TCB_N_SACKED);
	MUST(seq_le(t->snd_una, t->snd_nxt));
	MUST(t->state == TCP_CLOSED || t->state <= TCP_SYN_SENT || seq_le(t->rcv_nxt, t->rcv_adv));
	for (unsigned i = 0; i < t->n_sacked; i++) {
		MUST(seq_lt(i ? t->sacked[i - 1].right : t->snd_una, t->sacked[i].left));
		MUST(seq_lt(t->sacked[i].left, t->sacked[i].right));
		MUST(seq_le(t->sacked[i].right, t->snd_nxt));
	}
	for (unsigned i = 0; i < t->n_ooo; i++)
		MUST(seq_lt(t->rcv_nxt, t->ooo[i].left) && seq_lt(t->ooo[i].left, t->ooo[i].right));
	if (t->state >= TCP_ESTABLISHED) {
		MUST(t->cwnd >= t->mss && t->mss >= 40);
		MUST(t->rto >= TCB_RTO_MIN && t->rto <= TCB_RTO_MAX);
		MUST(m->is_connected);
	}
}

static void drain(struct model *m, unsigned max)
{
	struct tcb_segment g;
	unsigned n = 0;

	while (n < max && tcb_output(&m->t, m->now, &g)) {
		check_segment(m, &g);
		check_tcb(m);
		MUST(++n < 20000);
	}
	if (n == max)
		return;
	MUST(!tcb_output(&m->t, m->now, &g));
	/* Nothing waits without a clock that runs. */
	if (m->t.snd_una != m->t.snd_nxt && m->t.state >= TCP_SYN_SENT)
		MUST(m->t.rtx_at != TCB_NEVER);
	if (m->t.state >= TCP_ESTABLISHED)
		MUST(tcb_deadline(&m->t) != TCB_NEVER &&
		     tcb_deadline(&m->t) <= m->now + TCB_KEEP_IDLE);
	if (m->t.state == TCP_CLOSED)
		MUST(tcb_deadline(&m->t) == TCB_NEVER);
}

static void segment(struct model *m, struct input *in, uint8_t op)
{
	static const uint8_t usual[] = {TCP_ACK, TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN,
					TCP_SYN, TCP_SYN | TCP_ACK, TCP_RST};
	uint8_t kind = u8(in);
	struct tcphdr_v h = {.flags = kind < 192 ? usual[kind % 6] : u8(in)};
	struct tcb_result r;
	uint32_t len = 0;

	h.seq = pick_seq(m, in);
	h.ack = (h.flags & TCP_ACK) ? pick_ack(m, in) : 0;
	h.wnd = 0xffff;
	h.has_ts = m->has_ts;
	h.tsval = (uint32_t)m->now;
	h.tsecr = (uint32_t)m->now + m->conf.ts_base;
	if (op & 0x10)
		len = small(in);
	if (op & 0x20)
		h.wnd = (uint16_t)small(in);
	if (op & 0x40) {
		uint8_t b = u8(in);

		h.has_ts ^= (b & 1);
		h.tsval -= (b & 2) ? u8(in) : 0;
		h.tsecr -= (b & 4) ? small(in) : 0;
		h.n_sack = b >> 6;
		for (unsigned i = 0; i < h.n_sack; i++) {
			h.sack[i].left = pick_ack(m, in);
			h.sack[i].right = h.sack[i].left + small(in);
		}
		h.mss = (b & 8) ? (uint16_t)small(in) : 1460;
		h.has_wscale = b & 16;
		h.wscale = h.has_wscale ? u8(in) % 15 : 0;
		h.has_sack_ok = b & 32;
	}
	for (unsigned n = 0; n < 64; n++) {
		enum tcp_state was = m->t.state;

		/* The shift that counts is the one that this segment itself brings. */
		tcb_input(&m->t, &h, len, m->room, m->now, &r);
		note_edge(m, &h, m->t.snd_shift);
		if (!m->has_base || was == TCP_SYN_HELD || was == TCP_SYN_SENT) {
			m->base = m->t.rcv_nxt;
			m->told = m->base + m->syn_wnd;
			m->has_told = m->syn_wnd > 0;
			m->has_base = m->t.state != TCP_SYN_SENT;
		}
		apply(m, &h, len, &r);
		check_tcb(m);
		if (!r.is_more)
			return;
	}
	MUST(!"the pieces of one segment have no end");
}

static void open_machine(struct model *m, struct input *in)
{
	uint8_t b = u8(in);
	uint64_t now = m->now;

	memset(m, 0, sizeof(*m));
	m->now = now;
	m->has_ts = b & 1;
	m->room = (b & 2) ? ROOM_MAX : 1 + small(in) % ROOM_MAX;
	m->conf = (struct tcb_conf){.isn = (b & 4) ? u32(in) : 0xfffffff0,
				    .mss = (b & 8) ? (uint16_t)small(in) : 1460,
				    .segment_max = (b & 16) ? 64000 : 1460,
				    .window = m->room,
				    .ts_base = 99};
	if (b & 32) {
		tcb_open_active(&m->t, &m->conf, m->now);
	} else {
		struct tcphdr_v syn = {.seq = (b & 4) ? u32(in) : 0xffffff00,
				       .flags = TCP_SYN,
				       .wnd = 0xffff,
				       .mss = (b & 8) ? (uint16_t)small(in) : 1460,
				       .has_ts = b & 1,
				       .tsval = (uint32_t)m->now,
				       .has_sack_ok = b & 64,
				       .has_wscale = b & 128,
				       .wscale = b & 128 ? 7 : 0};

		tcb_open_passive(&m->t, &m->conf, &syn, m->now);
		m->base = m->t.rcv_nxt;
		m->has_base = true;
		m->edge = m->t.snd_una + 1 + syn.wnd;
		m->has_edge = true;
	}
}

static void clock_on(struct model *m, struct input *in, bool is_early)
{
	static const uint32_t steps[] = {1, 5, 40, 200, 1000, 10000, 100000, 7300000};
	uint64_t due = tcb_deadline(&m->t);
	uint8_t b = u8(in);

	if ((b & 8) && due != TCB_NEVER && due > m->now)
		m->now = due;
	else
		m->now += steps[b & 7];
	if (is_early || due <= m->now) {
		bool was_open = m->t.state != TCP_CLOSED;
		enum tcb_timeout_result r = tcb_timeout(&m->t, m->now);

		MUST(r == TCB_GO_ON || was_open);
		if (r == TCB_EXPIRED)
			MUST(m->t.state == TCP_CLOSED);
	}
}

static void step(struct model *m, struct input *in)
{
	uint8_t op = u8(in);

	switch (op & 15) {
	case 0:
		clock_on(m, in, op & 16);
		break;
	case 1:
		m->queued += small(in);
		if (m->queued > QUEUE_MAX)
			m->queued = QUEUE_MAX;
		/* The FIN ends the queue. */
		if (m->t.is_fin_due)
			m->queued = m->t.queued;
		tcb_set_queued(&m->t, m->queued);
		break;
	case 2:
		m->room = small(in) % ROOM_MAX;
		if (m->has_told && m->t.rcv_adv - m->t.rcv_nxt > m->room)
			m->room = m->t.rcv_adv - m->t.rcv_nxt; /* a promise is kept */
		if (m->room < m->syn_wnd && !m->has_told)
			m->room = m->syn_wnd;
		tcb_set_room(&m->t, m->room);
		break;
	case 3:
		drain(m, 1 + u8(in) % 4);
		break;
	case 4:
		tcb_accept(&m->t, m->now);
		break;
	case 5:
	case 6:
		tcb_ack_now(&m->t);
		break;
	case 7:
		if (op & 16)
			tcb_shutdown(&m->t);
		else if (op & 32)
			tcb_reset(&m->t);
		else if (op & 64)
			open_machine(m, in);
		break;
	default:
		segment(m, in, op);
	}
	check_tcb(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	static struct model m;

	m.now = 1000000;
	open_machine(&m, &in);
	for (unsigned n = 0; in.n > 0 && n < 1000; n++) {
		step(&m, &in);
		if (n % 3 != 2 || in.n == 0)
			drain(&m, UINT32_MAX);
	}
	return 0;
}
