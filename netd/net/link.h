/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: veth pairs, bridges and bridge ports. Adders that take a batch queue one request; the
 * others perform theirs before they return.
 */
#ifndef NETD_NET_LINK_H
#define NETD_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/name.h"
#include "net/rtnl.h"

/* All host-side veths carry this group, so that many can be deleted by one request. */
#define LINK_GROUP_VETH 0x6e75
/* Bridges of ours; with the MAC that follows from the gateway this tells them from others'. */
#define LINK_GROUP_BRIDGE 0x6e62

/* ifbs that hold a container's rate limit. */
#define LINK_GROUP_IFB 0x6e69
/* What nobody owns any more, marked to be deleted by one request. */
#define LINK_GROUP_STRAY 0x6e73

struct link_info;
struct veth_spec {
	const char *host_ifname, *ctr_ifname;
	int ctr_netns_fd;
	struct mac host_mac, ctr_mac;
	uint32_t mtu;
	uint32_t master; /* ifindex of the bridge, 0: none */
	uint32_t group;
	struct link_info *ret_host; /* the host side as it was made; NULL: nobody wants to know */
};

/* One RTM_NEWLINK with the peer created in place, one queue each way, host side up. The kernel's
 * echo yields both indexes (before Linux 6.2 the link is read instead), so *ret_ctr is always set.
 * A second request switches IPv6 address generation off outside (the kernel refuses it in the
 * first); inside it is up to the caller: link_set_addrgen before link_set_up, in one batch. A name
 * taken inside or outside is ERR_CONFLICT and says which; a full bridge is ERR_QUOTA. Nothing is
 * left when it fails. */
int link_veth_add(struct rtnl *host, const struct veth_spec *s, uint32_t *ret_host,
		  uint32_t *ret_ctr, struct err *e);

struct link_info {
	uint32_t index, mtu, group, master;
	uint32_t peer_index;     /* IFLA_LINK */
	bool is_up, is_lower_up; /* IFF_UP, IFF_LOWER_UP */
	bool is_operational;     /* carrier, and the kernel has acted on it (IF_OPER_UP) */
	/* IPv4 forwarding, and IPv6 force_forwarding (Linux 6.17), are known to be on. */
	bool is_forwarding[N_FAM];
	struct mac mac;
	char name[IFNAME_STRLEN];
	char kind[16]; /* "veth", "bridge", "" */
};
/* Does it carry one of the groups above? */
bool link_is_ours(const struct link_info *l);
/* By name. 1 when there is none. Getting a link also makes the kernel (since Linux 6.8) process its
 * pending carrier event, which is how the caller waits for carrier without sleeping. */
int link_get(struct rtnl *r, const char *name, struct link_info *ret, struct err *e);
int link_get_index(struct rtnl *r, uint32_t index, struct link_info *ret, struct err *e);
/* Waits until the link is operational: carrier is reported before the kernel sends anything, and
 * what is sent in between is lost. Then the same for its bridge, which has carrier from its first
 * port on. At once where getting a link has that effect. 1 when the time was up; a link that is not
 * there is ERR_ABSENT. */
int link_wait_carrier(struct rtnl *r, uint32_t index, int timeout_ms, struct err *e);
/* Every link; fn returns non-zero to stop, and that is returned. fn may use the socket. A link that
 * comes or goes meanwhile may be in or not; one that stays is always in, once. */
int link_each(struct rtnl *r, int (*fn)(const struct link_info *, void *arg), void *arg,
	      struct err *e);

struct bridge_spec {
	const char *name;
	struct mac mac;
	uint32_t mtu;
	uint32_t group;
	bool keep_down; /* the caller sets it up when its addresses are there */
};
/* Creates a bridge with a fixed MAC: no STP, forward delay 0, multicast snooping with a querier of
 * its own (so that solicitations reach their target only; it counts after a query response
 * interval, 1 s, and until then everything is flooded), then up. The querier speaks IPv6 only while
 * the bridge has a link-local address that is not tentative. An existing link of that name is
 * ERR_CONFLICT. Does not add addresses. */
int link_bridge_add(struct rtnl *r, const struct bridge_spec *s, uint32_t *ret_index,
		    struct err *e);

struct port_spec {
	uint32_t index; /* of the host veth */
	bool isolated, hairpin;
	bool flood; /* unknown unicast */
	bool mcast_flood;
	bool learning;
	bool guard; /* BPDU guard + root block */
};
int link_port_set(struct rtnl_batch *b, const struct port_spec *s, struct err *e);
/* Static and sticky FDB entry mac -> port; it goes with the port. */
int link_fdb_add(struct rtnl_batch *b, uint32_t port, const struct mac *m, struct err *e);
/* Static membership of a port in an IPv6 multicast group; it goes with the port. Needed for the
 * solicited-node groups (ip_solicited_node) of a container's addresses: it reports them itself, but
 * later than the first solicitations come, and a bridge whose querier counts drops those for groups
 * that it has not heard of. One that is there already counts as success. */
int link_mdb_add(struct rtnl_batch *b, uint32_t bridge, uint32_t port, const struct ip *group,
		 struct err *e);

/* How a link gets its IPv6 link-local address when it comes up. */
enum link_addrgen { LINK_ADDRGEN_EUI64, LINK_ADDRGEN_NONE };
/* Takes effect when the link comes up: queue it before link_set_up. */
int link_set_addrgen(struct rtnl_batch *b, uint32_t index, enum link_addrgen mode, struct err *e);
int link_set_up(struct rtnl_batch *b, uint32_t index, struct err *e);
int link_set_mtu(struct rtnl_batch *b, uint32_t index, uint32_t mtu, struct err *e);
int link_set_mac(struct rtnl_batch *b, uint32_t index, const struct mac *mac, struct err *e);
/* IFF_PROMISC and IFF_ALLMULTI of those in mask, as value says; other flags stay. */
#define LINK_PROMISC 1u
#define LINK_ALLMULTI 2u
int link_set_flags(struct rtnl_batch *b, uint32_t index, unsigned int mask, unsigned int value,
		   struct err *e);
/* One that is gone meanwhile counts as success. */
int link_set_group(struct rtnl_batch *b, uint32_t index, uint32_t group, struct err *e);
int link_set_tx_queue_len(struct rtnl_batch *b, uint32_t index, uint32_t len, struct err *e);
/* Makes a link a port of a bridge: before link_port_set where somebody took it out. */
int link_set_master(struct rtnl_batch *b, uint32_t index, uint32_t bridge, struct err *e);
/* Makes the kernel process the link's pending carrier event at this place of the batch, as link_get
 * does: queue it after link_set_up and before addresses. */
int link_settle(struct rtnl_batch *b, uint32_t index, struct err *e);

/* Deletes and waits for the kernel's full acknowledgement (an RCU barrier, about 15 ms).
 * 1 when it was not there. */
int link_del(struct rtnl *r, uint32_t index, struct err *e);
/* All links of a group in one request. 1 when there was none. */
int link_del_group(struct rtnl *r, uint32_t group, struct err *e);
/* Deletes and returns on the kernel's echo; a child that shares nothing but memory sits out the
 * barrier (and inherits hold_fd, an nft socket or -1, whose release waits too). r must not be used
 * by the caller afterwards but for closing; hold_fd may. 1 when it was not there. */
int link_del_echo(struct rtnl *r, uint32_t index, int hold_fd, struct err *e);

#endif
