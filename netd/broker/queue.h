/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue: the front's clients, and whose turn it is. Who has asked waits here, his request unread in
 * his connection, until the back has room: of the users that wait whoever has the least under way
 * comes first, and of those who came first. Who has many connections makes room for who has few.
 * PURE: the caller brings the clock, and closes what is to be closed.
 */
#ifndef NETD_BROKER_QUEUE_H
#define NETD_BROKER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_CONNS 256       /* at once */
#define QUEUE_SILENT_OF_UID 8 /* of one user, that have not asked for anything yet */
#define QUEUE_OF_UID 128      /* of one user */
#define QUEUE_PASSED 48       /* with the back */
#define QUEUE_PASSED_OF_UID 2 /* of one user: one is worked on, one is ready */

enum conn_state {
	CONN_FREE,
	CONN_SILENT, /* nothing has come from the client */
	CONN_ASKS,   /* something has */
	CONN_PASSED, /* the request is with the back */
	CONN_GONE,   /* and the client did not wait; what he asked for counts until it is done */
};

struct conn {
	enum conn_state state;
	int fd; /* -1: none */
	uint32_t turn, uid;
	uint32_t ahead; /* of this user's, with the back */
	uint64_t order; /* CONN_ASKS: first come, first served */
	uint64_t deadline_ms;
};

struct queue {
	struct conn conn[QUEUE_CONNS];
	size_t n, n_passed;
	uint64_t next_order;
};

enum queue_full { QUEUE_HAS_ROOM, QUEUE_USER_FULL, QUEUE_ALL_FULL };

void queue_init(struct queue *q);
/* A place for a client of uid: free, or another's, which is to be closed first; NULL: there is
 * none, *ret_why. has_asked: something has come from him. silent_before_ms: whose deadline is
 * earlier, and who has said nothing, makes room. */
struct conn *queue_place(struct queue *q, uint32_t uid, bool has_asked, uint64_t silent_before_ms,
			 enum queue_full *ret_why);
/* Into a free place, silent. */
void queue_enter(struct queue *q, struct conn *c, int fd, uint32_t uid, uint64_t deadline_ms);
void queue_ask(struct queue *q, struct conn *c, uint64_t deadline_ms);
/* Whose request is to be passed on now; NULL: nobody's. */
struct conn *queue_next(struct queue *q);
void queue_pass(struct queue *q, struct conn *c, uint64_t deadline_ms);
/* The place is free. The descriptor is the caller's affair, before. */
void queue_leave(struct queue *q, struct conn *c);

#endif
