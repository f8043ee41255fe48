/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_stats: counters of all links, in one look (RTM_GETSTATS). */
#ifndef NETD_NET_LINK_STATS_H
#define NETD_NET_LINK_STATS_H

#include <stdint.h>

#include "base/err.h"
#include "net/rtnl.h"

/* As the host sees it: received from the link, sent into it. */
struct link_stats {
	uint32_t index;
	uint64_t rx_bytes, rx_packets, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_dropped;
};

/* fn returns non-zero to stop, and that is returned. A link that stays is in it, once. */
int link_stats_each(struct rtnl *r, int (*fn)(const struct link_stats *s, void *arg), void *arg,
		    struct err *e);

#endif
