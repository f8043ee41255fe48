/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics: attachments as samples in the Prometheus text format, version 0.0.4. Those of one name
 * have to follow each other, so they are gathered first. PURE.
 */
#ifndef NETD_CLI_METRICS_H
#define NETD_CLI_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "model/attachment.h"

struct metrics_owner {
	uint32_t uid;
	char network[NETNAME_STRLEN];
	uint64_t n, n_ports;
};

struct metrics {
	struct metrics_owner *owner; /* who has how many where */
	size_t n_owner, cap_owner;
	struct buf flows;
};

void metrics_clear(struct metrics *m);
#define CLEAN_METRICS __attribute__((cleanup(metrics_clear)))
/* flows: as of codec_get_flows. -ENOMEM only. */
int metrics_add(struct metrics *m, const struct attachment *a, const uint64_t *flows);
/* daemon: what it says itself; NULL: none answers. */
void metrics_print(const struct metrics *m, const char *daemon, struct buf *out);

#endif
