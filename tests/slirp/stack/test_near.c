/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client whose address the container looks for on its own link, frame by frame through a whole
 * worker: found there while its connection lives, and neither before nor after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stack/internal.h"
#include "stack/rig.h"
#include "wire/cksum.h"
#include "wire/eth.h"

#include "hex.h"

#define ALL "ffffffffffff "
#define GUEST_MAC "020000000064 "
#define OTHER_MAC "020000000065 "
#define OUR_MAC "020000000002 "
#define ARP "0806 0001 0800 06 04 "
#define NO_MAC "000000000000 "

static struct rig_packet packet;
static uint8_t frame[2000];

/* The frame goes to the worker; what comes back first is in `frame`. Its length, 0: nothing. */
static size_t exchange(const char *text)
{
	uint8_t b[256];
	size_t n = hex_bytes(text, b, sizeof(b));
	ssize_t got;

	assert_int_equal(write(rig.link, b, n), n);
	rig_settle();
	got = read(rig.link, frame, sizeof(frame));
	return got < 0 ? 0 : (size_t)got;
}

static size_t arp(const char *mac, const char *sender, const char *target)
{
	char text[200];

	snprintf(text, sizeof(text), ALL "%s" ARP "0001 %s%s" NO_MAC "%s", mac, mac, sender,
		 target);
	return exchange(text);
}

/* A solicitation of src (of the link layer as mac) for target, as hexadecimal. */
static size_t solicit(const char *mac, const char *src, const char *target, bool has_mac)
{
	uint8_t b[ETH_HDR_LEN + IP6_HDR_LEN + 32], *l4 = b + ETH_HDR_LEN + IP6_HDR_LEN;
	struct ip_build h = {.src = hex_ip(src), .proto = IPPROTO_ICMPV6, .ttl = 255};
	const size_t len = has_mac ? 32 : 24;
	char text[200];
	ssize_t got;
	uint16_t sum;

	snprintf(text, sizeof(text), "87 00 0000 00000000 %s 01 01 %s", target, mac);
	assert_int_equal(hex_bytes(text, l4, 32), 32);
	h.dst = hex_ip("ff02::1:ff00:0");
	memcpy(h.dst.b + 13, l4 + 21, 3);
	hex_bytes("3333ff000000", b, 6);
	memcpy(b + 3, h.dst.b + 13, 3);
	hex_bytes(mac, b + 6, 6);
	hex_bytes("86dd", b + 12, 2);
	ip_build6(b + ETH_HDR_LEN, &h, len);
	sum = cksum_fold(cksum_add(ip_pseudo_sum(&h.src, &h.dst, IPPROTO_ICMPV6, len), l4, len));
	l4[2] = (uint8_t)(sum >> 8);
	l4[3] = (uint8_t)sum;
	assert_int_equal(write(rig.link, b, ETH_HDR_LEN + IP6_HDR_LEN + len),
			 ETH_HDR_LEN + IP6_HDR_LEN + len);
	rig_settle();
	got = read(rig.link, frame, sizeof(frame));
	return got < 0 ? 0 : (size_t)got;
}

/* The client's connection, of which the container has had the SYN. */
static struct rig_socket *dial(struct peer *p, const char *client)
{
	struct rig_socket *s = rig_accepted();
	struct flow_key k;

	peer_init(p, client, 51000, 80);
	k = (struct flow_key){
		.guest = p->src, .peer = p->dst, .guest_port = 80, .peer_port = 51000};
	assert_int_equal(tcp_dial(rig.worker->tcp, &k, s->fd, NULL, rig.now), 0);
	rig_settle();
	assert_true(rig_read(&packet));
	assert_true(packet.tcp.flags == TCP_SYN && ip_equal(&packet.ip.src, &p->dst));
	p->rcv_nxt = packet.tcp.seq + 1;
	return s;
}

static void refuse(struct peer *p, struct rig_socket *s)
{
	peer_send(p, TCP_RST | TCP_ACK, p->snd_nxt, NULL, 0);
	rig_settle();
	assert_true(s->is_closed);
}

static void found_by_arp(void **state)
{
	struct rig_socket *s;
	struct peer p;
	size_t n;

	(void)state;
	assert_int_equal(arp(GUEST_MAC, "0a000264", "0a000207"), 0);
	s = dial(&p, "10.0.2.7");
	n = arp(GUEST_MAC, "0a000264", "0a000207");
	assert_hex(frame, n, GUEST_MAC OUR_MAC ARP "0002" OUR_MAC "0a000207" GUEST_MAC "0a000264");
	assert_int_equal(arp(GUEST_MAC, "0a000264", "0a000208"), 0); /* nobody */
	assert_int_equal(arp(GUEST_MAC, "00000000", "0a000264"), 0); /* duplicates, its own */
	assert_int_equal(arp(GUEST_MAC, "00000000", "0a000207"), 0); /* and the client's */
	assert_int_equal(arp(GUEST_MAC, "0a000264", "0a000264"), 0); /* gratuitous */
	/* All the way, and then to its end: the container's TIME_WAIT is not the client's. */
	peer_send(&p, TCP_SYN | TCP_ACK, p.iss, NULL, 0);
	p.snd_nxt = p.snd_una = p.iss + 1;
	assert_int_equal(write(s->peer, "hello", 5), 5);
	peer_run(&p);
	assert_int_equal(p.n_in, 5);
	assert_true(arp(GUEST_MAC, "0a000264", "0a000207") > 0);
	refuse(&p, s);
	assert_int_equal(arp(GUEST_MAC, "0a000264", "0a000207"), 0);
	assert_int_equal(rig_stat(STAT_DROP_ARP), 0);
}

/* Two connections of one client, of which one ends. */
static void counted(void **state)
{
	struct rig_socket *one, *two;
	struct peer p, q;
	struct flow_key k;

	(void)state;
	one = dial(&p, "10.0.2.7");
	two = rig_accepted();
	q = p;
	q.dport = 51001;
	k = (struct flow_key){
		.guest = q.src, .peer = q.dst, .guest_port = 80, .peer_port = q.dport};
	assert_int_equal(tcp_dial(rig.worker->tcp, &k, two->fd, NULL, rig.now), 0);
	rig_settle();
	assert_true(rig_read(&packet));
	q.rcv_nxt = packet.tcp.seq + 1;
	refuse(&p, one);
	assert_true(arp(GUEST_MAC, "0a000264", "0a000207") > 0);
	refuse(&q, two);
	assert_int_equal(arp(GUEST_MAC, "0a000264", "0a000207"), 0);
}

/* Another guest of the link says that the address is his. */
static void not_taken_away(void **state)
{
	struct peer p;

	(void)state;
	(void)dial(&p, "10.0.2.7");
	assert_true(arp(GUEST_MAC, "0a000264", "0a000207") > 0);
	assert_int_equal(arp(OTHER_MAC, "0a000207", "0a000207"), 0);
	assert_int_equal(arp(GUEST_MAC, "0a000264", "0a000207"), 0);
	/* And who is there before the client is not put aside. */
	assert_int_equal(arp(OTHER_MAC, "0a000209", "0a000209"), 0);
	(void)dial(&p, "10.0.2.9");
	assert_int_equal(arp(GUEST_MAC, "0a000264", "0a000209"), 0);
}

static void found_by_nd(void **state)
{
	static const struct {
		const char *client, *target;
	} cases[] = {
		{"fd00::7", "fd000000000000000000000000000007 "},
		{"fe80::7", "fe800000000000000000000000000007 "},
	};
	struct rig_socket *s;
	struct peer p;
	char want[200];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *target = cases[i].target;

		assert_int_equal(solicit(GUEST_MAC, "fd00::100", target, true), 0);
		s = dial(&p, cases[i].client);
		n = solicit(GUEST_MAC, "fd00::100", target, true);
		assert_int_equal(n, ETH_HDR_LEN + IP6_HDR_LEN + 32);
		assert_hex(frame, 14, GUEST_MAC OUR_MAC "86dd");
		snprintf(want, sizeof(want), "e0000000 %s 02 01" OUR_MAC, target);
		assert_hex(frame + 58, n - 58, want);
		assert_int_equal(solicit(GUEST_MAC, "::", target, false), 0);
		peer_send(&p, TCP_SYN | TCP_ACK, p.iss, NULL, 0);
		p.snd_nxt = p.snd_una = p.iss + 1;
		assert_int_equal(write(s->peer, "hello", 5), 5);
		peer_run(&p);
		assert_int_equal(p.n_in, 5);
		refuse(&p, s);
		assert_int_equal(solicit(GUEST_MAC, "fd00::100", target, true), 0);
	}
	assert_int_equal(rig_stat(STAT_DROP_NDP), 0);
}

/* What the container opens itself to such an address goes nowhere, client or not. */
static void no_way_out(void **state)
{
	static const char *const clients[] = {"10.0.2.7", "fd00::7", "fe80::7"};
	struct peer p, q;

	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++) {
		(void)dial(&p, clients[i]);
		peer_init(&q, clients[i], 22, 40000);
		peer_syn(&q);
		rig_settle();
		assert_false(rig_read(&packet));
		assert_int_equal(rig.n_sockets, i + 1);
		assert_int_equal(rig_stat(STAT_DROP_POLICY), i + 1);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(found_by_arp), T(counted), T(not_taken_away), T(found_by_nd), T(no_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
