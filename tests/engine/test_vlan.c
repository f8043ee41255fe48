/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VLANs of bridge ports: who reaches whom where the kernel tells VLANs apart, and the refusal where
 * it does not (or NETNS_UP_WITHOUT says so). Which of the two is asked of ip(8), not of us. */
#include <stdlib.h>

#include "world.h"

static bool kernel_has(void)
{
	bool has;

	MUST("ip link add brprobe type bridge");
	has = sh("ip -d link show brprobe | grep -q vlan_default_pvid");
	MUST("ip link del brprobe");
	return has;
}

static void want_vlan(struct want *w, unsigned int i, uint16_t vid)
{
	want_init(w, i);
	w->req.vlan.pvid = vid;
	w->net.is_filtering = true;
	w->net.vlan = vid;
}

static void want_web(struct want *w, unsigned int i)
{
	want_vlan(w, i, 100);
	want_set(w, "198.51.100.0/24");
	want_set(w, "2001:db8:1::/64");
}

/* Container i by another network's name on the same bridge, without a gateway of its own. */
static void want_other(struct want *w, unsigned int i, const char *net, uint16_t vid)
{
	want_vlan(w, i, vid);
	strcpy(w->net.name, net);
	w->net.is_gateway = w->net.masquerade = false;
	w->req.is_l2 = true;
	w->req.is_unguarded = true;
	memset(w->req.is_default_route, 0, sizeof(w->req.is_default_route));
}

#define PORT(i) "$(ip -n c" #i " link show eth0 | sed -n 's/.*@if\\([0-9]*\\).*/\\1/p')"
#define PORT_NAME(i)                                                                               \
	"$(ip -o link | awk -F': ' -v i=" PORT(i) " '$1 == i { print $2 }' | cut -d@ -f1)"
#define VLANS(i) "bridge vlan show dev " PORT_NAME(i) " | tr -s ' \\t\\n' ' '"

static void test_refused(void **state)
{
	struct want w;

	(void)state;
	want_web(&w, 0);
	if (kernel_has())
		setenv("NETNS_UP_WITHOUT", "bridge-vlan", 1);
	FAILS(ERR_UNSUPPORTED, WHAT_NONE, up(&w, NULL));
	assert_non_null(strstr(err.text, "CONFIG_BRIDGE_VLAN_FILTERING"));
	unsetenv("NETNS_UP_WITHOUT");
	MUST_NOT("ip link show br-web");
	MUST_NOT("ip -n c0 link show eth0");
	/* A routed network has no bridge, whatever the kernel has. */
	w.net.mode = NET_ROUTED;
	w.net.bridge[0] = '\0';
	FAILS(ERR_USAGE, WHAT_NONE, up(&w, NULL));
}

static void test_gateway(void **state)
{
	struct want w, x;

	(void)state;
	if (!kernel_has())
		return; /* test_refused is what there is to see */
	want_web(&w, 0);
	OK(up(&w, NULL));
	want_web(&x, 1);
	x.req.vlan.is_alone = true;
	OK(up(&x, NULL));
	MUST("ip -d link show br-web | grep -q 'vlan_filtering 1'");
	MUST("bridge vlan show dev br-web | grep -q '100 PVID Egress Untagged'");
	MUST_NOT("bridge vlan show dev br-web | grep -qE '(^|[^0-9])1( |$)'");
	MUST(VLANS(0) " | grep -q ' 1 Egress Untagged 100 PVID Egress Untagged'");
	MUST(VLANS(1) " | grep -qv ' 1 ' && " VLANS(1) " | grep -q ' 100 PVID Egress Untagged'");
	/* The first packet, either way and between them. */
	MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.1");
	MUST("ip netns exec c0 ping -q -c1 -W1 2001:db8:1::1");
	MUST("ip netns exec c1 ping -q -c1 -W1 198.51.100.2");
	MUST("ip netns exec c1 ping -q -c1 -W1 2001:db8:1::2");
	MUST("ping -q -c1 -W1 198.51.100.3");
	OK(check(0));
	OK(check(1));
	NOTHING(up(&w, NULL));
	/* What somebody changes is seen and mended. */
	MUST("bridge vlan del dev " PORT_NAME(0) " vid 100");
	assert_int_equal(check(0), 1);
	NOTHING(up(&w, NULL));
	OK(check(0));
	MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.3");
	MUST("bridge vlan add dev " PORT_NAME(1) " vid 1");
	assert_int_equal(check(1), 1);
	NOTHING(up(&x, NULL));
	OK(check(1));
	MUST("ip link set " PORT_NAME(1) " nomaster");
	assert_int_equal(check(1), 1);
	NOTHING(up(&x, NULL));
	OK(check(1));
	MUST("ip netns exec c1 ping -q -c1 -W1 198.51.100.1");
	MUST("bridge vlan add dev br-web self vid 1 pvid untagged");
	assert_int_equal(check(0), 1);
	NOTHING(up(&w, NULL));
	OK(check(0));
	MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.1");
	/* Another VLAN of the same network, and none. */
	want_web(&x, 2);
	x.req.vlan.pvid = x.net.vlan = 7;
	FAILS(ERR_CONFLICT, WHAT_NETWORK, up(&x, NULL));
	want_web(&x, 2);
	x.net.is_filtering = false;
	x.net.vlan = x.req.vlan.pvid = 0;
	FAILS(ERR_CONFLICT, WHAT_NETWORK, up(&x, NULL));
	OK(down(0));
	OK(down(1));
}

/* Two networks on one bridge; the same addresses do not meet. */
static void test_apart(void **state)
{
	struct want w, x, y;

	(void)state;
	if (!kernel_has())
		return;
	want_web(&w, 0);
	OK(up(&w, NULL));
	want_other(&x, 1, "blue", 200);
	OK(up(&x, NULL));
	want_other(&y, 2, "blue", 200);
	y.req.vlan.is_alone = true;
	OK(up(&y, NULL));
	for (int i = 1; i < 3; i++)
		MUST("ip -n c%d addr add 198.51.100.%d/24 dev eth0", i, 100 + i);
	MUST("ip netns exec c1 ping -q -c1 -W1 198.51.100.102");
	MUST_NOT("ip netns exec c1 ping -q -c1 -W1 198.51.100.1");
	MUST_NOT("ip netns exec c1 ping -q -c1 -W1 198.51.100.2");
	OK(check(0));
	OK(check(1));
	OK(check(2));
	/* A bridge is the gateway of one VLAN. */
	want_web(&y, 3);
	strcpy(y.net.name, "green");
	y.net.vlan = y.req.vlan.pvid = 300;
	y.set[0].r[0].subnet.ip.b[2] = 99;
	y.set[0].r[0].gateway.b[2] = 99;
	y.set[0].r[0].first.b[2] = y.set[0].r[0].last.b[2] = 99;
	y.req.n_set = 1;
	FAILS(ERR_USAGE, WHAT_NETWORK, up(&y, NULL));
	assert_non_null(strstr(err.text, "is not itself in the VLAN"));
	OK(down(1));
	OK(down(2));
	OK(down(0));
}

/* A trunk: what a container tags is in the VLAN of the tag, and other numbers do not pass. */
static void test_trunk(void **state)
{
	struct want w, x;

	(void)state;
	if (!kernel_has())
		return;
	want_other(&w, 0, "blue", 0);
	OK(attach_vlan_add_trunk(&w.req.vlan, 200, 210, &err));
	OK(attach_vlan_add_trunk(&w.req.vlan, 4094, 4094, &err));
	OK(up(&w, NULL));
	MUST(VLANS(0) " | grep -q ' 1 PVID Egress Untagged 200 201 .*210 4094'");
	OK(check(0));
	MUST("bridge vlan del dev " PORT_NAME(0) " vid 205");
	assert_int_equal(check(0), 1);
	NOTHING(up(&w, NULL));
	OK(check(0));
	/* VLAN 205 untagged on the other port: a member of another network. */
	want_other(&x, 1, "red", 205);
	x.req.is_unguarded = false;
	x.req.is_l2 = false;
	want_given(&x, "198.51.100.9/24", NULL);
	OK(up(&x, NULL));
	if (sh("ip -n c0 link add link eth0 name tagged type vlan id 205")) {
		MUST("ip -n c0 addr add 198.51.100.8/24 dev tagged && ip -n c0 link set tagged up");
		MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.9");
		MUST("ip netns exec c1 ping -q -c1 -W1 198.51.100.8");
		MUST("ip -n c0 link del tagged && "
		     "ip -n c0 link add link eth0 name tagged type vlan id 211 && "
		     "ip -n c0 addr add 198.51.100.8/24 dev tagged && ip -n c0 link set tagged up");
		MUST_NOT("ip netns exec c0 ping -q -c1 -W1 198.51.100.9");
	}
	OK(down(0));
	OK(down(1));
}

/* A bridge of somebody else's has to be as it is needed, and is left as it was. */
static void test_adopted(void **state)
{
	struct want w;

	(void)state;
	if (!kernel_has())
		return;
	MUST("ip link add br-web type bridge && ip link set br-web up");
	want_web(&w, 0);
	FAILS(ERR_USAGE, WHAT_NETWORK, up(&w, NULL));
	assert_non_null(strstr(err.text, "does not filter VLANs"));
	MUST("ip -d link show br-web | grep -q 'vlan_filtering 0'");
	MUST("ip link set br-web type bridge vlan_filtering 1");
	FAILS(ERR_USAGE, WHAT_NETWORK, up(&w, NULL));
	assert_non_null(strstr(err.text, "is not itself in the VLAN"));
	MUST("bridge vlan add dev br-web self vid 100 pvid untagged");
	OK(up(&w, NULL));
	MUST("ip netns exec c0 ping -q -c1 -W1 198.51.100.1");
	OK(check(0));
	MUST("ip link set br-web type bridge vlan_filtering 0");
	assert_int_equal(check(0), 1);
	MUST("ip link set br-web type bridge vlan_filtering 1");
	OK(down(0));
	MUST("bridge vlan show dev br-web | grep -q '100 PVID Egress Untagged'");
	MUST("ip link del br-web");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_refused, host_is_clean),
		cmocka_unit_test_teardown(test_gateway, host_is_clean),
		cmocka_unit_test_teardown(test_apart, host_is_clean),
		cmocka_unit_test_teardown(test_trunk, host_is_clean),
		cmocka_unit_test_teardown(test_adopted, host_is_clean),
	};

	return cmocka_run_group_tests_name("engine/vlan", tests, host_enter, NULL);
}
