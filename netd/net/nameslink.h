/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nameslink: the engine's end of the connection to the names responder, which it starts when asked,
 * and the sockets that the responder listens on. */
#ifndef NETD_NET_NAMESLINK_H
#define NETD_NET_NAMESLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/namesmsg.h"

struct nameslink {
	int fd;         /* -1: not connected */
	bool started;   /* the responder was started by us */
	size_t n_ahead; /* requests that were sent and whose answers were not taken */
};

enum { NAMESLINK_OK = 0, NAMESLINK_NONE = 1 };

/* Connects, unless it is connected. NAMESLINK_NONE (only when start is false): there is none. */
int nameslink_open(struct nameslink *l, bool start, struct err *e);
void nameslink_close(struct nameslink *l);

/* One request and its answer; version is set here. NAMESLINK_NONE: the responder is gone, and
 * nothing is known. The responder's no is -errno of it and an error. ret may be NULL. */
int nameslink_call(struct nameslink *l, struct namesmsg *m, const int *fds, size_t n_fds,
		   struct namesmsg *ret, struct err *e);

/* Sends as many of n requests, without descriptors, as fit and does not wait: nameslink_call_all
 * with the same ones goes on from there. Where it fails, that finds out why. Answers that nobody
 * took are passed over by the next nameslink_call. */
void nameslink_ask_all(struct nameslink *l, struct namesmsg *m, size_t n);
/* n requests at once, without descriptors, and then their answers: the first no is the error. */
int nameslink_call_all(struct nameslink *l, struct namesmsg *m, size_t n, struct err *e);

/* The process of the responder, by a new connection: it has answered before. NAMESLINK_NONE: there
 * is none. */
int nameslink_who(struct nameslink *l, int32_t *ret, struct err *e);
/* The same, as a descriptor for the caller to close. */
int nameslink_pidfd(struct nameslink *l, int *ret, struct err *e);

/* From here on, above what the kernel gives to programs that do not care
 * (net.ipv4.ip_local_port_range), so that neither is in the other's way, and where people seldom
 * publish. */
#define NAMESLINK_PORT 61000

/* Binds what a NETWORK carries to m->listen[] and m->port; port 0, or one that is taken: the next
 * free one is written there. The addresses need not be there yet. All of fds is set; the caller
 * closes them. */
int nameslink_bind(struct namesmsg *m, int fds[NAMESMSG_FDS], size_t *ret_n, struct err *e);

#endif
