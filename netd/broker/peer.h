/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer: who is at the other end of a connection, from the kernel alone, and whether a descriptor
 * that he passed is a network namespace of his own. Nothing that a message says counts here.
 */
#ifndef NETD_BROKER_PEER_H
#define NETD_BROKER_PEER_H

#include <stdint.h>
#include <sys/un.h>

#include "base/err.h"
#include "broker/policy.h"

struct peer {
	struct policy_subject who;
	char comm[32]; /* of the process that connected, for the log; "?" when it is gone */
};

/* Whether it is an accepted connection of the socket bound to `name`. */
int peer_check(int conn, const struct sockaddr_un *name, struct err *e);
/* Who connected. The descriptor must be an accepted connection of the socket bound to `name` (a
 * front gone astray could bring any other). ERR_PROTOCOL otherwise. */
int peer_of(int conn, const struct sockaddr_un *name, struct peer *ret, struct err *e);

/* netns_fd: a network namespace that is not ours, in a user namespace that uid made. pidfd (-1:
 * none): a process that lives, in that namespace as far as may be looked at. ERR_DENIED for every
 * reason; the text is for the log. */
int peer_owns_netns(uint32_t uid, int netns_fd, int pidfd, struct err *e);

#endif
