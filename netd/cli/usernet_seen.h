/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usernet_seen: what is on the user's networks and what is counted of it. Who enters the user's
 * host stays in it, holds its lock and keeps it from ending: so a process of its own enters, tells,
 * and ends, and the caller may look again.
 */
#ifndef NETD_CLI_USERNET_SEEN_H
#define NETD_CLI_USERNET_SEEN_H

#include <jansson.h>

#include "cli/cli.h"

struct usernet_one {
	struct attachment *a; /* ports as their user wrote them; owned */
	bool is_meant;        /* by the target */
	bool has_traffic;     /* its link is there */
	struct engine_traffic traffic;
};

struct usernet_seen {
	uint64_t at_ms; /* of the counters */
	size_t n, cap;
	struct usernet_one *one;
	json_t *uplink; /* what it says of itself, "flows" included; NULL: it is not there */
};
void usernet_seen_clear(struct usernet_seen *s);
#define CLEAN_USERNET_SEEN __attribute__((cleanup(usernet_seen_clear)))

/* All of them, whatever target (NULL: everything) means. 0; 1: the user has no networks. */
int usernet_see_all(const struct cli_common *c, const char *target, struct usernet_seen *ret,
		    struct err *e);

#endif
