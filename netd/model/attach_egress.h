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
	bool is_denied;     /* not there, whatever else is said; else: there */
	struct prefix to;   /* family 0: what a name stands for */
	uint16_t low, high; /* ports of TCP and UDP; 0: everything */
};
#define ATTACH_DEST_MAX 16
struct attach_egress {
	size_t n;
	/* With one that is not denied: nowhere else. None overlaps another of the same kind. */
	struct attach_dest dest[ATTACH_DEST_MAX];
};

/* The names of an egress policy, each at the place of its destination; "" is none. In lower case;
 * "*.example.org" is every name below that one, at any depth. */
#define ATTACH_NAME_STRLEN 254
struct attach_names {
	char name[ATTACH_DEST_MAX][ATTACH_NAME_STRLEN];
};
/* So long an address counts that a name led to, whatever the answer says: who asks for a name may
 * take a while until it connects; who keeps an answer longer than a day has it from nobody. */
#define ATTACH_NAME_TTL_MIN_S 60
#define ATTACH_NAME_TTL_MAX_S 86400
/* name: in lower case, without a dot at the end. */
bool attach_names_match(const char *pattern, const char *name);

bool attach_egress_is_only(const struct attach_egress *x); /* nowhere else */
/* Whether a packet may go to dst; port: its destination's, 0 for one without ports; named: of which
 * of the names it is an address just now, a bit each by place. What is denied
 * is denied whatever else is said; then what is allowed is; the rest only where nothing is
 * listed as allowed. */
bool attach_egress_allows(const struct attach_egress *x, const struct ip *dst, uint16_t port,
			  uint32_t named);
/* The same destinations in the same order. */
bool attach_egress_equal(const struct attach_egress *a, const struct attach_egress *b);
/* And the same names. */
bool attach_names_equal(const struct attach_names *a, const struct attach_names *b);
bool attach_egress_has_names(const struct attach_egress *x);
/* Whether name is one of those that are denied: it is not told, whatever else is said. name: in
 * lower case, without a dot at the end. */
bool attach_names_deny(const struct attach_egress *x, const struct attach_names *names,
		       const char *name);
/* Whether what says of a name where it leads may say that: not to this host or one link, not
 * nowhere, not to everybody. Of the host's own addresses only those that every host has. */
bool attach_name_may_be(const struct ip *ip);
/* For the kernel's sets. ERR_USAGE: host bits, ports in no order, overlaps; ranges of ports of
 * names that have some in common, and are not the same. */
int attach_egress_check(const struct attach_egress *x, struct err *e);
/* PREFIX, PREFIX:PORT or PREFIX:LOW-HIGH; an address is a prefix, one of IPv6 in brackets where
 * ports follow, as [2001:db8::/32]:443. Where names is not NULL, a name in the place of the prefix,
 * too, without ports where it is denied. Adds it. ERR_USAGE, ERR_QUOTA. */
int attach_egress_parse(const char *s, bool is_denied, struct attach_egress *into,
			struct attach_names *names, struct err *e);
/* One or more of these, with commas between them. */
int attach_egress_parse_list(const char *s, bool is_denied, struct attach_egress *into,
			     struct attach_names *names, struct err *e);
/* Destination i; names NULL: there are none. */
#define ATTACH_DEST_STRLEN (ATTACH_NAME_STRLEN + 16)
const char *attach_dest_str(const struct attach_egress *x, const struct attach_names *names,
			    size_t i, char out[ATTACH_DEST_STRLEN]);
/* Those that are denied, or those that are not, as the list that is parsed; "": none. */
#define ATTACH_EGRESS_STRLEN (ATTACH_DEST_MAX * ATTACH_DEST_STRLEN)
const char *attach_egress_str(const struct attach_egress *x, const struct attach_names *names,
			      bool is_denied, char out[ATTACH_EGRESS_STRLEN]);

#endif
