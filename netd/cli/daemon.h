/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon: the verbs of callers without privilege, carried out by netd (broker/client.h) where it
 * runs and its policy allows. Each returns 1 when it has nothing to say: no netd, or nothing of
 * that name there; then it is slirp-lite's turn.
 */
#ifndef NETD_CLI_DAEMON_H
#define NETD_CLI_DAEMON_H

#include "cli/attach_opts.h"

/* 0: up, and printed. 1: not by netd; *why says why not. Negative: it is netd's business, and it
 * failed: the port, address or name is taken, or the options make no sense. */
int daemon_up(const struct attach_opts *o, const struct target *t, int32_t pid, struct err *why,
	      struct err *e);
/* Calls fn for each attachment of the caller's, or those called id (NULL: all) on ifname (NULL:
 * all). The number of calls, 0 also without a netd. */
int daemon_each(const char *id, const char *ifname,
		int (*fn)(const struct attachment *a, void *arg, struct err *e), void *arg,
		struct err *e);
/* The same with how many connections each published run has had; FLOWS_UNKNOWN: not counted. */
int daemon_flows(const char *id, const char *ifname,
		 int (*fn)(const struct attachment *a, const uint64_t *flows, void *arg,
			   struct err *e),
		 void *arg, struct err *e);
/* 0: gone now, 1: there was none. */
int daemon_down(const char *id, const char *ifname, struct err *e);
/* 0 and the attachment afterwards; 1: netd has none of that name. */
int daemon_ports(const char *id, const char *ifname, bool is_off, const struct publish *p, size_t n,
		 struct attachment **ret, struct err *e);
/* NULL: as it is; 0: none of one's own. Returns as daemon_ports. */
int daemon_limit(const char *id, const char *ifname, const uint64_t *rate_in,
		 const uint64_t *rate_out, struct attachment **ret, struct err *e);

#endif
