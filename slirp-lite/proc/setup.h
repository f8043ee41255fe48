/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * setup: the namespace helper: a child that lives for a millisecond or two. It joins the user
 * namespace that owns the network namespace, then that, makes or opens the tap, configures it when
 * asked, hands the descriptor over, and ends. So no other process of ours ever is in the
 * container's namespaces.
 */
#ifndef SLIRP_PROC_SETUP_H
#define SLIRP_PROC_SETUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "flow/plan.h"

struct setup_spec {
	int netns_fd, userns_fd; /* userns_fd -1: none to join */
	const char *tap;
	bool is_configured; /* lo and tap up, MTU, MAC, addresses, default routes */
	bool is_lo_up;      /* lo up in any case */
	const struct plan *plan;
	bool is_relay; /* the relay engine, which must work */
};

/* What the helper made. The caller's. */
struct setup_made {
	int tap;
	int listen[N_FAM]; /* transparent listeners of the relay engine; -1: none */
	struct err lacks;  /* why answers are not led back to the tap, where that was tried */
};

struct setup {
	pid_t pid;
	int pidfd, channel;
};

#define SETUP_INIT                                                                                 \
	{                                                                                          \
		.pidfd = -1, .channel = -1                                                         \
	}

/* Starts the helper; setup_finish waits for it (at most SETUP_MS) and takes the tap. ret must be
 * SETUP_INIT; setup_end ends and reaps it in any case and may be repeated. */
#define SETUP_MS 20000
int setup_start(const struct setup_spec *s, struct setup *ret, struct err *e);
int setup_finish(struct setup *s, struct setup_made *ret, struct err *e);
void setup_end(struct setup *s);

#endif
