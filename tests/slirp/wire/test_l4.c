/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udphdr and icmp: lengths, checksums, errors and the packets they carry, both families. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/cksum.h"
#include "wire/icmp.h"
#include "wire/udphdr.h"

#include "hex.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void test_udp(void **state)
{
	static uint8_t b[65535], out[UDP_HDR_LEN];
	size_t n = hex_bytes("1234 0035 000c 0000 61626364 ffff", b, sizeof(b));
	struct udphdr_v u;

	(void)state;
	assert_int_equal(udphdr_parse(b, n, &u), 0);
	assert_int_equal(u.sport, 0x1234);
	assert_int_equal(u.dport, 53);
	assert_hex(u.payload, u.len, "61626364"); /* bytes behind the UDP length are none */
	udphdr_build(out, u.sport, u.dport, 0, u.len);
	assert_memory_equal(out, b, sizeof(out));
	for (size_t i = 0; i < 12; i++) {
		uint8_t *cut = hex_exact(b, i);

		assert_int_equal(udphdr_parse(cut, i, &u), -1);
		free(cut);
	}
	for (unsigned len = 0; len < 8; len++) {
		b[5] = (uint8_t)len;
		assert_int_equal(udphdr_parse(b, n, &u), -1);
	}
	b[5] = 8;
	assert_int_equal(udphdr_parse(b, n, &u), 0);
	assert_int_equal(u.len, 0);
	b[4] = 0xff; /* 65,507 bytes: the most that IPv4 carries */
	b[5] = 0xeb;
	assert_int_equal(udphdr_parse(b, 65515, &u), 0);
	assert_int_equal(u.len, 65507);
	assert_int_equal(udphdr_parse(b, 65514, &u), -1);
}

static void test_udp_sum(void **state)
{
	uint8_t b[16];
	struct ip_packet k = {
		.src = hex_ip("10.0.2.100"), .dst = hex_ip("10.0.2.3"), .payload = b, .len = 11};
	struct udphdr_v u;
	uint16_t sum;

	(void)state;
	hex_bytes("d431 0035 000b 0000 616263", b, sizeof(b));
	assert_int_equal(udphdr_parse(b, 11, &u), 0);
	assert_true(udphdr_sum_ok(&k, &u)); /* none, IPv4 */
	sum = cksum_fold(cksum_add(ip_pseudo_sum(&k.src, &k.dst, IPPROTO_UDP, 11), b, 11));
	/* ~(0a00+0264+0a00+0203+0011+000b + d431+0035+000b+6162+6300) */
	assert_int_equal(sum, 0x4ea8);
	b[6] = (uint8_t)(sum >> 8);
	b[7] = (uint8_t)sum;
	assert_int_equal(udphdr_parse(b, 11, &u), 0);
	assert_true(udphdr_sum_ok(&k, &u));
	b[7] ^= 1;
	assert_int_equal(udphdr_parse(b, 11, &u), 0);
	assert_false(udphdr_sum_ok(&k, &u));
	k.src = hex_ip("fd00::64");
	k.dst = hex_ip("fd00::3");
	b[6] = b[7] = 0;
	assert_int_equal(udphdr_parse(b, 11, &u), 0);
	assert_false(udphdr_sum_ok(&k, &u)); /* none, IPv6 */
	sum = cksum_fold(cksum_add(ip_pseudo_sum(&k.src, &k.dst, IPPROTO_UDP, 11), b, 11));
	b[6] = (uint8_t)(sum >> 8);
	b[7] = (uint8_t)sum;
	assert_int_equal(udphdr_parse(b, 11, &u), 0);
	assert_true(udphdr_sum_ok(&k, &u));
}

static void test_icmp(void **state)
{
	uint8_t b[16], out[ICMP_HDR_LEN];
	size_t n = hex_bytes("08 00 f7ff 0000 0001 6869", b, sizeof(b));
	struct icmp_v m;

	(void)state;
	assert_int_equal(icmp_parse(b, n, &m), 0);
	assert_int_equal(m.type, ICMP_V4_ECHO);
	assert_int_equal(m.code, 0);
	assert_int_equal(m.info, 1); /* id 0 is an id */
	assert_hex(m.payload, m.len, "6869");
	icmp_build(out, ICMP_V4_UNREACH, ICMP_V4_UNREACH_FRAG, 1280);
	assert_hex(out, sizeof(out), "03 04 0000 00000500");
	for (size_t i = 0; i < 8; i++) {
		uint8_t *cut = hex_exact(b, i);

		assert_int_equal(icmp_parse(cut, i, &m), -1);
		free(cut);
	}
	for (unsigned t = 0; t < 256; t++) {
		assert_int_equal(icmp_is_error(AF_INET6, (uint8_t)t), t < 128);
		assert_int_equal(icmp_is_error(AF_INET, (uint8_t)t),
				 t == 3 || t == 4 || t == 5 || t == 11 || t == 12);
	}
	assert_int_equal(icmp_cause_max(AF_INET), 548);
	assert_int_equal(icmp_cause_max(AF_INET6), 1232);
}

#define HEAD4 "45000099 00000000 40"
#define ADDR4 "0000 0a000264 c6336401 "
#define UDP_PORTS "1111 2222 "
#define HEAD6 "60000000 0400"
#define ADDR6 "40 fd000000000000000000000000000064 20010db8000000000000000000000001 "

static const struct {
	const char *name;
	int family;
	const char *bytes;
	int want;
	uint8_t proto;
	uint16_t sport, dport;
	uint32_t seq;
	bool is_fragment;
	size_t enough; /* the shortest piece that still tells all */
} causes[] = {
	{"udp", AF_INET, HEAD4 "11" ADDR4 "1111 2222 0008 0000", 0, 17, 0x1111, 0x2222, 0, false,
	 24},
	{"tcp", AF_INET, HEAD4 "06" ADDR4 "1111 2222 33334444", 0, 6, 0x1111, 0x2222, 0x33334444,
	 false, 28},
	{"echo", AF_INET, HEAD4 "01" ADDR4 "0800 0000 abcd 0007", 0, 1, 0xabcd, 7, 0, false, 28},
	{"options", AF_INET, "47000099 00000000 4011" ADDR4 "01010101 01010101 1111 2222", 0, 17,
	 0x1111, 0x2222, 0, false, 32},
	{"later fragment", AF_INET, "45000099 00000001 4011" ADDR4, 0, 17, 0, 0, 0, true, 20},
	{"other protocol", AF_INET, HEAD4 "84" ADDR4, 0, 132, 0, 0, 0, false, 20},
	{"IPv6 in an ICMP error", AF_INET, HEAD6 "11" ADDR6 UDP_PORTS, -1},
	{"short header length", AF_INET, "44000099 00000000 4011" ADDR4 UDP_PORTS, -1},
	{"options that are not there", AF_INET, "4f000099 00000000 4011" ADDR4 UDP_PORTS, -1},
	{"udp", AF_INET6, HEAD6 "11" ADDR6 UDP_PORTS, 0, 17, 0x1111, 0x2222, 0, false, 44},
	{"echo", AF_INET6, HEAD6 "3a" ADDR6 "8000 0000 abcd 0007", 0, 58, 0xabcd, 7, 0, false, 48},
	{"behind headers", AF_INET6,
	 HEAD6 "00" ADDR6 "3c00 010400000000 2c01 010c000000000000 000000000000 "
	       "1100 0001 00000009 " UDP_PORTS,
	 0, 17, 0x1111, 0x2222, 0, false, 76},
	{"later fragment", AF_INET6, HEAD6 "2c" ADDR6 "1100 0009 00000009", 0, 17, 0, 0, 0, true,
	 48},
	{"header that is not there", AF_INET6, HEAD6 "00" ADDR6 "1101 010400000000", -1},
	{"IPv4 in an ICMPv6 error", AF_INET6,
	 HEAD4 "11" ADDR4 UDP_PORTS UDP_PORTS UDP_PORTS UDP_PORTS UDP_PORTS UDP_PORTS, -1},
};

static void test_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(causes); i++) {
		uint8_t b[128];
		size_t n = hex_bytes(causes[i].bytes, b, sizeof(b));
		struct icmp_cause c;

		for (size_t len = 0; len <= n; len++) {
			uint8_t *cut = hex_exact(b, len);
			int r = icmp_parse_cause(causes[i].family, cut, len, &c);

			free(cut);
			if (r != (causes[i].want == 0 && len >= causes[i].enough ? 0 : -1))
				fail_msg("%s, %zu bytes: %d", causes[i].name, len, r);
		}
		if (causes[i].want < 0)
			continue;
		assert_int_equal(c.proto, causes[i].proto);
		assert_int_equal(c.sport, causes[i].sport);
		assert_int_equal(c.dport, causes[i].dport);
		assert_int_equal(c.seq, causes[i].seq);
		assert_int_equal(c.is_fragment, causes[i].is_fragment);
		assert_ip(c.src, causes[i].family == AF_INET ? "10.0.2.100" : "fd00::64");
		assert_ip(c.dst, causes[i].family == AF_INET ? "198.51.100.1" : "2001:db8::1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_udp_sum),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
