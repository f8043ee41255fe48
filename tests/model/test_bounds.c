/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much fits into a network and an attachment: the last that does, the first that does not, and
 * that a list which is refused, or finds no memory, is as it was before.
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

#include "lack.h"
#include "model/attachment.h"
#include "model/network.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip, NULL), 0);
	return ip;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p, NULL), 0);
	return p;
}

#define refused(want, part, call)                                                                  \
	do {                                                                                       \
		struct err e_ = ERR_INIT;                                                          \
		struct err *e = &e_;                                                               \
		int got_ = (call);                                                                 \
		if (got_ >= 0 || e_.kind != (want) || !strstr(e_.text, (part)))                    \
			fail_msg("%s = %d, %s: %s", #call, got_, err_kind_name(e_.kind), e_.text); \
	} while (0)

/* ---- networks ---- */

static void test_subnets(void **state)
{
	struct network n = {.name = "n", .is_spec = true};
	struct net_subnet s = {0}, found;
	struct ip ip;
	char text[PREFIX_STRLEN];

	(void)state;
	ip = ip_of("10.0.0.1");
	assert_false(network_find_subnet(&n, &ip, &found));
	for (int i = 0; i < NETWORK_SUBNET_MAX - 1; i++) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", i);
		s.subnet = prefix_of(text);
		s.is_own = i % 2;
		assert_int_equal(network_add_subnet(&n, &s, NULL), 0);
	}
	s.subnet = prefix_of("10.99.0.0/16");
	refused(ERR_QUOTA, "network n has more than 16 subnets", network_add_subnet(&n, &s, e));
	assert_int_equal(n.n_more, NETWORK_MORE_MAX);
	/* The first of the other family has a place of its own. */
	s.subnet = prefix_of("2001:db8::/64");
	assert_int_equal(network_add_subnet(&n, &s, NULL), 0);
	s.subnet = prefix_of("2001:db8:0:0:8000::/65");
	refused(ERR_USAGE, "overlap", network_add_subnet(&n, &s, e));
	s.subnet = prefix_of("10.0.0.0/8");
	refused(ERR_USAGE, "subnets 10.0.0.0/16 and 10.0.0.0/8 of network n overlap",
		network_add_subnet(&n, &s, e));
	/* Each address is found in its own; marks go to the one that is meant. */
	for (int i = 0; i < NETWORK_SUBNET_MAX - 1; i++) {
		snprintf(text, sizeof(text), "10.%d.255.255", i);
		ip = ip_of(text);
		assert_true(network_find_subnet(&n, &ip, &found));
		assert_int_equal(found.subnet.ip.b[1], i);
		assert_int_equal(found.is_own, i % 2);
		network_set_own(&n, &found.subnet, i % 2 == 0);
	}
	for (int i = 0; i < NETWORK_SUBNET_MAX - 1; i++) {
		snprintf(text, sizeof(text), "10.%d.0.0", i);
		ip = ip_of(text);
		assert_true(network_find_subnet(&n, &ip, &found));
		assert_int_equal(found.is_own, i % 2 == 0);
	}
	ip = ip_of("10.99.0.1");
	assert_false(network_find_subnet(&n, &ip, &found));
	ip = ip_of("2001:db8::7");
	assert_true(network_find_subnet(&n, &ip, &found));
}

/* Each subnet of a routed network has the gateway of its family, however many there are. */
static void test_routed(void **state)
{
	struct network n = {.name = "n", .is_spec = true, .mode = NET_ROUTED};
	static const char *const text[] = {"10.1.0.0/24", "10.2.0.0/24", "2001:db8:1::/64",
					   "2001:db8:2::/64"};
	struct net_subnet s = {0}, list[NETWORK_SUBNET_MAX];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		s.subnet = prefix_of(text[i]);
		assert_int_equal(network_add_subnet(&n, &s, NULL), 0);
	}
	assert_int_equal(network_complete(&n, NULL), 0);
	assert_int_equal(network_subnets(&n, list), 4);
	for (size_t i = 0; i < 4; i++) {
		struct ip want = network_gateway(NET_ROUTED, &list[i].subnet);

		assert_true(ip_equal(&list[i].gateway, &want));
	}
	assert_string_equal(n.bridge, "");
}

/* Who answers for names: the network's own gateway, where we hold it. */
static void test_resolver(void **state)
{
	struct network n = {.name = "n", .names = true};
	struct ip ip, want = ip_of("10.1.0.1");

	(void)state;
	n.subnet[FAM4] = prefix_of("10.1.0.0/24");
	assert_int_equal(network_complete(&n, NULL), 0);
	assert_true(network_resolver(&n, FAM4, &ip));
	assert_true(ip_equal(&ip, &want));
	assert_false(network_resolver(&n, FAM6, &ip));
	n.mode = NET_ROUTED;
	assert_int_equal(network_complete(&n, NULL), 0);
	assert_true(network_resolver(&n, FAM4, &ip));
	assert_true(ip_equal(&ip, &want)); /* which is the first of the subnet, not the gateway */
	n.is_spec = true;
	assert_false(network_resolver(&n, FAM4, &ip));
	n.mode = NET_BRIDGE;
	n.gateway[FAM4] = want;
	assert_false(network_resolver(&n, FAM4, &ip)); /* the gateway is somebody else */
	n.is_gateway = true;
	assert_true(network_resolver(&n, FAM4, &ip));
	n.gateway[FAM4] = ip_of("10.2.0.1");
	assert_false(network_resolver(&n, FAM4, &ip));
	n.gateway[FAM4] = (struct ip){0};
	assert_false(network_resolver(&n, FAM4, &ip));
	n.gateway[FAM4] = want;
	n.names = false;
	assert_false(network_resolver(&n, FAM4, &ip));
}

/* ---- attachments ---- */

static void test_addresses(void **state)
{
	struct attachment a = {.id = "a"};
	struct attach_ip one = {0}, all[ATTACH_IP_MAX];
	char text[PREFIX_STRLEN];
	struct ip none = {0};

	(void)state;
	assert_false(attachment_has_ip(&a, &none));
	for (int i = 0; i < ATTACH_IP_MAX - 1; i++) {
		snprintf(text, sizeof(text), "10.0.0.%d/8", i + 1);
		one.addr = prefix_of(text);
		assert_int_equal(attachment_add_ip(&a, &one, NULL), 0);
		refused(ERR_USAGE, "twice", attachment_add_ip(&a, &one, e));
		assert_true(attachment_has_ip(&a, &one.addr.ip));
	}
	one.addr = prefix_of("10.0.0.99/8");
	refused(ERR_QUOTA, "more than 16 addresses", attachment_add_ip(&a, &one, e));
	assert_false(attachment_has_ip(&a, &one.addr.ip));
	one.addr = prefix_of("2001:db8::7/64");
	assert_int_equal(attachment_add_ip(&a, &one, NULL), 0);
	/* In the order in which they came. */
	assert_int_equal(attachment_ips(&a, all), ATTACH_IP_MAX);
	for (int i = 0; i < ATTACH_IP_MAX - 1; i++)
		assert_int_equal(all[i].addr.ip.b[3], i + 1);
	assert_int_equal(all[ATTACH_IP_MAX - 1].addr.ip.family, AF_INET6);
	assert_false(attachment_has_ip(&a, &none));
}

static void test_lists(void **state)
{
	static struct attach_route routes[ATTACH_ROUTE_MAX + 1];
	static char note[ATTACH_NOTE_MAX + 2];
	const char *alias[ATTACH_ALIAS_MAX + 1], *bad[] = {"web", "no name"};
	struct attachment a = {.id = "a"};

	(void)state;
	for (size_t i = 0; i <= ATTACH_ALIAS_MAX; i++)
		alias[i] = "n";
	alias[0] = "web";
	memset(note, 'x', ATTACH_NOTE_MAX);
	routes[0].priority = 7;
	assert_int_equal(attachment_set_routes(&a, routes, ATTACH_ROUTE_MAX, NULL), 0);
	assert_int_equal(attachment_set_aliases(&a, alias, ATTACH_ALIAS_MAX, NULL), 0);
	assert_int_equal(attachment_set_note(&a, note, NULL), 0);
	note[ATTACH_NOTE_MAX] = 'x';
	refused(ERR_QUOTA, "more than 256 routes",
		attachment_set_routes(&a, routes, ATTACH_ROUTE_MAX + 1, e));
	refused(ERR_QUOTA, "more than 64 aliases",
		attachment_set_aliases(&a, alias, ATTACH_ALIAS_MAX + 1, e));
	refused(ERR_QUOTA, "more than 16384 bytes", attachment_set_note(&a, note, e));
	refused(ERR_USAGE, "no name", attachment_set_aliases(&a, bad, 2, e));
	/* Without memory neither. */
	for (int i = 0; i < 5; i++) {
		struct err e = ERR_INIT;
		struct publish p = {.count = 1};
		struct attach_sysctl s = {.key = "net/k"};
		int r;

		lack_begin(1, false);
		r = i == 0   ? attachment_set_routes(&a, routes, 1, &e)
		    : i == 1 ? attachment_set_aliases(&a, alias, 1, &e)
		    : i == 2 ? attachment_set_note(&a, "", &e)
		    : i == 3 ? attachment_add_publish(&a, &p, 1, &e)
			     : attachment_add_sysctls(&a, &s, 1, &e);
		assert_true(lack_end());
		assert_true(r < 0);
		assert_int_equal(e.kind, ERR_INTERNAL);
	}
	assert_int_equal(a.n_route, ATTACH_ROUTE_MAX);
	assert_int_equal(a.route[0].priority, 7);
	assert_int_equal(a.n_alias, ATTACH_ALIAS_MAX);
	assert_string_equal(a.alias[0], "web");
	assert_int_equal(strlen(a.note), ATTACH_NOTE_MAX);
	assert_int_equal(a.n_publish + a.n_sysctl, 0);
	assert_int_equal(attachment_set_routes(&a, NULL, 0, NULL), 0);
	assert_int_equal(attachment_set_aliases(&a, NULL, 0, NULL), 0);
	assert_int_equal(attachment_set_note(&a, NULL, NULL), 0);
	assert_true(!a.route && !a.alias && !a.note && a.n_route + a.n_alias == 0);
	attachment_clear(&a);
}

static void test_words(void **state)
{
	static const char *const want[] = {"half made", "up", "leaving", "unknown"};

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_string_equal(attach_phase_str((enum attach_phase)i), want[i]);
}

static void test_route(void **state)
{
	static const struct {
		const char *dst, *gw;
		int scope;
		uint32_t mtu, advmss;
		const char *part; /* NULL: it is good */
	} table[] = {
		{"10.0.0.0/8", "192.0.2.1", 0, 65535, 65535, NULL},
		{"::/0", "fe80::1", 0, 68, 0, NULL},
		{"10.0.0.0/8", NULL, 253, 0, 0, NULL},
		{"10.0.0.0/8", NULL, 254, 0, 0, NULL},
		{"10.0.0.1/8", NULL, 0, 0, 0, "host bits"},
		{"10.0.0.0/8", "2001:db8::1", 0, 0, 0, "of another family"},
		{"10.0.0.0/8", NULL, 1, 0, 0, "scope 1"},
		{"10.0.0.0/8", NULL, 255, 0, 0, "scope 255"},
		{"10.0.0.0/8", "192.0.2.1", 253, 0, 0, "no gateway"},
		{"10.0.0.0/8", NULL, 0, 67, 0, "mtu 67"},
		{"10.0.0.0/8", NULL, 0, 65536, 0, "mtu 65536"},
		{"10.0.0.0/8", NULL, 0, 0, 65536, "advmss 65536"},
	};
	struct attach_route none = {0};

	(void)state;
	refused(ERR_USAGE, "without a destination", attach_route_check(&none, e));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct attach_route r = {.dst = prefix_of(table[i].dst),
					 .scope = table[i].scope,
					 .mtu = table[i].mtu,
					 .advmss = table[i].advmss};

		if (table[i].gw)
			r.gw = ip_of(table[i].gw);
		if (table[i].part)
			refused(ERR_USAGE, table[i].part, attach_route_check(&r, e));
		else
			assert_int_equal(attach_route_check(&r, NULL), 0);
	}
}

static void test_rate(void **state)
{
	const uint64_t most = 8 * (uint64_t)UINT32_MAX;
	struct attach_rate r = {.in_rate = 1000000, .in_burst = most, .out_burst = 8};

	(void)state;
	refused(ERR_USAGE, "without a rate", attach_rate_check(&r, e));
	r.out_rate = 1000000;
	assert_int_equal(attach_rate_check(&r, NULL), 0);
	r.out_burst = 7;
	refused(ERR_USAGE, "burst of 7 bits", attach_rate_check(&r, e));
	r.out_burst = 0;
	r.in_burst = most + 8;
	refused(ERR_USAGE, "burst of 34359738368 bits", attach_rate_check(&r, e));
	r.in_burst = 0;
	r.in_rate = 1;
	refused(ERR_USAGE, "rate of 1 bits", attach_rate_check(&r, e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subnets),  cmocka_unit_test(test_routed),
		cmocka_unit_test(test_resolver), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_lists),    cmocka_unit_test(test_words),
		cmocka_unit_test(test_route),    cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
