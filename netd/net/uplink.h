/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uplink: which interface leads to the rest of the world, by one route lookup whatever the number
 * of routes. No packet is sent. */
#ifndef NETD_NET_UPLINK_H
#define NETD_NET_UPLINK_H

#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "net/link.h"
#include "net/rtnl.h"

/* fam: FAM4 or FAM6. *ret_mtu is the route's where it has one, else the link's. 1 when there is no
 * way out in that family. */
int uplink_find(struct rtnl *r, int fam, struct link_info *ret_link, uint32_t *ret_mtu,
		struct err *e);
/* Its number alone, which is one request less. */
int uplink_index(struct rtnl *r, int fam, uint32_t *ret, struct err *e);
/* How the host itself gets to the world. */
struct uplink {
	struct link_info link;
	uint32_t mtu;       /* as uplink_find's */
	struct ip gateway;  /* family 0: none, everybody is on the link */
	struct prefix addr; /* that it sends from, with the length that it has; family 0: none */
};
/* By the interface of that index alone, or by any (0). 1 when there is no way out. */
int uplink_route(struct rtnl *r, int fam, uint32_t ifindex, struct uplink *ret, struct err *e);
/* The MTU towards the world: IPv4's way out, else IPv6's, else 1500. */
int uplink_mtu(struct rtnl *r, uint32_t *ret, struct err *e);

#endif
