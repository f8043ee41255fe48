/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl: one NETLINK_ROUTE socket in one network namespace (libnl-3's core message builder). A
 * request list is sent in one sendmsg and every acknowledgement is read before the call returns;
 * extended-ack texts end up in the error. Every wait has a deadline (RTNL_TIMEOUT_MS). A get or a
 * dump whose answer is lost (ENOBUFS) or changed under the reader (NLM_F_DUMP_INTR) is asked for
 * again, five times at most, then -EAGAIN with ERR_BUSY. A change is never sent twice; the receive
 * buffer is kept from overflowing instead.
 */
#ifndef NETD_NET_RTNL_H
#define NETD_NET_RTNL_H

#include <netlink/msg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define RTNL_TIMEOUT_MS 5000

struct rtnl;

int rtnl_open(struct rtnl **ret, struct err *e); /* in the caller's namespace */
int rtnl_open_in(int netns_fd, struct rtnl **ret,
		 struct err *e); /* setns there, open, setns back; else by outside_socket_in */
/* In the caller's namespace, with the rights of the process outside (sys/outside.h): for a link
 * whose other end is in a namespace that the caller has no power over, but the user has. */
int rtnl_open_lent(struct rtnl **ret, struct err *e);
/* From now on, in the whole program, rtnl_open_in goes by userns_socket: what is done through such
 * a socket is done with the power of the namespace's owner. */
void rtnl_use_owner(bool always);
void rtnl_close(struct rtnl *r); /* accepts NULL */
void rtnl_closep(struct rtnl **r);
#define CLEAN_RTNL __attribute__((cleanup(rtnl_closep)))

int rtnl_fd(const struct rtnl *r);
/* SO_NETNS_COOKIE of the namespace the socket lives in. */
int rtnl_cookie(struct rtnl *r, uint64_t *ret, struct err *e);

/* A list of requests sent at once. Messages are owned by the batch. */
struct rtnl_batch;
int rtnl_batch_new(struct rtnl *r, struct rtnl_batch **ret, struct err *e);
void rtnl_batch_freep(struct rtnl_batch **b);
#define CLEAN_RTNL_BATCH __attribute__((cleanup(rtnl_batch_freep)))
/* Appends a message (NLM_F_ACK is added). what is borrowed until the run and names the step in the
 * error. ok_errno: an errno that counts as success (EEXIST for idempotent adds, ENODEV for
 * deletes), or 0. m is consumed, also on failure. NULL m is -ENOMEM. */
int rtnl_batch_add(struct rtnl_batch *b, struct nl_msg *m, int ok_errno, const char *what,
		   struct err *e);
/* Sends all, reads all acks, reports the first failure (the kernel has processed the others too).
 * The batch is empty afterwards and can be filled again. */
int rtnl_batch_run(struct rtnl_batch *b, struct err *e);

/* One request; on_reply (may be NULL) gets each answer that is not an ack or error (echo, get,
 * dump). For dumps (NLM_F_DUMP) restart(arg) is called before a repeated dump. m is consumed. */
int rtnl_call(struct rtnl *r, struct nl_msg *m, void (*on_reply)(struct nlmsghdr *h, void *arg),
	      void (*restart)(void *arg), void *arg, const char *what, struct err *e);

#endif
