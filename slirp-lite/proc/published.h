/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * published: the supervisor's table of published ports: what was asked for, the sockets that hold
 * it, and which of them the worker has. It binds and listens; it accepts nothing. A worker that
 * takes the place of another gets all sockets again.
 */
#ifndef SLIRP_PROC_PUBLISHED_H
#define SLIRP_PROC_PUBLISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/port.h"
#include "model/publish.h"
#include "stack/ctlmsg.h"

struct published;

/* One run of ports. */
struct published_rule {
	uint32_t id;      /* from 1 on, never used twice */
	struct publish p; /* with the port that was picked */
	struct ip guest[N_FAM];
	bool is_auto; /* it came and goes with a program's socket */
	uint32_t n_sockets;
	struct port_tally tally; /* as published_set_tallies was told */
};

/* For as many sockets as the limit of open files lets be now, less a few for others. */
int published_new(struct published **ret, struct err *e);
void published_free(struct published *t);  /* accepts NULL; closes every socket */
void published_close(struct published *t); /* the same, and keeps the empty table */

struct published_request {
	const struct publish *list;
	size_t n;
	struct ip guest[N_FAM]; /* whom they lead to; family 0: not by this family */
	enum port_local local;
	bool is_auto;
};
/* Binds all of the list or nothing. The ids of its members are consecutive from *ret_id on.
 * ERR_CONFLICT (with the errno of the bind): one is taken; the error names it, and the rule of ours
 * that has it where there is one. ERR_DENIED, ERR_QUOTA, ERR_USAGE (nobody it could lead to). */
int published_add(struct published *t, const struct published_request *q, uint32_t *ret_id,
		  struct err *e);
/* After ERR_CONFLICT of published_add: the port that is taken, by somebody else than us. False:
 * it is ours, or there was no such conflict. */
bool published_taken(const struct published *t, struct publish *ret);
/* 0, or -ENOENT. The sockets are closed here at once; the worker's when it has been told. */
int published_remove(struct published *t, uint32_t id);
/* The same for many, in one go; those that are not there are passed over. */
void published_remove_all(struct published *t, const uint32_t *ids, size_t n);
/* The rule with this protocol, host address, first host port and count; 0: there is none. */
uint32_t published_find(const struct published *t, const struct publish *p);
/* The first rule at or after *cursor (0 to begin with), which is moved past it; false at the end.
 */
bool published_next(const struct published *t, size_t *cursor, struct published_rule *ret);
size_t published_count(const struct published *t); /* rules */

/* ---- the worker's part ---- */

/* The next message for the worker, with descriptors (which stay ours) in fds: true. One at a time:
 * false while the last one is not answered or there is nothing to be said. Sent again when no
 * answer came by the time published_deadline gives. */
bool published_message(struct published *t, uint64_t now, struct ctlmsg *ret,
		       int fds[CTLMSG_PORTS]);
/* It could not be sent: as if it had not been made. */
void published_unsent(struct published *t);
/* The worker answered PORTS_DONE with this id. */
void published_done(struct published *t, uint32_t id);
/* There is a new worker, which has nothing. */
void published_restart(struct published *t);
/* The worker has all that there is, and nothing else. */
bool published_is_settled(const struct published *t);
uint64_t published_deadline(const struct published *t);

/* Counters of sockets, as the worker lists them: begin, each, end; rules sum up theirs. */
void published_clear_tallies(struct published *t);
void published_add_tally(struct published *t, const struct ctlmsg_port *p);

#endif
