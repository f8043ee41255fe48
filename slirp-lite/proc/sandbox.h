/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox: which steps of sys/sandbox.h the worker and the supervisor take. The worker: namespaces
 * of its own for users, mounts, processes, IPC, host names and cgroups (from its birth, see
 * sandbox_clone_flags), an empty read-only root, no capability, no id that is mapped, no new
 * privileges, limits, Landlock without any rule, its system call filter. The supervisor keeps the
 * host's files to look at the few that it watches.
 */
#ifndef SLIRP_PROC_SANDBOX_H
#define SLIRP_PROC_SANDBOX_H

#include <stdbool.h>
#include <sys/resource.h>

#include "base/err.h"
#include "proc/options.h"
#include "stack/config.h"
#include "sys/filter.h"

/* Descriptors of the worker that are not flows: frames, control, timers, DNS, pipes, spare ones. */
#define SANDBOX_FILES 384

struct sandbox {
	enum sandbox_mode mode;
	bool has_namespaces; /* else the kernel or the host's settings deny them */
	bool may_bind, may_write;
	rlim_t n_files;
	struct filter filter;
};

/* In the zygote, once: compiles the filter, finds out what there is, and becomes nobody when it is
 * root. What is missing is an error in strict mode. */
int sandbox_prepare(enum sandbox_mode mode, const struct worker_config *c, struct sandbox *ret,
		    struct err *e);
/* The namespaces that a worker is to be born in. */
unsigned long sandbox_clone_flags(const struct sandbox *s);
/* After those were denied with errno sys: true when a worker may do without from now on. */
bool sandbox_without_namespaces(struct sandbox *s, int sys);
/* In the worker, when everything is allocated and open. 0, or -errno with *ret_step. */
int sandbox_enter(const struct sandbox *s, const char **ret_step);

/* In the supervisor, when zygote and tap are there. resolv_dirs: directories to read in, NULL ends
 * it; api: path of the control socket to remove at the end, or NULL. */
int sandbox_supervisor(enum sandbox_mode mode, const char *const *resolv_dirs, const char *api,
		       struct err *e);

#endif
