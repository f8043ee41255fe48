/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window that is promised to the container and when it is told, and when an ACK is due.
 * RFC 9293 3.8.6, 3.10.7.4; RFC 5681 4.2; RFC 1122 4.2.3.3.
 */
#include "lab.h"

#include "tcp/tcb_parts.h"

/* Only what was promised is taken, to the byte; what was promised is. */
static void test_window_edge(void **state)
{
	struct lab l = lab_new();

	(void)state;
	l.conf.window = 1000;
	l.room = 1000;
	lab_establish(&l);
	lab_in(&l, A, 1, 1, 1100);
	lab_equal(l.r.data_len, 1000);
	lab_equal(l.r.advance, 1000);
	lab_out(&l, A, 1, 1001, 0);
	lab_equal(l.out.h.wnd, 0);
	l.room = 0;
	/* Shut: data and FIN are refused, ACK and RST count (MUST-66). */
	lab_queue(&l, 10);
	lab_out(&l, P | A, 1, 1001, 10);
	lab_in(&l, A, 1001, 11, 100);
	lab_equal(l.r.data_len, 0);
	lab_equal(l.r.acked, 10);
	lab_out(&l, A, 11, 1001, 0);
	lab_in(&l, R, 1001, 0, 0);
	lab_true(l.r.is_reset);
}

/* A caller with less room than was promised loses what is above, never what is below. */
static void test_less_room(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	l.room = 300;
	lab_in(&l, A, 201, 1, 200);
	lab_equal(l.r.data_at, 200);
	lab_equal(l.r.data_len, 100);
	lab_in(&l, A | F, 1, 1, 500);
	lab_equal(l.r.data_len, 200);
	lab_equal(l.r.advance, 300);
	lab_false(l.r.is_eof);
}

/* SHLD-14, MUST-34: the right edge stays when the room shrinks; MUST-39: it moves on in steps. */
static void test_window_update(void **state)
{
	struct lab l = lab_new();
	uint32_t edge;

	(void)state;
	l.conf.window = 20480;
	lab_establish(&l);
	lab_in(&l, A, 1, 1, 1280);
	lab_out(&l, A, 1, 1281, 0);
	edge = 1281 + ((uint32_t)l.out.h.wnd << l.t.rcv_shift);
	lab_equal(edge, 20481);
	/* No room is left, says the caller: the promise stands. */
	tcb_set_room(&l.t, 0);
	tcb_ack_now(&l.t);
	lab_out(&l, A, 1, 1281, 0);
	lab_equal(1281 + ((uint32_t)l.out.h.wnd << l.t.rcv_shift), edge);
	l.room = 20480;
	lab_in(&l, A, 1281, 1, 100);
	tcb_ack_now(&l.t);
	/* What the field cannot say is still taken. */
	lab_out(&l, A, 1, 1381, 0);
	lab_equal(l.out.h.wnd, 19100 / 128);
	lab_in(&l, A, 1381, 1, 20000);
	lab_equal(l.r.advance, 19100);
	lab_out(&l, A, 1, edge, 0);
	lab_equal(l.out.h.wnd, 0);
	/* A little room is not worth a word, not even beside an ACK. */
	tcb_set_room(&l.t, 1400);
	lab_quiet(&l);
	tcb_ack_now(&l.t);
	lab_out(&l, A, 1, edge, 0);
	lab_equal(l.out.h.wnd, 0);
	/* A segment's worth is, at once: the container waits. */
	tcb_set_room(&l.t, 1600);
	lab_out(&l, A, 1, edge, 0);
	lab_equal(l.out.h.wnd, 1600 / 128);
	lab_quiet(&l);
	/* While it has something to fill, only more is. */
	tcb_set_room(&l.t, 3000);
	lab_quiet(&l);
	tcb_set_room(&l.t, 20480);
	lab_out(&l, A, 1, edge, 0);
	lab_equal(l.out.h.wnd, 20480 / 128);
	lab_quiet(&l);
}

/* A queue smaller than two segments opens by half of itself. */
static void test_small_buffer(void **state)
{
	struct lab l = lab_new();

	(void)state;
	l.conf.window = l.room = 1024;
	lab_establish(&l);
	lab_in(&l, A, 1, 1, 1024);
	lab_equal(l.r.advance, 1024);
	lab_out(&l, A, 1, 1025, 0);
	lab_equal(l.out.h.wnd, 0);
	tcb_set_room(&l.t, 500);
	lab_quiet(&l);
	tcb_set_room(&l.t, 512);
	lab_out(&l, A, 1, 1025, 0);
	lab_equal(l.out.h.wnd, 4);
}

/* RFC 5681 4.2, MUST-58, MUST-59: two full segments or 40 ms; a super-segment at once; and at once
 * in the beginning, where the container's window is small. */
static void test_ack_policy(void **state)
{
	struct lab l = lab_new();
	uint32_t seq = 1;

	(void)state;
	lab_establish(&l);
	for (unsigned i = 0; i < TCB_QUICK; i++, seq += 1448) {
		lab_in(&l, A, seq, 1, 1448);
		tcb_set_room(&l.t, 65536);
		lab_out(&l, A, 1, seq + 1448, 0);
	}
	for (unsigned i = 0; i < 4; i++, seq += 2896) {
		lab_in(&l, A, seq, 1, 1448);
		lab_quiet(&l);
		lab_in(&l, A, seq + 1448, 1, 1448);
		lab_out(&l, A, 1, seq + 2896, 0);
		tcb_set_room(&l.t, 65536);
	}
	/* Several of a batch: one ACK. */
	for (unsigned i = 0; i < 8; i++, seq += 1448)
		lab_in(&l, A, seq, 1, 1448);
	tcb_set_room(&l.t, 65536);
	lab_out(&l, A, 1, seq, 0);
	lab_quiet(&l);
	/* A super-segment. */
	lab_in(&l, A, seq, 1, 20000);
	seq += 20000;
	lab_out(&l, A, 1, seq, 0);
	/* A little one waits, for company or for 40 ms. */
	tcb_set_room(&l.t, 65536);
	while (tcb_output(&l.t, l.now, &l.out))
		;
	lab_in(&l, A, seq, 1, 10);
	seq += 10;
	lab_quiet(&l);
	lab_due(&l, 40);
	lab_out(&l, A, 1, seq, 0);
	lab_quiet(&l);
	/* Data takes it along. */
	lab_in(&l, A, seq, 1, 10);
	seq += 10;
	lab_queue(&l, 5);
	lab_out(&l, A | P, 1, seq, 5);
	lab_quiet(&l);
	lab_in(&l, A, seq, 6, 0);
	lab_quiet(&l);
	/* The filling of a gap, at once. */
	lab_in(&l, A, seq + 100, 6, 100);
	lab_out(&l, A, 6, seq, 0);
	lab_in(&l, A, seq, 6, 100);
	lab_out(&l, A, 6, seq + 200, 0);
	seq += 200;
	/* After a pause the first ones go at once again. */
	l.now += 2000;
	lab_in(&l, A, seq, 6, 10);
	lab_out(&l, A, 6, seq + 10, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window_edge),   cmocka_unit_test(test_less_room),
		cmocka_unit_test(test_window_update), cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_ack_policy),
	};

	return cmocka_run_group_tests_name("tcp window", tests, NULL, NULL);
}
