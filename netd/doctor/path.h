/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path: PURE. What was seen on the way to a container, and the steps that follow from it. */
#ifndef NETD_DOCTOR_PATH_H
#define NETD_DOCTOR_PATH_H

#include "doctor/explain.h"
#include "doctor/facts.h"
#include "engine/engine.h"

enum path_seen { SEEN_NOT, SEEN_YES, SEEN_NO };

struct path {
	const struct explain_query *q;
	const struct attachment *a; /* NULL: nobody's */
	bool is_host;               /* q names a port of the host, not a container's address */
	struct publish run;         /* that has the port */
	uint16_t ctr_port;          /* inside; 0: none was asked for */
	const struct facts *f;      /* ruleset, uplinks, state of our tables */
	bool is_wanted[N_FAM];      /* a map entry of that family should be there */
	enum path_seen has_dnat[N_FAM];
	size_t n_local, n_local_want; /* sockets of the local forwarder */
	enum path_seen has_guard, has_link, is_link_up, has_master, has_route[N_FAM];
	enum path_seen can_enter, has_inside, is_inside_up, has_addr[N_FAM];
	char listener[64];      /* inside; "": nobody that can be seen */
	char host_listener[64]; /* of a port of the host that nobody has published */
};

void path_steps(const struct path *p, struct steps *out);

#endif
