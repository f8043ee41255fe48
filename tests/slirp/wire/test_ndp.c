/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ndp: exact bytes both ways, and every reason for which RFC 4861 has a message discarded. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/icmp.h"
#include "wire/ndp.h"

#include "hex.h"

#define GATEWAY "fd000000000000000000000000000002"
#define GUEST "fe80000000000000123456fffe7890ab"
#define NS "87 00 0000 00000000 "
#define NA "88 00 0000 "
#define RS "85 00 0000 00000000 "
#define SLLA "01 01 1234567890ab"
#define TLLA "02 01 1234567890ab"

static int parse(const char *src, const char *dst, uint8_t ttl, const char *text, struct ndp *ret)
{
	uint8_t b[512];
	size_t n = hex_bytes(text, b, sizeof(b));
	uint8_t *copy = hex_exact(b, n);
	struct ip_packet k = {.src = hex_ip(src),
			      .dst = hex_ip(dst),
			      .proto = IPPROTO_ICMPV6,
			      .ttl = ttl,
			      .payload = copy,
			      .len = n};
	int r = ndp_parse(&k, ret);

	free(copy);
	return r;
}

static void test_values(void **state)
{
	struct ndp n;

	(void)state;
	assert_int_equal(parse("fe80::1", "ff02::1:ff00:2", 255, NS GATEWAY SLLA, &n), 0);
	assert_int_equal(n.type, ICMP_V6_NS);
	assert_ip(n.target, "fd00::2");
	assert_true(n.has_mac);
	assert_hex(n.mac.b, 6, "1234567890ab");
	assert_int_equal(parse("fe80::1", "fd00::2", 255, NS GATEWAY, &n), 0); /* NUD: unicast */
	assert_false(n.has_mac);
	assert_int_equal(parse("::", "ff02::1:ff00:2", 255, NS GATEWAY, &n), 0); /* DAD */
	assert_int_equal(parse("fe80::1", "ff02::1", 255, NA "20000000" GUEST TLLA, &n), 0);
	assert_true(n.is_override && !n.is_router && !n.is_solicited && n.has_mac);
	assert_int_equal(parse("fe80::1", "fd00::2", 255, NA "c0000000" GUEST, &n), 0);
	assert_true(!n.is_override && n.is_router && n.is_solicited && !n.has_mac);
	assert_int_equal(parse("fe80::1", "ff02::2", 255, RS SLLA, &n), 0);
	assert_int_equal(n.type, ICMP_V6_RS);
	assert_true(n.has_mac);
	assert_int_equal(parse("::", "ff02::2", 255, RS, &n), 0);
	assert_false(n.has_mac);
	/* Options of other kinds and lengths are passed over. */
	assert_int_equal(parse("fe80::1", "fd00::2", 255,
			       NS GATEWAY "0e 01 010203040506" TLLA
					  "fe 02 0000000000000000000000000000" SLLA,
			       &n),
			 0);
	assert_hex(n.mac.b, 6, "1234567890ab");
	assert_int_equal(parse("fe80::1", "fd00::2", 255,
			       NS GATEWAY "01 02 1234567890ab 0000000000000000", &n),
			 0);
	assert_false(n.has_mac);
}

static void test_discarded(void **state)
{
	static const struct {
		const char *why, *src, *dst;
		uint8_t ttl;
		const char *text;
	} table[] = {
		{"hop limit 254", "fe80::1", "fd00::2", 254, NS GATEWAY SLLA},
		{"hop limit 64", "fe80::1", "fd00::2", 64, NS GATEWAY SLLA},
		{"hop limit 0", "fe80::1", "ff02::2", 0, RS},
		{"NA from afar", "fe80::1", "ff02::1", 254, NA "20000000" GUEST TLLA},
		{"code 1", "fe80::1", "fd00::2", 255, "87 01 0000 00000000" GATEWAY},
		{"option length 0", "fe80::1", "fd00::2", 255, NS GATEWAY "01 00 1234567890ab"},
		{"length 0 behind a good one", "fe80::1", "fd00::2", 255,
		 NS GATEWAY SLLA "ff 00 000000000000"},
		{"option beyond the packet", "fe80::1", "fd00::2", 255,
		 NS GATEWAY "01 02 12345678"},
		{"option of 2040 bytes", "fe80::1", "fd00::2", 255, NS GATEWAY "01 ff 12345678"},
		{"one byte of an option", "fe80::1", "fd00::2", 255, NS GATEWAY "01"},
		{"no target", "fe80::1", "fd00::2", 255, "87 00 0000 00000000"},
		{"half a target", "fe80::1", "fd00::2", 255, "87 00 0000 00000000 fd00000000"},
		{"four bytes", "fe80::1", "fd00::2", 255, "87 00 0000"},
		{"nothing", "fe80::1", "fd00::2", 255, ""},
		{"multicast target", "fe80::1", "fd00::2", 255,
		 NS "ff020000000000000000000000000001"},
		{"multicast target of NA", "fe80::1", "fd00::2", 255,
		 NA "20000000 ff020000000000000000000000000001"},
		{"DAD to a unicast address", "::", "fd00::2", 255, NS GATEWAY},
		{"DAD to all nodes", "::", "ff02::1", 255, NS GATEWAY},
		{"DAD with a MAC address", "::", "ff02::1:ff00:2", 255, NS GATEWAY SLLA},
		{"RS from nobody with a MAC address", "::", "ff02::2", 255, RS SLLA},
		{"solicited NA to all", "fe80::1", "ff02::1", 255, NA "60000000" GUEST TLLA},
		{"NA from nobody", "::", "fd00::2", 255, NA "20000000" GUEST TLLA},
		{"multicast source", "ff02::1", "fd00::2", 255, NS GATEWAY},
		{"group MAC address", "fe80::1", "fd00::2", 255, NS GATEWAY "01 01 3333ff000002"},
		{"RA", "fe80::1", "ff02::1", 255, "86 00 0000 40 00 0708 00000000 00000000"},
		{"redirect", "fe80::1", "fd00::2", 255, "89 00 0000 00000000" GATEWAY GATEWAY},
		{"MLD query", "fe80::1", "ff02::1", 255, "82 00 0000 00000000" GATEWAY},
		{"echo", "fe80::1", "fd00::2", 255, "80 00 0000 00000000" GATEWAY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct ndp n;

		if (parse(table[i].src, table[i].dst, table[i].ttl, table[i].text, &n) != -1)
			fail_msg("%s", table[i].why);
	}
}

static void test_build(void **state)
{
	uint8_t out[NDP_RA_MAX];
	struct ip gateway = hex_ip("fd00::2");
	struct ndp_ra ra = {.mac = hex_mac("52550a000202"),
			    .is_other = true,
			    .lifetime = 65535,
			    .mtu = 1500,
			    .prefix = {hex_ip("fd00::64"), 64},
			    .is_autonomous = true,
			    .dns = hex_ip("fd00::3")};
	size_t n;

	(void)state;
	ndp_build_na(out, &gateway, &ra.mac, true);
	assert_hex(out, NDP_NA_LEN, "88 00 0000 e0000000" GATEWAY "02 01 52550a000202");
	ndp_build_na(out, &gateway, &ra.mac, false);
	assert_hex(out, NDP_NA_LEN, "88 00 0000 a0000000" GATEWAY "02 01 52550a000202");
	ndp_build_ns(out, &gateway, &ra.mac);
	assert_hex(out, NDP_NS_LEN, "87 00 0000 00000000" GATEWAY "01 01 52550a000202");
	n = ndp_build_ra(out, &ra);
	assert_hex(out, n,
		   "86 00 0000 40 40 ffff 00000000 00000000 01 01 52550a000202 05 01 0000 000005dc "
		   "03 04 40 c0 ffffffff ffffffff 00000000 fd000000000000000000000000000000 "
		   "19 03 0000 ffffffff fd000000000000000000000000000003");
	ra.is_other = ra.is_autonomous = false;
	ra.is_managed = true;
	ra.prefix.len = 112;
	ra.dns.family = 0;
	n = ndp_build_ra(out, &ra);
	assert_hex(out, n,
		   "86 00 0000 40 80 ffff 00000000 00000000 01 01 52550a000202 05 01 0000 000005dc "
		   "03 04 70 80 ffffffff ffffffff 00000000 fd000000000000000000000000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_discarded),
		cmocka_unit_test(test_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
