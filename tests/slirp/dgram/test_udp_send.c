/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP on its way out: runs of datagrams and their fall-backs, sizes, and every error of the host.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dgram/bench.h"

/* --- runs ---------------------------------------------------------------------------------- */

static void runs(void **state)
{
	size_t at = 0;
	(void)state;

	for (int i = 0; i < 10; i++)
		bench_give_simple(5000, OUT, 53, 1000);
	bench_give_simple(5000, OUT, 53, 300); /* the last of the run */
	bench_give_simple(5000, OUT, 53, 300); /* a new one */
	bench_give_simple(5000, OUT, 53, 301); /* longer: another */
	bench_give_simple(5000, OUT, 54, 301); /* another destination */
	bench_give_simple(5000, OUT, 53, 301); /* order is kept: not the run before */
	bench_give_simple(5000, OUT, 53, 0);   /* alone */
	bench_give_simple(5000, OUT, 53, 0);
	assert_int_equal(fake.n_sent, 0);
	bench_flush();
	assert_int_equal(fake.n_sent, 7);
	bench_assert_sent(0, 0, OUT, 53, 10300, 1000);
	bench_assert_sent(1, 0, OUT, 53, 300, 0);
	bench_assert_sent(2, 0, OUT, 53, 301, 0);
	bench_assert_sent(3, 0, OUT, 54, 301, 0);
	bench_assert_sent(4, 0, OUT, 53, 301, 0);
	bench_assert_sent(5, 0, OUT, 53, 0, 0);
	bench_assert_sent(6, 0, OUT, 53, 0, 0);
	for (int i = 0; i < 10; i++, at += 1000)
		assert_memory_equal(fake.sent[0].data + at, data, 1000);
	assert_memory_equal(fake.sent[0].data + at, data, 300);
}

static void runs_of_two_flows(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++) {
		bench_give_simple(5000, OUT, 53, 100);
		bench_give_simple(5001, OUT, 53, 200);
	}
	bench_flush();
	assert_int_equal(fake.n_sent, 2);
	bench_assert_sent(0, 0, OUT, 53, 3000, 100);
	bench_assert_sent(1, 1, OUT, 53, 6000, 200);
	for (size_t i = 0; i < 30; i++) {
		assert_memory_equal(fake.sent[0].data + i * 100, data, 100);
		assert_memory_equal(fake.sent[1].data + i * 200, data, 200);
	}
}

/* More than the buffers hold goes out in parts, and nothing is lost or turned round. */
static void long_batches(void **state)
{
	unsigned n = 0;
	size_t bytes = 0;
	(void)state;

	for (unsigned i = 0; i < 1000; i++)
		bench_give(&(struct packet){.src = GUEST,
					    .dst = OUT,
					    .sport = (uint16_t)(5000 + i % 50),
					    .dport = 53,
					    .data = data + i,
					    .len = 1200});
	bench_flush();
	for (unsigned i = 0; i < fake.n_sent; i++) {
		n += fake.sent[i].seg ? (unsigned)fake.sent[i].len / 1200u : 1;
		bytes += fake.sent[i].len;
	}
	assert_int_equal(n, 1000);
	assert_int_equal(bytes, 1200000);
	fake_forget();
	for (int i = 0; i < 200; i++)
		bench_give_simple(5000, OUT, 53, 1);
	bench_flush();
	assert_int_equal(fake.n_sent, 4);
	bench_assert_sent(0, 0, OUT, 53, 64, 1);
	bench_assert_sent(3, 0, OUT, 53, 8, 1);
}

static void sizes(void **state)
{
	static const size_t size[] = {0, 1, 1472, 1473, 9000, 32500, 32501, 65000, 65001, 65507};
	(void)state;

	for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++) {
		for (int n = 0; n < 3; n++) {
			/* Fragmented by the container: the host may do so, too. */
			udp_input(u,
				  packet_udp(&(struct packet){.src = GUEST,
							      .dst = OUT,
							      .sport = 5000,
							      .dport = 53,
							      .data = data,
							      .len = size[i]}),
				  NULL, fake.now);
		}
		bench_flush();
		size_t total = 0;
		for (unsigned k = 0; k < fake.n_sent; k++) {
			assert_true(fake.sent[k].len == size[i] || fake.sent[k].seg == size[i]);
			assert_memory_equal(fake.sent[k].data, data, size[i]);
			assert_int_equal(fake.sent[k].df, 0);
			total += fake.sent[k].len;
		}
		assert_int_equal(total, 3 * size[i]);
		if (size[i] == 0 || size[i] > 32500)
			assert_int_equal(fake.n_sent, 3);
		fake_forget();
	}
	udp_input(u,
		  packet_udp(&(struct packet){.src = GUEST6, .dst = OUT6, .sport = 1, .dport = 2}),
		  NULL, fake.now);
	bench_flush();
	assert_int_equal(fake.sent[0].df, 0);
	bench_give_simple(1, OUT6, 2, 1); /* whole in IPv6: routers do not fragment */
	bench_flush();
	assert_int_equal(fake.sent[1].df, 1);
}

static void give_super(size_t len, uint16_t seg)
{
	const struct link_meta m = {.is_partial = true, .gso = LINK_GSO_UDP, .gso_size = seg};

	udp_input(u,
		  packet_udp(&(struct packet){.src = GUEST,
					      .dst = OUT,
					      .sport = 5000,
					      .dport = 53,
					      .data = data,
					      .len = len,
					      .is_df = true}),
		  &m, fake.now);
}

static void super_frames(void **state)
{
	(void)state;
	bench_give_simple(5000, OUT, 53, 10);
	give_super(60000, 1400); /* what waits goes first */
	assert_int_equal(fake.n_sent, 2);
	bench_assert_sent(0, 0, OUT, 53, 10, 0);
	bench_assert_sent(1, 0, OUT, 53, 60000, 1400);
	assert_memory_equal(fake.sent[1].data, data, 60000);
	fake_forget();
	give_super(6500, 100); /* 65 of them */
	assert_int_equal(fake.n_sent, 2);
	bench_assert_sent(0, 0, OUT, 53, 6400, 100);
	bench_assert_sent(1, 0, OUT, 53, 100, 0);
	assert_memory_equal(fake.sent[1].data, data + 6400, 100);
	fake_forget();
	give_super(65507, 33000); /* no run can hold two of them */
	bench_flush();
	assert_int_equal(fake.n_sent, 2);
	bench_assert_sent(0, 0, OUT, 53, 33000, 0);
	bench_assert_sent(1, 0, OUT, 53, 32507, 0);
	fake_forget();
	give_super(65507, 1); /* nobody's kernel makes that */
	give_super(129, 1);
	bench_flush();
	assert_int_equal(fake.n_sent, 0);
	assert_int_equal(bench_stat_of(STAT_DROP_UDP), 2);
	give_super(100, 100);
	give_super(100, 0);
	give_super(0, 100);
	bench_flush();
	assert_int_equal(fake.n_sent, 2);
	bench_assert_sent(0, 0, OUT, 53, 200, 100);
	bench_assert_sent(1, 0, OUT, 53, 0, 0);
}

/* How many go between two flushes, however they came and whatever sent them in between. */
static void counted(void **state)
{
	(void)state;
	assert_int_equal(udp_n_since(u), 0);
	bench_give_simple(5000, OUT, 53, 100);
	bench_give_simple(5000, OUT, 53, 0);
	give_super(60000, 1400); /* 43 of them */
	give_super(1400, 700);
	assert_int_equal(udp_n_since(u), 47);
	assert_int_equal(udp_flush(u, fake.now), 47);
	assert_int_equal(udp_n_since(u), 0);
	assert_int_equal(udp_flush(u, fake.now), 0);
	for (int i = 0; i < 300; i++)
		bench_give_simple(5000, OUT, 53, 1400);
	assert_true(fake.n_sent > 0); /* more than waits */
	assert_int_equal(udp_flush(u, fake.now), 300);
}

/* What the host will not cut is sent one by one, and not tried again. */
static void without_segment(void **state)
{
	static const int sys[] = {EIO, EINVAL, EMSGSIZE};
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		const uint16_t port = (uint16_t)(5000 + i);

		fake.gso_sys = sys[i];
		for (int n = 0; n < 5; n++)
			bench_give_simple(port, OUT, 53, 1000);
		bench_give_simple(port, OUT, 53, 7);
		bench_flush();
		assert_int_equal(fake.n_sent, 6);
		for (unsigned n = 0; n < 6; n++)
			bench_assert_sent(n, (int)i, OUT, 53, n < 5 ? 1000 : 7, 0);
		assert_memory_equal(fake.sent[4].data, data, 1000);
		fake_forget();
		for (int n = 0; n < 5; n++)
			bench_give_simple(port, OUT, 53, 1000);
		bench_flush();
		assert_int_equal(fake.n_sent, 5);
		assert_int_equal(fake.send_calls, 5);
		fake_forget();
		/* A smaller size is worth a try, unless the device cannot at all. */
		fake.gso_sys = 0;
		bench_give_simple(port, OUT, 53, 500);
		bench_give_simple(port, OUT, 53, 500);
		bench_flush();
		assert_int_equal(fake.n_sent, sys[i] == EIO ? 2 : 1);
		fake_forget();
	}
	bench_tear_down(state);
	bench_set_up(state);
	fake.gso_sys = EIO;
	give_super(65000, 600);
	assert_int_equal(fake.n_sent, 109);
	for (unsigned i = 0; i < 109; i++)
		assert_memory_equal(fake.sent[i].data, data + i * 600, i < 108 ? 600 : 200);
}

/* --- errors -------------------------------------------------------------------------------- */

static void icmp_back(void **state)
{
	static const struct {
		uint32_t sys;
		uint8_t type, code;
		uint32_t info, told;
	} kind[] = {
		{ENETUNREACH, 3, 0, 0, 0},    {EHOSTUNREACH, 3, 1, 0, 0},
		{ENOPROTOOPT, 3, 2, 0, 0},    {ECONNREFUSED, 3, 3, 0, 0},
		{EMSGSIZE, 3, 4, 1280, 1280}, {EOPNOTSUPP, 3, 5, 0, 0},
		{ENETUNREACH, 3, 9, 0, 0},    {EHOSTUNREACH, 3, 13, 0, 0},
		{EHOSTUNREACH, 11, 0, 0, 0},  {EPROTO, 12, 0, 20, 20u << 24},
	};
	struct ip_packet k;
	(void)state;

	for (size_t i = 0; i < sizeof(kind) / sizeof(*kind); i++) {
		struct fake_error e = {.sys = kind[i].sys,
				       .type = kind[i].type,
				       .code = kind[i].code,
				       .info = kind[i].info,
				       .from = ip_of("203.0.113.1"),
				       .dst = ip_of(OUT),
				       .port = 53,
				       .len = 20};

		memcpy(e.data, data, 20);
		bench_give_simple(5000, OUT, 53, 100);
		bench_flush();
		fake_fail(0, &e);
		fake_poll(0);
		assert_int_equal(fake.n_frame, 1);
		k = bench_assert_error(0, kind[i].type, kind[i].code, kind[i].told, "203.0.113.1",
				       OUT, 5000, 53, 108);
		assert_int_equal(k.frag_id, 77); /* as the container sent it */
		assert_int_not_equal(k.proto_at, 0);
		assert_int_equal(k.len, 20);
		assert_memory_equal(k.payload, data, 20);
		assert_int_equal(udp_count(u), 1); /* RFC 4787 REQ-12 */
		assert_int_equal(fake.socket[0].sys, 0);
		fake_forget();
	}
	fake_fail(0, &(struct fake_error){.sys = ECONNREFUSED, .type = 4, .dst = ip_of(OUT)});
	fake_poll(0);
	assert_int_equal(fake.n_frame, 0); /* source quench is nobody's (RFC 6633) */
}

static void icmp6_back(void **state)
{
	static const struct {
		uint32_t sys;
		uint8_t type, code;
		uint32_t info;
	} kind[] = {
		{ENETUNREACH, 1, 0, 0},  {EACCES, 1, 1, 0},       {EHOSTUNREACH, 1, 3, 0},
		{ECONNREFUSED, 1, 4, 0}, {EACCES, 1, 5, 0},       {EACCES, 1, 6, 0},
		{EMSGSIZE, 2, 0, 1280},  {EHOSTUNREACH, 3, 0, 0}, {EPROTO, 4, 1, 40},
	};
	(void)state;

	bench_give_simple(5000, OUT6, 53, 100);
	bench_flush();
	for (size_t i = 0; i < sizeof(kind) / sizeof(*kind); i++) {
		fake_fail(0, &(struct fake_error){.sys = kind[i].sys,
						  .type = kind[i].type,
						  .code = kind[i].code,
						  .info = kind[i].info,
						  .from = ip_of("2001:db8:9::1"),
						  .dst = ip_of(OUT6),
						  .port = 53,
						  .len = 100});
		fake_poll(0);
		bench_assert_error((unsigned)i, kind[i].type, kind[i].code, kind[i].info,
				   "2001:db8:9::1", OUT6, 5000, 53, 108);
	}
	assert_int_equal(fake.n_frame, 9);
}

/* An error about an older datagram to somebody else is about what the error says. */
static void icmp_about_another(void **state)
{
	struct ip_packet k;
	struct fake_error e = {.sys = ECONNREFUSED,
			       .type = 3,
			       .code = 3,
			       .from = ip_of("127.0.0.1"),
			       .dst = ip_of("127.0.0.1"),
			       .port = 5353,
			       .len = 12};
	(void)state;

	fake.policy.is_loopback_open = true;
	bench_give_simple(5000, "10.0.2.2", 5353, 12);
	bench_give_simple(5000, OUT, 53, 100);
	bench_flush();
	fake_fail(0, &e);
	e.from = ip_of("10.0.2.100"); /* the guest itself said so, it is told */
	fake_fail(0, &e);
	e.from = (struct ip){0};
	fake_fail(0, &e);
	fake_poll(0);
	assert_int_equal(fake.n_frame, 3);
	k = bench_assert_error(0, 3, 3, 0, "10.0.2.2", "10.0.2.2", 5000, 5353, 20);
	assert_int_equal(k.frag_id, 0);
	assert_int_equal(k.len, 12);
	bench_assert_error(1, 3, 3, 0, NULL, "10.0.2.2", 5000, 5353, 20);
	bench_assert_error(2, 3, 3, 0, NULL, "10.0.2.2", 5000, 5353, 20);
	bench_give_simple(5000, OUT6, 53, 100);
	bench_flush();
	fake_fail(1, &(struct fake_error){.sys = EHOSTUNREACH,
					  .type = 1,
					  .code = 3,
					  .from = ip_of("fe80::1"), /* means nothing inside */
					  .dst = ip_of(OUT6),
					  .port = 53});
	fake_poll(1);
	bench_assert_error(3, 1, 3, 0, NULL, OUT6, 5000, 53, 108);
}

/* The error of an earlier datagram makes the next call fail, which must not lose its datagram. */
static void old_error_at_a_send(void **state)
{
	struct fake_error e = {.sys = ECONNREFUSED,
			       .type = 3,
			       .code = 3,
			       .from = ip_of(OUT),
			       .dst = ip_of(OUT),
			       .port = 53,
			       .len = 5};
	(void)state;

	bench_give_simple(5000, OUT, 53, 5);
	bench_flush();
	fake_fail(0, &e);
	for (int i = 0; i < 3; i++)
		bench_give_simple(5000, OUT, 54, 6);
	bench_give_simple(5000, OUT, 55, 7);
	bench_flush();
	assert_int_equal(fake.n_sent, 3);
	bench_assert_sent(1, 0, OUT, 54, 18, 6);
	bench_assert_sent(2, 0, OUT, 55, 7, 0);
	assert_int_equal(fake.n_frame, 1);
	assert_int_equal(bench_stat_of(STAT_DROP_SEND), 0);
	/* The same without an entry: the queue had no room for it. */
	fake.socket[0].sys = ECONNREFUSED;
	bench_give_simple(5000, OUT, 56, 7);
	bench_flush();
	bench_assert_sent(3, 0, OUT, 56, 7, 0);
	/* And at a receive. */
	fake_fail(0, &e);
	bench_arrive(0, OUT, 56, 9, 0);
	fake.socket[0].source->fn(fake.socket[0].source, EPOLLIN, fake.now);
	assert_int_equal(fake.n_frame, 3);
	bench_assert_answer(2, OUT, 56, 5000, 9, 0);
	assert_int_equal(bench_stat_of(STAT_DROP_SEND), 0);
}

static void refused_at_once(void **state)
{
	static const struct {
		int sys;
		uint8_t code4, code6;
	} kind[] = {
		{ENETUNREACH, 0, 0}, {EHOSTUNREACH, 1, 3}, {EACCES, 13, 1},
		{EPERM, 13, 1},      {EINVAL, 1, 3},       {ENETDOWN, 0, 0},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(kind) / sizeof(*kind); i++) {
		fake.send_sys = kind[i].sys;
		bench_give_simple(5000, OUT, 53, 100);
		bench_give_simple(5000, OUT6, 53, 100);
		bench_flush();
		assert_int_equal(fake.n_frame, 2);
		bench_assert_error(0, 3, kind[i].code4, 0, NULL, OUT, 5000, 53, 108);
		bench_assert_error(1, 1, kind[i].code6, 0, NULL, OUT6, 5000, 53, 108);
		assert_in_range(fake.send_calls, 2, 4);
		fake_forget();
	}
	assert_int_equal(bench_stat_of(STAT_DROP_SEND), 12);
	fake.send_sys = EAGAIN;
	bench_give_simple(5000, OUT, 53, 100);
	bench_give_simple(5000, OUT, 53, 100);
	bench_flush();
	assert_int_equal(fake.n_frame, 0);
	assert_int_equal(bench_stat_of(STAT_DROP_SEND), 14);
	/* A firewall that rejects: the call fails with EPERM, the queue has the firewall's answer.
	 */
	fake.send_sys = EPERM;
	fake.reject_code = 10;
	bench_give_simple(5000, OUT, 53, 100);
	bench_flush();
	assert_int_equal(fake.n_frame, 1);
	bench_assert_error(0, 3, 10, 0, "198.51.100.1", OUT, 5000, 53, 108);
}

static void path_mtu(void **state)
{
	struct packet p = {.src = GUEST,
			   .dst = OUT,
			   .sport = 5000,
			   .dport = 53,
			   .data = data,
			   .len = 1400,
			   .is_df = true,
			   .id = 5};
	(void)state;

	fake.mtu = 1280;
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.n_sent, 0);
	assert_int_equal(fake.n_frame, 1);
	bench_assert_error(0, 3, 4, 1280, NULL, OUT, 5000, 53, 1408);
	assert_int_equal(fake.send_calls, 1);
	bench_give(&p); /* a run of two: neither goes */
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.n_sent, 0);
	assert_int_equal(fake.n_frame, 3);
	p.dport = 54; /* two destinations, told apart */
	bench_give(&p);
	p.dport = 53;
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.n_frame, 5);
	bench_assert_error(3, 3, 4, 1280, NULL, OUT, 5000, 54, 1408);
	bench_assert_error(4, 3, 4, 1280, NULL, OUT, 5000, 53, 1408);
	fake_forget();
	p.is_df = false; /* the network may fragment these */
	bench_give(&p);
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.n_sent, 2);
	assert_int_equal(fake.n_frame, 0);
	p.is_df = true;
	p.len = 1252;
	bench_give(&p);
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.n_sent, 3);
	assert_int_equal(fake.sent[2].seg, 1252);
	p.src = GUEST6;
	p.dst = OUT6;
	p.len = 1400;
	bench_give(&p);
	bench_flush();
	bench_assert_error(0, ICMP_V6_TOO_BIG, 0, 1280, NULL, OUT6, 5000, 53, 1408);
	udp_input(u, packet_udp(&p), NULL, fake.now); /* came in fragments */
	bench_flush();
	assert_int_equal(fake.n_sent, 4);
	assert_int_equal(fake.n_frame, 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, bench_set_up, bench_tear_down)
	const struct CMUnitTest tests[] = {
		T(runs),
		T(runs_of_two_flows),
		T(long_batches),
		T(sizes),
		T(super_frames),
		T(counted),
		T(without_segment),
		T(icmp_back),
		T(icmp6_back),
		T(icmp_about_another),
		T(old_error_at_a_send),
		T(refused_at_once),
		T(path_mtu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
