/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_stats: asks for the counters alone, which a listing of links would bring along with all
 * else. */
#include "net/link_stats.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "net/dump.h"
#include "net/rtnl_wire.h"

/* Older kernels know fewer counters than this build, newer ones more. */
#define NEEDED offsetof(struct rtnl_link_stats64, multicast)

static bool parse_stats(const struct nlmsghdr *h, void *item)
{
	struct link_stats *to = item;
	struct rtnl_link_stats64 s = {0};
	const struct if_stats_msg *m;
	struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWSTATS || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return false;
	m = NLMSG_DATA(h);
	a = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(*m), IFLA_STATS_LINK_64);
	if (!a || (size_t)nla_len(a) < NEEDED)
		return false;
	/* Attributes are aligned to four bytes only. */
	memcpy(&s, nla_data(a), (size_t)nla_len(a) < sizeof(s) ? (size_t)nla_len(a) : sizeof(s));
	*to = (struct link_stats){
		.index = m->ifindex,
		.rx_bytes = s.rx_bytes,
		.rx_packets = s.rx_packets,
		.rx_dropped = s.rx_dropped,
		.tx_bytes = s.tx_bytes,
		.tx_packets = s.tx_packets,
		.tx_dropped = s.tx_dropped,
	};
	return true;
}

struct each {
	int (*fn)(const struct link_stats *s, void *arg);
	void *arg;
};

static int each_stats(const void *item, void *arg)
{
	const struct each *c = arg;

	return c->fn(item, c->arg);
}

int link_stats_each(struct rtnl *r, int (*fn)(const struct link_stats *s, void *arg), void *arg,
		    struct err *e)
{
	static const struct dump_spec spec = {
		.what = "counters of the links",
		.size = sizeof(struct link_stats),
		.key_size = sizeof(uint32_t),
		.parse = parse_stats,
	};
	const struct if_stats_msg m = {
		.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64),
	};
	struct each c = {.fn = fn, .arg = arg};

	return dump_run(r, rtnl_msg(RTM_GETSTATS, NLM_F_DUMP, &m, sizeof(m)), &spec, each_stats, &c,
			e);
}
