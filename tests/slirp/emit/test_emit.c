/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames as a link without offloads gets them: checksums over pieces of odd lengths, segments of
 * super-segments, fragments, ICMP errors and when there are none, and to whom they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emit/emit.h"
#include "emit/internal.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/ndp.h"
#include "wire/reass.h"
#include "wire/tcphdr.h"
#include "wire/udphdr.h"

static struct plan plan;
static struct link tap;
static struct stats stats;
static struct emit *x;
static int other;
static uint8_t payload[70000], frame[70000];

static struct ip ip_of(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip, NULL), 0);
	return ip;
}

static int start(void **state)
{
	int pair[2], size = 4 << 20;

	(void)state;
	memset(&plan, 0, sizeof(plan));
	memset(&stats, 0, sizeof(stats));
	plan.net[FAM4] = (struct prefix){ip_of("10.0.2.0"), 24};
	plan.gateway[FAM4] = ip_of("10.0.2.2");
	plan.net[FAM6] = (struct prefix){ip_of("fd00::"), 64};
	plan.gateway[FAM6] = ip_of("fd00::2");
	plan.our_mac = (struct mac){{2, 0, 0, 0, 0, 2}};
	plan.guest_mac = (struct mac){{2, 0, 0, 0, 0, 100}};
	plan.mtu = 1500;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(link_init(&tap, pair[0], true, NULL), 0);
	other = pair[1];
	assert_int_equal(fcntl(other, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(emit_new(&plan, &tap, &stats, &x, NULL), 0);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 41 + i / 509);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	emit_free(x);
	close(tap.fd);
	close(other);
	return 0;
}

/* The next frame's packet, its transport checksum right. false: none. */
static bool next(struct ip_packet *k, struct eth_frame *f)
{
	ssize_t n = read(other, frame, sizeof(frame));
	struct ip_problem problem;

	if (n < 0)
		return false;
	assert_int_equal(eth_parse(frame, (size_t)n, f), 0);
	assert_true(eth_equal(&f->src, &plan.our_mac));
	assert_true(f->len <= plan.mtu);
	assert_int_equal(f->type == ETH_TYPE_IP4 ? ip_parse4(f->payload, f->len, k)
						 : ip_parse6(f->payload, f->len, k, &problem),
			 IP_OK);
	return true;
}

static struct emit_ip header(bool is_v4, uint8_t proto)
{
	return (struct emit_ip){.src = ip_of(is_v4 ? "198.51.100.7" : "2001:db8::7"),
				.dst = ip_of(is_v4 ? "10.0.2.100" : "fd00::100"),
				.proto = proto,
				.csum_offset = proto == IPPROTO_TCP   ? 16
					       : proto == IPPROTO_UDP ? 6
								      : 2};
}

static void drop_question(void)
{
	struct eth_frame f;
	ssize_t n = read(other, frame, sizeof(frame));

	assert_true(n > 0 && eth_parse(frame, (size_t)n, &f) == 0 && f.type == ETH_TYPE_ARP);
}

/* Every length up to some hundred bytes in pieces of odd lengths; a UDP checksum that comes out as
 * zero is sent as ones. */
static void checksums(void **state)
{
	unsigned n_ones = 0;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		const bool is_v4 = i & 1;
		struct emit_ip h = header(is_v4, IPPROTO_UDP);
		size_t a = (size_t)rand() % 50, b = (size_t)rand() % 50, c = (size_t)rand() % 50;
		struct iovec iov[3] = {
			{payload + rand() % 1000, a}, {payload + rand() % 1000, b}, {payload, c}};
		uint8_t l4[UDP_HDR_LEN];
		struct udphdr_v u;
		struct ip_packet k;
		struct eth_frame f;

		h.tos = (uint8_t)i;
		udphdr_build(l4, (uint16_t)rand(), 53, 0, a + b + c);
		assert_int_equal(emit_packet(x, &h, l4, sizeof(l4), iov, 3), 0);
		assert_true(next(&k, &f));
		assert_true(k.tos == (uint8_t)i && k.ttl == 64 && k.proto == IPPROTO_UDP);
		assert_int_equal(udphdr_parse(k.payload, k.len, &u), 0);
		assert_true(u.csum != 0 && udphdr_sum_ok(&k, &u));
		assert_int_equal(u.len, a + b + c);
		n_ones += u.csum == 0xffff;
	}
	/* A port that makes the sum zero. */
	for (uint32_t port = 1; port < 65536; port++) {
		struct emit_ip h = header(true, IPPROTO_UDP);
		struct iovec iov = {payload, 2};
		uint8_t l4[UDP_HDR_LEN];
		struct ip_packet k;
		struct eth_frame f;
		struct udphdr_v u;

		udphdr_build(l4, (uint16_t)port, 53, 0, 2);
		assert_int_equal(emit_packet(x, &h, l4, sizeof(l4), &iov, 1), 0);
		assert_true(next(&k, &f));
		assert_int_equal(udphdr_parse(k.payload, k.len, &u), 0);
		assert_true(u.csum != 0 && udphdr_sum_ok(&k, &u));
		n_ones += u.csum == 0xffff;
	}
	assert_true(n_ones >= 1);
}

/* As Linux cuts them: sequence numbers go on, FIN and PSH on the last, CWR on the first. */
static void segments(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		const bool is_v4 = i & 1;
		struct emit_ip h = header(is_v4, IPPROTO_TCP);
		struct tcphdr_v t = {.sport = 80,
				     .dport = 4000,
				     .seq = 0xfffffff0u,
				     .ack = 7,
				     .wnd = 100,
				     .flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR,
				     .has_ts = true,
				     .tsval = 5};
		size_t total = 1 + (size_t)rand() % 60000, first = (size_t)rand() % total, at = 0;
		struct iovec iov[3] = {{payload, first},
				       {payload + first, (total - first) / 2},
				       {payload + first + (total - first) / 2,
					total - first - (total - first) / 2}};
		uint8_t l4[TCP_HDR_MAX];
		size_t len = tcphdr_build(l4, &t), head;
		struct ip_packet k;
		struct eth_frame f;

		h.is_df = true;
		h.gso_size = (uint16_t)(1 + (size_t)rand() % 1400);
		if (total / h.gso_size > 2000)
			h.gso_size = 100;
		assert_int_equal(emit_packet(x, &h, l4, len, iov, 3), 0);
		while (next(&k, &f)) {
			struct tcphdr_v got;
			size_t n;

			assert_true(ip_sum_ok(&k));
			assert_true(k.is_df || !is_v4);
			assert_int_equal(tcphdr_parse(k.payload, k.len, &got, &head), 0);
			n = k.len - head;
			assert_int_equal(got.seq, (uint32_t)(t.seq + at));
			assert_true(got.has_ts && got.tsval == 5 && got.ack == 7);
			assert_memory_equal(k.payload + head, payload + at, n);
			assert_int_equal(!!(got.flags & TCP_CWR), at == 0);
			at += n;
			assert_true(at == total || n == h.gso_size);
			assert_int_equal(!!(got.flags & TCP_FIN), at == total);
			assert_int_equal(!!(got.flags & TCP_PSH), at == total);
		}
		assert_int_equal(at, total);
	}
}

/* Datagrams above the MTU come out of reassembly as they went in. */
static void fragments(void **state)
{
	struct reass *r;

	(void)state;
	assert_int_equal(reass_new(&r, NULL), 0);
	for (size_t len = 1460; len <= 65507; len += len < 1500 ? 1 : 7919) {
		for (int v = 0; v < 2; v++) {
			struct emit_ip h = header(v, IPPROTO_UDP);
			struct iovec iov[2] = {{payload, 777}, {payload + 777, len - 777}};
			uint8_t l4[UDP_HDR_LEN];
			const uint8_t *whole = NULL;
			struct ip_problem problem;
			struct ip_packet k;
			struct eth_frame f;
			struct udphdr_v u;
			size_t n;

			udphdr_build(l4, 53, 4000, 0, len);
			assert_int_equal(emit_packet(x, &h, l4, sizeof(l4), iov, 2), 0);
			while (!whole) {
				assert_true(next(&k, &f));
				if (!k.is_fragment) {
					assert_true(len <= 1472);
					break;
				}
				assert_true(len > 1452);
				assert_true(reass_input(r, &k, 0, &whole, &n) != REASS_DROP);
			}
			if (whole)
				assert_int_equal(v ? ip_parse4(whole, n, &k)
						   : ip_parse6(whole, n, &k, &problem),
						 IP_OK);
			assert_int_equal(udphdr_parse(k.payload, k.len, &u), 0);
			assert_true(udphdr_sum_ok(&k, &u));
			assert_int_equal(u.len, len);
			assert_memory_equal(u.payload, payload, len);
			assert_false(next(&k, &f));
		}
	}
	reass_free(r);
}

/* A packet of the container, as it would come. */
static size_t cause_of(uint8_t *out, const char *src, const char *dst, uint8_t proto, uint8_t type,
		       uint16_t frag)
{
	struct ip_build b = {.src = ip_of(src), .dst = ip_of(dst), .proto = proto, .ttl = 64};
	size_t head = b.src.family == AF_INET ? IP4_HDR_LEN : IP6_HDR_LEN;

	b.frag_offset = frag;
	memset(out, 0, 1400);
	out[head] = type;
	if (b.src.family == AF_INET)
		ip_build4(out, &b, 1400 - head);
	else
		ip_build6(out, &b, 1400 - head);
	return 1400;
}

static int error_about(const char *src, const char *dst, uint8_t proto, uint8_t type, uint16_t frag,
		       uint64_t now)
{
	static const struct ip none;
	uint8_t cause[1400];
	size_t len = cause_of(cause, src, dst, proto, type, frag);
	bool is_v4 = cause[0] >> 4 == 4;

	return emit_icmp_error(x, &none, is_v4 ? ICMP_V4_UNREACH : ICMP_V6_UNREACH, 1, 1280, cause,
			       len, now);
}

static void errors(void **state)
{
	struct ip_packet k;
	struct eth_frame f;
	struct icmp_v m;

	(void)state;
	assert_int_equal(error_about("10.0.2.100", "198.51.100.7", IPPROTO_UDP, 9, 0, 0), 0);
	assert_true(next(&k, &f) && ip_sum_ok(&k));
	assert_true(ip_equal(&k.src, &plan.gateway[FAM4]));
	assert_int_equal(icmp_parse(k.payload, k.len, &m), 0);
	assert_true(m.type == ICMP_V4_UNREACH && m.code == 1 && m.info == 1280);
	assert_int_equal(k.total, 576);
	assert_int_equal(error_about("fd00::100", "2001:db8::7", IPPROTO_TCP, 9, 0, 0), 0);
	assert_true(next(&k, &f) && ip_sum_ok(&k));
	assert_true(ip_equal(&k.src, &plan.gateway[FAM6]));
	assert_int_equal(k.total, 1280);

	/* Never about these. */
	assert_true(error_about("10.0.2.100", "198.51.100.7", IPPROTO_ICMP, 3, 0, 0) < 0);
	assert_true(error_about("fd00::100", "2001:db8::7", IPPROTO_ICMPV6, 1, 0, 0) < 0);
	assert_true(error_about("10.0.2.100", "198.51.100.7", IPPROTO_UDP, 9, 8, 0) < 0);
	assert_true(error_about("10.0.2.100", "255.255.255.255", IPPROTO_UDP, 9, 0, 0) < 0);
	assert_true(error_about("10.0.2.100", "10.0.2.255", IPPROTO_UDP, 9, 0, 0) < 0);
	assert_true(error_about("10.0.2.100", "224.0.0.1", IPPROTO_UDP, 9, 0, 0) < 0);
	assert_true(error_about("fd00::100", "ff02::1", IPPROTO_UDP, 9, 0, 0) < 0);
	assert_true(error_about("0.0.0.0", "198.51.100.7", IPPROTO_UDP, 9, 0, 0) < 0);
	assert_true(error_about("::", "2001:db8::7", IPPROTO_UDP, 9, 0, 0) < 0);
	assert_false(next(&k, &f));
	/* But about an echo. */
	assert_int_equal(error_about("10.0.2.100", "198.51.100.7", IPPROTO_ICMP, 8, 0, 0), 0);
	assert_true(next(&k, &f));
}

static void error_rate(void **state)
{
	unsigned n = 0;

	(void)state;
	for (uint64_t now = 5000; now < 15000; now++)
		for (int i = 0; i < 5; i++) {
			n += error_about("10.0.2.100", "198.51.100.7", IPPROTO_UDP, 9, 0, now) == 0;
			while (read(other, frame, sizeof(frame)) > 0)
				;
		}
	assert_in_range(n, 10000, 11500);
}

static void neighbours(void **state)
{
	struct emit_ip h = header(true, IPPROTO_UDP);
	const struct mac a = {{2, 1, 1, 1, 1, 1}}, b = {{2, 2, 2, 2, 2, 2}};
	uint8_t l4[UDP_HDR_LEN];
	struct ip_packet k;
	struct eth_frame f;
	struct ip group = ip_of("ff02::1");
	struct mac m;

	(void)state;
	udphdr_build(l4, 1, 2, 0, 0);
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	assert_true(next(&k, &f) && eth_equal(&f.dst, &plan.guest_mac));
	emit_learn(x, &h.dst, &a);
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	assert_true(next(&k, &f) && eth_equal(&f.dst, &a));
	emit_learn(x, &h.dst, &b);
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	assert_true(next(&k, &f) && eth_equal(&f.dst, &b));
	m = emit_mac_of(x, &group);
	assert_int_equal(m.b[0], 0x33);
	memset(&plan.guest_mac, 0, sizeof(plan.guest_mac));
	h.dst = ip_of("10.0.2.101");
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	drop_question();
	assert_true(next(&k, &f) && eth_equal(&f.dst, &eth_broadcast));
	/* Who spoke last is whom it may concern, until the address is known. */
	emit_saw(x, &a);
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	drop_question();
	assert_true(next(&k, &f) && eth_equal(&f.dst, &a));
	emit_learn(x, &h.dst, &b);
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	assert_true(next(&k, &f) && eth_equal(&f.dst, &b));
}

/* Clients that are found at our MAC address: counted, few enough, never in the place of whom the
 * link has. */
static void nearby(void **state)
{
	const struct mac a = {{2, 1, 1, 1, 1, 1}};
	struct ip ip = ip_of("10.0.2.7"), second = ip_of("fe80::7"), many = ip_of("fd00::1:0");

	(void)state;
	assert_false(emit_is_near(x, &ip));
	assert_true(emit_near_ok(x, &ip) && emit_near_hold(x, &ip) && emit_near_hold(x, &ip));
	assert_true(emit_near_hold(x, &second));
	emit_near_release(x, &ip);
	assert_true(emit_is_near(x, &ip) && emit_is_near(x, &second));
	emit_near_release(x, &ip);
	assert_true(!emit_is_near(x, &ip) && emit_is_near(x, &second));
	emit_near_release(x, &ip); /* held by nobody */
	assert_true(emit_is_near(x, &second));
	for (unsigned i = 1; i < NEAR_MAX; i++) {
		many.b[15] = (uint8_t)i;
		assert_true(emit_near_hold(x, &many));
	}
	assert_false(emit_near_ok(x, &ip) || emit_near_hold(x, &ip));
	assert_true(emit_near_hold(x, &second)); /* who is in is in */
	emit_near_release(x, &many);
	assert_true(emit_near_hold(x, &ip) && emit_is_near(x, &ip));
	/* Somebody of the link comes with it, and with one that is not held yet. */
	assert_false(emit_has(x, &ip));
	emit_learn(x, &ip, &a);
	assert_true(emit_has(x, &ip));
	assert_false(emit_is_near(x, &ip) || emit_near_ok(x, &ip) || emit_near_hold(x, &ip));
	emit_near_release(x, &ip);
	emit_learn(x, &many, &a);
	assert_false(emit_near_ok(x, &many) || emit_near_hold(x, &many));
}

/* Whose MAC address is neither given nor known is asked for, by each family's means, not for ever.
 */
static void questions(void **state)
{
	struct emit_ip h = header(true, IPPROTO_UDP);
	struct ip group = ip_of("ff02::1:ff00:100");
	struct mac want = eth_of_group(&group), guest = {{2, 0, 0, 0, 0, 9}};
	uint8_t l4[8] = {0, 1, 0, 2, 0, 8, 0, 0};
	struct ip_packet k;
	struct eth_frame f;
	struct arp arp;
	struct ndp n;
	unsigned n_asked = 0;
	ssize_t len;

	(void)state;
	memset(&plan.guest_mac, 0, sizeof(plan.guest_mac));
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	len = read(other, frame, sizeof(frame));
	assert_true(len > 0 && eth_parse(frame, (size_t)len, &f) == 0 && f.type == ETH_TYPE_ARP);
	assert_true(eth_equal(&f.dst, &eth_broadcast));
	assert_int_equal(arp_parse(f.payload, f.len, &arp), 0);
	assert_int_equal(arp.op, ARP_REQUEST);
	assert_true(ip_equal(&arp.target, &h.dst) && ip_equal(&arp.sender, &plan.gateway[FAM4]));
	assert_true(next(&k, &f) && k.proto == IPPROTO_UDP);
	for (int i = 0; i < 1000; i++) {
		emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
		while ((len = read(other, frame, sizeof(frame))) > 0)
			n_asked += eth_parse(frame, (size_t)len, &f) == 0 && f.type == ETH_TYPE_ARP;
	}
	assert_in_range(n_asked, 10, 40);
	h = header(false, IPPROTO_UDP);
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	assert_true(next(&k, &f) && k.proto == IPPROTO_ICMPV6 && eth_equal(&f.dst, &want));
	assert_true(ip_sum_ok(&k) && ndp_parse(&k, &n) == 0);
	assert_true(n.type == ICMP_V6_NS && ip_equal(&n.target, &h.dst));
	assert_true(n.has_mac && eth_equal(&n.mac, &plan.our_mac));
	assert_true(next(&k, &f) && k.proto == IPPROTO_UDP);
	/* Answered, or given from the beginning: no question. */
	emit_learn(x, &h.dst, &guest);
	emit_packet(x, &h, l4, sizeof(l4), NULL, 0);
	assert_true(next(&k, &f) && k.proto == IPPROTO_UDP && eth_equal(&f.dst, &guest));
	assert_false(next(&k, &f));
}

/* What makes no sense is refused before it is written. */
static void refused(void **state)
{
	struct emit_ip h = header(true, IPPROTO_UDP);
	struct iovec iov = {payload, 65600};
	uint8_t l4[80] = {0};
	struct ip_packet k;
	struct eth_frame f;

	(void)state;
	assert_true(emit_packet(x, &h, l4, 61, NULL, 0) < 0);
	assert_true(emit_packet(x, &h, l4, 8, &iov, 1) < 0);
	assert_true(emit_packet(x, &h, l4, 7, NULL, 0) < 0);
	h.src = ip_of("2001:db8::1");
	assert_true(emit_packet(x, &h, l4, 8, NULL, 0) < 0);
	assert_false(next(&k, &f));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(checksums),  T(segments), T(fragments), T(errors),  T(error_rate),
		T(neighbours), T(nearby),   T(questions), T(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
