/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine: the one order in which a process that reads strangers' bytes gives up what it does not
 * need: what needs a privilege comes before that privilege goes, and the system call filter is
 * last. The steps themselves are sandbox.h's, the filter is filter.h's; who keeps what is the
 * business of whoever calls.
 */
#ifndef NETD_SYS_CONFINE_H
#define NETD_SYS_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "sys/filter.h"
#include "sys/sandbox.h"

#define CONFINE_NOBODY 65534

struct confine {
	rlim_t n_files;
	bool may_write; /* files may grow: a log, a capture */
	bool in_void;   /* the root directory becomes an empty one; else it stays what it is */
	/* What a root user becomes, where its user namespace has those; 0: it stays, without any
	 * power. */
	uid_t uid;
	gid_t gid;
	uint64_t caps; /* that stay of those there are; bit n: capability n */
	pid_t parent;  /* with whom it ends; 0: with nobody */
	/* > 0: the reading end of a pipe, of which nothing comes: when the other end is closed, the
	 * kernel kills this process, even one that is stopped. */
	int life_fd;
	const struct sandbox_paths *paths; /* NULL: no file, no port, no other process */
	/* Compiled before, for that allocates memory and opens a descriptor. */
	const struct filter *filter;
};

/* 0, or -errno with *ret_step: the name of what failed. Half way is no way: the caller ends. */
int confine_enter(const struct confine *c, const char **ret_step);
/* The middle of it alone: user and group, capabilities, the ways to new ones. */
int confine_drop_power(const struct confine *c, const char **ret_step);

#endif
