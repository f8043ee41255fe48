/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctlmsg: the messages between supervisor and worker over their SOCK_SEQPACKET pair. Fixed layout,
 * one message a packet; both ends are the same program, forked, so host order and struct layout are
 * the same. The worker is not trusted by the supervisor: what comes from it is checked in
 * ctlmsg_recv. Sent and received with MSG_DONTWAIT | MSG_NOSIGNAL (MSG_TRUNC, MSG_CMSG_CLOEXEC),
 * flags that the worker's filter admits.
 *
 * RESOLVERS to the worker: the host's resolvers now, in place of those before. RATES: the limits.
 * PORTS_ADD to the worker brings a socket for each port, which becomes the worker's. PORTS_DROP:
 * these are closed. Each is answered by one PORTS_DONE with the same id. A PORTS_ADD for whose
 * descriptors the worker has no room is lost without an answer.
 * LIST_GET to the worker is answered by one LIST_PORTS or LIST_FLOWS with the same id: entries from
 * `cursor` on, and the cursor to ask with for more (LIST_END: there are no more).
 * STATS_GET to the worker is answered by one STATS with the same id.
 * READY from the worker's process, once: it is sandboxed and enters worker_run.
 */
#ifndef SLIRP_STACK_CTLMSG_H
#define SLIRP_STACK_CTLMSG_H

#include <stdint.h>

#include "flow/port.h"
#include "flow/stats.h"
#include "stack/config.h"

enum ctlmsg_type {
	CTLMSG_RESOLVERS = 1,
	CTLMSG_STATS_GET,
	CTLMSG_STATS,
	CTLMSG_READY,
	CTLMSG_PORTS_ADD,
	CTLMSG_PORTS_DROP,
	CTLMSG_PORTS_DONE,
	CTLMSG_LIST_GET,
	CTLMSG_LIST_PORTS,
	CTLMSG_LIST_FLOWS,
	CTLMSG_RATES,
	N_CTLMSG,
};

#define CTLMSG_PORTS 32 /* sockets in one message */
#define CTLMSG_DROPS 64
#define CTLMSG_LISTED 32
#define CTLMSG_LIST_END UINT32_MAX

struct ctlmsg_port {
	uint32_t slot;
	struct port_tally tally;
};

/* One conversation of the container. */
struct ctlmsg_flow {
	struct ip guest, peer; /* as the container knows them */
	uint16_t guest_port, peer_port;
	uint8_t proto;   /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP */
	uint8_t state;   /* TCP: enum tcp_state */
	bool is_inward;  /* it came by a published port */
	bool is_relayed; /* by the kernel's own TCP on both sides */
	uint32_t rtt_us; /* smoothed, 0: none measured */
	uint32_t idle_ms;
	uint32_t n_timeout; /* TCP: retransmission time-outs since it last went on */
	uint32_t queued;    /* bytes for the container that it has not acknowledged */
	uint32_t blocked;   /* bytes of the container that the host has not taken */
};

/* What the worker holds now, beside the counters of stats. */
struct ctlmsg_gauges {
	uint32_t n_tcp, n_udp, n_ping; /* flows */
	uint32_t n_through; /* by the kernel's own TCP on both sides, those not yet open included */
	uint32_t n_local;   /* clients of published ports, by sockets inside */
	uint64_t memory;    /* payload bytes held */
};

struct ctlmsg {
	uint32_t type; /* of enum ctlmsg_type */
	uint32_t id;   /* of a question, repeated in its answer */
	union {
		struct resolvers resolvers;
		struct rates rates;
		struct {
			struct stats stats;
			struct ctlmsg_gauges gauges;
		} stats;
		struct {
			uint32_t n;
			struct port_spec port[CTLMSG_PORTS];
		} add;
		struct {
			uint32_t n;
			uint32_t slot[CTLMSG_DROPS];
		} drop;
		struct {
			uint32_t what, cursor; /* CTLMSG_LIST_PORTS, CTLMSG_LIST_FLOWS */
		} get;
		struct {
			uint32_t n, cursor;
			struct ctlmsg_port port[CTLMSG_LISTED];
		} ports;
		struct {
			uint32_t n, cursor;
			struct ctlmsg_flow flow[CTLMSG_LISTED];
		} flows;
	};
};

/* 0; -EAGAIN: the other end does not read (nothing was sent); -EPIPE or -ECONNRESET: it is gone. */
int ctlmsg_send(int fd, const struct ctlmsg *m);
/* PORTS_ADD, with m->add.n descriptors, which stay the caller's. */
int ctlmsg_send_ports(int fd, const struct ctlmsg *m, const int *fds);
/* 1: a message; 0: the other end is closed; -EAGAIN: none now; -EPROTO: a packet that is none (it
 * is gone from the queue); another -errno: the socket failed. fds: CTLMSG_PORTS places for what
 * PORTS_ADD brings, -1 where there is none; NULL: no descriptor is taken, PORTS_ADD is no message.
 */
int ctlmsg_recv(int fd, struct ctlmsg *ret, int *fds);

#endif
