/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of links: veth pairs, bridges, ports and forwarding entries, and of the request list. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/link.h"
#include "net/rtnl_wire.h"
#include "sys/probe.h"
#include "sys/sysctl.h"
#include "world.h"

/* A request that the kernel may refuse. */
static int set_mtu(struct rtnl_batch *b, uint32_t index, uint32_t mtu, struct err *e)
{
	struct ifinfomsg ifi = {.ifi_index = (int)index};
	struct nl_msg *m = rtnl_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	m = rtnl_msg_done(m, nla_put_u32(m, IFLA_MTU, mtu));
	return rtnl_batch_add(b, m, 0, "setting the MTU of a link", e);
}

static struct veth_spec spec_of(const char *host, const char *ctr, int netns)
{
	return (struct veth_spec){.host_ifname = host,
				  .ctr_ifname = ctr,
				  .ctr_netns_fd = netns,
				  .host_mac = mac_of("02:00:00:00:00:01"),
				  .ctr_mac = mac_of("02:00:00:00:00:02"),
				  .mtu = 1400,
				  .group = LINK_GROUP_VETH};
}

static uint32_t new_bridge(struct rtnl *r, const char *name)
{
	struct bridge_spec s = {.name = name, .mac = mac_of("02:00:00:00:00:fe"), .mtu = 1400};
	uint32_t index = 0;

	OK(link_bridge_add(r, &s, &index, &world_err));
	return index;
}

/* Makes a pair on a new bridge and compares everything that was asked for with what is there. */
static void check_veth(struct rtnl *r)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *in = NULL;
	struct veth_spec s = spec_of("nu0", "eth0", netns);
	struct link_info h, c;
	uint32_t host = 0, ctr = 0, tx, rx;
	uint8_t addrgen;

	s.master = new_bridge(r, "nb-0");
	OK(link_veth_add(r, &s, &host, &ctr, &world_err));
	OK(rtnl_open_in(netns, &in, &world_err));
	OK(link_get(r, "nu0", &h, &world_err));
	OK(link_get(in, "eth0", &c, &world_err));
	assert_int_equal(h.index, host);
	assert_int_equal(h.peer_index, ctr);
	assert_int_equal(c.index, ctr);
	assert_int_equal(c.peer_index, host);
	assert_string_equal(h.name, "nu0");
	assert_string_equal(c.name, "eth0");
	assert_string_equal(h.kind, "veth");
	assert_string_equal(c.kind, "veth");
	assert_int_equal(h.mtu, 1400);
	assert_int_equal(c.mtu, 1400);
	assert_int_equal(h.group, LINK_GROUP_VETH);
	assert_int_equal(h.master, s.master);
	assert_memory_equal(h.mac.b, s.host_mac.b, 6);
	assert_memory_equal(c.mac.b, s.ctr_mac.b, 6);
	assert_true(h.is_up);
	assert_false(h.is_lower_up); /* the other end is down */
	assert_false(c.is_up);
	world_link_extra(r, host, &tx, &rx, &addrgen);
	assert_int_equal(tx, 1);
	assert_int_equal(rx, 1);
	assert_int_equal(addrgen, IN6_ADDR_GEN_MODE_NONE);
	world_link_extra(in, ctr, &tx, &rx, &addrgen);
	assert_int_equal(tx, 1);
	assert_int_equal(rx, 1);
	OK(link_get_index(r, host, &h, &world_err));
	assert_string_equal(h.name, "nu0");
	assert_int_equal(link_get(r, "nu1", &h, &world_err), 1);
	assert_int_equal(link_get_index(r, 9999, &h, &world_err), 1);
}

/* What a link says of itself is what its sysctls say. */
static void test_forwarding(void **state)
{
	static const char *const key[N_FAM] = {"net/ipv4/conf/nu0/forwarding",
					       "net/ipv6/conf/nu0/force_forwarding"};
	CLEAN_RTNL struct rtnl *r = NULL;
	CLEAN_FD int netns = world_new_netns();
	struct veth_spec s = spec_of("nu0", "eth0", netns);
	struct link_info made, now;
	uint32_t host = 0, ctr = 0;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	s.ret_host = &made;
	OK(sysctl_set_int("net/ipv4/conf/default/forwarding", 1, &world_err));
	OK(link_veth_add(r, &s, &host, &ctr, &world_err));
	assert_int_equal(made.index, host);
	assert_true(made.is_forwarding[FAM4]);
	assert_false(made.is_forwarding[FAM6]);
	for (unsigned bits = 0; bits < 4; bits++) {
		for (int f = 0; f < N_FAM; f++) {
			int v = bits >> f & 1;

			if (f == FAM6 && !probe_has(PROBE_IPV6_FORCE_FORWARDING))
				v = 0; /* not known to be on */
			else
				OK(sysctl_set_int(key[f], v, &world_err));
			OK(link_get(r, "nu0", &now, &world_err));
			assert_int_equal(now.is_forwarding[f], v);
		}
	}
	OK(link_get(r, "lo", &now, &world_err));
	assert_false(now.is_forwarding[FAM4]);
	assert_false(now.is_forwarding[FAM6]);
}

static void test_veth(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	assert_true(rtnl_echoes(r));
	check_veth(r);
}

/* Kernels before 6.2 do not echo: the indexes are read. */
static void test_veth_no_echo(void **state)
{
	int old = personality(0xffffffff);
	CLEAN_RTNL struct rtnl *r = NULL;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	assert_true(personality((unsigned long)old | UNAME26) >= 0);
	assert_false(rtnl_echoes(r));
	check_veth(r);
	assert_true(personality((unsigned long)old) >= 0);
	assert_true(rtnl_echoes(r));
}

/* A receive buffer that holds one message. */
static void test_veth_tiny_buffer(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	int one = 1;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	assert_int_equal(setsockopt(rtnl_fd(r), SOL_SOCKET, SO_RCVBUF, &one, sizeof(one)), 0);
	assert_false(rtnl_echoes(r));
	check_veth(r);
}

static void test_container_side(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL, *in = NULL;
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct veth_spec s = spec_of("nu0", "eth0", netns);
	struct link_info li;
	struct err e = ERR_INIT;
	uint32_t host, ctr, tx, rx;
	uint8_t addrgen;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	OK(rtnl_open_in(netns, &in, &world_err));
	OK(link_veth_add(r, &s, &host, &ctr, &world_err));
	assert_int_equal(link_wait_carrier(r, host, 20, &world_err), 1);
	assert_int_equal(link_wait_carrier(r, 9999, 20, &e), -ENODEV);
	assert_int_equal(e.kind, ERR_ABSENT);
	OK(rtnl_batch_new(in, &b, &world_err));
	OK(link_set_addrgen(b, ctr, LINK_ADDRGEN_NONE, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	world_link_extra(in, ctr, &tx, &rx, &addrgen);
	assert_int_equal(addrgen, IN6_ADDR_GEN_MODE_NONE);
	/* The batch can be filled again. */
	OK(link_set_addrgen(b, ctr, LINK_ADDRGEN_EUI64, &world_err));
	OK(link_set_up(b, 1, &world_err));
	OK(link_set_up(b, ctr, &world_err));
	OK(link_settle(b, ctr, &world_err));
	OK(set_mtu(b, ctr, 1300, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	world_link_extra(in, ctr, &tx, &rx, &addrgen);
	assert_int_equal(addrgen, IN6_ADDR_GEN_MODE_EUI64);
	OK(link_get(in, "eth0", &li, &world_err));
	assert_true(li.is_up && li.is_lower_up);
	assert_int_equal(li.mtu, 1300);
	OK(link_get(in, "lo", &li, &world_err));
	assert_true(li.is_up);
	assert_string_equal(li.kind, "");
	OK(link_wait_carrier(r, host, 1000, &world_err));
	OK(link_get(r, "nu0", &li, &world_err));
	assert_true(li.is_up && li.is_lower_up && li.is_operational);
}

static void test_names_taken(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL, *in = NULL;
	struct veth_spec s = spec_of("nu0", "eth0", netns);
	struct link_info li;
	struct err e = ERR_INIT;
	uint32_t host, ctr;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	OK(rtnl_open_in(netns, &in, &world_err));
	OK(link_veth_add(r, &s, &host, &ctr, &world_err));

	s.ctr_ifname = "eth1";
	assert_int_equal(link_veth_add(r, &s, &host, &ctr, &e), -EEXIST);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "nu0 on the host"));
	assert_int_equal(link_get(in, "eth1", &li, &world_err), 1);

	s.host_ifname = "nu1";
	s.ctr_ifname = "eth0";
	err_reset(&e);
	assert_int_equal(link_veth_add(r, &s, &host, &ctr, &e), -EEXIST);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "eth0 in the container"));
	assert_int_equal(link_get(r, "nu1", &li, &world_err), 1);
}

static void test_veth_refused(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	struct veth_spec s = spec_of("nu0", "eth0", netns);
	struct link_info li;
	struct err e = ERR_INIT;
	uint32_t host, ctr;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	s.mtu = 20;
	assert_true(link_veth_add(r, &s, &host, &ctr, &e) < 0);
	assert_non_null(strstr(e.text, "nu0"));
	assert_int_equal(link_get(r, "nu0", &li, &world_err), 1);

	s = spec_of("nu0", "eth0", 9999);
	err_reset(&e);
	assert_true(link_veth_add(r, &s, &host, &ctr, &e) < 0);
	assert_non_null(strstr(e.text, strerror(EBADF)));
	assert_int_equal(link_get(r, "nu0", &li, &world_err), 1);

	s = spec_of("nu0", "eth0", netns);
	s.master = 4711;
	err_reset(&e);
	assert_true(link_veth_add(r, &s, &host, &ctr, &e) < 0);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.text, "no bridge with index 4711"));
	assert_int_equal(link_get(r, "nu0", &li, &world_err), 1);

	s = spec_of("a-name-of-16-byt", "eth0", netns);
	err_reset(&e);
	assert_int_equal(link_veth_add(r, &s, &host, &ctr, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_INTERNAL);
}

/* An MTU too small for IPv6 leaves no IPv6 settings to make. */
static void test_veth_small_mtu(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	struct veth_spec s = spec_of("nu0", "eth0", netns);
	uint32_t host, ctr;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	s.mtu = 1000;
	OK(link_veth_add(r, &s, &host, &ctr, &world_err));
}

static void test_bridge(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct bridge_spec s = {.name = "nb-x", .mac = mac_of("02:00:00:00:00:fe"), .mtu = 1450};
	struct bridge_flags f;
	struct link_info li;
	struct err e = ERR_INIT;
	uint32_t index;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	OK(link_bridge_add(r, &s, &index, &world_err));
	OK(link_get(r, "nb-x", &li, &world_err));
	assert_int_equal(li.index, index);
	assert_string_equal(li.kind, "bridge");
	assert_int_equal(li.mtu, 1450);
	assert_memory_equal(li.mac.b, s.mac.b, 6);
	assert_true(li.is_up);
	world_bridge_flags(r, index, &f);
	assert_int_equal(f.forward_delay, 0);
	assert_int_equal(f.stp, 0);
	assert_int_equal(f.snooping, 1);
	assert_int_equal(f.querier, 1);
	assert_int_equal(f.response_interval, 100);
	assert_int_equal(link_bridge_add(r, &s, &index, &e), -EEXIST);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "nb-x"));
	s.name = "nb-z";
	s.group = 77;
	s.keep_down = true;
	OK(link_bridge_add(r, &s, &index, &world_err));
	OK(link_get_index(r, index, &li, &world_err));
	assert_string_equal(li.name, "nb-z");
	assert_int_equal(li.group, 77);
	assert_false(li.is_up);
	s.name = "nb-y";
	s.mtu = 10;
	err_reset(&e);
	assert_int_equal(link_bridge_add(r, &s, &index, &e), -EINVAL);
	/* The kernel's own words. */
	assert_non_null(strstr(e.text, "bridge nb-y: creating: mtu less than device minimum"));
	assert_int_equal(link_get(r, "nb-y", &li, &world_err), 1);
}

static void check_port(struct rtnl *r, const struct port_spec *s)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct port_flags f;

	OK(rtnl_batch_new(r, &b, &world_err));
	OK(link_port_set(b, s, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	world_port_flags(r, s->index, &f);
	assert_int_equal(f.isolated, s->isolated);
	assert_int_equal(f.hairpin, s->hairpin);
	assert_int_equal(f.flood, s->flood);
	assert_int_equal(f.mcast_flood, s->mcast_flood);
	assert_int_equal(f.learning, s->learning);
	assert_int_equal(f.guard, s->guard);
	assert_int_equal(f.protect, s->guard);
}

static void test_port(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_RTNL struct rtnl *r = NULL;
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct veth_spec s = spec_of("nu0", "eth0", netns);
	struct port_spec p = {0};
	struct ip addr = ip_of("2001:db8::2"), group = ip_solicited_node(&addr);
	struct err e = ERR_INIT;
	uint32_t ctr;
	unsigned int i;
	uint16_t st;
	uint8_t fl;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	s.master = new_bridge(r, "nb-0");
	OK(link_veth_add(r, &s, &p.index, &ctr, &world_err));
	/* Each flag alone, none, all. */
	for (i = 0; i <= 7; i++) {
		p.isolated = i == 1 || i == 7;
		p.hairpin = i == 2 || i == 7;
		p.flood = i == 3 || i == 7;
		p.mcast_flood = i == 4 || i == 7;
		p.learning = i == 5 || i == 7;
		p.guard = i == 6 || i == 7;
		check_port(r, &p);
	}
	OK(rtnl_batch_new(r, &b, &world_err));
	OK(link_fdb_add(b, p.index, &s.ctr_mac, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	assert_true(world_fdb(r, p.index, &s.ctr_mac, &st, &fl));
	assert_int_equal(st, NUD_NOARP);
	assert_true(fl & NTF_STICKY);
	OK(link_mdb_add(b, s.master, p.index, &group, &world_err));
	/* Once more is no error. */
	OK(link_fdb_add(b, p.index, &s.ctr_mac, &world_err));
	OK(link_mdb_add(b, s.master, p.index, &group, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	/* A group of a link that is no port; an address that is no group. */
	OK(link_mdb_add(b, s.master, 1, &group, &world_err));
	assert_int_equal(rtnl_batch_run(b, &e), -EINVAL);
	assert_int_equal(link_mdb_add(b, s.master, p.index, &addr, &e), -EINVAL);
}

/* The first failure is told, by its step, and the steps after it are made all the same. */
static void test_batch_error(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct err e = ERR_INIT;
	struct link_info li;
	struct ifinfomsg ifi = {.ifi_index = 1};
	uint32_t br;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	br = new_bridge(r, "nb-0");
	OK(rtnl_batch_new(r, &b, &world_err));
	OK(set_mtu(b, br, 1300, &world_err));
	OK(set_mtu(b, br, 10, &world_err));
	OK(rtnl_batch_add(b, rtnl_msg(RTM_DELLINK, 0, &ifi, sizeof(ifi)), 0, "second", &e));
	OK(link_set_up(b, 1, &world_err));
	assert_int_equal(rtnl_batch_run(b, &e), -EINVAL);
	assert_non_null(strstr(e.text, "setting the MTU of a link: mtu less than device minimum"));
	assert_null(strstr(e.text, "second"));
	OK(link_get(r, "lo", &li, &world_err));
	assert_true(li.is_up);
	OK(link_get(r, "nb-0", &li, &world_err));
	assert_int_equal(li.mtu, 1300);

	/* An expected errno is none. */
	err_reset(&e);
	ifi.ifi_index = 9999;
	OK(rtnl_batch_add(b, rtnl_msg(RTM_DELLINK, 0, &ifi, sizeof(ifi)), ENODEV, "gone", &e));
	OK(rtnl_batch_run(b, &e));
	OK(rtnl_batch_add(b, rtnl_msg(RTM_DELLINK, 0, &ifi, sizeof(ifi)), 0, "gone", &e));
	assert_int_equal(rtnl_batch_run(b, &e), -ENODEV);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(rtnl_batch_add(b, NULL, 0, "nothing", &e), -ENOMEM);
	OK(rtnl_batch_run(b, &world_err)); /* empty */
}

/* More acknowledgements than the smallest buffer holds, and more bytes than one send. */
static void test_batch_large(void **state)
{
	static const int sizes[] = {1, 16 << 10, 512 << 10};
	CLEAN_RTNL struct rtnl *r = NULL;
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct link_info li;
	struct err e = ERR_INIT;
	uint32_t br;
	unsigned int i, k;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	br = new_bridge(r, "nb-0");
	OK(rtnl_batch_new(r, &b, &world_err));
	for (k = 0; k < 3; k++) {
		assert_int_equal(
			setsockopt(rtnl_fd(r), SOL_SOCKET, SO_RCVBUF, &sizes[k], sizeof(int)), 0);
		for (i = 0; i < 5000; i++) {
			OK(set_mtu(b, br, 1300 + i % 2 + k * 2, &world_err));
			if (i % 100 == 0)
				OK(link_settle(b, br, &world_err));
		}
		OK(set_mtu(b, 9999, 1300, &world_err));
		OK(set_mtu(b, br, 10, &world_err));
		assert_int_equal(rtnl_batch_run(b, &e), -ENODEV);
		OK(link_get(r, "nb-0", &li, &world_err));
		assert_int_equal(li.mtu, 1301 + k * 2);
	}
}

static void test_cookie(void **state)
{
	CLEAN_FD int netns = world_new_netns();
	CLEAN_FD int self = world_self();
	CLEAN_RTNL struct rtnl *a = NULL, *b = NULL, *c = NULL;
	uint64_t x = 0, y = 0, z = 0;

	(void)state;
	OK(rtnl_open(&a, &world_err));
	OK(rtnl_open_in(netns, &b, &world_err));
	OK(rtnl_open_in(self, &c, &world_err));
	OK(rtnl_cookie(a, &x, &world_err));
	OK(rtnl_cookie(b, &y, &world_err));
	OK(rtnl_cookie(c, &z, &world_err));
	assert_true(x != 0 && y != 0 && x != y);
	assert_true(x == z);
}

static void test_not_a_netns(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct err e = ERR_INIT;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_true(rtnl_open_in(p[0], &r, &e) < 0);
	assert_null(r);
	assert_true(e.text[0] != '\0');
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_veth, world_enter),
		cmocka_unit_test_setup(test_forwarding, world_enter),
		cmocka_unit_test_setup(test_veth_no_echo, world_enter),
		cmocka_unit_test_setup(test_veth_tiny_buffer, world_enter),
		cmocka_unit_test_setup(test_veth_small_mtu, world_enter),
		cmocka_unit_test_setup(test_container_side, world_enter),
		cmocka_unit_test_setup(test_names_taken, world_enter),
		cmocka_unit_test_setup(test_veth_refused, world_enter),
		cmocka_unit_test_setup(test_bridge, world_enter),
		cmocka_unit_test_setup(test_port, world_enter),
		cmocka_unit_test_setup(test_batch_error, world_enter),
		cmocka_unit_test_setup(test_batch_large, world_enter),
		cmocka_unit_test_setup(test_cookie, world_enter),
		cmocka_unit_test_setup(test_not_a_netns, world_enter),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
