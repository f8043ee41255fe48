/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loss: fast retransmit with and without SACK, the pipe, limited transmit, rescue, time-outs and
 * their back-off, the tail probe, what was not lost after all. RFC 6675, RFC 6582, RFC 3042,
 * RFC 6298, RFC 3522, RFC 8985 7.
 */
#include "lab.h"

#include "tcp/tcb_parts.h"

#define M 1448u

/* Established, round-trip time 20 ms, n segments of one super-segment under way. */
static struct lab flying(unsigned n, bool has_sack, bool has_ts)
{
	struct lab l = lab_new();
	uint32_t at = 1, mss;

	l.has_sack = has_sack;
	l.has_ts = has_ts;
	lab_establish(&l);
	mss = l.t.mss;
	lab_equal(mss, has_ts ? 1448 : 1460);
	l.t.cwnd = 20 * mss;
	lab_queue(&l, n * mss);
	lab_out(&l, A | P, at, 1, n * mss);
	l.now += 20;
	return l;
}

static void ack(struct lab *l, uint32_t to, unsigned n, ...)
{
	struct tcphdr_v h = lab_header(l, A, 1, to);
	va_list ap;

	va_start(ap, n);
	h.n_sack = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		h.sack[i].left = l->iss + va_arg(ap, uint32_t);
		h.sack[i].right = l->iss + va_arg(ap, uint32_t);
	}
	va_end(ap);
	if (l->has_ts) /* a segment sent 20 ms ago */
		h.tsecr = (uint32_t)l->now - 20 + l->conf.ts_base;
	lab_feed(l, &h, 0);
}

/* The first of ten is lost; three SACKs bring it, once. */
static void test_fast_retransmit(void **state)
{
	struct lab l = flying(10, true, true);

	(void)state;
	ack(&l, 1, 1, 1 + M, 1 + 2 * M);
	lab_quiet(&l);
	ack(&l, 1, 1, 1 + M, 1 + 3 * M);
	lab_quiet(&l);
	ack(&l, 1, 1, 1 + M, 1 + 4 * M);
	lab_out(&l, A, 1, 1, M);
	lab_true(l.out.is_retransmit);
	lab_equal(l.t.ssthresh, 5 * M);
	lab_equal(l.t.cwnd, 5 * M);
	lab_quiet(&l);
	ack(&l, 1, 1, 1 + M, 1 + 10 * M);
	lab_quiet(&l);
	l.now += 20;
	ack(&l, 1 + 10 * M, 0);
	lab_equal(l.r.acked, 10 * M);
	lab_equal(l.t.phase, TCB_OPEN);
	lab_equal(l.t.cwnd, 5 * M);
	lab_quiet(&l);
	lab_equal(l.t.rtx_at, UINT64_MAX);
}

/* A single SACK of more than two segments is enough: super-segments are lost whole. */
static void test_one_sack(void **state)
{
	struct lab l = flying(10, true, true);

	(void)state;
	ack(&l, 1, 1, 1 + 4 * M, 1 + 10 * M);
	/* Four segments are lost, the pipe is empty: all of them as one. */
	lab_out(&l, A, 1, 1, 4 * M);
	lab_true(l.out.is_retransmit);
	lab_quiet(&l);
	ack(&l, 1 + 10 * M, 0);
	lab_equal(l.t.phase, TCB_OPEN);
}

/* Two holes: both, in order, and between them what was SACKed is left out. */
static void test_two_holes(void **state)
{
	struct lab l = flying(12, true, true);

	(void)state;
	ack(&l, 1 + M, 2, 1 + 2 * M, 1 + 5 * M, 1 + 6 * M, 1 + 12 * M);
	lab_equal(l.r.acked, M);
	lab_out(&l, A, 1 + M, 1, M);
	lab_out(&l, A, 1 + 5 * M, 1, M);
	lab_quiet(&l);
	l.now += 20;
	ack(&l, 1 + 5 * M, 1, 1 + 6 * M, 1 + 12 * M);
	lab_quiet(&l);
	lab_equal(l.t.phase, TCB_FAST);
	ack(&l, 1 + 12 * M, 0);
	lab_equal(l.t.phase, TCB_OPEN);
}

/* In recovery the pipe makes room for new data (NextSeg() rule 2). */
static void test_new_in_recovery(void **state)
{
	struct lab l = flying(10, true, true);

	(void)state;
	lab_queue(&l, 30 * M);
	l.t.cwnd = 10 * M;
	ack(&l, 1, 1, 1 + M, 1 + 4 * M);
	lab_out(&l, A, 1, 1, M); /* pipe is 7, window 5 */
	lab_quiet(&l);
	ack(&l, 1, 1, 1 + M, 1 + 8 * M); /* pipe: 1 retransmitted, 2 */
	lab_out(&l, A, 1 + 10 * M, 1, 2 * M);
	lab_quiet(&l);
}

/* RFC 3042: the first two duplicates let a new segment each go. */
static void test_limited_transmit(void **state)
{
	for (int has_sack = 0; has_sack < 2; has_sack++) {
		struct lab l = flying(4, has_sack, true);

		(void)state;
		l.t.cwnd = 4 * M;
		lab_queue(&l, 20 * M);
		lab_quiet(&l);
		if (has_sack)
			ack(&l, 1, 1, 1 + M, 1 + 2 * M);
		else
			ack(&l, 1, 0);
		lab_out(&l, A, 1 + 4 * M, 1, M);
		lab_quiet(&l);
	}
}

/* RFC 6582: three duplicates, then one more segment with each partial ACK. */
static void test_new_reno(void **state)
{
	struct lab l = flying(10, false, true);

	(void)state;
	for (int i = 0; i < 2; i++) {
		ack(&l, 1, 0);
		lab_quiet(&l);
	}
	ack(&l, 1, 0);
	lab_out(&l, A, 1, 1, M);
	lab_quiet(&l);
	for (int i = 0; i < 4; i++) {
		ack(&l, 1, 0);
		lab_quiet(&l);
	}
	l.now += 20;
	ack(&l, 1 + 4 * M, 0);
	lab_out(&l, A, 1 + 4 * M, 1, M);
	lab_quiet(&l);
	lab_equal(l.t.phase, TCB_FAST);
	ack(&l, 1 + 10 * M, 0);
	lab_equal(l.t.phase, TCB_OPEN);
	/* What is no duplicate: data, another window. */
	l = flying(10, false, true);
	for (uint32_t i = 0; i < 5; i++)
		lab_in(&l, A, 1 + i * 10, 1, 10);
	lab_equal(l.t.n_dup, 0);
	for (uint16_t i = 0; i < 5; i++) {
		l.wnd = (uint16_t)(1000 + i);
		lab_in(&l, A, 51, 1, 0);
	}
	lab_equal(l.t.n_dup, 0);
}

/* Rule 4: the tail of a window was lost as well, and nothing tells. */
static void test_rescue(void **state)
{
	struct lab l = flying(10, true, true);

	(void)state;
	ack(&l, 1, 1, 1 + 2 * M, 1 + 8 * M);
	lab_out(&l, A, 1, 1, 2 * M);
	l.now += 20;
	ack(&l, 1 + M, 1, 1 + 2 * M, 1 + 8 * M);
	lab_out(&l, A | P, 1 + 9 * M, 1, M);
	lab_true(l.out.is_retransmit);
	lab_quiet(&l); /* once */
}

/* RFC 6298 5.4 to 5.6: one segment, the window to one, doubled each time; the SACKs are forgotten
 * (RFC 2018 8), and slow start brings the rest. */
static void test_timeout(void **state)
{
	struct lab l = flying(10, true, true);
	uint32_t rto;

	(void)state;
	lab_equal(l.t.rto, 200);
	ack(&l, 1 + M, 0);
	rto = l.t.rto;
	lab_true(rto >= 200 && rto <= 220);
	lab_due(&l, l.t.rtx_at - l.now); /* the tail probe, and no answer */
	lab_out(&l, A | P, 1 + 9 * M, 1, M);
	lab_due(&l, rto);
	lab_equal(l.t.phase, TCB_LOSS);
	lab_equal(l.t.cwnd, M);
	lab_out(&l, A, 1 + M, 1, M);
	lab_true(l.out.is_retransmit);
	lab_quiet(&l);
	for (unsigned i = 1; i < 5; i++) {
		lab_due(&l, (uint64_t)rto << i);
		lab_out(&l, A, 1 + M, 1, M);
		lab_quiet(&l);
	}
	l.now += 20;
	ack(&l, 1 + 2 * M, 1, 1 + 3 * M, 1 + 4 * M);
	lab_equal(l.t.backoff, 0);
	lab_out(&l, A, 1 + 2 * M, 1, M);
	lab_out(&l, A, 1 + 4 * M, 1, M);
	lab_quiet(&l);
	l.now += 20;
	ack(&l, 1 + 5 * M, 0);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_equal(l.out.h.seq - l.iss, 1 + 5 * M);
	lab_true(l.out.data_len >= 2 * M);
	ack(&l, 1 + 10 * M, 0);
	lab_equal(l.t.phase, TCB_OPEN);
	lab_equal(l.t.rtx_at, UINT64_MAX);
}

/* A hole that is still there after two round trips is a loss (RFC 5827, RFC 8985 6.2); so is its
 * retransmission, once; then the time-out, and what was SACKed is forgotten. */
static void test_small_window(void **state)
{
	struct lab l = flying(3, true, true);
	uint64_t at;

	(void)state;
	ack(&l, 1, 1, 1 + M, 1 + 2 * M);
	lab_quiet(&l);
	at = l.t.rtx_at - l.now;
	lab_true(at >= 10 && at < 100);
	lab_due(&l, at);
	lab_equal(l.t.phase, TCB_FAST);
	lab_out(&l, A, 1, 1, M);
	lab_true(l.out.is_retransmit);
	at = l.t.rtx_at - l.now;
	lab_true(at >= 10 && at < 200);
	while (tcb_output(&l.t, l.now, &l.out)) /* the tail, once */
		lab_equal(l.out.h.seq - l.iss, 1 + 2 * M);
	lab_due(&l, l.t.rtx_at - l.now);
	lab_equal(l.t.phase, TCB_FAST);
	lab_out(&l, A, 1, 1, M);
	lab_true(l.t.rtx_at - l.now >= 200);
	while (tcb_output(&l.t, l.now, &l.out))
		;
	lab_due(&l, l.t.rtx_at - l.now);
	lab_equal(l.t.phase, TCB_LOSS);
	lab_equal(l.t.n_sacked, 0);
	lab_out(&l, A, 1, 1, M);
	lab_quiet(&l);
}

/* New data behind a retransmission arrives and the retransmission does not: it was lost. */
static void test_lost_again(void **state)
{
	struct lab l = flying(10, true, true);

	(void)state;
	lab_queue(&l, 40 * M);
	l.t.cwnd = 10 * M;
	ack(&l, 1, 1, 1 + M, 1 + 4 * M);
	lab_out(&l, A, 1, 1, M);
	lab_quiet(&l);
	ack(&l, 1, 1, 1 + M, 1 + 10 * M);
	lab_out(&l, A, 1 + 10 * M, 1, 4 * M);
	lab_quiet(&l);
	l.now += 20;
	ack(&l, 1, 1, 1 + M, 1 + 12 * M);
	while (tcb_output(&l.t, l.now, &l.out))
		lab_false(l.out.is_retransmit);
	ack(&l, 1, 1, 1 + M, 1 + 13 * M);
	lab_out(&l, A, 1, 1, M);
	lab_true(l.out.is_retransmit);
	lab_equal(l.t.n_rto, 0);
}

/* SHLD-11, MUST-20: it ends, after 100 s at least, with a RST. */
static void test_give_up(void **state)
{
	struct lab l = flying(2, true, true);
	uint64_t start = l.now;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		l.now = tcb_deadline(&l.t);
		if (tcb_timeout(&l.t, l.now) == TCB_GIVE_UP) {
			lab_true(l.now - start >= 100 * 1000);
			lab_true(l.now - start <= 1000 * 1000);
			lab_true(tcb_output(&l.t, l.now, &l.out));
			lab_equal(l.out.h.flags, R | A);
			lab_state(&l, TCP_CLOSED);
			return;
		}
		while (tcb_output(&l.t, l.now, &l.out))
			;
	}
	fail_msg("no end");
}

/* RFC 3522: the ACK of the original comes, late: everything as before, nothing more is sent again.
 */
static void test_spurious(void **state)
{
	struct lab l = flying(10, true, true);
	struct tcphdr_v h;
	uint32_t sent_at = (uint32_t)l.now - 20;

	(void)state;
	lab_wait(&l, 300);
	lab_out(&l, A, 1, 1, M);
	lab_equal(l.t.phase, TCB_LOSS);
	l.now += 5;
	h = lab_header(&l, A, 1, 1 + 2 * M);
	h.tsecr = sent_at + l.conf.ts_base;
	lab_feed(&l, &h, 0);
	lab_equal(l.t.phase, TCB_OPEN);
	lab_true(l.t.cwnd >= 20 * M);
	lab_quiet(&l);
}

/* RFC 8985 7: after two round trips the last segment goes again; when it is SACKed, the rest was
 * lost, and no time-out is needed. */
static void test_tail_probe(void **state)
{
	struct lab l = flying(10, true, true);
	uint32_t at;

	(void)state;
	ack(&l, 1 + 6 * M, 0);
	at = (uint32_t)(l.t.rtx_at - l.now);
	lab_true(at >= 10 && at < 100);
	lab_due(&l, at);
	lab_out(&l, A | P, 1 + 9 * M, 1, M);
	lab_true(l.out.is_retransmit);
	lab_quiet(&l);
	lab_true(l.t.rtx_at - l.now >= 200);
	l.now += 20;
	ack(&l, 1 + 6 * M, 1, 1 + 9 * M, 1 + 10 * M);
	lab_equal(l.t.phase, TCB_FAST);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_equal(l.out.h.seq - l.iss, 1 + 6 * M);
	lab_true(l.out.data_len >= M);
	/* With a FIN at the end. */
	l = flying(10, true, true);
	tcb_shutdown(&l.t);
	lab_out(&l, F | A, 1 + 10 * M, 1, 0);
	ack(&l, 1 + 6 * M, 0);
	lab_due(&l, l.t.rtx_at - l.now);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_true(l.out.h.flags & F);
	lab_equal(l.out.h.seq - l.iss + l.out.data_len, 1 + 10 * M);
	lab_quiet(&l);
}

/* A FIN that is lost, alone or with data. */
static void test_fin_lost(void **state)
{
	for (uint32_t n = 0; n < 2; n++) {
		struct lab l = lab_new();

		(void)state;
		lab_establish(&l);
		lab_queue(&l, n * 100);
		tcb_shutdown(&l.t);
		lab_out(&l, F | A | (n ? P : 0), 1, 1, n * 100);
		lab_queue(&l, 500); /* too late for these */
		lab_quiet(&l);
		lab_due(&l, 200);
		lab_out(&l, F | A | (n ? P : 0), 1, 1, n * 100);
		lab_true(l.out.is_retransmit);
		lab_quiet(&l);
		lab_in(&l, A, 1, 2 + n * 100, 0);
		lab_equal(l.r.acked, n * 100);
		lab_state(&l, TCP_FIN_WAIT_2);
	}
}

/* RFC 6298 2 and 3: estimates, Karn, and the floor. */
static void test_rtt(void **state)
{
	struct lab l = flying(1, true, false);

	(void)state;
	lab_equal(l.t.srtt >> 3, 0); /* the handshake took no time */
	l.now += 80;                 /* 100 in all */
	lab_in(&l, A, 1, 1461, 0);
	lab_equal(l.t.srtt, 100);
	lab_equal(l.t.rttvar, 100);
	lab_equal(l.t.rto, 12 + 200);
	/* Sent twice: no sample. */
	lab_queue(&l, 1460);
	lab_out(&l, A | P, 1461, 1, 1460);
	lab_due(&l, 212);
	lab_out(&l, A | P, 1461, 1, 1460);
	l.now += 10;
	lab_in(&l, A, 1, 2921, 0);
	lab_equal(l.t.srtt, 100);
	/* The echo of a timestamp that makes no sense. */
	l = flying(1, true, true);
	{
		struct tcphdr_v h = lab_header(&l, A, 1, 1 + M);

		h.tsecr = (uint32_t)l.now + l.conf.ts_base + 500;
		lab_feed(&l, &h, 0);
	}
	lab_equal(l.r.acked, M);
	lab_equal(l.t.rto, 200);
}

/* The SYN was sent three times: which of them is answered, only a timestamp can tell. */
static void test_rtt_of_syn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct lab l = lab_new();
		struct tcphdr_v h;

		l.has_ts = i > 0;
		lab_reach(&l, TCP_SYN_RCVD);
		for (unsigned k = 0; k < 2; k++) {
			lab_wait(&l, 1000u << k);
			lab_out(&l, S | A, 0, 1, 0);
		}
		l.now += 30;
		h = lab_header(&l, A, 1, 1);
		h.tsecr = (uint32_t)l.now + l.conf.ts_base - (i == 1 ? 30 : 3030);
		lab_feed(&l, &h, 0);
		lab_true(l.r.is_connected);
		lab_equal(l.t.has_rtt, i == 1);
		lab_equal(l.t.rto, i == 1 ? 230 : 3000); /* RFC 6298 5.7 */
	}
}

/* SACK blocks that are lies: of what was never sent, old, inside out. */
static void test_bad_sack(void **state)
{
	struct lab l = flying(10, true, true);

	(void)state;
	ack(&l, 1 + M, 4, 1 + 5 * M, 1 + 11 * M, 0u, 1u, 1 + 6 * M, 1 + 5 * M, 1 + M, 1 + 2 * M);
	lab_equal(l.t.n_sacked, 0);
	lab_quiet(&l);
	/* Reneging: SACKed, then denied; it is sent again at the time-out. */
	ack(&l, 1 + M, 1, 1 + 8 * M, 1 + 9 * M);
	lab_equal(l.t.n_sacked, 1);
	ack(&l, 1 + 8 * M, 0);
	lab_equal(l.t.n_sacked, 0);
	lab_wait(&l, 500);
	lab_out(&l, A, 1 + 8 * M, 1, M);
}

/* More ranges than the scoreboard holds: nothing is lost but a little efficiency. */
static void test_full_scoreboard(void **state)
{
	struct lab l = flying(20, true, true);
	bool has[20] = {0};
	uint32_t una = 0;

	(void)state;
	for (uint32_t i = 1; i < 20; i += 2) {
		has[i] = true;
		ack(&l, 1, 1, 1 + i * M, 1 + (i + 1) * M);
	}
	for (unsigned i = 0; i < 40 && una < 20; i++) {
		while (tcb_output(&l.t, l.now, &l.out))
			for (uint32_t k = 0; k < l.out.data_len; k += M)
				has[una + (l.out.data_at + k) / M] = true;
		while (una < 20 && has[una])
			una++;
		l.now += 20;
		/* The last range, if there is one, is told again. */
		if (una < 19 && has[19])
			ack(&l, 1 + una * M, 1, 1 + 19 * M, 1 + 20 * M);
		else
			ack(&l, 1 + una * M, 0);
	}
	lab_equal(una, 20);
	lab_equal(l.t.phase, TCB_OPEN);
	lab_equal(l.t.n_rto, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fast_retransmit),
		cmocka_unit_test(test_one_sack),
		cmocka_unit_test(test_two_holes),
		cmocka_unit_test(test_new_in_recovery),
		cmocka_unit_test(test_limited_transmit),
		cmocka_unit_test(test_new_reno),
		cmocka_unit_test(test_rescue),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_small_window),
		cmocka_unit_test(test_lost_again),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_spurious),
		cmocka_unit_test(test_tail_probe),
		cmocka_unit_test(test_fin_lost),
		cmocka_unit_test(test_rtt),
		cmocka_unit_test(test_rtt_of_syn),
		cmocka_unit_test(test_bad_sack),
		cmocka_unit_test(test_full_scoreboard),
	};

	return cmocka_run_group_tests_name("tcp recovery", tests, NULL, NULL);
}
