/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends: RST and the checks before it, challenge ACKs, old timestamps, TIME-WAIT and its reuse, the
 * bounds of transitory states, keep-alive. RFC 9293 3.6, 3.8.4, 3.10.7.4; RFC 5961; RFC 7323 5;
 * RFC 6191; RFC 5382 REQ-5.
 */
#include "lab.h"

#include "tcp/tcb_parts.h"

static const enum tcp_state open_states[] = {
	TCP_SYN_RCVD,   TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT, TCP_CLOSING,     TCP_LAST_ACK,   TCP_TIME_WAIT,
};
#define N_OPEN (sizeof(open_states) / sizeof(*open_states))

static uint32_t next_of(const struct lab *l)
{
	return l->t.rcv_nxt - l->irs;
}

/* RFC 5961 3.2: exact: reset; in the window: challenge; else nothing at all. */
static void test_rst(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OPEN; i++) {
		static const int32_t off[] = {-1, 1, 1000, 70000, -70000};
		struct lab l = lab_new();

		for (size_t k = 0; k < sizeof(off) / sizeof(*off); k++) {
			lab_reach(&l, open_states[i]);
			lab_in(&l, R, next_of(&l) + (uint32_t)off[k], 0, 0);
			lab_true(l.r.is_drop);
			lab_equal(l.r.is_challenge, off[k] > 0 && off[k] < 65000);
			lab_false(l.r.is_reset || l.r.is_closed);
			lab_state(&l, open_states[i]);
			lab_quiet(&l);
		}
		lab_in(&l, R, next_of(&l), 0, 0);
		if (open_states[i] == TCP_CLOSING || open_states[i] == TCP_LAST_ACK ||
		    open_states[i] == TCP_TIME_WAIT)
			lab_true(l.r.is_closed && !l.r.is_reset);
		else
			lab_true(l.r.is_reset && !l.r.is_closed);
		lab_state(&l, TCP_CLOSED);
		lab_quiet(&l);
		lab_equal(tcb_deadline(&l.t), UINT64_MAX);
	}
}

/* RFC 5961 4.2: a SYN, wherever it lies, is asked for; the connection lives. */
static void test_syn(void **state)
{
	(void)state;
	for (size_t i = 1; i < N_OPEN; i++) {
		static const uint32_t seq[] = {0, 1, 5, 40000, 0x70000000};
		struct lab l = lab_new();

		for (size_t k = 0; k < sizeof(seq) / sizeof(*seq); k++) {
			lab_reach(&l, open_states[i]);
			l.now++;
			if (open_states[i] == TCP_TIME_WAIT)
				lab_in(&l, S | A, seq[k], 1, 0);
			else
				lab_in(&l, S, seq[k], 0, 0);
			lab_true(l.r.is_challenge && l.r.is_drop);
			lab_quiet(&l);
			tcb_ack_now(&l.t);
			lab_true(tcb_output(&l.t, l.now, &l.out));
			lab_equal(l.out.h.flags, A);
			lab_equal(l.out.h.ack, l.t.rcv_nxt);
			lab_equal(l.out.h.seq, l.t.snd_nxt);
			lab_state(&l, open_states[i]);
		}
	}
}

/* RFC 5961 5.2. */
static void test_ack_range(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	lab_in(&l, A, 1, 2, 10); /* of what was never sent */
	lab_true(l.r.is_drop && l.r.is_challenge);
	lab_equal(l.r.data_len, 0);
	lab_in(&l, A, 1, 0x80000000, 10);
	lab_true(l.r.is_drop && l.r.is_challenge);
	lab_in(&l, A, 1, 1 - 0xffff * 4, 10); /* the largest window below */
	lab_equal(l.r.data_len, 10);
	lab_in(&l, A, 11, 0 - 0xffff * 4, 10);
	lab_true(l.r.is_drop && l.r.is_challenge);
	lab_in(&l, P, 11, 0, 10); /* without ACK */
	lab_true(l.r.is_drop);
	lab_false(l.r.is_challenge);
	lab_in(&l, 0, 11, 0, 0);
	lab_true(l.r.is_drop);
	lab_in(&l, F | P | U, 11, 0, 0); /* XMAS */
	lab_true(l.r.is_drop);
	lab_state(&l, TCP_ESTABLISHED);
}

/* What lies outside of the window: data is answered, an empty segment only by a limited challenge,
 * so that two ends cannot answer each other for ever. */
static void test_outside(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	lab_in(&l, A, 70000, 1, 10);
	lab_true(l.r.is_drop);
	lab_out(&l, A, 1, 1, 0);
	lab_in(&l, A, 70000, 1, 0);
	lab_true(l.r.is_drop && l.r.is_challenge);
	lab_quiet(&l);
	lab_in(&l, A, (uint32_t)-5000, 1, 10);
	lab_true(l.r.is_drop);
	lab_out(&l, A, 1, 1, 0);
}

/* RFC 7323 5.3: older than the latest: dropped, answered; RST does not care. After 24 days the
 * latest is forgotten. */
static void test_paws(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	l.tsval = (uint32_t)l.now - 1;
	lab_in(&l, A, 1, 1, 10);
	lab_true(l.r.is_drop);
	lab_equal(l.r.data_len, 0);
	lab_out(&l, A, 1, 1, 0);
	l.has_ts = false; /* none at all: dropped in silence (3.2) */
	lab_in(&l, A, 1, 1, 10);
	lab_true(l.r.is_drop);
	lab_quiet(&l);
	l.has_ts = true;
	l.tsval = (uint32_t)l.now + 5;
	lab_in(&l, A, 1, 1, 10);
	lab_equal(l.r.advance, 10);
	lab_equal(l.t.ts_recent, l.tsval);
	l.tsval += 100; /* not of the segment that the next ACK is about (4.3) */
	lab_in(&l, A, 1000, 1, 10);
	lab_equal(l.t.ts_recent, l.tsval - 100);
	l.tsval -= 1000;
	l.now += (uint64_t)25 * 24 * 3600 * 1000;
	lab_in(&l, A, 11, 1, 10);
	lab_equal(l.r.advance, 10);
	l.tsval -= 1;
	lab_in(&l, R, 21, 0, 0);
	lab_true(l.r.is_reset);
}

/* 2 MSL, and the FIN again begins it anew and is acknowledged. */
static void test_time_wait(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_TIME_WAIT);
	lab_wait(&l, 6000);
	lab_in(&l, F | A, 1, 2, 0);
	lab_out(&l, A, 2, 2, 0);
	lab_quiet(&l);
	lab_ends(&l, TCB_TIME_WAIT, TCB_EXPIRED);
	lab_state(&l, TCP_CLOSED);
	lab_quiet(&l);
	/* From CLOSING. */
	lab_reach(&l, TCP_CLOSING);
	lab_in(&l, A, 2, 2, 0);
	lab_state(&l, TCP_TIME_WAIT);
	lab_quiet(&l);
	lab_ends(&l, TCB_TIME_WAIT, TCB_EXPIRED);
}

/* MAY-2, RFC 6191: a SYN that is newer, by its timestamp or its number, ends TIME-WAIT. */
static void test_reopen(void **state)
{
	for (int has_ts = 0; has_ts < 2; has_ts++) {
		struct lab l = lab_new();

		(void)state;
		l.has_ts = has_ts;
		lab_reach(&l, TCP_TIME_WAIT);
		l.now += 5;
		lab_in(&l, S, 5000, 0, 0);
		lab_true(l.r.is_reopen);
		lab_false(l.r.is_drop);
		lab_state(&l, TCP_CLOSED);
		lab_reach(&l, TCP_TIME_WAIT);
		l.now += 5;
		lab_in(&l, S, (uint32_t)-5000, 0, 0);
		/* Smaller numbers, but a newer timestamp. */
		lab_equal(l.r.is_reopen, has_ts);
		lab_reach(&l, TCP_TIME_WAIT);
		l.now -= 5;
		lab_in(&l, S, 5000, 0, 0);
		lab_equal(l.r.is_reopen, !has_ts); /* an old one */
		lab_equal(l.r.is_challenge, has_ts);
		lab_reach(&l, TCP_TIME_WAIT);
		l.now += 5;
		lab_in(&l, S | F, 5000, 0, 0);
		lab_false(l.r.is_reopen);
	}
}

/* REQ-5: nothing in a state that ends stays longer than four minutes without a word. */
static void test_transitory(void **state)
{
	static const enum tcp_state states[] = {TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, TCP_CLOSING,
						TCP_LAST_ACK};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct lab l = lab_new();
		uint64_t start = l.now;
		enum tcb_timeout_result r = TCB_GO_ON;

		lab_reach(&l, states[i]);
		for (unsigned n = 0; n < 100 && r == TCB_GO_ON; n++) {
			lab_true(tcb_deadline(&l.t) != UINT64_MAX);
			l.now = tcb_deadline(&l.t);
			r = tcb_timeout(&l.t, l.now);
			while (r == TCB_GO_ON && tcb_output(&l.t, l.now, &l.out))
				lab_true(l.out.is_retransmit);
		}
		lab_equal(r, TCB_GIVE_UP);
		lab_equal(l.now - start, 240 * 1000);
		while (tcb_output(&l.t, l.now, &l.out))
			lab_equal(l.out.h.flags, R | A);
		lab_state(&l, TCP_CLOSED);
	}
}

/* FIN-WAIT-2 lasts while the container sends. */
static void test_fin_wait_2_alive(void **state)
{
	struct lab l = lab_new();
	uint32_t seq = 1;

	(void)state;
	lab_reach(&l, TCP_FIN_WAIT_2);
	for (unsigned i = 0; i < 100; i++) {
		lab_wait(&l, 200 * 1000);
		lab_in(&l, A, seq++, 2, 1);
		lab_equal(l.r.advance, 1);
		while (tcb_output(&l.t, l.now, &l.out))
			;
	}
	lab_wait(&l, 240 * 1000 - 1);
	lab_ends(&l, 1, TCB_GIVE_UP);
}

/* MUST-24 to MUST-29, REQ-5: two hours of silence, then probes; whoever answers lives on. */
static void test_keep_alive(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	for (unsigned i = 0; i < 20; i++) {
		lab_wait(&l, 7200 * 1000 - 1);
		lab_quiet(&l);
		lab_due(&l, 1);
		lab_out(&l, A, 0, 1, 0);
		lab_equal(l.out.data_len, 0);
		lab_quiet(&l);
		lab_in(&l, A, 1, 1, 0);
		lab_quiet(&l);
	}
	/* Four minutes more than two hours are nothing. */
	lab_wait(&l, (7200 + 240) * 1000);
	lab_state(&l, TCP_ESTABLISHED);

	l = lab_new();
	lab_reach(&l, TCP_CLOSE_WAIT);
	lab_due(&l, 7200 * 1000);
	for (unsigned i = 0; i < 8; i++) {
		lab_out(&l, A, 0, 2, 0);
		lab_quiet(&l);
		lab_due(&l, 75 * 1000);
	}
	lab_out(&l, A, 0, 2, 0);
	lab_ends(&l, 75 * 1000, TCB_GIVE_UP);
	lab_out(&l, R | A, 1, 2, 0);
	lab_state(&l, TCP_CLOSED);
}

/* 3.10.5, and nothing comes after. */
static void test_abort(void **state)
{
	(void)state;
	for (enum tcp_state s = TCP_CLOSED; s < N_TCP_STATES; s++) {
		struct lab l = lab_new();
		bool has_rst = s == TCP_SYN_HELD || s == TCP_SYN_RCVD || s == TCP_ESTABLISHED ||
			       s == TCP_FIN_WAIT_1 || s == TCP_FIN_WAIT_2 || s == TCP_CLOSE_WAIT;

		lab_reach(&l, s);
		tcb_reset(&l.t);
		tcb_reset(&l.t);
		lab_in(&l, A, 1, 1, 10);
		lab_true(l.r.is_drop);
		lab_equal(tcb_output(&l.t, l.now, &l.out), has_rst);
		if (has_rst)
			lab_equal(l.out.h.flags, R | A);
		lab_state(&l, TCP_CLOSED);
		lab_quiet(&l);
		lab_equal(tcb_deadline(&l.t), UINT64_MAX);
	}
}

/* Both at once, and FIN together with the ACK of ours. */
static void test_closing(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_FIN_WAIT_1);
	lab_in(&l, F | A, 1, 2, 0);
	lab_true(l.r.is_eof);
	lab_state(&l, TCP_TIME_WAIT);
	lab_out(&l, A, 2, 2, 0);
	lab_reach(&l, TCP_FIN_WAIT_1);
	lab_in(&l, F | A, 1, 1, 10);
	lab_true(l.r.is_eof);
	lab_equal(l.r.advance, 10);
	lab_state(&l, TCP_CLOSING);
	lab_out(&l, A, 2, 12, 0);
	/* Our FIN is still on its way, and is repeated. */
	lab_due(&l, 200);
	lab_out(&l, F | A, 1, 12, 0);
	lab_in(&l, A, 12, 2, 0);
	lab_state(&l, TCP_TIME_WAIT);
	lab_reach(&l, TCP_LAST_ACK);
	lab_in(&l, A, 2, 2, 0);
	lab_true(l.r.is_closed);
	lab_state(&l, TCP_CLOSED);
}

/* The clock of the process, and that of timestamps, over 2^32 ms. */
static void test_clock_wrap(void **state)
{
	struct lab l = lab_new();
	uint32_t at = 1;

	(void)state;
	l.now = (1ull << 32) - 50;
	lab_establish(&l);
	for (unsigned i = 0; i < 20; i++) {
		lab_queue(&l, 1000);
		lab_out(&l, A | P, at, 1 + i * 10, 1000);
		at += 1000;
		lab_wait(&l, 8);
		while (tcb_output(&l.t, l.now, &l.out))
			;
		lab_in(&l, A, 1 + i * 10, at, 10);
		lab_equal(l.r.acked, 1000);
		lab_equal(l.r.advance, 10);
		lab_true(l.t.rto <= 250);
		tcb_set_room(&l.t, 65536);
		lab_wait(&l, 40);
		lab_out(&l, A, at, 11 + i * 10, 0);
		lab_quiet(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_syn),
		cmocka_unit_test(test_ack_range),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_paws),
		cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_transitory),
		cmocka_unit_test(test_fin_wait_2_alive),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_clock_wrap),
	};

	return cmocka_run_group_tests_name("tcp close", tests, NULL, NULL);
}
