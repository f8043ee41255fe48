/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp_int: what the three files of udp share. Datagrams of one batch of frames wait as runs: same
 * socket, destination and size, in the order they came; the last of a run may be shorter.
 */
#ifndef SLIRP_DGRAM_UDP_INT_H
#define SLIRP_DGRAM_UDP_INT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "dgram/hosterr.h"
#include "dgram/mapping.h"
#include "dgram/udp.h"

#define UDP_RUN_BYTES 65000u /* of one UDP_SEGMENT call: below what both families can carry */
#define UDP_RUN_SEGMENTS 64u /* UDP_MAX_SEGMENTS of Linux 6.1 */
#define UDP_PIECES 128u
#define UDP_ARENA (256u * 1024)
#define UDP_RX 32u
#define UDP_RX_SIZE 65536u

/* Bytes in the arena, or in the caller's buffer for one call. */
struct piece {
	const uint8_t *p;
	uint32_t len;
	uint16_t next; /* MAPPING_NONE: the last of its run */
};

/* Where a datagram goes on the host's side. */
struct udp_target {
	struct ip to;
	uint16_t port;
	struct ip from; /* the host's address that it leaves from; family 0: as routed */
	uint32_t scope; /* of a link-local `to` */
};

struct run {
	struct sockaddr_storage sa;
	socklen_t sa_len;
	struct udp_target to;
	struct ip dst; /* as the container knows it */
	uint16_t seg;  /* bytes of each datagram; the last may have less */
	uint16_t n;
	uint32_t total;
	bool is_closed; /* nothing may follow */
	uint16_t first, last;
	uint16_t next; /* of the same mapping */
};

union send_control {
	struct cmsghdr align;
	uint8_t b[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Messages of one sendmmsg, and which run each belongs to. */
struct udp_messages {
	unsigned n, n_iov;
	struct mmsghdr m[UDP_PIECES];
	struct iovec iov[UDP_PIECES];
	union send_control control[UDP_PIECES];
	const struct run *run[UDP_PIECES];
};

struct udp_rx {
	struct mmsghdr m[UDP_RX];
	struct iovec iov[UDP_RX];
	struct sockaddr_storage name[UDP_RX];
	_Alignas(struct cmsghdr) uint8_t control[UDP_RX][128];
	uint8_t (*data)[UDP_RX_SIZE];
};

/* A published socket. */
struct udp_port {
	struct mapping m;
	struct port_spec spec;
	struct port_tally *tally; /* NULL: not in use */
};

/* Somebody who wrote to one. In two tables: by who it is, and by how the container sees it. */
struct udp_client {
	struct table_node node; /* guest: the host's address written to; guest_port: the slot */
	struct udp_port *port;
	uint32_t scope;
	struct flow_key shown;
	bool is_near; /* shown.peer is held in emit */
	struct udp_client *older, *newer;
	uint64_t used;
};

struct udp_shown {
	struct table_node node;
	struct udp_client *client;
};

struct udp_ports {
	struct udp_port *port; /* PORTS_MAX of them */
	uint32_t n_port;       /* behind the last that was ever in use */
	struct table *clients, *shown;
	struct udp_client *oldest, *newest;
	struct timer timer;
};

struct udp {
	struct udp_env env;
	struct mappings *mappings;
	uint8_t *arena;
	uint32_t arena_used;
	uint16_t n_pieces, n_runs, n_waiting;
	uint32_t n_since;              /* datagrams since the last flush from outside */
	unsigned n_events, n_messages; /* of sockets, since udp_take_heard */
	struct piece piece[UDP_PIECES];
	struct run run[UDP_PIECES];
	struct mapping *waiting[UDP_PIECES]; /* with runs; NULL: gone meanwhile */
	struct udp_messages runs, single;
	struct udp_rx rx;
	struct hosterr err;
	struct udp_ports ports;
};

/* Whether a limit lets len bytes pass; else they are counted as lost. */
bool udp_may_pass(struct udp *u, struct limit *l, size_t len, uint64_t now);
/* udp.c: the ICMP error about a datagram of len bytes that m sent to dst:port (as the container
 * knows them). */
void udp_tell(struct udp *u, struct mapping *m, const struct hosterr *e, const struct ip *dst,
	      uint16_t port, size_t len, uint64_t now);
/* Fetches and tells what the socket's error queue holds. sending: the run whose sending was
 * refused, or NULL; *ret_is_local: that the host's own kernel refused it was among it. Returns the
 * number of errors. */
unsigned udp_drain_errors(struct udp *u, struct mapping *m, const struct run *sending, uint64_t now,
			  bool *ret_is_local);

/* What waits for m does so no longer. */
void udp_forget_waiting(struct udp *u, const struct mapping *m);

/* udp_send.c: takes a datagram, or (seg not 0) a run of datagrams of seg bytes. */
void udp_send(struct udp *u, struct mapping *m, const struct udp_target *to, const struct sent *s,
	      const uint8_t *data, size_t len, uint16_t seg, uint64_t now);
void udp_flush_mapping(struct udp *u, struct mapping *m, uint64_t now);

/* udp_recv.c */
void udp_receive(struct udp *u, struct mapping *m, uint64_t now);

/* udp_port.c */
int udp_ports_init(struct udp *u, struct err *e);
void udp_ports_close(struct udp *u);
/* Who the sender of a datagram of len bytes that came to m, a published socket, is for the
 * container. False: nobody it may hear. local: the host's address that it wrote to. */
bool udp_port_heard(struct udp *u, struct mapping *m, const struct udp_target *who, size_t len,
		    struct ip *ret_shown, uint16_t *ret_port, uint64_t now);
/* A datagram, or a run of seg bytes each (0: one), that came to m, a published socket, from this
 * host itself: true when env.local has dealt with it. */
bool udp_port_divert(struct udp *u, struct mapping *m, const struct udp_target *who,
		     struct msghdr *h, const uint8_t *data, size_t len, uint16_t seg, uint64_t now);
/* The client that the container's datagram is for, NULL: none. */
struct udp_client *udp_port_client(struct udp *u, const struct ip *guest, uint16_t guest_port,
				   const struct ip *peer, uint16_t peer_port);
/* len bytes go to c now; where to. */
struct udp_target udp_port_answer(struct udp *u, struct udp_client *c, size_t len, uint64_t now);

#endif
