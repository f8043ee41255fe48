/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_vlan: see the header. Read bridge(8), the kernel's net/bridge/br_netlink.c (br_validate,
 * br_afspec, br_fill_ifvlaninfo), net/core/rtnetlink.c (rtnl_bridge_setlink) and
 * include/uapi/linux/if_bridge.h.
 */
#include "net/link_vlan.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include "net/rtnl_wire.h"

/* ---- what the kernel and a bridge have ---- */

/* IFLA_LINKINFO of a bridge with one attribute of its data. */
static int put_bridge(struct nl_msg *m, int attr, const void *data, int len)
{
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO), *options;
	int bad = info ? nla_put_string(m, IFLA_INFO_KIND, "bridge") : -1;

	options = info ? nla_nest_start(m, IFLA_INFO_DATA) : NULL;
	if (!options)
		return -1;
	bad |= nla_put(m, attr, len, data);
	bad |= nla_nest_end(m, options);
	return bad | nla_nest_end(m, info);
}

int link_vlan_probe(struct rtnl *r, struct err *e)
{
	/* A new bridge named `lo`, which exists, with a VLAN protocol that there is not. Attributes
	 * are looked at first, where they are looked at: EPROTONOSUPPORT. Else EEXIST. */
	const struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = rtnl_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, sizeof(ifi));
	const uint16_t none = 0;
	struct err mine = ERR_INIT;
	int bad, w;

	if (m) {
		bad = nla_put_string(m, IFLA_IFNAME, "lo");
		bad |= put_bridge(m, IFLA_BR_VLAN_PROTOCOL, &none, sizeof(none));
		m = rtnl_msg_done(m, bad);
	}
	w = rtnl_call(r, m, NULL, NULL, NULL, "probing for VLAN filtering", &mine);
	if (w == -EPROTONOSUPPORT)
		return 1;
	if (w == -EEXIST || w == -EOPNOTSUPP) /* no bridges at all */
		return 0;
	if (w >= 0)
		return err_set(e, ERR_INTERNAL, 0, "probing for VLAN filtering made something");
	if (e)
		*e = mine;
	return w;
}

struct bridge_answer {
	bool is_bridge;
	struct vlan_bridge v;
};

static void on_bridge(struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *data[IFLA_BR_MAX + 1];
	struct bridge_answer *a = arg;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse(h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0 ||
	    !tb[IFLA_LINKINFO] ||
	    nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) < 0 ||
	    !info[IFLA_INFO_KIND] || nla_strcmp(info[IFLA_INFO_KIND], "bridge") != 0)
		return;
	a->is_bridge = true;
	if (!info[IFLA_INFO_DATA] ||
	    nla_parse_nested(data, IFLA_BR_MAX, info[IFLA_INFO_DATA], NULL) < 0)
		return;
	if (data[IFLA_BR_VLAN_FILTERING] && nla_len(data[IFLA_BR_VLAN_FILTERING]) >= 1)
		a->v.is_filtering = nla_get_u8(data[IFLA_BR_VLAN_FILTERING]);
	if (data[IFLA_BR_VLAN_DEFAULT_PVID] && nla_len(data[IFLA_BR_VLAN_DEFAULT_PVID]) >= 2)
		a->v.default_pvid = nla_get_u16(data[IFLA_BR_VLAN_DEFAULT_PVID]);
}

int link_vlan_bridge(struct rtnl *r, uint32_t index, struct vlan_bridge *ret, struct err *e)
{
	const struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	struct bridge_answer a = {.is_bridge = false};
	struct err mine = ERR_INIT;
	int w = rtnl_call(r, rtnl_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi)), on_bridge, NULL, &a,
			  "reading a bridge", &mine);

	if (w == -ENODEV || (w >= 0 && !a.is_bridge))
		return 1;
	if (w < 0) {
		if (e)
			*e = mine;
		return w;
	}
	*ret = a.v;
	return 0;
}

struct nl_msg *link_vlan_filter_msg(uint32_t bridge)
{
	const struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)bridge};
	struct nl_msg *m = rtnl_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	const uint8_t on = 1;

	return m ? rtnl_msg_done(m, put_bridge(m, IFLA_BR_VLAN_FILTERING, &on, sizeof(on))) : NULL;
}

int link_vlan_filter(struct rtnl_batch *b, uint32_t bridge, struct err *e)
{
	return rtnl_batch_add(b, link_vlan_filter_msg(bridge), 0,
			      "switching a bridge's VLAN filtering on", e);
}

/* ---- VLANs of a port ---- */

static int put_info(struct nl_msg *m, uint16_t vid, uint16_t flags)
{
	const struct bridge_vlan_info info = {.flags = flags, .vid = vid};

	return nla_put(m, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
}

static int put_entry(struct nl_msg *m, bool is_self, const struct vlan_entry *v)
{
	uint16_t flags = (uint16_t)((v->is_pvid ? BRIDGE_VLAN_INFO_PVID : 0) |
				    (v->is_untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
	struct nlattr *spec = nla_nest_start(m, IFLA_AF_SPEC);
	int bad = 0;

	if (!spec)
		return -1;
	/* Without it the request is its bridge's (BRIDGE_FLAGS_MASTER), which a port has. */
	if (is_self)
		bad |= nla_put_u16(m, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
	if (v->min == v->max) {
		bad |= put_info(m, v->min, flags);
	} else {
		bad |= put_info(m, v->min, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN);
		bad |= put_info(m, v->max, flags | BRIDGE_VLAN_INFO_RANGE_END);
	}
	return bad | nla_nest_end(m, spec);
}

struct nl_msg *link_vlan_msg(bool is_add, uint32_t index, bool is_self, const struct vlan_entry *v)
{
	const struct ifinfomsg ifi = {.ifi_family = PF_BRIDGE, .ifi_index = (int)index};
	struct nl_msg *m = rtnl_msg(is_add ? RTM_SETLINK : RTM_DELLINK, 0, &ifi, sizeof(ifi));

	return m ? rtnl_msg_done(m, put_entry(m, is_self, v)) : NULL;
}

static int check_entry(const struct vlan_entry *v, struct err *e)
{
	if (v->min < 1 || v->max > 4094 || v->min > v->max || (v->is_pvid && v->min != v->max))
		return err_invalid(e, ERR_INTERNAL, "not a VLAN: %u to %u", v->min, v->max);
	return 0;
}

int link_vlan_add(struct rtnl_batch *b, uint32_t index, bool is_self, const struct vlan_entry *v,
		  struct err *e)
{
	int r = check_entry(v, e);

	return r < 0 ? r
		     : rtnl_batch_add(b, link_vlan_msg(true, index, is_self, v), 0,
				      "adding a VLAN to a bridge port", e);
}

int link_vlan_del(struct rtnl_batch *b, uint32_t index, bool is_self, const struct vlan_entry *v,
		  struct err *e)
{
	int r = check_entry(v, e);

	return r < 0 ? r
		     : rtnl_batch_add(b, link_vlan_msg(false, index, is_self, v), ENOENT,
				      "taking a VLAN off a bridge port", e);
}

#define EACH_MAX 4096

struct port_vlans {
	uint32_t index;
	uint16_t begin; /* of a range whose end is to come, 0: none */
	size_t n;
	struct vlan_entry v[EACH_MAX];
};

static void see_info(struct port_vlans *p, const struct bridge_vlan_info *i)
{
	struct vlan_entry v = {.min = i->vid,
			       .max = i->vid,
			       .is_pvid = i->flags & BRIDGE_VLAN_INFO_PVID,
			       .is_untagged = i->flags & BRIDGE_VLAN_INFO_UNTAGGED};

	if (i->flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
		p->begin = i->vid;
		return;
	}
	if (i->flags & BRIDGE_VLAN_INFO_RANGE_END) {
		v.min = p->begin;
		p->begin = 0;
	}
	if (check_entry(&v, NULL) == 0 && p->n < EACH_MAX)
		p->v[p->n++] = v;
}

static void on_port(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = nlmsg_data(h);
	struct port_vlans *p = arg;
	struct nlattr *spec, *a;
	int left;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_datalen(h) < (int)sizeof(*ifi) ||
	    ifi->ifi_family != PF_BRIDGE || ifi->ifi_index != (int)p->index)
		return;
	spec = nlmsg_find_attr(h, sizeof(*ifi), IFLA_AF_SPEC);
	if (!spec)
		return;
	nla_for_each_nested(a, spec, left)
	{
		struct bridge_vlan_info info;

		if (nla_type(a) != IFLA_BRIDGE_VLAN_INFO || nla_len(a) < (int)sizeof(info))
			continue;
		memcpy(&info, nla_data(a), sizeof(info));
		see_info(p, &info);
	}
}

static void restart(void *arg)
{
	struct port_vlans *p = arg;

	p->n = 0;
	p->begin = 0;
}

int link_vlan_each(struct rtnl *r, uint32_t index, int (*fn)(const struct vlan_entry *v, void *arg),
		   void *arg, struct err *e)
{
	const struct ifinfomsg ifi = {.ifi_family = PF_BRIDGE};
	struct nl_msg *m = rtnl_msg(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi));
	struct port_vlans p = {.index = index};
	int w;

	if (m)
		m = rtnl_msg_done(m, nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED));
	w = rtnl_call(r, m, on_port, restart, &p, "listing the VLANs of bridge ports", e);
	for (size_t i = 0; w >= 0 && i < p.n; i++) {
		int stop = fn(&p.v[i], arg);

		if (stop)
			return stop;
	}
	return w < 0 ? w : 0;
}
