/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool and attach: what a range set may be, what follows when parts are left out, sysctl keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/attach.h"
#include "model/pool.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct ip ip(const char *s)
{
	struct ip v = {0};

	if (s)
		assert_int_equal(ip_parse(s, &v, NULL), 0);
	return v;
}

static struct addr_range range(const char *subnet, const char *first, const char *last,
			       const char *gateway)
{
	struct addr_range r = {.first = ip(first), .last = ip(last), .gateway = ip(gateway)};

	assert_int_equal(prefix_parse(subnet, &r.subnet, NULL), 0);
	return r;
}

static void test_defaults(void **state)
{
	static const struct {
		const char *subnet, *first, *last, *gateway;
		uint64_t n;
	} table[] = {
		{"10.1.2.0/24", "10.1.2.1", "10.1.2.254", "10.1.2.1", 253},
		{"10.1.2.0/30", "10.1.2.1", "10.1.2.2", "10.1.2.1", 1},
		{"2001:db8::/64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::1",
		 UINT64_MAX - 1},
		{"2001:db8::/126", "2001:db8::1", "2001:db8::3", "2001:db8::1", 2},
	};
	char s[IP_STRLEN];

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct addr_set set = {.n = 1, .r = {range(table[i].subnet, NULL, NULL, NULL)}};

		assert_int_equal(pool_complete(&set, 1, NULL), 0);
		assert_string_equal(ip_str(&set.r[0].first, s), table[i].first);
		assert_string_equal(ip_str(&set.r[0].last, s), table[i].last);
		assert_string_equal(ip_str(&set.r[0].gateway, s), table[i].gateway);
		assert_true(pool_size(&set) == table[i].n);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *subnet, *first, *last, *gateway, *text;
	} table[] = {
		{"10.1.2.0/31", NULL, NULL, NULL, "too small"},
		{"10.1.2.0/32", NULL, NULL, NULL, "too small"},
		{"2001:db8::/127", NULL, NULL, NULL, "too small"},
		{"10.1.2.1/24", NULL, NULL, NULL, "host bits"},
		{"0.0.0.0/0", NULL, NULL, NULL, "not one for hosts"},
		{"224.0.0.0/24", NULL, NULL, NULL, "not one for hosts"},
		{"10.1.2.0/24", "10.1.3.1", NULL, NULL, "not inside"},
		{"10.1.2.0/24", "10.1.2.0", NULL, NULL, "not inside"},
		{"10.1.2.0/24", NULL, "10.1.2.255", NULL, "not inside"},
		{"10.1.2.0/24", NULL, "2001:db8::1", NULL, "not inside"},
		{"10.1.2.0/24", "10.1.2.9", "10.1.2.8", NULL, "behind"},
		{"10.1.2.0/24", NULL, NULL, "10.1.3.1", "outside"},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct addr_set set = {.n = 1,
				       .r = {range(table[i].subnet, table[i].first, table[i].last,
						   table[i].gateway)}};
		struct err e = ERR_INIT;

		if (pool_complete(&set, 1, &e) >= 0 || e.kind != ERR_USAGE ||
		    !strstr(e.text, table[i].text) || strncmp(e.text, "set 0: ", 7) != 0)
			fail_msg("%zu: %s", i, e.text);
	}
}

static void test_sets(void **state)
{
	struct addr_set sets[2] = {
		{.n = 2,
		 .r = {range("10.1.2.0/24", "10.1.2.10", "10.1.2.20", NULL),
		       range("10.1.2.0/24", "10.1.2.30", "10.1.2.40", "10.1.2.35")}},
		{.n = 1, .r = {range("10.9.0.0/16", NULL, NULL, NULL)}},
	};
	struct addr_set bad[2];
	struct ip in = ip("10.1.2.40"), gap = ip("10.1.2.25"), gw = ip("10.1.2.35");

	(void)state;
	assert_int_equal(pool_complete(sets, 2, NULL), 0);
	assert_int_equal(pool_size(&sets[0]), 11 + 10);
	assert_ptr_equal(pool_find(&sets[0], &in), &sets[0].r[1]);
	assert_null(pool_find(&sets[0], &gap));
	assert_null(pool_find(&sets[0], &gw));
	assert_null(pool_find(&sets[1], &in));

	memcpy(bad, sets, sizeof(bad));
	bad[1].r[0] = range("10.1.2.0/24", "10.1.2.40", NULL, NULL); /* overlaps across sets */
	assert_true(pool_complete(bad, 2, NULL) < 0);
	bad[1].r[0] = range("10.1.2.128/25", NULL, NULL, NULL); /* a network inside another */
	assert_true(pool_complete(bad, 2, NULL) < 0);
	bad[1].r[0] = range("2001:db8::/64", NULL, NULL, NULL);
	assert_int_equal(pool_complete(bad, 2, NULL), 0);
	bad[0].r[1] = range("2001:db8:1::/64", NULL, NULL, NULL); /* both families in one set */
	assert_true(pool_complete(bad, 2, NULL) < 0);
	bad[0].n = 0;
	assert_true(pool_complete(bad, 2, NULL) < 0);
}

static void test_sysctl(void **state)
{
	static const struct {
		const char *key, *path; /* NULL: refused */
	} table[] = {
		{"net.core.somaxconn", "net/core/somaxconn"},
		{"net/core/somaxconn", "net/core/somaxconn"},
		{"net.ipv4.conf.IFNAME.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"},
		{"net/ipv4/conf/IFNAME/rp_filter", "net/ipv4/conf/eth0.5/rp_filter"},
		{"net.ipv4.conf.eth0/5.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"},
		{"kernel.panic", NULL},
		{"net", NULL},
		{"net.", NULL},
		{"net..core", NULL},
		{"../../kernel/core_pattern", NULL},
		{"net/../kernel/panic", NULL},
		{"net.//.kernel.panic", NULL},
		{"net/./core", NULL},
		{"net/ipv4/a b", NULL},
		{"/net/core/somaxconn", NULL},
		{"", NULL},
	};
	struct attach_sysctl s;

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		int r = attach_sysctl_parse(table[i].key, "1", "eth0.5", &s, NULL);

		if ((r == 0) != (table[i].path != NULL))
			fail_msg("%s: %d", table[i].key, r);
		if (r == 0) {
			assert_string_equal(s.key, table[i].path);
			assert_int_equal(attach_sysctl_check(&s, NULL), 0);
		}
	}
	assert_true(attach_sysctl_parse("net.core.somaxconn", "1\n2", "eth0", &s, NULL) < 0);
	assert_true(attach_sysctl_parse("net.core.somaxconn", "", "eth0", &s, NULL) < 0);
	assert_int_equal(attach_sysctl_parse("net.ipv4.tcp_rmem", "4096 131072\t6", "e", &s, NULL),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_sysctl),
	};

	return cmocka_run_group_tests_name("model/pool", tests, NULL, NULL);
}
