/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rate: the limits of an attachment. Towards the container: a token bucket on the host's end of its
 * link. From it: what the host's end receives goes through an ifb with a bucket. The disciplines go
 * with the link; the ifb, whose name follows from the attachment's key, is taken away by itself.
 */
#include <errno.h>
#include <string.h>

#include "engine/internal.h"
#include "net/qdisc.h"

#define BURST_PER_S 50 /* unless it is said: what passes in 20 ms */
#define HEADER 64      /* Ethernet and tags, beside the MTU */

static struct tbf_spec spec_of(uint64_t rate, uint64_t burst, uint32_t mtu)
{
	uint64_t bytes = burst ? burst / 8 : rate / 8 / BURST_PER_S;
	uint64_t min = (mtu ? mtu : 1500) + HEADER; /* else a full packet would never pass */

	bytes = bytes < min ? min : bytes;
	return (struct tbf_spec){.rate = rate / 8,
				 .burst = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX};
}

/* The host's end. 1: gone. */
static int host_end(struct engine *g, const struct attachment *a, struct link_info *ret,
		    struct err *e)
{
	if (!a->host_ifname[0])
		return 1;
	return link_get(g->host, a->host_ifname, ret, e);
}

static int set_out(struct engine *g, const struct attachment *a, const struct link_info *l,
		   struct err *e)
{
	struct tbf_spec s = spec_of(a->rate.out_rate, a->rate.out_burst, l->mtu);
	char ifb[IFNAME_STRLEN];
	uint32_t index = 0;
	int r;

	name_ifb(a->id, a->ifname, ifb);
	r = qdisc_ifb_add(g->host, ifb, l->mtu, LINK_GROUP_IFB, &index, e);
	if (r >= 0)
		r = qdisc_tbf_set(g->host, index, &s, true, e);
	return r < 0 ? r : qdisc_redirect_set(g->host, l->index, index, e);
}

static int del_ifb(struct engine *g, const struct attachment *a, bool fast, struct err *e)
{
	CLEAN_RTNL struct rtnl *own = NULL;
	char ifb[IFNAME_STRLEN];
	struct link_info l;
	int r;

	name_ifb(a->id, a->ifname, ifb);
	r = link_get(g->host, ifb, &l, e);
	if (r != 0 || strcmp(l.kind, "ifb") != 0)
		return r < 0 ? r : 0;
	if (fast)
		r = rtnl_open(&own, e); /* link_del_echo uses the socket up */
	if (r == 0)
		r = fast ? link_del_echo(own, l.index, nftbatch_fd(g->nft), e)
			 : link_del(g->host, l.index, e);
	return r < 0 ? r : 0;
}

/* That the two are one veth: the host's end of a foreign interface is what somebody says it is, and
 * a limit on another link, the host's uplink say, would be the whole host's. */
static int check_pair(const struct attachment *a, const struct link_info *host, int netns_fd,
		      struct err *e)
{
	CLEAN_RTNL struct rtnl *inside = NULL;
	struct link_info l = {0};
	int r = rtnl_open_in(netns_fd, &inside, e);

	if (r >= 0)
		r = link_get(inside, a->ifname, &l, e);
	if (r < 0 || (r == 0 && host->peer_index == l.index && l.peer_index == host->index &&
		      strcmp(host->kind, "veth") == 0))
		return r;
	return err_set(e, ERR_USAGE, 0, "%s on the host is not the other end of %s/%s", host->name,
		       a->id, a->ifname);
}

int rate_make(struct engine *g, const struct attachment *a, int netns_fd, struct err *e)
{
	struct link_info l;
	int r = host_end(g, a, &l, e);

	if (r == 1)
		return err_set(e, ERR_ABSENT, 0, "the host's end of %s/%s is not known", a->id,
			       a->ifname);
	if (r >= 0 && a->kind == ATTACH_FOREIGN && netns_fd >= 0)
		r = check_pair(a, &l, netns_fd, e);
	if (r >= 0 && a->rate.in_rate) {
		struct tbf_spec s = spec_of(a->rate.in_rate, a->rate.in_burst, l.mtu);
		r = qdisc_tbf_set(g->host, l.index, &s, a->kind == ATTACH_VETH, e);
		if (r < 0)
			err_ctx(e, r, "%s", a->host_ifname);
	} else if (r >= 0) {
		r = qdisc_tbf_del(g->host, l.index, e);
	}
	if (r >= 0 && a->rate.out_rate) {
		r = set_out(g, a, &l, e);
	} else if (r >= 0) {
		r = qdisc_redirect_del(g->host, l.index, e);
		if (r >= 0)
			r = del_ifb(g, a, false, e);
	}
	return r < 0 ? r : 0;
}

int rate_remove(struct engine *g, const struct attachment *a, bool fast, struct err *e)
{
	struct err all = ERR_INIT, one = ERR_INIT;
	struct link_info l;

	if (!attach_rate_is_set(&a->rate))
		return 0;
	int r = host_end(g, a, &l, &one);
	if (r == 0)
		r = qdisc_tbf_del(g->host, l.index, &one);
	if (r < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (r >= 0 && a->rate.out_rate && host_end(g, a, &l, NULL) == 0 &&
	    qdisc_redirect_del(g->host, l.index, &one) < 0)
		err_gather(&all, &one);
	err_reset(&one);
	if (a->rate.out_rate && del_ifb(g, a, fast, &one) < 0)
		err_gather(&all, &one);
	err_gather(e, &all);
	return all.kind == ERR_NONE ? 0 : all.sys ? -all.sys : -EIO;
}

int rate_remove_ifb(struct engine *g, const struct attachment *a, bool fast, struct err *e)
{
	return a->rate.out_rate ? del_ifb(g, a, fast, e) : 0;
}

/* The bucket of a link has the rate that it should. */
static int has_bucket(struct engine *g, uint32_t index, uint64_t rate, struct err *e)
{
	uint64_t now = 0;
	int r = qdisc_tbf_get(g->host, index, &now, e);

	return r < 0 ? r : r == 0 && now == rate / 8;
}

int rate_observe(struct work *w, struct err *e)
{
	const struct attachment *a = w->a;
	char ifb[IFNAME_STRLEN];
	struct link_info l, i;
	int r;

	if (!attach_rate_is_set(&a->rate))
		return 0;
	w->obs.has_rate = false;
	r = host_end(w->g, a, &l, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = a->rate.in_rate ? has_bucket(w->g, l.index, a->rate.in_rate, e) : 1;
	if (r == 1 && a->rate.out_rate) {
		name_ifb(a->id, a->ifname, ifb);
		r = link_get(w->g->host, ifb, &i, e);
		r = r < 0 ? r : r == 0 ? has_bucket(w->g, i.index, a->rate.out_rate, e) : 0;
		if (r == 1)
			r = qdisc_redirect_has(w->g->host, l.index, e);
	}
	w->obs.has_rate = r == 1;
	return r < 0 ? r : 0;
}
