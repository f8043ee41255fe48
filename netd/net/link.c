/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: makes and reads links. A veth pair is one request: moving or renaming a link afterwards
 * costs RCU grace periods (16 ms), and so does every queue beyond the first. Deleting is in
 * link_del.c, bridge ports are in link_port.c. No sysctl is written here. Read the kernel's
 * Documentation/netlink/specs/rt-link.yaml, drivers/net/veth.c and net/bridge/br_netlink.c.
 */
#include "net/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/dump.h"
#include "net/rtnl_wire.h"

/* In units of 1/100 s; see link_bridge_add in the header. */
#define MCAST_QUERY_RESPONSE 100
#define MAX_SLICE_MS 16
/* DEVCONF_FORCE_FORWARDING of linux/ipv6.h since 6.17 */
#define CONF6_FORCE_FORWARDING 59

_Static_assert(offsetof(struct link_info, index) == 0, "the key of a link comes first");

/* ---- reading ---- */

static void copy_str(const struct nlattr *a, char *out, size_t size)
{
	if (a && nla_len(a) > 0)
		(void)nla_strlcpy(out, a, size);
}

static uint32_t get_u32(const struct nlattr *a)
{
	return a && nla_len(a) >= (int)sizeof(uint32_t) ? nla_get_u32(a) : 0;
}

/* Is the index-th number of an interface's settings of one family 1? */
static bool is_conf_on(const struct nlattr *spec, int af, int conf, size_t index)
{
	const struct nlattr *of_af, *values;
	uint32_t v;

	of_af = nla_find(nla_data(spec), nla_len(spec), af);
	values = of_af ? nla_find(nla_data(of_af), nla_len(of_af), conf) : NULL;
	if (!values || (size_t)nla_len(values) < (index + 1) * sizeof(v))
		return false;
	memcpy(&v, (const char *)nla_data(values) + index * sizeof(v), sizeof(v));
	return v == 1;
}

static bool parse_link(const struct nlmsghdr *h, void *item)
{
	struct link_info *li = item;
	const struct ifinfomsg *ifi = nlmsg_data(h);
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];

	if (h->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0)
		return false;
	if (ifi->ifi_family != AF_UNSPEC)
		return false;
	li->index = (uint32_t)ifi->ifi_index;
	li->is_up = ifi->ifi_flags & IFF_UP;
	li->is_lower_up = ifi->ifi_flags & IFF_LOWER_UP;
	li->is_operational = tb[IFLA_OPERSTATE] && nla_len(tb[IFLA_OPERSTATE]) >= 1 &&
			     nla_get_u8(tb[IFLA_OPERSTATE]) == IF_OPER_UP;
	li->mtu = get_u32(tb[IFLA_MTU]);
	li->group = get_u32(tb[IFLA_GROUP]);
	li->master = get_u32(tb[IFLA_MASTER]);
	li->peer_index = get_u32(tb[IFLA_LINK]);
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == (int)sizeof(li->mac.b))
		memcpy(li->mac.b, nla_data(tb[IFLA_ADDRESS]), sizeof(li->mac.b));
	copy_str(tb[IFLA_IFNAME], li->name, sizeof(li->name));
	if (tb[IFLA_LINKINFO] &&
	    nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) >= 0)
		copy_str(info[IFLA_INFO_KIND], li->kind, sizeof(li->kind));
	if (tb[IFLA_AF_SPEC]) {
		li->is_forwarding[FAM4] = is_conf_on(tb[IFLA_AF_SPEC], AF_INET, IFLA_INET_CONF,
						     IPV4_DEVCONF_FORWARDING - 1);
		li->is_forwarding[FAM6] = is_conf_on(tb[IFLA_AF_SPEC], AF_INET6, IFLA_INET6_CONF,
						     CONF6_FORCE_FORWARDING);
	}
	return true;
}

static void on_link(struct nlmsghdr *h, void *arg)
{
	struct link_info li = {0};

	if (parse_link(h, &li))
		*(struct link_info *)arg = li;
}

static struct nl_msg *get_msg(uint16_t flags, uint32_t index, const char *name)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	struct nl_msg *m = rtnl_msg(RTM_GETLINK, flags, &ifi, sizeof(ifi));
	int bad = 0;

	if (!m)
		return NULL;
	bad |= nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (name)
		bad |= nla_put_string(m, IFLA_IFNAME, name);
	return rtnl_msg_done(m, bad);
}

static int get_link(struct rtnl *r, struct nl_msg *m, const char *what, struct link_info *ret,
		    struct err *e)
{
	struct link_info li = {0};
	struct err mine = ERR_INIT;
	int w;

	w = rtnl_call(r, m, on_link, NULL, &li, what, &mine);
	if (w == -ENODEV)
		return 1;
	if (w < 0) {
		if (e)
			*e = mine;
		return w;
	}
	if (li.index == 0)
		return err_set(e, ERR_PROTOCOL, EBADMSG, "%s: answer without a link", what);
	*ret = li;
	return 0;
}

static int check_name(const char *name, struct err *e)
{
	size_t len = name ? strlen(name) : 0;

	if (len == 0 || len > IFNAME_MAX)
		return err_invalid(e, ERR_INTERNAL, "interface name of %zu bytes", len);
	return 0;
}

int link_get(struct rtnl *r, const char *name, struct link_info *ret, struct err *e)
{
	int w = check_name(name, e);

	return w < 0 ? w : get_link(r, get_msg(0, 0, name), "reading a link", ret, e);
}

int link_get_index(struct rtnl *r, uint32_t index, struct link_info *ret, struct err *e)
{
	return get_link(r, get_msg(0, index, NULL), "reading a link", ret, e);
}

bool link_is_ours(const struct link_info *l)
{
	return l->group == LINK_GROUP_VETH || l->group == LINK_GROUP_BRIDGE ||
	       l->group == LINK_GROUP_IFB || l->group == LINK_GROUP_STRAY;
}

int link_wait_carrier(struct rtnl *r, uint32_t index, int timeout_ms, struct err *e)
{
	uint64_t deadline = clock_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
	struct link_info li;
	int w, left, slice = 1;

	for (;;) {
		w = link_get_index(r, index, &li, e);
		if (w > 0)
			return err_set(e, ERR_ABSENT, ENODEV, "waiting for carrier");
		if (w < 0 || (li.is_operational && li.master == 0))
			return w;
		if (li.is_operational) {
			index = li.master;
			continue;
		}
		left = clock_left(deadline);
		if (left == 0)
			return 1;
		(void)poll(NULL, 0, left < slice ? left : slice);
		if (slice < MAX_SLICE_MS)
			slice *= 2;
	}
}

struct each {
	int (*fn)(const struct link_info *, void *arg);
	void *arg;
};

static int each_link(const void *item, void *arg)
{
	const struct each *c = arg;

	return c->fn(item, c->arg);
}

int link_each(struct rtnl *r, int (*fn)(const struct link_info *, void *arg), void *arg,
	      struct err *e)
{
	static const struct dump_spec spec = {
		.what = "listing the links",
		.size = sizeof(struct link_info),
		.key_size = sizeof(uint32_t),
		.parse = parse_link,
	};
	struct each c = {.fn = fn, .arg = arg};

	return dump_run(r, get_msg(NLM_F_DUMP, 0, NULL), &spec, each_link, &c, e);
}

/* ---- making ---- */

static struct nl_msg *new_msg(uint16_t flags, uint32_t index, bool is_up)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC,
				.ifi_index = (int)index,
				.ifi_flags = is_up ? IFF_UP : 0,
				.ifi_change = is_up ? IFF_UP : 0};

	return rtnl_msg(RTM_NEWLINK, flags, &ifi, sizeof(ifi));
}

static int put_mac(struct nl_msg *m, const struct mac *mac)
{
	return nla_put(m, IFLA_ADDRESS, sizeof(mac->b), mac->b);
}

/* What both ends of a veth have in common. */
static int put_end(struct nl_msg *m, const char *name, const struct mac *mac, uint32_t mtu)
{
	int bad = 0;

	bad |= nla_put_string(m, IFLA_IFNAME, name);
	bad |= put_mac(m, mac);
	if (mtu)
		bad |= nla_put_u32(m, IFLA_MTU, mtu);
	bad |= nla_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
	bad |= nla_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
	return bad;
}

static int put_peer(struct nl_msg *m, const struct veth_spec *s)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	struct nlattr *info, *data, *peer;
	int bad = 0;

	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info || nla_put_string(m, IFLA_INFO_KIND, "veth") < 0)
		return -1;
	data = nla_nest_start(m, IFLA_INFO_DATA);
	if (!data)
		return -1;
	peer = nla_nest_start(m, VETH_INFO_PEER);
	if (!peer || nlmsg_append(m, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0)
		return -1;
	bad |= put_end(m, s->ctr_ifname, &s->ctr_mac, s->mtu);
	bad |= nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)s->ctr_netns_fd);
	bad |= nla_nest_end(m, peer);
	bad |= nla_nest_end(m, data);
	bad |= nla_nest_end(m, info);
	return bad;
}

static struct nl_msg *veth_msg(const struct rtnl *r, const struct veth_spec *s)
{
	uint16_t flags = NLM_F_CREATE | NLM_F_EXCL | (rtnl_echoes(r) ? NLM_F_ECHO : 0);
	struct nl_msg *m = new_msg(flags, 0, true);
	int bad = 0;

	if (!m)
		return NULL;
	bad |= put_end(m, s->host_ifname, &s->host_mac, s->mtu);
	if (s->group)
		bad |= nla_put_u32(m, IFLA_GROUP, s->group);
	if (s->master)
		bad |= nla_put_u32(m, IFLA_MASTER, s->master);
	bad |= put_peer(m, s);
	return rtnl_msg_done(m, bad);
}

/* The index of a new link: from the echo in li, else by asking. */
static int find_new(struct rtnl *r, const char *name, struct link_info *li, struct err *e)
{
	int w;

	if (li->index)
		return 0;
	w = link_get(r, name, li, e);
	if (w > 0)
		return err_set(e, ERR_ABSENT, ENODEV, "%s has vanished", name);
	return w;
}

/* Says which of the two names is in the way, or why the bridge did not take the link. */
static int explain_veth(struct rtnl *r, const struct veth_spec *s, int w, struct err *why,
			struct err *e)
{
	struct link_info li;

	if (w == -EEXIST && link_get(r, s->host_ifname, &li, NULL) == 0)
		return err_set(e, ERR_CONFLICT, EEXIST, "interface %s on the host", s->host_ifname);
	if (w == -EEXIST)
		return err_what(e,
				err_set(e, ERR_CONFLICT, EEXIST, "interface %s in the container",
					s->ctr_ifname),
				WHAT_INTERFACE);
	if (s->master && link_get_index(r, s->master, &li, NULL) == 1)
		return err_set(e, ERR_ABSENT, ENODEV, "no bridge with index %u", s->master);
	if (w == -EXFULL)
		return err_set(e, ERR_QUOTA, EXFULL, "the bridge takes no more ports");
	if (w == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0, "the kernel has no veth (CONFIG_VETH)");
	if (e)
		*e = *why;
	return err_ctx(e, w, "veth pair %s, %s", s->host_ifname, s->ctr_ifname);
}

/* The kernel takes no address family attributes with a new link. */
static int set_addrgen_now(struct rtnl *r, uint32_t index, enum link_addrgen mode, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	int w;

	w = rtnl_batch_new(r, &b, e);
	if (w == 0)
		w = link_set_addrgen(b, index, mode, e);
	return w < 0 ? w : rtnl_batch_run(b, e);
}

int link_veth_add(struct rtnl *host, const struct veth_spec *s, uint32_t *ret_host,
		  uint32_t *ret_ctr, struct err *e)
{
	struct err why = ERR_INIT;
	struct link_info li = {0};
	int w;

	if (check_name(s->host_ifname, e) < 0 || check_name(s->ctr_ifname, e) < 0)
		return -EINVAL;
	w = rtnl_call(host, veth_msg(host, s), on_link, NULL, &li, "creating", &why);
	if (w < 0)
		return explain_veth(host, s, w, &why, e);
	w = find_new(host, s->host_ifname, &li, e);
	if (w == 0)
		w = set_addrgen_now(host, li.index, LINK_ADDRGEN_NONE, e);
	if (w < 0) {
		if (li.index)
			(void)link_del(host, li.index, NULL);
		return err_ctx(e, w, "veth pair %s, %s", s->host_ifname, s->ctr_ifname);
	}
	*ret_host = li.index;
	*ret_ctr = li.peer_index;
	if (s->ret_host)
		*s->ret_host = li;
	return 0;
}

static int put_bridge(struct nl_msg *m)
{
	struct nlattr *info, *data;
	int bad = 0;

	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info || nla_put_string(m, IFLA_INFO_KIND, "bridge") < 0)
		return -1;
	data = nla_nest_start(m, IFLA_INFO_DATA);
	if (!data)
		return -1;
	bad |= nla_put_u32(m, IFLA_BR_FORWARD_DELAY, 0);
	bad |= nla_put_u32(m, IFLA_BR_STP_STATE, 0);
	bad |= nla_put_u8(m, IFLA_BR_MCAST_SNOOPING, 1);
	bad |= nla_put_u64(m, IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, MCAST_QUERY_RESPONSE);
	bad |= nla_nest_end(m, data);
	bad |= nla_nest_end(m, info);
	return bad;
}

static int put_querier(struct nl_msg *m)
{
	struct nlattr *info, *data;
	int bad = 0;

	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info || nla_put_string(m, IFLA_INFO_KIND, "bridge") < 0)
		return -1;
	data = nla_nest_start(m, IFLA_INFO_DATA);
	if (!data)
		return -1;
	bad |= nla_put_u8(m, IFLA_BR_MCAST_QUERIER, 1);
	bad |= nla_nest_end(m, data);
	bad |= nla_nest_end(m, info);
	return bad;
}

static struct nl_msg *bridge_msg(const struct rtnl *r, const struct bridge_spec *s)
{
	uint16_t flags = NLM_F_CREATE | NLM_F_EXCL | (rtnl_echoes(r) ? NLM_F_ECHO : 0);
	struct nl_msg *m = new_msg(flags, 0, false);
	int bad = 0;

	if (!m)
		return NULL;
	bad |= nla_put_string(m, IFLA_IFNAME, s->name);
	bad |= put_mac(m, &s->mac);
	if (s->mtu)
		bad |= nla_put_u32(m, IFLA_MTU, s->mtu);
	if (s->group)
		bad |= nla_put_u32(m, IFLA_GROUP, s->group);
	bad |= put_bridge(m);
	return rtnl_msg_done(m, bad);
}

/* The querier starts with the response interval that it finds, and the kernel looks at that
 * attribute last: in one request it would wait for the default of 10 s. It speaks IPv6 from a
 * link-local address only, so the bridge needs one of its own. */
static int bridge_up(struct rtnl *r, uint32_t index, bool keep_down, struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	struct nl_msg *m;
	int w;

	w = rtnl_batch_new(r, &b, e);
	if (w < 0)
		return w;
	m = new_msg(0, index, false);
	if (m)
		m = rtnl_msg_done(m, put_querier(m));
	w = rtnl_batch_add(b, m, 0, "setting up multicast snooping", e);
	if (w == 0)
		w = link_set_addrgen(b, index, LINK_ADDRGEN_EUI64, e);
	if (w == 0 && !keep_down)
		w = link_set_up(b, index, e);
	return w < 0 ? w : rtnl_batch_run(b, e);
}

int link_bridge_add(struct rtnl *r, const struct bridge_spec *s, uint32_t *ret_index, struct err *e)
{
	struct link_info li = {0};
	int w;

	w = check_name(s->name, e);
	if (w < 0)
		return w;
	w = rtnl_call(r, bridge_msg(r, s), on_link, NULL, &li, "creating", e);
	if (w == 0)
		w = find_new(r, s->name, &li, e);
	if (w == 0)
		w = bridge_up(r, li.index, s->keep_down, e);
	if (w < 0) {
		if (li.index)
			(void)link_del(r, li.index, NULL);
		if (w == -EOPNOTSUPP)
			w = err_set(e, ERR_UNSUPPORTED, 0,
				    "the kernel has no bridge (CONFIG_BRIDGE)");
		return err_ctx(e, w, "bridge %s", s->name);
	}
	*ret_index = li.index;
	return 0;
}

/* ---- changing ---- */

int link_set_master(struct rtnl_batch *b, uint32_t index, uint32_t bridge, struct err *e)
{
	struct nl_msg *m = new_msg(0, index, false);

	if (m)
		m = rtnl_msg_done(m, nla_put_u32(m, IFLA_MASTER, bridge));
	return rtnl_batch_add(b, m, 0, "putting the link on its bridge", e);
}

int link_set_up(struct rtnl_batch *b, uint32_t index, struct err *e)
{
	return rtnl_batch_add(b, new_msg(0, index, true), 0, "setting a link up", e);
}

int link_set_mtu(struct rtnl_batch *b, uint32_t index, uint32_t mtu, struct err *e)
{
	struct nl_msg *m = new_msg(0, index, false);

	if (m)
		m = rtnl_msg_done(m, nla_put_u32(m, IFLA_MTU, mtu));
	return rtnl_batch_add(b, m, 0, "setting the MTU of a link", e);
}

int link_set_mac(struct rtnl_batch *b, uint32_t index, const struct mac *mac, struct err *e)
{
	struct nl_msg *m = new_msg(0, index, false);

	if (m)
		m = rtnl_msg_done(m, put_mac(m, mac));
	return rtnl_batch_add(b, m, 0, "setting the MAC address of a link", e);
}

static int put_addrgen(struct nl_msg *m, enum link_addrgen mode)
{
	struct nlattr *spec, *inet6;
	int bad = 0;

	spec = nla_nest_start(m, IFLA_AF_SPEC);
	inet6 = spec ? nla_nest_start(m, AF_INET6) : NULL;
	if (!inet6)
		return -1;
	bad |= nla_put_u8(m, IFLA_INET6_ADDR_GEN_MODE,
			  mode == LINK_ADDRGEN_NONE ? IN6_ADDR_GEN_MODE_NONE
						    : IN6_ADDR_GEN_MODE_EUI64);
	bad |= nla_nest_end(m, inet6);
	bad |= nla_nest_end(m, spec);
	return bad;
}

int link_set_addrgen(struct rtnl_batch *b, uint32_t index, enum link_addrgen mode, struct err *e)
{
	struct nl_msg *m = new_msg(0, index, false);

	if (m)
		m = rtnl_msg_done(m, put_addrgen(m, mode));
	/* A link without IPv6 (switched off, or an MTU below 1280) has no such setting. */
	return rtnl_batch_add(b, m, EAFNOSUPPORT, "setting IPv6 address generation", e);
}

int link_settle(struct rtnl_batch *b, uint32_t index, struct err *e)
{
	return rtnl_batch_add(b, get_msg(0, index, NULL), 0, "reading a link", e);
}
