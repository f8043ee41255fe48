/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows: the table of connections, their timers, the list of those with something to do, and their
 * end. Connections in TIME_WAIT hold nothing but their slot, and the oldest make way when the table
 * is full.
 */
#include "tcp/flows.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>

#include "tcp/flow.h"
#include "tcp/left.h"

#define WAITING_MAX 1024u /* a slot each: 1 MiB */
#define RECLAIM_MS 1000
#define FEED_CHUNKS 8u
#define OVER_MS 240000           /* for the host to take some of what the container left */
#define CHALLENGES_A_SECOND 100u /* RFC 5961 7 */
/* New connections: a few times what a processor can open and end in a second, and a table full at
 * once. A flood from ever new ports must not take the time of the connections there are. */
#define OPENS_PER_MS 10u
#define OPENS_BURST 1000u

static struct flow_links *links_of(struct tcp_flow *f, enum flow_links_kind kind)
{
	return kind < N_LINKS ? &f->links[kind] : &f->gate_links[kind - N_LINKS];
}

void flow_list_add(struct flow_list *l, struct tcp_flow *f, enum flow_links_kind kind)
{
	*links_of(f, kind) = (struct flow_links){.prev = l->last};
	if (l->last)
		links_of(l->last, kind)->next = f;
	else
		l->first = f;
	l->last = f;
}

void flow_list_remove(struct flow_list *l, struct tcp_flow *f, enum flow_links_kind kind)
{
	struct flow_links at = *links_of(f, kind);

	if (at.prev)
		links_of(at.prev, kind)->next = at.next;
	else
		l->first = at.next;
	if (at.next)
		links_of(at.next, kind)->prev = at.prev;
	else
		l->last = at.prev;
}

void flow_mark(struct tcp_flow *f)
{
	if (f->is_dirty)
		return;
	f->is_dirty = true;
	flow_list_add(&f->owner->dirty, f, LINKS_DIRTY);
}

static void unmark(struct tcp_flow *f)
{
	if (!f->is_dirty)
		return;
	f->is_dirty = false;
	flow_list_remove(&f->owner->dirty, f, LINKS_DIRTY);
}

static void set_waiting(struct tcp_flow *f, bool is_waiting)
{
	struct tcp *t = f->owner;

	if (f->is_waiting == is_waiting)
		return;
	f->is_waiting = is_waiting;
	if (is_waiting) {
		flow_list_add(&t->waiting, f, LINKS_OTHER);
		t->n_waiting++;
	} else {
		flow_list_remove(&t->waiting, f, LINKS_OTHER);
		t->n_waiting--;
	}
}

static void set_promised(struct tcp_flow *f, bool is_promised, uint64_t now)
{
	struct tcp *t = f->owner;

	if (f->is_promised == is_promised)
		return;
	f->is_promised = is_promised;
	if (is_promised) {
		flow_list_add(&t->promised, f, LINKS_OTHER);
		if (!timer_is_set(&t->reclaim))
			timer_set(t->env.wheel, &t->reclaim, now + RECLAIM_MS);
	} else {
		flow_list_remove(&t->promised, f, LINKS_OTHER);
	}
}

void flow_promise(struct tcp_flow *f, unsigned n_chunks)
{
	if (f->is_waiting || f->is_others || !ring_reserve(&f->rx, f->owner->env.pool, n_chunks))
		return;
	set_promised(f, n_chunks > 0, loop_now(f->owner->env.loop));
}

/* Who has been quiet for a while gives its reservation back. What was promised stays promised: a
 * quiet host's socket is empty and takes it, and the reservation returns with the traffic. */
static void on_reclaim(struct timer *timer, uint64_t now)
{
	struct tcp *t = (struct tcp *)((char *)timer - offsetof(struct tcp, reclaim));
	struct tcp_flow *next;

	for (struct tcp_flow *f = t->promised.first; f; f = next) {
		next = f->links[LINKS_OTHER].next;
		if (f->rx.end == 0 && !f->is_blocked && now - f->tcb.last_rx >= RECLAIM_MS)
			flow_promise(f, 0);
		share_charge(f);
	}
	if (t->promised.first)
		timer_set(t->env.wheel, &t->reclaim, now + RECLAIM_MS);
}

void flow_set_others(struct tcp_flow *f, bool is_others)
{
	if (f->is_others == is_others)
		return;
	f->is_others = is_others;
	if (is_others) {
		f->owner->n_others++;
		flow_list_add(&f->owner->others, f, LINKS_OTHER);
	} else {
		f->owner->n_others--;
		flow_list_remove(&f->owner->others, f, LINKS_OTHER);
	}
}

void flow_guard_host(const struct tcp *t, int fd)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	t->env.host->setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

void flow_close_host(struct tcp_flow *f, bool is_abort)
{
	static const struct linger in_peace;
	const struct tcp_env *env = &f->owner->env;
	int fd = f->src.fd;

	if (fd < 0)
		return;
	loop_forget(env->loop, &f->src);
	if (!is_abort)
		env->host->setsockopt(fd, SOL_SOCKET, SO_LINGER, &in_peace, sizeof(in_peace));
	env->host->close(fd);
	f->is_readable = false;
}

void flow_end(struct tcp_flow *f, bool is_abort)
{
	struct tcp *t = f->owner;

	if (t->gather.f == f)
		rx_settle(t);
	if (f->is_others) {
		flow_set_others(f, false);
		t->env.others_gone(t->env.arg, &f->node.key);
	}
	if (f->is_near)
		emit_near_release(t->env.emit, &f->node.key.peer);
	flow_close_host(f, is_abort);
	timer_clear(t->env.wheel, &f->timer);
	ring_reset(&f->rx, t->env.pool);
	ring_reset(&f->tx, t->env.pool);
	share_charge(f);
	share_opened(f);
	gate_forget(f);
	unmark(f);
	set_waiting(f, false);
	set_promised(f, false, 0);
	table_remove(t->table, f);
}

/* The container's side is done. What the host has not taken yet, it gets. */
static void close_flow(struct tcp_flow *f, uint64_t now)
{
	if (f->owner->gather.f == f)
		rx_settle(f->owner);
	if (f->rx.len == 0 || f->src.fd < 0) {
		flow_end(f, false);
		return;
	}
	f->is_over = true;
	timer_set(f->owner->env.wheel, &f->timer, now + OVER_MS);
}

static void on_timer(struct timer *timer, uint64_t now)
{
	struct tcp_flow *f = (struct tcp_flow *)((char *)timer - offsetof(struct tcp_flow, timer));

	if (f->is_over) {
		flow_end(f, true);
		return;
	}
	if (tcb_deadline(&f->tcb) <= now) {
		switch (tcb_timeout(&f->tcb, now)) {
		case TCB_GO_ON:
			break;
		case TCB_GIVE_UP:
			tx_output(f, now);
			flow_end(f, true);
			return;
		case TCB_EXPIRED:
			close_flow(f, now);
			return;
		}
	}
	flow_mark(f);
}

struct tcp_flow *flow_new(struct tcp *t, const struct flow_key *k)
{
	struct tcp_flow *f;

	if (t->waiting.first &&
	    (t->n_waiting >= WAITING_MAX || table_count(t->table) >= table_max(t->table)))
		flow_end(t->waiting.first, false);
	/* Of those that the host has not answered yet the oldest: sources can be invented. */
	if (t->others.first && table_count(t->table) >= table_max(t->table)) {
		t->env.stats->n[STAT_THROUGH_LOST]++;
		flow_end(t->others.first, true);
	}
	f = table_add(t->table, k);
	if (!f)
		return NULL;
	f->owner = t;
	f->src.fd = -1;
	f->timer.fn = on_timer;
	ring_init(&f->rx);
	ring_init(&f->tx);
	share_begin(f);
	return f;
}

void flow_emit(struct tcp *t, const struct flow_key *k, struct tcphdr_v *h,
	       const struct iovec *data, int n, uint16_t gso_size)
{
	const struct emit_ip ip = {.src = k->peer,
				   .dst = k->guest,
				   .proto = IPPROTO_TCP,
				   .is_df = true,
				   .csum_offset = 16,
				   .gso_size = gso_size};
	uint8_t l4[TCP_HDR_MAX];
	size_t len;

	h->sport = k->peer_port;
	h->dport = k->guest_port;
	len = tcphdr_build(l4, h);
	emit_packet(t->env.emit, &ip, l4, len, data,
		    n); /* a loss is counted there and mended here */
}

void flow_stray(struct tcp *t, const struct flow_key *k, const struct tcphdr_v *h, uint32_t len)
{
	struct tcphdr_v rst;

	if (tcb_stray(h, len, &rst))
		flow_emit(t, k, &rst, NULL, 0, 0);
}

static bool may_challenge(struct tcp *t, uint64_t now)
{
	if (t->challenge_at != now / 1000) {
		t->challenge_at = now / 1000;
		t->n_challenges = 0;
	}
	return t->n_challenges++ < CHALLENGES_A_SECOND;
}

/* The host's side has failed: the container gets what came before, then RST. */
static void fail(struct tcp_flow *f, uint64_t now)
{
	f->is_ungated = true;
	while (tx_pump(f, now))
		;
	tx_output(f, now);
	tcb_reset(&f->tcb);
	tx_output(f, now);
	flow_end(f, false);
}

static void set_timer(struct tcp_flow *f)
{
	struct wheel *w = f->owner->env.wheel;
	uint64_t due = tcb_deadline(&f->tcb);

	if (due == UINT64_MAX)
		timer_clear(w, &f->timer);
	else if (!timer_is_set(&f->timer) || f->timer.due > due)
		timer_set(w, &f->timer, due);
	/* One that comes too early looks again: cheaper than moving it with every segment. */
}

/* True: there is more to do at once. */
static bool flush_one(struct tcp_flow *f, uint64_t now)
{
	bool is_more;

	if (f->is_over) {
		if (!rx_drain(f) || f->rx.len == 0) {
			flow_end(f, false);
			return false;
		}
		share_charge(f);
		timer_set(f->owner->env.wheel, &f->timer, now + OVER_MS);
		return false;
	}
	if (!f->is_connecting && !rx_drain(f)) {
		fail(f, now);
		return false;
	}
	is_more = tx_pump(f, now);
	if (f->is_failed) {
		fail(f, now);
		return false;
	}
	tx_output(f, now);
	if (f->tcb.state == TCP_CLOSED) {
		close_flow(f, now);
		return false;
	}
	if (f->tcb.state == TCP_TIME_WAIT && f->rx.len == 0) {
		flow_close_host(f, false);
		ring_reset(&f->rx, f->owner->env.pool);
		set_promised(f, false, now);
		set_waiting(f, true);
	}
	share_charge(f);
	set_timer(f);
	gate_end_turn(f);
	return is_more;
}

/* Memory has come back for those that found none: a rare day, so they are looked for. */
static void feed(struct tcp *t)
{
	if (!t->is_starved || pool_n_free(t->env.pool) < FEED_CHUNKS)
		return;
	t->is_starved = false;
	for (struct tcp_flow *f = table_next(t->table, NULL); f; f = table_next(t->table, f)) {
		if (!f->is_starved || share_is_full(f))
			continue;
		f->is_starved = false;
		flow_mark(f);
	}
}

bool tcp_has_work(const struct tcp *t)
{
	return t->gather.f || t->dirty.first;
}

bool tcp_flush(struct tcp *t, uint64_t now)
{
	struct tcp_flow *last, *f;

	rx_settle(t);
	last = t->dirty.last;

	/* Those that become dirty meanwhile come next time. */
	while ((f = t->dirty.first)) {
		bool is_last = f == last;

		unmark(f);
		if (flush_one(f, now))
			flow_mark(f);
		if (is_last)
			break;
	}
	feed(t);
	return t->dirty.first;
}

static void segment(struct tcp_flow *f, const struct tcphdr_v *h, const uint8_t *payload,
		    uint32_t len, bool may_hold, uint64_t now)
{
	struct tcp *t = f->owner;
	struct tcb_result r = {0};

	tcb_input(&f->tcb, h, len, rx_accept(f), now, &r);
	if (r.is_connected && f->tcb.is_active)
		t->env.stats->n[STAT_TCP_OPENED]++;
	if (r.is_drop)
		t->env.stats->n[STAT_DROP_TCP]++;
	if (r.is_reset) {
		flow_end(f, true);
		return;
	}
	if (r.is_challenge && may_challenge(t, now)) {
		t->env.stats->n[STAT_TCP_CHALLENGE]++;
		tcb_ack_now(&f->tcb);
	}
	if (r.acked > 0)
		ring_consume(&f->tx, t->env.pool, r.acked < f->tx.len ? r.acked : f->tx.len);
	if ((r.data_len > 0 || r.advance > 0 || r.is_eof) && !rx_take(f, &r, payload, may_hold)) {
		fail(f, now);
		return;
	}
	if (r.is_closed) {
		close_flow(f, now);
		return;
	}
	flow_mark(f);
	/* What filled several gaps is fed until it brings nothing new: each time one less. */
	if (r.is_more)
		segment(f, h, payload, len, may_hold, now);
}

/* What belongs to no connection. MUST-57: no address that is nobody's, or everybody's, answers;
 * that of a client on the link is one that the container may not open to, and answers all the same.
 */
static void unknown(struct tcp *t, const struct flow_key *k, const struct tcphdr_v *h, uint32_t len)
{
	struct ip to;

	if (policy_check(t->env.policy, IPPROTO_TCP, &k->peer, k->peer_port, &to) ==
		    POLICY_REFUSE &&
	    !emit_is_near(t->env.emit, &k->peer))
		t->env.stats->n[STAT_DROP_POLICY]++;
	else
		flow_stray(t, k, h, len);
}

static void input(struct tcp *t, const struct ip_packet *k, bool may_hold, uint64_t now)
{
	struct flow_key key = {.guest = k->src, .peer = k->dst};
	struct tcp_flow *f;
	struct tcphdr_v h;
	size_t head;
	uint32_t len;

	if (tcphdr_parse(k->payload, k->len, &h, &head) < 0 || h.sport == 0 || h.dport == 0) {
		t->env.stats->n[STAT_DROP_TCP]++;
		return;
	}
	len = (uint32_t)(k->len - head);
	key.guest_port = h.sport;
	key.peer_port = h.dport;
	f = table_find(t->table, &key);
	if (f && f->tcb.state == TCP_TIME_WAIT && (h.flags & TCP_SYN)) {
		struct tcb_result r = {0};

		tcb_input(&f->tcb, &h, len, 0, now, &r);
		if (!r.is_reopen) {
			flow_mark(f);
			return;
		}
		flow_end(f, false);
		f = NULL;
	}
	if (f && f->is_over) {
		t->env.stats->n[STAT_DROP_TCP]++;
		return;
	}
	if (f)
		segment(f, &h, k->payload + head, len, may_hold, now);
	else if (tcb_is_opening(&h) &&
		 !(t->env.others_again && t->env.others_again(t->env.arg, &key, now)))
		open_passive(t, &key, &h, k, now);
	else if (tcb_is_opening(&h))
		return;
	else
		unknown(t, &key, &h, len);
}

bool tcp_input(struct tcp *t, const struct ip_packet *k, bool may_hold, uint64_t now)
{
	const uint8_t *last;

	input(t, k, may_hold, now);
	if (!t->gather.f)
		return false;
	last = t->gather.iov[t->gather.n - 1].iov_base;
	return last >= k->payload && last < k->payload + k->len;
}

bool tcp_is_kept(const struct tcp *t)
{
	return t->is_kept;
}

uint32_t tcp_count(const struct tcp *t)
{
	return table_count(t->table);
}

/* Largest payload of one segment, options not counted. */
static uint16_t mss_of(uint32_t mtu, size_t ip_len)
{
	size_t mss = mtu - ip_len - 20;

	return (uint16_t)(mss > 65495 ? 65495 : mss);
}

static int make_table(struct tcp *t, struct err *e)
{
	const size_t size = sizeof(struct tcp_flow);
	int r;

	if (t->env.kept_fd <= 0)
		return table_new(t->env.max, size, &t->table, e);
	t->left = left_new(&t->env);
	r = table_new_kept(t->env.max, size, t->env.kept_fd, LEFT_BYTES, left_note, t->left,
			   &t->table, NULL);
	/* There may be no such file (RLIMIT_FSIZE): then the next one is told of nothing. */
	t->is_kept = r == 0;
	if (r < 0)
		r = table_new(t->env.max, size, &t->table, e);
	if (r == 0)
		left_begin(t->left, t, loop_now(t->env.loop));
	return r;
}

int tcp_new(const struct tcp_env *env, struct tcp **ret, struct err *e)
{
	struct tcp *t = calloc(1, sizeof(*t));
	const uint32_t mtu = env->policy->plan.mtu;
	int r;

	if (!t)
		return err_set(e, ERR_INTERNAL, ENOMEM, "TCP");
	t->env = *env;
	t->mss[FAM4] = mss_of(mtu, IP4_HDR_LEN);
	t->mss[FAM6] = mss_of(mtu, IP6_HDR_LEN);
	t->reclaim.fn = on_reclaim;
	gate_init(t);
	r = getrandom(&t->secret, sizeof(t->secret), 0) == (ssize_t)sizeof(t->secret)
		    ? make_table(t, e)
		    : err_sys(e, EIO, "random secret of TCP");
	if (r < 0) {
		tcp_free(t);
		return r;
	}
	t->opens = (struct bucket)BUCKET_FULL(OPENS_PER_MS, table_max(t->table) + OPENS_BURST);
	*ret = t;
	return 0;
}

void tcp_set_limit(struct tcp *t, int i, struct limit *l)
{
	gate_set(t, (enum gate_dir)i, l);
}

void tcp_free(struct tcp *t)
{
	struct tcp_flow *f;

	if (!t)
		return;
	while (t->table && (f = table_next(t->table, NULL)))
		flow_end(f, false);
	timer_clear(t->env.wheel, &t->reclaim);
	left_free(t->left);
	table_free(t->table);
	free(t);
}
