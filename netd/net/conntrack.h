/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack: deletes stale entries of published ports: exactly (protocol, original destination,
 * original destination port), UDP and SCTP always, TCP too when tcp_all, else TCP only when it was
 * never established (what was and is closing, the kernel itself replaces when its ports are used
 * again); never a sibling's. No pass over the table when the namespace tracks nothing (5 us); else
 * one dump for any number of ports (9 ms and more; not when the table's text form shows that no
 * flow has one of the ports), or, for few ports where the kernel can compare by itself, a much
 * cheaper request each (0.15 ms): all of IPv4, and IPv6 flows of wildcards when target is given. A
 * caller whose container has no IPv6 address saves the dump by passing 0.0.0.0 for "every address".
 */
#ifndef NETD_NET_CONNTRACK_H
#define NETD_NET_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/publish.h"

/* Entries whose original destination port lies in one of the runs and whose original destination is
 * the run's host address (for a wildcard: any address of this namespace but loopback and link-local
 * ones when target is NULL, else any). When target is not NULL only translated entries whose reply
 * source is one of the two addresses target[FAM4], target[FAM6] (deletion of our own flows); NULL
 * matches only entries that are *not* translated to a container yet (before publishing). As with
 * the DNAT elements, the caller's record says whose port it is. fd: an open NETLINK_NETFILTER
 * socket (nftbatch_fd) without unread answers. Closing one waits for nf_tables' pending
 * destructions, 10 to 20 ms after a deletion, so it is not opened here. */
int conntrack_flush(int fd, const struct publish *p, size_t n, const struct ip *target,
		    bool tcp_all, struct err *e);

#endif
