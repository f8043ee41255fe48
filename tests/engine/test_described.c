/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attachments to networks that their user describes: what comes out inside and on the host, what is
 * refused and with which meaning, and that nothing is left.
 */
#include "sys/netns.h"
#include "world.h"

static void test_bridge(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *b = NULL;
	struct want w;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "2001:db8:1::/64");
	want_set(&w, "198.51.100.0/24");
	OK(up(&w, &a));
	assert_string_equal(addr_of(a, 0), "2001:db8:1::2/64");
	assert_string_equal(addr_of(a, 1), "198.51.100.2/24");
	MUST("ip -n c0 route | grep -q 'default via 198.51.100.1 dev eth0'");
	MUST("ip -n c0 -6 route | grep -q 'default via 2001:db8:1::1 dev eth0'");
	MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.1");
	MUST("ip netns exec c0 ping -q -c1 -W1 2001:db8:1::1");
	MUST("ip addr show br-web | grep -q 198.51.100.1/24");
	OK(check(0));
	NOTHING(up(&w, &b));
	assert_string_equal(addr_of(b, 0), "2001:db8:1::2/64");
	w.req.mtu = 1400;
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up(&w, NULL));
	want_init(&w, 1);
	want_set(&w, "2001:db8:1::/64");
	want_set(&w, "198.51.100.0/24");
	w.req.is_default_route[FAM6] = false;
	OK(up(&w, NULL));
	MUST_NOT("ip -n c1 -6 route | grep -q default");
	MUST("ip netns exec c1 ping -q -c1 -W1 198.51.100.2");
	MUST("ip netns exec c1 ping -q -c1 -W1 2001:db8:1::2");
	OK(down(0));
	OK(check(1));
	OK(down(1));
	NOTHING(down(1));
}

static void test_pool(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct want w;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "198.51.100.0/30");
	OK(up(&w, NULL));
	want_init(&w, 1);
	want_set(&w, "198.51.100.0/30");
	FAILS(ERR_QUOTA, WHAT_POOL, up(&w, NULL));
	MUST_NOT("ip -n c1 link show eth0");
	OK(down(0));
	/* Two ranges are used up one after the other, and an address that is asked for comes from
	 * the set that has it. */
	for (unsigned int i = 0; i < 3; i++) {
		want_init(&w, i);
		want_set(&w, "198.51.100.0/30");
		w.set[0].r[w.set[0].n++].subnet = (struct prefix){
			.ip = {.family = AF_INET, .b = {203, 0, 113, 0}}, .len = 29};
		OK(pool_complete(w.set, 1, &err));
		want_set(&w, "2001:db8:1::/64");
		if (i == 1)
			want_ip(&w, "2001:db8:1::99");
		OK(up(&w, i == 1 ? &a : NULL));
	}
	assert_string_equal(addr_of(a, 0), "203.0.113.2/29");
	assert_string_equal(addr_of(a, 1), "2001:db8:1::99/64");
	MUST("ip addr show br-web | grep -q 203.0.113.1/29");
	want_init(&w, 3);
	want_set(&w, "198.51.100.0/30");
	w.set[0] = (struct addr_set){
		.n = 2, .r = {{w.set[0].r[0].subnet}, {{{AF_INET, {203, 0, 113, 0}}, 29}}}};
	OK(pool_complete(w.set, 1, &err));
	want_set(&w, "2001:db8:1::/64");
	want_ip(&w, "2001:db8:1::99");
	FAILS(ERR_CONFLICT, WHAT_ADDRESS, up(&w, NULL));
	w.asked[0].b[15] = 1; /* the gateway */
	FAILS(ERR_USAGE, WHAT_ADDRESS, up(&w, NULL));
	w.asked[0].b[4] = 7; /* outside */
	FAILS(ERR_USAGE, WHAT_ADDRESS, up(&w, NULL));
	MUST_NOT("ip -n c3 link show eth0");
	for (unsigned int i = 0; i < 3; i++)
		OK(down(i));
}

static void test_given(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct want w;

	(void)state;
	want_init(&w, 0);
	want_given(&w, "198.51.100.7/24", NULL);
	want_given(&w, "203.0.113.9/28", "203.0.113.14");
	want_given(&w, "2001:db8:1::7/64", "2001:db8:1::ffff");
	OK(up(&w, &a));
	assert_int_equal(a->n_extra, 1);
	assert_string_equal(addr_of(a, 1), "203.0.113.9/28");
	MUST("ip addr show br-web | grep -q 198.51.100.1/24");
	MUST("ip addr show br-web | grep -q 203.0.113.14/28");
	MUST("ip -n c0 -6 route | grep -q 'default via 2001:db8:1::ffff'");
	MUST("ip netns exec c0 ping -q -c1 -W1 203.0.113.14");
	MUST("ping -q -c1 -W1 203.0.113.9");
	MUST("nft list set inet netd masq4 | grep -q 203.0.113.0/28");
	OK(check(0));
	/* The network grows with a member in yet another subnet; both reach each other. */
	want_init(&w, 1);
	want_given(&w, "192.0.2.5/25", NULL);
	OK(up(&w, NULL));
	MUST("ip addr show br-web | grep -q 192.0.2.1/25");
	MUST("nft list set inet netd masq4 | grep -q 192.0.2.0/25");
	MUST("ip netns exec c1 ping -q -c1 -W1 203.0.113.9");
	OK(check(0));
	OK(check(1));
	want_init(&w, 2);
	want_given(&w, "192.0.2.5/25", NULL);
	FAILS(ERR_CONFLICT, WHAT_ADDRESS, up(&w, NULL));
	want_init(&w, 2);
	want_given(&w, "224.0.0.1/4", NULL);
	assert_true(up(&w, NULL) < 0);
	/* The record brings everything back after the tables are lost. */
	MUST("nft flush ruleset");
	{
		CLEAN_ENGINE struct engine *g = open_engine();
		struct gc_result res;

		OK(engine_gc(g, &res, &err));
	}
	MUST("nft list set inet netd masq4 | grep -q 203.0.113.0/28");
	OK(check(0));
	OK(down(0));
	OK(down(1));
}

static void test_adopted(void **state)
{
	struct want w;

	(void)state;
	MUST("ip link add br-web type bridge && ip addr add 203.0.113.1/24 dev br-web && "
	     "ip addr add 2001:db8:9::1/64 dev br-web nodad && ip link set br-web up");
	want_init(&w, 0);
	want_set(&w, "198.51.100.0/24");
	want_set(&w, "2001:db8:1::/64");
	FAILS(ERR_USAGE, WHAT_NETWORK, up(&w, NULL));
	MUST("ip addr show br-web | grep -q 203.0.113.1/24");
	MUST_NOT("ip -n c0 link show eth0");
	w.req.is_force_address = true;
	OK(up(&w, NULL));
	MUST_NOT("ip addr show br-web | grep -q 203.0.113.1/24");
	MUST("ip addr show br-web | grep -q 2001:db8:9::1/64"); /* does not contradict */
	MUST("ip addr show br-web | grep -q 198.51.100.1/24");
	MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.1");
	MUST("ip netns exec c0 ping -q -c1 -W2 2001:db8:1::1");
	OK(check(0));
	want_init(&w, 1);
	want_set(&w, "198.51.100.0/24");
	want_set(&w, "2001:db8:1::/64");
	OK(up(&w, NULL));
	MUST("ip netns exec c1 ping -q -c1 -W1 198.51.100.2");
	OK(down(0));
	OK(down(1));
	MUST("ip link show br-web");
	MUST_NOT("ip addr show br-web | grep -q 198.51.100.1/24");
	MUST_NOT("ip addr show br-web | grep -q 2001:db8:1::1/64");
	MUST("test $(cat /proc/sys/net/ipv4/conf/br-web/forwarding) = 0");
	/* Its own address was there before. */
	MUST("ip addr add 198.51.100.1/24 dev br-web");
	OK(up(&w, NULL));
	OK(down(1));
	MUST("ip addr show br-web | grep -q 198.51.100.1/24");
	/* A change of subnet takes away what is ours, not that; ours of the other family stays
	 * ours. */
	OK(up(&w, NULL));
	want_init(&w, 2);
	want_set(&w, "2001:db8:1::/64");
	w.req.is_force_address = true;
	OK(up(&w, NULL));
	MUST("ip addr show br-web | grep -q 198.51.100.1/24");
	MUST("ip addr show br-web | grep -q 2001:db8:1::1/64");
	OK(down(1));
	OK(down(2));
	MUST("ip addr show br-web | grep -q 198.51.100.1/24");
	MUST_NOT("ip addr show br-web | grep -q 2001:db8:1::1/64");
	MUST("ip link del br-web && ip link add br-web type veth peer name other");
	FAILS(ERR_USAGE, WHAT_NETWORK, up(&w, NULL));
	MUST("ip link del br-web");
}

static void test_agreement(void **state)
{
	struct want w;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "198.51.100.0/24");
	OK(up(&w, NULL));
	want_init(&w, 1);
	want_set(&w, "203.0.113.0/24");
	FAILS(ERR_CONFLICT, WHAT_NETWORK, up(&w, NULL));
	w.req.is_force_address = true;
	OK(up(&w, NULL));
	MUST("ip addr show br-web | grep -q 203.0.113.1/24");
	MUST_NOT("ip addr show br-web | grep -q 198.51.100.1/24");
	OK(check(1));
	want_init(&w, 2);
	want_set(&w, "203.0.113.0/24");
	w.net.isolate = true;
	FAILS(ERR_CONFLICT, WHAT_NETWORK, up(&w, NULL));
	assert_non_null(strstr(err.text, "isolation"));
	/* Another network, in the same subnet: refused on another bridge, a twin on the same one.
	 */
	want_init(&w, 2);
	strcpy(w.net.name, "web-2");
	want_set(&w, "203.0.113.0/24");
	OK(up(&w, NULL));
	want_init(&w, 3);
	strcpy(w.net.name, "web-3");
	strcpy(w.net.bridge, "br-3");
	want_set(&w, "203.0.113.0/25");
	FAILS(ERR_CONFLICT, WHAT_NETWORK, up(&w, NULL));
	OK(down(0));
	OK(down(1));
	OK(check(2));
	MUST("ip netns exec c2 ping -q -c1 -W1 203.0.113.1");
	MUST("nft list set inet netd masq4 | grep -q 203.0.113.0/24");
	OK(down(2));
}

/* A process that is killed while the last member leaves can leave the network's record: it binds
 * nobody, and gc takes it away. */
static void test_deserted(void **state)
{
	struct gc_result res;
	struct want w;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "198.51.100.0/24");
	OK(up(&w, NULL));
	want_init(&w, 1);
	strcpy(w.net.name, "other");
	strcpy(w.net.bridge, "br-other");
	want_set(&w, "203.0.113.0/25");
	OK(up(&w, NULL));
	MUST("cp /run/netd/networks/other /run/kept");
	OK(down(1));
	MUST("cp /run/kept /run/netd/networks/other");
	want_init(&w, 1);
	strcpy(w.net.name, "other");
	strcpy(w.net.bridge, "br-other");
	want_set(&w, "203.0.113.128/25"); /* unlike the record */
	OK(up(&w, NULL));
	MUST("ip addr show br-other | grep -q 203.0.113.129/25");
	OK(down(1));
	MUST("mv /run/kept /run/netd/networks/other");
	{
		CLEAN_ENGINE struct engine *g = open_engine();

		OK(engine_gc(g, &res, &err));
	}
	MUST("test ! -e /run/netd/networks/other");
	OK(check(0));
	OK(down(0));
}

/* Duplicate address detection is over when the call returns. */
static void test_dad(void **state)
{
	struct want w;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "2001:db8:1::/64");
	w.req.is_dad = true;
	OK(up(&w, NULL));
	MUST("ip -n c0 -6 addr show dev eth0 scope global | grep -q 2001:db8:1::2");
	MUST_NOT("ip -n c0 -6 addr show dev eth0 scope global | grep -q tentative");
	OK(check(0));
	OK(down(0));
}

static void test_routed(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct attach_route *r;
	struct want w;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		want_init(&w, i);
		w.net.mode = NET_ROUTED;
		w.net.bridge[0] = '\0';
		want_set(&w, "198.51.100.0/24");
		want_set(&w, "2001:db8:1::/64");
		r = want_route(&w, "192.0.2.0/24", "198.51.100.1");
		r->mtu = 1300;
		r->advmss = 1200;
		r->priority = 77;
		r = want_route(&w, "2001:db8:77::/48", NULL);
		r->table = 1000;
		OK(up(&w, i ? &a : NULL));
	}
	assert_string_equal(addr_of(a, 0), "198.51.100.3/32");
	MUST("ip -n c1 route | grep -q '192.0.2.0/24 via 169.254.1.1 .* metric 77 .*mtu 1300 "
	     "advmss 1200'");
	MUST("ip -n c1 -6 route show table 1000 | grep -q '2001:db8:77::/48 via fe80::1'");
	MUST("ip netns exec c1 ping -q -c1 -W1 198.51.100.2");
	MUST("ip netns exec c1 ping -q -c1 -W1 2001:db8:1::2");
	OK(check(1));
	MUST("ip -n c1 route del 192.0.2.0/24 metric 77");
	assert_int_equal(check(1), 1);
	err_reset(&err);
	NOTHING(up(&w, NULL)); /* mends */
	OK(check(1));
	OK(down(0));
	OK(down(1));
}

static void test_layer2(void **state)
{
	struct want w;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		want_init(&w, i);
		w.net.is_gateway = w.net.masquerade = false;
		w.req.is_l2 = true;
		OK(up(&w, NULL));
		MUST("ip -n c%u addr add 198.51.100.%u/24 dev eth0", i, i + 1);
		OK(check(i));
	}
	MUST("ip netns exec c0 ping -q -c1 -W2 198.51.100.2");
	/* Still held to its MAC address. */
	MUST("ip -n c0 link set eth0 down && ip -n c0 link set eth0 address 02:00:00:00:00:99 && "
	     "ip -n c0 link set eth0 up");
	MUST_NOT("ip netns exec c0 ping -q -c1 -W1 198.51.100.2");
	OK(down(0));
	OK(down(1));
	want_init(&w, 0);
	w.req.is_l2 = w.req.is_down = true;
	OK(up(&w, NULL));
	MUST_NOT("ip -n c0 link show eth0 | grep -q ',UP'");
	OK(check(0));
	OK(down(0));
	w.net.mode = NET_ROUTED;
	FAILS(ERR_USAGE, WHAT_NONE, up(&w, NULL));
}

static void test_port_flags(void **state)
{
	struct want w;

	(void)state;
	/* With br_netfilter all ports reflect. */
	MUST("cd /proc/sys/net/bridge 2>/dev/null || exit 0; echo 0 >bridge-nf-call-iptables; "
	     "echo 0 >bridge-nf-call-ip6tables");
	for (unsigned int i = 0; i < 2; i++) {
		want_init(&w, i);
		want_set(&w, "198.51.100.0/24");
		w.req.is_hairpin = i == 0;
		w.req.is_promisc = i == 1;
		w.req.is_port_isolated = true;
		w.req.is_unguarded = i == 1;
		OK(up(&w, NULL));
	}
	MUST("test $(bridge -d link show | grep -c 'hairpin on') = 1");
	MUST("test $(bridge -d link show | grep -c 'isolated on') = 2");
	MUST("ip link show br-web | grep -q PROMISC");
	MUST_NOT("ip netns exec c0 ping -q -c1 -W1 198.51.100.3");
	MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.1");
	/* One is held to its address, the other is not. */
	for (unsigned int i = 0; i < 2; i++)
		MUST("ip -n c%u addr add 198.51.100.10%u/24 dev eth0", i, i);
	MUST_NOT("ip netns exec c0 ping -q -c1 -W1 -I 198.51.100.100 198.51.100.1");
	MUST("ip netns exec c1 ping -q -c1 -W1 -I 198.51.100.101 198.51.100.1");
	OK(check(0));
	OK(check(1));
	OK(down(0));
	OK(down(1));
}

static void test_targets(void **state)
{
	struct want w;
	int self;

	(void)state;
	want_init(&w, 0);
	want_set(&w, "198.51.100.0/24");
	self = w.req.netns_fd;
	OK(netns_open_self(&w.req.netns_fd, &err));
	FAILS(ERR_USAGE, WHAT_NETNS, up(&w, NULL));
	w.req.netns_fd = self;
	MUST("ip -n c0 link add eth0 type veth peer name other");
	FAILS(ERR_CONFLICT, WHAT_INTERFACE, up(&w, NULL));
	MUST("ip -n c0 link show eth0 | grep -q other");
	MUST("ip -n c0 link del eth0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_bridge, host_is_clean),
		cmocka_unit_test_teardown(test_pool, host_is_clean),
		cmocka_unit_test_teardown(test_given, host_is_clean),
		cmocka_unit_test_teardown(test_adopted, host_is_clean),
		cmocka_unit_test_teardown(test_agreement, host_is_clean),
		cmocka_unit_test_teardown(test_deserted, host_is_clean),
		cmocka_unit_test_teardown(test_dad, host_is_clean),
		cmocka_unit_test_teardown(test_routed, host_is_clean),
		cmocka_unit_test_teardown(test_layer2, host_is_clean),
		cmocka_unit_test_teardown(test_port_flags, host_is_clean),
		cmocka_unit_test_teardown(test_targets, host_is_clean),
	};

	return cmocka_run_group_tests_name("engine/described", tests, host_enter, NULL);
}
