/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox: the steps by which a process gives up what it does not need, one function each. Each
 * returns 0 or -errno; half way is no way: the caller ends when one fails. The order of most is
 * confine.h's, system calls are filter.h's.
 */
#ifndef NETD_SYS_SANDBOX_H
#define NETD_SYS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

/* At most n_files open files (as many of them as the hard limit leaves); no core, process, message
 * queue, locked memory; and no file growth unless may_write (a log on a file would kill us). */
int sandbox_limit(rlim_t n_files, bool may_write);

/* Root is an empty read-only file system that is mounted nowhere. Needs CAP_SYS_ADMIN and
 * CAP_SYS_CHROOT; without them the next best is taken. For a process in a shared mount namespace.
 */
int sandbox_enter_void(void);
/* The same for a process with a mount namespace of its own: nothing else is mounted in it. */
int sandbox_pivot_void(void);

/* No capability in the bounding set but those of the mask (bit n: capability n). 0 also without the
 * privilege, where there is none to lose. */
int sandbox_drop_bounding(uint64_t but);
/* Root's user number gives nothing, and no capability can be raised. 0 also without the privilege.
 */
int sandbox_lock_securebits(void);
/* A root user becomes this one, where its user namespace has that. */
int sandbox_become(uid_t uid, gid_t gid);
/* No capability but those of the mask, of which those stay that there are. */
int sandbox_drop_capabilities(uint64_t but);
/* None but those of the mask (bit n: capability n), of which those stay that there are: in the
 * bounding set too. */
int sandbox_keep_capabilities(uint64_t mask);
/* Those that the process has: the effective set. */
int sandbox_capabilities(uint64_t *ret);
/* When the other end of the pipe fd, of which nothing comes, is closed, the kernel kills this
 * process, even when it is stopped. fd is of an opening of its own, and nobody else's: to whom the
 * kernel tells is one for each. -EPIPE: it is closed. */
int sandbox_die_with_pipe(int fd);
/* No new privileges, no debugger, no core; no executable memory where the kernel knows how. */
int sandbox_forbid_gains(void);

/* Landlock: every right on files that the kernel knows, TCP ports to bind, signals to others,
 * abstract sockets of others: denied but for these. */
struct sandbox_paths {
	const char *const *readable;  /* directories below which files may be read; NULL ends it */
	const char *const *removable; /* directories in which files may be removed */
	bool may_bind_any;            /* TCP sockets may be bound to an address, port 0 */
	bool may_bind_ports;          /* the same, any port */
	bool only_files;              /* ports, signals and sockets are left as they are */
};
#define SANDBOX_LANDLOCK_NET 4   /* the ABI that knows TCP ports */
#define SANDBOX_LANDLOCK_SCOPE 6 /* and the one that knows signals and abstract sockets */
/* The version that the kernel has, or what NETNS_UP_WITHOUT (sys/probe.h) leaves of it; 0: none. */
int sandbox_landlock_abi(void);
/* allow may be NULL. 0 also where the kernel has none: nothing is done then. */
int sandbox_landlock(const struct sandbox_paths *allow);

#endif
