/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must not become a connection, or the end of one, seen from the link of a whole worker:
 * special addresses and ports, stray segments, connections that one side has forgotten, hours that
 * pass at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "stack/rig.h"

static struct rig_packet packet;

static const struct {
	int family;
	uint8_t b[16];
} special[] = {
	{AF_INET, {0, 0, 0, 0}},
	{AF_INET, {0, 1, 2, 3}},
	{AF_INET, {127, 0, 0, 1}},
	{AF_INET, {127, 255, 255, 254}},
	{AF_INET, {224, 0, 0, 1}},
	{AF_INET, {239, 1, 1, 1}},
	{AF_INET, {240, 0, 0, 1}},
	{AF_INET, {255, 255, 255, 255}},
	{AF_INET6, {0}},
	{AF_INET6, {[15] = 1}},
	{AF_INET6, {0xff, 2, [15] = 1}},
	{AF_INET6, {0xff, 0x0e, [15] = 9}},
	{AF_INET6, {0xfe, 0x80, [15] = 7}},
	{AF_INET6, {[10] = 0xff, 0xff, 127, 0, 0, 1}},
	{AF_INET6, {[10] = 0xff, 0xff, 8, 8, 8, 8}},
	{AF_INET6, {[12] = 127, 0, 0, 1}},
};

static struct ip special_ip(size_t i)
{
	struct ip ip = {.family = special[i].family};

	memcpy(ip.b, special[i].b, 16);
	return ip;
}

/* Neither a socket nor a word, whatever comes: SYN, ACK, data, FIN, RST. */
static void expect_silence(struct peer *p, enum stat_id s)
{
	static const uint8_t flags[] = {TCP_SYN,           TCP_ACK, TCP_ACK | TCP_FIN,
					TCP_SYN | TCP_ACK, TCP_RST, 0};
	uint64_t before = rig_stat(s);

	for (size_t i = 0; i < sizeof(flags); i++)
		peer_send(p, flags[i], 1000, "x", i % 2);
	rig_settle();
	assert_false(rig_read(&packet));
	assert_int_equal(rig.n_sockets, 0);
	assert_int_equal(rig_stat(s) - before, sizeof(flags));
}

static void special_destinations(void **state)
{
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++) {
		struct ip to = special_ip(i);

		peer_init(&p, to.family == AF_INET ? "198.51.100.7" : "2001:db8::7", 80, 40000);
		p.dst = to;
		expect_silence(&p, STAT_DROP_POLICY);
	}
}

static void special_sources(void **state)
{
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++) {
		struct ip from = special_ip(i);

		peer_init(&p, from.family == AF_INET ? "198.51.100.7" : "2001:db8::7", 80, 40000);
		p.src = from;
		expect_silence(&p, STAT_DROP_SOURCE);
	}
}

static void port_zero(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, "198.51.100.7", 0, 40000);
	expect_silence(&p, STAT_DROP_TCP);
	peer_init(&p, "198.51.100.7", 80, 0);
	expect_silence(&p, STAT_DROP_TCP);
}

/* What belongs to no connection is answered by RST, which is answered by nobody. */
static void stray(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 40000);
	p.rcv_nxt = 77;
	peer_send(&p, TCP_ACK, 1000, "xyz", 3);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_RST);
	assert_int_equal(packet.tcp.seq, 77);
	peer_send(&p, TCP_RST, 1000, NULL, 0);
	rig_settle();
	assert_false(rig_read(&packet));
	assert_int_equal(rig.n_sockets, 0);
}

/* The host has ended, the container never does: what is left of it goes after four minutes. */
static void forgotten(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	/* Container's end first, so that its own is not waited for: FIN-WAIT-2 of ours. */
	shutdown(rig_last()->peer, SHUT_WR);
	peer_run(&p);
	assert_true(p.has_fin);
	rig_pass(240 * 1000 - 1000);
	while (rig_read(&packet))
		assert_false(packet.tcp.flags & TCP_RST);
	rig_pass(2000);
	rig_settle();
	assert_true(rig_last()->is_closed);
	assert_int_equal(worker_memory(rig.worker), 0);
	/* And the container is told, should it still be there. */
	while (rig_read(&packet))
		p.is_reset |= packet.tcp.flags & TCP_RST ? true : false;
	assert_true(p.is_reset);
}

/* Hours pass at once, as after a machine's sleep: nobody is given up, what was under way goes on.
 */
static void hours_at_once(void **state)
{
	enum { N = 20 };
	static struct peer p[N];
	bool is_any;

	(void)state;
	for (uint16_t i = 0; i < N; i++) {
		peer_init(&p[i], "198.51.100.7", 80, (uint16_t)(40000 + i));
		peer_open(&p[i]);
	}
	/* Half of them have sent something that is not acknowledged yet. */
	for (int i = 0; i < N; i += 2)
		assert_int_equal(write(rig.sockets[i].peer, "abc", 3), 3);
	rig_settle();
	while (rig_read(&packet))
		;
	rig.now += 3u * 3600 * 1000;
	loop_hold(worker_loop(rig.worker), rig.now);
	assert_true(worker_round(rig.worker, 0));
	/* Questions whether they are there (keep-alive), and what was sent before once more. */
	do {
		is_any = false;
		rig_settle();
		while (rig_read(&packet)) {
			int i = packet.tcp.dport - 40000;

			assert_false(packet.tcp.flags & TCP_RST);
			is_any |= peer_take(&p[i], &packet, true);
		}
	} while (is_any);
	for (int i = 0; i < N; i++) {
		assert_int_equal(p[i].n_in, i % 2 ? 0 : 3);
		assert_false(rig.sockets[i].is_closed);
		peer_data(&p[i], "y", 1);
		peer_run(&p[i]);
		assert_false(p[i].is_reset);
	}
	assert_int_equal(rig_stat(STAT_TCP_OPENED), N);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(special_destinations), T(special_sources), T(port_zero), T(stray), T(forgotten),
		T(hours_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
