/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: every question is one look along the table, which is short. */
#include "broker/queue.h"

void queue_init(struct queue *q)
{
	*q = (struct queue){.n = 0};
	for (size_t i = 0; i < QUEUE_CONNS; i++)
		q->conn[i].fd = -1;
}

static bool is_with_back(const struct conn *c)
{
	return c->state == CONN_PASSED || c->state == CONN_GONE;
}

static size_t count_of(const struct queue *q, uint32_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < QUEUE_CONNS; i++)
		n += q->conn[i].state != CONN_FREE && q->conn[i].uid == uid;
	return n;
}

/* Who has said nothing for the longest time: a client that means it speaks at once. */
static struct conn *most_silent(struct queue *q, uint64_t before_ms)
{
	struct conn *found = NULL;

	for (size_t i = 0; i < QUEUE_CONNS; i++) {
		struct conn *c = &q->conn[i];

		if (c->state == CONN_SILENT && c->deadline_ms <= before_ms &&
		    (!found || c->deadline_ms < found->deadline_ms))
			found = c;
	}
	return found;
}

/* Of the user with the most connections, if he has more than one more than n, who waits and came
 * last. */
static struct conn *one_of_many(struct queue *q, size_t n)
{
	struct conn *found = NULL;
	size_t most = n + 1;

	for (size_t i = 0; i < QUEUE_CONNS; i++) {
		struct conn *c = &q->conn[i];
		size_t has;

		if (c->state != CONN_ASKS)
			continue;
		if (found && c->uid == found->uid) {
			if (c->order > found->order)
				found = c;
			continue;
		}
		has = count_of(q, c->uid);
		if (has > most) {
			most = has;
			found = c;
		}
	}
	return found;
}

struct conn *queue_place(struct queue *q, uint32_t uid, bool has_asked, uint64_t silent_before_ms,
			 enum queue_full *ret_why)
{
	struct conn *place = NULL;
	size_t n = 0, n_silent = 0;

	for (size_t i = 0; i < QUEUE_CONNS; i++) {
		struct conn *c = &q->conn[i];

		if (c->state == CONN_FREE) {
			place = place ? place : c;
		} else if (c->uid == uid) {
			n++;
			n_silent += c->state == CONN_SILENT;
		}
	}
	*ret_why = QUEUE_USER_FULL;
	if (n >= QUEUE_OF_UID || (!has_asked && n_silent >= QUEUE_SILENT_OF_UID))
		return NULL;
	if (!place)
		place = most_silent(q, silent_before_ms);
	if (!place)
		place = one_of_many(q, n);
	*ret_why = place ? QUEUE_HAS_ROOM : QUEUE_ALL_FULL;
	return place;
}

void queue_enter(struct queue *q, struct conn *c, int fd, uint32_t uid, uint64_t deadline_ms)
{
	uint32_t ahead = 0;

	for (size_t i = 0; i < QUEUE_CONNS; i++)
		ahead += is_with_back(&q->conn[i]) && q->conn[i].uid == uid;
	*c = (struct conn){.state = CONN_SILENT,
			   .fd = fd,
			   .turn = c->turn + 1,
			   .uid = uid,
			   .ahead = ahead,
			   .deadline_ms = deadline_ms};
	q->n++;
}

void queue_ask(struct queue *q, struct conn *c, uint64_t deadline_ms)
{
	c->state = CONN_ASKS;
	c->order = q->next_order++;
	c->deadline_ms = deadline_ms;
}

struct conn *queue_next(struct queue *q)
{
	struct conn *next = NULL;

	if (q->n_passed >= QUEUE_PASSED)
		return NULL;
	for (size_t i = 0; i < QUEUE_CONNS; i++) {
		struct conn *c = &q->conn[i];

		if (c->state != CONN_ASKS || c->ahead >= QUEUE_PASSED_OF_UID)
			continue;
		if (!next || c->ahead < next->ahead ||
		    (c->ahead == next->ahead && c->order < next->order))
			next = c;
	}
	return next;
}

static void count(struct queue *q, uint32_t uid, int more)
{
	q->n_passed += (size_t)more;
	for (size_t i = 0; i < QUEUE_CONNS; i++)
		if (q->conn[i].state != CONN_FREE && q->conn[i].uid == uid)
			q->conn[i].ahead += (uint32_t)more;
}

void queue_pass(struct queue *q, struct conn *c, uint64_t deadline_ms)
{
	c->state = CONN_PASSED;
	c->deadline_ms = deadline_ms;
	count(q, c->uid, 1);
}

/* An answer that comes later is for nobody: the turn has passed. */
void queue_leave(struct queue *q, struct conn *c)
{
	if (is_with_back(c))
		count(q, c->uid, -1);
	*c = (struct conn){.fd = -1, .turn = c->turn + 1};
	q->n--;
}
