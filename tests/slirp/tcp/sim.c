/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim: see sim.h. */
#include "sim.h"

#include <string.h>

#include "tcp/tcb.h"
#include "tcp/tcb_parts.h"

#define PATTERN (1u << 20)
#define BUF_MAX (1u << 18)
#define N_PACKETS 4096

struct packet {
	uint64_t at, order;
	struct tcphdr_v h;
	uint32_t len;
	uint64_t off; /* of the payload in its stream */
};

struct end {
	struct tcb t;
	bool is_open, is_connected, is_gone, has_eof, has_shut, is_active;
	/* as a writer */
	uint64_t written, acked; /* bytes of the stream */
	uint32_t queued;
	uint32_t edge; /* the largest that the peer allowed, sequence number */
	bool has_edge;
	/* as a reader */
	uint8_t rx[BUF_MAX];
	bool have[BUF_MAX];
	uint64_t base; /* stream offset of the oldest byte held */
	uint32_t held; /* in order */
	uint64_t read_at;
	uint32_t told; /* the right edge told last */
	bool has_told;
	struct packet q[N_PACKETS]; /* to this end */
	unsigned n;
};

struct sim {
	const struct sim_conf *c;
	struct sim_result r;
	uint64_t rng, now, order;
	struct end e[2];
};

static uint8_t pattern[PATTERN + BUF_MAX];

static uint32_t rnd(struct sim *s, uint32_t n)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return n ? (uint32_t)((s->rng * 0x9E3779B97F4A7C15u >> 33) % n) : 0;
}

static const uint8_t *stream(uint64_t off)
{
	return &pattern[off % PATTERN];
}

static void wrong(struct sim *s, const char *what)
{
	if (!s->r.wrong)
		s->r.wrong = what;
}

/* One wire segment into the link to end i. */
static void put_packet(struct sim *s, unsigned i, const struct packet *p)
{
	const struct sim_conf *c = s->c;
	unsigned copies = rnd(s, 1000) < c->dup ? 2 : 1;

	s->r.n_segments++;
	if (rnd(s, 1000) < c->loss) {
		s->r.n_lost++;
		return;
	}
	while (copies-- > 0) {
		struct end *e = &s->e[i];
		struct packet *q;

		if (e->n == N_PACKETS)
			return; /* the link is full */
		q = &e->q[e->n++];
		*q = *p;
		q->at = s->now + c->delay;
		if (rnd(s, 1000) < c->reorder)
			q->at += rnd(s, c->jitter + 1);
		q->order = s->order++;
	}
}

static void check_data(struct sim *s, const struct end *e, const struct tcb_segment *g,
		       uint32_t wire)
{
	uint32_t right = g->h.seq + g->data_len + ((g->h.flags & TCP_FIN) ? 1 : 0);

	if (g->data_at + g->data_len > e->queued)
		wrong(s, "sent beyond the queue");
	if (g->data_len > e->t.segment_max)
		wrong(s, "sent more than segment_max");
	if (wire == 0 || wire > e->t.mss)
		wrong(s, "segment larger than the peer's MSS");
	if (!(g->h.flags & TCP_SYN) && e->has_edge && seq_lt(e->edge, right))
		wrong(s, "sent beyond the window");
}

static void check_ack(struct sim *s, struct end *e, const struct tcb_segment *g)
{
	/* base + held bytes are here; the SYN counts, and the FIN once. */
	uint64_t got = e->base + e->held + 1 + (e->has_eof ? 1 : 0);
	uint32_t start = s->c->isn[e == &s->e[0] ? 1 : 0], edge;

	if (g->h.ack - start != (uint32_t)got)
		wrong(s, "acknowledged something else than it has");
	edge = g->h.ack + ((uint32_t)g->h.wnd << ((g->h.flags & TCP_SYN) ? 0 : e->t.rcv_shift));
	if (e->has_told && seq_lt(edge + (1u << e->t.rcv_shift) - 1, e->told))
		wrong(s, "took a promised window back");
	if (!e->has_told || seq_lt(e->told, edge)) {
		if (!(e->has_eof) && edge - g->h.ack > s->c->buffer[e == &s->e[1]] - e->held)
			wrong(s, "promised more than there is room");
		e->told = edge;
		e->has_told = true;
	}
	for (unsigned i = 0; i < g->h.n_sack; i++) {
		uint32_t l = g->h.sack[i].left - g->h.ack, r = g->h.sack[i].right - g->h.ack;

		if (!l || l >= r || r > BUF_MAX) {
			wrong(s, "a SACK block that makes no sense");
			return;
		}
		for (uint64_t k = e->base + e->held + l; k < e->base + e->held + r; k++)
			if (!e->have[k % BUF_MAX]) {
				wrong(s, "SACKed what it does not have");
				return;
			}
	}
}

static void flush(struct sim *s, unsigned i)
{
	struct end *e = &s->e[i];
	struct tcb_segment g;

	for (unsigned n = 0; e->is_open && tcb_output(&e->t, s->now, &g); n++) {
		struct packet p = {.h = g.h};

		if (n > 3000) {
			wrong(s, "output without end");
			return;
		}
		s->r.n_retransmit += g.is_retransmit;
		if (g.data_len > 0 || (g.h.flags & TCP_FIN))
			check_data(s, e, &g, g.mss);
		if ((g.h.flags & TCP_ACK) && !(g.h.flags & TCP_RST))
			check_ack(s, e, &g);
		if (g.h.flags & TCP_RST)
			wrong(s, "a RST");
		for (uint32_t at = 0, n_left = g.data_len;;) {
			uint32_t part = n_left;

			if (s->c->is_split && part > g.mss)
				part = g.mss;
			p.h.seq = g.h.seq + at;
			p.len = part;
			p.off = e->acked + g.data_at + at;
			if (part < n_left)
				p.h.flags = g.h.flags & ~(TCP_FIN | TCP_PSH);
			else
				p.h.flags = g.h.flags;
			put_packet(s, !i, &p);
			at += part;
			n_left -= part;
			if (n_left == 0)
				break;
		}
	}
	if (e->is_open && e->t.state >= TCP_SYN_SENT && e->t.state != TCP_TIME_WAIT &&
	    tcb_deadline(&e->t) == TCB_NEVER)
		wrong(s, "no timer runs");
	if (e->is_open && e->t.snd_una != e->t.snd_nxt && e->t.rtx_at == TCB_NEVER)
		wrong(s, "something is under way and no timer");
}

static uint32_t room_of(const struct sim *s, unsigned i)
{
	return s->c->buffer[i] - s->e[i].held;
}

static void apply(struct sim *s, unsigned i, const struct packet *p, const struct tcb_result *r)
{
	struct end *e = &s->e[i];

	if (r->data_len > 0) {
		uint64_t at = e->base + e->held + r->data_at;

		if (r->data_skip + r->data_len > p->len)
			wrong(s, "took more than came");
		if (r->data_at + r->data_len > room_of(s, i))
			wrong(s, "took more than there is room");
		for (uint32_t k = 0; k < r->data_len && !s->r.wrong; k++) {
			if (e->have[(at + k) % BUF_MAX])
				wrong(s, "took a byte twice");
			e->have[(at + k) % BUF_MAX] = true;
			e->rx[(at + k) % BUF_MAX] = stream(p->off)[r->data_skip + k];
		}
	}
	for (uint32_t k = 0; k < r->advance && !s->r.wrong; k++) {
		uint64_t at = e->base + e->held + k;

		if (!e->have[at % BUF_MAX] || e->rx[at % BUF_MAX] != *stream(at))
			wrong(s, "not the byte that was sent");
	}
	e->held += r->advance;
	if (r->acked > e->queued)
		wrong(s, "more acknowledged than queued");
	e->queued -= r->acked;
	e->acked += r->acked;
	e->is_connected |= r->is_connected;
	if (r->is_eof) {
		if (e->has_eof || e->base + e->held != s->c->bytes[!i])
			wrong(s, "end of file in the wrong place");
		e->has_eof = true;
	}
	if (r->is_reset)
		wrong(s, "reset");
	if (r->is_challenge)
		tcb_ack_now(&e->t);
	if (r->is_closed)
		e->is_open = false, e->is_gone = true;
}

static struct tcphdr_v offered(const struct sim_conf *c, struct tcphdr_v h)
{
	if (c->no_ts && (h.flags & TCP_SYN))
		h.has_ts = false;
	if (c->no_sack)
		h.has_sack_ok = false;
	if (c->no_wscale)
		h.has_wscale = false;
	return h;
}

static struct tcb_conf conf_of(const struct sim_conf *c, unsigned i)
{
	return (struct tcb_conf){.isn = c->isn[i],
				 .mss = (uint16_t)c->mss[i],
				 .segment_max = c->segment_max[i],
				 .window = c->buffer[i],
				 .ts_base = c->isn[i] * 7};
}

static void deliver(struct sim *s, unsigned i, struct packet p)
{
	struct end *e = &s->e[i];
	struct tcb_result r;
	uint32_t edge;

	p.h = offered(s->c, p.h);
	if (!e->is_open) {
		if (e->is_gone || !tcb_is_opening(&p.h))
			return;
		struct tcb_conf conf = conf_of(s->c, i);

		tcb_open_passive(&e->t, &conf, &p.h, s->now);
		tcb_accept(&e->t, s->now);
		e->is_open = true;
		return;
	}
	edge = p.h.ack + ((uint32_t)p.h.wnd << ((p.h.flags & TCP_SYN) ? 0 : e->t.snd_shift));
	if ((p.h.flags & TCP_ACK) && (!e->has_edge || seq_lt(e->edge, edge))) {
		e->edge = edge;
		e->has_edge = true;
	}
	for (unsigned n = 0; n < 100; n++) {
		tcb_input(&e->t, &p.h, p.len, room_of(s, i), s->now, &r);
		apply(s, i, &p, &r);
		if (!r.is_more)
			break;
	}
	if (e->is_open)
		tcb_set_room(&e->t, room_of(s, i));
}

static void app(struct sim *s, unsigned i)
{
	struct end *e = &s->e[i];
	uint32_t n;

	if (!e->is_open)
		return;
	n = s->c->buffer[i] - e->queued;
	if (n > s->c->bytes[i] - e->written)
		n = s->c->bytes[i] - (uint32_t)e->written;
	if (n > 0 && !e->has_shut) {
		n = rnd(s, 4) ? n : 1 + rnd(s, n);
		e->written += n;
		e->queued += n;
		tcb_set_queued(&e->t, e->queued);
	}
	if (e->written == s->c->bytes[i] && !e->has_shut) {
		tcb_shutdown(&e->t);
		e->has_shut = true;
	}
	if (e->held > 0 && s->now >= e->read_at) {
		n = rnd(s, 3) ? e->held : 1 + rnd(s, e->held);
		for (uint32_t k = 0; k < n; k++)
			e->have[(e->base + k) % BUF_MAX] = false;
		e->base += n;
		e->held -= n;
		e->read_at = s->now + rnd(s, s->c->read_stall + 1);
		tcb_set_room(&e->t, room_of(s, i));
	}
}

static bool is_over(const struct sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct end *e = &s->e[i];

		if (!e->is_gone || e->base + e->held != s->c->bytes[!i] || !e->has_eof ||
		    e->acked != s->c->bytes[i])
			return false;
	}
	return true;
}

/* The packet to end i that is due first. */
static struct packet *first(struct end *e)
{
	struct packet *best = NULL;

	for (unsigned k = 0; k < e->n; k++)
		if (!best || e->q[k].at < best->at ||
		    (e->q[k].at == best->at && e->q[k].order < best->order))
			best = &e->q[k];
	return best;
}

static void run_end(struct sim *s, unsigned i)
{
	struct end *e = &s->e[i];
	struct packet *p;

	while ((p = first(e)) && p->at <= s->now && !s->r.wrong) {
		struct packet kept = *p;

		*p = e->q[--e->n];
		deliver(s, i, kept);
		if (rnd(s, 4) == 0) /* else several are answered together */
			flush(s, i);
	}
	if (e->is_open && tcb_deadline(&e->t) <= s->now) {
		enum tcp_state was = e->t.state;
		uint8_t backoff = e->t.backoff;

		switch (tcb_timeout(&e->t, s->now)) {
		case TCB_GO_ON:
			s->r.n_timeouts += e->t.backoff > backoff;
			break;
		case TCB_GIVE_UP:
			/* The last ACK may be lost, and then nobody is left who would repeat it. */
			if (was != TCP_LAST_ACK && was != TCP_CLOSING)
				wrong(s, "gave up");
			e->is_open = false;
			e->is_gone = true;
			e->acked = s->c->bytes[i];
			break;
		case TCB_EXPIRED:
			e->is_open = false;
			e->is_gone = true;
		}
	}
	app(s, i);
	flush(s, i);
}

static uint64_t next_time(const struct sim *s)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < 2; i++) {
		struct packet *p = first((struct end *)&s->e[i]);

		if (p && p->at < at)
			at = p->at;
		if (s->e[i].is_open && tcb_deadline(&s->e[i].t) < at)
			at = tcb_deadline(&s->e[i].t);
		if (s->e[i].is_open && s->e[i].held > 0 && s->e[i].read_at < at)
			at = s->e[i].read_at;
	}
	return at;
}

struct sim_result sim_run(const struct sim_conf *c)
{
	static struct sim s;
	struct sim_result out;

	if (pattern[0] == 0) {
		uint32_t x = 12345;

		for (size_t k = 0; k < PATTERN; k++)
			pattern[k] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24) | (k == 0);
		memcpy(&pattern[PATTERN], pattern, BUF_MAX);
	}
	memset(&s, 0, sizeof(s));
	s.c = c;
	s.rng = c->seed * 2654435761u + 88172645463325252u;
	s.now = 1000;
	for (unsigned i = 0; i < (c->is_simultaneous ? 2 : 1); i++) {
		struct tcb_conf conf = conf_of(c, i);

		tcb_open_active(&s.e[i].t, &conf, s.now);
		s.e[i].is_open = s.e[i].is_active = true;
	}
	while (!s.r.wrong && !is_over(&s)) {
		uint64_t at;

		run_end(&s, 0);
		run_end(&s, 1);
		at = next_time(&s);
		if (at == UINT64_MAX) {
			if (!is_over(&s))
				wrong(&s, "nothing more will happen");
			break;
		}
		s.now = at > s.now ? at : s.now + 1;
		if (s.now > c->limit)
			wrong(&s, "not done in time");
	}
	out = s.r;
	out.end = s.now;
	return out;
}

/* Liveness: so many round trips and pauses of the reader, TIME_WAIT, and the time-outs that losses
 * may cost. */
static uint64_t time_allowed(const struct sim_conf *c)
{
	uint64_t rounds = (c->bytes[0] + c->bytes[1]) / 1000 + 20;
	uint64_t ms = 20000 + rounds * (2 * c->delay + c->jitter + c->read_stall);

	return ms * (c->loss <= 10 ? 3 : c->loss <= 50 ? 10 : 100);
}

struct sim_conf sim_random(uint64_t seed)
{
	static const uint32_t mss[] = {88, 536, 1220, 1460, 1460, 1460, 8960, 65480};
	static const uint32_t loss[] = {0, 0, 1, 10, 50, 100, 150};
	struct sim s = {.rng = seed * 0x9E3779B97F4A7C15u + 1};
	struct sim_conf c = {.seed = seed};

	for (unsigned i = 0; i < 20; i++)
		rnd(&s, 2);
	for (unsigned i = 0; i < 2; i++) {
		c.mss[i] = mss[rnd(&s, 8)];
		c.segment_max[i] = rnd(&s, 2) ? 65000 : c.mss[i];
		c.buffer[i] = 2000u << rnd(&s, 7);
		c.bytes[i] = rnd(&s, 3) ? rnd(&s, rnd(&s, 4) ? 60000 : 400000) : rnd(&s, 5);
		c.isn[i] = rnd(&s, 3) ? 0u - rnd(&s, 60000) : rnd(&s, INT32_MAX);
	}
	c.loss = loss[rnd(&s, 7)];
	c.dup = rnd(&s, 3) ? 0 : rnd(&s, 100);
	c.reorder = rnd(&s, 2) ? 0 : rnd(&s, 500);
	c.delay = rnd(&s, 3) ? rnd(&s, 3) : rnd(&s, 150);
	c.jitter = rnd(&s, 50);
	c.read_stall = rnd(&s, 3) ? 0 : rnd(&s, 500);
	c.is_split = rnd(&s, 2);
	c.is_simultaneous = rnd(&s, 8) == 0;
	c.no_ts = rnd(&s, 3) == 0;
	c.no_sack = rnd(&s, 3) == 0;
	c.no_wscale = rnd(&s, 4) == 0;
	c.limit = time_allowed(&c);
	return c;
}
