/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ownaddrs: one dump of all addresses, by netlink. */
#include "proc/ownaddrs.h"

#include "net/route.h"
#include "net/rtnl.h"

static int add(uint32_t ifindex, const struct prefix *p, void *arg)
{
	struct policy *to = arg;

	(void)ifindex;
	if (to->n_own < POLICY_OWN_MAX)
		to->own[to->n_own++] = p->ip;
	return 0;
}

int ownaddrs_read(struct policy *p, struct err *e)
{
	CLEAN_RTNL struct rtnl *rtnl = NULL;
	int r = rtnl_open(&rtnl, e);

	p->n_own = 0;
	if (r == 0)
		r = route_each_addr(rtnl, add, p, e);
	return err_ctx(e, r, "addresses of this host");
}
