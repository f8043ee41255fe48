/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep: the two processes that keep a user's host namespace (host.h), and their record. Each does
 * nothing but hold the namespace, as a descriptor, and look after the other: one that ends,
 * whatever ended it, is made anew by the one that is left. They are outside of it, where the way
 * out (uplink.h) has to be made: one of them does that when its process has ended, and sees to it
 * that names are answered (mend.h). Both
 * end by SIGTERM to either, and when the record is removed, be it with the user's runtime directory
 * when he logs out. They are the only holders of the writing end of a pipe: who has the reading end
 * sees that both are gone. They hold the memory file in which the way out has its connections, so
 * that the next one resets what the last one left (tcp/left.h).
 */
#ifndef NETD_ROOTLESS_KEEP_H
#define NETD_ROOTLESS_KEEP_H

#include <stdint.h>

#include "base/err.h"

#define KEEP_N 2
#define KEEP_FILE "keepers"

struct keep_record {
	char boot_id[37];
	uint64_t pidns_ino; /* where the numbers below count */
	uint64_t netns_dev, netns_ino;
	int32_t pid[KEEP_N];
	uint64_t start[KEEP_N]; /* of the processes, in the kernel's ticks since boot */
};

/* Those that live. */
struct keep {
	struct keep_record record;
	int pidfd[KEEP_N]; /* -1: gone */
	int netns_fd, userns_fd, pipe_fd;
	int flows_fd; /* -1: they were made by a version that had none */
	int32_t pid;  /* of one that lives */
};
#define KEEP_INIT                                                                                  \
	{                                                                                          \
		.pidfd = {-1, -1}, .netns_fd = -1, .userns_fd = -1, .pipe_fd = -1, .flows_fd = -1  \
	}

/* Makes a user namespace with the caller's ids and a network namespace in it, and the processes;
 * returns when they are on record in the directory dir_fd. */
int keep_start(int dir_fd, struct err *e);
/* 0; 1: there is no record; 2: there is one, and none of the processes lives. ret is KEEP_INIT and
 * goes to keep_close in any case. */
int keep_find(int dir_fd, struct keep *ret, struct err *e);
void keep_close(struct keep *k);
/* Ends them; returns when they are gone. */
int keep_stop(struct keep *k, struct err *e);

#endif
