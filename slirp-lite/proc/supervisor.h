/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervisor: the process that was started stays and becomes this: it holds the tap, the control
 * socket and the resolver list, starts workers through the zygote, and ends when the target does,
 * on a signal, on the exit descriptor or by request. It never sees a packet.
 */
#ifndef SLIRP_PROC_SUPERVISOR_H
#define SLIRP_PROC_SUPERVISOR_H

#include "base/err.h"
#include "proc/autoports.h"
#include "proc/nameservers.h"
#include "proc/nsd.h"
#include "proc/options.h"
#include "proc/published.h"
#include "proc/target.h"
#include "proc/zygote.h"

/* More worker ends than so many within a minute are a reason to give up. */
#define SUPERVISOR_CRASHES 5
#define SUPERVISOR_MINUTE_MS 60000

struct supervisor_spec {
	const struct options *options;
	const struct worker_config *config;
	struct target *target;
	struct zygote *zygote;
	struct nameservers *nameservers;
	struct published *published; /* may have ports already */
	struct resolvers resolvers;
	int tap, pcap;
	int listen[N_FAM];           /* of the relay engine; -1: none */
	struct nsd *nsd;             /* NSD_INIT: there is none */
	struct autoports *autoports; /* NULL: nothing is published by itself */
	int signals;                 /* signalfd of TERM, INT, HUP */
	int listen_fd;               /* control socket or -1; taken */
	const char *api;             /* its file, which is removed at the end; NULL: none */
	/* Called once when traffic works. */
	int (*on_ready)(void *arg, struct err *e);
	void *arg;
};

/* Runs until the end. 0: it ended as asked (*ret_why says how), or negative. */
int supervisor_run(const struct supervisor_spec *s, const char **ret_why, struct err *e);

#endif
