/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * autoports: --publish-auto: what programs in the container serve is published under the same
 * number, as long as they do. A port that is published already, that is excepted, or that the host
 * does not give is left alone; what could not be had is tried again when the program's socket
 * changes. How many ports change, and how often, is the container's choice: so a change costs the
 * supervisor what its ports cost, not their square, and of what fails it says a part.
 */
#ifndef SLIRP_PROC_AUTOPORTS_H
#define SLIRP_PROC_AUTOPORTS_H

#include "base/err.h"
#include "flow/plan.h"
#include "model/publish_list.h"
#include "proc/published.h"

struct autoports;

/* Borrowed but for guest; they outlive it. */
struct autoports_env {
	struct published *published;
	const struct publish_list *except;
	struct ip guest[N_FAM];
	enum port_local local;
};

int autoports_new(const struct autoports_env *env, struct autoports **ret, struct err *e);
void autoports_free(struct autoports *a); /* accepts NULL */
/* ports_fd of proc/nsd.h is readable: reads a bounded part. 1: it was read; 0: nobody is there any
 * more. */
int autoports_read(struct autoports *a, int ports_fd);
/* Tries again what was taken while the worker still held ports that are given up. To be called
 * when it may have let go of them. */
void autoports_go_on(struct autoports *a);

#endif
