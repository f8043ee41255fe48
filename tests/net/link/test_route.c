/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of addresses, routes and neighbours, and of the wait for an IPv6 address. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/link.h"
#include "net/route.h"
#include "net/uplink.h"
#include "net/rtnl_wire.h"
#include "world.h"

/* A host with a veth that leads into a container; both ends up, addresses still to come. */
struct pair {
	int netns;
	struct rtnl *host, *in;
	uint32_t host_if, ctr_if;
};

static void pair_make(struct pair *p)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct link_info li;
	struct veth_spec s = {.host_ifname = "nu0",
			      .ctr_ifname = "eth0",
			      .host_mac = mac_of("02:00:00:00:00:01"),
			      .ctr_mac = mac_of("02:00:00:00:00:02"),
			      .mtu = 1400};

	p->netns = s.ctr_netns_fd = world_new_netns();
	OK(rtnl_open(&p->host, &world_err));
	OK(rtnl_open_in(p->netns, &p->in, &world_err));
	OK(link_veth_add(p->host, &s, &p->host_if, &p->ctr_if, &world_err));
	OK(rtnl_batch_new(p->in, &b, &world_err));
	OK(link_set_up(b, 1, &world_err));
	OK(link_set_up(b, p->ctr_if, &world_err));
	OK(link_settle(b, p->ctr_if, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	OK(link_get(p->host, "nu0", &li, &world_err));
}

static void pair_close(struct pair *p)
{
	rtnl_close(p->host);
	rtnl_close(p->in);
	close(p->netns);
}

static void test_addr(void **state)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct prefix a4 = prefix_of("198.51.100.2/24"), a6 = prefix_of("2001:db8::2/64");
	struct prefix h4 = prefix_of("203.0.113.7/32"), h6 = prefix_of("2001:db8:1::7/128");
	struct prefix other = prefix_of("203.0.113.8/32");
	struct pair p;
	uint32_t flags;

	(void)state;
	pair_make(&p);
	OK(rtnl_batch_new(p.in, &b, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a4, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a6, &world_err));
	OK(route_addr_add(b, p.ctr_if, &h4, &world_err));
	OK(route_addr_add(b, p.ctr_if, &h6, &world_err));
	/* Twice is no error. */
	OK(route_addr_add(b, p.ctr_if, &a4, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a6, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	assert_true(world_addr(p.in, p.ctr_if, &a4, &flags));
	assert_true(world_addr(p.in, p.ctr_if, &h4, &flags));
	assert_false(world_addr(p.in, p.ctr_if, &other, &flags));
	assert_true(world_addr(p.in, p.ctr_if, &a6, &flags));
	assert_true(flags & IFA_F_NODAD);
	assert_false(flags & IFA_F_TENTATIVE);
	assert_true(world_addr(p.in, p.ctr_if, &h6, &flags));
	assert_true(flags & IFA_F_NODAD);
	assert_false(flags & IFA_F_TENTATIVE);
	pair_close(&p);
}

/* As another namespace's socket tells, in both families. */
static void test_elsewhere(void **state)
{
	static const struct {
		const char *ip;
		int is_elsewhere;
	} t[] = {
		{"198.51.100.2", 0}, {"198.51.100.3", 0}, /* the second of its subnet */
		{"198.51.100.4", 1}, {"198.51.100.255", 0},  {"198.51.100.0", 1},  {"127.0.0.1", 0},
		{"224.0.0.1", 0},    {"255.255.255.255", 0}, {"192.0.2.1", 0}, /* no way there */
		{"2001:db8::2", 0},  {"2001:db8::4", 1},     {"2001:db8:1::1", 0}, {"::1", 0},
		{"ff02::1", 0},
	};
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	CLEAN_ROUTE_WATCH struct route_watch *w = NULL;
	struct prefix a4 = prefix_of("198.51.100.2/24"), b4 = prefix_of("198.51.100.3/24");
	struct prefix a6 = prefix_of("2001:db8::2/64");
	struct pair p;

	(void)state;
	pair_make(&p);
	OK(rtnl_batch_new(p.in, &b, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a4, &world_err));
	OK(route_addr_add(b, p.ctr_if, &b4, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a6, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	/* The kernel knows its own IPv6 address a little after the acknowledgement. */
	OK(route_watch_open(p.netns, &w, &world_err));
	assert_int_equal(route_watch_wait(w, p.ctr_if, &a6.ip, 60000, &world_err), 0);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct ip ip;

		OK(ip_parse(t[i].ip, &ip, &world_err));
		if (route_is_elsewhere(p.in, &ip, &world_err) != t[i].is_elsewhere)
			fail_msg("%s", t[i].ip);
	}
	pair_close(&p);
}

struct seen {
	struct route_spec want;
	unsigned int n_routes, n_matching;
	struct prefix addr;
	uint32_t addr_if;
	unsigned int n_addrs, n_addr_matching;
	unsigned int stop_after;
};

static int count_route(const struct route_spec *s, void *arg)
{
	struct seen *x = arg;

	x->n_routes++;
	if (prefix_equal(&s->dst, &x->want.dst) && s->ifindex == x->want.ifindex &&
	    ip_equal(&s->gateway, &x->want.gateway) && ip_equal(&s->src, &x->want.src) &&
	    s->onlink == x->want.onlink)
		x->n_matching++;
	return x->n_routes == x->stop_after ? 7 : 0;
}

static int count_addr(uint32_t ifindex, const struct prefix *p, void *arg)
{
	struct seen *x = arg;

	x->n_addrs++;
	if (ifindex == x->addr_if && prefix_equal(p, &x->addr))
		x->n_addr_matching++;
	return x->n_addrs == x->stop_after ? 7 : 0;
}

static void check_route(struct rtnl *r, const struct route_spec *s, bool is_there)
{
	struct seen x = {.want = *s};

	OK(route_each(r, count_route, &x, &world_err));
	assert_int_equal(x.n_matching, is_there);
}

static struct nl_msg *del_msg(const struct route_spec *s)
{
	struct rtmsg rt = {.rtm_family = s->dst.ip.family,
			   .rtm_dst_len = s->dst.len,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_scope = RT_SCOPE_NOWHERE};
	struct nl_msg *m = rtnl_msg(RTM_DELROUTE, 0, &rt, sizeof(rt));
	int len = s->dst.ip.family == AF_INET ? 4 : 16;

	return s->dst.len ? rtnl_msg_done(m, nla_put(m, RTA_DST, len, s->dst.ip.b)) : m;
}

static void try_route(struct pair *p, const struct route_spec *s)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct err e = ERR_INIT;

	OK(rtnl_batch_new(p->in, &b, &world_err));
	OK(route_add(b, s, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	check_route(p->in, s, true);
	OK(route_add(b, s, &world_err));
	assert_int_equal(rtnl_batch_run(b, &e), -EEXIST);
	assert_int_equal(e.kind, ERR_CONFLICT);
	OK(rtnl_batch_add(b, del_msg(s), 0, "deleting", &world_err));
	OK(rtnl_batch_run(b, &world_err));
	check_route(p->in, s, false);
}

static void test_routes(void **state)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct prefix a4 = prefix_of("198.51.100.2/24"), a6 = prefix_of("2001:db8::2/64");
	struct route_spec s;
	struct seen x = {.stop_after = 1};
	struct err e = ERR_INIT;
	struct pair p;

	(void)state;
	pair_make(&p);
	OK(rtnl_batch_new(p.in, &b, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a4, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a6, &world_err));
	OK(rtnl_batch_run(b, &world_err));

	/* Default routes through a gateway, with and without a preferred source. */
	s = (struct route_spec){.dst = {.ip.family = AF_INET},
				.gateway = ip_of("198.51.100.1"),
				.ifindex = p.ctr_if};
	try_route(&p, &s);
	s.src = a4.ip;
	try_route(&p, &s);
	s = (struct route_spec){.dst = {.ip.family = AF_INET6},
				.gateway = ip_of("2001:db8::1"),
				.ifindex = p.ctr_if};
	try_route(&p, &s);
	s.src = a6.ip;
	try_route(&p, &s);
	/* Default routes through a gateway that no prefix covers: routed mode. */
	s = (struct route_spec){.dst = {.ip.family = AF_INET},
				.gateway = ip_of("169.254.1.1"),
				.ifindex = p.ctr_if,
				.onlink = true};
	try_route(&p, &s);
	s.onlink = false;
	OK(route_add(b, &s, &world_err));
	assert_int_equal(rtnl_batch_run(b, &e), -ENETUNREACH);
	assert_non_null(strstr(e.text, "adding an IPv4 route: Nexthop has invalid gateway"));
	s = (struct route_spec){.dst = {.ip.family = AF_INET6},
				.gateway = ip_of("fe80::1"),
				.ifindex = p.ctr_if,
				.onlink = true};
	try_route(&p, &s);
	/* Host and network routes on the link; host bits are cut off. */
	s = (struct route_spec){.dst = prefix_of("203.0.113.9/32"), .ifindex = p.ctr_if};
	try_route(&p, &s);
	s.dst = prefix_of("2001:db8:9::9/128");
	try_route(&p, &s);
	s.dst = prefix_of("203.0.113.0/25");
	try_route(&p, &s);
	s.dst = prefix_of("2001:db8:9::/48");
	try_route(&p, &s);
	s.dst = prefix_of("203.0.113.77/25");
	OK(route_add(b, &s, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	s.dst = prefix_of("203.0.113.0/25");
	check_route(p.in, &s, true);

	s.gateway = ip_of("2001:db8::1");
	assert_int_equal(route_add(b, &s, &e), -EINVAL);
	assert_int_equal(route_each(p.in, count_route, &x, &world_err), 7);
	assert_int_equal(x.n_routes, 1);
	pair_close(&p);
}

static void test_each_addr(void **state)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct prefix a4 = prefix_of("198.51.100.2/24"), a6 = prefix_of("2001:db8::2/64");
	struct seen x = {0};
	struct pair p;

	(void)state;
	pair_make(&p);
	OK(rtnl_batch_new(p.in, &b, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a4, &world_err));
	OK(route_addr_add(b, p.ctr_if, &a6, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	x.addr = a4;
	x.addr_if = p.ctr_if;
	OK(route_each_addr(p.in, count_addr, &x, &world_err));
	x.addr = a6;
	OK(route_each_addr(p.in, count_addr, &x, &world_err));
	x.addr = prefix_of("127.0.0.1/8");
	x.addr_if = 1;
	OK(route_each_addr(p.in, count_addr, &x, &world_err));
	assert_int_equal(x.n_addr_matching, 3);
	/* Two on lo, two ours, the link-local one; three times. */
	assert_int_equal(x.n_addrs, 15);
	x.n_addrs = 0;
	x.stop_after = 2;
	assert_int_equal(route_each_addr(p.in, count_addr, &x, &world_err), 7);
	assert_int_equal(x.n_addrs, 2);
	pair_close(&p);
}

/* A route with a metric and an MTU of its own, or one that only drops. */
static void add_raw_default(struct rtnl *r, uint8_t family, uint32_t ifindex, uint32_t metric,
			    uint32_t mtu, uint8_t type)
{
	struct rtmsg rt = {.rtm_family = family,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_type = type};
	struct nl_msg *m = rtnl_msg(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &rt, sizeof(rt));
	struct nlattr *mx;

	assert_non_null(m);
	nla_put_u32(m, RTA_PRIORITY, metric);
	if (ifindex)
		nla_put_u32(m, RTA_OIF, ifindex);
	if (mtu) {
		mx = nla_nest_start(m, RTA_METRICS);
		nla_put_u32(m, RTAX_MTU, mtu);
		nla_nest_end(m, mx);
	}
	OK(rtnl_call(r, m, NULL, NULL, NULL, "default route", &world_err));
}

/* IPv4's way out, else IPv6's. */
static int way_out(struct rtnl *r, uint32_t *ret_if, uint32_t *ret_mtu, struct err *e)
{
	struct link_info l;
	int w = uplink_find(r, FAM4, &l, ret_mtu, e);

	if (w == 1)
		w = uplink_find(r, FAM6, &l, ret_mtu, e);
	if (w == 0)
		*ret_if = l.index;
	return w;
}

static void check_default(struct rtnl *r, uint32_t ifindex, uint32_t mtu)
{
	uint32_t its_if = 0, its_mtu = 0;

	OK(way_out(r, &its_if, &its_mtu, &world_err));
	assert_int_equal(its_if, ifindex);
	assert_int_equal(its_mtu, mtu);
}

static void test_default(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct seen seen = {0};
	struct pair p;
	uint32_t x = 1, y = 2;

	(void)state;
	/* A new namespace has not even a table. */
	OK(rtnl_open(&r, &world_err));
	assert_int_equal(way_out(r, &x, &y, &world_err), 1);
	OK(route_each(r, count_route, &seen, &world_err));
	assert_int_equal(seen.n_routes, 0);
	pair_make(&p);
	assert_int_equal(way_out(p.in, &x, &y, &world_err), 1);
	assert_true(x == 1 && y == 2);
	add_raw_default(p.in, AF_INET6, 0, 4096, 0, RTN_UNREACHABLE);
	add_raw_default(p.in, AF_INET, 0, 4096, 0, RTN_BLACKHOLE);
	assert_int_equal(way_out(p.in, &x, &y, &world_err), 1);
	add_raw_default(p.in, AF_INET6, p.ctr_if, 1024, 0, RTN_UNICAST);
	check_default(p.in, p.ctr_if, 1400);
	/* IPv4 comes first, the lower metric wins, the smaller MTU counts. */
	add_raw_default(p.in, AF_INET, 1, 300, 0, RTN_UNICAST);
	check_default(p.in, 1, 65536);
	add_raw_default(p.in, AF_INET, p.ctr_if, 200, 0, RTN_UNICAST);
	check_default(p.in, p.ctr_if, 1400);
	add_raw_default(p.in, AF_INET, p.ctr_if, 100, 1320, RTN_UNICAST);
	check_default(p.in, p.ctr_if, 1320);
	add_raw_default(p.in, AF_INET, p.ctr_if, 90, 9000, RTN_UNICAST);
	check_default(p.in, p.ctr_if, 1400);
	pair_close(&p);
}

static void add_addr(struct rtnl *r, uint32_t ifindex, const char *text)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct prefix p;

	OK(prefix_parse(text, &p, &world_err));
	OK(rtnl_batch_new(r, &b, &world_err));
	OK(route_addr_add(b, ifindex, &p, &world_err));
	OK(rtnl_batch_run(b, &world_err));
}

static void add_default_by(struct rtnl *r, uint32_t ifindex, const char *gateway)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct route_spec s = {.ifindex = ifindex, .gateway = ip_of(gateway)};

	s.dst.ip.family = s.gateway.family;
	OK(rtnl_batch_new(r, &b, &world_err));
	OK(route_add(b, &s, &world_err));
	OK(rtnl_batch_run(b, &world_err));
}

/* The address and the router that the host itself uses. */
static void test_uplink(void **state)
{
	struct uplink u = {.mtu = 7};
	char text[PREFIX_STRLEN];
	struct pair p;

	(void)state;
	pair_make(&p);
	assert_int_equal(uplink_route(p.in, FAM4, 0, &u, &world_err), 1);
	assert_int_equal(uplink_route(p.in, FAM6, 0, &u, &world_err), 1);
	assert_int_equal(u.mtu, 7);
	add_addr(p.in, p.ctr_if, "198.51.100.9/24");
	add_addr(p.in, p.ctr_if, "198.51.100.10/24");
	add_addr(p.in, p.ctr_if, "2001:db8::9/64");
	add_default_by(p.in, p.ctr_if, "198.51.100.1");
	add_default_by(p.in, p.ctr_if, "fe80::1");
	OK(uplink_route(p.in, FAM4, 0, &u, &world_err));
	assert_int_equal(u.link.index, p.ctr_if);
	assert_string_equal(u.link.name, "eth0");
	assert_int_equal(u.mtu, 1400);
	assert_string_equal(ip_str(&u.gateway, text), "198.51.100.1");
	assert_string_equal(prefix_str(&u.addr, text), "198.51.100.9/24");
	OK(uplink_route(p.in, FAM6, p.ctr_if, &u, &world_err));
	assert_string_equal(ip_str(&u.gateway, text), "fe80::1");
	assert_string_equal(prefix_str(&u.addr, text), "2001:db8::9/64");
	assert_int_equal(uplink_route(p.in, FAM6, 1, &u, &world_err), 1);
	pair_close(&p);
}

static void add_multipath(struct rtnl *r, uint32_t ifindex, const char *const gw[2])
{
	struct rtmsg rt = {.rtm_family = AF_INET6,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_type = RTN_UNICAST};
	struct nl_msg *m = rtnl_msg(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &rt, sizeof(rt));
	struct nlattr *ways;

	assert_non_null(m);
	nla_put_u32(m, RTA_PRIORITY, 50); /* before the others */
	ways = nla_nest_start(m, RTA_MULTIPATH);
	for (int i = 0; i < 2; i++) {
		struct rtnexthop *hop = nlmsg_reserve(m, sizeof(*hop), NLMSG_ALIGNTO);
		struct ip ip = ip_of(gw[i]);

		*hop = (struct rtnexthop){.rtnh_ifindex = (int)ifindex};
		nla_put(m, RTA_GATEWAY, 16, ip.b);
		hop->rtnh_len = (unsigned short)((char *)nlmsg_tail(nlmsg_hdr(m)) - (char *)hop);
	}
	nla_nest_end(m, ways);
	OK(rtnl_call(r, m, NULL, NULL, NULL, "route of two ways", &world_err));
}

/* The way out alone: none, one that leads nowhere, of several ways, of one. */
static void test_uplink_index(void **state)
{
	static const char *const gw[2] = {"fe80::1", "fe80::2"};
	uint32_t index = 7;
	struct pair p;

	(void)state;
	pair_make(&p);
	assert_int_equal(uplink_index(p.in, FAM4, &index, &world_err), 1);
	assert_int_equal(uplink_index(p.in, FAM6, &index, &world_err), 1);
	add_addr(p.in, p.ctr_if, "2001:db8::9/64");
	add_raw_default(p.in, AF_INET6, 0, 4096, 0, RTN_UNREACHABLE);
	assert_int_equal(uplink_index(p.in, FAM6, &index, &world_err), 1);
	assert_int_equal(index, 7);
	add_addr(p.in, p.ctr_if, "198.51.100.9/24");
	add_default_by(p.in, p.ctr_if, "198.51.100.1");
	OK(uplink_index(p.in, FAM4, &index, &world_err));
	assert_int_equal(index, p.ctr_if);
	index = 7;
	add_default_by(p.in, p.ctr_if, "fe80::1");
	OK(uplink_index(p.in, FAM6, &index, &world_err));
	assert_int_equal(index, p.ctr_if);
	index = 7;
	add_multipath(p.in, p.ctr_if, gw);
	OK(uplink_index(p.in, FAM6, &index, &world_err));
	assert_int_equal(index, p.ctr_if);
	pair_close(&p);
}

static void try_neigh(struct pair *p, const char *addr)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct ip ip = ip_of(addr);
	struct mac m = mac_of("02:00:00:00:00:99"), its;
	uint16_t st;

	OK(rtnl_batch_new(p->host, &b, &world_err));
	OK(route_neigh_add(b, p->host_if, &ip, &m, NEIGH_PERMANENT, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	assert_true(world_neigh(p->host, p->host_if, &ip, &st, &its));
	assert_int_equal(st, NUD_PERMANENT);
	assert_memory_equal(its.b, m.b, 6);
	m = mac_of("02:00:00:00:00:98");
	OK(route_neigh_add(b, p->host_if, &ip, &m, NEIGH_STALE, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	assert_true(world_neigh(p->host, p->host_if, &ip, &st, &its));
	assert_int_equal(st, NUD_STALE);
	assert_memory_equal(its.b, m.b, 6);
	OK(route_neigh_del(b, p->host_if, &ip, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	/* What is left of it has no MAC any more. */
	assert_false(world_neigh(p->host, p->host_if, &ip, &st, &its) && st != NUD_FAILED);
	OK(route_neigh_del(b, p->host_if, &ip, &world_err));
	OK(rtnl_batch_run(b, &world_err));
}

static void test_neigh(void **state)
{
	struct pair p;

	(void)state;
	pair_make(&p);
	try_neigh(&p, "198.51.100.9");
	try_neigh(&p, "2001:db8::9");
	pair_close(&p);
}

/* How often the address is not usable at the acknowledgement, and how long it takes. */
static void test_watch(void **state)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	CLEAN_ROUTE_WATCH struct route_watch *w = NULL;
	struct prefix a;
	double took[200], start;
	unsigned int i, n_late = 0;
	struct err e = ERR_INIT;
	struct pair p;
	struct ip absent = ip_of("2001:db8::dead"), v4 = ip_of("198.51.100.2");
	char text[PREFIX_STRLEN];
	int r;

	(void)state;
	pair_make(&p);
	OK(route_watch_open(p.netns, &w, &world_err));
	OK(rtnl_batch_new(p.in, &b, &world_err));
	for (i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof(text), "2001:db8::%x/64", i + 16);
		a = prefix_of(text);
		OK(route_addr_add(b, p.ctr_if, &a, &world_err));
		OK(rtnl_batch_run(b, &world_err));
		start = world_ms();
		r = route_watch_wait(w, p.ctr_if, &a.ip, 0, &world_err);
		n_late += r == 1;
		if (r == 1)
			OK(route_watch_wait(w, p.ctr_if, &a.ip, 1000, &world_err));
		took[i] = world_ms() - start;
	}
	world_print("from the acknowledgement to a usable IPv6 address", took, 200);
	print_message("# not usable at the acknowledgement: %u of 200\n", n_late);
	/* Usable already; on another link; absent; not IPv6. */
	OK(route_watch_wait(w, p.ctr_if, &a.ip, 0, &world_err));
	assert_int_equal(route_watch_wait(w, 1, &a.ip, 0, &world_err), 1);
	start = world_ms();
	assert_int_equal(route_watch_wait(w, p.ctr_if, &absent, 50, &world_err), 1);
	assert_true(world_ms() - start >= 49);
	assert_int_equal(route_watch_wait(w, p.ctr_if, &v4, 0, &e), -EINVAL);
	pair_close(&p);
}

/* With duplicate address detection it takes about a second: the wait ends with it, not before. */
static void test_watch_tentative(void **state)
{
	struct pair p;
	CLEAN_ROUTE_WATCH struct route_watch *w = NULL;
	struct prefix a = prefix_of("2001:db8::2/64");
	struct ifaddrmsg ifa = {.ifa_family = AF_INET6, .ifa_prefixlen = 64};
	struct nl_msg *m;
	uint32_t flags;

	(void)state;
	pair_make(&p);
	OK(route_watch_open(p.netns, &w, &world_err));
	ifa.ifa_index = p.ctr_if;
	m = rtnl_msg(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &ifa, sizeof(ifa));
	assert_non_null(m);
	assert_int_equal(nla_put(m, IFA_LOCAL, 16, a.ip.b), 0);
	OK(rtnl_call(p.in, m, NULL, NULL, NULL, "address with DAD", &world_err));
	assert_int_equal(route_watch_wait(w, p.ctr_if, &a.ip, 50, &world_err), 1);
	assert_true(world_addr(p.in, p.ctr_if, &a, &flags));
	assert_true(flags & IFA_F_TENTATIVE);
	OK(route_watch_wait(w, p.ctr_if, &a.ip, 10000, &world_err));
	assert_true(world_addr(p.in, p.ctr_if, &a, &flags));
	assert_false(flags & IFA_F_TENTATIVE);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_addr, world_enter),
		cmocka_unit_test_setup(test_elsewhere, world_enter),
		cmocka_unit_test_setup(test_routes, world_enter),
		cmocka_unit_test_setup(test_each_addr, world_enter),
		cmocka_unit_test_setup(test_default, world_enter),
		cmocka_unit_test_setup(test_uplink, world_enter),
		cmocka_unit_test_setup(test_uplink_index, world_enter),
		cmocka_unit_test_setup(test_neigh, world_enter),
		cmocka_unit_test_setup(test_watch, world_enter),
		cmocka_unit_test_setup(test_watch_tentative, world_enter),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
