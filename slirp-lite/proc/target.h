/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target: the network namespace that is served, and how its end is noticed: by the pidfd of the
 * process that was named, for a path by the mount table and, where the path is a symbolic link, by
 * inotify on its directory. Nothing is asked for again and again.
 */
#ifndef SLIRP_PROC_TARGET_H
#define SLIRP_PROC_TARGET_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/options.h"

struct target {
	enum target_kind kind;
	int netns_fd;  /* only until the tap is there: it would keep the namespace alive */
	int userns_fd; /* the one to join first; -1: none */
	int tap_fd;    /* TARGET_TAPFD */
	int pidfd;     /* its end is the end; -1: none, as all below */
	int names_fd;  /* inotify on the directory of a symbolic link */
	int mounts_fd; /* the mount table, readable (POLLPRI) when it changes */
	const char *path;
	dev_t dev;
	ino_t ino;
};

#define TARGET_INIT                                                                                \
	{                                                                                          \
		.netns_fd = -1, .userns_fd = -1, .tap_fd = -1, .pidfd = -1, .names_fd = -1,        \
		.mounts_fd = -1                                                                    \
	}
/* Entries of struct pollfd that target_poll fills. */
#define TARGET_N_POLL 3

/* ret must be TARGET_INIT and goes to target_close in any case. Refuses the caller's own network
 * namespace. */
int target_open(const struct options *o, struct target *ret, struct err *e);
/* Gives up what only the set-up needs. */
void target_release(struct target *t);
void target_close(struct target *t);

void target_poll(const struct target *t, struct pollfd p[TARGET_N_POLL]);
/* After a poll: NULL while it is there, else the reason why not, for a message. */
const char *target_ended(struct target *t, const struct pollfd p[TARGET_N_POLL]);

#endif
