/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publish: the grammar, each mistake with its text, and which runs collide: checked against a model
 * that enumerates every (protocol, family, address, port).
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/publish.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct publish pub(const char *s)
{
	struct publish p;
	struct err e = ERR_INIT;

	if (publish_parse(s, &p, &e) != 0)
		fail_msg("%s", e.text);
	return p;
}

static void test_good(void **state)
{
	static const struct {
		const char *in, *out;
		uint8_t proto;
		uint16_t host, ctr, count;
	} table[] = {
		{"80", "80:80/tcp", IPPROTO_TCP, 80, 80, 1},
		{"8080:80", "8080:80/tcp", IPPROTO_TCP, 8080, 80, 1},
		{"8080:80/tcp", "8080:80/tcp", IPPROTO_TCP, 8080, 80, 1},
		{"53/udp", "53:53/udp", IPPROTO_UDP, 53, 53, 1},
		{"9:9/sctp", "9:9/sctp", IPPROTO_SCTP, 9, 9, 1},
		{"0:80", "0:80/tcp", IPPROTO_TCP, 0, 80, 1},
		{"0:80-80", "0:80/tcp", IPPROTO_TCP, 0, 80, 1},
		{"1:65535", "1:65535/tcp", IPPROTO_TCP, 1, 65535, 1},
		{"65535", "65535:65535/tcp", IPPROTO_TCP, 65535, 65535, 1},
		{"80-80", "80:80/tcp", IPPROTO_TCP, 80, 80, 1},
		{"8000-8010", "8000-8010:8000-8010/tcp", IPPROTO_TCP, 8000, 8000, 11},
		{"8000-8010:9000-9010/udp", "8000-8010:9000-9010/udp", IPPROTO_UDP, 8000, 9000, 11},
		{"1-65535", "1-65535:1-65535/tcp", IPPROTO_TCP, 1, 1, 65535},
		{"0.0.0.0:80", "0.0.0.0:80:80/tcp", IPPROTO_TCP, 80, 80, 1},
		{"203.0.113.7:8080:80/udp", "203.0.113.7:8080:80/udp", IPPROTO_UDP, 8080, 80, 1},
		{"203.0.113.7:0:80", "203.0.113.7:0:80/tcp", IPPROTO_TCP, 0, 80, 1},
		{"203.0.113.7:80-81", "203.0.113.7:80-81:80-81/tcp", IPPROTO_TCP, 80, 80, 2},
		{"[::]:80", "[::]:80:80/tcp", IPPROTO_TCP, 80, 80, 1},
		{"[2001:DB8::1]:8080:80", "[2001:db8::1]:8080:80/tcp", IPPROTO_TCP, 8080, 80, 1},
		{"[2001:db8:1111:2222:3333:4444:5555:6666]:10000-20000:30000-40000/sctp",
		 "[2001:db8:1111:2222:3333:4444:5555:6666]:10000-20000:30000-40000/sctp",
		 IPPROTO_SCTP, 10000, 30000, 10001},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct publish p = pub(table[i].in), again;
		char s[PUBLISH_STRLEN];

		assert_int_equal(p.proto, table[i].proto);
		assert_int_equal(p.host_port, table[i].host);
		assert_int_equal(p.ctr_port, table[i].ctr);
		assert_int_equal(p.count, table[i].count);
		assert_string_equal(publish_str(&p, s), table[i].out);
		again = pub(s);
		assert_true(publish_equal(&p, &again));
	}
	assert_int_equal(pub("80").host_ip.family, 0);
	assert_int_equal(pub("0.0.0.0:80").host_ip.family, AF_INET);
	assert_int_equal(pub("[::]:80").host_ip.family, AF_INET6);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *in, *text; /* what is found in the text beside the spec itself */
	} table[] = {
		{"", "expected [HOSTIP:]HOST"},
		{"0", "host port 0 (any free one) needs a container port"},
		{"0/udp", "host port 0 (any free one) needs a container port"},
		{"0-5:80-85", "host port: expected a number 1..65535, found \"0\""},
		{"0:80-81", "one container port, no range"},
		{"65536", "host port: expected a number 0..65535, found \"65536\""},
		{"80:65536", "container port: expected a number 1..65535, found \"65536\""},
		{"80:0", "container port: expected a number 1..65535, found \"0\""},
		{"80:0-1", "container port: expected a number 1..65535, found \"0\""},
		{"8080:", "container port: expected a number 1..65535, found \"\""},
		{":80", "host port: expected a number 0..65535, found \"\""},
		{"80-", "host port: expected a number 1..65535, found \"\""},
		{"-80", "host port: expected a number 1..65535, found \"\""},
		{"80-70", "host ports: the range 80-70 is reversed"},
		{"80-81:91-90", "container ports: the range 91-90 is reversed"},
		{"80-65536", "host port: expected a number 1..65535, found \"65536\""},
		{"80-82:90-91", "3 host ports but 2 container ports"},
		{"80-82:90", "3 host ports but 1 container ports"},
		{"80:90-91", "1 host ports but 2 container ports"},
		{"80-81-82", "host port: expected a number 1..65535, found \"81-82\""},
		{"1:2:3", "container port: expected a number 1..65535, found \"2:3\""},
		{"a", "found \"a\""},
		{" 80", "found \" 80\""},
		{"80 ", "found \"80 \""},
		{"+80", "found \"+80\""},
		{"080", "found \"080\""},
		{"80/", "expected the protocol tcp, udp or sctp, found \"\""},
		{"80/icmp", "found \"icmp\""},
		{"80/TCP", "found \"TCP\""},
		{"80/tcp/udp", "found \"tcp/udp\""},
		{"80/tcp ", "found \"tcp \""},
		{"/tcp", "host port: expected a number 0..65535, found \"\""},
		{"1.2.3:80", "\"1.2.3\" is not an IP address"},
		{"1.2.3.4", "found \"1.2.3.4\""},
		{"1.2.3.4:", "host port: expected a number 0..65535, found \"\""},
		{"1.2.3.256:80", "\"1.2.3.256\" is not an IP address"},
		{"224.0.0.1:80", "is not a unicast address"},
		{"255.255.255.255:80", "is not a unicast address"},
		{"[ff02::1]:80", "is not a unicast address"},
		{"[fe80::1]:80", "is a link-local address"},
		{"[fe80::1%eth0]:80", "is not an IP address"},
		{"[::ffff:1.2.3.4]:80", "is an IPv4-mapped address"},
		{"[1.2.3.4]:80", "only an IPv6 host address stands in brackets"},
		{"[2001:db8::1]80", "expected \"]:\""},
		{"[2001:db8::1", "expected \"]:\""},
		{"[2001:db8::1]", "expected \"]:\""},
		{"[]:80", "is not an IP address"},
		{"2001:db8::1:80", "container port"},
		{"[2001:db8::1]:", "host port: expected a number 0..65535, found \"\""},
		{"80\n", "found \"80?\""},
	};
	char huge[4000];
	struct publish p = {.proto = 99};
	struct err e;

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		err_reset(&e);
		assert_int_equal(publish_parse(table[i].in, &p, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_USAGE);
		if (!strstr(e.text, table[i].text))
			fail_msg("%s: %s", table[i].in, e.text);
		assert_int_equal(e.text[0], '"'); /* the spec comes first */
		assert_int_equal(p.proto, 99);
	}
	memset(huge, '8', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_int_equal(publish_parse(huge, &p, &e), -EINVAL);
	huge[127] = '\0';
	assert_int_equal(publish_parse(huge, &p, &e), -EINVAL);
}

/* Whether p names (proto, address, port): the definition, over a small world of addresses. */
static bool names(const struct publish *p, const char *address, uint32_t port)
{
	struct ip ip;

	(void)ip_parse(address, &ip, NULL);
	if (p->host_port == 0 || port < p->host_port || port >= (uint32_t)p->host_port + p->count)
		return false;
	if (p->host_ip.family == 0)
		return true;
	if (p->host_ip.family != ip.family)
		return false;
	return ip_is_any(&p->host_ip) || ip_equal(&p->host_ip, &ip);
}

static void test_overlaps_model(void **state)
{
	static const char *const specs[] = {
		"80",
		"81",
		"80-89",
		"85-95",
		"90-99",
		"80/udp",
		"80-89/udp",
		"80/sctp",
		"0:80",
		"0.0.0.0:80",
		"0.0.0.0:85-95",
		"[::]:80",
		"[::]:85-95",
		"203.0.113.1:80",
		"203.0.113.1:85-95",
		"203.0.113.2:80",
		"203.0.113.2:88-90",
		"[2001:db8::1]:80",
		"[2001:db8::1]:85-95",
		"[2001:db8::2]:80",
		"203.0.113.1:80/udp",
		"0:81",
		"203.0.113.1:0:80",
		"79-80",
		"89-90",
		"80:8080",
		"80-89:180-189",
		"[::]:80/udp",
	};
	static const char *const world[] = {"203.0.113.1", "203.0.113.2", "198.51.100.9",
					    "2001:db8::1", "2001:db8::2", "2001:db8::9"};

	(void)state;
	for (size_t i = 0; i < N(specs); i++) {
		for (size_t j = 0; j < N(specs); j++) {
			struct publish a = pub(specs[i]), b = pub(specs[j]);
			bool both = false;

			for (size_t w = 0; w < N(world) && a.proto == b.proto; w++)
				for (uint32_t port = 70; port < 110; port++)
					both |= names(&a, world[w], port) &&
						names(&b, world[w], port);
			if (publish_overlaps(&a, &b) != both)
				fail_msg("%s and %s: expected %d", specs[i], specs[j], both);
			if (i == j)
				assert_int_equal(both, a.host_port != 0);
			assert_int_equal(publish_equal(&a, &b), i == j);
		}
	}
}

static void test_edges(void **state)
{
	struct publish all = pub("1-65535"), last = pub("65535"), first = pub("1");

	(void)state;
	assert_true(publish_overlaps(&all, &last));
	assert_true(publish_overlaps(&first, &all));
	assert_false(publish_overlaps(&first, &last));
	/* Equal in all but one field. */
	struct publish a = pub("203.0.113.1:80:90"), b = a;

	b.ctr_port = 91;
	assert_false(publish_equal(&a, &b));
	b = a;
	b.count = 2;
	assert_false(publish_equal(&a, &b));
	b = a;
	b.proto = IPPROTO_UDP;
	assert_false(publish_equal(&a, &b));
	b = a;
	b.host_ip = (struct ip){0};
	assert_false(publish_equal(&a, &b));
}

static void test_families(void **state)
{
	static const struct {
		const char *spec;
		bool v4, v6;
	} table[] = {
		{"80", true, true},
		{"0.0.0.0:80", true, false},
		{"[::]:80", false, true},
		{"203.0.113.1:80", true, false},
		{"[2001:db8::1]:80", false, true},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct publish p = pub(table[i].spec);

		assert_int_equal(publish_covers(&p, FAM4), table[i].v4);
		assert_int_equal(publish_covers(&p, FAM6), table[i].v6);
	}
}

static void test_interval(void **state)
{
	static const struct {
		const char *spec;
		bool is_interval;
	} table[] = {
		{"80", false},
		{"1000-1063", false}, /* 64 */
		{"1000-1064", true},  /* 65 */
		{"1000-1064:2000-2064", false},
		{"1-65535", true},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct publish p = pub(table[i].spec);

		assert_int_equal(publish_is_interval(&p), table[i].is_interval);
	}
}

static void test_list(void **state)
{
	struct publish list[4] = {pub("80"), pub("0:80"), pub("0:80"), pub("443/udp")};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(publish_check_list(list, 0, &e), 0);
	assert_int_equal(publish_check_list(list, 4, &e), 0);
	list[3] = pub("203.0.113.1:70-90");
	assert_int_equal(publish_check_list(list, 4, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_string_equal(e.text,
			    "published ports 80:80/tcp and 203.0.113.1:70-90:70-90/tcp overlap");
	assert_int_equal(publish_check_list(list, 3, &e), 0);
}

static void test_proto(void **state)
{
	uint8_t p = 99;
	struct err e = ERR_INIT;

	(void)state;
	assert_string_equal(proto_str(IPPROTO_TCP), "tcp");
	assert_string_equal(proto_str(IPPROTO_UDP), "udp");
	assert_string_equal(proto_str(IPPROTO_SCTP), "sctp");
	assert_string_equal(proto_str(IPPROTO_ICMP), "unknown");
	assert_int_equal(proto_parse("unknown", &p, &e), -EINVAL);
	assert_int_equal(p, 99);
	assert_int_equal(proto_parse("sctp", &p, &e), 0);
	assert_int_equal(p, IPPROTO_SCTP);
}

/* Long lists are checked in another way than short ones: both say the same. */
static void test_long_list(void **state)
{
	enum { N = 400 };
	struct publish list[N];
	uint32_t seed = 7, n_bad = 0;

	(void)state;
	for (int turn = 0; turn < 60; turn++) {
		/* In places of their own, until one is moved onto another's. */
		for (int i = 0; i < N; i++) {
			seed = seed * 1664525u + 1013904223u;
			list[(i * 7) % N] = (struct publish){
				.proto = IPPROTO_TCP,
				.host_port = (uint16_t)(1000 + 10 * i),
				.ctr_port = 1,
				.count = (uint16_t)(1 + seed % 10),
			};
		}
		if (turn % 3)
			list[seed % N].host_port = (uint16_t)(1000 + seed % (10 * N));
		bool overlaps = false;
		for (int i = 0; i < N; i++)
			for (int j = 0; j < i; j++)
				overlaps = overlaps || publish_overlaps(&list[i], &list[j]);
		assert_int_equal(publish_check_list(list, N, NULL) < 0, overlaps);
		n_bad += overlaps;
	}
	assert_in_range(n_bad, 5, 55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),           cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_overlaps_model), cmocka_unit_test(test_edges),
		cmocka_unit_test(test_families),       cmocka_unit_test(test_interval),
		cmocka_unit_test(test_list),           cmocka_unit_test(test_proto),
		cmocka_unit_test(test_long_list),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
