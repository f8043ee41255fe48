/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qdisc: rate limits of a link: a token bucket for what it sends, and for what it receives a
 * redirection through an ifb, which has a token bucket of its own (policing would drop where a
 * bucket delays). Ours carry a handle and a priority of their own, so that others' stay.
 */
#ifndef NETD_NET_QDISC_H
#define NETD_NET_QDISC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/rtnl.h"

struct tbf_spec {
	uint64_t rate;  /* bytes a second */
	uint32_t burst; /* bytes, at least the link's MTU with its header */
};

/* Makes the link's root discipline a token bucket, or changes ours that is there. Somebody else's
 * is replaced on a link of our own, and otherwise ERR_CONFLICT that names it.
 * ERR_UNSUPPORTED names what the kernel lacks. */
int qdisc_tbf_set(struct rtnl *r, uint32_t index, const struct tbf_spec *s, bool is_own_link,
		  struct err *e);
/* Takes ours away. 1 when there was none of ours. */
int qdisc_tbf_del(struct rtnl *r, uint32_t index, struct err *e);
/* The rate of our bucket in *ret (bytes a second). 1 when there is none of ours. */
int qdisc_tbf_get(struct rtnl *r, uint32_t index, uint64_t *ret, struct err *e);

/* An ifb of that name, up; an existing one is used. */
int qdisc_ifb_add(struct rtnl *r, const char *name, uint32_t mtu, uint32_t group,
		  uint32_t *ret_index, struct err *e);

/* Sends everything that the link receives through the link `to`. */
int qdisc_redirect_set(struct rtnl *r, uint32_t index, uint32_t to, struct err *e);
/* Takes the redirection away, and the ingress discipline when nothing else uses it. 1 when there
 * was none. */
int qdisc_redirect_del(struct rtnl *r, uint32_t index, struct err *e);
/* 1: there is a redirection of ours, 0: there is none. */
int qdisc_redirect_has(struct rtnl *r, uint32_t index, struct err *e);

#endif
