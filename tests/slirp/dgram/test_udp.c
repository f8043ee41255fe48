/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP: which socket, what may pass, how long it lives, and what comes back to the container. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dgram/bench.h"

/* --- which socket -------------------------------------------------------------------------- */

static void endpoint_independent(void **state)
{
	(void)state;
	bench_give_simple(5000, OUT, 53, 10);
	bench_give_simple(5000, "203.0.113.9", 99, 11);
	bench_give_simple(5001, OUT, 53, 12);
	bench_give_simple(5000, OUT6, 53, 13);
	bench_flush();
	assert_int_equal(fake.n_sent, 4);
	bench_assert_sent(0, 0, OUT, 53, 10, 0);
	bench_assert_sent(1, 0, "203.0.113.9", 99, 11, 0);
	bench_assert_sent(2, 1, OUT, 53, 12, 0);
	bench_assert_sent(3, 2, OUT6, 53, 13, 0);
	assert_int_equal(udp_count(u), 3);
	assert_int_equal(bench_stat_of(STAT_UDP_OPENED), 3);
	assert_int_equal(fake.socket[2].family, AF_INET6);
	assert_int_equal(fake.socket[0].kind, HOST_UDP);
	assert_int_equal(fake_option(0, IPPROTO_IP, IP_RECVERR), 1);
	assert_int_equal(fake_option(0, IPPROTO_UDP, UDP_GRO), 1);
	assert_int_equal(fake_option(2, IPPROTO_IPV6, IPV6_RECVERR), 1);
	assert_int_equal(fake_option(2, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	assert_int_equal(fake.socket[0].bound.family, 0);

	/* Anybody may answer, also whom the container has not written to (RFC 4787 REQ-8). */
	bench_arrive(0, "203.0.113.200", 4711, 20, 0);
	fake_poll(0);
	assert_int_equal(fake.n_frame, 1);
	bench_assert_answer(0, "203.0.113.200", 4711, 5000, 20, 0);
	assert_memory_equal(bench_frame(0)->data, data, 20);
}

static void outbound_address(void **state)
{
	(void)state;
	fake.policy.outbound[FAM4] = ip_of("198.51.100.1");
	bench_give_simple(5000, OUT, 53, 10);
	assert_true(ip_equal(&fake.socket[0].bound, &fake.policy.outbound[FAM4]));
}

static void hop_limit_and_class(void **state)
{
	struct packet p = {
		.src = GUEST, .dst = OUT, .sport = 9, .dport = 33434, .ttl = 2, .tos = 0xb8};
	(void)state;

	bench_give(&p);
	p.ttl = 3;
	bench_give(&p);
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.n_sent, 3);
	assert_int_equal(fake.sent[0].ttl, 1);
	assert_int_equal(fake.sent[0].tos, 0xb8);
	assert_int_equal(fake.sent[1].ttl, 2);
	assert_int_equal(fake.sent[2].ttl, 2);
	assert_int_equal(fake.sent[0].df, 0); /* what came without DF goes without */
	p.ttl = 1;
	bench_give(&p);
	p.src = GUEST6;
	p.dst = OUT6;
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.n_sent, 3);
	assert_int_equal(fake.n_frame, 2);
	bench_assert_error(0, ICMP_V4_TIME, ICMP_V4_TIME_TTL, 0, NULL, OUT, 9, 33434, 8);
	bench_assert_error(1, ICMP_V6_TIME, ICMP_V6_TIME_HOPS, 0, NULL, OUT6, 9, 33434, 8);
	assert_int_equal(bench_stat_of(STAT_DROP_TTL), 2);
	p.ttl = 64;
	bench_give(&p);
	bench_flush();
	assert_int_equal(fake.sent[3].ttl, 63);
	assert_int_equal(fake.sent[3].tos, 0xb8);
}

static void bad_datagrams(void **state)
{
	struct packet p = {
		.src = GUEST, .dst = OUT, .sport = 9, .dport = 9, .data = data, .len = 99};
	struct ip_packet k;
	uint8_t wrong[120];
	(void)state;

	p.has_no_csum = true; /* none is right in IPv4 (RFC 768), wrong in IPv6 (RFC 8200 8.1) */
	bench_give(&p);
	p.src = GUEST6;
	p.dst = OUT6;
	bench_give(&p);
	udp_input(u, packet_udp(&p), &(struct link_meta){.is_valid = true}, fake.now);
	assert_int_equal(bench_stat_of(STAT_DROP_CHECKSUM), 2);
	p.has_no_csum = false;
	p.has_bad_csum = true;
	bench_give(&p);
	assert_int_equal(bench_stat_of(STAT_DROP_CHECKSUM), 3);
	udp_input(u, packet_udp(&p), &(struct link_meta){.is_valid = true}, fake.now);
	udp_input(u, packet_udp(&p), &(struct link_meta){.is_partial = true}, fake.now);
	bench_flush();
	assert_int_equal(fake.n_sent, 2); /* one of each family: the last two are a run */
	assert_int_equal(fake.sent[1].len, 198);
	p.has_bad_csum = false;
	p.sport = 0;
	bench_give(&p);
	p.sport = 9;
	p.dport = 0;
	bench_give(&p);
	assert_int_equal(bench_stat_of(STAT_DROP_UDP), 2);
	p.dport = 9;
	for (uint16_t len = 0; len < 120; len += 1) {
		k = *packet_udp(&p);
		memcpy(wrong, k.payload, k.len);
		wrong[4] = (uint8_t)(len >> 8);
		wrong[5] = (uint8_t)len;
		k.payload = wrong;
		udp_input(u, &k, &(struct link_meta){.is_valid = true}, fake.now);
		bench_flush();
		if (len < 8 || len > 107)
			continue;
		assert_int_equal(fake.sent[fake.n_sent - 1].len, len - 8);
	}
	assert_int_equal(bench_stat_of(STAT_DROP_UDP), 2 + 8 + 12);
	assert_int_equal(fake.n_sent, 2 + 100);
	assert_int_equal(fake.n_frame, 0);
}

static void policy(void **state)
{
	(void)state;
	bench_give_simple(5000, "10.0.2.2", 80, 10);
	bench_assert_error(0, ICMP_V4_UNREACH, ICMP_V4_UNREACH_PORT, 0, NULL, "10.0.2.2", 5000, 80,
			   18);
	bench_give_simple(5000, "fd00::2", 80, 10);
	bench_assert_error(1, ICMP_V6_UNREACH, ICMP_V6_UNREACH_PORT, 0, NULL, "fd00::2", 5000, 80,
			   18);
	bench_give_simple(5000, "10.0.2.3", 53, 10);
	assert_int_equal(fake.n_dns, 1);
	assert_int_equal(fake.dns.sport, 5000);
	assert_int_equal(fake.dns.len, 10);
	static const char *const refused[] = {
		"127.0.0.1",           "0.0.0.0",    "224.0.0.251", "255.255.255.255", "240.0.0.1",
		"10.0.2.77",           "::1",        "::",          "ff02::fb",        "fe80::1",
		"::ffff:198.51.100.7", "::127.0.0.1"};
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		bench_give_simple(5000, refused[i], 80, 10);
	bench_flush();
	assert_int_equal(bench_stat_of(STAT_DROP_POLICY), 12);
	assert_int_equal(fake.n_open, 0);
	assert_int_equal(fake.n_sent, 0);
	bench_give(&(struct packet){.src = "fe80::5", .dst = OUT6, .sport = 5, .dport = 5});
	assert_int_equal(bench_stat_of(STAT_DROP_SOURCE), 1);
	assert_int_equal(fake.n_open, 0);
}

static void host_loopback(void **state)
{
	(void)state;
	fake.policy.n_loopback = 1;
	fake.policy.loopback[0] = (struct policy_port){IPPROTO_UDP, 5353, 5354};
	bench_give(&(struct packet){
		.src = GUEST, .dst = "10.0.2.2", .sport = 5000, .dport = 5353, .ttl = 1});
	bench_give_simple(5000, "fd00::2", 5354, 10);
	bench_flush();
	bench_assert_sent(0, 0, "127.0.0.1", 5353, 0, 0);
	assert_int_equal(fake.sent[0].ttl, 1); /* no hop away */
	bench_assert_sent(1, 1, "::1", 5354, 10, 0);
	bench_arrive(0, "127.0.0.1", 5353, 5, 0);
	bench_arrive(1, "::1", 5354, 5, 0);
	/* None of these may the container have written to. */
	bench_arrive(0, "127.0.0.1", 5355, 5, 0);
	bench_arrive(0, "127.0.0.2", 22, 5, 0);
	bench_arrive(0, "10.0.2.2", 5353, 5, 0);
	bench_arrive(0, "10.0.2.100", 5353, 5, 0);
	bench_arrive(0, OUT, 0, 5, 0);
	bench_arrive(1, "fe80::9", 5354, 5, 0);
	fake_poll(0);
	fake_poll(1);
	assert_int_equal(fake.n_frame, 2);
	bench_assert_answer(0, "10.0.2.2", 5353, 5000, 5, 0);
	bench_assert_answer(1, "fd00::2", 5354, 5000, 5, 0);
	assert_int_equal(bench_stat_of(STAT_DROP_ANSWER), 6);
}

/* --- life ---------------------------------------------------------------------------------- */

static void time_outs(void **state)
{
	(void)state;
	bench_give_simple(5000, OUT, 53, 1);
	bench_give_simple(5001, OUT, 53, 1);
	bench_flush();
	fake_time(20000);
	bench_arrive(1, OUT, 53, 1, 0); /* answered: used, but said once */
	fake_poll(1);
	fake_time(9999);
	assert_int_equal(udp_count(u), 2);
	fake_time(1);
	assert_int_equal(udp_count(u), 1);
	fake_time(20000);
	assert_int_equal(udp_count(u), 0);
	assert_int_equal(fake.n_open, 0);

	bench_give_simple(5000, OUT, 53, 1);
	bench_flush();
	bench_arrive(0, OUT, 53, 1, 0);
	fake_poll(0);
	bench_give_simple(5000, OUT, 53,
			  1); /* both have spoken, and the container again: a stream */
	bench_flush();
	fake_time(119999);
	assert_int_equal(udp_count(u), 1);
	bench_arrive(0, OUT, 53, 1, 0); /* what comes keeps it as well */
	fake_poll(0);
	fake_time(119999);
	assert_int_equal(udp_count(u), 1);
	fake_time(1);
	assert_int_equal(udp_count(u), 0);
	assert_int_equal(wheel_next(fake.wheel), UINT64_MAX); /* nothing idle costs */
}

static void cap(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		bench_give_simple((uint16_t)(100 + i), OUT, 53, 1);
		bench_flush();
		bench_arrive(i, OUT, 53, 1, 0);
		fake_poll(i);
		bench_give_simple((uint16_t)(100 + i), OUT, 53, 1);
	}
	bench_flush();
	fake_forget();
	/* A flood of others goes round among itself. */
	for (uint16_t i = 0; i < 500; i++)
		bench_give_simple((uint16_t)(1000 + i), OUT, 53, 1);
	bench_flush();
	assert_int_equal(fake.n_sent, 500); /* what waited was sent before the socket went */
	assert_int_equal(udp_count(u), 64);
	assert_int_equal(fake.n_open, 64);
	assert_int_equal(bench_stat_of(STAT_DGRAM_EVICTED), 456);
	assert_int_equal(bench_stat_of(STAT_UDP_OPENED), 520);
	for (uint16_t i = 0; i < 20; i++)
		bench_give_simple((uint16_t)(100 + i), OUT, 53, 1);
	bench_flush();
	assert_int_equal(bench_stat_of(STAT_UDP_OPENED), 520);
}

/* Streams alone in the table: the longest idle one makes room for a newcomer. */
static void cap_of_streams(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 64; i++) {
		bench_give_simple((uint16_t)(100 + i), OUT, 53, 1);
		bench_flush();
		bench_arrive(i, OUT, 53, 1, 0);
		fake_poll(i);
		bench_give_simple((uint16_t)(100 + i), OUT, 53, 1);
	}
	for (uint16_t i = 0; i < 9; i++)
		bench_give_simple((uint16_t)(1000 + i), OUT, 53, 1);
	for (uint16_t i = 0; i < 9; i++)
		bench_give_simple((uint16_t)(1000 + i), OUT, 53, 1);
	bench_flush();
	assert_int_equal(bench_stat_of(STAT_UDP_OPENED), 73); /* the newcomers kept their places */
}

/* A flood from ever new ports does not take the time of those who have a socket. */
static void flood(void **state)
{
	(void)state;
	bench_give_simple(1, OUT, 53, 1);
	bench_flush();
	bench_arrive(0, OUT, 53, 1, 0);
	fake_poll(0);
	bench_give_simple(1, OUT, 53, 1);
	for (uint16_t i = 0; i < 3000; i++) {
		bench_give_simple((uint16_t)(1000 + i), OUT, 53, 1);
		bench_flush();
		fake_forget();
	}
	assert_int_equal(bench_stat_of(STAT_UDP_OPENED), 64 + 1000);
	assert_int_equal(bench_stat_of(STAT_DROP_TABLE_FULL), 1 + 3000 - 64 - 1000);
	bench_give_simple(1, OUT, 53, 1);
	bench_flush();
	assert_int_equal(fake.n_sent, 1);
	fake_time(10);
	for (uint16_t i = 0; i < 100; i++)
		bench_give_simple((uint16_t)(5000 + i), OUT, 53, 1);
	assert_int_equal(bench_stat_of(STAT_UDP_OPENED), 64 + 1000 + 20);
}

static void no_sockets(void **state)
{
	(void)state;
	fake.socket_max = 3;
	for (uint16_t i = 0; i < 5; i++)
		bench_give_simple((uint16_t)(100 + i), OUT, 53, 1);
	bench_flush();
	assert_int_equal(fake.n_sent, 5); /* the longest idle one makes room */
	assert_int_equal(udp_count(u), 3);
	assert_int_equal(fake.n_frame, 0);
	fake.socket_sys = EMFILE;
	for (uint16_t i = 0; i < 5; i++)
		bench_give_simple((uint16_t)(200 + i), OUT, 53, 1);
	assert_int_equal(fake.n_frame, 5);
	bench_assert_error(0, 3, 13, 0, NULL, OUT, 200, 53, 9);
	assert_int_equal(bench_stat_of(STAT_DROP_SOCKET), 5);
	fake.socket_sys = ENOBUFS;
	bench_give_simple(300, OUT, 53, 1);
	bench_assert_error(5, 3, 13, 0, NULL, OUT, 300, 53, 9);
	fake.socket_sys = EAFNOSUPPORT;
	bench_give_simple(300, OUT6, 53, 1);
	bench_assert_error(6, 1, 0, 0, NULL, OUT6, 300, 53, 9);
	fake.socket_sys = 0;
	bench_give_simple(300, OUT, 53, 1);
	bench_flush();
	assert_int_equal(fake.n_sent, 6);
}

/* --- towards the container ----------------------------------------------------------------- */

static void answers_in_runs(void **state)
{
	(void)state;
	bench_give_simple(5000, OUT, 53, 1);
	bench_flush();
	for (int i = 0; i < 40; i++)
		bench_arrive(0, OUT, 53, 1000, 0);
	bench_arrive(0, OUT, 53, 10, 0); /* shorter: the last of a run */
	bench_arrive(0, OUT, 53, 10, 0);
	bench_arrive(0, "203.0.113.5", 53, 10, 0); /* somebody else */
	bench_arrive(0, "203.0.113.5", 53, 11, 0); /* longer */
	bench_arrive(0, "203.0.113.5", 53, 0, 0);
	bench_arrive(0, "203.0.113.5", 53, 30000, 1000); /* put together by the host */
	bench_arrive(0, "203.0.113.5", 53, 1500, 1000);
	assert_int_equal(fake_option(0, SOL_SOCKET, SO_RCVBUF), -1);
	fake_poll(0);
	assert_true(fake_option(0, SOL_SOCKET, SO_RCVBUF) > 0); /* for who comes in bursts */
	/* 32 a batch, which is a packet at most. */
	bench_assert_answer(0, OUT, 53, 5000, 32000, 1000);
	bench_assert_answer(1, OUT, 53, 5000, 8010, 1000);
	bench_assert_answer(2, OUT, 53, 5000, 10, 0);
	bench_assert_answer(3, "203.0.113.5", 53, 5000, 10, 0);
	bench_assert_answer(4, "203.0.113.5", 53, 5000, 11, 0);
	bench_assert_answer(5, "203.0.113.5", 53, 5000, 0, 0);
	bench_assert_answer(6, "203.0.113.5", 53, 5000, 30000, 1000);
	bench_assert_answer(7, "203.0.113.5", 53, 5000, 1500, 1000);
	assert_int_equal(fake.n_frame, 8);
	assert_memory_equal(bench_frame(6)->data, data, 30000);
	assert_memory_equal(bench_frame(1)->data + 8000, data, 10);
}

static void answers_without_super_frames(void **state)
{
	(void)state;
	fake.caps.has_uso = false;
	bench_give_simple(5000, OUT, 53, 1);
	bench_flush();
	for (int i = 0; i < 5; i++)
		bench_arrive(0, OUT, 53, 1000, 0);
	fake_poll(0);
	assert_int_equal(fake.n_frame, 5);
	for (unsigned i = 0; i < 5; i++)
		bench_assert_answer(i, OUT, 53, 5000, 1000, 0);
}

/* Datagrams above the link's MTU are fragmented one by one: no super-frame holds them. */
static void answers_above_the_mtu(void **state)
{
	(void)state;
	bench_give_simple(5000, OUT, 53, 1);
	bench_give_simple(5000, OUT6, 53, 1);
	bench_flush();
	bench_arrive(0, OUT, 53, 65507, 0);
	bench_arrive(0, OUT, 53, 1473, 0);
	bench_arrive(0, OUT, 53, 1473, 0);
	bench_arrive(0, OUT, 53, 20000, 8000);
	bench_arrive(0, OUT, 53, 2944, 1472);
	bench_arrive(1, OUT6, 53, 2904, 1452);
	bench_arrive(1, OUT6, 53, 2906, 1453);
	fake_poll(0);
	bench_assert_answer(0, OUT, 53, 5000, 65507, 0);
	bench_assert_answer(1, OUT, 53, 5000, 1473, 0);
	bench_assert_answer(2, OUT, 53, 5000, 1473, 0);
	bench_assert_answer(3, OUT, 53, 5000, 8000, 0);
	bench_assert_answer(4, OUT, 53, 5000, 8000, 0);
	bench_assert_answer(5, OUT, 53, 5000, 4000, 0);
	bench_assert_answer(6, OUT, 53, 5000, 2944, 1472);
	assert_int_equal(fake.n_frame, 7);
	assert_memory_equal(bench_frame(4)->data, data + 8000, 8000);
	fake_poll(1);
	bench_assert_answer(7, OUT6, 53, 5000, 2904, 1452);
	bench_assert_answer(8, OUT6, 53, 5000, 1453, 0);
	bench_assert_answer(9, OUT6, 53, 5000, 1453, 0);
}

/* The mark of congestion is the receiver's (RFC 3168, RFC 9000 13.4). */
static void class_of_answers(void **state)
{
	(void)state;
	bench_give_simple(5000, OUT, 53, 1);
	bench_give_simple(5000, OUT6, 53, 1);
	bench_flush();
	for (int i = 0; i < 3; i++) {
		for (int fd = 0; fd < 2; fd++)
			fake_arrive(fd, &(struct fake_datagram){.from = ip_of(fd ? OUT6 : OUT),
								.port = 53,
								.len = 9,
								.data = data,
								.tos = i == 2 ? 3 : 2});
	}
	fake_poll(0);
	fake_poll(1);
	assert_int_equal(fake.n_frame, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(bench_frame(i)->h.tos, i % 2 ? 3 : 2);
		assert_int_equal(bench_frame(i)->len, i % 2 ? 9 : 18);
	}
}

/* Clients of a published socket whom the container looks for on its link: held in emit for as long
 * as they are remembered, shown as the gateway where emit takes them not. */
static void near_clients(void **state)
{
	struct port_tally tally = {0};
	struct port_spec s = {.proto = IPPROTO_UDP, .family = AF_INET, .is_wild = true, .port = 53};
	const struct packet answer = {.src = GUEST,
				      .dst = "10.0.2.7",
				      .sport = 53,
				      .dport = 4000,
				      .data = data,
				      .len = 5};
	int fd = fake_host.socket(AF_INET, HOST_UDP);

	(void)state;
	s.guest[FAM4] = ip_of(GUEST);
	assert_int_equal(udp_port_add(u, &s, fd, &tally), 0);
	bench_arrive(fd, "10.0.2.7", 4000, 9, 0);
	bench_arrive(fd, "10.0.2.7", 4001, 9, 0);
	bench_arrive(fd, OUT, 4000, 9, 0);
	fake_poll(fd);
	assert_int_equal(fake.n_frame, 3);
	bench_assert_answer(0, "10.0.2.7", 4000, 53, 9, 0);
	bench_assert_answer(1, "10.0.2.7", 4001, 53, 9, 0);
	bench_assert_answer(2, OUT, 4000, 53, 9, 0);
	assert_int_equal(fake.n_near, 2);
	assert_true(ip_equal(&fake.near, &(struct ip){.family = AF_INET, .b = {10, 0, 2, 7}}));
	fake_time(60000);
	bench_give(&answer);
	bench_flush();
	bench_assert_sent(0, fd, "10.0.2.7", 4000, 5, 0);
	fake_time(70000);
	assert_int_equal(fake.n_near, 1); /* who was quiet is forgotten */
	fake_time(60000);
	assert_int_equal(fake.n_near, 0);
	bench_give(&answer); /* and none to whom the container may write */
	bench_flush();
	assert_int_equal(fake.n_sent, 1);
	assert_int_equal(bench_stat_of(STAT_DROP_POLICY), 1);
	fake.is_near_refused = true;
	bench_arrive(fd, "10.0.2.8", 4000, 9, 0);
	fake_poll(fd);
	bench_assert_answer(3, "10.0.2.2", 4000, 53, 9, 0);
	assert_int_equal(fake.n_near, 0);
	fake.is_near_refused = false;
	bench_arrive(fd, "10.0.2.7", 4000, 9, 0);
	fake_poll(fd);
	assert_int_equal(fake.n_near, 1);
	udp_port_remove(u, s.slot, fake.now);
	assert_int_equal(fake.n_near, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, bench_set_up, bench_tear_down)
	const struct CMUnitTest tests[] = {
		T(endpoint_independent),
		T(outbound_address),
		T(hop_limit_and_class),
		T(bad_datagrams),
		T(policy),
		T(host_loopback),
		T(time_outs),
		T(cap),
		T(cap_of_streams),
		T(no_sockets),
		T(flood),
		T(answers_in_runs),
		T(answers_without_super_frames),
		T(answers_above_the_mtu),
		T(class_of_answers),
		T(near_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
