/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usernet: the verbs of callers without privilege, for networks of several containers. They find or
 * make the user's host (rootless/host.h), enter it, and are from there on the engine's callers as
 * root is. Ports go by the uplink too.
 */
#ifndef NETD_CLI_USERNET_H
#define NETD_CLI_USERNET_H

#include "cli/attach_opts.h"
#include "rootless/host.h"
#include "rootless/rootless.h"

enum usernet_how {
	USERNET_LOOK, /* reads; no host: 1 */
	USERNET_USE,  /* changes; no host: 1 */
	USERNET_MAKE,
};

struct usernet {
	enum usernet_how how;
	struct host *host;
	bool is_to_leave; /* set before usernet_enter by who will usernet_leave */
	bool is_away;     /* between leave and return */
	struct engine *g; /* NULL before usernet_enter, and where nothing is on record */
};

/* Outside still: the host, under the user's lock, with its uplink (not for USERNET_LOOK). */
int usernet_open(const struct cli_common *c, enum usernet_how how, struct usernet *ret,
		 struct err *e);
/* The same for a change that asks for an engine (host_uplink), NULL: for none. */
int usernet_open_by(const struct cli_common *c, enum usernet_how how, const char *engine,
		    struct usernet *ret, struct err *e);
/* is_lent: the user's rights over namespaces elsewhere are needed. */
int usernet_enter(struct usernet *u, bool is_lent, struct err *e);
/* Around a wait: the host may end meanwhile. 1: it has. */
int usernet_leave(struct usernet *u, struct err *e);
int usernet_return(struct usernet *u, struct err *e);
/* Ends the host when it has no network left. */
void usernet_close(struct usernet *u);
#define CLEAN_USERNET __attribute__((cleanup(usernet_close)))

/* Is it the name of a network of the caller's own? */
bool usernet_has(const struct cli_common *c, const char *network);
bool usernet_has_attachment(const struct cli_common *c, const char *id, const char *ifname);

/* engine_up with the ports at the uplink, all or nothing. May begin before usernet_enter, which it
 * then does itself. */
int usernet_attach(struct usernet *u, const struct up_request *req, struct attachment **ret,
		   struct err *e);
int usernet_detach(struct usernet *u, const char *id, const char *ifname, struct err *e);

int usernet_up(const struct attach_opts *o, const struct target *t, struct err *e);
int usernet_ports(const struct cli_common *c, const char *id, const char *ifname,
		  const struct publish *list, size_t n, bool is_back, struct err *e);
/* Each calls fn for what target means, or (ls) for all: the number of calls. They enter: nothing of
 * the caller's that is outside can follow. */
int usernet_down(const struct cli_common *c, const char *target, const char *ifname, struct err *e);
int usernet_check(const struct cli_common *c, const char *target, bool *ret_is_healthy,
		  struct err *e);
/* uplink NULL: it is not there. */
typedef int usernet_see(const struct attachment *a, const struct rootless_state *uplink, void *arg);
int usernet_status(const struct cli_common *c, const char *target, usernet_see *fn, void *arg,
		   struct err *e);
int usernet_ls(const struct cli_common *c, int (*fn)(const struct attachment *a, void *arg),
	       void *arg, struct err *e);
int usernet_gc(const struct cli_common *c, struct err *e);

#endif
