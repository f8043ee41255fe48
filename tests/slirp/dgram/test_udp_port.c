/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published UDP sockets: an answer leaves from the address that its client wrote to; clients that
 * look alike to the container are told apart; a flood of clients costs a table; what a socket is
 * refused for, and what of it is shown.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dgram/bench.h"

#define CLIENTS_MAX 16384

static struct port_tally tally;

static struct port_spec spec_of(uint32_t slot, uint8_t family)
{
	struct port_spec s = {
		.slot = slot, .proto = IPPROTO_UDP, .family = family, .is_wild = true, .port = 53};

	s.guest[FAM4] = ip_of(GUEST);
	s.guest[FAM6] = ip_of(GUEST6);
	return s;
}

static int publish(uint32_t slot, uint8_t family)
{
	const struct port_spec s = spec_of(slot, family);
	int fd = fake_host.socket(family, HOST_UDP);

	memset(&tally, 0, sizeof(tally));
	assert_int_equal(udp_port_add(u, &s, fd, &tally), 0);
	return fd;
}

static void arrive(int fd, const char *from, uint16_t port, const char *local)
{
	struct fake_datagram d = {.from = ip_of(from), .port = port, .len = 9, .data = data};

	if (local)
		d.local = ip_of(local);
	fake_arrive(fd, &d);
	fake_poll(fd);
}

static void answer(const char *to, uint16_t port)
{
	bench_give(&(struct packet){.src = strchr(to, ':') ? GUEST6 : GUEST,
				    .dst = to,
				    .sport = 53,
				    .dport = port,
				    .data = data,
				    .len = 5});
	bench_flush();
}

static void assert_from(unsigned i, const char *want)
{
	const struct ip ip = want ? ip_of(want) : (struct ip){0};

	assert_in_range(i, 0, fake.n_sent - 1);
	assert_int_equal(fake.sent[i].from.family, ip.family);
	assert_true(!want || ip_equal(&fake.sent[i].from, &ip));
}

static void source_of_answers(void **state)
{
	int fd = publish(0, AF_INET), fd6;

	(void)state;
	arrive(fd, OUT, 4000, "192.0.2.1");
	answer(OUT, 4000);
	bench_assert_sent(0, fd, OUT, 4000, 5, 0);
	assert_from(0, "192.0.2.1");
	assert_true(tally.flows == 1 && tally.in == 9 && tally.out == 5);
	/* The same client, to another address of the host: another conversation, which the
	 * container must be able to tell from that one. */
	arrive(fd, OUT, 4000, "192.0.2.2");
	bench_assert_answer(0, OUT, 4000, 53, 9, 0);
	bench_assert_answer(1, "10.0.2.2", 4000, 53, 9, 0);
	answer("10.0.2.2", 4000);
	bench_assert_sent(1, fd, OUT, 4000, 5, 0);
	assert_from(1, "192.0.2.2");
	answer(OUT, 4000);
	assert_from(2, "192.0.2.1");
	/* To everybody: no address that an answer could have. */
	arrive(fd, OUT, 4001, "224.0.0.1");
	answer(OUT, 4001);
	assert_from(3, NULL);
	fd6 = publish(1, AF_INET6);
	arrive(fd6, OUT6, 4000, "2001:db8::1");
	answer(OUT6, 4000);
	bench_assert_sent(4, fd6, OUT6, 4000, 5, 0);
	assert_from(4, "2001:db8::1");
}

/* Who cannot be answered is not shown. */
static void nobody(void **state)
{
	int fd = publish(0, AF_INET);

	(void)state;
	arrive(fd, OUT, 0, NULL);
	arrive(fd, "0.0.0.0", 4000, NULL);
	arrive(fd, "224.0.0.1", 4000, NULL);
	assert_int_equal(fake.n_frame, 0);
	assert_int_equal(bench_stat_of(STAT_DROP_ANSWER), 3);
	assert_true(tally.flows == 0 && tally.in == 0);
	fake.policy.plan.gateway[FAM4].family = 0;
	arrive(fd, "127.0.0.1", 4000, NULL); /* as whom? */
	assert_int_equal(fake.n_frame, 0);
	assert_int_equal(tally.flows, 0);
}

/* All of the host itself are shown as the gateway, each at a port of its own while there are some.
 */
static void alike(void **state)
{
	int fd = publish(0, AF_INET);
	char from[16];

	(void)state;
	for (int i = 1; i <= 66; i++) {
		snprintf(from, sizeof(from), "127.0.0.%d", i);
		arrive(fd, from, UINT16_MAX - 1, NULL);
		if (i > 65)
			break;
		bench_assert_answer((unsigned)i - 1, "10.0.2.2",
				    (uint16_t)(i <= 2 ? UINT16_MAX - 2 + i : 1024 + i - 3), 53, 9,
				    0);
	}
	assert_int_equal(fake.n_frame, 65);
	assert_int_equal(bench_stat_of(STAT_DROP_ANSWER), 1);
	answer("10.0.2.2", 1024);
	bench_assert_sent(0, fd, "127.0.0.3", UINT16_MAX - 1, 5, 0);
}

static struct ip client_ip(unsigned i)
{
	return (struct ip){AF_INET, {198, 51, (uint8_t)(i >> 8), (uint8_t)i}};
}

static void flood(void **state)
{
	int fd = publish(0, AF_INET);

	(void)state;
	for (unsigned i = 0; i <= CLIENTS_MAX; i++) {
		const struct fake_datagram d = {
			.from = client_ip(i), .port = 4000, .len = 9, .data = data};

		fake_arrive(fd, &d);
		fake_poll(fd);
		if (i == CLIENTS_MAX - 1) {
			answer("198.51.0.0", 4000); /* the first one is in use */
			assert_int_equal(fake.n_sent, 1);
			assert_int_equal(bench_stat_of(STAT_DGRAM_EVICTED), 0);
		}
		fake_forget();
	}
	assert_int_equal(tally.flows, CLIENTS_MAX + 1);
	assert_int_equal(bench_stat_of(STAT_DGRAM_EVICTED), 1);
	/* The one that was quiet longest is forgotten, and no other. */
	fake.policy.is_udp_off = true; /* so that nothing leaves but as an answer */
	answer("198.51.0.0", 4000);
	answer("198.51.0.2", 4000);
	answer("198.51.64.0", 4000);
	assert_int_equal(fake.n_sent, 3);
	answer("198.51.0.1", 4000);
	assert_int_equal(fake.n_sent, 3);
}

static void refused(void **state)
{
	struct port_spec s = spec_of(0, AF_INET);
	int fd = publish(0, AF_INET);

	(void)state;
	/* Each is closed all the same. */
	assert_int_equal(udp_port_add(u, &s, fake_host.socket(AF_INET, HOST_UDP), &tally), -EEXIST);
	s.slot = PORTS_MAX;
	assert_int_equal(udp_port_add(u, &s, fake_host.socket(AF_INET, HOST_UDP), &tally), -EINVAL);
	s.slot = 1;
	s.guest[FAM4].family = 0;
	assert_int_equal(udp_port_add(u, &s, fake_host.socket(AF_INET, HOST_UDP), &tally), -EINVAL);
	assert_int_equal(fake.n_open, 1);
	arrive(fd, OUT, 4000, NULL);
	assert_int_equal(fake.n_frame, 1);
	udp_port_remove(u, PORTS_MAX, fake.now);
	udp_port_remove(u, 1, fake.now);
	assert_int_equal(fake.n_open, 1);
	udp_port_remove(u, 0, fake.now);
	udp_port_remove(u, 0, fake.now);
	assert_int_equal(fake.n_open, 0);
	/* The place is free, and nobody is remembered in it. */
	fd = publish(0, AF_INET);
	fake.policy.is_udp_off = true;
	answer(OUT, 4000);
	assert_int_equal(fake.n_sent, 0);
}

static void shown(void **state)
{
	struct udp_seen seen;
	uint32_t cursor = 0;
	unsigned n_inward = 0, n = 0;
	int fd = publish(0, AF_INET);

	(void)state;
	assert_false(udp_list(u, &cursor, fake.now, &seen));
	arrive(fd, OUT, 4000, NULL);
	arrive(fd, OUT, 4001, NULL);
	bench_give_simple(6000, OUT, 7000, 9);
	bench_flush();
	fake_time(500);
	for (cursor = 0; udp_list(u, &cursor, fake.now, &seen); n++) {
		assert_int_equal(seen.idle_ms, 500);
		assert_int_equal(seen.is_inward, seen.key.guest_port == 53);
		assert_int_equal(seen.key.peer_port >= 7000, !seen.is_inward);
		n_inward += seen.is_inward;
	}
	assert_true(n == 3 && n_inward == 2);
	cursor = UINT32_MAX;
	assert_false(udp_list(u, &cursor, fake.now, &seen));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, bench_set_up, bench_tear_down)
	const struct CMUnitTest tests[] = {
		T(source_of_answers), T(nobody), T(alike), T(flood), T(refused), T(shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
