/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reserve: binds the reservation sockets of published ports and hands them to the local forwarder,
 * which is started when it is not there. SCTP and runs longer than PUBLISH_HELD_MAX are
 * bind-probed only (SCTP where the kernel has it loaded). One socket a port: for every address of
 * the host a dual-stack one, or AF_INET where the kernel has no IPv6.
 */
#ifndef NETD_NET_RESERVE_H
#define NETD_NET_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/name.h"
#include "model/publish.h"

struct reserve; /* bound sockets not yet handed over, and the connection to the forwarder */

/* dirfd: the state directory, borrowed; may be -1. The forwarder belongs to the network namespace
 * of the calling thread (its control address is an abstract one), so nothing is kept in that
 * directory. */
int reserve_open(int dirfd, struct reserve **ret, struct err *e);
void reserve_closep(struct reserve **r);
#define CLEAN_RESERVE __attribute__((cleanup(reserve_closep)))

/* Binds p's ports (p->host_port 0: picks a free one and writes it into p). has[f]: the container
 * has family f. Port taken: ERR_CONFLICT with the process that holds it, where /proc can tell; but
 * a port that the last reserve_count saw served for its key counts as bound. Host address not of
 * this host: ERR_USAGE. Nothing of p is bound when it fails. Also starts the forwarder, without
 * waiting, so that it gets ready while the caller does other things. */
int reserve_bind(struct reserve *r, struct publish *p, const bool has[N_FAM], struct err *e);
/* From now on reserve_bind only looks whether the ports are free: it holds them against each other
 * but takes no client and starts nothing. Such an r cannot be committed. */
void reserve_only_probe(struct reserve *r);
/* How many sockets are bound, and closing those bound after the first n (a picked port that
 * somebody else turned out to have a claim on). */
size_t reserve_n_bound(const struct reserve *r);
void reserve_cut(struct reserve *r, size_t n);
/* Sends what reserve_commit with the same arguments would send, as far as it fits, and does not
 * wait. That has to follow, before anything else is asked of the forwarder. */
void reserve_ask(struct reserve *r, const char *key, const struct ip target[N_FAM]);
/* Hands all bound sockets to the forwarder under key, for the container's addresses. Starts it when
 * needed. Waits for its acknowledgements, 2 s without any at most. When it fails the sockets stay
 * with r, and what the forwarder had taken is withdrawn. */
int reserve_commit(struct reserve *r, const char *key, const struct ip target[N_FAM],
		   struct err *e);
/* Sends what reserve_release of all of key would send, if there is a forwarder, and does not wait.
 * That has to follow, before anything else is asked of the forwarder. */
void reserve_ask_release(struct reserve *r, const char *key);
/* Tells the forwarder to let go of p[0..n) of key (n 0: all of key): on return the ports are free
 * and flows through them are cut. No forwarder: success. */
int reserve_release(struct reserve *r, const char *key, const struct publish *p, size_t n,
		    struct err *e);
/* Lets go of everything of every key that is_live does not know (state that was lost). The number
 * of such keys; 0 also when there is no forwarder. */
int reserve_sweep(struct reserve *r, bool (*is_live)(const char *key, void *arg), void *arg,
		  struct err *e);
/* How many of p's sockets the forwarder serves for key, and how many it should. Does not start it.
 */
int reserve_count(struct reserve *r, const char *key, const struct publish *p, size_t n,
		  size_t *ret_has, size_t *ret_want, struct err *e);
/* True when r had to start the forwarder: ports recorded earlier are then served by nobody until
 * they are bound and committed again. */
bool reserve_started(const struct reserve *r);

#endif
