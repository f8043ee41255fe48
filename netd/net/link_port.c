/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_port: bridge ports, and the forwarding and multicast databases. Only queues requests. Port
 * attributes go with RTM_NEWLINK (RTM_SETLINK ignores them) and only once the link has its bridge.
 * Read bridge(8) and the kernel's net/bridge/br_netlink.c, br_fdb.c.
 */
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include "net/link.h"
#include "net/rtnl_wire.h"

static int put_port(struct nl_msg *m, const struct port_spec *s)
{
	struct nlattr *info, *data;
	int bad = 0;

	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info || nla_put_string(m, IFLA_INFO_SLAVE_KIND, "bridge") < 0)
		return -1;
	data = nla_nest_start(m, IFLA_INFO_SLAVE_DATA);
	if (!data)
		return -1;
	bad |= nla_put_u8(m, IFLA_BRPORT_ISOLATED, s->isolated);
	bad |= nla_put_u8(m, IFLA_BRPORT_MODE, s->hairpin);
	bad |= nla_put_u8(m, IFLA_BRPORT_UNICAST_FLOOD, s->flood);
	bad |= nla_put_u8(m, IFLA_BRPORT_MCAST_FLOOD, s->mcast_flood);
	bad |= nla_put_u8(m, IFLA_BRPORT_LEARNING, s->learning);
	bad |= nla_put_u8(m, IFLA_BRPORT_GUARD, s->guard);
	bad |= nla_put_u8(m, IFLA_BRPORT_PROTECT, s->guard);
	bad |= nla_nest_end(m, data);
	bad |= nla_nest_end(m, info);
	return bad;
}

int link_port_set(struct rtnl_batch *b, const struct port_spec *s, struct err *e)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)s->index};
	struct nl_msg *m = rtnl_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	if (m)
		m = rtnl_msg_done(m, put_port(m, s));
	return rtnl_batch_add(b, m, 0, "setting up a bridge port", e);
}

int link_fdb_add(struct rtnl_batch *b, uint32_t port, const struct mac *mac, struct err *e)
{
	/* NUD_NOARP is a static entry; NUD_PERMANENT would make it an address of the bridge itself.
	 * A sticky entry does not follow the address to a port where somebody else uses it. */
	struct ndmsg nd = {.ndm_family = PF_BRIDGE,
			   .ndm_ifindex = (int)port,
			   .ndm_state = NUD_NOARP,
			   .ndm_flags = NTF_MASTER | NTF_STICKY};
	struct nl_msg *m = rtnl_msg(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &nd, sizeof(nd));

	if (m)
		m = rtnl_msg_done(m, nla_put(m, NDA_LLADDR, sizeof(mac->b), mac->b));
	return rtnl_batch_add(b, m, 0, "adding a forwarding entry to the bridge", e);
}

int link_mdb_add(struct rtnl_batch *b, uint32_t bridge, uint32_t port, const struct ip *group,
		 struct err *e)
{
	struct br_port_msg bpm = {.family = PF_BRIDGE, .ifindex = bridge};
	struct br_mdb_entry entry = {.ifindex = port, .state = MDB_PERMANENT};
	struct nl_msg *m;

	if (group->family != AF_INET6 || !ip_is_multicast(group))
		return err_invalid(e, ERR_INTERNAL, "not an IPv6 multicast group");
	memcpy(&entry.addr.u.ip6, group->b, sizeof(entry.addr.u.ip6));
	entry.addr.proto = htons(ETH_P_IPV6);
	m = rtnl_msg(RTM_NEWMDB, NLM_F_CREATE | NLM_F_EXCL, &bpm, sizeof(bpm));
	if (m)
		m = rtnl_msg_done(m, nla_put(m, MDBA_SET_ENTRY, sizeof(entry), &entry));
	return rtnl_batch_add(b, m, EEXIST, "adding a multicast group to a bridge port", e);
}
