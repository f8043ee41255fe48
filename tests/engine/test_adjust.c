/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates, sysctls and settings: made with the attachment, changed later, looked after, taken away.
 */
#include <stdlib.h>

#include "world.h"

/* Ours, else v0 */
#define HOST_IF "$(ip -o link | grep -oE 'nu[0-9a-f]{13}|v0' | head -n1)"
#define IFB "$(ip -o link show group 28265 | cut -d: -f2 | tr -d ' ')"

static void want_web(struct want *w)
{
	want_init(w, 0);
	want_set(w, "198.51.100.0/24");
	want_set(w, "2001:db8:1::/64");
}

static int adjust(const struct attach_rate *rate, struct want *w, const struct attach_tune *tune)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ENGINE struct engine *g = open_engine();
	struct adjust_request q = {.id = "c0",
				   .ifname = "eth0",
				   .netns_fd = ctr_fd(0),
				   .rate = rate,
				   .n_sysctl = w ? w->req.n_sysctl : 0,
				   .sysctl = w ? w->sysctl : NULL,
				   .tune = tune};

	return engine_adjust(g, &q, &a, &err);
}

static void check_limits(bool in, bool out)
{
	assert_int_equal(sh("tc qdisc show dev " HOST_IF " | grep -q 'tbf.* rate 8Mbit'"), in);
	assert_int_equal(sh("tc filter show dev " HOST_IF " ingress | grep -q mirred"), out);
	assert_int_equal(sh("test -n \"" IFB "\" && tc qdisc show dev " IFB
			    " | grep -q 'tbf.* rate 16Mbit burst 250000b'"),
			 out);
	/* Whatever the limits, packets of full size pass both ways. */
	MUST("ip netns exec c0 ping -q -c2 -i0.1 -W2 -s1472 198.51.100.1");
	MUST("ip netns exec c0 ping -q -c1 -W2 2001:db8:1::1");
	OK(check(0));
}

static void test_rates(void **state)
{
	struct attach_rate both = {8000000, 16000000, 0, 2000000}, in = {8000000, 0, 0, 0},
			   none = {0, 0, 0, 0}, small = {100, 0, 0, 0};
	struct want w;

	(void)state;
	want_web(&w);
	w.req.rate = both;
	OK(up(&w, NULL));
	check_limits(true, true);
	MUST("tc -s qdisc show dev " IFB " | grep -q 'Sent [1-9]'");
	NOTHING(up(&w, NULL));
	/* Somebody replaces it: that is seen, and mended. */
	MUST("tc qdisc replace dev " HOST_IF " root pfifo");
	assert_int_equal(check(0), 1);
	NOTHING(up(&w, NULL));
	check_limits(true, true);
	MUST("ip link del " IFB);
	assert_int_equal(check(0), 1);
	NOTHING(up(&w, NULL));
	check_limits(true, true);
	OK(adjust(&in, NULL, NULL));
	check_limits(true, false);
	OK(adjust(&none, NULL, NULL));
	check_limits(false, false);
	OK(adjust(&both, NULL, NULL));
	check_limits(true, true);
	FAILS(ERR_USAGE, WHAT_NONE, adjust(&small, NULL, NULL));
	{
		CLEAN_ENGINE struct engine *g = open_engine();
		OK(engine_take_off(g, "c0", "eth0", PART_RATES, &err));
	}
	check_limits(false, false);
	OK(adjust(&both, NULL, NULL));
	OK(down(0));
	FAILS(ERR_ABSENT, WHAT_NONE, adjust(&both, NULL, NULL));
}

/* The container vanishes with its link: gc finds the ifb by the record, or by its mark. */
static void test_rates_gc(void **state)
{
	struct gc_result res;
	struct want w;

	(void)state;
	want_web(&w);
	w.req.rate = (struct attach_rate){8000000, 16000000, 0, 0};
	OK(up(&w, NULL));
	ctr_renew(0);
	MUST("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
	     "test -n \"" HOST_IF "\" || exit 0; sleep 0.1; done; exit 1");
	MUST("test -n \"" IFB "\"");
	{
		CLEAN_ENGINE struct engine *g = open_engine();
		OK(engine_gc(g, &res, &err));
		assert_int_equal(res.n_attachments, 1);
	}
	want_init(&w, 1);
	want_set(&w, "198.51.100.0/24");
	OK(up(&w, NULL));
	MUST("ip link add ni0 group 28265 type ifb");
	{
		CLEAN_ENGINE struct engine *g = open_engine();
		OK(engine_gc(g, &res, &err));
		assert_int_equal(res.n_links, 1);
	}
	OK(down(1));
}

/* On an interface of somebody else's, whose own discipline stays. */
static void test_rates_foreign(void **state)
{
	struct attach_rate both = {8000000, 16000000, 0, 2000000};
	struct want w;

	(void)state;
	MUST("ip link add v0 type veth peer name eth0 netns c0 && ip link set v0 up && "
	     "ip addr add 198.51.100.1/24 dev v0 && ip -n c0 link set eth0 up && "
	     "ip -n c0 addr add 198.51.100.2/24 dev eth0 && ip addr add 2001:db8:1::1/64 dev v0 "
	     "nodad && "
	     "ip -n c0 addr add 2001:db8:1::2/64 dev eth0 nodad");
	want_init(&w, 0);
	w.req.kind = ATTACH_FOREIGN;
	w.req.net_spec = NULL;
	w.req.host_ifname = "v0";
	w.req.rate = both;
	want_given(&w, "198.51.100.2/24", NULL);
	OK(up(&w, NULL));
	check_limits(true, true);
	MUST("tc filter add dev v0 ingress protocol all prio 9 u32 match u32 0 0 flowid 1:1");
	OK(down(0));
	MUST_NOT("tc qdisc show dev v0 | grep -q tbf");
	MUST("tc filter show dev v0 ingress | grep -q 'pref 9 '");
	MUST_NOT("tc filter show dev v0 ingress | grep -q mirred");
	MUST("tc filter del dev v0 ingress prio 9");
	OK(up(&w, NULL));
	{
		CLEAN_ENGINE struct engine *g = open_engine();
		OK(engine_take_off(g, "c0", "eth0", PART_RATES, &err)); /* its only part */
	}
	MUST("test -z \"" IFB "\"");
	NOTHING(down(0));
	MUST("ip link del v0");
}

static void foreign_link(struct want *w)
{
	MUST("ip link add v0 type veth peer name eth0 netns c0 && ip link set v0 up && "
	     "ip -n c0 link set eth0 up");
	want_init(w, 0);
	w->req.kind = ATTACH_FOREIGN;
	w->req.net_spec = NULL;
	w->req.host_ifname = "v0";
	want_given(w, "198.51.100.2/24", NULL);
}

/* What somebody has put at the root of his link is not replaced, before or after ours was there. */
static void test_rates_occupied(void **state)
{
	struct attach_rate both = {8000000, 16000000, 0, 2000000};
	struct want w;

	(void)state;
	foreign_link(&w);
	w.req.rate = both;
	MUST("tc qdisc add dev v0 root handle 7: pfifo limit 33");
	FAILS(ERR_CONFLICT, WHAT_NONE, up(&w, NULL));
	assert_non_null(strstr(err.text, "v0: the link has a queueing discipline of somebody "
					 "else's: pfifo 7:"));
	MUST("tc qdisc show dev v0 | grep -q 'pfifo 7: root .*limit 33p'");
	NOTHING(down(0));
	MUST("test -z \"" IFB "\"");
	/* A bucket of his, too; even one with our number. */
	MUST("tc qdisc del dev v0 root && "
	     "tc qdisc add dev v0 root handle 7: tbf rate 1mbit burst 10kb latency 10ms");
	FAILS(ERR_CONFLICT, WHAT_NONE, up(&w, NULL));
	MUST("tc qdisc show dev v0 | grep -q 'tbf 7: root .*rate 1Mbit'");
	MUST("tc qdisc del dev v0 root && tc qdisc add dev v0 root handle 6e75: pfifo limit 34");
	FAILS(ERR_CONFLICT, WHAT_NONE, up(&w, NULL));
	MUST("tc qdisc show dev v0 | grep -q 'pfifo 6e75: root .*limit 34p'");
	MUST("tc qdisc del dev v0 root");
	OK(up(&w, NULL));
	MUST("tc qdisc replace dev v0 root handle 7: pfifo limit 35");
	assert_int_equal(check(0), 1);
	FAILS(ERR_CONFLICT, WHAT_NONE, up(&w, NULL));
	OK(down(0));
	MUST("tc qdisc show dev v0 | grep -q 'pfifo 7: root .*limit 35p'");
	MUST("ip link del v0");
}

/* A rate that is added later, and cannot: the attachment stays as it was. */
static void test_rates_occupied_later(void **state)
{
	struct attach_rate both = {8000000, 16000000, 0, 2000000};
	struct want w;

	(void)state;
	foreign_link(&w);
	want_publish(&w, "8080:80");
	OK(up(&w, NULL));
	MUST("tc qdisc add dev v0 root handle 7: pfifo limit 33");
	FAILS(ERR_CONFLICT, WHAT_NONE, adjust(&both, NULL, NULL));
	OK(check(0));
	MUST("tc qdisc show dev v0 | grep -q 'pfifo 7: root .*limit 33p'");
	OK(down(0));
	MUST("tc qdisc show dev v0 | grep -q 'pfifo 7: root .*limit 33p'");
	MUST("test -z \"" IFB "\" && ip link del v0");
}

/* Whatever a result says: a limit is for the interface's own other end, and no other link. */
static void test_rates_other_link(void **state)
{
	struct attach_rate both = {8000000, 16000000, 0, 2000000};
	struct want w;

	(void)state;
	foreign_link(&w);
	MUST("ip link add up0 type veth peer name up1 && ip link set up0 up && "
	     "ip link add d0 type ifb && ip link set d0 up");
	for (int i = 0; i < 2; i++) {
		w.req.rate = both;
		w.req.n_publish = 0;
		w.req.host_ifname = i ? "d0" : "up0";
		FAILS(ERR_USAGE, WHAT_NONE, up(&w, NULL));
		assert_non_null(strstr(err.text, "is not the other end of c0/eth0"));
		MUST_NOT("tc qdisc show | grep -q tbf");
		MUST_NOT("tc qdisc show | grep -q ingress");
		NOTHING(down(0));
	}
	/* The same later: the attachment stays as it was, and is not bound to that link. */
	memset(&w.req.rate, 0, sizeof(w.req.rate));
	w.req.host_ifname = NULL;
	want_publish(&w, "8080:80");
	OK(up(&w, NULL));
	{
		CLEAN_ATTACHMENT struct attachment *a = NULL;
		CLEAN_ENGINE struct engine *g = open_engine();
		struct adjust_request q = {.id = "c0",
					   .ifname = "eth0",
					   .netns_fd = ctr_fd(0),
					   .host_ifname = "up0",
					   .rate = &both};

		assert_true(engine_adjust(g, &q, &a, &err) < 0);
		OK(engine_get(g, "c0", "eth0", &a, &err));
		assert_string_equal(a->host_ifname, "");
		assert_false(attach_rate_is_set(&a->rate));
	}
	MUST_NOT("tc qdisc show | grep -q tbf");
	OK(check(0));
	OK(down(0));
	MUST("ip link del up0 && ip link del d0 && ip link del v0");
}

/* A clsact is somebody's, whose other half may have filters: it stays when ours leaves. */
static void test_rates_clsact(void **state)
{
	struct attach_rate out = {0, 16000000, 0, 2000000};
	struct want w;

	(void)state;
	foreign_link(&w);
	w.req.rate = out;
	if (!sh("tc qdisc add dev v0 clsact")) {
		MUST("ip link del v0");
		return; /* the kernel has only `ingress` */
	}
	MUST("tc filter add dev v0 egress protocol all prio 9 u32 match u32 0 0 flowid 1:1");
	OK(up(&w, NULL));
	MUST("tc filter show dev v0 ingress | grep -q mirred");
	OK(down(0));
	MUST_NOT("tc filter show dev v0 ingress | grep -q mirred");
	MUST("tc filter show dev v0 egress | grep -q 'pref 9 '");
	MUST("ip link del v0");
}

static void test_settings(void **state)
{
	struct attach_tune t = {.has_promisc = true,
				.is_promisc = true,
				.has_tx_queue_len = true,
				.tx_queue_len = 77};
	struct want w, more;

	(void)state;
	want_web(&w);
	want_sysctl(&w, "net.ipv4.conf.IFNAME.arp_notify", "1");
	want_sysctl(&w, "net/ipv4/ip_local_port_range", "20000 30000");
	w.req.tune.has_allmulti = w.req.tune.is_allmulti = true;
	OK(up(&w, NULL));
	MUST("test $(ip netns exec c0 cat /proc/sys/net/ipv4/conf/eth0/arp_notify) = 1");
	MUST("ip netns exec c0 cat /proc/sys/net/ipv4/ip_local_port_range | grep -q '20000.30000'");
	MUST("ip -n c0 link show eth0 | grep -q ALLMULTI");
	OK(check(0));
	MUST("ip netns exec c0 sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_notify'");
	assert_int_equal(check(0), 1);
	NOTHING(up(&w, NULL));
	OK(check(0));
	memset(&more, 0, sizeof(more));
	more.req.ifname = "eth0";
	want_sysctl(&more, "net.ipv4.conf.IFNAME.arp_notify", "0");
	OK(adjust(NULL, &more, &t));
	MUST("ip -n c0 -d link show eth0 | grep -q 'PROMISC.* qlen 77'");
	MUST("test $(ip netns exec c0 cat /proc/sys/net/ipv4/conf/eth0/arp_notify) = 0");
	OK(check(0));
	more.req.n_sysctl = 0;
	want_sysctl(&more, "net.ipv4.no_such_thing", "0");
	assert_true(adjust(NULL, &more, NULL) < 0);
	OK(check(0));
	OK(down(0));
	/* One that cannot be set: nothing is half made. */
	want_sysctl(&w, "net.ipv4.no_such_thing", "0");
	FAILS(ERR_ABSENT, WHAT_NONE, up(&w, NULL));
	MUST_NOT("ip -n c0 link show eth0");
	ctr_renew(0);
}

#define SYSCTL_IS(key, value) "test \"$(ip netns exec c0 cat /proc/sys/net/ipv4/" key ")\" = " value

/* A call that is refused leaves the values that it found, of those that came before what it was
 * refused for, too; whether it is a sysctl or the interface that refuses. */
static void test_settings_roll_back(void **state)
{
	struct attach_tune mtu = {.mtu = 1300};
	struct want w, more;

	(void)state;
	want_web(&w);
	want_sysctl(&w, "net.ipv4.ip_default_ttl", "77");
	OK(up(&w, NULL));
	memset(&more, 0, sizeof(more));
	more.req.ifname = "eth0";
	want_sysctl(&more, "net.ipv4.ip_default_ttl", "88");
	want_sysctl(&more, "net.ipv4.tcp_keepalive_probes", "5");
	want_sysctl(&more, "net.ipv4.tcp_keepalive_time", "no number");
	assert_true(adjust(NULL, &more, NULL) < 0);
	MUST(SYSCTL_IS("ip_default_ttl", "77") " && " SYSCTL_IS("tcp_keepalive_probes", "9"));
	OK(check(0));
	more.req.n_sysctl = 2;
	MUST("ip -n c0 link set eth0 down && ip -n c0 link set eth0 name gone");
	FAILS(ERR_ABSENT, WHAT_INTERFACE, adjust(NULL, &more, &mtu));
	MUST(SYSCTL_IS("ip_default_ttl", "77") " && " SYSCTL_IS("tcp_keepalive_probes", "9"));
	MUST("ip -n c0 link set gone name eth0");
	NOTHING(up(&w, NULL));
	OK(check(0));
	OK(adjust(NULL, &more, NULL));
	MUST(SYSCTL_IS("ip_default_ttl", "88") " && " SYSCTL_IS("tcp_keepalive_probes", "5"));
	OK(check(0));
	OK(down(0));
	/* An ADD that fails: the namespace may be used again. */
	ctr_renew(0);
	want_web(&w);
	want_sysctl(&w, "net.ipv4.ip_default_ttl", "77");
	want_sysctl(&w, "net.ipv4.tcp_keepalive_time", "no number");
	assert_true(up(&w, NULL) < 0);
	MUST(SYSCTL_IS("ip_default_ttl", "64"));
	ctr_renew(0);
}

static void test_mac(void **state)
{
	struct attach_tune t = {.mac = {{2, 0, 0, 0, 0, 9}}, .mtu = 1400};
	struct want w;

	(void)state;
	MUST("ip addr add 192.0.2.1/32 dev lo && ip addr add 2001:db8:2::1/128 dev lo");
	for (int mode = NET_BRIDGE; mode <= NET_ROUTED; mode++) {
		want_web(&w);
		w.net.mode = mode;
		if (mode == NET_ROUTED)
			w.net.bridge[0] = '\0';
		OK(up(&w, NULL));
		OK(adjust(NULL, NULL, &t));
		MUST("ip -n c0 link show eth0 | grep -q 'mtu 1400' && "
		     "ip -n c0 link show eth0 | grep -q 02:00:00:00:00:09");
		MUST("ping -q -c1 -W2 198.51.100.2");
		MUST("ping -q -c1 -W2 2001:db8:1::2");
		OK(check(0));
		if (mode == NET_BRIDGE) /* the former address is let through no more */
			MUST("test $(nft list set bridge netd epmac | grep -c c0/eth0) = 1");
		NOTHING(up(&w, NULL));
		OK(down(0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_rates, host_is_clean),
		cmocka_unit_test_teardown(test_rates_gc, host_is_clean),
		cmocka_unit_test_teardown(test_rates_foreign, host_is_clean),
		cmocka_unit_test_teardown(test_rates_occupied, host_is_clean),
		cmocka_unit_test_teardown(test_rates_occupied_later, host_is_clean),
		cmocka_unit_test_teardown(test_rates_other_link, host_is_clean),
		cmocka_unit_test_teardown(test_rates_clsact, host_is_clean),
		cmocka_unit_test_teardown(test_settings, host_is_clean),
		cmocka_unit_test_teardown(test_settings_roll_back, host_is_clean),
		cmocka_unit_test_teardown(test_mac, host_is_clean),
	};

	return cmocka_run_group_tests_name("engine/adjust", tests, host_enter, NULL);
}
