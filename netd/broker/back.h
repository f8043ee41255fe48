/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back: the process with privilege. It takes calls from the front, asks the kernel who sent them
 * and the policy whether they may, counts what everybody holds, has the work done by workers, and
 * takes down what has lost its namespace. It reads nothing that a stranger wrote but values of
 * fixed layout and, for the log, the headers of packets that were refused (model/refusal.h), and
 * waits for nobody.
 */
#ifndef NETD_BROKER_BACK_H
#define NETD_BROKER_BACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "base/err.h"
#include "broker/handover.h"

#define BACK_JOBS 64        /* that wait or are under way */
#define BACK_WORKERS 4      /* at once; of one user: one */
#define BACK_JOBS_OF_UID 8  /* of one user */
#define BACK_WAIT_MS 25000  /* for a worker's turn */
#define BACK_WORK_MS 20000  /* for one piece of work */
#define BACK_ENDING 2       /* workers of one user that have reported and are not gone yet */
#define BACK_STOP_MS 12000  /* for all of it, when netd is to end */
#define BACK_FRONT_STARTS 5 /* of the front in BACK_FRONT_MS, then netd gives up */
#define BACK_FRONT_MS 60000
#define BACK_REAP_AGAIN_MS 1000 /* after a clean-up that failed */

struct back_config {
	int listener;
	struct sockaddr_un name; /* the listener's */
	const char *policy_dir, *state_dir;
	uint32_t front_uid, front_gid;
	int idle_ms; /* ends after so long without work and holdings; 0: never */
	bool is_own; /* the listener's file is ours to remove, and is this one: */
	uint64_t dev, ino;
	/* To replace itself: the file it was started from, and with which words. */
	const char *program;
	char *const *argv;
	const struct handover *from; /* what the program before it has left; NULL: there was none */
};

/* The exit status of netd. */
int back_main(const struct back_config *c);

/* back_try.c: a trial of this program, while another one serves: all that back_main does before the
 * first stranger is heard, and nothing that anybody notices. */
int back_try(const struct back_config *c);

/* back_jail.c: what is not needed goes, before the first stranger is heard. What the program before
 * it has given up is gone already: ERR_UNSUPPORTED where that was too much. *ret: for the next. */
struct back_marks {
	uint64_t wanted, caps; /* capabilities */
	uint32_t filter;       /* crc */
};
int back_jail(const struct handover *from, struct back_marks *ret, struct err *e);

#endif
