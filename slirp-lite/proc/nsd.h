/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsd: a process that stays in the container's network namespace and does nothing there but make
 * sockets for the worker (relay/insidemsg.h) and, with is_auto, tell which ports are served
 * (proc/nsdports.h). It is forked by the launcher, as the set-up helper is, and ends when its
 * channels close, when the supervisor ends, or by nsd_end: so it does not keep the namespace alive
 * for longer than that. It has no capability (but for is_transparent), cannot be traced by the
 * container's root, opens nothing, and has a dozen system calls left (filters_nsd).
 *
 * It is not trusted more than the worker: what comes from it is checked. When it is gone there is
 * no other one (that would need what was given up), and clients of the host are served through the
 * tap.
 */
#ifndef SLIRP_PROC_NSD_H
#define SLIRP_PROC_NSD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/nsdports.h"

struct nsd_spec {
	int netns_fd, userns_fd; /* userns_fd -1: none to join; both stay the caller's */
	bool is_auto;            /* follow the ports that are served */
	/* Sockets may be bound to addresses that are not the namespace's (proc/transparent.h): it
	 * keeps CAP_NET_RAW in the user namespace, which must be one to join. */
	bool is_transparent;
};

struct nsd {
	pid_t pid;
	int pidfd;      /* readable when it has ended */
	int sockets_fd; /* SOCK_SEQPACKET, non-blocking: for every worker, one after another */
	int ports_fd;   /* the same, for the supervisor; -1 without is_auto */
};

#define NSD_INIT                                                                                   \
	{                                                                                          \
		.pidfd = -1, .sockets_fd = -1, .ports_fd = -1                                      \
	}

/* Starts it; nsd_finish waits (at most NSD_MS) until it is there, confined. ret must be NSD_INIT.
 * nsd_end may be called in any case and again. Before the caller confines itself. */
#define NSD_MS 10000
int nsd_start(const struct nsd_spec *s, struct nsd *ret, struct err *e);
int nsd_finish(struct nsd *n, struct err *e);
void nsd_end(struct nsd *n);

/* ports_fd is readable: takes one message, tells what is other than before (fn), and makes *state
 * the new set; while the kernel does not tell them, that is state->sys alone. state begins as
 * zeroes. 1: done; 0: it is gone; -EAGAIN: there is none; -EPROTO: a message that is none (taken
 * off, nothing changed); another -errno: the channel failed. */
int nsd_ports_read(int ports_fd, struct nsdports *state, nsdports_change *fn, void *arg);

#endif
