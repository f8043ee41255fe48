/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alone: who has which number, and which addresses are no host's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/alone.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct ip ip(const char *s)
{
	struct ip v = {0};

	if (s)
		assert_int_equal(ip_parse(s, &v, NULL), 0);
	return v;
}

static void test_plan(void **state)
{
	static const struct {
		const char *asked, *net, *guest, *gateway, *dns;
		int fam;
	} table[] = {
		{NULL, "10.0.2.0/24", "10.0.2.100", "10.0.2.2", "10.0.2.3", FAM4},
		{NULL, "fd00::/64", "fd00::100", "fd00::2", "fd00::3", FAM6},
		{"10.5.6.7", "10.5.6.0/24", "10.5.6.7", "10.5.6.2", "10.5.6.3", FAM4},
		{"10.5.6.1", "10.5.6.0/24", "10.5.6.1", "10.5.6.2", "10.5.6.3", FAM4},
		{"10.5.6.2", "10.5.6.0/24", "10.5.6.2", "10.5.6.1", "10.5.6.3", FAM4},
		{"10.5.6.3", "10.5.6.0/24", "10.5.6.3", "10.5.6.2", "10.5.6.1", FAM4},
		{"fd12:34::1:0", "fd12:34::/64", "fd12:34::1:0", "fd12:34::2", "fd12:34::3", FAM6},
		{"fd12:34::2", "fd12:34::/64", "fd12:34::2", "fd12:34::1", "fd12:34::3", FAM6},
		{"fd12:34::3", "fd12:34::/64", "fd12:34::3", "fd12:34::2", "fd12:34::1", FAM6},
	};
	char text[PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		const struct ip asked = ip(table[i].asked);
		const struct prefix net = alone_net(table[i].fam, &asked);
		const struct alone a = alone_plan(&net, &asked);

		assert_string_equal(prefix_str(&a.net, text), table[i].net);
		assert_string_equal(ip_str(&a.guest, text), table[i].guest);
		assert_string_equal(ip_str(&a.gateway, text), table[i].gateway);
		assert_string_equal(ip_str(&a.dns, text), table[i].dns);
		assert_int_equal(alone_check(&net, &a.guest, NULL), 0);
	}
}

/* Whatever is asked for, the three are three. */
static void test_apart(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 255; n++) {
		const struct ip asked = {AF_INET, {192, 168, 7, (uint8_t)n}};
		const struct prefix net = alone_net(FAM4, &asked);
		const struct alone a = alone_plan(&net, &asked);

		assert_true(ip_equal(&a.guest, &asked));
		assert_false(ip_equal(&a.gateway, &a.guest) || ip_equal(&a.dns, &a.guest) ||
			     ip_equal(&a.gateway, &a.dns));
		assert_true(prefix_contains(&net, &a.gateway) && prefix_contains(&net, &a.dns));
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *net, *asked, *says; /* net NULL: the one around it */
	} table[] = {
		{NULL, "0.0.0.0", "0.0.0.0 is no address for a host"},
		{NULL, "0.1.2.3", "0.1.2.3 is no address for a host"},
		{NULL, "127.0.0.1", "127.0.0.1 is no address for a host"},
		{NULL, "169.254.1.1", "169.254.1.1 is no address for a host"},
		{NULL, "224.0.0.1", "224.0.0.1 is no address for a host"},
		{NULL, "240.0.0.1", "240.0.0.1 is no address for a host"},
		{NULL, "255.255.255.255", "255.255.255.255 is no address for a host"},
		{NULL, "::", ":: is no address for a host"},
		{NULL, "::1", "::1 is no address for a host"},
		{NULL, "fe80::1", "fe80::1 is no address for a host"},
		{NULL, "ff02::1", "ff02::1 is no address for a host"},
		{NULL, "10.1.2.0", "10.1.2.0 is the address of the network 10.1.2.0/24 itself"},
		{NULL, "10.1.2.255", "10.1.2.255 is the broadcast address of 10.1.2.0/24"},
		{NULL, "fd00:1::", "fd00:1:: is the address of the network fd00:1::/64 itself"},
		{"10.0.0.0/8", "11.0.0.1", "11.0.0.1 is outside 10.0.0.0/8"},
		{"10.0.0.0/8", "10.255.255.255",
		 "10.255.255.255 is the broadcast address of 10.0.0.0/8"},
		{"64.0.0.0/2", "127.0.0.1", "127.0.0.1 is no address for a host"},
		{"fd00::/64", "fd00:0:0:1::1", "fd00:0:0:1::1 is outside fd00::/64"},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		const struct ip asked = ip(table[i].asked);
		struct prefix net = alone_net(ip_fam(&asked), &asked);
		struct err e = ERR_INIT;

		if (table[i].net)
			assert_int_equal(prefix_parse(table[i].net, &net, NULL), 0);
		assert_true(alone_check(&net, &asked, &e) < 0);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_string_equal(e.text, table[i].says);
	}
}

/* What looks like the end of a network in another one. */
static void test_allowed(void **state)
{
	static const char *const hosts[] = {"10.1.2.255", "10.1.2.0", "10.0.0.1", "10.255.255.254"};
	const struct prefix net = {ip("10.0.0.0"), 8};
	const struct ip ends[] = {ip("fd00::ffff:ffff:ffff:ffff"), ip("2001:db8::1")};

	(void)state;
	for (size_t i = 0; i < N(hosts); i++) {
		const struct ip asked = ip(hosts[i]);

		assert_int_equal(alone_check(&net, &asked, NULL), 0);
	}
	for (size_t i = 0; i < N(ends); i++) {
		const struct prefix around = alone_net(FAM6, &ends[i]);

		assert_int_equal(alone_check(&around, &ends[i], NULL), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
