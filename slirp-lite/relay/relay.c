/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay: accept, connect to the container, move bytes both ways by splice(2) through a pooled pipe,
 * without one to be had by peek, send, discard: then no byte is ever held here. Nothing is read
 * that cannot be passed on, which is the back-pressure. An end of one side becomes a FIN on the
 * other after the last byte; a reset becomes a reset (RFC 9293 3.10.7.4), as does a connect that
 * fails. A client for whom there is no socket yet waits unread.
 *
 * Descriptors are watched edge-triggered with flags that remember what is possible, so every move
 * goes on until the kernel says EAGAIN, also after EPOLLRDHUP, or the FIN would be missed. One turn
 * of a connection is bounded; what is left over waits in a queue of its own.
 */
#include "relay/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/pages.h"
#include "relay/relay_int.h"
#include "relay/watch.h"

#define ACCEPT_BATCH 32
#define WATCHED (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)
#define TURN_BYTES (1024 * 1024)
/* In somebody else's loop, who has other things to do as well: so much, of so many connections. */
#define TURN_BYTES_GUEST (256 * 1024)
#define TURN_CONNS_GUEST 16
/* So much is more than a question and its answer. */
#define SETTLE_BYTES (16 * 1024)
/* Five SYNs, 31 s in all: a container that does not answer at all. */
#define SYN_RETRIES 4

int relay_new(const struct relay_conf *conf, struct relay **ret)
{
	struct relay *r = pages_map(sizeof(*r));

	if (!r)
		return -ENOMEM;
	int k = slots_init(&r->conns, conf->max, sizeof(struct conn));
	if (k < 0) {
		pages_unmap(r, sizeof(*r));
		return k;
	}
	r->epoll_fd = conf->epoll_fd;
	r->kinds = conf->is_second ? WATCH_SECOND : 0;
	r->ops = conf->ops;
	r->spare = -1;
	r->are_reset = conf->are_reset;
	r->is_patience_set = conf->is_patience_set;
	r->outer_buffer = conf->outer_buffer;
	r->outer_unsent = conf->outer_unsent;
	r->settle_ms = UINT64_MAX;
	r->mover.may_write = r->ops != NULL; /* the forwarder's filter has no write(2) */
	r->mover.turn = r->ops ? TURN_BYTES_GUEST : TURN_BYTES;
	if (r->ops)
		pipes_init_fixed(&r->mover.pipes, conf->n_pipes, conf->n_wide);
	else
		pipes_init(&r->mover.pipes);
	*ret = r;
	return 0;
}

void relay_queue_del(struct relay *r, uint32_t i)
{
	struct conn *c = conn_at(r, i);
	struct queue *q = &r->queues[c->queue];

	if (c->queue == Q_NONE)
		return;
	r->n_asked -= c->queue == Q_ASKED;
	r->n_waiting -= c->queue != Q_MORE;
	c->queue = Q_NONE;
	if (c->prev)
		conn_at(r, c->prev - 1)->next = c->next;
	else
		q->first = c->next;
	if (c->next)
		conn_at(r, c->next - 1)->prev = c->prev;
	else
		q->last = c->prev;
}

void relay_queue_add(struct relay *r, uint32_t i, uint8_t queue)
{
	struct conn *c = conn_at(r, i);
	struct queue *q = &r->queues[queue];

	if (c->queue == queue)
		return;
	relay_queue_del(r, i);
	r->n_asked += queue == Q_ASKED;
	r->n_waiting += queue != Q_MORE;
	c->queue = queue;
	c->prev = q->last;
	c->next = 0;
	if (q->last)
		conn_at(r, q->last - 1)->next = i + 1;
	else
		q->first = i + 1;
	q->last = i + 1;
}

/* Closing with a linger time of zero sends RST instead of FIN. */
static void guard(int fd)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void close_with_reset(int fd)
{
	guard(fd);
	close(fd);
}

/* What is still to be sent is sent by the kernel. */
static void close_in_peace(const struct relay *r, int fd)
{
	static const struct linger none;

	if (r->are_reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static void conn_end(struct relay *r, uint32_t i, bool reset)
{
	struct conn *c = conn_at(r, i);

	relay_queue_del(r, i);
	for (int k = 0; k < N_ENDS; k++) {
		struct end *n = &c->end[k];
		if (n->pipe != PIPES_NONE)
			pipes_give(&r->mover.pipes, n->pipe, n->held == 0);
		if (n->fd < 0)
			continue;
		/* Nobody else has it open, so closing it also ends the watch; but who made the
		 * socket for us may not be done with it. */
		if (r->ops && k == INNER && !c->is_joined)
			watch_del(r->epoll_fd, n->fd);
		if (!reset)
			close_in_peace(r, n->fd);
		else if (r->are_reset)
			close(n->fd);
		else
			close_with_reset(n->fd);
	}
	slots_give(&r->conns, i);
}

static uint64_t now_of(const struct relay *r)
{
	return r->ops && r->ops->now_ms ? r->ops->now_ms(r->ops->arg) : 0;
}

/* Both directions get their turn even when one is broken: what a side sent before it reset is
 * delivered first, as far as the other side takes it, as it would be without us in between. */
static void conn_turn(struct relay *r, uint32_t i)
{
	struct conn *c = conn_at(r, i);
	uint64_t n_in = 0, n_out = 0;
	enum moved in = move_turn(&r->mover, &c->end[OUTER], &c->end[INNER], &n_in);
	enum moved out = move_turn(&r->mover, &c->end[INNER], &c->end[OUTER], &n_out);

	if (r->ops && r->ops->account && (n_in || n_out))
		r->ops->account(r->ops->arg, c->port, n_in, n_out);
	if (n_in || n_out)
		c->since_ms = now_of(r);
	/* Before the kernel has cause to widen a buffer. */
	if (!c->is_settled && (c->n_before += (uint32_t)(n_in + n_out)) >= SETTLE_BYTES)
		relay_settle(r, c);
	if (in == MOVED_RESET || out == MOVED_RESET)
		conn_end(r, i, true);
	else if (c->end[OUTER].is_shut && c->end[INNER].is_shut)
		conn_end(r, i, false);
	else if (in == MOVED_SOME || out == MOVED_SOME)
		relay_queue_add(r, i, Q_MORE);
}

bool relay_go_on(struct relay *r)
{
	struct queue *q = &r->queues[Q_MORE];
	uint32_t last = q->last, max = r->ops ? TURN_CONNS_GUEST : UINT32_MAX;

	/* Those that queue up again during this round wait for the next one. */
	for (uint32_t k = 0; q->first && k < max; k++) {
		uint32_t i = q->first - 1;
		relay_queue_del(r, i);
		conn_turn(r, i);
		if (i + 1 == last)
			break;
	}
	return q->first != 0;
}

bool relay_has_more(const struct relay *r)
{
	return r->queues[Q_MORE].first != 0;
}

static int error_of(int fd)
{
	int sys = 0;
	socklen_t len = sizeof(sys);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0 ? errno : sys;
}

/* While the container has not answered, or has not been asked: nothing is read from the client, so
 * its queue fills up. */
static void connecting_event(struct relay *r, uint32_t i, bool is_outer, uint32_t events)
{
	struct conn *c = conn_at(r, i);

	if (is_outer) {
		/* A client that has gone altogether is not worth a connection. */
		if (events & (EPOLLERR | EPOLLHUP))
			conn_end(r, i, true);
		else if (events & (EPOLLIN | EPOLLRDHUP))
			c->end[OUTER].readable = true;
		return;
	}
	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	if ((events & (EPOLLERR | EPOLLHUP)) && error_of(c->end[INNER].fd) != 0) {
		conn_end(r, i, true);
		return;
	}
	c->is_connecting = false;
	c->end[INNER].readable = c->end[INNER].writable = true;
	c->end[OUTER].readable = c->end[OUTER].writable = true;
	conn_turn(r, i);
}

void relay_event(struct relay *r, uint32_t index, uint32_t gen, bool is_outer, uint32_t events)
{
	struct conn *c = slots_live(&r->conns, index, gen);

	if (!c)
		return;
	struct end *n = &c->end[is_outer ? OUTER : INNER];
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		n->is_thorough = true;
	/* At an urgent byte a read ends before the queue does. */
	n->is_last = (events & (EPOLLRDHUP | EPOLLPRI | EPOLLERR)) == EPOLLRDHUP;
	if (c->is_connecting || c->end[INNER].fd < 0) {
		connecting_event(r, index, is_outer, events);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		n->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		n->writable = true;
	/* An end that is read out and has nothing to send has no call left that would tell of its
	 * reset. */
	if ((events & EPOLLERR) && n->has_ended && error_of(n->fd) != 0) {
		conn_end(r, index, true);
		return;
	}
	conn_turn(r, index);
}

/* A client is accepted only while there is a descriptor for its other half as well: the spare one.
 * A client that cannot be served yet is better off in the listener's queue than reset. */
static int take_spare(struct relay *r)
{
	if (r->spare < 0)
		r->spare = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	return r->spare < 0 ? -errno : 0;
}

/* A socket, -EAGAIN: later, or another -errno. */
static int open_socket(struct relay *r, int family)
{
	int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

	if (r->ops)
		return r->ops->socket(r->ops->arg, family, SOCK_STREAM);
	int fd = socket(family, type, IPPROTO_TCP);

	if (fd < 0 && errno == EMFILE && r->spare >= 0) {
		close(r->spare);
		r->spare = -1;
		fd = socket(family, type, IPPROTO_TCP);
	}
	return fd < 0 ? -errno : fd;
}

static int watch(const struct relay *r, int fd, uint8_t kind, uint32_t i)
{
	return watch_add(r->epoll_fd, fd, WATCHED, kind | r->kinds, i, conn_at(r, i)->slot.gen);
}

int relay_connect(struct relay *r, uint32_t i, int fd)
{
	const int syns = SYN_RETRIES;
	struct conn *c = conn_at(r, i);
	socklen_t len = c->to.sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(c->to);

	c->end[INNER].fd = fd;
	c->end[INNER].is_held_back = true;
	c->is_connecting = true;
	if (r->are_reset)
		guard(fd);
	if (!r->is_patience_set)
		setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
	relay_settle_begin(r, c, c->since_ms);
	if (connect(fd, (struct sockaddr *)&c->to, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return watch(r, fd, WATCH_INNER, i);
}

void relay_release(struct relay *r, uint32_t i)
{
	relay_queue_del(r, i);
	watch_del(r->epoll_fd, conn_at(r, i)->end[OUTER].fd);
	slots_give(&r->conns, i);
}

void relay_lose(struct relay *r, uint32_t i)
{
	struct conn *c = conn_at(r, i);
	int fd = c->end[OUTER].fd;
	uint32_t port = c->port;
	struct sockaddr_storage peer = {0};

	memcpy(&peer, &c->peer, sizeof(c->peer));
	relay_release(r, i);
	if (r->ops->lost)
		r->ops->lost(r->ops->arg, fd, &peer, port);
	else
		close_with_reset(fd);
}

int relay_admit(struct relay *r, int fd, const struct sockaddr_storage *peer, uint32_t port,
		const struct dest *to, uint64_t now_ms, uint32_t *ret_i)
{
	struct sockaddr_storage ss;
	uint32_t i = slots_take(&r->conns);

	if (i == SLOT_NONE)
		return -ENOSPC;
	struct conn *c = conn_at(r, i);
	(void)dest_pick(to, dest_ip(peer).family, &ss);
	memcpy(&c->to, &ss, sizeof(c->to));
	memcpy(&c->peer, peer, sizeof(c->peer));
	c->port = port;
	c->since_ms = now_ms;
	c->end[OUTER] = (struct end){.fd = fd, .pipe = PIPES_NONE, .is_held_back = true};
	c->end[INNER] = (struct end){.fd = -1, .pipe = PIPES_NONE};
	int k = watch(r, fd, WATCH_OUTER, i);
	if (k < 0) {
		slots_give(&r->conns, i);
		return k;
	}
	if (r->are_reset)
		guard(fd);
	*ret_i = i;
	return 0;
}

int relay_take(struct relay *r, int fd, const struct sockaddr_storage *peer, uint32_t port,
	       const struct dest *to, uint64_t now_ms)
{
	uint32_t i;
	int k = relay_admit(r, fd, peer, port, to, now_ms, &i);

	if (k < 0)
		return k;
	int family = conn_at(r, i)->to.sin6_family;
	uint8_t wait = family == AF_INET ? Q_WAIT4 : Q_WAIT6;
	/* Who came first gets the first socket. */
	int inner = r->queues[wait].first ? -EAGAIN : open_socket(r, family);
	if (inner == -EAGAIN) {
		relay_queue_add(r, i, wait);
	} else if (inner < 0) {
		relay_release(r, i);
		return inner;
	} else if (relay_connect(r, i, inner) < 0) {
		conn_end(r, i, true);
	}
	return 0;
}

int relay_join(struct relay *r, int outer, int inner, const struct sockaddr_storage *peer,
	       const struct sockaddr_storage *to)
{
	uint32_t i = slots_take(&r->conns);

	if (i == SLOT_NONE)
		return -ENOSPC;
	struct conn *c = conn_at(r, i);
	memcpy(&c->to, to, sizeof(c->to));
	memcpy(&c->peer, peer, sizeof(c->peer));
	c->since_ms = now_of(r);
	c->is_joined = true;
	/* What is there to be read is told by the first event. */
	c->end[OUTER] = (struct end){
		.fd = outer, .writable = true, .pipe = PIPES_NONE, .is_held_back = true};
	c->end[INNER] = (struct end){.fd = inner, .writable = true, .pipe = PIPES_NONE};
	relay_settle_begin(r, c, c->since_ms);
	int k = watch(r, outer, WATCH_OUTER, i);
	if (k == 0) {
		k = watch(r, inner, WATCH_INNER, i);
		if (k < 0)
			watch_del(r->epoll_fd, outer);
	}
	if (k < 0)
		slots_give(&r->conns, i);
	return k;
}

static void ready(struct relay *r, uint8_t wait, int family)
{
	struct queue *q = &r->queues[wait];

	while (q->first) {
		uint32_t i = q->first - 1;
		int fd = open_socket(r, family);

		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			relay_lose(r, i);
			continue;
		}
		relay_queue_del(r, i);
		if (relay_connect(r, i, fd) < 0)
			conn_end(r, i, true);
	}
}

void relay_ready(struct relay *r)
{
	ready(r, Q_WAIT4, AF_INET);
	ready(r, Q_WAIT6, AF_INET6);
}

uint64_t relay_due(const struct relay *r)
{
	uint64_t due = UINT64_MAX;

	for (int q = Q_WAIT4; q <= Q_ASKED; q++)
		if (r->queues[q].first) {
			uint64_t at = conn_at(r, r->queues[q].first - 1)->since_ms + RELAY_WAIT_MS;
			due = at < due ? at : due;
		}
	return r->settle_ms < due ? r->settle_ms : due;
}

bool relay_expire(struct relay *r, uint64_t now_ms)
{
	bool is_missed = false;

	for (int q = Q_WAIT4; q <= Q_ASKED; q++)
		while (r->queues[q].first &&
		       conn_at(r, r->queues[q].first - 1)->since_ms + RELAY_WAIT_MS <= now_ms) {
			is_missed |= q == Q_ASKED;
			relay_lose(r, r->queues[q].first - 1);
		}
	relay_settle_some(r, now_ms);
	return is_missed;
}

uint32_t relay_count(const struct relay *r)
{
	return r->conns.n_used;
}

uint32_t relay_waiting(const struct relay *r)
{
	return r->n_waiting;
}

struct ip relay_address(const struct sockaddr_in6 *sa, uint16_t *ret_port)
{
	struct sockaddr_storage ss = {0};

	memcpy(&ss, sa, sizeof(*sa));
	*ret_port = dest_port(&ss);
	return dest_ip(&ss);
}

bool relay_list(const struct relay *r, uint32_t *cursor, struct relay_seen *ret)
{
	uint32_t i = slots_next(&r->conns, *cursor);

	if (i == SLOT_NONE)
		return false;
	const struct conn *c = conn_at(r, i);
	*ret = (struct relay_seen){.is_own = c->is_own,
				   .is_open = !c->is_connecting && c->end[INNER].fd >= 0,
				   .outer_ended = c->end[OUTER].has_ended,
				   .inner_ended = c->end[INNER].has_ended,
				   .n_in = c->end[OUTER].held,
				   .n_out = c->end[INNER].held,
				   .moved_ms = c->since_ms};
	ret->from = relay_address(&c->peer, &ret->from_port);
	ret->to = relay_address(&c->to, &ret->to_port);
	*cursor = i + 1;
	return true;
}

/* Everything but a host's own client gets a reset: from outside a port is reached through DNAT
 * only. */
static bool is_local(int fd, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		return false;
	struct ip from = dest_ip(peer), at = dest_ip(&own);
	return dest_is_local(&from, &at);
}

int relay_accept(struct relay *r, int listen_fd, uint32_t port, const struct dest *to,
		 uint64_t now_ms)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int spare = take_spare(r);
		if (spare < 0)
			return spare;
		int fd = accept4(listen_fd, (struct sockaddr *)&peer, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno == EAGAIN)
			return 0;
		/* Errors of the one connection, or of its path, that accept(2) passes on. */
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO ||
			       errno == ENETDOWN || errno == ENETUNREACH || errno == EHOSTDOWN ||
			       errno == EHOSTUNREACH || errno == ENOPROTOOPT || errno == ENONET))
			continue;
		if (fd < 0)
			return -errno;
		if (!is_local(fd, &peer) || relay_take(r, fd, &peer, port, to, now_ms) < 0)
			close_with_reset(fd);
	}
	return 0;
}

void relay_cut(struct relay *r, uint32_t port)
{
	for (uint32_t i = 0; (i = slots_next(&r->conns, i)) != SLOT_NONE; i++)
		if (conn_at(r, i)->port == port)
			conn_end(r, i, true);
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; (i = slots_next(&r->conns, i)) != SLOT_NONE; i++)
		conn_end(r, i, true);
	pipes_close(&r->mover.pipes);
	slots_free(&r->conns);
	if (r->spare >= 0)
		close(r->spare);
	pages_unmap(r, sizeof(*r));
}
