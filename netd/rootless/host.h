/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host: a user's own "host": a user and a network namespace in which the engine works for him as it
 * does for root, so that he has networks of several containers. Two processes keep it (keep.h), one
 * slirp-lite is its way out and the way in to published ports (the uplink). It is made on first use
 * and ends with its last network. A program finds or makes it, enters it, and then opens the engine
 * on the state directory in it; there is no way back.
 *
 *   DIR/host/keepers   the processes, see keep.h
 *   DIR/host/ports     what is published by the uplink, and for which attachment
 *   DIR/host/uplink    which process that is, and which engine was asked for
 *   DIR/host/net       the engine's state directory
 *   DIR/host/....sock  the uplink's control socket
 *
 * DIR is that of rootless.h. All that changes is done under its lock, which a host holds from
 * host_open to host_leave or host_closep.
 */
#ifndef NETD_ROOTLESS_HOST_H
#define NETD_ROOTLESS_HOST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "model/attachment.h"
#include "model/publish.h"

struct host;
struct rootless_state;

/* 0; 1 when there is none and it is not to be made. dir as in rootless_open. *ret_was_lost: one was
 * on record whose processes are gone; what it left has been removed. */
int host_open(const char *dir, bool is_made, struct host **ret, bool *ret_was_lost, struct err *e);
void host_closep(struct host **h);
#define CLEAN_HOST __attribute__((cleanup(host_closep)))

/* Whether a network of that name is on record, without a host to be entered; no lock is taken. */
bool host_has_network(const char *dir, const char *network);
bool host_has_attachment(const char *dir, const char *id, const char *ifname);

/* Before entering: starts the uplink where it is not there, with all ports that are on record.
 * 1: it had to be started; *e then tells of ports that could not be had again. engine: "tap" or
 * "relay", which is put on record, or NULL: what is on record. ERR_CONFLICT: another one is asked
 * for already, or is used. ERR_UNSUPPORTED: it does not work here. Nothing is changed then. */
int host_uplink(struct host *h, const char *engine, struct err *e);
/* The call that asked for the engine has failed: the record is again what it was. */
void host_uplink_unask(struct host *h);
/* The calling process (of one thread) is in the host's namespaces from now on. with_outside: a
 * process that stays lends it the user's rights (sys/outside.h). */
int host_enter(struct host *h, bool with_outside, struct err *e);
/* Before entering, for one who will leave and return: a process stays outside. */
int host_stay(struct host *h, struct err *e);
/* For one who waits, with the engine closed: out of the host's network namespace, which he would
 * keep from ending, and unlocked. Back, and locked: 0; 1: it has ended meanwhile. */
int host_leave(struct host *h, struct err *e);
int host_return(struct host *h, struct err *e);
const char *host_state_dir(const struct host *h);
/* The reading end of a pipe whose other end closes with the last process that keeps the host; of
 * the host until host_leave. */
int host_end_fd(const struct host *h);
/* The resolvers that the uplink is, and a resolv.conf of them, for containers that have no other.
 */
#define HOST_DNS4 "10.0.2.3"
#define HOST_DNS6 "fd00::3"
#define HOST_RESOLV_CONF "nameserver " HOST_DNS4 "\nnameserver " HOST_DNS6 "\n"

/* Ports of an attachment at the uplink. All of them or none; ports 0 are picked and written into
 * list. What this attachment has already is left alone: added gets the others, *ret_n of them (room
 * for n). ERR_CONFLICT names who has one. */
int host_publish(struct host *h, const char *id, const char *ifname, struct publish *list, size_t n,
		 struct publish *added, size_t *ret_n, struct err *e);
/* ERR_ABSENT when it has not all of list. */
int host_has_ports(struct host *h, const char *id, const char *ifname, const struct publish *list,
		   size_t n, struct err *e);
/* Those of list that it has, NULL: all of them. Goes on after errors and gathers them. */
int host_unpublish(struct host *h, const char *id, const char *ifname, const struct publish *list,
		   size_t n, struct err *e);
/* What the engine has to publish for a list of ports that this attachment has: where the uplink
 * hands their clients over, from any address. In place; ERR_ABSENT when it has not all of them. */
int host_inner_ports(struct host *h, const char *id, const char *ifname, struct publish *list,
		     size_t n, struct err *e);
/* The ports of a record of the engine as their user wrote them. */
void host_outer_ports(struct host *h, const struct attachment *a);
/* Takes back the ports of attachments that has() does not know. The number of them. */
int host_sweep_ports(struct host *h, int (*has)(const char *id, const char *ifname, void *arg),
		     void *arg, struct err *e);

/* Which process answers names in the host, 0: none is needed. Who keeps the host looks after it
 * from now on. */
int host_note_names(struct host *h, int32_t pid, struct err *e);

/* What the uplink says of itself; cleared by the caller (rootless.h). False: it is not there. */
bool host_uplink_state(struct host *h, struct rootless_state *ret);
/* What is under way by it (rootless_ask "flows"); a new reference. */
int host_uplink_flows(struct host *h, json_t **ret, struct err *e);

/* After the engine is closed: ends everything when no network is left. 1: there are some. */
int host_end_if_unused(struct host *h, struct err *e);

#endif
