/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctscout: a quick look at whether a dump of the connection table is worth its price. Reading
 * /proc/net/nf_conntrack passes over empty buckets without a lock: 0.15 ms where a dump takes 9.
 */
#ifndef NETD_NET_CTSCOUT_H
#define NETD_NET_CTSCOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "model/publish.h"

/* False: the namespace tracks no flow whose protocol and original destination port are those of one
 * of the runs. True: there may be one; also when the file is missing, unreadable or not understood,
 * and when there are so many flows (count; negative: not known) that reading them costs as much as
 * a dump. */
bool ctscout_sees(const struct publish *p, size_t n, int count);

/* Pure: the same for the file's text (n_bytes, whole lines). */
bool ctscout_sees_text(const char *text, size_t n_bytes, const struct publish *p, size_t n);

#endif
