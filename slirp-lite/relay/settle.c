/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settle: options of a connection's sockets that matter when it rests for long or moves much. Most
 * connections do neither: they are a few calls cheaper. The others get them once some has come, or
 * in a sweep of all that are there a while after they came.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "relay/relay_int.h"

#define REST_MS 3000
#define SETTLES_A_TURN 64
/* A peer that vanished without a word is noticed after about ten minutes. */
#define KEEP_IDLE_S 300
#define KEEP_INTVL_S 60
#define KEEP_COUNT 5

static void set(int fd, int level, int name, int value)
{
	/* Only the time in which a dead peer is noticed, and buffers, hang on these: not worth an
	 * error. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void relay_settle_begin(struct relay *r, struct conn *c, uint64_t now_ms)
{
	/* Before the first read, which lets the kernel widen it and promise that to the peer. */
	if ((c->is_joined || c->is_own) && r->outer_buffer)
		set(c->end[OUTER].fd, SOL_SOCKET, SO_RCVBUF, r->outer_buffer);
	if (!r->ops)
		relay_settle(r, c); /* nobody sweeps */
	else if (r->settle_ms == UINT64_MAX)
		r->settle_ms = now_ms + REST_MS;
	else if (r->settle_at > 0)
		r->has_newer = true;
}

static void keep_alive(int fd)
{
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTVL_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* What was accepted for the container has its options from the listener. */
void relay_settle(struct relay *r, struct conn *c)
{
	const int outer = c->end[OUTER].fd;

	c->is_settled = true;
	if (c->is_joined)
		keep_alive(outer);
	else
		keep_alive(c->end[INNER].fd);
	if (!c->is_joined && !c->is_own)
		return;
	if (r->outer_unsent)
		set(outer, IPPROTO_TCP, TCP_NOTSENT_LOWAT, r->outer_unsent);
}

void relay_settle_some(struct relay *r, uint64_t now_ms)
{
	if (now_ms < r->settle_ms)
		return;
	for (int k = 0; k < SETTLES_A_TURN; k++) {
		uint32_t i = slots_next(&r->conns, r->settle_at);

		if (i == SLOT_NONE) {
			r->settle_at = 0;
			r->settle_ms = r->has_newer ? now_ms + REST_MS : UINT64_MAX;
			r->has_newer = false;
			return;
		}
		struct conn *c = conn_at(r, i);
		r->settle_at = i + 1;
		/* One that waits for a socket begins when it has it. */
		if (!c->is_settled && c->end[INNER].fd >= 0)
			relay_settle(r, c);
	}
}
