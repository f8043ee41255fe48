/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * requests: what clients of the control socket may ask for, one function a verb, and their answers,
 * some of which wait for the worker. Error texts of slirp4netns' verbs are those its clients know;
 * "detail", "errno" and "kind" are added to them.
 */
#ifndef SLIRP_PROC_REQUESTS_H
#define SLIRP_PROC_REQUESTS_H

#include <stdint.h>

#include "proc/ctl.h"
#include "proc/published.h"
#include "proc/status.h"

struct requests;

/* All borrowed; they outlive it. */
struct requests_env {
	struct published *published;
	const struct plan *plan;
	enum port_local local; /* of ports that are published by request */
	bool is_configured;    /* the guest's addresses are those of the plan */
	/* Sends m to the worker. Negative: it cannot be told. */
	int (*tell)(void *arg, const struct ctlmsg *m);
	/* Everything but counters, rules and flows. */
	void (*describe)(void *arg, struct status *ret);
	void (*stop)(void *arg);
	bool is_tap_alone; /* all that passes can be limited */
	void (*get_rates)(void *arg, struct rates *ret);
	int (*set_rates)(void *arg, const struct rates *r); /* or -errno: it stays as it was */
	void *arg;
};

/* Whom published ports lead to by default. */
void requests_guest(const struct plan *plan, bool is_configured, struct ip ret[N_FAM]);

int requests_new(const struct requests_env *env, int listen_fd, struct requests **ret,
		 struct err *e);
void requests_free(struct requests *q); /* accepts NULL */

/* As ctl_poll and ctl_serve, with what waits here. */
uint64_t requests_poll(struct requests *q, struct pollfd p[CTL_N_POLL]);
void requests_serve(struct requests *q, const struct pollfd p[CTL_N_POLL], uint64_t now);
/* A message of the worker: maybe an answer. */
void requests_message(struct requests *q, const struct ctlmsg *m, uint64_t now);
/* The worker is gone: nothing comes any more from it. */
void requests_forget_worker(struct requests *q);
/* Sends what is left, for at most timeout_ms. */
void requests_flush(struct requests *q, int timeout_ms);

#endif
