/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front's queue: first come, first served, but who has the least under way before; no more with
 * the back than may be; who makes room, and who is sent away; and, over random steps, that the
 * counts are those of the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/queue.h"

#define SILENT_MS 2000
#define NOBODY 0 /* no silent client has waited for long enough */

static int set_up(void **state)
{
	struct queue *q = malloc(sizeof(*q));

	if (!q)
		return -1;
	queue_init(q);
	*state = q;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static struct conn *come(struct queue *q, uint32_t uid)
{
	enum queue_full why;
	struct conn *c = queue_place(q, uid, false, NOBODY, &why);

	assert_non_null(c);
	assert_int_equal(c->state, CONN_FREE);
	queue_enter(q, c, 7, uid, SILENT_MS);
	return c;
}

static struct conn *ask(struct queue *q, uint32_t uid)
{
	struct conn *c = come(q, uid);

	queue_ask(q, c, SILENT_MS);
	return c;
}

static struct conn *pass(struct queue *q)
{
	struct conn *c = queue_next(q);

	if (c)
		queue_pass(q, c, SILENT_MS);
	return c;
}

static void test_order(void **state)
{
	struct queue *q = *state;
	struct conn *a[6], *b[2], *c;

	assert_null(queue_next(q));
	for (int i = 0; i < 6; i++)
		a[i] = ask(q, 1);
	c = come(q, 3);
	for (int i = 0; i < 2; i++)
		b[i] = ask(q, 2);
	/* Each user's first, then each user's second; a user's in the order in which they came. */
	assert_ptr_equal(pass(q), a[0]);
	assert_ptr_equal(pass(q), b[0]);
	assert_ptr_equal(pass(q), a[1]);
	assert_ptr_equal(pass(q), b[1]);
	assert_null(pass(q));
	/* Who speaks later comes later, but before what others have beyond their first. */
	queue_ask(q, c, SILENT_MS);
	queue_leave(q, a[0]);
	assert_ptr_equal(pass(q), c);
	assert_ptr_equal(pass(q), a[2]);
	assert_null(pass(q));
	/* Whoever hangs up counts until what he asked for is done. */
	b[0]->state = CONN_GONE;
	assert_null(pass(q));
	queue_leave(q, a[3]);
	queue_leave(q, a[1]);
	assert_ptr_equal(pass(q), a[4]);
}

static void test_all_passed(void **state)
{
	struct queue *q = *state;
	struct conn *first = NULL;

	for (uint32_t uid = 0; uid < 2 * QUEUE_PASSED; uid++)
		ask(q, uid);
	for (uint32_t n = 0; n < QUEUE_PASSED; n++) {
		struct conn *c = pass(q);

		first = first ? first : c;
		assert_int_equal(c->uid, n);
	}
	assert_null(pass(q));
	queue_leave(q, first);
	assert_int_equal(pass(q)->uid, QUEUE_PASSED);
	assert_null(pass(q));
}

static void test_limits_of_user(void **state)
{
	struct queue *q = *state;
	enum queue_full why;
	struct conn *c;

	for (int i = 0; i < QUEUE_SILENT_OF_UID; i++)
		come(q, 1);
	assert_null(queue_place(q, 1, false, NOBODY, &why));
	assert_int_equal(why, QUEUE_USER_FULL);
	for (int i = QUEUE_SILENT_OF_UID; i < QUEUE_OF_UID; i++) {
		c = queue_place(q, 1, true, NOBODY, &why);
		assert_non_null(c);
		assert_int_equal(why, QUEUE_HAS_ROOM);
		queue_enter(q, c, 7, 1, SILENT_MS);
		queue_ask(q, c, SILENT_MS);
	}
	assert_null(queue_place(q, 1, true, NOBODY, &why));
	assert_int_equal(why, QUEUE_USER_FULL);
	come(q, 2);
}

static void test_room(void **state)
{
	struct queue *q = *state;
	struct conn *c, *old, *last = NULL;
	enum queue_full why;

	old = come(q, 1);
	come(q, 1)->deadline_ms = SILENT_MS + 1;
	for (int i = 0; i < QUEUE_OF_UID; i++)
		last = ask(q, 2);
	while (q->n < QUEUE_CONNS)
		ask(q, 100 + (uint32_t)q->n);
	/* Who has been silent for long, */
	c = queue_place(q, 9, false, SILENT_MS, &why);
	assert_ptr_equal(c, old);
	queue_leave(q, c);
	queue_enter(q, c, 8, 9, SILENT_MS);
	queue_ask(q, c, SILENT_MS);
	assert_int_equal(c->fd, 8);
	/* else the last of him who has the most; */
	c = queue_place(q, 9, true, NOBODY, &why);
	assert_ptr_equal(c, last);
	queue_leave(q, c);
	queue_enter(q, c, 8, 9, SILENT_MS);
	queue_ask(q, c, SILENT_MS);
	assert_int_equal(queue_place(q, 10, true, NOBODY, &why)->uid, 2);
	/* but not for him himself. */
	assert_null(queue_place(q, 2, true, NOBODY, &why));
	assert_int_equal(why, QUEUE_ALL_FULL);
}

/* Of many who have one each nobody makes room. */
static void test_no_room(void **state)
{
	struct queue *q = *state;
	enum queue_full why;

	while (q->n < QUEUE_CONNS)
		ask(q, (uint32_t)q->n);
	assert_null(queue_place(q, 1000, true, NOBODY, &why));
	assert_int_equal(why, QUEUE_ALL_FULL);
}

static void check(const struct queue *q)
{
	size_t n = 0, n_passed = 0;

	for (size_t i = 0; i < QUEUE_CONNS; i++) {
		const struct conn *c = &q->conn[i];
		uint32_t ahead = 0;

		if (c->state == CONN_FREE) {
			assert_int_equal(c->fd, -1);
			continue;
		}
		n++;
		n_passed += c->state == CONN_PASSED || c->state == CONN_GONE;
		for (size_t k = 0; k < QUEUE_CONNS; k++)
			ahead += (q->conn[k].state == CONN_PASSED ||
				  q->conn[k].state == CONN_GONE) &&
				 q->conn[k].uid == c->uid;
		assert_int_equal(c->ahead, ahead);
		assert_true(ahead <= QUEUE_PASSED_OF_UID);
	}
	assert_int_equal(q->n, n);
	assert_int_equal(q->n_passed, n_passed);
	assert_true(n_passed <= QUEUE_PASSED);
}

static void step(struct queue *q, unsigned what, uint32_t uid, size_t at)
{
	struct conn *c = &q->conn[at];
	enum queue_full why;

	if (what < 4) {
		c = queue_place(q, uid, what < 2, what == 3 ? SILENT_MS : NOBODY, &why);
		assert_int_equal(!c, why != QUEUE_HAS_ROOM);
		if (!c)
			return;
		assert_int_not_equal(c->state, CONN_PASSED);
		assert_int_not_equal(c->state, CONN_GONE);
		if (c->state != CONN_FREE)
			queue_leave(q, c);
		queue_enter(q, c, 7, uid, SILENT_MS);
		if (what < 2)
			queue_ask(q, c, SILENT_MS);
	} else if (what < 6) {
		(void)pass(q);
	} else if (c->state == CONN_SILENT && what == 6) {
		queue_ask(q, c, SILENT_MS);
	} else if (c->state == CONN_PASSED && what == 7) {
		c->state = CONN_GONE;
	} else if (c->state != CONN_FREE && what == 8) {
		queue_leave(q, c);
	}
}

static void test_counts(void **state)
{
	struct queue *q = *state;
	uint32_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		seed = seed * 1664525u + 1013904223u;
		/* Few users, and many. */
		step(q, (seed >> 24) % 9, (seed >> 16) % (i < 10000 ? 5 : 250),
		     (seed >> 8) % QUEUE_CONNS);
		if (i % 16 == 0)
			check(q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_passed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits_of_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_counts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
