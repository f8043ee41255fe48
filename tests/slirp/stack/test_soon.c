/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACKs that wait for company: the container's request is acknowledged by its answer, the host's
 * handshake ends with the first bytes; and neither waits for more than a moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/rig.h"

static const struct rig_conf plain;
static uint8_t buf[100];
static struct rig_packet packet;
static struct peer p;

static int start(void **state)
{
	(void)state;
	rig_start(&plain);
	peer_init(&p, "198.51.100.7", 80, 40000);
	peer_open(&p);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	rig_stop();
	return 0;
}

static void request(void)
{
	peer_data(&p, "x", 1);
	rig_settle();
	assert_int_equal(read(rig_last()->peer, buf, sizeof(buf)), 1);
}

static void expect(uint8_t flags, size_t len, uint32_t ack)
{
	assert_true(rig_read(&packet));
	assert_int_equal(packet.tcp.flags, flags);
	assert_int_equal(packet.len, len);
	assert_int_equal(packet.tcp.ack, ack);
	peer_take(&p, &packet, true);
	rig_settle();
}

/* One packet for the request and its answer. */
static void answered(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		request();
		assert_false(rig_read(&packet));
		assert_int_equal(write(rig_last()->peer, "yz", 2), 2);
		rig_settle();
		expect(TCP_ACK | TCP_PSH, 2, p.snd_nxt);
		assert_false(rig_read(&packet));
		rig_pass(100);
		assert_false(rig_read(&packet));
	}
}

/* Without an answer the ACK goes alone, soon and once. */
static void not_answered(void **state)
{
	(void)state;
	request();
	assert_false(rig_read(&packet));
	rig_pass(1);
	expect(TCP_ACK, 0, p.snd_nxt);
	rig_pass(100);
	assert_false(rig_read(&packet));
	/* Nor is the next answer waited for. */
	request();
	expect(TCP_ACK, 0, p.snd_nxt);
	rig_pass(100);
	assert_false(rig_read(&packet));
}

/* The second of two does not wait, nor does what it came with. */
static void second(void **state)
{
	(void)state;
	request();
	request();
	expect(TCP_ACK, 0, p.snd_nxt);
	rig_pass(100);
	assert_false(rig_read(&packet));
}

/* The connection ends while an ACK waits. */
static void ended(void **state)
{
	struct peer other;

	(void)state;
	peer_init(&other, "198.51.100.7", 80, 40001);
	peer_open(&other);
	peer_data(&other, "x", 1);
	request();
	peer_send(&p, TCP_RST, p.snd_nxt, NULL, 0);
	rig_settle();
	assert_true(rig.sockets[0].is_closed && rig.sockets[0].is_aborted);
	rig_pass(1);
	assert_true(rig_read(&packet)); /* the other's */
	assert_int_equal(packet.tcp.dport, 40001);
	assert_int_equal(packet.tcp.ack, other.snd_nxt);
	assert_false(rig_read(&packet));
}

/* Bytes of the container within the moment: the host's kernel had them to go with its ACK. It is to
 * acknowledge at once again before the server waits for that. */
static void greeted_by_bytes(void **state)
{
	const struct rig_socket *s = rig_last();

	(void)state;
	assert_true(s->n_quick == 1 && s->quick == 0);
	request();
	rig_pass(1);
	expect(TCP_ACK, 0, p.snd_nxt);
	assert_int_equal(s->n_quick, 1);
	assert_int_equal(write(s->peer, "y", 1), 1);
	rig_settle();
	assert_true(s->n_quick == 2 && s->quick == 1);
	expect(TCP_ACK | TCP_PSH, 1, p.snd_nxt);
	assert_int_equal(write(s->peer, "z", 1), 1);
	rig_settle();
	expect(TCP_ACK | TCP_PSH, 1, p.snd_nxt);
	assert_int_equal(s->n_quick, 2);
}

/* None: the server, which may be the one to speak first, learns of the connection all the same. */
static void greeted_alone(void **state)
{
	const struct rig_socket *s = rig_last();

	(void)state;
	assert_true(s->n_quick == 1 && s->quick == 0);
	rig_pass(1);
	assert_true(s->n_quick == 2 && s->quick == 1);
	assert_int_equal(write(s->peer, "220 welcome", 11), 11);
	rig_settle();
	expect(TCP_ACK | TCP_PSH, 11, p.snd_nxt);
	request();
	rig_pass(1);
	assert_int_equal(s->n_quick, 2);
}

static void another(uint16_t dport)
{
	static uint16_t sport = 41000;

	peer_fin(&p);
	shutdown(rig_last()->peer, SHUT_WR);
	peer_run(&p);
	peer_init(&p, "198.51.100.7", dport, sport++);
	peer_open(&p);
}

/* What a service is like is remembered: one that speaks first, or thinks for long, is not held up
 * but once in a while; others are not taken for it. */
static void remembered(void **state)
{
	enum { REST = 32 };

	(void)state;
	rig_pass(1); /* no bytes */
	request();
	rig_pass(1); /* no answer */
	expect(TCP_ACK, 0, p.snd_nxt);
	for (int i = 0; i < REST; i++) {
		another(80);
		assert_int_equal(rig_last()->n_quick, 0);
		request();
		expect(TCP_ACK, 0, p.snd_nxt);
		assert_int_equal(rig_last()->n_quick, 0);
	}
	another(81);
	assert_int_equal(rig_last()->n_quick, 1);
	request();
	assert_false(rig_read(&packet));
	for (int i = 0; i < 9; i++) {
		another(80);
		assert_int_equal(rig_last()->n_quick, 1);
		request();
		assert_false(rig_read(&packet));
		assert_int_equal(write(rig_last()->peer, "y", 1), 1);
		rig_settle();
		expect(TCP_ACK | TCP_PSH, 1, p.snd_nxt);
	}
	/* Who was quick for long may be slow twice. */
	for (int i = 0; i < 3; i++) {
		another(80);
		assert_int_equal(rig_last()->n_quick, 1);
		rig_pass(1);
		assert_int_equal(rig_last()->n_quick, 2);
	}
	another(80);
	assert_int_equal(rig_last()->n_quick, 0);
}

/* The container has nothing to say at all: its FIN completes the handshake. And a server that has
 * ended with its answer waits for no ACK. */
static void greeted_by_end(void **state)
{
	const struct rig_socket *s = rig_last();

	(void)state;
	peer_fin(&p);
	rig_settle();
	assert_int_equal(read(s->peer, buf, sizeof(buf)), 0);
	rig_pass(1);
	assert_true(s->n_quick == 1 && s->quick == 0);
	assert_int_equal(write(s->peer, "y", 1), 1);
	shutdown(s->peer, SHUT_WR);
	rig_settle();
	assert_int_equal(s->n_quick, 1);
	assert_true(s->is_closed && !s->is_aborted);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(answered), T(not_answered),     T(second),        T(remembered),
		T(ended),    T(greeted_by_bytes), T(greeted_alone), T(greeted_by_end),
	};

	return cmocka_run_group_tests_name("acks that wait", tests, NULL, NULL);
}
