/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctlmsg: the messages between supervisor and worker over their SOCK_SEQPACKET pair. Fixed layout,
 * one message a packet; both ends are the same program, forked, so host order and struct layout are
 * the same. The worker is not trusted by the supervisor: what comes from it is checked in
 * ctlmsg_recv. Sent and received with MSG_DONTWAIT | MSG_NOSIGNAL (MSG_TRUNC, MSG_CMSG_CLOEXEC),
 * flags that the worker's filter admits.
 *
 * RESOLVERS to the worker: the host's resolvers now, in place of those before.
 * STATS_GET to the worker is answered by one STATS with the same id.
 * READY from the worker's process, once: it is sandboxed and enters worker_run.
 */
#ifndef SLIRP_STACK_CTLMSG_H
#define SLIRP_STACK_CTLMSG_H

#include <stdint.h>

#include "flow/stats.h"
#include "stack/config.h"

enum ctlmsg_type {
	CTLMSG_RESOLVERS = 1,
	CTLMSG_STATS_GET,
	CTLMSG_STATS,
	CTLMSG_READY,
};

/* What the worker holds now, beside the counters of stats. */
struct ctlmsg_gauges {
	uint32_t n_tcp, n_udp, n_ping; /* flows */
	uint64_t memory;               /* payload bytes held */
};

struct ctlmsg {
	uint32_t type; /* of enum ctlmsg_type */
	uint32_t id;   /* of a question, repeated in its answer */
	union {
		struct resolvers resolvers;
		struct {
			struct stats stats;
			struct ctlmsg_gauges gauges;
		} stats;
	};
};

/* 0; -EAGAIN: the other end does not read (nothing was sent); -EPIPE or -ECONNRESET: it is gone. */
int ctlmsg_send(int fd, const struct ctlmsg *m);
/* 1: a message; 0: the other end is closed; -EAGAIN: none now; -EPROTO: a packet that is none (it
 * is gone from the queue); another -errno: the socket failed. */
int ctlmsg_recv(int fd, struct ctlmsg *ret);

#endif
