/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostfwd: published ports in the words of the control socket: slirp4netns' add_hostfwd and
 * list_hostfwd, and our own publish. Pure: JSON to values and back.
 */
#ifndef SLIRP_PROC_HOSTFWD_H
#define SLIRP_PROC_HOSTFWD_H

#include <jansson.h>

#include "base/err.h"
#include "flow/plan.h"
#include "model/publish_list.h"
#include "proc/published.h"

/* The arguments of add_hostfwd. An error is the name of the argument that is bad ("proto"), as
 * clients know it, with what was wrong with it in e. NULL: all is well. Beyond slirp4netns: proto
 * tcp6 and udp6, ranges ("host_port":"8000-8010"), IPv6 addresses with these; guest_addr defaults
 * to the guest of the plan. */
const char *hostfwd_parse(json_t *arguments, const struct plan *plan, struct publish *ret,
			  struct ip *ret_guest, struct err *e);
/* A JSON number without a fraction ("8080" and "8080.0": some languages know no other numbers); max
 * is at most 2^53. */
bool hostfwd_whole(const json_t *v, uint64_t min, uint64_t max, uint64_t *ret);
/* One entry of list_hostfwd; a new reference. */
json_t *hostfwd_entry(const struct published_rule *r);

/* {"ports":["8080:80/tcp",...]}: adds to *ret. ERR_USAGE; ERR_PROTOCOL: it is of another shape. */
int hostfwd_parse_list(json_t *arguments, struct publish_list *ret, struct err *e);
/* {"id":1,"spec":"8080:80/tcp",...} with counters; a new reference. */
json_t *hostfwd_rule(const struct published_rule *r);

#endif
