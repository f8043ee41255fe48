/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unshare: a command in new namespaces, in three steps, so that its network is up before its first
 * instruction: unshare_start makes the namespaces with a child in them that waits, unshare_go lets
 * it execute the command, unshare_wait stays until it ends. From start to end the caller's signals
 * are blocked (those that are forwarded), so that none is lost and none skips the caller's
 * teardown.
 *
 * With RUN_PID, pid 1 of the new namespace is an init of ours that starts the command, takes in
 * orphans, forwards signals, and ends with the command's status, whereupon the kernel ends the
 * rest. When the caller dies, the child is killed: with RUN_PID everything in it, else the command
 * itself, but not what it started, nor a command that gains privilege by a set-user-ID bit.
 *
 * The command stays in the caller's process group, so a terminal's job control works as without us.
 * It inherits descriptors 0, 1 and 2 only, and the caller's signal mask and dispositions.
 */
#ifndef NETD_SYS_UNSHARE_H
#define NETD_SYS_UNSHARE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum run_flags {
	RUN_PID = 1 << 0,   /* implies RUN_MOUNT: /proc is mounted again */
	RUN_MOUNT = 1 << 1, /* with private propagation */
	RUN_UTS = 1 << 2,
	RUN_IPC = 1 << 3,
	RUN_USER = 1 << 4, /* ids: see n_ids below */
	RUN_CGROUP = 1 << 5,
	/* The network namespace belongs to a user namespace of its own, the command runs in another
	 * one inside of it (RUN_USER, with the same ids): its root has no power over the network.
	 * Subordinate ids are used where the caller has some. Low ports and ping work for all. */
	RUN_SPLIT = 1 << 6,
};

struct run_spec {
	unsigned flags;       /* of enum run_flags; a network namespace is always made */
	const char *hostname; /* NULL: as inherited; else implies RUN_UTS */
	const char
		*resolv_conf; /* text bound over /etc/resolv.conf; NULL: not. Implies RUN_MOUNT */
	char *const *argv;    /* argv[0] is looked up in PATH */
};

struct run_child {
	pid_t pid;           /* for messages; everything goes by pidfd */
	int pidfd;           /* netns_open_pid(pid) is sure to find it until unshare_wait returns */
	const char *command; /* spec's argv[0], borrowed */
	int channel;         /* private, like all below but n_ids and exec_status */
	int signals;
	bool reaped, masked;
	int status;
	sigset_t old_mask;
	struct sigaction old_chld;
	/* RUN_USER: how many ids are mapped. 65536: 0 to 65535 each to itself (the caller has
	 * CAP_SETUID); 1: 0 to the caller's own. 0 without RUN_USER. */
	unsigned n_ids;
	/* After unshare_go failed because the command cannot be executed: 127 when it was not
	 * found, else 126, as shells have it. 0 otherwise. */
	int exec_status;
};

#define RUN_CHILD_INIT                                                                             \
	{                                                                                          \
		.pidfd = -1, .channel = -1, .signals = -1                                          \
	}

/* ret must be RUN_CHILD_INIT and goes to unshare_end in any case. The calling process must have one
 * thread. ERR_DENIED says what privilege is missing. */
int unshare_start(const struct run_spec *spec, struct run_child *ret, struct err *e);

/* Returns when the command is executing: 0, or 1 when there was no /etc/resolv.conf to bind the
 * text over (it was left so). An error leaves the child dead or dying. */
int unshare_go(struct run_child *c, struct err *e);

/* Forwards INT TERM HUP QUIT USR1 USR2 WINCH CONT until the child has ended. *ret_status is its
 * exit status, or 128 + the signal that ended it. A signal that the terminal sent to the process
 * group is not delivered a second time. */
int unshare_wait(struct run_child *c, int *ret_status, struct err *e);

/* Kills and reaps the child if it still is, drops the signals that came meanwhile (they were for
 * the child) and puts the caller's signal mask back. To be called after the teardown; may be
 * repeated. */
void unshare_end(struct run_child *c);

#endif
