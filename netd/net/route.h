/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route: addresses, routes and neighbours; queued into a batch, or read. */
#ifndef NETD_NET_ROUTE_H
#define NETD_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "net/rtnl.h"

/* IFA_F_NODAD for IPv6; an address that is there already counts as success. */
int route_addr_add(struct rtnl_batch *b, uint32_t ifindex, const struct prefix *p, struct err *e);

/* The same with duplicate address detection. */
int route_addr_add_dad(struct rtnl_batch *b, uint32_t ifindex, const struct prefix *p,
		       struct err *e);
/* One that is there to be reached, and not picked for what the host sends: of host scope, or
 * deprecated. */
int route_addr_add_quiet(struct rtnl_batch *b, uint32_t ifindex, const struct ip *ip,
			 struct err *e);
/* One that is not there counts as success. */
int route_addr_del(struct rtnl_batch *b, uint32_t ifindex, const struct prefix *p, struct err *e);

struct route_spec {
	struct prefix dst; /* len 0: the default route (ip.family says which) */
	struct ip gateway; /* family 0: directly on the link */
	uint32_t ifindex;
	struct ip src; /* preferred source; family 0: none */
	bool onlink;
	bool beside; /* goes in beside others to the same destination; the very same is success */
	uint32_t mtu, advmss, priority; /* 0: not said */
	uint32_t table;                 /* 0: main */
	int scope;                      /* 0: as follows from the gateway; else RT_SCOPE_* */
};
/* An existing route to the same destination is ERR_CONFLICT. */
int route_add(struct rtnl_batch *b, const struct route_spec *s, struct err *e);

/* Adding replaces an entry for the same address; deleting what is not there counts as success, as
 * does a stale one for which the kernel has no room. */
enum neigh_state { NEIGH_PERMANENT, NEIGH_STALE };
int route_neigh_add(struct rtnl_batch *b, uint32_t ifindex, const struct ip *ip,
		    const struct mac *m, enum neigh_state state, struct err *e);
int route_neigh_del(struct rtnl_batch *b, uint32_t ifindex, const struct ip *ip, struct err *e);

/* Every address and every route (main table) of the namespace; fn returns non-zero to stop, and
 * that is returned. Of several next hops the first is shown; routes that drop have ifindex 0. */
int route_each_addr(struct rtnl *r, int (*fn)(uint32_t ifindex, const struct prefix *p, void *arg),
		    void *arg, struct err *e);
int route_each(struct rtnl *r, int (*fn)(const struct route_spec *s, void *arg), void *arg,
	       struct err *e);

/* 1 when the IPv6 address receives packets on ifindex, 0 when not yet. */
int route_is_local(struct rtnl *r, uint32_t ifindex, const struct ip *ip, struct err *e);
/* 1 when packets to it leave the host: it is neither an address of its own, nor a broadcast,
 * anycast or multicast one, nor is there no way to it; else 0. */
int route_is_elsewhere(struct rtnl *r, const struct ip *ip, struct err *e);
/* Waits until the IPv6 address receives packets on ifindex: an address added with IFA_F_NODAD is
 * not tentative, but the kernel makes its local route a little after the acknowledgement. The
 * socket joins RTNLGRP_IPV6_ROUTE; it is best opened before the address is added. See also link_get
 * for the carrier. */
struct route_watch;
int route_watch_open(int netns_fd, struct route_watch **ret, struct err *e);
int route_watch_wait(struct route_watch *w, uint32_t ifindex, const struct ip *ip, int timeout_ms,
		     struct err *e); /* 1 when the time was up */
void route_watch_closep(struct route_watch **w);
#define CLEAN_ROUTE_WATCH __attribute__((cleanup(route_watch_closep)))

#endif
