/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published TCP ports of a whole worker: under which address and port the container sees a client,
 * who waits in the listener's queue, what a failing accept() means, and what becomes of a port and
 * of its connections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/internal.h"
#include "stack/rig.h"

#define HOST "192.0.2.1" /* an address of the host's */

static struct rig_packet packet;

static struct port_spec spec_of(uint32_t slot)
{
	struct port_spec s = {.slot = slot,
			      .proto = IPPROTO_TCP,
			      .family = AF_INET6,
			      .is_wild = true,
			      .port = 80};

	s.guest[FAM4] = rig.worker->conf.policy.plan.guest[FAM4];
	s.guest[FAM6] = rig.worker->conf.policy.plan.guest[FAM6];
	return s;
}

static void publish(uint32_t slot)
{
	const struct port_spec s = spec_of(slot);

	assert_int_equal(ports_add(rig.worker->ports, &s, rig_listener()), 0);
}

/* The next SYN to the container's port 80 is of this client. */
static void sees(const char *from, uint16_t port)
{
	struct ip ip;

	assert_int_equal(ip_parse(from, &ip, NULL), 0);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, TCP_SYN);
	assert_int_equal(packet.tcp.dport, 80);
	assert_true(ip_equal(&packet.ip.src, &ip));
	assert_int_equal(packet.tcp.sport, port);
}

static struct port_tally tally_of(uint32_t slot)
{
	struct port_tally t = {0};
	uint32_t cursor = slot, at;

	assert_true(ports_list(rig.worker->ports, &cursor, &at, &t));
	assert_int_equal(at, slot);
	return t;
}

static void map(struct ip *ip)
{
	memcpy(ip->b + 12, ip->b, 4);
	memset(ip->b, 0, 10);
	ip->b[10] = ip->b[11] = 0xff;
	ip->family = AF_INET6;
}

static void who(void **state)
{
	(void)state;
	publish(3);
	rig_offer("203.0.113.9", 51000, HOST);
	sees("203.0.113.9", 51000);
	rig_offer("203.0.113.9", 51001, HOST); /* by a socket of both families */
	map(&rig.client[1].from);
	map(&rig.client[1].to);
	sees("203.0.113.9", 51001);
	rig_offer("2001:db8::9", 51000, "2001:db8::1");
	sees("2001:db8::9", 51000);
	/* Of the host itself: its addresses mean nothing in the container. */
	rig_offer("127.0.0.1", 51000, "127.0.0.1");
	sees("10.0.2.2", 51000);
	rig_offer(HOST, 51000, HOST);
	sees("10.0.2.2", 51001);
	rig_offer("::1", 65535, "::1");
	sees("fd00::2", 65535);
	rig_offer("2001:db8::1", 65535, "2001:db8::1");
	sees("fd00::2", 1024);
	assert_int_equal(tally_of(3).flows, 7);
	/* One that is gone already is nobody. */
	rig_offer("203.0.113.9", 51002, NULL);
	rig_settle();
	assert_false(rig_read(&packet));
	assert_true(rig_last()->is_closed && rig_last()->is_aborted);
	assert_int_equal(tally_of(3).flows, 7);
}

/* Who looks like one that is there comes as the gateway; when that has no port left either, not. */
static void alike(void **state)
{
	(void)state;
	publish(0);
	for (int i = 0; i < 64; i++) {
		rig_offer("127.0.0.1", 2000, "127.0.0.1");
		sees("10.0.2.2", (uint16_t)(2000 + i));
	}
	rig_offer("127.0.0.1", 2000, "127.0.0.1");
	rig_settle();
	assert_false(rig_read(&packet));
	assert_true(rig_last()->is_closed && rig_last()->is_aborted);
	assert_int_equal(rig_stat(STAT_DROP_TABLE_FULL), 1);
	rig_offer("203.0.113.9", 2000, HOST);
	sees("203.0.113.9", 2000);
}

/* No descriptor: the listener is left alone for a while, and nobody is lost. */
static void shortage(void **state)
{
	unsigned n;

	(void)state;
	publish(0);
	rig_offer_error(EMFILE);
	rig_offer("203.0.113.9", 51000, HOST);
	rig_settle();
	n = rig.n_accepts;
	assert_int_equal(n, 1);
	assert_int_equal(rig_stat(STAT_DROP_SOCKET), 1);
	rig_pass(99);
	assert_int_equal(rig.n_accepts, n);
	rig_pass(1);
	sees("203.0.113.9", 51000);
}

/* Errors of one connection are none of the listener's: the next is taken at once. */
static void passing(void **state)
{
	static const int sys[] = {ECONNABORTED, EPROTO, EPERM, ENETUNREACH, ETIMEDOUT};

	(void)state;
	publish(0);
	for (size_t i = 0; i < sizeof(sys) / sizeof(*sys); i++)
		rig_offer_error(sys[i]);
	rig_offer("203.0.113.9", 51000, HOST);
	sees("203.0.113.9", 51000);
	assert_int_equal(rig_stat(STAT_DROP_SOCKET), 0);
}

/* A full table: who comes waits in the queue, and is not reset. */
static void full(void **state)
{
	const struct rig_conf conf = {.tcp_max = 2};
	struct peer p[2];

	(void)state;
	rig_start(&conf);
	publish(0);
	for (uint16_t i = 0; i < 2; i++) {
		peer_init(&p[i], "198.51.100.7", 80, (uint16_t)(40000 + i));
		peer_open(&p[i]);
	}
	rig_offer("203.0.113.9", 51000, HOST);
	rig_settle();
	assert_int_equal(rig.n_accepts, 0);
	assert_int_equal(rig_stat(STAT_DROP_TABLE_FULL), 1);
	rig_pass(350);
	assert_int_equal(rig.n_accepts, 0);
	assert_in_range(rig_stat(STAT_DROP_TABLE_FULL), 2, 4); /* it looks now and then */
	peer_send(&p[0], TCP_RST | TCP_ACK, p[0].snd_nxt, NULL, 0);
	rig_pass(100);
	sees("203.0.113.9", 51000);
	rig_stop();
}

static void refused(void **state)
{
	struct port_spec bad[] = {spec_of(0), spec_of(PORTS_MAX), spec_of(1), spec_of(1)};
	static const int want[] = {-EEXIST, -EINVAL, -EINVAL, -EINVAL};

	(void)state;
	publish(0);
	int first = rig.listener;
	bad[2].port = 0;
	bad[3].proto = IPPROTO_SCTP;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ports_add(rig.worker->ports, &bad[i], rig_listener()), want[i]);
		assert_true(rig_last()->is_closed);
	}
	/* The first one is as it was. */
	rig.listener = first;
	rig_offer("203.0.113.9", 51000, HOST);
	sees("203.0.113.9", 51000);
	ports_remove(rig.worker->ports, 1, rig.now);
	ports_remove(rig.worker->ports, UINT32_MAX, rig.now);
	ports_account(rig.worker->ports, 1, 5, 5);
	ports_account(rig.worker->ports, UINT32_MAX, 5, 5);
	ports_account(rig.worker->ports, 0, 5, 7);
	assert_true(tally_of(0).in == 5 && tally_of(0).out == 7);
}

static void removed(void **state)
{
	uint32_t cursor = 0, slot;
	struct port_tally t;
	struct peer p;

	(void)state;
	publish(7);
	rig_offer("203.0.113.9", 51000, HOST);
	sees("203.0.113.9", 51000);
	peer_init(&p, "203.0.113.9", 51000, 80);
	p.rcv_nxt = packet.tcp.seq + 1;
	peer_send(&p, TCP_SYN | TCP_ACK, p.iss, NULL, 0);
	p.snd_nxt = p.snd_una = p.iss + 1;
	peer_run(&p);
	struct rig_socket *listener = &rig.sockets[0], *client = &rig.sockets[1];
	/* While it rests, too. */
	rig_offer_error(ENFILE);
	rig_settle();
	ports_remove(rig.worker->ports, 7, rig.now);
	rig_settle();
	assert_true(listener->is_closed);
	assert_true(client->is_closed && client->is_aborted);
	assert_true(rig_read(&packet));
	assert_true(packet.tcp.flags & TCP_RST);
	assert_false(rig_read(&packet));
	assert_int_equal(tcp_count(rig.worker->tcp), 0);
	assert_false(ports_list(rig.worker->ports, &cursor, &slot, &t));
	rig_pass(200);
	/* Another has the place, and begins at nothing. */
	rig.n_clients = rig.n_accepted = 0;
	publish(7);
	assert_int_equal(tally_of(7).flows, 0);
	rig_offer("203.0.113.9", 51000, HOST);
	sees("203.0.113.9", 51000);
	assert_int_equal(tally_of(7).flows, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who),     T(alike),   T(shortage), T(passing), cmocka_unit_test(full),
		T(refused), T(removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
