/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publish: the grammar of published ports,
 *     [HOSTIP:]HOST[-HOST][:CTR[-CTR]][/tcp|udp|sctp]
 * IPv6 host addresses in brackets; CTR defaults to HOST; the protocol defaults to tcp; HOST 0 asks
 * for a free port (then CTR is required, and no range). One value is one run of ports.
 */
#ifndef NETD_MODEL_PUBLISH_H
#define NETD_MODEL_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"

struct publish {
	uint8_t proto;      /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
	struct ip host_ip;  /* family 0: every address of both families; 0.0.0.0 / ::: every address
			       of  one; loopback: local clients only */
	uint16_t host_port; /* first; 0: pick one */
	uint16_t ctr_port;  /* first, never 0 */
	uint16_t count;     /* >= 1 */
	/* The port of the host is the caller's affair: it is neither held nor probed, a listener
	 * of the host that has it gets nothing more from outside, and loopback is not served. */
	bool is_unheld;
};

/* A run of more ports than this with equal host and container ports becomes one interval element.
 */
#define PUBLISH_EXPLODE_MAX 64
/* One of more than this is bind-probed only (no local forwarder): each port is a socket. */
#define PUBLISH_HELD_MAX 1024
#define PUBLISH_STRLEN (IP_STRLEN + 32)
#define PUBLISH_MAX 8192 /* runs for one attachment */

int publish_parse(const char *spec, struct publish *ret, struct err *e);
const char *publish_str(const struct publish *p, char out[PUBLISH_STRLEN]);
const char *proto_str(uint8_t proto); /* "tcp" */
int proto_parse(const char *s, uint8_t *ret, struct err *e);
/* The addresses of the host that a port can be published on: 0.0.0.0, ::, or unicast, not
 * and no IPv6 link-local. ERR_USAGE. */
int publish_check_host_ip(const struct ip *ip, struct err *e);
bool publish_equal(const struct publish *a, const struct publish *b);
/* True when some (protocol, family, host address, host port) is named by both. */
bool publish_overlaps(const struct publish *a, const struct publish *b);
/* True when the run is kept as one interval (count > PUBLISH_EXPLODE_MAX and host == container
 * ports). A longer run with shifted ports is one element a port. */
bool publish_is_interval(const struct publish *p);
/* True when this publish concerns family f (FAM4 or FAM6) by its host address. */
bool publish_covers(const struct publish *p, int f);
/* Refuses two overlapping runs in one request; names both. */
int publish_check_list(const struct publish *list, size_t n, struct err *e);

#endif
