/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay: accept, connect to the container, move bytes both ways by splice(2) through a pooled pipe,
 * without one to be had by peek, send, discard: then no byte is ever held here. Nothing is read
 * that cannot be passed on, which is the back-pressure. An end of one side becomes a FIN on the
 * other after the last byte; a reset becomes a reset (RFC 9293 3.10.7.4), as does a connect that
 * fails.
 *
 * Descriptors are watched edge-triggered with flags that remember what is possible, so every move
 * goes on until the kernel says EAGAIN, also after EPOLLRDHUP, or the FIN would be missed. One turn
 * of a connection is bounded; what is left over waits in a queue of its own.
 */
#include "fwd/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fwd/pipes.h"
#include "fwd/slots.h"
#include "fwd/watch.h"

#define ACCEPT_BATCH 32
#define TURN_BYTES (1024 * 1024)
#define COPY_BYTES (64 * 1024)
/* Five SYNs, 31 s in all: a container that does not answer at all. */
#define SYN_RETRIES 4
/* A container that vanished without a word is noticed after about ten minutes. */
#define KEEP_IDLE_S 300
#define KEEP_INTVL_S 60
#define KEEP_COUNT 5

enum { OUTER, INNER, N_ENDS };

struct end {
	int fd;
	bool readable, writable;
	bool has_ended; /* its FIN has been read */
	bool is_shut;   /* our FIN has been sent to it */
	uint16_t pipe;  /* holds `held` bytes read from this end */
	uint32_t held;
};

struct conn {
	struct slot slot;
	struct end end[N_ENDS];
	uint32_t port;
	uint32_t prev, next; /* queue of those with more to move; index + 1 */
	bool is_queued, is_connecting;
};

struct relay {
	int epoll_fd;
	struct slots conns;
	uint32_t first, last; /* index + 1 */
	int spare;            /* see take_spare */
	struct pipes pipes;
	char copy[COPY_BYTES];
};

/* What one direction says after its turn. */
enum moved { MOVED_ALL, MOVED_SOME, MOVED_RESET };

int relay_new(int epoll_fd, struct relay **ret)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->epoll_fd = epoll_fd;
	r->spare = -1;
	pipes_init(&r->pipes);
	int k = slots_init(&r->conns, RELAY_MAX, sizeof(struct conn));
	if (k < 0) {
		free(r);
		return k;
	}
	*ret = r;
	return 0;
}

static struct conn *conn_at(const struct relay *r, uint32_t i)
{
	return slots_at(&r->conns, i);
}

static void queue_add(struct relay *r, uint32_t i)
{
	struct conn *c = conn_at(r, i);

	if (c->is_queued)
		return;
	c->is_queued = true;
	c->prev = r->last;
	c->next = 0;
	if (r->last)
		conn_at(r, r->last - 1)->next = i + 1;
	else
		r->first = i + 1;
	r->last = i + 1;
}

static void queue_del(struct relay *r, uint32_t i)
{
	struct conn *c = conn_at(r, i);

	if (!c->is_queued)
		return;
	c->is_queued = false;
	if (c->prev)
		conn_at(r, c->prev - 1)->next = c->next;
	else
		r->first = c->next;
	if (c->next)
		conn_at(r, c->next - 1)->prev = c->prev;
	else
		r->last = c->prev;
}

/* Closing with a linger time of zero sends RST instead of FIN. */
static void close_with_reset(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void conn_end(struct relay *r, uint32_t i, bool reset)
{
	struct conn *c = conn_at(r, i);

	queue_del(r, i);
	for (int k = 0; k < N_ENDS; k++) {
		struct end *n = &c->end[k];
		if (n->pipe != PIPES_NONE)
			pipes_give(&r->pipes, n->pipe, n->held == 0);
		if (n->fd < 0)
			continue;
		/* Nobody else has it open, so closing it also ends the watch. */
		if (reset)
			close_with_reset(n->fd);
		else
			close(n->fd);
	}
	slots_give(&r->conns, i);
}

/* Bytes read from `from`, 0 at its end, or -errno. */
static ssize_t read_some(struct relay *r, struct end *from)
{
	size_t size = r->pipes.pair[from->pipe].size;
	ssize_t n;

	do
		n = splice(from->fd, NULL, r->pipes.pair[from->pipe].in, NULL, size,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Exactly what is held is asked for: a larger count would make TCP wait for more to come. */
static ssize_t write_held(struct relay *r, struct end *from, struct end *to)
{
	ssize_t n;

	do
		n = splice(r->pipes.pair[from->pipe].out, NULL, to->fd, NULL, from->held,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Notes the end of the stream, or that there is nothing now. Returns false on an error. */
static bool note_read(struct end *from, ssize_t n)
{
	if (n == 0)
		from->has_ended = true;
	else if (n == -EAGAIN)
		from->readable = false;
	else if (n < 0)
		return false;
	return true;
}

/* One step by a pipe. Bytes moved, 0: nothing to do now, negative: broken. */
static ssize_t step_pipe(struct relay *r, struct end *from, struct end *to)
{
	if (from->held == 0) {
		ssize_t n = read_some(r, from);
		if (!note_read(from, n))
			return n;
		if (n <= 0)
			return 0;
		from->held = (uint32_t)n;
	}
	if (!to->writable)
		return 0;
	ssize_t n = write_held(r, from, to);
	if (n == -EAGAIN) {
		to->writable = false;
		return 0;
	}
	if (n <= 0)
		return -EIO;
	from->held -= (uint32_t)n;
	return n;
}

/* The same without a pipe: what was sent is taken off the queue afterwards (MSG_TRUNC, tcp(7)). */
static ssize_t step_copy(struct relay *r, struct end *from, struct end *to)
{
	if (!to->writable)
		return 0;
	ssize_t n = recv(from->fd, r->copy, sizeof(r->copy), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EINTR)
		return 1;
	if (!note_read(from, n < 0 ? -errno : n))
		return -EIO;
	if (n <= 0)
		return 0;
	n = send(to->fd, r->copy, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EAGAIN) {
		to->writable = false;
		return 0;
	}
	if (n <= 0)
		return -EIO;
	return recv(from->fd, r->copy, (size_t)n, MSG_TRUNC | MSG_DONTWAIT) == n ? n : -EIO;
}

static enum moved move(struct relay *r, struct end *from, struct end *to)
{
	size_t total = 0;
	ssize_t n = 0;

	if (from->pipe == PIPES_NONE && from->readable && !from->has_ended)
		from->pipe = pipes_take(&r->pipes);
	while (total < TURN_BYTES) {
		if (from->held == 0 && (!from->readable || from->has_ended))
			break;
		if (from->held && !to->writable)
			break;
		n = from->pipe == PIPES_NONE ? step_copy(r, from, to) : step_pipe(r, from, to);
		if (n < 0)
			return MOVED_RESET;
		if (n == 0 && from->pipe == PIPES_NONE && !to->writable)
			break;
		total += (size_t)n;
	}
	if (from->pipe != PIPES_NONE && from->held == 0) {
		pipes_give(&r->pipes, from->pipe, true);
		from->pipe = PIPES_NONE;
	}
	if (from->has_ended && from->held == 0 && !to->is_shut) {
		shutdown(to->fd, SHUT_WR);
		to->is_shut = true;
	}
	return total >= TURN_BYTES ? MOVED_SOME : MOVED_ALL;
}

/* Both directions get their turn even when one is broken: what a side sent before it reset is
 * delivered first, as far as the other side takes it, as it would be without us in between. */
static void conn_turn(struct relay *r, uint32_t i)
{
	struct conn *c = conn_at(r, i);
	enum moved in = move(r, &c->end[OUTER], &c->end[INNER]);
	enum moved out = move(r, &c->end[INNER], &c->end[OUTER]);

	if (in == MOVED_RESET || out == MOVED_RESET)
		conn_end(r, i, true);
	else if (c->end[OUTER].is_shut && c->end[INNER].is_shut)
		conn_end(r, i, false);
	else if (in == MOVED_SOME || out == MOVED_SOME)
		queue_add(r, i);
}

bool relay_go_on(struct relay *r)
{
	uint32_t last = r->last;

	/* Those that queue up again during this round wait for the next one. */
	while (r->first) {
		uint32_t i = r->first - 1;
		queue_del(r, i);
		conn_turn(r, i);
		if (i + 1 == last)
			break;
	}
	return r->first != 0;
}

static int error_of(int fd)
{
	int sys = 0;
	socklen_t len = sizeof(sys);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0 ? errno : sys;
}

/* While the container has not answered: nothing is read from the client, so its queue fills up. */
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
	if (error_of(c->end[INNER].fd) != 0) {
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
	if (c->is_connecting) {
		connecting_event(r, index, is_outer, events);
		return;
	}
	struct end *n = &c->end[is_outer ? OUTER : INNER];
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

static int open_socket(struct relay *r, int family)
{
	int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(family, type, IPPROTO_TCP);

	if (fd < 0 && errno == EMFILE && r->spare >= 0) {
		close(r->spare);
		r->spare = -1;
		fd = socket(family, type, IPPROTO_TCP);
	}
	return fd;
}

static int open_inner(struct relay *r, const struct dest *to, int family, bool *ret_pending)
{
	const int on = 1, syns = SYN_RETRIES, idle = KEEP_IDLE_S, intvl = KEEP_INTVL_S,
		  count = KEEP_COUNT;
	struct sockaddr_storage ss;
	socklen_t len = dest_pick(to, family, &ss);
	int fd = open_socket(r, ss.ss_family);

	if (fd < 0)
		return -errno;
	/* Only the time a dead peer is noticed, and delays, hang on these: not worth an error. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &intvl, sizeof(intvl));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
		int sys = errno;
		close(fd);
		return -sys;
	}
	*ret_pending = true;
	return fd;
}

/* Takes over fd, whatever comes of it. */
static void conn_start(struct relay *r, int fd, int family, uint32_t port, const struct dest *to)
{
	const uint32_t all = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	const int on = 1;
	uint32_t i = slots_take(&r->conns);

	if (i == SLOT_NONE) {
		close_with_reset(fd);
		return;
	}
	struct conn *c = conn_at(r, i);
	c->port = port;
	c->end[OUTER] = (struct end){.fd = fd, .pipe = PIPES_NONE};
	c->end[INNER] = (struct end){.fd = -1, .pipe = PIPES_NONE};
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	int inner = open_inner(r, to, family, &c->is_connecting);
	if (inner < 0) {
		conn_end(r, i, true);
		return;
	}
	c->end[INNER].fd = inner;
	if (watch_add(r->epoll_fd, fd, all, WATCH_OUTER, i, c->slot.gen) < 0 ||
	    watch_add(r->epoll_fd, inner, all, WATCH_INNER, i, c->slot.gen) < 0)
		conn_end(r, i, true);
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

int relay_accept(struct relay *r, int listen_fd, uint32_t port, const struct dest *to)
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
		if (is_local(fd, &peer))
			conn_start(r, fd, dest_ip(&peer).family, port, to);
		else
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
