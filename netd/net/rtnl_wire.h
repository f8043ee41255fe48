/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_wire: what the files of this room need below rtnl.h: making a request, and reading answers
 * one by one. Not for other rooms.
 */
#ifndef NETD_NET_RTNL_WIRE_H
#define NETD_NET_RTNL_WIRE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/rtnl.h"

/* A request with its fixed header (ifinfomsg and the like) copied in. NULL: no memory. */
struct nl_msg *rtnl_msg(uint16_t type, uint16_t flags, const void *hdr, size_t len);
/* Frees m and returns NULL when one of the nla_put results that were or-ed into bad failed. */
struct nl_msg *rtnl_msg_done(struct nl_msg *m, int bad);

/* True when a change asked for with NLM_F_ECHO is answered by the object it made or deleted: the
 * kernel does so for links since Linux 6.2, and there must be room for the answer. */
bool rtnl_echoes(const struct rtnl *r);

/* Fills in length-independent header fields: port and the next sequence number, which is returned.
 */
uint32_t rtnl_stamp(struct rtnl *r, struct nlmsghdr *h);
/* One or more whole requests. 0 or -errno. */
int rtnl_send(struct rtnl *r, const void *data, size_t len);
/* The next message from the kernel, whatever its sequence number; it is valid until the next call.
 * deadline_ms is a clock_ms value; 0 takes only what is there already. 0, -ETIMEDOUT, -ENOBUFS
 * (some messages were lost), -EMSGSIZE or another negative errno. */
int rtnl_next(struct rtnl *r, uint64_t deadline_ms, struct nlmsghdr **ret);
/* True when h answers the request with that sequence number on this socket. */
bool rtnl_is_answer(const struct rtnl *r, const struct nlmsghdr *h, uint32_t seq);
/* The errno (>= 0) in an NLMSG_ERROR or NLMSG_DONE; *ret_text points to the kernel's own words in
 * the message, or is "". */
int rtnl_errno(const struct nlmsghdr *h, const char **ret_text);
/* Sets e from such an errno and text. Returns -sys. */
int rtnl_fail(int sys, const char *text, const char *what, struct err *e);
/* Sets e from a failed rtnl_next. */
int rtnl_fail_next(int r, const char *what, struct err *e);

#endif
