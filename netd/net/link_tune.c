/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_tune: settings of a link that is there. Only queues requests. Read netdevice(7) for flags.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#include "net/link.h"
#include "net/rtnl_wire.h"

int link_set_flags(struct rtnl_batch *b, uint32_t index, unsigned int mask, unsigned int value,
		   struct err *e)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};

	if (mask & LINK_PROMISC)
		ifi.ifi_change |= IFF_PROMISC;
	if (mask & LINK_ALLMULTI)
		ifi.ifi_change |= IFF_ALLMULTI;
	if (value & LINK_PROMISC)
		ifi.ifi_flags |= IFF_PROMISC;
	if (value & LINK_ALLMULTI)
		ifi.ifi_flags |= IFF_ALLMULTI;
	return rtnl_batch_add(b, rtnl_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi)), 0,
			      "setting a link's flags", e);
}

int link_set_group(struct rtnl_batch *b, uint32_t index, uint32_t group, struct err *e)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	struct nl_msg *m = rtnl_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	if (m)
		m = rtnl_msg_done(m, nla_put_u32(m, IFLA_GROUP, group));
	return rtnl_batch_add(b, m, ENODEV, "setting a link's group", e);
}

int link_set_tx_queue_len(struct rtnl_batch *b, uint32_t index, uint32_t len, struct err *e)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	struct nl_msg *m = rtnl_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	if (m)
		m = rtnl_msg_done(m, nla_put_u32(m, IFLA_TXQLEN, len));
	return rtnl_batch_add(b, m, 0, "setting a link's queue length", e);
}
