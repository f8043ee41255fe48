/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftwatch: tells that somebody changed our tables, and whether it was a program of ours. */
#ifndef NETD_NET_NFTWATCH_H
#define NETD_NET_NFTWATCH_H

#include "base/err.h"

enum nftwatch_what {
	NFTWATCH_MADE = 1, /* a program of ours made, replaced or deleted a table, or parts of it */
	NFTWATCH_FOREIGN = 2, /* somebody else changed something in one, be it an element */
	NFTWATCH_LOST = 4,    /* announcements were lost: anything may have happened */
	NFTWATCH_KEPT = 8,    /* a program of ours changed elements that the stand-in has too */
};

#define NFTWATCH_STATES 8 /* each below it */

struct nftwatch;

int nftwatch_open(struct nftwatch **ret, struct err *e);
/* For the next program of this process: what has been read of a transaction that is being
 * announced. adopt: goes on from there with the same descriptor, which stays the caller's on an
 * error. */
unsigned nftwatch_state(const struct nftwatch *w);
int nftwatch_adopt(int fd, unsigned state, struct nftwatch **ret, struct err *e);
void nftwatch_closep(struct nftwatch **w);
int nftwatch_fd(const struct nftwatch *w); /* readable when there is something to read */
/* Reads what is there and returns at once: what happened since the last time, 0 for nothing of
 * interest (elements that programs of ours add and delete). */
int nftwatch_read(struct nftwatch *w, struct err *e);

#endif
