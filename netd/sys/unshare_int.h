/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unshare_int: what both sides of unshare.h share. Private to this room. */
#ifndef NETD_SYS_UNSHARE_INT_H
#define NETD_SYS_UNSHARE_INT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/unshare.h"

/* One message of the child: what it has done, or what failed with error sys. */
enum run_stage {
	RUN_READY,          /* waits; will die with the parent */
	RUN_NO_RESOLV_CONF, /* not an error */
	RUN_FAILED_SETUP,
	RUN_FAILED_PROPAGATION,
	RUN_FAILED_RESOLV_CONF,
	RUN_FAILED_HOSTNAME,
	RUN_FAILED_PROC,
	RUN_FAILED_FORK,
	RUN_FAILED_EXEC,
};

struct run_report {
	int32_t stage;
	int32_t sys;
};

#define RUN_GO 'G'
#define RUN_STATUS_SELF 125 /* ended before the command, not by it */

/* Binds text over what /etc/resolv.conf leads to. 0, 1 when there is no such file, -errno. */
int resolv_bind(const char *text);

/* The child's life after clone; parent is the caller's pid. */
_Noreturn void unshare_child(const struct run_spec *spec, const struct run_child *c, int channel,
			     pid_t parent);

/* The error of a clone that made no namespaces. */
int unshare_refused(unsigned flags, int sys, struct err *e);

/* RUN_SPLIT: makes the child, with clone flags `flags`, its ids mapped; fills pid, pidfd and n_ids
 * of c, also when something failed after the child was made. theirs: the child's end of the
 * channel. */
int unshare_split(const struct run_spec *spec, struct run_child *c, unsigned long flags, int theirs,
		  struct err *e);

/* The signals that are forwarded. */
void unshare_signals(sigset_t *ret);

/* Has target, a process that may share our process group, not got this signal yet? code is si_code.
 */
bool unshare_is_for(pid_t target, int sig, int code);

#endif
