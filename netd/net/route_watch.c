/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * route_watch: waits until an IPv6 address receives packets. Also with IFA_F_NODAD the kernel adds
 * the local route of an address in a work item, after the request has been acknowledged; until then
 * packets to the address are lost. So the route is what is asked for, and the announcements of
 * routes say when to ask again. They alone do not do: one can be queued between the kernel's look
 * at the table and its answer, and the kernel announces a route a moment before a look finds it.
 * Therefore the question is repeated without them too, at growing intervals.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/route.h"
#include "net/rtnl_wire.h"

#define MAX_SLICE_MS 64

struct route_watch {
	struct rtnl *r;
};

int route_watch_open(int netns_fd, struct route_watch **ret, struct err *e)
{
	CLEAN_ROUTE_WATCH struct route_watch *w = calloc(1, sizeof(*w));
	int group = RTNLGRP_IPV6_ROUTE;
	int r;

	if (!w)
		return err_sys(e, ENOMEM, "watching addresses");
	r = rtnl_open_in(netns_fd, &w->r, e);
	if (r < 0)
		return r;
	if (setsockopt(rtnl_fd(w->r), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
	    0)
		return err_sys(e, errno, "watching addresses");
	*ret = w;
	w = NULL;
	return 0;
}

void route_watch_closep(struct route_watch **w)
{
	if (!*w)
		return;
	rtnl_close((*w)->r);
	free(*w);
	*w = NULL;
}

struct answer {
	uint8_t type; /* RTN_* */
	uint32_t ifindex;
};

static void on_route(struct nlmsghdr *h, void *arg)
{
	struct answer *a = arg;
	const struct rtmsg *rt = nlmsg_data(h);
	const struct nlattr *oif;

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_datalen(h) < (int)sizeof(*rt))
		return;
	oif = nlmsg_find_attr(h, sizeof(*rt), RTA_OIF);
	a->type = rt->rtm_type;
	a->ifindex = oif && nla_len(oif) == (int)sizeof(uint32_t) ? nla_get_u32(oif) : 0;
}

/* What the kernel would do with a packet to ip. RTN_UNSPEC: it has no way. */
static int look_up(struct rtnl *r, const struct ip *ip, struct answer *a, struct err *e)
{
	const int len = ip->family == AF_INET ? 4 : 16;
	struct rtmsg rt = {.rtm_family = ip->family,
			   .rtm_dst_len = (unsigned char)(len * 8),
			   .rtm_flags = RTM_F_FIB_MATCH};
	struct err mine = ERR_INIT;
	struct nl_msg *m = rtnl_msg(RTM_GETROUTE, 0, &rt, sizeof(rt));
	int w;

	*a = (struct answer){.type = RTN_UNSPEC};
	if (m)
		m = rtnl_msg_done(m, nla_put(m, RTA_DST, len, ip->b));
	w = rtnl_call(r, m, on_route, NULL, a, "looking for an address", &mine);
	if (w == -ENETUNREACH || w == -EHOSTUNREACH)
		return 0;
	if (w < 0 && e)
		*e = mine;
	return w;
}

int route_is_local(struct rtnl *r, uint32_t ifindex, const struct ip *ip, struct err *e)
{
	struct answer a;
	int w = look_up(r, ip, &a, e);

	return w < 0 ? w : a.type == RTN_LOCAL && a.ifindex == ifindex;
}

int route_is_elsewhere(struct rtnl *r, const struct ip *ip, struct err *e)
{
	struct answer a;
	int w = look_up(r, ip, &a, e);

	return w < 0 ? w : a.type == RTN_UNICAST;
}

int route_watch_wait(struct route_watch *w, uint32_t ifindex, const struct ip *ip, int timeout_ms,
		     struct err *e)
{
	uint64_t deadline = clock_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
	struct pollfd p = {.fd = rtnl_fd(w->r), .events = POLLIN};
	int r, left, slice = 1;

	if (ip->family != AF_INET6)
		return err_invalid(e, ERR_INTERNAL, "waiting for an address that is not IPv6");
	for (;;) {
		r = route_is_local(w->r, ifindex, ip, e);
		if (r != 0)
			return r < 0 ? r : 0;
		left = clock_left(deadline);
		if (left == 0)
			return 1;
		if (poll(&p, 1, left < slice ? left : slice) < 0 && errno != EINTR)
			return err_sys(e, errno, "waiting for an IPv6 address");
		if (slice < MAX_SLICE_MS)
			slice *= 2;
	}
}
