/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening: options, both kinds of open and both at once, retransmission and its end, SYNs again,
 * refusals. RFC 9293 3.5, 3.7.1, 3.8.3, 3.10.7; RFC 7323; RFC 6928; RFC 5961 4.
 */
#include "lab.h"

static void passive(struct lab *l, const struct tcphdr_v *syn)
{
	tcb_open_passive(&l->t, &l->conf, syn, l->now);
	lab_state(l, TCP_SYN_HELD);
	lab_quiet(l);
	lab_equal(tcb_deadline(&l->t), UINT64_MAX);
	tcb_accept(&l->t, l->now);
	lab_state(l, TCP_SYN_RCVD);
	lab_out(l, S | A, 0, 1, 0);
}

/* MUST-14, SHLD-5; RFC 7323 2.2, 3.2; RFC 2018 2: an option is answered when it was offered. */
static void test_options_echo(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 8; bits++) {
		struct lab l = lab_new();
		struct tcphdr_v syn;

		l.has_ts = bits & 1;
		l.has_sack = bits & 2;
		l.has_wscale = bits & 4;
		syn = lab_header(&l, S, 0, 0);
		passive(&l, &syn);
		lab_equal(l.out.h.mss, 1460);
		lab_equal(l.out.h.has_ts, l.has_ts);
		lab_equal(l.out.h.has_sack_ok, l.has_sack);
		lab_equal(l.out.h.has_wscale, l.has_wscale);
		if (l.has_ts) {
			lab_equal(l.out.h.tsval, (uint32_t)l.now + l.conf.ts_base);
			lab_equal(l.out.h.tsecr, (uint32_t)l.now);
		}
		/* Never scaled in a SYN. */
		lab_equal(l.out.h.wnd, 65535);
		lab_in(&l, A, 1, 1, 0);
		lab_true(l.r.is_connected);
		lab_equal(l.t.snd_wnd, (uint32_t)0xffff << (l.has_wscale ? 2 : 0));
		lab_equal(l.t.mss, l.has_ts ? 1448 : 1460);
		/* And in every segment after that, or none (RFC 7323 3.2). */
		lab_in(&l, A, 1, 1, 100);
		lab_out(&l, A, 1, 101, 0);
		lab_equal(l.out.h.has_ts, l.has_ts);
		lab_false(l.out.h.has_sack_ok || l.out.h.has_wscale || l.out.h.mss);
	}
}

/* MUST-15, MUST-16, RFC 6691. */
static void test_mss(void **state)
{
	static const struct {
		uint16_t offered, ours, want;
	} cases[] = {
		{0, 1460, 536},        {1, 1460, 88},         {3, 1460, 88},
		{64, 1460, 88},        {88, 1460, 88},        {536, 1460, 536},
		{1460, 1460, 1460},    {8960, 1460, 1460},    {65535, 1460, 1460},
		{65535, 65535, 65495}, {65495, 65495, 65495}, {1460, 0, 88},
		{1460, 65480, 1460},   {65535, 65480, 65480},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lab l = lab_new();
		struct tcphdr_v syn;

		l.has_ts = false;
		l.conf.mss = cases[i].ours;
		l.peer_mss = cases[i].offered;
		syn = lab_header(&l, S, 0, 0);
		passive(&l, &syn);
		lab_true(l.out.h.mss >= 88 && l.out.h.mss <= 65495);
		lab_in(&l, A, 1, 1, 0);
		lab_queue(&l, 200000);
		lab_true(tcb_output(&l.t, l.now, &l.out));
		lab_equal(l.out.mss, cases[i].want);
		lab_true(l.out.data_len <= 64000 || l.out.data_len == l.out.mss);
		lab_equal(l.out.data_len % l.out.mss, 0);
	}
}

/* RFC 6928: ten segments, and they go as one. */
static void test_initial_window(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_establish(&l);
	lab_queue(&l, 100000);
	lab_out(&l, A, 1, 1, 10 * 1448);
	lab_quiet(&l);
}

/* The data of a SYN is not taken: it comes again behind the handshake, and is delivered once. */
static void test_syn_with_data(void **state)
{
	struct lab l = lab_new();
	struct tcphdr_v syn = lab_header(&l, S, 0, 0);

	(void)state;
	passive(&l, &syn);
	lab_feed(&l, &syn, 10); /* and once more with data */
	lab_equal(l.r.data_len + l.r.advance, 0);
	lab_out(&l, S | A, 0, 1, 0);
	lab_in(&l, A, 1, 1, 10);
	lab_true(l.r.is_connected);
	lab_equal(l.r.advance, 10);
	lab_out(&l, A, 1, 11, 0);
}

/* MUST-10, MUST-11, figure 8. */
static void test_simultaneous(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_SYN_SENT);
	lab_in(&l, S, 0, 0, 0);
	lab_state(&l, TCP_SYN_RCVD);
	lab_false(l.r.is_connected);
	lab_out(&l, S | A, 0, 1, 0);
	lab_in(&l, S | A, 0, 1, 0);
	lab_true(l.r.is_connected);
	lab_state(&l, TCP_ESTABLISHED);
	/* The field of a SYN is not scaled. */
	lab_equal(l.t.snd_wnd, 0xffff & ~3u);
	lab_out(&l, A, 1, 1, 0);
	lab_quiet(&l);

	/* Its SYN,ACK is lost, and a mere ACK comes. */
	lab_reach(&l, TCP_SYN_SENT);
	lab_in(&l, S, 0, 0, 0);
	lab_out(&l, S | A, 0, 1, 0);
	lab_in(&l, A, 1, 1, 0);
	lab_true(l.r.is_connected);
	lab_quiet(&l);
}

static void test_active(void **state)
{
	struct lab l = lab_new();

	(void)state;
	tcb_open_active(&l.t, &l.conf, l.now);
	lab_out(&l, S, 0, 0, 0);
	lab_equal(l.out.h.mss, 1460);
	lab_true(l.out.h.has_ts && l.out.h.has_sack_ok && l.out.h.has_wscale);
	lab_equal(l.out.h.ack, 0);
	lab_quiet(&l);
	l.now += 3;
	lab_in(&l, S | A, 0, 1, 0);
	lab_true(l.r.is_connected);
	lab_equal(l.t.snd_wnd, 0xffff);
	lab_out(&l, A, 1, 1, 0);
	lab_in(&l, A, 1, 1, 0); /* the first that is scaled */
	lab_equal(l.t.snd_wnd, 0xffff * 4);
	lab_quiet(&l);
}

/* MUST-23, RFC 6298: 1, 3, 7 .. s, the same ISN, and an end after 3 minutes at least. */
static void retransmits(struct lab *l, uint8_t flags)
{
	static const uint32_t gaps[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000};
	uint64_t first = l->now;

	for (size_t i = 0; i < sizeof(gaps) / sizeof(*gaps); i++) {
		lab_quiet(l);
		lab_due(l, gaps[i]);
		lab_out(l, flags, 0, 1, 0);
		lab_true(l->out.is_retransmit);
	}
	lab_ends(l, 60000, TCB_GIVE_UP);
	lab_true(l->now - first >= 180 * 1000);
}

static void test_syn_ack_lost(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_SYN_RCVD);
	retransmits(&l, S | A);
	lab_out(&l, R | A, 1, 1, 0);
	lab_state(&l, TCP_CLOSED);
	lab_quiet(&l);

	/* A retransmission that gets through: one segment to begin with (RFC 5681 3.1). */
	l = lab_new();
	lab_reach(&l, TCP_SYN_RCVD);
	lab_due(&l, 1000);
	lab_out(&l, S | A, 0, 1, 0);
	l.now += 5;
	lab_in(&l, A, 1, 1, 0);
	lab_true(l.r.is_connected);
	lab_queue(&l, 10000);
	lab_out(&l, A, 1, 1, 1448);
	lab_quiet(&l);
}

static void test_syn_lost(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_SYN_SENT);
	retransmits(&l, S);
	lab_state(&l, TCP_CLOSED);
	lab_quiet(&l);
}

/* While the host's connect() is under way: the same SYN changes nothing, a new one is the one. */
static void test_held(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_SYN_HELD);
	lab_in(&l, S, 0, 0, 0);
	lab_false(l.r.is_drop || l.r.is_reset);
	lab_quiet(&l);
	lab_in(&l, A, 1, 1, 0);
	lab_true(l.r.is_drop);
	lab_in(&l, R, 5, 0, 0);
	lab_true(l.r.is_drop);
	lab_state(&l, TCP_SYN_HELD);
	lab_in(&l, S, 5000, 0, 0);
	tcb_accept(&l.t, l.now);
	lab_out(&l, S | A, 0, 5001, 0);

	/* It goes away. */
	lab_reach(&l, TCP_SYN_HELD);
	lab_in(&l, R, 1, 0, 0);
	lab_true(l.r.is_reset);
	lab_state(&l, TCP_CLOSED);
	tcb_accept(&l.t, l.now);
	lab_state(&l, TCP_CLOSED);
	lab_quiet(&l);

	/* The host said no: what a closed port says. */
	lab_reach(&l, TCP_SYN_HELD);
	tcb_reset(&l.t);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_equal(l.out.h.flags, R | A);
	lab_equal(l.out.h.seq, 0);
	lab_equal(l.out.h.ack, l.irs + 1);
	lab_state(&l, TCP_CLOSED);
	lab_quiet(&l);
}

/* 3.10.7.3: what is not about our SYN gets a RST of its own number, and we go on. */
static void test_syn_sent_refusals(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_SYN_SENT);
	lab_in(&l, A, 700, 500, 0); /* of an old connection */
	lab_true(l.r.is_drop);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_equal(l.out.h.flags, R);
	lab_equal(l.out.h.seq, l.iss + 500);
	lab_state(&l, TCP_SYN_SENT);
	lab_in(&l, S | A, 0, 0, 0);
	lab_true(l.r.is_drop);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_equal(l.out.h.flags, R);
	lab_in(&l, R | A, 0, 0, 0); /* not about our SYN */
	lab_true(l.r.is_drop);
	lab_in(&l, R, 0, 0, 0);
	lab_true(l.r.is_drop);
	lab_quiet(&l);
	lab_state(&l, TCP_SYN_SENT);
	lab_in(&l, R | A, 0, 1, 0);
	lab_true(l.r.is_reset);
	lab_state(&l, TCP_CLOSED);
	lab_quiet(&l);
}

/* A wrong ACK in SYN-RECEIVED. */
static void test_syn_rcvd_refusal(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_SYN_RCVD);
	lab_in(&l, A, 1, 2, 0);
	lab_true(l.r.is_drop);
	lab_true(tcb_output(&l.t, l.now, &l.out));
	lab_equal(l.out.h.flags, R);
	lab_equal(l.out.h.seq, l.iss + 2);
	lab_state(&l, TCP_SYN_RCVD);
	lab_in(&l, A, 1, 1, 0);
	lab_true(l.r.is_connected);
}

/* What the host says before the connection is open waits for it. */
static void test_early_host(void **state)
{
	struct lab l = lab_new();

	(void)state;
	lab_reach(&l, TCP_SYN_RCVD);
	lab_queue(&l, 20);
	tcb_shutdown(&l.t);
	lab_quiet(&l);
	lab_in(&l, A, 1, 1, 0);
	lab_true(l.r.is_connected);
	lab_state(&l, TCP_FIN_WAIT_1);
	lab_out(&l, F | P | A, 1, 1, 20);
	lab_quiet(&l);
}

static void test_opening_flags(void **state)
{
	struct tcphdr_v h = {0}, rst;

	(void)state;
	for (unsigned f = 0; f < 256; f++) {
		h.flags = (uint8_t)f;
		lab_equal(tcb_is_opening(&h), (f & (S | A | R | F)) == S);
		/* Nothing answers a RST, and nothing but SYN or ACK is answered. */
		lab_equal(tcb_stray(&h, 0, &rst),
			  !(f & R) && (f & (S | A)) && (f & (S | F)) != (S | F));
	}
}

/* 3.10.7.1. */
static void test_stray(void **state)
{
	struct tcphdr_v h = {.sport = 5, .dport = 6, .seq = 100, .ack = 7000}, rst;

	(void)state;
	h.flags = A | P;
	lab_true(tcb_stray(&h, 50, &rst));
	lab_equal(rst.flags, R);
	lab_equal(rst.seq, 7000);
	lab_equal(rst.sport, 6);
	lab_equal(rst.dport, 5);
	h.flags = S;
	lab_true(tcb_stray(&h, 0, &rst));
	lab_equal(rst.flags, R | A);
	lab_equal(rst.seq, 0);
	lab_equal(rst.ack, 101);
	lab_true(tcb_stray(&h, 9, &rst));
	lab_equal(rst.ack, 110);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_echo),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_initial_window),
		cmocka_unit_test(test_syn_with_data),
		cmocka_unit_test(test_simultaneous),
		cmocka_unit_test(test_active),
		cmocka_unit_test(test_syn_ack_lost),
		cmocka_unit_test(test_syn_lost),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_syn_sent_refusals),
		cmocka_unit_test(test_syn_rcvd_refusal),
		cmocka_unit_test(test_early_host),
		cmocka_unit_test(test_opening_flags),
		cmocka_unit_test(test_stray),
	};

	return cmocka_run_group_tests_name("tcp open", tests, NULL, NULL);
}
