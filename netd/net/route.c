/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * route: addresses, routes and neighbours, both families. Changes are queued; reading is done by
 * dumps of the main table. Rules, other tables and next-hop objects are never touched (routes
 * through next-hop objects are read as the kernel resolves them). The wait for an address is in
 * route_watch.c. Read rtnetlink(7), ip-route(8), RFC 4862 section 5.4 for duplicate address
 * detection.
 */
#include "net/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "net/dump.h"
#include "net/link.h"
#include "net/rtnl_wire.h"

static int put_ip(struct nl_msg *m, int type, const struct ip *ip)
{
	return nla_put(m, type, (int)ip_size(ip), ip->b);
}

/* ---- addresses ---- */

static int addr_add(struct rtnl_batch *b, uint32_t ifindex, const struct prefix *p, uint8_t flags,
		    struct err *e)
{
	bool is_v4 = p->ip.family == AF_INET;
	struct ifaddrmsg ifa = {.ifa_family = p->ip.family,
				.ifa_prefixlen = p->len,
				.ifa_flags = flags,
				.ifa_index = ifindex};
	struct nl_msg *m = rtnl_msg(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &ifa, sizeof(ifa));
	int bad = 0;

	if (m) {
		bad |= put_ip(m, IFA_LOCAL, &p->ip);
		bad |= put_ip(m, IFA_ADDRESS, &p->ip);
		if (is_v4 && p->len <= 30) {
			struct ip last = prefix_last(p);

			bad |= put_ip(m, IFA_BROADCAST, &last);
		}
		m = rtnl_msg_done(m, bad);
	}
	return rtnl_batch_add(b, m, EEXIST,
			      is_v4 ? "adding an IPv4 address" : "adding an IPv6 address", e);
}

int route_addr_add_quiet(struct rtnl_batch *b, uint32_t ifindex, const struct ip *ip, struct err *e)
{
	bool is_v4 = ip->family == AF_INET;
	struct ifaddrmsg ifa = {.ifa_family = ip->family,
				.ifa_prefixlen = is_v4 ? 32 : 128,
				.ifa_flags = is_v4 ? 0 : IFA_F_NODAD,
				.ifa_scope = is_v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
				.ifa_index = ifindex};
	struct ifa_cacheinfo never = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};
	struct nl_msg *m = rtnl_msg(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &ifa, sizeof(ifa));
	int bad = 0;

	if (m) {
		bad |= put_ip(m, IFA_LOCAL, ip);
		bad |= put_ip(m, IFA_ADDRESS, ip);
		if (!is_v4)
			bad |= nla_put(m, IFA_CACHEINFO, (int)sizeof(never), &never);
		m = rtnl_msg_done(m, bad);
	}
	return rtnl_batch_add(b, m, EEXIST, "adding the names responder's address", e);
}

int route_addr_add(struct rtnl_batch *b, uint32_t ifindex, const struct prefix *p, struct err *e)
{
	return addr_add(b, ifindex, p, p->ip.family == AF_INET ? 0 : IFA_F_NODAD, e);
}

int route_addr_add_dad(struct rtnl_batch *b, uint32_t ifindex, const struct prefix *p,
		       struct err *e)
{
	return addr_add(b, ifindex, p, 0, e);
}

int route_addr_del(struct rtnl_batch *b, uint32_t ifindex, const struct prefix *p, struct err *e)
{
	struct ifaddrmsg ifa = {
		.ifa_family = p->ip.family, .ifa_prefixlen = p->len, .ifa_index = ifindex};
	struct nl_msg *m = rtnl_msg(RTM_DELADDR, 0, &ifa, sizeof(ifa));

	if (m)
		m = rtnl_msg_done(m, put_ip(m, IFA_LOCAL, &p->ip));
	return rtnl_batch_add(b, m, EADDRNOTAVAIL, "deleting an address", e);
}

static bool get_ip(const struct nlattr *a, uint8_t family, struct ip *ret)
{
	struct ip ip = {.family = family};

	if (!a || nla_len(a) != (int)ip_size(&ip))
		return false;
	memcpy(ip.b, nla_data(a), (size_t)nla_len(a));
	*ret = ip;
	return true;
}

struct addr_item {
	uint32_t ifindex;
	struct prefix p;
};

static bool parse_addr(const struct nlmsghdr *h, void *item)
{
	struct addr_item *it = item;
	const struct ifaddrmsg *ifa = nlmsg_data(h);
	struct nlattr *tb[IFA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWADDR ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(*ifa), tb, IFA_MAX, NULL) < 0)
		return false;
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return false;
	/* With a point-to-point peer IFA_ADDRESS is the other end. */
	if (!get_ip(tb[IFA_LOCAL], ifa->ifa_family, &it->p.ip) &&
	    !get_ip(tb[IFA_ADDRESS], ifa->ifa_family, &it->p.ip))
		return false;
	it->ifindex = ifa->ifa_index;
	it->p.len = ifa->ifa_prefixlen;
	return true;
}

struct each_addr {
	int (*fn)(uint32_t ifindex, const struct prefix *p, void *arg);
	void *arg;
};

static int on_addr(const void *item, void *arg)
{
	const struct addr_item *it = item;
	const struct each_addr *c = arg;

	return c->fn(it->ifindex, &it->p, c->arg);
}

int route_each_addr(struct rtnl *r, int (*fn)(uint32_t ifindex, const struct prefix *p, void *arg),
		    void *arg, struct err *e)
{
	static const struct dump_spec spec = {
		.what = "listing the addresses",
		.size = sizeof(struct addr_item),
		.key_size = sizeof(struct addr_item),
		.parse = parse_addr,
	};
	struct ifaddrmsg ifa = {.ifa_family = AF_UNSPEC};
	struct each_addr c = {.fn = fn, .arg = arg};

	return dump_run(r, rtnl_msg(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(ifa)), &spec, on_addr, &c,
			e);
}

/* ---- routes ---- */

static int put_metrics(struct nl_msg *m, const struct route_spec *s)
{
	struct nlattr *metrics = nla_nest_start(m, RTA_METRICS);
	int bad = 0;

	if (!metrics)
		return -1;
	if (s->mtu)
		bad |= nla_put_u32(m, RTAX_MTU, s->mtu);
	if (s->advmss)
		bad |= nla_put_u32(m, RTAX_ADVMSS, s->advmss);
	return bad | nla_nest_end(m, metrics);
}

static struct nl_msg *route_msg(uint16_t type, uint16_t flags, const struct route_spec *s)
{
	uint8_t family = s->dst.ip.family;
	bool is_direct = s->gateway.family == 0;
	struct prefix net = prefix_network(&s->dst);
	struct rtmsg rt = {.rtm_family = family,
			   .rtm_dst_len = s->dst.len,
			   .rtm_table = s->table > 255 ? RT_TABLE_COMPAT
					: s->table     ? (uint8_t)s->table
						       : RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = s->scope                         ? (uint8_t)s->scope
					: is_direct && family == AF_INET ? RT_SCOPE_LINK
									 : RT_SCOPE_UNIVERSE,
			   .rtm_type = RTN_UNICAST,
			   .rtm_flags = s->onlink ? RTNH_F_ONLINK : 0};
	struct nl_msg *m = rtnl_msg(type, flags, &rt, sizeof(rt));
	int bad = 0;

	if (!m)
		return NULL;
	if (s->dst.len > 0)
		bad |= put_ip(m, RTA_DST, &net.ip);
	if (!is_direct)
		bad |= put_ip(m, RTA_GATEWAY, &s->gateway);
	if (s->src.family != 0)
		bad |= put_ip(m, RTA_PREFSRC, &s->src);
	if (s->ifindex)
		bad |= nla_put_u32(m, RTA_OIF, s->ifindex);
	if (s->table > 255)
		bad |= nla_put_u32(m, RTA_TABLE, s->table);
	if (s->priority)
		bad |= nla_put_u32(m, RTA_PRIORITY, s->priority);
	if (s->mtu || s->advmss)
		bad |= put_metrics(m, s);
	return rtnl_msg_done(m, bad);
}

/* One family in one route, else the attributes would have the wrong size. */
static int check_route(const struct route_spec *s, struct err *e)
{
	uint8_t f = s->dst.ip.family;

	if ((f != AF_INET && f != AF_INET6) || (s->gateway.family != 0 && s->gateway.family != f) ||
	    (s->src.family != 0 && s->src.family != f))
		return err_invalid(e, ERR_INTERNAL, "a route of mixed or unknown families");
	return 0;
}

int route_add(struct rtnl_batch *b, const struct route_spec *s, struct err *e)
{
	int r = check_route(s, e);

	if (r < 0)
		return r;
	return rtnl_batch_add(
		b, route_msg(RTM_NEWROUTE, NLM_F_CREATE | (s->beside ? 0 : NLM_F_EXCL), s),
		s->beside ? EEXIST : 0,
		s->dst.ip.family == AF_INET ? "adding an IPv4 route" : "adding an IPv6 route", e);
}

struct route_item {
	struct route_spec s;
	uint32_t metric, mtu;
	uint8_t type;
};

/* The first next hop of several. */
static void parse_hop(const struct nlattr *a, struct route_item *it)
{
	const struct rtnexthop *nh = nla_data(a);
	struct nlattr *tb[RTA_MAX + 1];

	if (nla_len(a) < (int)sizeof(*nh) || nh->rtnh_len < sizeof(*nh) ||
	    nh->rtnh_len > nla_len(a))
		return;
	it->s.ifindex = (uint32_t)nh->rtnh_ifindex;
	it->s.onlink = nh->rtnh_flags & RTNH_F_ONLINK;
	if (nla_parse(tb, RTA_MAX, (struct nlattr *)(void *)(uintptr_t)(nh + 1),
		      (int)(nh->rtnh_len - sizeof(*nh)), NULL) == 0)
		(void)get_ip(tb[RTA_GATEWAY], it->s.dst.ip.family, &it->s.gateway);
}

static uint32_t get_u32(const struct nlattr *a)
{
	return a && nla_len(a) >= (int)sizeof(uint32_t) ? nla_get_u32(a) : 0;
}

static bool parse_route(const struct nlmsghdr *h, uint8_t family, struct route_item *it)
{
	const struct rtmsg *rt = nlmsg_data(h);
	struct nlattr *tb[RTA_MAX + 1], *mx[RTAX_MAX + 1];

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(*rt), tb, RTA_MAX, NULL) < 0)
		return false;
	if (rt->rtm_family != family || (rt->rtm_flags & RTM_F_CLONED) ||
	    (tb[RTA_TABLE] ? get_u32(tb[RTA_TABLE]) : rt->rtm_table) != RT_TABLE_MAIN)
		return false;
	it->type = rt->rtm_type;
	it->s.dst = (struct prefix){.ip.family = family, .len = rt->rtm_dst_len};
	if (rt->rtm_dst_len > 0 && !get_ip(tb[RTA_DST], family, &it->s.dst.ip))
		return false;
	it->s.onlink = rt->rtm_flags & RTNH_F_ONLINK;
	it->s.ifindex = get_u32(tb[RTA_OIF]);
	(void)get_ip(tb[RTA_GATEWAY], family, &it->s.gateway);
	(void)get_ip(tb[RTA_PREFSRC], family, &it->s.src);
	if (tb[RTA_MULTIPATH])
		parse_hop(tb[RTA_MULTIPATH], it);
	it->metric = get_u32(tb[RTA_PRIORITY]);
	if (tb[RTA_METRICS] && nla_parse_nested(mx, RTAX_MAX, tb[RTA_METRICS], NULL) == 0)
		it->mtu = get_u32(mx[RTAX_MTU]);
	return true;
}

static bool parse_route4(const struct nlmsghdr *h, void *item)
{
	return parse_route(h, AF_INET, item);
}

static bool parse_route6(const struct nlmsghdr *h, void *item)
{
	return parse_route(h, AF_INET6, item);
}

static int dump_routes(struct rtnl *r, uint8_t family, int (*fn)(const void *item, void *arg),
		       void *arg, struct err *e)
{
	struct dump_spec spec = {
		.what = family == AF_INET ? "listing the IPv4 routes" : "listing the IPv6 routes",
		.size = sizeof(struct route_item),
		.key_size = sizeof(struct route_item),
		.parse = family == AF_INET ? parse_route4 : parse_route6,
	};
	struct rtmsg rt = {.rtm_family = family, .rtm_table = RT_TABLE_MAIN};
	struct err mine = ERR_INIT;
	int w;

	w = dump_run(r, rtnl_msg(RTM_GETROUTE, NLM_F_DUMP, &rt, sizeof(rt)), &spec, fn, arg, &mine);
	/* A namespace that never had a route has no table yet. */
	if (w == -ENOENT && mine.kind == ERR_ABSENT)
		return 0;
	if (w < 0 && e)
		*e = mine;
	return w;
}

struct each_route {
	int (*fn)(const struct route_spec *s, void *arg);
	void *arg;
};

static int on_route(const void *item, void *arg)
{
	const struct route_item *it = item;
	const struct each_route *c = arg;

	return c->fn(&it->s, c->arg);
}

int route_each(struct rtnl *r, int (*fn)(const struct route_spec *s, void *arg), void *arg,
	       struct err *e)
{
	struct each_route c = {.fn = fn, .arg = arg};
	int w;

	w = dump_routes(r, AF_INET, on_route, &c, e);
	return w != 0 ? w : dump_routes(r, AF_INET6, on_route, &c, e);
}

/* ---- neighbours ---- */

static struct nl_msg *neigh_msg(uint16_t type, uint16_t flags, uint32_t ifindex,
				const struct ip *ip, uint16_t state)
{
	struct ndmsg nd = {
		.ndm_family = ip->family, .ndm_ifindex = (int)ifindex, .ndm_state = state};
	struct nl_msg *m = rtnl_msg(type, flags, &nd, sizeof(nd));

	return m ? rtnl_msg_done(m, put_ip(m, NDA_DST, ip)) : NULL;
}

int route_neigh_add(struct rtnl_batch *b, uint32_t ifindex, const struct ip *ip,
		    const struct mac *mac, enum neigh_state state, struct err *e)
{
	struct nl_msg *m = neigh_msg(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, ip,
				     state == NEIGH_PERMANENT ? NUD_PERMANENT : NUD_STALE);

	if (m)
		m = rtnl_msg_done(m, nla_put(m, NDA_LLADDR, sizeof(mac->b), mac->b));
	/* All namespaces share the kernel's table (gc_thresh3, 1,024 entries), of which permanent
	 * ones take no place. What is only a hint may be done without when others have filled it.
	 */
	return rtnl_batch_add(b, m, state == NEIGH_PERMANENT ? 0 : ENOBUFS, "adding a neighbour",
			      e);
}

int route_neigh_del(struct rtnl_batch *b, uint32_t ifindex, const struct ip *ip, struct err *e)
{
	return rtnl_batch_add(b, neigh_msg(RTM_DELNEIGH, 0, ifindex, ip, NUD_NONE), ENOENT,
			      "deleting a neighbour", e);
}
