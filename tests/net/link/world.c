/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: namespaces for the tests, and raw readers of kernel state. Everything made here goes away
 * with the descriptors and the process.
 */
#include "world.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/rtnl_wire.h"

struct err world_err;

int world_enter(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "size=1m") < 0) {
		perror("new namespaces");
		return -1;
	}
	return 0;
}

int world_self(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

void world_in(int netns_fd)
{
	assert_int_equal(setns(netns_fd, CLONE_NEWNET), 0);
}

int world_new_netns(void)
{
	int back = world_self(), fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = world_self();
	world_in(back);
	close(back);
	return fd;
}

struct ip ip_of(const char *s)
{
	struct ip ip = {0};

	OK(ip_parse(s, &ip, &world_err));
	return ip;
}

struct prefix prefix_of(const char *s)
{
	struct prefix p = {0};

	OK(prefix_parse(s, &p, &world_err));
	return p;
}

struct mac mac_of(const char *s)
{
	struct mac m = {0};

	OK(mac_parse(s, &m, &world_err));
	return m;
}

/* ---- one link ---- */

struct reader {
	void (*read)(struct nlattr **tb, void *into);
	void *into;
	bool found;
};

static void on_link(struct nlmsghdr *h, void *arg)
{
	struct reader *rd = arg;
	struct nlattr *tb[IFLA_MAX + 1];

	assert_int_equal(h->nlmsg_type, RTM_NEWLINK);
	assert_true(nlmsg_parse(h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) >= 0);
	rd->read(tb, rd->into);
	rd->found = true;
}

static void read_link(struct rtnl *r, uint32_t index, void (*fn)(struct nlattr **tb, void *into),
		      void *into)
{
	struct ifinfomsg ifi = {.ifi_index = (int)index};
	struct reader rd = {.read = fn, .into = into};

	OK(rtnl_call(r, rtnl_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi)), on_link, NULL, &rd, "link",
		     &world_err));
	assert_true(rd.found);
}

/* The attributes in IFLA_LINKINFO: data or slave data. */
static void nested(struct nlattr **tb, int which, struct nlattr **ret, int max)
{
	struct nlattr *info[IFLA_INFO_MAX + 1];

	assert_non_null(tb[IFLA_LINKINFO]);
	assert_true(nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) >= 0);
	assert_non_null(info[which]);
	assert_true(nla_parse_nested(ret, max, info[which], NULL) >= 0);
}

static void port_flags(struct nlattr **tb, void *into)
{
	struct port_flags *f = into;
	struct nlattr *p[IFLA_BRPORT_MAX + 1];

	nested(tb, IFLA_INFO_SLAVE_DATA, p, IFLA_BRPORT_MAX);
	f->isolated = nla_get_u8(p[IFLA_BRPORT_ISOLATED]);
	f->hairpin = nla_get_u8(p[IFLA_BRPORT_MODE]);
	f->flood = nla_get_u8(p[IFLA_BRPORT_UNICAST_FLOOD]);
	f->mcast_flood = nla_get_u8(p[IFLA_BRPORT_MCAST_FLOOD]);
	f->learning = nla_get_u8(p[IFLA_BRPORT_LEARNING]);
	f->guard = nla_get_u8(p[IFLA_BRPORT_GUARD]);
	f->protect = nla_get_u8(p[IFLA_BRPORT_PROTECT]);
}

void world_port_flags(struct rtnl *r, uint32_t index, struct port_flags *ret)
{
	read_link(r, index, port_flags, ret);
}

static void bridge_flags(struct nlattr **tb, void *into)
{
	struct bridge_flags *f = into;
	struct nlattr *p[IFLA_BR_MAX + 1];

	nested(tb, IFLA_INFO_DATA, p, IFLA_BR_MAX);
	f->forward_delay = nla_get_u32(p[IFLA_BR_FORWARD_DELAY]);
	f->stp = nla_get_u32(p[IFLA_BR_STP_STATE]);
	f->snooping = nla_get_u8(p[IFLA_BR_MCAST_SNOOPING]);
	f->querier = nla_get_u8(p[IFLA_BR_MCAST_QUERIER]);
	f->response_interval = nla_get_u64(p[IFLA_BR_MCAST_QUERY_RESPONSE_INTVL]);
}

void world_bridge_flags(struct rtnl *r, uint32_t index, struct bridge_flags *ret)
{
	read_link(r, index, bridge_flags, ret);
}

struct extra {
	uint32_t tx, rx;
	uint8_t addrgen;
};

static void link_extra(struct nlattr **tb, void *into)
{
	struct extra *x = into;
	struct nlattr *inet6 = NULL, *mode = NULL;

	x->tx = nla_get_u32(tb[IFLA_NUM_TX_QUEUES]);
	x->rx = nla_get_u32(tb[IFLA_NUM_RX_QUEUES]);
	assert_non_null(tb[IFLA_AF_SPEC]);
	inet6 = nla_find(nla_data(tb[IFLA_AF_SPEC]), nla_len(tb[IFLA_AF_SPEC]), AF_INET6);
	assert_non_null(inet6);
	mode = nla_find(nla_data(inet6), nla_len(inet6), IFLA_INET6_ADDR_GEN_MODE);
	assert_non_null(mode);
	x->addrgen = nla_get_u8(mode);
}

void world_link_extra(struct rtnl *r, uint32_t index, uint32_t *ret_tx, uint32_t *ret_rx,
		      uint8_t *ret_addrgen)
{
	struct extra x = {0};

	read_link(r, index, link_extra, &x);
	*ret_tx = x.tx;
	*ret_rx = x.rx;
	*ret_addrgen = x.addrgen;
}

/* ---- neighbours, forwarding entries, addresses ---- */

struct neigh {
	uint32_t ifindex;
	const struct ip *ip;   /* of a neighbour, or */
	const struct mac *mac; /* of a forwarding entry */
	bool found;
	uint16_t state;
	uint8_t flags;
	struct mac its_mac;
};

static void on_neigh(struct nlmsghdr *h, void *arg)
{
	struct neigh *n = arg;
	const struct ndmsg *nd = nlmsg_data(h);
	struct nlattr *tb[NDA_MAX + 1];

	assert_true(nlmsg_parse(h, sizeof(*nd), tb, NDA_MAX, NULL) >= 0);
	if ((uint32_t)nd->ndm_ifindex != n->ifindex)
		return;
	if (n->ip && (!tb[NDA_DST] || nla_len(tb[NDA_DST]) != (int)ip_size(n->ip) ||
		      memcmp(nla_data(tb[NDA_DST]), n->ip->b, ip_size(n->ip)) != 0))
		return;
	if (n->mac && memcmp(nla_data(tb[NDA_LLADDR]), n->mac->b, 6) != 0)
		return;
	n->found = true;
	n->state = nd->ndm_state;
	n->flags = nd->ndm_flags;
	if (tb[NDA_LLADDR])
		memcpy(n->its_mac.b, nla_data(tb[NDA_LLADDR]), 6);
}

static void read_neigh(struct rtnl *r, uint8_t family, struct neigh *n)
{
	struct ndmsg nd = {.ndm_family = family};

	OK(rtnl_call(r, rtnl_msg(RTM_GETNEIGH, NLM_F_DUMP, &nd, sizeof(nd)), on_neigh, NULL, n,
		     "neighbours", &world_err));
}

bool world_fdb(struct rtnl *r, uint32_t port, const struct mac *m, uint16_t *ret_state,
	       uint8_t *ret_flags)
{
	struct neigh n = {.ifindex = port, .mac = m};

	read_neigh(r, PF_BRIDGE, &n);
	*ret_state = n.state;
	*ret_flags = n.flags;
	return n.found;
}

bool world_neigh(struct rtnl *r, uint32_t ifindex, const struct ip *ip, uint16_t *ret_state,
		 struct mac *ret_mac)
{
	struct neigh n = {.ifindex = ifindex, .ip = ip};

	read_neigh(r, ip->family, &n);
	*ret_state = n.state;
	*ret_mac = n.its_mac;
	return n.found;
}

struct addr {
	uint32_t ifindex;
	const struct prefix *p;
	bool found;
	uint32_t flags;
};

static void on_addr(struct nlmsghdr *h, void *arg)
{
	struct addr *a = arg;
	const struct ifaddrmsg *ifa = nlmsg_data(h);
	struct nlattr *tb[IFA_MAX + 1];

	assert_true(nlmsg_parse(h, sizeof(*ifa), tb, IFA_MAX, NULL) >= 0);
	if (ifa->ifa_index != a->ifindex || ifa->ifa_prefixlen != a->p->len ||
	    memcmp(nla_data(tb[IFA_ADDRESS]), a->p->ip.b, ip_size(&a->p->ip)) != 0)
		return;
	a->found = true;
	a->flags = nla_get_u32(tb[IFA_FLAGS]);
}

bool world_addr(struct rtnl *r, uint32_t ifindex, const struct prefix *p, uint32_t *ret_flags)
{
	struct ifaddrmsg ifa = {.ifa_family = p->ip.family};
	struct addr a = {.ifindex = ifindex, .p = p};

	OK(rtnl_call(r, rtnl_msg(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(ifa)), on_addr, NULL, &a,
		     "addresses", &world_err));
	*ret_flags = a.flags;
	return a.found;
}

/* ---- figures ---- */

double world_ms(void)
{
	return (double)clock_ns() / 1e6;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void world_print(const char *what, double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	print_message("# %s: median %.3f ms, 99th %.3f, max %.3f (n=%u)\n", what, v[n / 2],
		      v[n * 99 / 100], v[n - 1], n);
}
