/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * divert: see divert.h. Rules of others are not touched; ours comes before them, for it is about
 * packets that nobody else marks. Read ip-rule(8), linux/fib_rules.h.
 */
#include "net/divert.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#include "net/rtnl_wire.h"

#define PRIORITY 100
#define LOOPBACK_INDEX 1 /* the first device of every network namespace */

static struct nl_msg *rule_msg(uint8_t family, uint32_t mark, uint32_t table)
{
	struct fib_rule_hdr h = {.family = family, .action = FR_ACT_TO_TBL};
	struct nl_msg *m = rtnl_msg(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof(h));
	int bad = 0;

	if (!m)
		return NULL;
	bad |= nla_put_u32(m, FRA_PRIORITY, PRIORITY);
	bad |= nla_put_u32(m, FRA_FWMARK, mark);
	bad |= nla_put_u32(m, FRA_FWMASK, UINT32_MAX);
	bad |= nla_put_u32(m, FRA_TABLE, table);
	return rtnl_msg_done(m, bad);
}

static struct nl_msg *route_msg(uint8_t family, uint32_t table)
{
	struct rtmsg rt = {.rtm_family = family,
			   .rtm_table = RT_TABLE_COMPAT,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = RT_SCOPE_HOST,
			   .rtm_type = RTN_LOCAL};
	struct nl_msg *m = rtnl_msg(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &rt, sizeof(rt));
	int bad = 0;

	if (!m)
		return NULL;
	bad |= nla_put_u32(m, RTA_OIF, LOOPBACK_INDEX);
	bad |= nla_put_u32(m, RTA_TABLE, table);
	return rtnl_msg_done(m, bad);
}

int divert_rule_add(struct rtnl_batch *b, uint8_t family, uint32_t mark, uint32_t table,
		    struct err *e)
{
	if (family != AF_INET && family != AF_INET6)
		return err_invalid(e, ERR_INTERNAL, "a rule of an unknown family");
	return rtnl_batch_add(b, rule_msg(family, mark, table), EEXIST, "adding a routing rule", e);
}

int divert_add(struct rtnl_batch *b, uint8_t family, uint32_t mark, uint32_t table, struct err *e)
{
	int r = divert_rule_add(b, family, mark, table, e);

	return r < 0 ? r
		     : rtnl_batch_add(b, route_msg(family, table), EEXIST,
				      "adding a route to ourselves", e);
}
