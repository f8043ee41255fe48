/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping: which host socket stands for which (container address, port or echo id): a fixed table,
 * the same for UDP and ping. One socket for all destinations, so mapping and filtering do not
 * depend on the endpoint (RFC 4787 REQ-1, REQ-8; RFC 5508 REQ-1); no ICMP message ends a mapping
 * (REQ-12). Two lists, oldest use first, make expiry and eviction a look at their heads.
 *
 * Knows no packet format. Nothing is allocated after mappings_new.
 */
#ifndef SLIRP_DGRAM_MAPPING_H
#define SLIRP_DGRAM_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/policy.h"
#include "flow/stats.h"
#include "flow/table.h"
#include "flow/wheel.h"
#include "io/host.h"
#include "io/loop.h"
#include "model/addr.h"

struct mappings;

/* What the container sent last, for the packet inside an ICMP error about it. */
struct sent {
	struct ip dst;
	uint16_t port; /* UDP: destination port; echo: sequence number */
	uint16_t len;  /* transport header and data; of one segment */
	uint16_t csum; /* of the transport header, as it came; 0: not computed by the container */
	uint16_t id;   /* IPv4 */
	uint8_t ttl, tos;
	bool is_df;
};

#define MAPPING_NONE UINT16_MAX

struct mapping {
	struct table_node node;
	struct source source; /* the host socket; fd -1: none */
	struct mappings *owner;
	struct mapping *older, *newer; /* by use, in its list */
	uint64_t used;                 /* ms */
	struct ip in;                  /* whose it is, as in node.key */
	uint16_t port;
	struct sent sent;
	/* As set on the socket, to save calls. */
	uint8_t ttl, tos;
	bool is_df;
	bool is_stream;   /* in the list with the longer time-out */
	bool is_answered; /* something came back */
	bool is_denied;   /* the host gave no socket, which has been told */
	bool is_grown;    /* its buffers are as large as the host allows */
	bool is_port;     /* a published socket: in no table and no list (udp_port.c) */
	/* udp_send.c: what waits to be sent; runs are numbers or MAPPING_NONE. */
	uint16_t run_first, run_last;
	uint16_t gso_max; /* segments larger than that are sent one by one */
};

struct mappings_env {
	const struct host_ops *host;
	struct loop *loop;
	struct wheel *wheel;
	struct stats *stats;
	const struct policy *policy; /* outbound addresses */
	enum host_kind kind;
	uint32_t max;
	uint64_t once_ms, stream_ms; /* idle times after which a mapping ends */
	void (*fn)(struct source *s, uint32_t events, uint64_t now); /* of the sockets */
	void (*closing)(struct mapping *m, uint64_t now); /* before it goes; may be NULL */
	void *arg;
};

int mappings_new(const struct mappings_env *env, struct mappings **ret, struct err *e);
void mappings_free(struct mappings *t); /* accepts NULL */
const struct mappings_env *mappings_env(const struct mappings *t);
uint32_t mappings_count(const struct mappings *t);

/* The first at or after *cursor, which is moved past it; NULL at the end. */
const struct mapping *mappings_step(const struct mappings *t, uint32_t *cursor);

/* NULL: none. */
struct mapping *mappings_find(const struct mappings *t, const struct ip *in, uint16_t port);
/* A new one without a socket; when all are taken, the one that was idle longest goes: of those
 * never answered when they hold more than an eighth of the table, else of all. NULL (counted): new
 * ones come faster than sockets can be made without harm to those who have one. */
struct mapping *mappings_take(struct mappings *t, const struct ip *in, uint16_t port, uint64_t now);
/* Its socket: bound where the policy says, in the loop, with errors reported and no v4-mapped
 * traffic. When descriptors have run out, the longest idle other mapping goes first. 0 or -errno.
 */
int mapping_open(struct mapping *m, uint64_t now);
/* Takes a socket that is bound already as that of m, which the caller has filled in (in, port) and
 * which is in no table. 0 or -errno; mapping_leave takes it out of the loop and closes it. */
int mapping_adopt(struct mappings *t, struct mapping *m, int fd);
void mapping_leave(struct mapping *m);
/* Used now, in the list it belongs to. */
void mapping_touch(struct mapping *m, bool is_stream, uint64_t now);
void mapping_close(struct mapping *m, uint64_t now);

/* Hop limit, traffic class and whether the network may fragment, set on the socket when they
 * differ from what was set before. */
void mapping_set_options(struct mapping *m, uint8_t ttl, uint8_t tos, bool is_df);
static inline bool mapping_has_options(const struct mapping *m, uint8_t ttl, uint8_t tos,
				       bool is_df)
{
	return m->ttl == ttl && m->tos == tos && m->is_df == is_df;
}

/* Buffers for who comes in bursts: those of the default hold a few super-frames. */
void mapping_grow(struct mapping *m);

static inline struct mapping *mapping_of(struct source *s)
{
	return (struct mapping *)((char *)s - offsetof(struct mapping, source));
}

#endif
