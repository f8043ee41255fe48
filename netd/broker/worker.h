/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: one piece of work in a process of its own: a crash, a leak or a long wait of the engine
 * is that piece's alone; so is the time that a client's descriptors take, which it takes out of the
 * connection and looks at. It is told everything at its birth and reports by one message.
 */
#ifndef NETD_BROKER_WORKER_H
#define NETD_BROKER_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/call.h"
#include "broker/holdings.h"
#include "engine/engine.h"

#define WORKER_REAP 64 /* attachments that one worker takes down at most */

/* What the policy gives an interface. */
struct work_limits {
	struct attach_cap cap;
	struct attach_rate bandwidth; /* at most; 0: no limit */
	bool is_until_logout;         /* of what is made */
};

struct work_order {
	const char *state_dir;
	uint32_t verb; /* of a call, or one of those below */
	const struct call *call;
	uint32_t uid;
	struct work_limits own; /* of what is made */
	const struct attach_egress *egress;
	const struct attach_names *names; /* of egress; NULL: it has none */
	int conn;                         /* with the descriptors that the client passed; -1 */
	size_t n_reap;
	struct holding reap[WORKER_REAP];
	struct work_limits limits[WORKER_REAP]; /* WORK_FOLLOW: of those */
	struct engine_hold *hold;
	bool is_doubtful; /* WORK_NAMES: of what it knows */
	unsigned look;    /* WORK_TABLES: what of them is to be looked at */
};
#define WORK_REAP 200
#define WORK_TABLES 201
#define WORK_NAMES                                                                                 \
	203 /* the process that answers names: a descriptor of it comes with the report */
#define WORK_FOLLOW 202 /* reap[] is up, and gets the limits that the policy has now */

/* What comes back; the text for the client follows. */
struct work_report {
	uint32_t kind; /* enum err_kind; ERR_NONE: done */
	uint32_t is_held;
	struct holding holding;    /* is_held: as it is now */
	uint64_t reaped;           /* a bit for each of reap[] that is gone, or as it is to be */
	uint64_t changed;          /* WORK_FOLLOW: of these, that was not so before */
	char why[192];             /* not empty: not permitted, for what was passed */
	struct hold_result tables; /* WORK_TABLES */
	uint32_t is_started;       /* WORK_NAMES: it was not there */
};

/* Forks. *ret_fd: where the report comes; end of file without one: the worker died. */
int worker_start(const struct work_order *o, pid_t *ret_pid, int *ret_fd, struct err *e);
/* The engine's name of a user's attachment. */
void worker_id(uint32_t uid, const char *id, char out[ID_STRLEN]);

#endif
