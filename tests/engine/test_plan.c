/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_plan: the plan is a pure function, so every combination of what may be there is tried: the
 * order rules of netd hold in each, a healthy attachment has an empty plan, and nothing is planned
 * that is there already.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/plan.h"

static const struct publish web = {.proto = 6, .host_port = 8080, .ctr_port = 80, .count = 1};

static struct attachment sample(enum net_mode mode, size_t n_publish)
{
	struct attachment a = {.mode = mode, .mtu = 1500, .n_publish = n_publish};

	assert_int_equal(prefix_parse("10.77.0.2/16", &a.addr[FAM4], NULL), 0);
	assert_int_equal(prefix_parse("fd00::2/64", &a.addr[FAM6], NULL), 0);
	a.mac = mac_from_ip(&a.addr[FAM4].ip);

	a.publish = n_publish ? (struct publish *)(uintptr_t)&web : NULL;
	strcpy(a.id, "web");
	strcpy(a.ifname, "eth0");
	strcpy(a.network, "default");
	strcpy(a.host_ifname, "nu0123456789abc");
	if (mode == NET_BRIDGE)
		strcpy(a.bridge, "nb-default");
	return a;
}

/* Bit i of bits: fact i is there. */
static struct observed facts(unsigned bits, size_t n_sysctl)
{
	struct observed o = {
		.tables = bits & 1 ? TABLES_OK : TABLES_ABSENT,
		.has_network = bits & 2,
		.has_guard = bits & 4,
		.has_link = bits & 8,
		.has_port = bits & 16,
		.has_host_route = bits & 32,
		.has_inside = bits & 64,
		.has_reservation = bits & 128,
		.has_dnat = bits & 256,
		.n_sysctl = n_sysctl,
	};

	return o;
}
#define N_FACTS 9

static int find(const struct plan *p, enum op_kind k)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->op[i].kind == k)
			return (int)i;
	return -1;
}

static void assert_before(const struct plan *p, enum op_kind first, enum op_kind second)
{
	int a = find(p, first), b = find(p, second);

	if (a >= 0 && b >= 0)
		assert_true(a < b);
}

static void check_one(enum net_mode mode, unsigned bits, size_t n_publish, size_t n_sysctl)
{
	struct attachment a = sample(mode, n_publish);
	struct observed o = facts(bits, n_sysctl);
	struct plan p;

	plan_up(&a, &o, &p);
	assert_true(p.n <= PLAN_MAX);
	assert_int_equal(find(&p, OP_TABLES) >= 0, o.tables != TABLES_OK);
	assert_int_equal(find(&p, OP_NET_ELEMENTS) >= 0, !o.has_network);
	assert_int_equal(find(&p, OP_BRIDGE) >= 0, !o.has_network && mode == NET_BRIDGE);
	assert_int_equal(find(&p, OP_GUARD) >= 0, !o.has_guard);
	assert_int_equal(find(&p, OP_VETH) >= 0, !o.has_link);
	assert_int_equal(find(&p, OP_PORT) >= 0, !o.has_port && mode == NET_BRIDGE);
	assert_int_equal(find(&p, OP_HOST_ROUTE) >= 0, !o.has_host_route && mode == NET_ROUTED);
	assert_int_equal(find(&p, OP_INSIDE) >= 0, !o.has_inside);
	assert_int_equal(find(&p, OP_RESERVE) >= 0, n_publish && !o.has_reservation);
	assert_int_equal(find(&p, OP_DNAT) >= 0, n_publish && !o.has_dnat);
	/* Flows that would bypass a port are forgotten when it is published, and only then. */
	assert_int_equal(find(&p, OP_CONNTRACK) >= 0, find(&p, OP_DNAT) >= 0);
	/* filter, link, addresses, DNAT; forwarding never before the filter */
	assert_before(&p, OP_TABLES, OP_NET_ELEMENTS);
	assert_before(&p, OP_NET_ELEMENTS, OP_BRIDGE);
	assert_before(&p, OP_NET_ELEMENTS, OP_SYSCTL);
	assert_before(&p, OP_TABLES, OP_SYSCTL);
	assert_before(&p, OP_TABLES, OP_GUARD);
	assert_before(&p, OP_BRIDGE, OP_VETH);
	assert_before(&p, OP_GUARD, OP_VETH);
	assert_before(&p, OP_VETH, OP_PORT);
	assert_before(&p, OP_VETH, OP_HOST_ROUTE);
	assert_before(&p, OP_PORT, OP_INSIDE);
	assert_before(&p, OP_VETH, OP_INSIDE);
	assert_before(&p, OP_INSIDE, OP_READY);
	assert_before(&p, OP_READY, OP_DNAT);
	assert_before(&p, OP_RESERVE, OP_DNAT);
	assert_before(&p, OP_DNAT, OP_CONNTRACK);
	for (size_t i = 0; i < p.n; i++)
		if (p.op[i].kind == OP_SYSCTL)
			assert_true(p.op[i].sysctl < n_sysctl);
}

static void test_every_combination(void **state)
{
	(void)state;
	for (int mode = NET_BRIDGE; mode <= NET_ROUTED; mode++)
		for (unsigned bits = 0; bits < 1u << N_FACTS; bits++)
			for (size_t n_publish = 0; n_publish < 2; n_publish++)
				for (size_t n_sysctl = 0; n_sysctl < 3; n_sysctl++)
					check_one((enum net_mode)mode, bits, n_publish, n_sysctl);
}

/* The MAC address by hand, or addresses that are not a pair: neighbours may know another one. */
static void test_announcement(void **state)
{
	struct attachment a = sample(NET_BRIDGE, 0);
	struct observed o = facts(3, 0);
	struct plan p;

	(void)state;
	plan_up(&a, &o, &p);
	assert_int_equal(find(&p, OP_ANNOUNCE), -1);
	a.mac.b[5] ^= 1;
	plan_up(&a, &o, &p);
	assert_true(find(&p, OP_ANNOUNCE) > find(&p, OP_READY));
	a.mode = NET_ROUTED;
	plan_up(&a, &o, &p);
	assert_int_equal(find(&p, OP_ANNOUNCE), -1);
	a = sample(NET_BRIDGE, 0);
	a.addr[FAM6].ip.b[15] = 9;
	plan_up(&a, &o, &p);
	assert_true(find(&p, OP_ANNOUNCE) > 0);
}

static void test_healthy_is_empty(void **state)
{
	struct attachment a = sample(NET_BRIDGE, 1);
	struct observed o = facts((1u << N_FACTS) - 1, 0);
	struct plan p;

	(void)state;
	plan_up(&a, &o, &p);
	assert_int_equal(p.n, 0);
}

static void test_most_sysctls_fit(void **state)
{
	struct attachment a = sample(NET_BRIDGE, 1);
	struct observed o = facts(0, OBSERVED_SYSCTL_MAX);
	struct plan p;

	(void)state;
	plan_up(&a, &o, &p);
	assert_true(p.n <= PLAN_MAX);
	assert_int_equal(p.op[p.n - 1].kind, OP_CONNTRACK);
}

static void test_text(void **state)
{
	static const char wanted[] =
		"tables: load table inet netd and table bridge netd\n"
		"network default: add subnets 10.77.0.0/16, isolated\n"
		"network default: create bridge nb-default with the gateway addresses\n"
		"host: set net/ipv4/conf/eth0/forwarding from 0 to 1\n"
		"guard nu0123456789abc: allow 10.77.0.2/16 fd00::2/64 from 72:6e:0a:4d:00:02\n"
		"link nu0123456789abc: create, peer eth0 in the container, mtu 1500, port of "
		"nb-default\n"
		"port nu0123456789abc: static FDB entry, no learning\n"
		"container: eth0 up with 10.77.0.2/16 fd00::2/64 and default routes\n"
		"reserve: 8080:80/tcp\n"
		"wait: until nu0123456789abc passes packets\n"
		"publish: 8080:80/tcp\n"
		"conntrack: forget stale flows of the published ports\n";
	struct attachment a = sample(NET_BRIDGE, 1);
	struct observed o = facts(0, 1);
	struct network net = {.isolate = true};
	CLEAN_BUF struct buf out = BUF_INIT;
	struct plan p;

	(void)state;
	strcpy(net.name, "default");
	strcpy(net.bridge, "nb-default");
	assert_int_equal(prefix_parse("10.77.0.0/16", &net.subnet[FAM4], NULL), 0);
	o.sysctl[0] =
		(struct host_sysctl){.key = "net/ipv4/conf/eth0/forwarding", .now = 0, .want = 1};
	plan_up(&a, &o, &p);
	plan_text(&p, &net, &a, &o, &out);
	assert_false(out.failed);
	assert_string_equal(out.p, wanted);
}

/* What an attachment has no link for is not planned, whatever is missing; parts that it has are
 * planned once each, after the addresses and before it is published. */
static void test_kinds_and_parts(void **state)
{
	static const enum op_kind link_ops[] = {OP_VETH,   OP_PORT,  OP_HOST_ROUTE,
						OP_INSIDE, OP_READY, OP_ANNOUNCE};
	struct plan p;

	(void)state;
	for (unsigned bits = 0; bits < 1u << N_FACTS; bits++) {
		struct attachment a = sample(NET_ROUTED, 1);
		struct observed o = facts(bits, 0);

		a.kind = ATTACH_LEASE;
		plan_up(&a, &o, &p);
		assert_int_equal(p.n, 0);
		a.kind = ATTACH_FOREIGN;
		a.rate.in_rate = 8000;
		a.tune.mtu = 1400;
		for (unsigned part = 0; part < 4; part++) {
			o.has_tune = part & 1;
			o.has_rate = part & 2;
			plan_up(&a, &o, &p);
			for (size_t i = 0; i < sizeof(link_ops) / sizeof(link_ops[0]); i++)
				assert_int_equal(find(&p, link_ops[i]), -1);
			assert_int_equal(find(&p, OP_TUNE) >= 0, !o.has_tune);
			assert_int_equal(find(&p, OP_RATE) >= 0, !o.has_rate);
			assert_before(&p, OP_GUARD, OP_RATE);
			assert_before(&p, OP_RATE, OP_DNAT);
		}
		a.kind = ATTACH_VETH;
		plan_up(&a, &o, &p);
		assert_before(&p, OP_INSIDE, OP_TUNE);
		assert_before(&p, OP_VETH, OP_RATE);
		a.is_down = true;
		plan_up(&a, &o, &p);
		assert_int_equal(find(&p, OP_INSIDE), -1);
		assert_int_equal(find(&p, OP_READY), -1);
	}
}

/* The wait is as late as may be: only the ports come after it. But nothing is told of a container
 * whose address may turn out to be somebody else's, and settings inside come after the wait. */
static void test_wait_is_late(void **state)
{
	struct plan p;

	(void)state;
	for (unsigned bits = 0; bits < 1u << N_FACTS; bits++) {
		struct attachment a = sample(NET_BRIDGE, 1);
		struct observed o = facts(bits, 0);

		o.has_inside = o.has_names = o.has_reservation = false;
		a.resolver[FAM4] = a.addr[FAM4].ip;
		a.rate.in_rate = 8000;
		plan_up(&a, &o, &p);
		assert_before(&p, OP_RATE, OP_READY);
		assert_before(&p, OP_NAMES, OP_READY);
		assert_before(&p, OP_RESERVE, OP_READY);
		a.is_dad = true;
		plan_up(&a, &o, &p);
		assert_before(&p, OP_READY, OP_NAMES);
		assert_before(&p, OP_READY, OP_RESERVE);
		a.is_dad = false;
		a.tune.mtu = 1400;
		plan_up(&a, &o, &p);
		assert_before(&p, OP_READY, OP_TUNE);
		o.has_tune = true;
		plan_up(&a, &o, &p);
		assert_before(&p, OP_RESERVE, OP_READY);
	}
}

/* A port's VLANs come before its static entries, which are made for them; nobody else is asked. */
static void test_vlan(void **state)
{
	struct plan p;

	(void)state;
	for (unsigned bits = 0; bits < 1u << N_FACTS; bits++) {
		struct attachment a = sample(NET_BRIDGE, 1);
		struct observed o = facts(bits, 0);
		CLEAN_BUF struct buf out = BUF_INIT;
		struct network net = {.is_spec = true};

		a.vlan.pvid = 100;
		plan_up(&a, &o, &p);
		assert_true(find(&p, OP_VLAN) >= 0);
		assert_true(find(&p, OP_PORT) >= 0);
		assert_before(&p, OP_VETH, OP_VLAN);
		assert_before(&p, OP_VLAN, OP_PORT);
		assert_before(&p, OP_GUARD, OP_VLAN);
		assert_before(&p, OP_VLAN, OP_INSIDE);
		o.has_vlan = true;
		plan_up(&a, &o, &p);
		assert_int_equal(find(&p, OP_VLAN), -1);
		assert_int_equal(find(&p, OP_PORT) >= 0, !o.has_port);
		o.has_vlan = false;
		attach_vlan_add_trunk(&a.vlan, 7, 7, NULL);
		attach_vlan_add_trunk(&a.vlan, 200, 300, NULL);
		a.vlan.is_alone = true;
		plan_up(&a, &o, &p);
		plan_text(&p, &net, &a, &o, &out);
		assert_non_null(strstr(out.p, "port nu0123456789abc: VLAN 100 untagged 7 200-300, "
					      "without the bridge's default\n"));
		a.mode = NET_ROUTED;
		plan_up(&a, &o, &p);
		assert_int_equal(find(&p, OP_VLAN), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_combination),
		cmocka_unit_test(test_announcement),
		cmocka_unit_test(test_healthy_is_empty),
		cmocka_unit_test(test_most_sysctls_fit),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_kinds_and_parts),
		cmocka_unit_test(test_wait_is_late),
		cmocka_unit_test(test_vlan),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
