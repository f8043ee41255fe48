/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tx: from the host to the container. Reads no more than may be sent now by the container's window
 * and the congestion window, a super-segment at a time, into the ring, where it stays until
 * acknowledged; so every read is followed by its frame while the bytes are warm. While the window
 * is closed and the host has bytes, the machine is told of one byte more than the ring holds, so
 * that it probes.
 */
#include <errno.h>

#include "tcp/flow.h"

/* One read takes several super-segments: fewer window updates to the host's peer, each of which
 * costs its TCP, and ours, a turn. Still little enough to be warm when it is sent. */
#define READ_SEGMENTS 8u
#define READ_IOV (READ_SEGMENTS * 65536 / POOL_CHUNK + 1)
#define PUMP_READS 1 /* one flow's turn */
/* Sent and not acknowledged, or about to be: a ring, of which a chunk may be begun. */
#define HELD_MAX ((uint32_t)RING_MAX - POOL_CHUNK)

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Under pressure every flow moves on, with less in flight. */
static uint32_t held_max(const struct pool *p)
{
	size_t n = pool_n_chunks(p), left = pool_n_free(p);

	if (left > n - n / 4)
		return HELD_MAX;
	if (left > n / 2)
		return HELD_MAX / 2;
	return left > n / 8 ? 4 * POOL_CHUNK : POOL_CHUNK;
}

static uint32_t usable(const struct tcp_flow *f)
{
	uint32_t held = (uint32_t)f->tx.len, most = held_max(f->owner->env.pool);

	return min32(tcb_room(&f->tcb, held), most > held ? most - held : 0);
}

static bool may_send(const struct tcp_flow *f)
{
	return f->tcb.state == TCP_ESTABLISHED || f->tcb.state == TCP_CLOSE_WAIT;
}

/* A read gives n bytes; what it says about the next one. */
static void after_read(struct tcp_flow *f, ssize_t n, size_t asked)
{
	if (n == 0) {
		f->is_host_eof = true;
		f->is_readable = false;
		if (f->is_shut)
			flow_close_host(f, false);
	} else if (n < 0) {
		f->is_failed |= n != -EAGAIN;
		f->is_readable = false;
	} else if ((size_t)n < asked && !f->is_hung_up) {
		f->is_readable = false; /* an edge follows when more comes */
	}
}

/* Of room, what goes out in full segments, at best full super-segments. */
static size_t whole_segments(const struct tcp_flow *f, size_t room)
{
	const size_t mss = f->tcb.mss, super = f->tcb.segment_max - f->tcb.segment_max % mss;

	if (room > READ_SEGMENTS * super)
		return READ_SEGMENTS * super;
	if (room > super)
		return room - room % super;
	return room > mss ? room - room % mss : room;
}

/* Reads at most max bytes; how many came, 0 or -errno as readv has it, -EAGAIN without memory. */
static ssize_t read_some(struct tcp_flow *f, size_t max)
{
	struct pool *p = f->owner->env.pool;
	struct iovec iov[READ_IOV];
	size_t asked = 0;
	ssize_t n;
	int n_iov = ring_space(&f->tx, p, max, iov, READ_IOV);

	for (int i = 0; i < n_iov; i++)
		asked += iov[i].iov_len;
	if (asked == 0) {
		f->is_starved = f->owner->is_starved = true;
		return -EAGAIN;
	}
	n = f->owner->env.host->readv(f->src.fd, iov, n_iov);
	if (n > 0) {
		ring_extend(&f->tx, (size_t)n);
		gate_pass(f, GATE_IN, (size_t)n);
		if (f->tally)
			f->tally->in += (uint64_t)n;
	}
	ring_tidy(&f->tx, p);
	after_read(f, n, asked);
	return n;
}

static bool pump_once(struct tcp_flow *f, uint64_t now)
{
	size_t room = usable(f), allowed;
	ssize_t n;

	/* A silly window is left to grow while something is in flight. */
	if (room == 0 || (room < f->tcb.mss && f->tx.len > 0))
		return false;
	if (share_is_full(f)) { /* it is marked when that is over */
		f->is_starved = true;
		return false;
	}
	allowed = gate_room(f, GATE_IN);
	if (allowed == 0)
		return false;
	/* A segment is owed rather than cut. */
	if (room > allowed)
		room = allowed > f->tcb.mss ? allowed : min32((uint32_t)room, f->tcb.mss);
	room = whole_segments(f, room);
	n = read_some(f, room);
	/* The end is near: the FIN goes with the last bytes. */
	if (n > 0 && (size_t)n < room && f->is_hung_up)
		read_some(f, room - (size_t)n);
	tcb_set_queued(&f->tcb, f->tx.len);
	if (f->is_host_eof)
		tcb_shutdown(&f->tcb);
	tx_output(f, now);
	return n > 0;
}

bool tx_pump(struct tcp_flow *f, uint64_t now)
{
	int i = 0;

	if (f->is_connecting || f->src.fd < 0 || !may_send(f))
		return false;
	while (f->is_readable && i < PUMP_READS && pump_once(f, now))
		i++;
	if (f->is_readable && f->src.fd >= 0 && f->tx.len == 0 && f->tcb.snd_wnd == 0)
		tcb_set_queued(&f->tcb, 1);
	else
		tcb_set_queued(&f->tcb, f->tx.len);
	return f->is_readable && i == PUMP_READS;
}

void tx_output(struct tcp_flow *f, uint64_t now)
{
	struct iovec iov[EMIT_IOV_MAX];
	struct tcb_segment s;

	while (tcb_output(&f->tcb, now, &s)) {
		int n = 0;

		if (s.data_at + s.data_len > f->tx.len)
			continue; /* the byte that stands for those the host still has */
		if (s.data_len > 0)
			n = ring_bytes(&f->tx, f->owner->env.pool, s.data_at, s.data_len, iov,
				       EMIT_IOV_MAX);
		if (s.is_retransmit)
			f->owner->env.stats->n[STAT_TCP_RETRANSMIT]++;
		flow_emit(f->owner, &f->node.key, &s.h, iov, n, s.data_len > s.mss ? s.mss : 0);
	}
}
