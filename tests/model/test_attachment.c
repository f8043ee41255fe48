/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment: who owns the published ports after copy, add and clear.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "model/attachment.h"

static void test_add(void **state)
{
	static struct publish many[PUBLISH_MAX];
	struct attachment a = {.id = "web"};
	struct err e = ERR_INIT;

	(void)state;
	for (uint16_t i = 0; i < PUBLISH_MAX; i++)
		many[i] = (struct publish){.host_port = i, .count = 1};
	assert_int_equal(attachment_add_publish(&a, NULL, 0, &e), 0);
	assert_null(a.publish);
	assert_int_equal(attachment_add_publish(&a, many, 3, &e), 0);
	assert_int_equal(attachment_add_publish(&a, many + 3, PUBLISH_MAX - 3, &e), 0);
	assert_int_equal(a.n_publish, PUBLISH_MAX);
	assert_memory_equal(a.publish, many, sizeof(many));

	assert_true(attachment_add_publish(&a, many, 1, &e) < 0);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_string_equal(e.text, "more than 8192 published port runs for web");
	assert_int_equal(a.n_publish, PUBLISH_MAX);
	attachment_clear(&a);
	assert_null(a.publish);
	assert_int_equal(a.n_publish, 0);
	assert_string_equal(a.id, "");
	assert_true(attachment_add_publish(&a, many, PUBLISH_MAX + 1, &e) < 0);
	assert_true(attachment_add_publish(&a, many, SIZE_MAX, &e) < 0);
	assert_null(a.publish);
}

static void test_sysctls(void **state)
{
	struct attach_sysctl s[ATTACH_SYSCTL_MAX + 1] = {0};
	struct attachment a = {.id = "web"};
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i <= ATTACH_SYSCTL_MAX; i++)
		snprintf(s[i].key, sizeof(s[i].key), "net/ipv4/k%d", i);
	assert_int_equal(attachment_add_sysctls(&a, s, ATTACH_SYSCTL_MAX, &e), 0);
	/* The same again are the same, however many there are. */
	strcpy(s[5].value, "7");
	assert_int_equal(attachment_add_sysctls(&a, s, ATTACH_SYSCTL_MAX, &e), 0);
	assert_int_equal(a.n_sysctl, ATTACH_SYSCTL_MAX);
	assert_string_equal(a.sysctl[5].value, "7");
	/* One too many: all is as it was. */
	strcpy(s[5].value, "8");
	assert_true(attachment_add_sysctls(&a, s, ATTACH_SYSCTL_MAX + 1, &e) < 0);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_int_equal(a.n_sysctl, ATTACH_SYSCTL_MAX);
	assert_string_equal(a.sysctl[5].value, "7");
	attachment_clear(&a);
}

static void test_release(void **state)
{
	CLEAN_ATTACHMENT struct attachment *scoped = calloc(1, sizeof(*scoped));
	struct attachment *a = calloc(1, sizeof(*a));
	struct publish p = {.host_port = 80, .count = 1};

	(void)state;
	assert_int_equal(attachment_add_publish(scoped, &p, 1, NULL), 0);
	assert_int_equal(attachment_add_publish(a, &p, 1, NULL), 0);
	attachment_freep(&a);
	assert_null(a);
	attachment_freep(&a);
	attachment_free(NULL);
	attachment_clear(NULL);
}

static void test_vlan(void **state)
{
	struct attach_vlan v = {0};
	struct err e = ERR_INIT;

	(void)state;
	assert_false(attach_vlan_is_set(&v));
	assert_int_equal(attach_vlan_add_trunk(&v, 10, 20, &e), 0);
	assert_int_equal(attach_vlan_add_trunk(&v, 4094, 4094, &e), 0);
	assert_int_equal(attach_vlan_add_trunk(&v, 1, 5, &e), 0);
	assert_int_equal(v.n_trunk, 3);
	assert_true(attach_vlan_has(&v, 5) && attach_vlan_has(&v, 4094) && !attach_vlan_has(&v, 6));
	assert_int_equal(attach_vlan_add_trunk(&v, 6, 9, &e), 0); /* touches both */
	assert_int_equal(v.n_trunk, 2);
	assert_true(v.trunk[0].min == 1 && v.trunk[0].max == 20);
	assert_int_equal(attach_vlan_add_trunk(&v, 1, 4094, &e), 0);
	assert_int_equal(v.n_trunk, 1);
	assert_int_equal(attach_vlan_check(&v, &e), 0);
	assert_int_equal(attach_vlan_add_trunk(&v, 0, 4, &e), -EINVAL);
	assert_int_equal(attach_vlan_add_trunk(&v, 4, 4095, &e), -EINVAL);
	assert_int_equal(attach_vlan_add_trunk(&v, 5, 4, &e), -EINVAL);
	v.n_trunk = 0;
	for (uint16_t i = 0; i < ATTACH_TRUNK_MAX; i++)
		assert_int_equal(attach_vlan_add_trunk(&v, 2 * i + 1, 2 * i + 1, &e), 0);
	assert_true(attach_vlan_add_trunk(&v, 4000, 4000, &e) < 0);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_int_equal(v.n_trunk, ATTACH_TRUNK_MAX);
	assert_int_equal(attach_vlan_add_trunk(&v, 2, 2, &e), 0); /* joins two */
	assert_int_equal(v.n_trunk, ATTACH_TRUNK_MAX - 1);
	v.pvid = 4095;
	assert_int_equal(attach_vlan_check(&v, &e), -EINVAL);
}

static void test_egress_text(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} cases[] = {
		{"192.0.2.1", "192.0.2.1/32"},
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.0/24:80", "192.0.2.0/24:80"},
		{"192.0.2.1:80-443", "192.0.2.1/32:80-443"},
		{"0.0.0.0/0:80-80", "0.0.0.0/0:80"},
		{"2001:db8::1", "2001:db8::1/128"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::/0", "::/0"},
		{"[2001:db8::/32]:1-65535", "[2001:db8::/32]:1-65535"},
		{"[2001:db8::1]", "2001:db8::1/128"},
		{"192.0.2.1/24", NULL},
		{"192.0.2.0/33", NULL},
		{"192.0.2.1:", NULL},
		{"192.0.2.1:0", NULL},
		{"192.0.2.1:80-79", NULL},
		{"192.0.2.1:65536", NULL},
		{"192.0.2.1:80-", NULL},
		{"[2001:db8::1", NULL},
		{"[2001:db8::1]80", NULL},
		{"[2001:db8::1]:", NULL},
		{"2001:db8::1]:80", NULL},
		{"example.org", NULL},
		{"", NULL},
		{"[]:80", NULL},
		{"[0000000000000000000000000000000000000000000000000000000000000000000000000000000"
		 "00000000000000000000000000::1]",
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attach_egress x = {0};
		char text[ATTACH_DEST_STRLEN];
		int r = attach_egress_parse(cases[i].in, false, &x, NULL, NULL);

		if ((r == 0) != (cases[i].out != NULL) || x.n != (r == 0))
			fail_msg("%s", cases[i].in);
		if (r == 0)
			assert_string_equal(attach_dest_str(&x, NULL, 0, text), cases[i].out);
	}
}

/* What would be two elements for one packet of one set is refused; one of another kind is not. */
static void test_egress_overlap(void **state)
{
	struct attach_egress x = {0};

	(void)state;
	assert_false(attach_egress_is_only(&x));
	assert_int_equal(attach_egress_parse("192.0.2.0/24:80-89", true, &x, NULL, NULL), 0);
	assert_false(attach_egress_is_only(&x));
	assert_int_equal(attach_egress_parse("192.0.2.0/24:80-89", false, &x, NULL, NULL), 0);
	assert_true(attach_egress_is_only(&x));
	assert_int_equal(attach_egress_parse("192.0.2.0/24", false, &x, NULL, NULL), 0);
	assert_int_equal(attach_egress_parse("192.0.2.0/24:90", false, &x, NULL, NULL), 0);
	assert_int_equal(attach_egress_parse("192.0.3.0/24:80", false, &x, NULL, NULL), 0);
	assert_true(attach_egress_parse("192.0.2.7:89-95", false, &x, NULL, NULL) < 0);
	assert_true(attach_egress_parse("0.0.0.0/0", false, &x, NULL, NULL) < 0);
	assert_int_equal(attach_egress_parse("0.0.0.0/0", true, &x, NULL, NULL), 0);
	assert_int_equal(attach_egress_parse("::/0", true, &x, NULL, NULL), 0);
	assert_int_equal(attach_egress_check(&x, NULL), 0);
	x.dest[0].high = 1;
	assert_true(attach_egress_check(&x, NULL) < 0);
	x.dest[0] = x.dest[1];
	assert_true(attach_egress_check(&x, NULL) < 0);
	x.n = ATTACH_DEST_MAX;
	assert_true(attach_egress_parse("203.0.113.1", false, &x, NULL, NULL) < 0);
}

static void test_egress_list(void **state)
{
	static const char to[] = "192.0.2.0/24:80,[2001:db8::/32]:1-2,0.0.0.0/0";
	static const char *const wrong[] = {
		"", ",", "192.0.2.1,", ",192.0.2.1", "192.0.2.1,,192.0.2.2", "192.0.2.1,192.0.2.1"};
	struct attach_egress x = {0}, y = {0};
	char text[ATTACH_EGRESS_STRLEN];

	(void)state;
	assert_string_equal(attach_egress_str(&x, NULL, false, text), "");
	assert_int_equal(attach_egress_parse_list(to, false, &x, NULL, NULL), 0);
	assert_int_equal(attach_egress_parse_list("::/0", true, &x, NULL, NULL), 0);
	assert_string_equal(attach_egress_str(&x, NULL, false, text), to);
	assert_int_equal(attach_egress_parse_list(text, false, &y, NULL, NULL), 0);
	assert_false(attach_egress_equal(&x, &y));
	assert_string_equal(attach_egress_str(&x, NULL, true, text), "::/0");
	assert_int_equal(attach_egress_parse_list(text, true, &y, NULL, NULL), 0);
	assert_true(attach_egress_equal(&x, &y));
	y.dest[0].high++;
	assert_false(attach_egress_equal(&x, &y));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		y = (struct attach_egress){0};
		if (attach_egress_parse_list(wrong[i], false, &y, NULL, NULL) != -EINVAL)
			fail_msg("%s", wrong[i]);
	}
}

static void test_egress_names(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} cases[] = {
		{"example.org", "example.org"},
		{"EXAMPLE.Org:443", "example.org:443"},
		{"*.example.org:80-81", "*.example.org:80-81"},
		{"a", "a"},
		{"cafe", "cafe"},
		{"_dns.x-1.org", "_dns.x-1.org"},
		{"1.2.3.x", "1.2.3.x"},
		{"10.0.0.256", NULL},
		{"1.2.3", NULL},
		{"*", NULL},
		{"*.", NULL},
		{"a.*.org", NULL},
		{"x*.org", NULL},
		{"example.org.", NULL},
		{".example.org", NULL},
		{"a..b", NULL},
		{"-a.org", NULL},
		{"a-.org", NULL},
		{"a.org-", NULL},
		{"a b", NULL},
		{"a.org/24", NULL},
		{"[a.org]:80", NULL},
		{"a.org:0", NULL},
		{"fd00:1:443", NULL},
		{"0123456789012345678901234567890123456789012345678901234567890123.org", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attach_egress x = {0};
		struct attach_names names;
		char text[ATTACH_DEST_STRLEN];
		int r = attach_egress_parse(cases[i].in, false, &x, &names, NULL);

		if ((r == 0) != (cases[i].out != NULL))
			fail_msg("%s", cases[i].in);
		if (r == 0)
			assert_string_equal(attach_dest_str(&x, &names, 0, text), cases[i].out);
		assert_int_equal(attach_egress_has_names(&x), r == 0);
		assert_int_equal(attach_egress_check(&x, NULL), 0);
		/* Who does not tell a name does not tell it for any port. */
		assert_int_equal(attach_egress_parse(cases[i].in, true, &x, &names, NULL),
				 r == 0 && !strchr(cases[i].in, ':') ? 0 : -EINVAL);
		assert_int_equal(attach_egress_parse(cases[i].in, true, &x, NULL, NULL), -EINVAL);
		assert_int_equal(attach_egress_parse(cases[i].in, false, &x, NULL, NULL), -EINVAL);
	}
	assert_true(attach_names_match("a.org", "a.org"));
	assert_false(attach_names_match("a.org", "b.a.org"));
	assert_true(attach_names_match("*.a.org", "b.a.org"));
	assert_true(attach_names_match("*.a.org", "c.b.a.org"));
	assert_false(attach_names_match("*.a.org", "a.org"));
	assert_false(attach_names_match("*.a.org", "ba.org"));
	assert_false(attach_names_match("", ""));
}

static void test_egress_denied_names(void **state)
{
	struct attach_egress x = {0};
	struct attach_names names = {0};
	struct ip ip = {.family = AF_INET, .b = {192, 0, 2, 1}};
	char text[ATTACH_EGRESS_STRLEN];

	(void)state;
	assert_int_equal(attach_egress_parse_list("Bad.a.org,*.worse.a.org,192.0.2.9", true, &x,
						  &names, NULL),
			 0);
	assert_false(attach_egress_is_only(&x));
	assert_true(attach_egress_allows(&x, &ip, 80, 0));
	assert_int_equal(attach_egress_parse_list("*.a.org:443", false, &x, &names, NULL), 0);
	assert_int_equal(attach_egress_check(&x, NULL), 0);
	assert_true(attach_names_deny(&x, &names, "bad.a.org"));
	assert_false(attach_names_deny(&x, &names, "not.bad.a.org"));
	assert_false(attach_names_deny(&x, &names, "worse.a.org"));
	assert_true(attach_names_deny(&x, &names, "b.worse.a.org"));
	assert_false(attach_names_deny(&x, &names, "a.a.org"));
	assert_false(attach_names_deny(&x, &names, "192.0.2.9"));
	assert_string_equal(attach_egress_str(&x, &names, true, text),
			    "bad.a.org,*.worse.a.org,192.0.2.9/32");
	assert_true(attach_egress_allows(&x, &ip, 443, 1u << 3));
	assert_false(attach_egress_allows(&x, &ip, 443, 0));
}

/* Names whose ports the kernel could not tell apart; slirp-lite takes them. */
static void test_egress_name_ports(void **state)
{
	static const struct {
		const char *list;
		bool is_good;
	} cases[] = {
		{"a.org,b.org", true},
		{"a.org:80,b.org:80", true},
		{"a.org:80-89,b.org:80-89,c.org:90", true},
		{"a.org,b.org:80,c.org:81", true},
		{"a.org:80-89,192.0.2.0/24:85", true},
		{"a.org:80-89,b.org:89", false},
		{"a.org:80-89,b.org:80", false},
		{"a.org:5,b.org:1-9", false},
		{"a.org:80,b.org:70,c.org:60-75", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attach_egress x = {0};
		struct attach_names names = {0}, other;

		assert_int_equal(attach_egress_parse_list(cases[i].list, false, &x, &names, NULL),
				 0);
		if ((attach_egress_check(&x, NULL) == 0) != cases[i].is_good)
			fail_msg("%s", cases[i].list);
		other = names;
		assert_true(attach_names_equal(&names, &other));
		other.name[0][0] = 'x';
		assert_false(attach_names_equal(&names, &other));
	}
}

/* Where nobody's name may lead, and next to it. */
static void test_name_may_be(void **state)
{
	static const char *const good[] = {
		"1.0.0.0",     "10.0.0.1",    "126.255.255.255", "128.0.0.1", "169.253.0.1",
		"169.255.0.1", "192.168.1.1", "223.255.255.255", "::1:0:0:1", "64:ff9b::c000:1",
		"2001:db8::1", "fd00::1",     "fec0::1",         "fe7f::1",
	};
	static const char *const bad[] = {
		"0.0.0.0",   "0.1.2.3",         "127.0.0.1", "127.255.255.255", "169.254.169.254",
		"224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::",
		"::1",       "::7f00:1",        "fe80::1",   "febf::1",         "ff02::1",
	};
	struct ip ip = {0};

	(void)state;
	assert_false(attach_name_may_be(&ip));
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ip_parse(good[i], &ip, NULL), 0);
		if (!attach_name_may_be(&ip))
			fail_msg("%s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ip_parse(bad[i], &ip, NULL), 0);
		if (attach_name_may_be(&ip))
			fail_msg("%s", bad[i]);
	}
	/* IPv4-mapped: as text it is no IPv6 address here. */
	ip = (struct ip){.family = AF_INET6, .b = {[10] = 0xff, 0xff, 192, 0, 2, 1}};
	assert_false(attach_name_may_be(&ip));
}

static void test_rate_text(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out; /* NULL: refused */
		uint64_t bits;
	} cases[] = {
		{"none", "none", 0},
		{"8000bit", "8kbit", 8000},
		{"8001bit", "8001bit", 8001},
		{"8kbit", "8kbit", 8000},
		{"250mbit", "250mbit", 250000000},
		{"2500mbit", "2500mbit", 2500000000},
		{"10gbit", "10gbit", 10000000000},
		{"18446744073gbit", "18446744073gbit", 18446744073000000000U},
		{"18446744074gbit", NULL, 0},
		{"99999999999999999999bit", NULL, 0},
		{"7999bit", NULL, 0},
		{"0", NULL, 0},
		{"0bit", NULL, 0},
		{"", NULL, 0},
		{"bit", NULL, 0},
		{"9000", NULL, 0},
		{"+9kbit", NULL, 0},
		{"9 kbit", NULL, 0},
		{"9kbit ", NULL, 0},
		{"9KBIT", NULL, 0},
		{"1.5mbit", NULL, 0},
		{"NONE", NULL, 0},
	};
	char text[ATTACH_RATE_STRLEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bits = 1;
		struct err e = ERR_INIT;
		int r = attach_rate_parse(cases[i].in, &bits, &e);

		if (!cases[i].out) {
			assert_true(r < 0);
			assert_int_equal(e.kind, ERR_USAGE);
			assert_int_equal(bits, 1);
			continue;
		}
		assert_int_equal(r, 0);
		assert_true(bits == cases[i].bits);
		assert_string_equal(attach_rate_str(bits, text), cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_egress_text),
		cmocka_unit_test(test_egress_overlap),
		cmocka_unit_test(test_egress_list),
		cmocka_unit_test(test_egress_names),
		cmocka_unit_test(test_egress_name_ports),
		cmocka_unit_test(test_egress_denied_names),
		cmocka_unit_test(test_name_may_be),
		cmocka_unit_test(test_rate_text),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_sysctls),
		cmocka_unit_test(test_vlan),
	};

	return cmocka_run_group_tests_name("attachment", tests, NULL, NULL);
}
