/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top_flows: what slirp-lite says of its conversations, its published ports and what it dropped, as
 * lines. It comes from another process: what is not as expected is left out. PURE.
 */
#ifndef NETD_CLI_TOP_FLOWS_H
#define NETD_CLI_TOP_FLOWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/publish.h"

/* Whose an address inside is; false: it is not to be shown. *ret_name NULL: the address itself. */
typedef bool top_whose(const void *arg, const struct ip *guest, const char **ret_name);

/* Those in trouble, then those that moved last; at most so many lines. whose may be NULL. */
void top_flows_put(json_t *flows, top_whose *whose, const void *arg, unsigned lines,
		   struct buf *out);
/* The same as a new array. */
json_t *top_flows_pick(json_t *flows, top_whose *whose, const void *arg);

struct top_tally {
	uint64_t flows, in, out;
};
/* What the port of this host side has had. False: nobody says. */
bool top_tally_of(json_t *ports, const struct publish *p, struct top_tally *ret);
/* who: beside it, or NULL */
void top_port_put(const struct publish *p, const struct top_tally *t, const char *who,
		  struct buf *out);

/* Counters that say why something was lost, and by how much they grew; before may be NULL. */
void top_drops_put(json_t *counters, json_t *before, struct buf *out);

#endif
