/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack: deletes stale entries of published ports: exactly (protocol, original destination,
 * original destination port), UDP and SCTP always, TCP too when tcp_all, else TCP only when dead
 * (not ESTABLISHED); never a sibling's. One pass over the table for any number of ports; no pass
 * when the namespace tracks nothing. */
#ifndef NETD_NET_CONNTRACK_H
#define NETD_NET_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/publish.h"

/* Entries whose original destination port lies in one of the runs and whose original destination is
 * the run's host address (any address when it is a wildcard). When target is not NULL only entries
 * whose reply source is one of the two addresses target[FAM4], target[FAM6] (deletion of our own
 * flows); NULL matches only entries that are *not* translated to a container yet (before publishing). */
int conntrack_flush(const struct publish *p, size_t n, const struct ip *target, bool tcp_all,
		    struct err *e);

#endif
