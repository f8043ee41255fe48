/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filters: the system calls that the worker, the supervisor and nsd are left with, as tables. What
 * is not in them gives EPERM; sys/filter.c lists what kills.
 */
#ifndef SLIRP_PROC_FILTERS_H
#define SLIRP_PROC_FILTERS_H

#include <stdbool.h>

#include "sys/filter.h"

/* may_bind: an outgoing address is configured. */
struct filter_spec filters_worker(bool may_bind);
struct filter_spec filters_supervisor(void);
struct filter_spec filters_nsd(bool is_transparent); /* proc/nsd.h */

#endif
