/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eth and arp: exact bytes both ways; every wrong size, operation and sender is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/arp.h"
#include "wire/eth.h"

#include "hex.h"

static void test_eth(void **state)
{
	uint8_t b[64], out[ETH_HDR_LEN];
	size_t n = hex_bytes("52550a000202 1234567890ab 0800 45000014", b, sizeof(b));
	struct mac group;
	struct eth_frame f;
	struct ip ip;

	(void)state;
	assert_int_equal(eth_parse(b, n, &f), 0);
	assert_int_equal(f.type, ETH_TYPE_IP4);
	assert_hex(f.dst.b, 6, "52550a000202");
	assert_hex(f.src.b, 6, "1234567890ab");
	assert_hex(f.payload, f.len, "45000014");
	eth_build(out, &f.dst, &f.src, ETH_TYPE_IP6);
	assert_hex(out, sizeof(out), "52550a000202 1234567890ab 86dd");
	assert_true(eth_equal(&f.dst, &f.dst) && !eth_equal(&f.dst, &f.src));
	assert_true(eth_is_group(&eth_broadcast) && !eth_is_group(&f.src));
	for (size_t i = 0; i < ETH_HDR_LEN; i++) {
		uint8_t *cut = hex_exact(b, i);

		assert_int_equal(eth_parse(cut, i, &f), -1);
		free(cut);
	}
	assert_int_equal(eth_parse(b, ETH_HDR_LEN, &f), 0);
	assert_int_equal(f.len, 0);
	b[6] |= 1; /* a group never sends */
	assert_int_equal(eth_parse(b, n, &f), -1);
	ip = hex_ip("ff02::1:ff00:1234");
	group = eth_of_group(&ip);
	assert_hex(group.b, 6, "3333ff001234");
	ip = hex_ip("239.129.2.3"); /* RFC 1112 6.4: 23 bits */
	group = eth_of_group(&ip);
	assert_hex(group.b, 6, "01005e010203");
}

static const char request[] = "0001 0800 06 04 0001 1234567890ab 0a000264 000000000000 0a000202";

static void test_arp(void **state)
{
	uint8_t b[64], out[ARP_LEN];
	size_t n = hex_bytes(request, b, sizeof(b));
	struct arp a, reply;

	(void)state;
	assert_int_equal(n, ARP_LEN);
	assert_int_equal(arp_parse(b, n, &a), 0);
	assert_int_equal(a.op, ARP_REQUEST);
	assert_hex(a.sender_mac.b, 6, "1234567890ab");
	assert_ip(a.sender, "10.0.2.100");
	assert_ip(a.target, "10.0.2.2");
	arp_build(out, &a);
	assert_hex(out, sizeof(out), request);
	reply = (struct arp){.op = ARP_REPLY,
			     .sender_mac = hex_mac("52550a000202"),
			     .sender = a.target,
			     .target_mac = a.sender_mac,
			     .target = a.sender};
	arp_build(out, &reply);
	assert_hex(out, sizeof(out),
		   "0001 0800 06 04 0002 52550a000202 0a000202 1234567890ab 0a000264");
	memset(b + n, 0xee, 18); /* padding to the smallest frame */
	assert_int_equal(arp_parse(b, n + 18, &a), 0);
}

static void test_arp_hostile(void **state)
{
	uint8_t good[ARP_LEN], b[ARP_LEN];
	size_t n = hex_bytes(request, good, sizeof(good));
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
		{0, 1}, {1, 6},  {2, 0x86}, {3, 1}, {4, 0}, {4, 7},   {4, 255},  {5, 0},
		{5, 6}, {5, 16}, {6, 1},    {7, 0}, {7, 3}, {7, 255}, {8, 0x01}, {8, 0xff},
	};
	struct arp a;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		uint8_t *cut = hex_exact(good, i);

		assert_int_equal(arp_parse(cut, i, &a), -1);
		free(cut);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(b, good, n);
		b[wrong[i].at] = wrong[i].value;
		assert_int_equal(arp_parse(b, n, &a), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eth),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_arp_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
