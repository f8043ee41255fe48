/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data from the container: order, overlaps, duplicates, SACK blocks, FIN in all places, urgent
 * data, sequence numbers that wrap. RFC 9293 3.4, 3.8, 3.10.7.4; RFC 2018.
 */
#include "lab.h"

#include <stdlib.h>

#include "tcp/tcb_parts.h"

#define SEG 1000
#define N_SEG 64

/* The receive queue of the caller, to see that each byte is put once and in its place. */
struct queue {
	uint8_t bytes[1 << 17];
	bool has[1 << 17];
	uint32_t in_order;
};

static uint8_t byte_at(uint32_t seq, uint8_t copy)
{
	return (uint8_t)(seq * 31 + copy * 101);
}

/* Feeds [seq, seq + len) whose bytes are those of `copy`, as often as it takes. */
static void put(struct lab *l, struct queue *q, uint32_t seq, uint32_t len, uint8_t flags,
		uint8_t copy)
{
	for (int n = 0; n < 40; n++) {
		lab_in(l, A | flags, seq, 1, len);
		lab_true(l->r.data_skip + l->r.data_len <= len);
		for (uint32_t i = 0; i < l->r.data_len; i++) {
			uint32_t at = q->in_order + l->r.data_at + i;

			lab_false(q->has[at]);
			lab_equal(at, seq - 1 + l->r.data_skip + i);
			q->has[at] = true;
			q->bytes[at] = byte_at(at, copy);
		}
		for (uint32_t i = 0; i < l->r.advance; i++)
			lab_true(q->has[q->in_order + i]);
		q->in_order += l->r.advance;
		l->room -= l->r.advance;
		if (!l->r.is_more)
			return;
	}
	fail_msg("no end of pieces");
}

/* The SACK blocks must be ranges of what is there, disjoint, and the first holds the latest. */
static void check_sack(const struct lab *l, const struct queue *q, uint32_t latest)
{
	const struct tcphdr_v *h = &l->out.h;
	unsigned n_ranges = 0;

	for (uint32_t i = q->in_order; i + 1 < sizeof(q->has); i++)
		n_ranges += !q->has[i] && q->has[i + 1];
	lab_equal(h->n_sack, n_ranges < 3 ? n_ranges : 3);
	for (unsigned i = 0; i < h->n_sack; i++) {
		uint32_t a = h->sack[i].left - l->irs - 1, b = h->sack[i].right - l->irs - 1;

		lab_true(a > q->in_order && b > a);
		for (uint32_t k = a; k < b; k++)
			lab_true(q->has[k]);
		lab_false(q->has[a - 1] || q->has[b]);
		if (i == 0 && latest > q->in_order)
			lab_true(a <= latest && latest < b);
	}
}

/* SHLD-31, RFC 2018 4: 64 segments in many orders. */
static void test_permuted(void **state)
{
	static struct queue q;
	unsigned order[N_SEG];

	(void)state;
	for (unsigned seed = 0; seed < 50; seed++) {
		struct lab l = lab_new();

		srand(seed);
		memset(&q, 0, sizeof(q));
		lab_establish(&l);
		for (unsigned i = 0; i < N_SEG; i++)
			order[i] = i;
		for (unsigned i = N_SEG - 1; i > 0; i--) {
			unsigned k = (unsigned)rand() % (i + 1), x = order[i];

			order[i] = order[k];
			order[k] = x;
		}
		if (seed == 0) /* the last first: one range that grows to the left */
			for (unsigned i = 0; i < N_SEG; i++)
				order[i] = N_SEG - 1 - i;
		if (seed == 1) /* every second, then the others: most ranges */
			for (unsigned i = 0; i < N_SEG; i++)
				order[i] = (2 * i + 1) % N_SEG - (i >= N_SEG / 2 ? 1 : 0);
		for (unsigned i = 0; i < N_SEG; i++) {
			uint32_t before = q.in_order;

			put(&l, &q, 1 + order[i] * SEG, SEG, 0, 0);
			lab_out(&l, A, 1, 1 + q.in_order, 0);
			if (q.in_order == before && !l.r.is_drop)
				check_sack(&l, &q, order[i] * SEG);
			lab_quiet(&l);
		}
		/* Every second of 64 makes 32 ranges, one more than are kept: it comes again. */
		if (q.in_order < N_SEG * SEG)
			put(&l, &q, 1 + q.in_order, SEG, 0, 0);
		lab_equal(q.in_order, N_SEG * SEG);
		lab_equal(l.t.n_ooo, 0);
	}
}

/* SHLD-31 with bounded memory: what finds no place is not acknowledged, and nothing that was is
 * given up. */
static void test_too_many_ranges(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	for (unsigned i = 0; i < TCB_N_OOO; i++) {
		lab_in(&l, A, 101 + i * 200, 1, 100);
		lab_equal(l.r.data_len, 100);
		lab_out(&l, A, 1, 1, 0);
	}
	lab_in(&l, A, 101 + TCB_N_OOO * 200, 1, 100);
	lab_equal(l.r.data_len, 0);
	lab_true(l.r.is_drop);
	lab_out(&l, A, 1, 1, 0);
	lab_equal(l.out.h.sack[0].left - l.irs, 101 + (TCB_N_OOO - 1) * 200);
	/* In order always has a place. */
	lab_in(&l, A, 1, 1, 50);
	lab_equal(l.r.advance, 50);
	lab_in(&l, A, 51, 1, 50);
	lab_equal(l.r.advance, 150);
	/* And now the other has. */
	lab_in(&l, A, 101 + TCB_N_OOO * 200, 1, 100);
	lab_equal(l.r.data_len, 100);
}

/* The first copy wins, each byte is taken once, whatever overlaps what. */
static void test_overlaps(void **state)
{
	static struct queue q;
	struct lab l;

	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		uint8_t copy_of[6000] = {0};

		l = lab_new();
		memset(&q, 0, sizeof(q));
		srand(seed);
		lab_establish(&l);
		for (uint8_t copy = 1; copy < 40; copy++) {
			uint32_t at = (uint32_t)rand() % 5000, len = 1 + (uint32_t)rand() % 900;
			static bool before[6000];

			memcpy(before, q.has, sizeof(before));
			put(&l, &q, 1 + at, len, 0, copy);
			for (uint32_t i = 0; i < 6000; i++)
				if (q.has[i] && !before[i])
					copy_of[i] = copy;
		}
		put(&l, &q, 1, 6000, 0, 99);
		lab_equal(q.in_order, 6000);
		for (uint32_t i = 0; i < 6000; i++)
			lab_equal(q.bytes[i], byte_at(i, copy_of[i] ? copy_of[i] : 99));
	}

	/* Old and new in one segment; wholly old. */
	l = lab_new();
	lab_establish(&l);
	lab_in(&l, A, 1, 1, 100);
	lab_in(&l, A, 51, 1, 100);
	lab_equal(l.r.data_skip, 50);
	lab_equal(l.r.data_len, 50);
	lab_equal(l.r.data_at, 0);
	lab_equal(l.r.advance, 50);
	lab_out(&l, A, 1, 151, 0);
	lab_in(&l, A, 1, 1, 150);
	lab_equal(l.r.data_len + l.r.advance, 0);
	lab_true(l.r.is_drop);
	lab_out(&l, A, 1, 151, 0);
}

/* A duplicate out of order is reported once more, first. */
static void test_duplicate_ahead(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	lab_in(&l, A, 1001, 1, 100);
	lab_out(&l, A, 1, 1, 0);
	lab_in(&l, A, 2001, 1, 100);
	lab_out(&l, A, 1, 1, 0);
	lab_equal(l.out.h.sack[0].left - l.irs, 2001);
	lab_in(&l, A, 1001, 1, 100);
	lab_equal(l.r.data_len, 0);
	lab_out(&l, A, 1, 1, 0);
	lab_equal(l.out.h.n_sack, 2);
	lab_equal(l.out.h.sack[0].left - l.irs, 1001);
	lab_equal(l.out.h.sack[1].left - l.irs, 2001);
}

static void test_no_sack(void **state)
{
	struct lab l = lab_new();

	(void)state;
	l.has_sack = false;
	lab_establish(&l);
	lab_in(&l, A, 1001, 1, 100);
	lab_equal(l.r.data_len, 100);
	lab_out(&l, A, 1, 1, 0);
	lab_equal(l.out.h.n_sack, 0);
}

/* Without timestamps four blocks fit; and they make data segments shorter. */
static void test_sack_space(void **state)
{
	struct lab l = lab_new();

	(void)state;
	l.has_ts = false;
	lab_establish(&l);
	for (uint32_t i = 0; i < 6; i++) {
		lab_in(&l, A, 1001 + i * 200, 1, 100);
		lab_out(&l, A, 1, 1, 0);
	}
	lab_equal(l.out.h.n_sack, 4);
	lab_queue(&l, 5000);
	lab_out(&l, A | P, 1, 1, 5000);
	lab_equal(l.out.h.n_sack, 4);
	lab_equal(l.out.mss, 1460 - 36);
}

static void test_fin(void **state)
{
	struct lab l = lab_new();

	(void)state;
	/* With data. */
	lab_establish(&l);
	lab_in(&l, A | F, 1, 1, 100);
	lab_equal(l.r.advance, 100);
	lab_true(l.r.is_eof);
	lab_state(&l, TCP_CLOSE_WAIT);
	lab_out(&l, A, 1, 102, 0);
	lab_in(&l, A | F, 1, 1, 100); /* again */
	lab_false(l.r.is_eof);
	lab_equal(l.r.data_len, 0);
	lab_out(&l, A, 1, 102, 0);
	lab_in(&l, A, 102, 1, 10); /* data behind the FIN is none */
	lab_equal(l.r.data_len, 0);

	/* Before its data. */
	lab_reach(&l, TCP_ESTABLISHED);
	lab_in(&l, A | F, 301, 1, 0);
	lab_false(l.r.is_eof);
	lab_out(&l, A, 1, 1, 0);
	lab_in(&l, A, 101, 1, 200);
	lab_false(l.r.is_eof);
	lab_out(&l, A, 1, 1, 0);
	lab_in(&l, A, 1, 1, 100);
	lab_equal(l.r.advance, 300);
	lab_true(l.r.is_eof);
	lab_out(&l, A, 1, 302, 0);
	lab_state(&l, TCP_CLOSE_WAIT);

	/* A second FIN elsewhere does not count, nor data beyond the first. */
	lab_reach(&l, TCP_ESTABLISHED);
	lab_in(&l, A | F, 101, 1, 0);
	lab_in(&l, A | F, 51, 1, 100);
	lab_equal(l.r.data_len, 50);
	lab_in(&l, A, 1, 1, 50);
	lab_equal(l.r.advance, 100);
	lab_true(l.r.is_eof);
	lab_out(&l, A, 1, 102, 0);
}

/* A FIN below data that came before is not one: the data was first. */
static void test_fin_below_data(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	lab_in(&l, A, 101, 1, 100);
	lab_in(&l, A | F, 1, 1, 50);
	lab_equal(l.r.advance, 50);
	lab_false(l.r.is_eof);
	lab_in(&l, A, 51, 1, 50);
	lab_equal(l.r.advance, 150);
	lab_state(&l, TCP_ESTABLISHED);
	lab_in(&l, A | F, 201, 1, 0);
	lab_true(l.r.is_eof);
	lab_equal(l.t.n_ooo, 0);
}

/* Half closed both ways: 200 kB after the other side's FIN. */
static void test_half_close(void **state)
{
	struct lab l = lab_new();
	uint32_t sent = 0, got = 0;

	(void)state;
	lab_establish(&l);
	tcb_shutdown(&l.t);
	lab_out(&l, F | A, 1, 1, 0);
	lab_in(&l, A, 1, 2, 0);
	lab_state(&l, TCP_FIN_WAIT_2);
	for (; got < 200000; got += 1000) {
		lab_in(&l, A, 1 + got, 2, 1000);
		lab_equal(l.r.advance, 1000);
		tcb_set_room(&l.t, 65536);
		while (tcb_output(&l.t, l.now, &l.out))
			lab_equal(l.out.data_len, 0);
	}
	lab_in(&l, A | F, 1 + got, 2, 0);
	lab_true(l.r.is_eof);
	lab_state(&l, TCP_TIME_WAIT);

	l = lab_new();
	lab_establish(&l);
	lab_in(&l, A | F, 1, 1, 0);
	lab_out(&l, A, 1, 2, 0);
	while (sent < 200000) {
		lab_queue(&l, 20000);
		while (tcb_output(&l.t, l.now, &l.out))
			sent += l.out.data_len;
		l.now++;
		lab_in(&l, A, 2, 1 + sent, 0);
	}
	lab_equal(l.t.queued, 20000 - l.r.acked);
	lab_queue(&l, 0);
	tcb_shutdown(&l.t);
	lab_state(&l, TCP_LAST_ACK);
	lab_out(&l, F | A, 1 + sent, 2, 0);
	lab_in(&l, A, 2, 2 + sent, 0);
	lab_true(l.r.is_closed);
}

/* MUST-30 to MUST-33 ask for a pointer that no forwarder can hand on: urgent data goes in line, and
 * the pointer is never a length. */
static void test_urgent(void **state)
{
	static const uint16_t pointers[] = {0, 1, 99, 100, 101, 65535};
	struct lab l = lab_new();
	uint32_t seq = 1;

	(void)state;
	lab_establish(&l);
	for (size_t i = 0; i < sizeof(pointers) / sizeof(*pointers); i++) {
		for (uint32_t len = 0; len < 200; len += 100) {
			struct tcphdr_v h = lab_header(&l, A | U, seq, 1);

			h.urgent = pointers[i];
			lab_feed(&l, &h, len);
			lab_equal(l.r.advance, len);
			lab_equal(l.r.data_len, len);
			seq += len;
		}
	}
	lab_out(&l, A, 1, seq, 0);
}

/* Over 2^32: 6 kB across the edge, and 5 GB through. */
static void test_wrap(void **state)
{
	struct lab l = lab_new();
	uint64_t total = 5ull << 30;
	uint32_t seq = 1, at = 1;

	(void)state;
	lab_establish(&l);
	for (uint64_t done = 0; done < total; done += 60000, seq += 60000) {
		lab_in(&l, A, seq, at, 60000);
		lab_equal(l.r.advance, 60000);
		tcb_set_room(&l.t, 65536);
		lab_queue(&l, 60000);
		while (tcb_output(&l.t, l.now, &l.out))
			at = l.out.h.seq - l.iss + l.out.data_len;
		lab_equal(l.out.h.ack - l.irs, seq + 60000);
		if (done % 6000000 == 0)
			l.now++;
	}
	lab_state(&l, TCP_ESTABLISHED);
}

/* Keep-alives of the container: zero or one byte below. */
static void test_keep_alive_in(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	lab_in(&l, A, 1, 1, 100);
	lab_out(&l, A, 1, 101, 0);
	for (uint32_t len = 0; len < 2; len++) {
		lab_in(&l, A, 100, 1, len);
		lab_equal(l.r.data_len + l.r.advance, 0);
		lab_false(l.r.is_challenge);
		lab_out(&l, A, 1, 101, 0);
		lab_quiet(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permuted),   cmocka_unit_test(test_too_many_ranges),
		cmocka_unit_test(test_overlaps),   cmocka_unit_test(test_duplicate_ahead),
		cmocka_unit_test(test_no_sack),    cmocka_unit_test(test_sack_space),
		cmocka_unit_test(test_fin),        cmocka_unit_test(test_fin_below_data),
		cmocka_unit_test(test_half_close), cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_wrap),       cmocka_unit_test(test_keep_alive_in),
	};

	return cmocka_run_group_tests_name("tcp data", tests, NULL, NULL);
}
