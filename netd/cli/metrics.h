/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics: attachments as samples in the Prometheus text format, version 0.0.4. Those of one name
 * have to follow each other, so they are gathered first. PURE.
 */
#ifndef NETD_CLI_METRICS_H
#define NETD_CLI_METRICS_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/engine.h"
#include "model/attachment.h"

/* What slirp-lite counts, each a name of its own. */
enum metrics_slirp {
	SLIRP_UPTIME,
	SLIRP_RESTARTS,
	SLIRP_READY,
	SLIRP_EVENTS,
	SLIRP_FLOWS,
	SLIRP_HELD,
	SLIRP_PORT_FLOWS,
	SLIRP_PORT_BYTES,
	N_METRICS_SLIRP
};

struct metrics_owner {
	uint32_t uid;
	char network[NETNAME_STRLEN];
	uint64_t n, n_ports;
};

struct metrics {
	struct metrics_owner *owner; /* who has how many where */
	size_t n_owner, cap_owner;
	struct buf flows;
	struct buf bytes, packets, dropped; /* of links */
	struct buf slirp[N_METRICS_SLIRP];
};

void metrics_clear(struct metrics *m);
#define CLEAN_METRICS __attribute__((cleanup(metrics_clear)))
/* flows: as of codec_get_flows. -ENOMEM only. */
int metrics_add(struct metrics *m, const struct attachment *a, const uint64_t *flows);
int metrics_add_traffic(struct metrics *m, const struct attachment *a,
			const struct engine_traffic *t);
/* What a slirp-lite says of itself, that of container id on ifname; id NULL: the way out of a
 * user's networks, whose ports are told by container. */
int metrics_add_slirp(struct metrics *m, const char *id, const char *ifname, json_t *doc);
int metrics_add_port_bytes(struct metrics *m, const struct attachment *a, const struct publish *p,
			   uint64_t in, uint64_t out);
/* daemon: what it says itself; NULL: none answers. */
void metrics_print(const struct metrics *m, const char *daemon, struct buf *out);

#endif
