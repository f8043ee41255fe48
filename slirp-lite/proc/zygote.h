/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zygote: the parent of all workers, forked before the supervisor gives up what is needed to make
 * processes. It waits for requests, clones a worker into namespaces of its own for each, and
 * reports its end. It never sees a packet. It ends, and its worker with it, when the supervisor
 * does.
 */
#ifndef SLIRP_PROC_ZYGOTE_H
#define SLIRP_PROC_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/options.h"
#include "stack/config.h"

struct zygote {
	pid_t pid;
	int pidfd;
	int sock; /* SEQPACKET: requests and reports */
};

#define ZYGOTE_INIT                                                                                \
	{                                                                                          \
		.pidfd = -1, .sock = -1                                                            \
	}

struct zygote_spec {
	const struct worker_config *config;
	enum sandbox_mode sandbox;
	int kept_fd; /* memory file for its workers, which outlives it (borrowed); -1: its own */
};

enum zygote_what {
	ZYGOTE_STARTED, /* pid */
	ZYGOTE_ENDED,   /* pid, status as waitpid's */
	ZYGOTE_FAILED,  /* no process could be made: sys, or text when that says more */
};

struct zygote_report {
	enum zygote_what what;
	int32_t pid, status, sys;
	char text[sizeof(((struct err *)0)->text)];
};

/* ret must be ZYGOTE_INIT and goes to zygote_end in any case. Lowers the flow limits of the
 * configuration to what the limit of open files leaves. */
int zygote_start(const struct zygote_spec *s, struct zygote *ret, struct err *e);
/* Asks for a worker; the one before has ended. fds stay the caller's. 0 or -errno. */
int zygote_request(const struct zygote *z, const struct worker_fds *fds,
		   const struct resolvers *resolvers, const struct rates *rates);
/* Kills the worker, if there is one; its end is reported. 0 or -errno. */
int zygote_kill(const struct zygote *z);
/* 1: a report; 0: the zygote is gone; -EAGAIN; another -errno. */
int zygote_read(const struct zygote *z, struct zygote_report *ret);
/* Ends the zygote and its worker and waits for it. */
void zygote_end(struct zygote *z);

#endif
