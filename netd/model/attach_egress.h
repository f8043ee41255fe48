/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach_egress: where a container may open connections to: texts, rules, and the judgement. One
 * grammar and one meaning for the daemon's policy, the engine's elements and the user-mode
 * forwarder. Plain values.
 */
#ifndef NETD_MODEL_ATTACH_EGRESS_H
#define NETD_MODEL_ATTACH_EGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"

/* Where it may open connections to. All zero: everywhere. */
struct attach_dest {
	bool is_denied; /* not there, whatever else is said; else: there */
	struct prefix to;
	uint16_t low, high; /* ports of TCP and UDP; 0: everything */
};
#define ATTACH_DEST_MAX 16
struct attach_egress {
	size_t n;
	/* With one that is not denied: nowhere else. None overlaps another of the same kind. */
	struct attach_dest dest[ATTACH_DEST_MAX];
};

bool attach_egress_is_only(const struct attach_egress *x); /* nowhere else */
/* Whether a packet may go to dst; port: its destination's, 0 for one without ports. What is denied
 * is denied whatever else is said; then what is allowed is; the rest only where nothing is
 * listed as allowed. */
bool attach_egress_allows(const struct attach_egress *x, const struct ip *dst, uint16_t port);
/* The same destinations in the same order. */
bool attach_egress_equal(const struct attach_egress *a, const struct attach_egress *b);
/* ERR_USAGE: host bits, ports in no order, overlaps. */
int attach_egress_check(const struct attach_egress *x, struct err *e);
/* PREFIX, PREFIX:PORT or PREFIX:LOW-HIGH; an address is a prefix, one of IPv6 in brackets where
 * ports follow, as [2001:db8::/32]:443. Adds it. ERR_USAGE, ERR_QUOTA. */
int attach_egress_parse(const char *s, bool is_denied, struct attach_egress *into, struct err *e);
/* One or more of these, with commas between them. */
int attach_egress_parse_list(const char *s, bool is_denied, struct attach_egress *into,
			     struct err *e);
#define ATTACH_DEST_STRLEN (PREFIX_STRLEN + 16)
const char *attach_dest_str(const struct attach_dest *d, char out[ATTACH_DEST_STRLEN]);
/* Those that are denied, or those that are not, as the list that is parsed; "": none. */
#define ATTACH_EGRESS_STRLEN (ATTACH_DEST_MAX * ATTACH_DEST_STRLEN)
const char *attach_egress_str(const struct attach_egress *x, bool is_denied,
			      char out[ATTACH_EGRESS_STRLEN]);

#endif
