/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elem_test: what networks, attachments and ports put into the sets, as values and as nft text. No
 * kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <netinet/in.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "net/elem.h"
#include "net/ruleset.h"
#include "population.h"

static size_t count(const struct elem_list *l, enum set_id set)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].set == set;
	return n;
}

static struct network network(enum net_mode mode)
{
	struct network n = {.name = "web", .mode = mode, .masquerade = true};

	if (mode == NET_BRIDGE)
		strcpy(n.bridge, "nb-web");
	n.subnet[FAM4] = population_prefix("10.1.2.0/24");
	n.subnet[FAM6] = population_prefix("2001:db8:1::/64");
	return n;
}

static struct attachment attachment(enum net_mode mode)
{
	struct attachment a = {.id = "c1", .ifname = "eth0", .host_ifname = "nu1", .mode = mode};

	a.addr[FAM4] = population_prefix("10.1.2.3/24");
	a.addr[FAM6] = population_prefix("2001:db8:1::3/64");
	assert_int_equal(mac_parse("02:00:00:00:00:03", &a.mac, NULL), 0);
	return a;
}

static void check_text(const struct elem_list *l, const char *want)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	ruleset_elements(l, &b);
	assert_false(b.failed);
	assert_string_equal(b.p ? b.p : "", want);
}

static void bridge_network(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct network n = network(NET_BRIDGE);

	(void)state;
	n.subnet[FAM6] = (struct prefix){0};
	assert_int_equal(elem_of_network(&n, &l, NULL), 0);
	check_text(
		&l,
		"add element inet netd inside { \"nb-web\" comment \"network web\" }\n"
		"add element inet netd nets4 { 10.1.2.0-10.1.2.255 comment \"network web\" }\n"
		"add element inet netd same4 { 10.1.2.0-10.1.2.255 . 10.1.2.0-10.1.2.255 comment "
		"\"network web\" : accept }\n"
		"add element inet netd hairpin4 { 10.1.2.0-10.1.2.255 . 10.1.2.0-10.1.2.255 "
		"comment \"network web\" }\n"
		"add element inet netd masq4 { 10.1.2.0-10.1.2.255 comment \"network web\" }\n");
}

static void network_choices(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct network n = network(NET_ROUTED);

	(void)state;
	n.isolate = true;
	n.internal = true;
	assert_int_equal(elem_of_network(&n, &l, NULL), 0);
	assert_int_equal(count(&l, SET_INSIDE), 0);
	assert_int_equal(count(&l, SET_HAIRPIN4) + count(&l, SET_HAIRPIN6), 0);
	assert_int_equal(count(&l, SET_MASQ4) + count(&l, SET_MASQ6), 0);
	assert_int_equal(count(&l, SET_INTERNAL4), 1);
	assert_int_equal(count(&l, SET_INTERNAL6), 1);
	for (size_t i = 0; i < l.n; i++) {
		if (l.v[i].set == SET_SAME4 || l.v[i].set == SET_SAME6)
			assert_int_equal(l.v[i].verdict, VERDICT_DROP);
	}
	assert_int_equal(l.n, 6);
}

/* Exceptions that contain each other would overlap in the kernel's set: only the widest are kept.
 */
static void nomasq_is_reduced(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct network n = network(NET_BRIDGE);

	(void)state;
	n.nomasq[0] = population_prefix("10.5.0.0/16");
	n.nomasq[1] = population_prefix("10.0.0.0/8");
	n.nomasq[2] = population_prefix("10.0.0.0/8");
	n.nomasq[3] = population_prefix("198.51.100.0/24");
	n.nomasq[4] = population_prefix("2001:db8::/32");
	n.n_nomasq = 5;
	assert_int_equal(elem_of_network(&n, &l, NULL), 0);
	assert_int_equal(count(&l, SET_NOMASQ4), 2);
	assert_int_equal(count(&l, SET_NOMASQ6), 1);
	l.n = 0;
	n.nomasq[3] = population_prefix("0.0.0.0/0"); /* of one family everything */
	assert_int_equal(elem_of_network(&n, &l, NULL), 0);
	assert_int_equal(count(&l, SET_NOMASQ4) + count(&l, SET_MASQ4), 0);
	assert_int_equal(count(&l, SET_NOMASQ6), 1);
	assert_int_equal(count(&l, SET_MASQ6), 1);
	l.n = 0;
	n.masquerade = false;
	assert_int_equal(elem_of_network(&n, &l, NULL), 0);
	assert_int_equal(count(&l, SET_NOMASQ6) + count(&l, SET_MASQ6), 0);
	assert_int_equal(count(&l, SET_NOMASQ4) + count(&l, SET_MASQ4), 0);
}

static void bridge_endpoint(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct attachment a = attachment(NET_BRIDGE);

	(void)state;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	check_text(
		&l,
		"add element bridge netd guarded { \"nu1\" comment \"c1/eth0\" }\n"
		"add element inet netd rguard { \"nu1\" comment \"c1/eth0\" }\n"
		"add element bridge netd epmac { \"nu1\" . 02:00:00:00:00:03 comment \"c1/eth0\" "
		"}\n"
		"add element bridge netd ep4 { \"nu1\" . 02:00:00:00:00:03 . 10.1.2.3 comment "
		"\"c1/eth0\" }\n"
		"add element bridge netd ep6 { \"nu1\" . 02:00:00:00:00:03 . 2001:db8:1::3 comment "
		"\"c1/eth0\" }\n"
		"add element bridge netd ept6 { \"nu1\" . 0x20010db8000100000000000000000003 "
		"comment \"c1/eth0\" }\n"
		"add element bridge netd ep6 { \"nu1\" . 02:00:00:00:00:03 . fe80::ff:fe00:3 "
		"comment \"c1/eth0\" }\n"
		"add element bridge netd ept6 { \"nu1\" . 0xfe80000000000000000000fffe000003 "
		"comment \"c1/eth0\" }\n");
}

static void routed_endpoint(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct attachment a = attachment(NET_ROUTED);

	(void)state;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	check_text(&l,
		   "add element inet netd inside { \"nu1\" comment \"c1/eth0\" }\n"
		   "add element inet netd rguard { \"nu1\" comment \"c1/eth0\" }\n"
		   "add element inet netd rep4 { \"nu1\" . 10.1.2.3 comment \"c1/eth0\" }\n"
		   "add element inet netd self4 { 10.1.2.3 . 10.1.2.3 comment \"c1/eth0\" }\n"
		   "add element inet netd rep6 { \"nu1\" . 2001:db8:1::3 comment \"c1/eth0\" }\n"
		   "add element inet netd rep6 { \"nu1\" . fe80::ff:fe00:3 comment \"c1/eth0\" }\n"
		   "add element inet netd self6 { 2001:db8:1::3 . 2001:db8:1::3 comment "
		   "\"c1/eth0\" }\n");
	/* A family without an address has no entry at all, not even a link-local one. */
	l.n = 0;
	a.addr[FAM6] = (struct prefix){0};
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_REP6) + count(&l, SET_SELF6), 0);
	l.n = 0;
	a.mode = NET_BRIDGE;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_EP6) + count(&l, SET_EPT6), 0);
	assert_int_equal(count(&l, SET_EP4), 1);
}

static void published(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct attachment a = attachment(NET_BRIDGE);
	struct publish p[] = {
		{.proto = IPPROTO_TCP, .host_port = 8080, .ctr_port = 80, .count = 1},
		{.proto = IPPROTO_UDP, .host_port = 53, .ctr_port = 53, .count = 1},
		{.proto = IPPROTO_UDP, .host_port = 1000, .ctr_port = 1000, .count = 1001},
		{.proto = IPPROTO_SCTP, .host_port = 7, .ctr_port = 7, .count = 65},
	};

	(void)state;
	p[1].host_ip = population_ip("198.51.100.1");
	p[3].host_ip = population_ip("2001:db8::1");
	assert_int_equal(elem_of_publish(&a, p, 4, &l, NULL), 0);
	check_text(
		&l,
		"add element inet netd fwd4_any { 6 . 8080 comment \"c1/eth0\" : 10.1.2.3 . 80 }\n"
		"add element inet netd fwd6_any { 6 . 8080 comment \"c1/eth0\" : 2001:db8:1::3 . "
		"80 }\n"
		"add element inet netd fwd4_host { 17 . 198.51.100.1 . 53 comment \"c1/eth0\" : "
		"10.1.2.3 . 53 }\n"
		"add element inet netd fwd4_range { 17 . 1000-2000 comment \"c1/eth0\" : "
		"10.1.2.3 }\n"
		"add element inet netd fwd6_range { 17 . 1000-2000 comment \"c1/eth0\" : "
		"2001:db8:1::3 }\n"
		"add element inet netd fwd6_range_host { 132 . 2001:db8::1 . 7-71 comment "
		"\"c1/eth0\" : 2001:db8:1::3 }\n");
}

static void published_without_family(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct attachment a = attachment(NET_BRIDGE);
	struct publish p = {.proto = IPPROTO_TCP, .host_port = 100, .ctr_port = 200, .count = 70};

	(void)state;
	a.addr[FAM6] = (struct prefix){0};
	assert_int_equal(elem_of_publish(&a, &p, 1, &l, NULL), 0);
	assert_int_equal(l.n, 70);
	assert_int_equal(l.v[69].key[1].port, 169);
	assert_int_equal(l.v[69].data[1].port, 269);
	l.n = 0;
	p.host_ip = population_ip("::");
	assert_int_equal(elem_of_publish(&a, &p, 1, &l, NULL), 0);
	assert_int_equal(l.n, 0);
}

/* One element a cap, keyed by what the guard holds to the truth; a new MAC address has them too. */
static void caps(void **state)
{
	struct attachment a = attachment(NET_BRIDGE);
	CLEAN_ELEMS struct elem_list l = {0};
	size_t n_before;

	(void)state;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	n_before = l.n;
	l.n = 0;
	strcpy(a.bridge, "br0");
	a.cap = (struct attach_cap){.conns = 7, .conn_rate = 8, .packet_rate = 9};
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(l.n, n_before + 3);
	for (size_t i = 0; i < l.n; i++) {
		if (l.v[i].set == SET_CONNS_PORT) {
			assert_int_equal(l.v[i].bound, 7);
			assert_string_equal(l.v[i].key[0].ifname, "br0");
			assert_memory_equal(&l.v[i].key[1].mac, &a.mac, sizeof(a.mac));
		}
		if (l.v[i].set == SET_PACKETS_PORT)
			assert_string_equal(l.v[i].key[0].ifname, a.host_ifname);
	}
	assert_int_equal(count(&l, SET_CONN_RATE_PORT), 1);
	a.tune.mac = (struct mac){{2, 9}};
	l.n = 0;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_CONNS_PORT) + count(&l, SET_CONN_RATE_PORT), 4);
	assert_int_equal(count(&l, SET_PACKETS_PORT), 1);
	a = attachment(NET_ROUTED);
	a.cap.conns = 7;
	l.n = 0;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_CONNS_LINK), 1);
	assert_int_equal(count(&l, SET_CONN_RATE_LINK) + count(&l, SET_PACKETS_LINK), 0);
	/* What comes: by address, whatever the mode. */
	a.cap = (struct attach_cap){.in_conns = 5, .in_conn_rate = 6};
	for (int mode = NET_BRIDGE; mode <= NET_ROUTED; mode++) {
		a.mode = mode;
		l.n = 0;
		assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
		assert_int_equal(count(&l, SET_IN_CONNS4) + count(&l, SET_IN_RATE4), 2);
		assert_int_equal(count(&l, SET_IN_CONNS6) + count(&l, SET_IN_RATE6), 2);
		assert_int_equal(count(&l, SET_CONNS_LINK) + count(&l, SET_CONNS_PORT), 0);
		for (size_t i = 0; i < l.n; i++)
			if (l.v[i].set == SET_IN_CONNS6)
				assert_true(l.v[i].bound == 5 &&
					    ip_equal(&l.v[i].key[0].ip, &a.addr[FAM6].ip));
	}
	a.kind = ATTACH_FOREIGN;
	l.n = 0;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_CONNS_LINK), 0);
	assert_int_equal(elem_burst(&(struct elem){.set = SET_PACKETS_LINK, .bound = 10}), 10);
	assert_int_equal(elem_burst(&(struct elem){.set = SET_PACKETS_LINK, .bound = 1000}), 100);
	assert_int_equal(elem_burst(&(struct elem){.set = SET_CONN_RATE_LINK, .bound = 1}), 10);
	assert_int_equal(elem_burst(&(struct elem){.set = SET_CONN_RATE_PORT, .bound = 500}), 500);
	assert_int_equal(elem_burst(&(struct elem){.set = SET_IN_RATE6, .bound = 500}), 500);
}

/* For each address of a container, and for its link-local one, which may go nowhere. */
static void egress(void **state)
{
	struct attachment a = attachment(NET_BRIDGE);
	CLEAN_ELEMS struct elem_list l = {0};

	(void)state;
	assert_int_equal(attach_egress_parse("0.0.0.0/0:443", false, &a.egress, NULL, NULL), 0);
	assert_int_equal(attach_egress_parse("192.0.2.0/24", true, &a.egress, NULL, NULL), 0);
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_EGRESS4), 1);
	assert_int_equal(count(&l, SET_EGRESS6), 2);
	assert_int_equal(count(&l, SET_TO_PORT4), 1);
	assert_int_equal(count(&l, SET_NOT4), 1);
	assert_int_equal(count(&l, SET_TO4) + count(&l, SET_TO6) + count(&l, SET_TO_PORT6), 0);
	assert_int_equal(count(&l, SET_EGRESS_PORT), 1);
	a.tune.mac = (struct mac){{2, 9}}; /* on its way */
	l.n = 0;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_EGRESS6), 3);
	/* Only forbidden ones: everything else is allowed, in both families. */
	a.egress.dest[0] = a.egress.dest[1];
	a.egress.n = 1;
	l.n = 0;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_TO4), 1);
	assert_int_equal(count(&l, SET_TO6), 1);
	a = attachment(NET_ROUTED);
	assert_int_equal(attach_egress_parse("::/0", false, &a.egress, NULL, NULL), 0);
	l.n = 0;
	assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
	assert_int_equal(count(&l, SET_TO6), 1);
	assert_int_equal(count(&l, SET_EGRESS4), 1);
	assert_int_equal(count(&l, SET_EGRESS_PORT), 0);
}

/* What is refused to a user's is told, where there are caps. */
static void loud(void **state)
{
	struct attachment a = attachment(NET_BRIDGE);
	CLEAN_ELEMS struct elem_list l = {0};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		unsigned n = i == 7;

		a.uid = i & 1 ? 1000 : 0;
		a.cap.conns = i & 2 ? 5 : 0;
		a.egress.n = 0;
		if (i & 4)
			assert_int_equal(
				attach_egress_parse("192.0.2.0/24", true, &a.egress, NULL, NULL),
				0);
		l.n = 0;
		assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
		assert_int_equal(count(&l, SET_LOUD4), n);
		assert_int_equal(count(&l, SET_LOUD6), n);
	}
}

static void without_log(void **state)
{
	CLEAN_BUF struct buf with = BUF_INIT, without = BUF_INIT, bounds = BUF_INIT;

	(void)state;
	ruleset_base(7, &with);
	ruleset_base_without(RULESET_LOG, 7, &without);
	ruleset_base_without(RULESET_BOUNDS, 7, &bounds);
	assert_false(with.failed || without.failed || bounds.failed);
	assert_non_null(strstr(with.p, "log group"));
	assert_null(strstr(without.p, "log group"));
	assert_null(strstr(bounds.p, "log group"));
	assert_non_null(strstr(without.p, "limit rate"));
	assert_non_null(strstr(without.p, "reject with tcp reset"));
}

/* What a kernel without bounds gets names none of it. */
static void without_bounds(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	(void)state;
	ruleset_base_without(RULESET_BOUNDS, 7, &b);
	assert_false(b.failed);
	assert_non_null(strstr(b.p, " counter;"));
	assert_null(strstr(b.p, "limit"));
	assert_null(strstr(b.p, "ct count"));
	for (int s = 0; s < N_SETS; s++) {
		char used[64];

		snprintf(used, sizeof(used), "@%s", elem_sets[s].name);
		assert_int_equal(strstr(b.p, used) == NULL, elem_sets[s].bound != BOUND_NONE);
	}
}

/* The maps of published ports count, and nothing else does; without, nothing. */
static void counters(void **state)
{
	CLEAN_BUF struct buf with = BUF_INIT, without = BUF_INIT;
	size_t n = 0, n_counted = 0;

	(void)state;
	ruleset_base(7, &with);
	ruleset_base_without(RULESET_COUNTERS, 7, &without);
	assert_false(with.failed || without.failed);
	for (const char *p = with.p; (p = strstr(p, " counter;")); p++)
		n++;
	for (int s = 0; s < N_SETS; s++) {
		n_counted += elem_sets[s].is_counted;
		assert_int_equal(elem_sets[s].is_counted, s <= SET_FWD6_RANGE_HOST);
		assert_false(elem_sets[s].is_counted && elem_sets[s].bound);
	}
	assert_int_equal(n, n_counted);
	assert_null(strstr(without.p, "counter"));
	assert_non_null(strstr(without.p, "limit rate"));
}

static void population_fills_every_set(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};

	(void)state;
	population_elements(24, 2, &l);
	assert_true(l.n > 1000);
	for (int s = 0; s < N_SETS; s++)
		assert_true(count(&l, s) > 0);
}

static void version_is_stable(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT;
	char comment[RULESET_COMMENT_STRLEN];

	(void)state;
	/* Not equal: the text has changed, and VERSION in ruleset.c is what the second one says. */
	if (ruleset_version() != ruleset_text_version())
		fail_msg("VERSION is 0x%08xu, and 0x%08xu is right", ruleset_version(),
			 ruleset_text_version());
	assert_int_not_equal(ruleset_version(), 0);
	ruleset_comment(ruleset_version(), 7, comment);
	ruleset_base(7, &b);
	assert_false(b.failed);
	assert_non_null(strstr(strstr(b.p, comment) + 1, comment));
	for (int s = 0; s < N_SETS; s++) {
		char declared[64], used[64];

		snprintf(declared, sizeof(declared), " %s { ", elem_sets[s].name);
		snprintf(used, sizeof(used), "@%s", elem_sets[s].name);
		assert_non_null(strstr(b.p, declared));
		assert_non_null(strstr(b.p, used));
	}
}

/* Each line is one command whose words are of a few harmless characters, whatever passed the checks
 * of names and addresses: nothing could end a word, a string or a command. */
static void check_harmless(const struct elem_list *l)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   " ._:/@-{},";
	CLEAN_BUF struct buf b = BUF_INIT;
	char *save = NULL;

	ruleset_elements(l, &b);
	assert_false(b.failed);
	for (char *s = strtok_r(b.p, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		size_t quotes = 0, braces = 0;

		assert_memory_equal(s, "add element ", 12);
		for (char *p = s; *p; p++) {
			quotes += *p == '"';
			braces += *p == '{' || *p == '}';
			if (*p != '"' && !strchr(good, *p))
				fail_msg("'%c' in %s", *p, s);
		}
		assert_int_equal(quotes % 2, 0);
		assert_int_equal(braces, 2);
	}
}

/* The longest names that pass, of every character that passes. */
static void text_is_harmless(void **state)
{
	static const char name[] = "Az09_.-";
	struct attachment a = attachment(NET_BRIDGE);
	struct network n = network(NET_BRIDGE);
	CLEAN_ELEMS struct elem_list l = {0};
	struct publish p = {.proto = 6, .host_port = 1, .ctr_port = 65535, .count = 1};

	(void)state;
	for (size_t i = 0; i < ID_MAX; i++)
		a.id[i] = name[i % 7];
	for (size_t i = 0; i < IFNAME_MAX; i++)
		a.ifname[i] = a.host_ifname[i] = n.bridge[i] = name[i % 7];
	for (size_t i = 0; i < NETNAME_MAX; i++)
		n.name[i] = name[i % 7];
	assert_int_equal(name_check_id(a.id, "", NULL), 0);
	assert_int_equal(name_check_ifname(a.ifname, "", NULL), 0);
	assert_int_equal(name_check_network(n.name, "", NULL), 0);
	n.isolate = n.internal = true;
	assert_int_equal(ip_parse("2001:db8::ffff:192.0.2.1", &p.host_ip, NULL), 0);
	for (int mode = NET_BRIDGE; mode <= NET_ROUTED; mode++) {
		a.mode = n.mode = mode;
		assert_int_equal(elem_of_network(&n, &l, NULL), 0);
		assert_int_equal(elem_of_endpoint(&a, &l, NULL), 0);
		assert_int_equal(elem_of_publish(&a, &p, 1, &l, NULL), 0);
	}
	assert_int_equal(elem_of_opened(FAM4, a.ifname, &l, NULL), 0);
	assert_true(l.n > 10);
	check_harmless(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bridge_network),
		cmocka_unit_test(network_choices),
		cmocka_unit_test(nomasq_is_reduced),
		cmocka_unit_test(bridge_endpoint),
		cmocka_unit_test(routed_endpoint),
		cmocka_unit_test(published),
		cmocka_unit_test(published_without_family),
		cmocka_unit_test(caps),
		cmocka_unit_test(egress),
		cmocka_unit_test(loud),
		cmocka_unit_test(without_log),
		cmocka_unit_test(without_bounds),
		cmocka_unit_test(counters),
		cmocka_unit_test(population_fills_every_set),
		cmocka_unit_test(version_is_stable),
		cmocka_unit_test(text_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
