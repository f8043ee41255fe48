/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: the process with all packet code. worker_new allocates and opens everything it will ever
 * need (epoll, arenas, tables), then the supervisor's child puts on its sandbox (proc/sandbox.h),
 * then worker_run goes round until the control socket closes. After worker_new there is no
 * allocation, no open, and no system call outside the table of proc/sandbox.c.
 */
#ifndef SLIRP_STACK_WORKER_H
#define SLIRP_STACK_WORKER_H

#include "base/err.h"
#include "flow/stats.h"
#include "io/host.h"
#include "stack/config.h"

struct worker;
struct loop;

int worker_new(const struct worker_config *conf, const struct worker_fds *fds,
	       const struct host_ops *host, struct worker **ret, struct err *e);
/* One round of the loop, at most until `until` (ms); for tests. false: it is over. */
bool worker_round(struct worker *w, uint64_t until);
/* Exit status: 0 when the supervisor closed the control socket, 71 when the link is gone. */
int worker_run(struct worker *w);
void worker_free(struct worker *w); /* accepts NULL */

/* For tests: time can be held there; what was counted; payload bytes held now. */
struct loop *worker_loop(struct worker *w);
const struct stats *worker_stats(const struct worker *w);
size_t worker_memory(const struct worker *w);

#endif
