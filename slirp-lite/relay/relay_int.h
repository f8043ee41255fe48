/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay_int: what the files of relay.h share: relay.c carries connections, own.c has those clients
 * whose own address the container sees. */
#ifndef SLIRP_LITE_RELAY_RELAY_INT_H
#define SLIRP_LITE_RELAY_RELAY_INT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/move.h"
#include "relay/relay.h"
#include "relay/slots.h"

enum { OUTER, INNER, N_ENDS };

/* The queue a connection is in: links are indices + 1. */
enum { Q_NONE, Q_MORE, Q_WAIT4, Q_WAIT6, Q_UNASKED, Q_ASKED, N_QUEUES };

struct queue {
	uint32_t first, last;
};

struct conn {
	struct slot slot;
	struct end end[N_ENDS];
	uint32_t port;
	uint32_t prev, next;
	bool is_own;
	uint32_t asked; /* in Q_ASKED: the number of what it waits for */
	uint8_t queue;  /* with more to move, or waiting for a socket of a family, or its own */
	bool is_connecting;
	bool is_joined;    /* both sockets came connected */
	bool is_settled;   /* its sockets have all options of a long life */
	uint32_t n_before; /* bytes that it has moved until then */
	uint64_t since_ms; /* it waits; of one that does not: something moved */
	/* Addresses of both families fit. */
	struct sockaddr_in6 to, peer;
};

struct relay {
	int epoll_fd;
	uint8_t kinds; /* 0 or WATCH_SECOND */
	const struct relay_ops *ops;
	struct slots conns;
	struct queue queues[N_QUEUES];
	uint32_t n_asked;   /* in Q_ASKED */
	uint32_t n_waiting; /* in any queue but Q_MORE */
	int spare;          /* see take_spare */
	bool are_reset;
	bool is_patience_set;
	int outer_buffer, outer_unsent;
	uint64_t settle_ms; /* when the next are settled, UINT64_MAX: there are none */
	uint32_t settle_at; /* from this slot on; above 0: the sweep is under way */
	bool has_newer;     /* some have come since it began */
	struct mover mover;
};

static inline struct conn *conn_at(const struct relay *r, uint32_t i)
{
	return slots_at(&r->conns, i);
}

void relay_queue_add(struct relay *r, uint32_t i, uint8_t queue);
void relay_queue_del(struct relay *r, uint32_t i);
/* A slot for the client fd, who is watched from now on: 0, or -errno and fd stays the caller's. */
int relay_admit(struct relay *r, int fd, const struct sockaddr_storage *peer, uint32_t port,
		const struct dest *to, uint64_t now_ms, uint32_t *ret_i);
/* Connects by fd, which becomes the connection's. 0, or -errno of what failed at once. */
int relay_connect(struct relay *r, uint32_t i, int fd);
/* The client is the caller's again; nothing was read from it. _lose: it is ops->lost's. */
void relay_release(struct relay *r, uint32_t i);
void relay_lose(struct relay *r, uint32_t i);
/* Options that only connections of some length need, settle.c. _begin: c does not have them yet.
 * _settle: now it has. _settle_some: when it is time, those who have waited, a bounded number. */
void relay_settle_begin(struct relay *r, struct conn *c, uint64_t now_ms);
void relay_settle(struct relay *r, struct conn *c);
void relay_settle_some(struct relay *r, uint64_t now_ms);
struct ip relay_address(const struct sockaddr_in6 *sa, uint16_t *ret_port);

#endif
