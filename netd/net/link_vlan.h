/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_vlan: VLAN filtering of bridges (CONFIG_BRIDGE_VLAN_FILTERING): whether the kernel and a
 * bridge have it, and the VLANs of a port or of the bridge's own port. Owns the encoding of
 * IFLA_AF_SPEC; decides nothing.
 */
#ifndef NETD_NET_LINK_VLAN_H
#define NETD_NET_LINK_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/rtnl.h"

struct vlan_entry {
	uint16_t min, max; /* 1..4094 */
	bool is_pvid;      /* untagged frames that come in are of it; min == max */
	bool is_untagged;  /* its frames leave without a tag */
};

struct vlan_bridge {
	bool is_filtering;
	uint16_t default_pvid; /* of new ports; 0: none */
};

/* 1: the kernel has VLAN filtering, 0: it has not. Asks for something impossible that only a kernel
 * with the feature looks at; nothing is made. */
int link_vlan_probe(struct rtnl *r, struct err *e);
/* 1: there is no such bridge. */
int link_vlan_bridge(struct rtnl *r, uint32_t index, struct vlan_bridge *ret, struct err *e);
/* Switches filtering on. */
int link_vlan_filter(struct rtnl_batch *b, uint32_t bridge, struct err *e);
/* Of a port, or with is_self of the bridge's own port. Adding what is there changes its flags;
 * taking off what is not there is fine. */
int link_vlan_add(struct rtnl_batch *b, uint32_t index, bool is_self, const struct vlan_entry *v,
		  struct err *e);
int link_vlan_del(struct rtnl_batch *b, uint32_t index, bool is_self, const struct vlan_entry *v,
		  struct err *e);
/* The VLANs of one port, or of a bridge's own port. fn returns non-zero to stop; that is returned.
 */
int link_vlan_each(struct rtnl *r, uint32_t index, int (*fn)(const struct vlan_entry *v, void *arg),
		   void *arg, struct err *e);

/* The messages alone, as the functions above send them. */
struct nl_msg *link_vlan_filter_msg(uint32_t bridge);
struct nl_msg *link_vlan_msg(bool is_add, uint32_t index, bool is_self, const struct vlan_entry *v);

#endif
