/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics: counters in the Prometheus text format, version 0.0.4. Pure. */
#ifndef SLIRP_PROC_METRICS_H
#define SLIRP_PROC_METRICS_H

#include "base/buf.h"
#include "proc/published.h"
#include "proc/status.h"

void metrics_print(const struct status *s, const struct published *ports, struct buf *out);

#endif
