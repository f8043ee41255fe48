/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user: the verbs for callers without privilege over their network: the same command line, carried
 * out by netd where it runs and allows it, else by slirp-lite (rootless/rootless.h), instead of the
 * engine. What neither does is refused by name.
 */
#ifndef NETD_CLI_USER_H
#define NETD_CLI_USER_H

#include <stdbool.h>

#include "cli/attach_opts.h"
#include "rootless/rootless.h"

/* Whether this process goes this way. */
bool user_is_rootless(void);
/* Do the options name a network of several containers (usernet.h)? */
bool user_is_named(const struct attach_opts *o);
int user_open(const struct cli_common *c, bool is_read_only, struct rootless **ret, struct err *e);

/* up: prints what cli_print prints. */
int user_up(const struct attach_opts *o, const struct target *t, struct err *e);
/* run's two halves around the command: pid is the waiting child. */
int user_run_up(struct rootless *r, const struct attach_opts *o, int32_t pid,
		struct rootless_state *ret, struct err *e);
/* resolv.conf for the command: the DNS servers that slirp-lite is. */
#define USER_RESOLV_STRLEN 128
const char *user_resolv_conf(const struct attach_opts *o, char out[USER_RESOLV_STRLEN]);
/* Addresses that are asked for, of a container that is alone: ERR_USAGE: no host can have it;
 * ERR_CONFLICT: the machine has it, or asks a resolver there. Warns of a network that hides one of
 * the machine's. */
int user_check_ip(const struct attach_opts *o, struct err *e);

/* publish and (is_back) unpublish: prints what is up then. */
int user_publish(const struct cli_common *c, const char *id, const char *ifname,
		 const struct publish *list, size_t n, bool is_back, struct err *e);
/* Limits of one that is alone, NULL: as it is: prints what is up then. */
int user_limit(const struct cli_common *c, const char *id, const char *ifname, const uint64_t *in,
	       const uint64_t *out, struct err *e);
int user_down(const struct cli_common *c, const char *target, const char *ifname, struct err *e);
/* 1 when something is missing. */
int user_check(const struct cli_common *c, const char *target, struct err *e);
/* print: for one that netd carries, and one of a network of the user's own (flows NULL). */
int user_status(const struct cli_common *c, const char *target,
		void (*print)(const struct attachment *a, const uint64_t *flows), struct err *e);
/* Calls fn for each attachment of target, NULL: for all. The number of calls, or what failed. */
int user_visit(const struct cli_common *c, const char *target,
	       int (*fn)(struct rootless *r, const struct rootless_state *s, void *arg,
			 struct err *e),
	       void *arg, struct err *e);
int user_ls(const struct cli_common *c, int (*fn)(const struct rootless_state *s, void *arg),
	    int (*fn_netd)(const struct attachment *a, void *arg), void *arg, struct err *e);
int user_gc(const struct cli_common *c, struct err *e);

#endif
