/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front: the process that strangers talk to. It has no privilege, no file, no name and no way to
 * make a socket: it accepts, reads one request from each connection, turns it into a call and
 * passes that on with the connection, and passes the answer back. It decides nothing but who is too
 * many, too fast or too slow.
 */
#ifndef NETD_BROKER_FRONT_H
#define NETD_BROKER_FRONT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/queue.h"

#define FRONT_CONNS QUEUE_CONNS /* at once */
#define FRONT_READ_MS 2000      /* from accept to the whole request */
#define FRONT_PATIENCE_MS 100   /* with who says nothing while others want his place */
#define FRONT_WAIT_MS 40000     /* for the request's turn */
#define FRONT_ANSWER_MS                                                                            \
	50000           /* for the answer; longer than the back's BACK_WAIT_MS and BACK_WORK_MS */
#define FRONT_BURST 128 /* requests of one user at once */
#define FRONT_PER_SECOND 64 /* and from then on */

struct front_config {
	int listener; /* not blocking */
	int back;     /* SOCK_SEQPACKET to the back */
	uint32_t uid, gid;
	const int *conn; /* clients that a front before this one has accepted */
	size_t n_conn;
};

/* Gives up every privilege, then serves until the back is gone or says so. The exit status. */
int front_main(const struct front_config *c);

/* front_jail.c */
int front_jail(const struct front_config *c, struct err *e);

#endif
