/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template: one route lookup a family, as the kernel does it for a connection to the world: policy
 * rules and metrics count, the number of routes does not. Read rtnetlink(7), RTM_GETROUTE.
 */
#include "proc/template.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "net/link.h"
#include "net/route.h"
#include "net/rtnl.h"
#include "net/uplink.h"

uint8_t template_default_len(const struct ip *ip)
{
	if (ip->family == AF_INET6)
		return 64;
	return ip->b[0] < 128 ? 8 : ip->b[0] < 192 ? 16 : 24;
}

static bool is_fit(const struct ip *ip)
{
	return ip->family && !ip_is_any(ip) && !ip_is_loopback(ip) && !ip_is_multicast(ip) &&
	       !(ip->family == AF_INET6 && ip_is_link_local(ip));
}

static int find_family(struct rtnl *r, int fam, uint32_t ifindex, struct template *t, struct err *e)
{
	struct uplink u;
	int w = uplink_route(r, fam, ifindex, &u, e);

	if (w != 0)
		return w < 0 ? w : 0;
	if (!is_fit(&u.addr.ip))
		return 0;
	t->addr[fam] = u.addr;
	t->gateway[fam] = u.gateway;
	if (!t->mtu || u.mtu < t->mtu)
		t->mtu = u.mtu;
	if (!t->ifname[0])
		memcpy(t->ifname, u.link.name, sizeof(t->ifname));
	return 0;
}

struct look {
	const struct prefix *wanted;
	struct template *t;
};

static int match_len(uint32_t ifindex, const struct prefix *p, void *arg)
{
	const struct look *l = arg;
	int fam = ip_fam(&p->ip);

	(void)ifindex;
	if (ip_equal(&l->wanted[fam].ip, &p->ip))
		l->t->own_len[fam] = p->len;
	return 0;
}

static int match_net(uint32_t ifindex, const struct prefix *p, void *arg)
{
	const struct look *l = arg;
	int fam = ip_fam(&p->ip);

	(void)ifindex;
	if (l->wanted[fam].ip.family && prefix_contains(&l->wanted[fam], &p->ip))
		l->t->is_own[fam] = true;
	return 0;
}

int template_read(const char *ifname, const struct prefix wanted[N_FAM], struct template *ret,
		  struct err *e)
{
	CLEAN_RTNL struct rtnl *rtnl = NULL;
	struct prefix full[N_FAM] = {wanted[FAM4], wanted[FAM6]};
	struct template t = {0};
	struct look look = {full, &t};
	struct link_info li = {0};
	int r = rtnl_open(&rtnl, e);

	if (r == 0 && ifname)
		r = link_get(rtnl, ifname, &li, e);
	if (r == 1)
		r = err_set(e, ERR_ABSENT, ENODEV, "%s", ifname);
	for (int f = 0; r == 0 && f < N_FAM; f++)
		r = find_family(rtnl, f, li.index, &t, e);
	if (r == 0 && (full[FAM4].ip.family || full[FAM6].ip.family))
		r = route_each_addr(rtnl, match_len, &look, e);
	for (int f = 0; f < N_FAM; f++)
		if (full[f].ip.family && !full[f].len)
			full[f].len =
				t.own_len[f] ? t.own_len[f] : template_default_len(&full[f].ip);
	if (r == 0 && (full[FAM4].ip.family || full[FAM6].ip.family))
		r = route_each_addr(rtnl, match_net, &look, e);
	if (r == 0)
		*ret = t;
	return r;
}
