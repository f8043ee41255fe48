/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink: RTM_GETROUTE for one global address of each family. A dump of the routes would grow with
 * the number of routed containers; a lookup does not, and it honours policy rules. The addresses
 * are any that are global unicast and never a host's own network (`ip route get` is used the same
 * way).
 */
#include "net/uplink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "net/route.h"
#include "net/rtnl_wire.h"

struct answer {
	uint32_t ifindex, mtu;
	struct ip gateway, src;
};

static void take_ip(const struct nlattr *a, uint8_t family, struct ip *ret)
{
	struct ip ip = {.family = family};

	if (!a || nla_len(a) != (int)ip_size(&ip))
		return;
	memcpy(ip.b, nla_data(a), ip_size(&ip));
	*ret = ip;
}

static void on_route(struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1], *mx[RTAX_MAX + 1];
	const struct rtmsg *rt = nlmsg_data(h);
	struct answer *a = arg;

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*rt), tb, RTA_MAX, NULL) < 0 ||
	    rt->rtm_type != RTN_UNICAST || !tb[RTA_OIF] ||
	    nla_len(tb[RTA_OIF]) < (int)sizeof(uint32_t))
		return;
	a->ifindex = nla_get_u32(tb[RTA_OIF]);
	take_ip(tb[RTA_GATEWAY], rt->rtm_family, &a->gateway);
	take_ip(tb[RTA_PREFSRC], rt->rtm_family, &a->src);
	if (tb[RTA_METRICS] && nla_parse_nested(mx, RTAX_MAX, tb[RTA_METRICS], NULL) == 0 &&
	    mx[RTAX_MTU] && nla_len(mx[RTAX_MTU]) >= (int)sizeof(uint32_t))
		a->mtu = nla_get_u32(mx[RTAX_MTU]);
}

/* is_brief: the route as it stands in the table, without the address that would be used with it: to
 * find that one for IPv6 the kernel goes through all interfaces of the host. */
static struct nl_msg *lookup_msg(int fam, uint32_t oif, bool is_brief)
{
	static const struct ip world[N_FAM] = {
		[FAM4] = {.family = AF_INET, .b = {1, 0, 0, 1}},
		[FAM6] = {.family = AF_INET6, .b = {0x26, [15] = 1}},
	};
	const struct ip *to = &world[fam];
	struct rtmsg rt = {.rtm_family = to->family,
			   .rtm_dst_len = fam == FAM4 ? 32 : 128,
			   .rtm_flags = is_brief ? RTM_F_FIB_MATCH : 0};
	struct nl_msg *m = rtnl_msg(RTM_GETROUTE, 0, &rt, sizeof(rt));

	int bad;

	if (!m)
		return NULL;
	bad = nla_put(m, RTA_DST, (int)ip_size(to), to->b);
	if (oif)
		bad |= nla_put_u32(m, RTA_OIF, oif);
	return rtnl_msg_done(m, bad);
}

/* 0, 1 when there is no way out, or negative. */
static int look_up(struct rtnl *r, int fam, uint32_t oif, bool is_brief, struct answer *ret,
		   struct err *e)
{
	struct answer a = {0};
	struct err mine = ERR_INIT;
	int w = rtnl_call(r, lookup_msg(fam, oif, is_brief), on_route, NULL, &a,
			  "looking up the way out", &mine);

	/* The kernel's ways to say that there is none, IPv6 switched off among them. */
	if (w == -ENETUNREACH || w == -EHOSTUNREACH || w == -EAFNOSUPPORT || w == -EOPNOTSUPP ||
	    w == -EACCES || w == -EINVAL || w == -ENOENT || (w >= 0 && a.ifindex == 0))
		return 1;
	if (w < 0) {
		if (e)
			*e = mine;
		return w;
	}
	*ret = a;
	return 0;
}

int uplink_index(struct rtnl *r, int fam, uint32_t *ret, struct err *e)
{
	struct answer a;
	int w = look_up(r, fam, 0, fam == FAM6, &a, e);

	/* A route with several ways has no interface of its own: which one is it? */
	if (w == 1 && fam == FAM6)
		w = look_up(r, fam, 0, false, &a, e);
	if (w == 0)
		*ret = a.ifindex;
	return w;
}

static uint32_t mtu_of(const struct answer *a, const struct link_info *l)
{
	return a->mtu && a->mtu < l->mtu ? a->mtu : l->mtu;
}

int uplink_find(struct rtnl *r, int fam, struct link_info *ret_link, uint32_t *ret_mtu,
		struct err *e)
{
	struct answer a;
	int w = look_up(r, fam, 0, false, &a, e);

	if (w == 0)
		w = link_get_index(r, a.ifindex, ret_link, e);
	if (w == 0 && ret_mtu)
		*ret_mtu = mtu_of(&a, ret_link);
	return w;
}

/* The length may be that of another interface: of an address that several have. */
static int match_addr(uint32_t ifindex, const struct prefix *p, void *arg)
{
	struct uplink *u = arg;

	if (!ip_equal(&p->ip, &u->addr.ip))
		return 0;
	u->addr.len = p->len;
	return ifindex == u->link.index;
}

int uplink_route(struct rtnl *r, int fam, uint32_t ifindex, struct uplink *ret, struct err *e)
{
	struct uplink u = {0};
	struct answer a;
	int w = look_up(r, fam, ifindex, false, &a, e);

	if (w == 0)
		w = link_get_index(r, a.ifindex, &u.link, e);
	if (w != 0)
		return w;
	u.mtu = mtu_of(&a, &u.link);
	u.gateway = a.gateway;
	u.addr = (struct prefix){.ip = a.src, .len = fam == FAM4 ? 32 : 128};
	w = route_each_addr(r, match_addr, &u, e);
	if (w < 0)
		return w;
	*ret = u;
	return 0;
}

int uplink_mtu(struct rtnl *r, uint32_t *ret, struct err *e)
{
	struct link_info l;
	int w = uplink_find(r, FAM4, &l, ret, e);

	if (w == 1)
		w = uplink_find(r, FAM6, &l, ret, e);
	if (w == 1)
		*ret = 1500;
	return w < 0 ? w : 0;
}
