/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data to the container: super-segments, its window (small, shut, shrunk, silly), probes, and that
 * nothing ever goes beyond. RFC 9293 3.8.6; RFC 5681 3.1 and 4.1; RFC 7323 2.3.
 */
#include "lab.h"

#include "tcp/tcb_parts.h"

/* The container takes everything for a while, so that no congestion window is in the way. */
static uint32_t warm_up(struct lab *l)
{
	uint32_t at = 1;

	for (unsigned i = 0; i < 10; i++) {
		lab_queue(l, 250000);
		while (tcb_output(&l->t, l->now, &l->out))
			at = l->out.h.seq - l->iss + l->out.data_len;
		lab_in(l, A, 1, at, 0);
	}
	lab_queue(l, 0);
	lab_true(l->t.cwnd >= (l->has_wscale ? 250000u : 120000u));
	return at;
}

/* Pieces of up to segment_max, whole segments but for the last, PSH where the queue ends. */
static void test_super_segments(void **state)
{
	struct lab l = lab_new();
	uint32_t at;

	(void)state;
	lab_establish(&l);
	at = warm_up(&l);
	lab_queue(&l, 100100);
	lab_out(&l, A, at, 1, 44 * 1448);
	lab_equal(l.out.mss, 1448);
	lab_equal(l.out.data_at, 0);
	lab_out(&l, A | P, at + 44 * 1448, 1, 100100 - 44 * 1448);
	lab_equal(l.out.data_at, 44 * 1448);
	lab_quiet(&l);
	lab_in(&l, A, 1, at + 100100, 0);
	lab_equal(l.r.acked, 100100);
	lab_equal(l.t.queued, 0);
	lab_quiet(&l);
}

/* The window of the container, with and without scaling, is kept to the byte. */
static void test_window_kept(void **state)
{
	(void)state;
	for (unsigned w = 0; w < 3; w++) {
		static const uint16_t wnd[] = {1, 3000, 65535};
		struct lab l = lab_new();
		uint32_t at, n = 0, allowed;

		l.has_wscale = w == 1;
		lab_establish(&l);
		at = warm_up(&l);
		l.wnd = wnd[w];
		allowed = (uint32_t)wnd[w] << (l.has_wscale ? 2 : 0);
		lab_in(&l, A, 1, at, 0);
		lab_queue(&l, 300000);
		while (tcb_output(&l.t, l.now, &l.out))
			n += l.out.data_len;
		/* Less than a quarter waits for company. */
		lab_true(n <= allowed && n + 1448 + allowed / 4 > allowed);
		lab_equal(n % 1448, 0);
	}
}

/* MUST-38: with half of the largest window or a full segment it goes on; less waits for an ACK, or,
 * when none is to come, for the time-out. */
static void test_silly_window(void **state)
{
	struct lab l = lab_new();

	(void)state;
	l.has_wscale = false;
	l.wnd = 2000;
	lab_establish(&l);
	lab_queue(&l, 10000);
	lab_out(&l, A, 1, 1, 1448);
	lab_quiet(&l); /* 552 would be silly */
	l.wnd = 700;
	lab_in(&l, A, 1, 1449, 0);
	lab_quiet(&l);
	lab_due(&l, 200);
	lab_out(&l, A, 1449, 1, 700);
	lab_quiet(&l);
	l.wnd = 1000; /* half of the largest */
	lab_in(&l, A, 1, 2149, 0);
	lab_out(&l, A, 2149, 1, 1000);
	l.wnd = 2000;
	lab_in(&l, A, 1, 3149, 0);
	lab_out(&l, A, 3149, 1, 1448);
	/* The rest of the queue is not silly. */
	lab_in(&l, A, 1, 4597, 0);
	lab_queue(&l, 300);
	lab_out(&l, A | P, 4597, 1, 300);
	lab_queue(&l, 350);
	lab_out(&l, A | P, 4897, 1, 50);
}

/* MUST-35 to MUST-37, SHLD-29, SHLD-30: first at the RTO, then doubled up to 60 s, for as long as
 * the container answers; empty, so nothing goes beyond the window. */
static void test_zero_window(void **state)
{
	static const uint32_t gaps[] = {200,   400,   800,   1600,  3200,  6400,  12800,
					25600, 51200, 60000, 60000, 60000, 60000, 60000};
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	l.wnd = 0;
	lab_in(&l, A, 1, 1, 10);
	lab_out(&l, A, 1, 11, 0);
	lab_queue(&l, 5000);
	lab_quiet(&l);
	for (unsigned hour = 0; hour < 100; hour++) {
		for (size_t i = 0; i < sizeof(gaps) / sizeof(*gaps); i++) {
			if (hour > 0)
				lab_wait(&l, 60000);
			else
				lab_due(&l, gaps[i]);
			lab_out(&l, A, 0, 11, 0);
			lab_quiet(&l);
			lab_in(&l, A, 11, 1, 0);
			lab_quiet(&l);
		}
	}
	/* The window opens. */
	l.wnd = 5000;
	lab_in(&l, A, 11, 1, 0);
	lab_out(&l, A | P, 1, 11, 5000);
	lab_in(&l, A, 11, 5001, 0);
	lab_equal(l.r.acked, 5000);
	/* It shuts again: from the beginning. */
	l.wnd = 0;
	lab_queue(&l, 1);
	lab_in(&l, A, 11, 5001, 0);
	lab_quiet(&l);
	lab_due(&l, 200);
	lab_out(&l, A, 5000, 11, 0);
	/* A FIN behind the queue waits, too. */
	tcb_shutdown(&l.t);
	lab_quiet(&l);
	l.wnd = 100;
	lab_in(&l, A, 11, 5001, 0);
	lab_out(&l, F | P | A, 5001, 11, 1);
}

/* Nobody answers the probes: there is an end to it. */
static void test_zero_window_dead(void **state)
{
	struct lab l = lab_new();
	uint64_t start = l.now;

	(void)state;
	lab_establish(&l);
	l.wnd = 0;
	lab_in(&l, A, 1, 1, 10);
	lab_queue(&l, 5000);
	while (tcb_output(&l.t, l.now, &l.out))
		;
	for (unsigned i = 0; i < 1000; i++) {
		l.now = tcb_deadline(&l.t);
		if (tcb_timeout(&l.t, l.now) == TCB_GIVE_UP) {
			lab_true(l.now - start >= 100 * 1000);
			lab_true(l.now - start <= 1000 * 1000);
			lab_out(&l, R | A, 1, 11, 0);
			lab_state(&l, TCP_CLOSED);
			return;
		}
		while (tcb_output(&l.t, l.now, &l.out))
			lab_equal(l.out.data_len, 0);
	}
	fail_msg("no end");
}

/* SHLD-15 to SHLD-18: the container takes its window back. Nothing new goes, nothing beyond is sent
 * again, and the connection lives. */
static void test_shrink(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	lab_queue(&l, 14480);
	lab_out(&l, A | P, 1, 1, 14480);
	l.wnd = 724; /* 2896 bytes */
	lab_in(&l, A, 1, 1449, 0);
	lab_quiet(&l);
	lab_queue(&l, 20000);
	lab_quiet(&l);
	lab_wait(&l, 250); /* the tail probe has nothing to say: its segment lies beyond */
	lab_out(&l, A, 1449, 1, 1448);
	lab_quiet(&l);
	/* To nothing: probes. */
	l.wnd = 0;
	lab_in(&l, A, 1, 2897, 0);
	lab_quiet(&l);
	lab_wait(&l, 1000);
	lab_out(&l, A, 2896, 1, 0);
	lab_quiet(&l);
	/* It opens: what was under way is believed lost at the time-out. */
	l.wnd = 0x1000;
	lab_in(&l, A, 1, 2897, 0);
	while (tcb_output(&l.t, l.now, &l.out))
		;
	lab_wait(&l, 1000);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_equal(l.out.h.seq - l.iss, 2897);
	lab_true(l.out.data_len >= 1448);
}

/* A window update that is lost: a probe finds out. */
static void test_update_lost(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	l.wnd = 0;
	lab_queue(&l, 2000);
	lab_in(&l, A, 1, 1, 1);
	lab_out(&l, A, 1, 2, 0);
	/* ACK with window 0xffff is lost here. */
	lab_due(&l, 200);
	lab_out(&l, A, 0, 2, 0);
	l.wnd = 0xffff;
	lab_in(&l, A, 2, 1, 0);
	lab_out(&l, A | P, 1, 2, 2000);
}

/* An old segment does not set the window (SND.WL1, SND.WL2). */
static void test_old_window(void **state)
{
	struct lab l = lab_new();

	(void)state;
	l.has_wscale = false;
	lab_establish(&l);
	l.wnd = 5000;
	lab_in(&l, A, 1, 1, 100);
	lab_in(&l, A, 101, 1, 0);
	lab_equal(l.t.snd_wnd, 5000);
	l.wnd = 60000;
	lab_in(&l, A, 51, 1, 60); /* sent before */
	lab_equal(l.t.snd_wnd, 5000);
	lab_in(&l, A, 111, 1, 0);
	lab_equal(l.t.snd_wnd, 60000);
}

/* RFC 5681 4.1: after a pause the window begins anew. */
static void test_idle_restart(void **state)
{
	struct lab l = lab_new();
	uint32_t at;

	(void)state;
	lab_establish(&l);
	at = warm_up(&l);
	l.now += 10000;
	lab_queue(&l, 200000);
	lab_out(&l, A, at, 1, 14480);
	lab_quiet(&l);
}

/* Slow start, and that a window that is not used does not grow (RFC 5681 3.1, RFC 7661). */
static void test_growth(void **state)
{
	struct lab l = lab_new();
	uint32_t cwnd;

	(void)state;
	lab_establish(&l);
	lab_queue(&l, 14480);
	lab_out(&l, A | P, 1, 1, 14480);
	lab_in(&l, A, 1, 14481, 0);
	lab_equal(l.t.cwnd, 28960);
	cwnd = l.t.cwnd;
	for (uint32_t i = 0; i < 100; i++) {
		lab_queue(&l, 100);
		lab_out(&l, A | P, 14481 + i * 100, 1, 100);
		lab_in(&l, A, 1, 14581 + i * 100, 0);
	}
	lab_equal(l.t.cwnd, cwnd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_super_segments),   cmocka_unit_test(test_window_kept),
		cmocka_unit_test(test_silly_window),     cmocka_unit_test(test_zero_window),
		cmocka_unit_test(test_zero_window_dead), cmocka_unit_test(test_shrink),
		cmocka_unit_test(test_update_lost),      cmocka_unit_test(test_old_window),
		cmocka_unit_test(test_idle_restart),     cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests_name("tcp send", tests, NULL, NULL);
}
