/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: the gateway's services and reassembly as frames over a socketpair, through the whole
 * worker, in held time: what comes out is checked from its Ethernet header to its checksums.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "stack/worker.h"
#include "wire/arp.h"
#include "wire/cksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/tcphdr.h"
#include "wire/udphdr.h"

#include "hex.h"

#define TO_US "52550a000202 1234567890ab "
#define FROM_US "1234567890ab 52550a000202 "
#define GUEST6 "fd000000000000000000000000000064 "
#define GATEWAY6 "fd000000000000000000000000000002 "

static struct worker *worker;
static int container;
static uint64_t now;

/* The host: sockets whose connect() is under way until it is told to fail. */
#define SOCKETS 8
static struct {
	int fd, peer, error;
	struct ip to;
} sockets[SOCKETS];
static size_t n_sockets;

static size_t of(int fd)
{
	size_t i = n_sockets;

	while (i-- > 0)
		if (sockets[i].fd == fd)
			return i;
	fail_msg("no socket %d", fd);
	return 0;
}

static int host_socket(int family, enum host_kind kind)
{
	static const uint8_t zero[4096];
	int pair[2];

	(void)family;
	assert_int_equal(kind, HOST_TCP);
	assert_true(n_sockets < SOCKETS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	while (write(pair[0], zero, sizeof(zero)) > 0) /* not writable: under way */
		;
	sockets[n_sockets].fd = pair[0];
	sockets[n_sockets++].peer = pair[1];
	return pair[0];
}

static int host_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage copy = {0};
	uint16_t port;

	memcpy(&copy, sa, len);
	assert_int_equal(host_from_sockaddr(&copy, len, &sockets[of(fd)].to, &port), 0);
	assert_int_equal(port, 53);
	return -EINPROGRESS;
}

static int host_option(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

static int host_get(int fd, int level, int name, void *value, socklen_t *len)
{
	assert_int_equal(level, SOL_SOCKET);
	assert_int_equal(name, SO_ERROR);
	assert_int_equal(*len, sizeof(int));
	memcpy(value, &sockets[of(fd)].error, sizeof(int));
	return 0;
}

static void host_close(int fd)
{
	size_t i = of(fd);

	close(fd);
	close(sockets[i].peer);
	sockets[i].fd = -1;
}

static const struct host_ops host = {.socket = host_socket,
				     .connect = host_connect,
				     .setsockopt = host_option,
				     .getsockopt = host_get,
				     .close = host_close};

static void pass(uint64_t ms)
{
	for (uint64_t end = now + ms;;) {
		for (int i = 0; i < 4; i++)
			assert_true(worker_round(worker, 0));
		if (now == end)
			return;
		now += end - now < 500 ? end - now : 500;
		loop_hold(worker_loop(worker), now);
	}
}

static int setup(void **state)
{
	struct worker_config conf = {
		.tcp_max = 16,
		.udp_max = 16,
		.ping_max = 16,
		.memory_max = 1 << 20,
		.udp_once_s = 30,
		.udp_stream_s = 120,
		.is_raw_link = true,
		.resolvers = {.n = 3,
			      .ip = {hex_ip("198.51.100.1"), hex_ip("198.51.100.2"),
				     hex_ip("198.51.100.3")}}};
	struct worker_fds fds = {
		.control = -1, .log = -1, .pcap = -1, .inside = -1, .listen = {-1, -1}, .kept = -1};
	int pair[2];

	(void)state;
	conf.policy.plan = (struct plan){
		.net = {{hex_ip("10.0.2.0"), 24}, {hex_ip("fd00::"), 64}},
		.gateway = {hex_ip("10.0.2.2"), hex_ip("fd00::2")},
		.dns = {hex_ip("10.0.2.3"), hex_ip("fd00::3")},
		.guest = {hex_ip("10.0.2.100"), hex_ip("fd00::64")},
		.our_mac = hex_mac("52550a000202"),
		.mtu = 1500,
		.is_dhcp = {true, true},
		.is_ra = true,
	};
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	container = pair[1];
	fds.link = pair[0];
	n_sockets = 0;
	now = 100000;
	assert_int_equal(worker_new(&conf, &fds, &host, &worker, NULL), 0);
	loop_hold(worker_loop(worker), now);
	pass(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	worker_free(worker);
	close(container);
	for (size_t i = 0; i < n_sockets; i++)
		if (sockets[i].fd >= 0)
			return -1;
	return 0;
}

static uint64_t stat(enum stat_id s)
{
	return worker_stats(worker)->n[s];
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void send_frame(const uint8_t *b, size_t n)
{
	assert_int_equal(write(container, b, n), n);
	pass(0);
}

/* An IPv4 or IPv6 packet from the guest: header from h, transport checksum at csum_at of the whole
 * payload (-1: as it is), sent in pieces of at most `piece` bytes, a multiple of 8 (0: whole). */
static void send_ip(const struct ip_build *h, uint8_t *l4, size_t len, int csum_at, size_t piece)
{
	bool is_v4 = h->src.family == AF_INET;
	size_t head = is_v4 ? IP4_HDR_LEN : IP6_HDR_LEN;
	struct mac us = hex_mac("52550a000202"), guest = hex_mac("1234567890ab");
	uint32_t sum =
		h->proto == IPPROTO_ICMP ? 0 : ip_pseudo_sum(&h->src, &h->dst, h->proto, len);

	if (csum_at >= 0)
		put16(l4 + csum_at, cksum_fold(cksum_add(sum, l4, len)));
	for (size_t at = 0; at < len; at += piece ? piece : len) {
		size_t n = piece && len - at > piece ? piece : len - at;
		struct ip_build b = *h;
		uint8_t f[2048];
		size_t used = ETH_HDR_LEN + head;

		eth_build(f, &us, &guest, is_v4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
		b.is_more = piece && at + n < len;
		b.frag_offset = (uint16_t)at;
		b.id = 77;
		if (is_v4) {
			ip_build4(f + ETH_HDR_LEN, &b, n);
		} else if (piece) {
			b.proto = IPPROTO_FRAGMENT;
			ip_build6(f + ETH_HDR_LEN, &b, IP6_FRAG_LEN + n);
			ip_build6_frag(f + used, h->proto, (uint32_t)at, b.is_more, 77);
			used += IP6_FRAG_LEN;
		} else {
			ip_build6(f + ETH_HDR_LEN, &b, n);
		}
		memcpy(f + used, l4 + at, n);
		send_frame(f, used + n);
	}
}

static struct ip_build header(const char *src, const char *dst, uint8_t proto, uint8_t ttl)
{
	return (struct ip_build){
		.src = hex_ip(src), .dst = hex_ip(dst), .proto = proto, .ttl = ttl};
}

static uint8_t frame[70000];

/* The next frame to the container; 0: none. */
static size_t receive(void)
{
	ssize_t n = read(container, frame, sizeof(frame));

	return n < 0 ? 0 : (size_t)n;
}

/* The next packet, its headers and checksum checked. */
static struct ip_packet receive_ip(uint8_t proto)
{
	size_t n = receive();
	struct ip_packet k = {0};
	struct ip_problem problem;
	struct eth_frame f;

	assert_int_equal(eth_parse(frame, n, &f), 0);
	assert_hex(frame, 12, FROM_US);
	assert_int_equal(f.type == ETH_TYPE_IP4 ? ip_parse4(f.payload, f.len, &k)
						: ip_parse6(f.payload, f.len, &k, &problem),
			 IP_OK);
	assert_int_equal(k.proto, proto);
	assert_true(ip_sum_ok(&k));
	return k;
}

/* Any frame with an acceptable source teaches where the guest is. */
static void introduce(void)
{
	struct ip_build h = header("fd00::64", "ff02::1", IPPROTO_ICMPV6, 255);
	uint8_t b[128];

	send_frame(b,
		   hex_bytes(TO_US "0806 0001 0800 06 04 0002 1234567890ab 0a000264 52550a000202 "
				   "0a000202",
			     b, sizeof(b)));
	hex_bytes("88 00 0000 20000000" GUEST6 "02 01 1234567890ab", b, sizeof(b));
	send_ip(&h, b, 32, 2, 0);
	assert_int_equal(receive(), 0);
}

static void test_neighbours(void **state)
{
	struct ip_build h = header("fd00::64", "ff02::1:ff00:2", IPPROTO_ICMPV6, 255);
	uint8_t b[128];
	struct ip_packet k;
	size_t n;

	(void)state;
	send_frame(b, hex_bytes("ffffffffffff 1234567890ab 0806 0001 0800 06 04 0001 1234567890ab "
				"0a000264 000000000000 0a000202",
				b, sizeof(b)));
	n = receive();
	assert_hex(frame, n,
		   FROM_US "0806 0001 0800 06 04 0002 52550a000202 0a000202 1234567890ab 0a000264");
	n = hex_bytes("87 00 0000 00000000" GATEWAY6 "01 01 1234567890ab", b, sizeof(b));
	send_ip(&h, b, n, 2, 0);
	k = receive_ip(IPPROTO_ICMPV6);
	assert_int_equal(k.ttl, 255);
	assert_ip(k.src, "fd00::2");
	assert_ip(k.dst, "fd00::64");
	assert_hex(k.payload + 4, k.len - 4, "e0000000" GATEWAY6 "02 01 52550a000202");
	/* RFC 6980: the same in fragments is nobody's. */
	send_ip(&h, b, n, 2, 16);
	assert_int_equal(receive(), 0);
	h = header("::", "ff02::2", IPPROTO_ICMPV6, 255);
	n = hex_bytes("85 00 0000 00000000", b, sizeof(b));
	send_ip(&h, b, n, 2, 0);
	n = receive();
	assert_hex(frame, 14, "333300000001 52550a000202 86dd");
	assert_int_equal(frame[14 + 40], ICMP_V6_RA);
}

static void test_dhcp(void **state)
{
	struct ip_build h = header("0.0.0.0", "255.255.255.255", IPPROTO_UDP, 64);
	uint8_t b[400] = {0};
	struct ip_packet k;
	size_t n;

	(void)state;
	udphdr_build(b, 68, 67, 0, 244);
	hex_bytes("01 01 06 00 deadbeef", b + 8, 8);
	hex_bytes("1234567890ab", b + 8 + 28, 6);
	hex_bytes("63825363 35 01 01 ff", b + 8 + 236, 8);
	send_ip(&h, b, 252, 6, 0);
	n = receive();
	assert_hex(frame, 14, "ffffffffffff 52550a000202 0800"); /* nobody knows the guest yet */
	assert_int_equal(ip_parse4(frame + ETH_HDR_LEN, n - ETH_HDR_LEN, &k), IP_OK);
	assert_true(ip_sum_ok(&k));
	assert_ip(k.src, "10.0.2.2");
	assert_ip(k.dst, "255.255.255.255");
	assert_hex(k.payload + 8 + 16, 4, "0a000264");
	assert_int_equal(stat(STAT_DROP_DHCP) + stat(STAT_DROP_SOURCE), 0);
}

/* What an unknown or misplaced header is answered with. */
static void test_problems(void **state)
{
	struct ip_build h = header("fd00::64", "2001:db8::1", IPPROTO_DSTOPTS, 64);
	uint8_t b[128];
	struct icmp_v m;
	struct ip_packet k;
	size_t n;

	(void)state;
	introduce();
	n = hex_bytes("00 00 010400000000 11 00 010400000000 0001 0035 0008 0000", b, sizeof(b));
	send_ip(&h, b, n, -1, 0);
	k = receive_ip(IPPROTO_ICMPV6);
	assert_ip(k.src, "fd00::2");
	assert_ip(k.dst, "fd00::64");
	assert_int_equal(icmp_parse(k.payload, k.len, &m), 0);
	assert_int_equal(m.type, ICMP_V6_PARAM);
	assert_int_equal(m.code, ICMP_V6_PARAM_NEXT);
	assert_int_equal(m.info, 40);
	assert_int_equal(m.len, 40 + n);
	assert_memory_equal(m.payload + 40, b, n);
	h.proto = 132; /* SCTP */
	send_ip(&h, b, n, -1, 0);
	k = receive_ip(IPPROTO_ICMPV6);
	assert_int_equal(icmp_parse(k.payload, k.len, &m), 0);
	assert_int_equal(m.type << 8 | m.code, ICMP_V6_PARAM << 8 | ICMP_V6_PARAM_NEXT);
	assert_int_equal(m.info, 6);
	h = header("10.0.2.100", "198.51.100.1", 132, 64);
	send_ip(&h, b, n, -1, 0);
	k = receive_ip(IPPROTO_ICMP);
	assert_ip(k.src, "10.0.2.2");
	assert_int_equal(icmp_parse(k.payload, k.len, &m), 0);
	assert_int_equal(m.type << 8 | m.code, ICMP_V4_UNREACH << 8 | ICMP_V4_UNREACH_PROTO);
	assert_int_equal(m.len, 20 + n);
	assert_int_equal(receive(), 0);
}

#define HOST_QUERY                                                                                 \
	"beef 0100 0001 0000 0000 0000 04 686f7374 0a 636f6e7461696e657273 08 696e7465726e616c "   \
	"00 "                                                                                      \
	"0001 0001"

/* A DNS query in pieces of 8 bytes: whole again, its checksum right or wrong. */
static void test_fragments(void **state)
{
	uint8_t b[128];
	size_t n = UDP_HDR_LEN + hex_bytes(HOST_QUERY, b + UDP_HDR_LEN, sizeof(b) - UDP_HDR_LEN);

	(void)state;
	introduce();
	for (int f = 0; f < 2; f++) {
		struct ip_build h = f == 0 ? header("10.0.2.100", "10.0.2.3", IPPROTO_UDP, 64)
					   : header("fd00::64", "fd00::3", IPPROTO_UDP, 64);
		struct ip_packet k;
		uint64_t drops = stat(STAT_DROP_CHECKSUM);

		udphdr_build(b, 4000, 53, 0, n - UDP_HDR_LEN);
		send_ip(&h, b, n, 6, 8);
		k = receive_ip(IPPROTO_UDP);
		assert_ip(k.src, f == 0 ? "10.0.2.3" : "fd00::3");
		assert_hex(k.payload + k.len - 4, 4, "0a000202");
		b[6] ^= 1;
		send_ip(&h, b, n, -1, 8);
		assert_int_equal(receive(), 0);
		assert_int_equal(stat(STAT_DROP_CHECKSUM), drops + 1);
	}
	assert_int_equal(stat(STAT_DROP_FRAGMENT), 0);
}

/* The first piece of a datagram, and nothing for a minute. */
static void test_fragment_timeout(void **state)
{
	(void)state;
	introduce();
	for (int f = 0; f < 2; f++) {
		struct ip_build h = f == 0 ? header("10.0.2.100", "198.51.100.1", IPPROTO_UDP, 64)
					   : header("fd00::64", "2001:db8::1", IPPROTO_UDP, 64);
		const struct ip us = hex_ip(f == 0 ? "10.0.2.2" : "fd00::2");
		struct icmp_v m;
		struct ip_packet k;
		uint8_t one[ETH_HDR_LEN + 60 + 32] = {0};
		struct mac to = hex_mac("52550a000202"), from = hex_mac("1234567890ab");

		eth_build(one, &to, &from, f == 0 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
		h.is_more = true;
		h.id = 9;
		if (f == 0) {
			ip_build4(one + ETH_HDR_LEN, &h, 32);
			send_frame(one, ETH_HDR_LEN + IP4_HDR_LEN + 32);
		} else {
			h.proto = IPPROTO_FRAGMENT;
			ip_build6(one + ETH_HDR_LEN, &h, IP6_FRAG_LEN + 32);
			ip_build6_frag(one + ETH_HDR_LEN + IP6_HDR_LEN, IPPROTO_UDP, 0, true, 9);
			send_frame(one, ETH_HDR_LEN + IP6_HDR_LEN + IP6_FRAG_LEN + 32);
		}
		pass(59500);
		assert_int_equal(receive(), 0);
		pass(500);
		k = receive_ip(f == 0 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		assert_true(ip_equal(&k.src, &us));
		assert_int_equal(icmp_parse(k.payload, k.len, &m), 0);
		assert_int_equal(m.type << 8 | m.code,
				 f == 0 ? ICMP_V4_TIME << 8 | 1 : ICMP_V6_TIME << 8 | 1);
		assert_int_equal(m.len, f == 0 ? 52 : 80);
		assert_int_equal(stat(STAT_DROP_FRAGMENT), f + 1);
	}
}

/* DNS over TCP: each resolver that refuses hands on to the next, however long each takes, and none
 * is asked twice. */
static void test_resolvers_over_tcp(void **state)
{
	struct ip_build h = header("10.0.2.100", "10.0.2.3", IPPROTO_TCP, 64);
	struct tcphdr_v v = {.sport = 4000, .dport = 53, .seq = 1, .flags = TCP_SYN, .wnd = 1000};
	struct ip_packet k;
	uint8_t b[64];
	size_t n = tcphdr_build(b, &v);

	(void)state;
	introduce();
	send_ip(&h, b, n, 16, 0);
	for (size_t i = 0; i < 3; i++) {
		static const char *const in_order[] = {"198.51.100.1", "198.51.100.2",
						       "198.51.100.3"};

		assert_int_equal(n_sockets, i + 1);
		assert_ip(sockets[i].to, in_order[i]);
		pass(700);
		assert_int_equal(receive(), 0);
		sockets[i].error = ECONNREFUSED;
		shutdown(sockets[i].peer, SHUT_RDWR);
		pass(0);
	}
	assert_int_equal(n_sockets, 3);
	k = receive_ip(IPPROTO_TCP);
	assert_ip(k.src, "10.0.2.3");
	assert_true(k.payload[13] & TCP_RST);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_neighbours),       CASE(test_dhcp),
		CASE(test_problems),         CASE(test_fragments),
		CASE(test_fragment_timeout), CASE(test_resolvers_over_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
