/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status: what the control socket's "status" answers, as JSON. Pure. */
#ifndef SLIRP_PROC_STATUS_H
#define SLIRP_PROC_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/options.h"
#include "stack/ctlmsg.h"

struct status {
	const struct options *options;
	const struct worker_config *config;
	const struct resolvers *resolvers;
	struct rates rates;
	uint64_t netns_dev, netns_ino; /* of the namespace; 0: not known (a tap was handed over) */
	bool is_relay;                 /* the relay engine is used */
	pid_t worker;
	bool is_ready;
	unsigned n_restarts;
	uint64_t uptime_ms;
	const struct stats *stats; /* NULL: the worker did not tell */
	const struct ctlmsg_gauges *gauges;
	bool is_silent; /* the worker did not answer in time */
	json_t *ports;  /* array, or NULL; taken by status_json */
};

/* A new reference; NULL without memory. */
json_t *status_json(const struct status *s);

#endif
