/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rx: from the container to the host. What is in order goes from the frame into the host's socket
 * at once; what the socket does not take, and what is out of order, goes into the ring. The window
 * that is promised is what the ring can hold: one chunk of the pool at first, more while the host
 * takes the bytes and the pool can set chunks aside. RFC 9293 3.8.6, MUST-39, SHLD-14.
 */
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>

#include "tcp/flow.h"

#define WINDOW_CHUNKS_MAX 32u /* 512 KiB */
#define RETRY_MS 100          /* when the host has no memory */

static unsigned capacity(const struct tcp_flow *f)
{
	return f->rx.n_reserved > 0 ? f->rx.n_reserved : 1;
}

/* Bytes on their way to the host that the ring must be able to keep. */
static uint32_t held(const struct tcp_flow *f)
{
	const struct gather *g = &f->owner->gather;

	return g->f == f ? (uint32_t)g->len : 0;
}

static uint32_t rx_room(const struct tcp_flow *f)
{
	uint32_t all = capacity(f) * POOL_CHUNK, used = f->rx.skip + f->rx.len + held(f);

	return used < all ? all - used : 0;
}

uint32_t rx_accept(struct tcp_flow *f)
{
	uint32_t promised = f->tcb.rcv_adv - f->tcb.rcv_nxt, room = rx_room(f);
	struct pool *p = f->owner->env.pool;

	if (promised > room) { /* its reservation went back while it was quiet */
		flow_promise(f, (f->rx.skip + f->rx.len + held(f) + promised + POOL_CHUNK - 1) /
					POOL_CHUNK);
		room = promised;
	}
	/* Else the host's socket, which is empty or nearly so, takes it. */
	if (f->is_blocked || f->is_connecting || f->rx.end > 0 || !gate_is_open(f, GATE_OUT)) {
		size_t left = ring_room(&f->rx, p, f->rx.len);

		if (left < room)
			room = (uint32_t)left;
	}
	if (share_is_full(f)) {
		uint32_t used = f->rx.skip + f->rx.len + held(f),
			 own = (f->rx.n_held > f->rx.n_reserved ? f->rx.n_held : f->rx.n_reserved) *
			       POOL_CHUNK;

		if (own < used + room)
			room = own > used ? own - used : 0;
	}
	return room;
}

/* Where a limit holds, more than a tenth of a second's bytes would but wait here. */
static unsigned chunks_max(const struct tcp *t)
{
	const uint64_t rate = gate_rate(t, GATE_OUT), n = rate / 10 / POOL_CHUNK;

	return rate == 0 || n > WINDOW_CHUNKS_MAX ? WINDOW_CHUNKS_MAX : (unsigned)n;
}

/* A window that the host's socket empties is worth doubling, while half of the pool is free. */
static void grow(struct tcp_flow *f, size_t n)
{
	struct pool *p = f->owner->env.pool;
	unsigned now = capacity(f), want = now * 2;

	f->taken += (uint32_t)n;
	if (now >= chunks_max(f->owner) || f->taken < now * POOL_CHUNK)
		return;
	f->taken = 0;
	if (pool_n_free(p) >= pool_n_chunks(p) / 2 + want && !share_is_full(f))
		flow_promise(f, want);
}

/* Small writes go out at once, as the container sent them: it has done Nagle's part. The first
 * write of a connection is never delayed, so connections with one request are spared the call. */
static void set_nodelay(struct tcp_flow *f)
{
	const int on = 1;

	if (!f->has_sent) {
		f->has_sent = true;
		return;
	}
	if (f->is_delay_off)
		return;
	f->is_delay_off = true;
	f->owner->env.host->setsockopt(f->src.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void retry_later(struct tcp_flow *f)
{
	const struct tcp_env *env = &f->owner->env;
	uint64_t due = loop_now(env->loop) + RETRY_MS;

	if (!timer_is_set(&f->timer) || f->timer.due > due)
		timer_set(env->wheel, &f->timer, due);
}

/* How many bytes the host took, or -errno when its side has failed. */
static ssize_t give(struct tcp_flow *f, struct iovec *iov, int n_iov, size_t len)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n_iov};
	ssize_t n;

	set_nodelay(f);
	n = f->owner->env.host->sendmsg(f->src.fd, &m, MSG_DONTWAIT);
	if (n == -ENOBUFS || n == -ENOMEM) { /* no edge follows */
		retry_later(f);
		return 0;
	}
	if (n < 0 && n != -EAGAIN)
		return n;
	n = n < 0 ? 0 : n;
	if ((size_t)n < len)
		f->is_blocked = true; /* EPOLLOUT follows */
	grow(f, (size_t)n);
	gate_pass(f, GATE_OUT, (size_t)n);
	if (f->tally)
		f->tally->out += (uint64_t)n;
	return n;
}

static void shut(struct tcp_flow *f)
{
	if (!f->is_guest_eof || f->is_shut || f->rx.len > 0 || f->src.fd < 0)
		return;
	f->is_shut = true;
	if (f->is_host_eof) /* both ends are known: the socket has no use any more */
		flow_close_host(f, false);
	else
		f->owner->env.host->shutdown(f->src.fd, SHUT_WR);
}

/* The host's socket is gone (it was reset, or nobody reads): bytes for it have no use. */
static void discard(struct tcp_flow *f)
{
	ring_reset(&f->rx, f->owner->env.pool);
}

/* Keeps [skip, skip + n) of iov in the ring, `at` behind its in-order end. */
static bool keep(struct tcp_flow *f, size_t at, const struct iovec *iov, int n_iov, size_t skip,
		 size_t n)
{
	if (ring_put(&f->rx, f->owner->env.pool, f->rx.len + at, iov, n_iov, skip, n))
		return true;
	/* The host's socket took less than it has at least, and no memory is left. */
	f->owner->env.stats->n[STAT_DROP_MEMORY]++;
	return false;
}

void rx_settle(struct tcp *t)
{
	struct gather g = t->gather;
	size_t left;
	ssize_t n;

	if (!g.f)
		return;
	t->gather = (struct gather){0};
	n = give(g.f, g.iov, g.n, g.len);
	left = n < 0 ? g.len : g.len - (size_t)n;
	if (n < 0 || (left > 0 && !keep(g.f, 0, g.iov, g.n, (size_t)n, left))) {
		g.f->is_failed = true;
		flow_mark(g.f);
		return;
	}
	ring_extend(&g.f->rx, left);
}

static void hold(struct tcp_flow *f, const uint8_t *p, size_t len)
{
	struct gather *g = &f->owner->gather;

	if (g->f && g->f != f)
		rx_settle(f->owner);
	g->f = f;
	g->iov[g->n++] = (struct iovec){(void *)(uintptr_t)p, len};
	g->len += len;
	if (g->n == TCP_HELD_MAX)
		rx_settle(f->owner);
}

bool rx_drain(struct tcp_flow *f)
{
	struct iovec iov[RING_CHUNKS + 1];

	if (f->owner->gather.f == f)
		rx_settle(f->owner);
	while (f->rx.len > 0 && !f->is_blocked && f->src.fd >= 0) {
		const size_t room = gate_room(f, GATE_OUT);
		size_t len = f->rx.len < room ? f->rx.len : room;
		if (len == 0)
			break;
		int n_iov = ring_bytes(&f->rx, f->owner->env.pool, 0, len, iov, RING_CHUNKS + 1);
		ssize_t n = give(f, iov, n_iov, len);

		if (n <= 0) {
			if (n < 0)
				return false;
			break;
		}
		ring_consume(&f->rx, f->owner->env.pool, (size_t)n);
	}
	shut(f);
	tcb_set_room(&f->tcb, rx_room(f));
	return true;
}

bool rx_take(struct tcp_flow *f, const struct tcb_result *r, const uint8_t *payload, bool may_hold)
{
	struct iovec iov = {(void *)(uintptr_t)(payload + r->data_skip), r->data_len};

	if (r->is_eof)
		f->is_guest_eof = true;
	if (f->src.fd < 0 && !f->is_connecting) {
		discard(f);
		return true;
	}
	if (r->data_len > 0 && r->data_at == 0 && r->advance == r->data_len && f->rx.end == 0 &&
	    !f->is_blocked && !f->is_connecting && gate_is_open(f, GATE_OUT)) {
		hold(f, iov.iov_base, iov.iov_len);
		if (!may_hold)
			rx_settle(f->owner);
	} else {
		if (f->owner->gather.f == f)
			rx_settle(f->owner);
		if (r->data_len > 0 && !keep(f, r->data_at, &iov, 1, 0, r->data_len))
			return false;
		ring_extend(&f->rx, r->advance);
	}
	/* The rest is tcp_flush's, when more may have come. */
	return true;
}
