/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mend: what a keeper does for the way out of a user's host, and for who answers names there: it
 * watches the processes that are on record (uplink.h), and when one has ended without being taken
 * off the record, has `netns-up gc` start it again. That goes on in a child, which ends with the
 * keeper; so nothing that takes time holds up a keeper, or its end. It is tried at once, then later
 * each time, and a few times a minute at most.
 */
#ifndef NETD_ROOTLESS_MEND_H
#define NETD_ROOTLESS_MEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most so often in so long. */
#define MEND_MAX 6
#define MEND_WINDOW_MS 60000

enum { MEND_UPLINK, MEND_NAMES, MEND_N };

struct mend {
	struct mend_watch {
		int pidfd; /* of who is watched; -1 */
		/* On record when it was last looked at, 0: nobody. */
		int32_t pid;
		uint64_t start;
		bool is_gone;
	} watch[MEND_N];
	int child;                /* pidfd of who mends; -1 */
	uint64_t begun[MEND_MAX]; /* when it was tried, the latest first */
	size_t n_begun;
};
#define MEND_INIT                                                                                  \
	{                                                                                          \
		.watch = {{.pidfd = -1}, {.pidfd = -1}}, .child = -1                               \
	}

/* Reads the record in the directory dir_fd. */
void mend_look(struct mend *m, int dir_fd);
/* How long until something has to be done, in ms; -1: nothing. */
int mend_wait(const struct mend *m, uint64_t now_ms);
/* After a wait for the descriptors: which of them have ended, and whether the directory has
 * changed. */
void mend_turn(struct mend *m, int dir_fd, const bool has_ended[MEND_N], bool has_child_ended,
	       bool is_changed);
/* In a process that is not to go on with it. */
void mend_forget(struct mend *m);

/* For tests: counts an attempt. */
void mend_count(struct mend *m, uint64_t now_ms);

#endif
