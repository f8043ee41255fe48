/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwdlink: the engine's end of the connection to the local forwarder, which it starts when asked.
 */
#ifndef NETD_NET_FWDLINK_H
#define NETD_NET_FWDLINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/fwdmsg.h"
#include "net/fwdstart.h"

#define FWDLINK_WAIT_MS 10000

struct fwdlink {
	int fd;         /* -1: not connected */
	bool started;   /* the forwarder was started by us */
	size_t n_ahead; /* requests of the next exchange that were sent already */
};

enum { FWDLINK_OPEN = 0, FWDLINK_NONE = 1, FWDLINK_LOST = 2 };

/* Connects. FWDLINK_OPEN, or (only when start is false) FWDLINK_NONE: there is no forwarder. */
int fwdlink_open(struct fwdlink *l, bool start, struct err *e);
void fwdlink_close(struct fwdlink *l);
/* The same for any process of its kind: *ret_fd, and *ret_started set when it was started. */
int fwdlink_connect(const struct fwdstart *s, bool start, int *ret_fd, bool *ret_started,
		    struct err *e);

/* One exchange: request i of n is filled in by ask (*ret_fd: descriptor to send along, -1 for none;
 * the message comes zeroed with its version set), items of a LIST go to item (may be NULL). All
 * answers are awaited even after one says no; the first no is the error, with its index in
 * *ret_failed (may be NULL). FWDLINK_LOST: the forwarder went away in between; nothing is known
 * about the requests. */
struct fwdlink_talk {
	size_t n;
	void (*ask)(size_t i, struct fwdmsg *ret, int *ret_fd, void *arg);
	int (*item)(const struct fwdmsg *m, void *arg); /* 0 or -errno */
	void *arg;
};
/* Sends what can be sent at once and does not wait. The next exchange must be the same one, and
 * goes on from there; where sending fails, that finds out why. */
void fwdlink_ask(struct fwdlink *l, const struct fwdlink_talk *t);
int fwdlink_exchange(struct fwdlink *l, const struct fwdlink_talk *t, size_t *ret_failed,
		     struct err *e);

#endif
