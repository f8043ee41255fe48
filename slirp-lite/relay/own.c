/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * own: clients whose own address the container sees, by sockets that somebody else makes and binds,
 * one for each. So many are asked for at a time as fit the way to their maker; the other clients
 * wait, unread. Who gets none is handed back: another kind of path may have one.
 */
#include <unistd.h>

#include "relay/relay_int.h"

/* What the channel to their maker has room for, both ways. */
#define ASKED_MAX 64

static int ask_own(struct relay *r, uint32_t i)
{
	struct conn *c = conn_at(r, i);
	uint16_t port;
	const struct ip from = relay_address(&c->peer, &port);
	int k = r->ops->bound(r->ops->arg, &from, port, &c->asked);

	if (k == 0)
		relay_queue_add(r, i, Q_ASKED);
	return k;
}

int relay_take_own(struct relay *r, int fd, const struct sockaddr_storage *peer, uint32_t port,
		   const struct dest *to, uint64_t now_ms)
{
	uint32_t i;
	int k = relay_admit(r, fd, peer, port, to, now_ms, &i);

	if (k < 0)
		return k;
	conn_at(r, i)->is_own = true;
	if (r->n_asked >= ASKED_MAX)
		relay_queue_add(r, i, Q_UNASKED);
	else
		k = ask_own(r, i);
	if (k < 0)
		relay_release(r, i);
	return k;
}

static void ask_more(struct relay *r)
{
	struct queue *q = &r->queues[Q_UNASKED];

	while (q->first && r->n_asked < ASKED_MAX) {
		uint32_t i = q->first - 1;

		if (ask_own(r, i) < 0)
			relay_lose(r, i);
	}
}

bool relay_given(struct relay *r, uint32_t id, int fd)
{
	uint32_t i = r->queues[Q_ASKED].first;

	/* They come in the order in which they were asked for. */
	while (i && conn_at(r, i - 1)->asked != id)
		i = conn_at(r, i - 1)->next;
	if (!i) {
		ask_more(r);
		return false;
	}
	i--;
	relay_queue_del(r, i);
	if (fd < 0 || relay_connect(r, i, fd) < 0) {
		/* Its address is in use there, or there is no way: another kind of path may have
		 * one. */
		if (fd >= 0)
			close(fd);
		conn_at(r, i)->end[INNER].fd = -1;
		relay_lose(r, i);
	}
	ask_more(r);
	return true;
}

void relay_forsake(struct relay *r)
{
	for (int q = Q_UNASKED; q <= Q_ASKED; q++)
		while (r->queues[q].first)
			relay_lose(r, r->queues[q].first - 1);
}
