/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keeper: what the two sides of keep.h share. Private to this room. */
#ifndef NETD_ROOTLESS_KEEPER_H
#define NETD_ROOTLESS_KEEPER_H

#include <stdatomic.h>

#include "rootless/keep.h"

#define KEEPER_READY 'R'
/* The numbers in a keeper of the pipe's reading end, of the network namespace, and of the memory
 * file in which one way out tells the next of its connections. */
#define KEEPER_PIPE 4
#define KEEPER_NETNS 6
#define KEEPER_FLOWS 8

struct keeper_shared {
	atomic_bool is_ending; /* by order: the other one ends too instead of making it anew */
	int result;            /* of the start */
	struct err error;
};

struct keeper {
	int dir_fd, pipe[2], netns_fd, sock, flows_fd;
	struct keeper_shared *shared;
};

/* The life of the first one from birth on; the second is its child. */
_Noreturn void keeper_first(const struct keeper *k);

int keep_write(int dir_fd, const struct keep_record *k, struct err *e);
/* When a process was started: 0 or -errno. */
int keep_start_time(int32_t pid, uint64_t *ret);

#endif
