/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rig: a whole worker with a socketpair for its link, a host made of AF_UNIX socketpairs and a
 * clock that the test holds. The container is played frame by frame: struct peer is one TCP
 * connection of it, which acknowledges what comes in order and keeps the bytes' sum, not the bytes.
 */
#ifndef TESTS_SLIRP_STACK_RIG_H
#define TESTS_SLIRP_STACK_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/worker.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcphdr.h"

struct rig_conf {
	uint32_t tcp_max;           /* 0: 65,536 */
	size_t memory_max;          /* 0: 64 MiB */
	int host_buffer;            /* SO_SNDBUF of the worker's host sockets; 0: the system's */
	uint64_t rate_in, rate_out; /* bits a second; 0: no limit */
	bool is_network;            /* it forwards for others */
	int kept_fd;                /* memory file of connections (borrowed); 0: none */
	bool is_bridged;            /* the container has another MAC address than the plan's */
};

/* What connect() of the host does next. */
enum rig_connect {
	RIG_AT_ONCE,  /* succeeds: writable when it is looked at */
	RIG_PENDING,  /* is under way until rig_finish */
	RIG_NO_SOCKET /* socket() fails with rig.sys */
};

struct rig_socket {
	int fd, peer; /* the worker's end (-1: closed by it) and the test's */
	int error;    /* SO_ERROR */
	bool is_aborted;
	bool is_closed;
	uint16_t port; /* that it was connected to */
	struct ip to;
	struct ip from; /* that it was bound to; family 0: it was not */
};

/* What accept() of the host's listener gives next: a client, or an errno. */
struct rig_client {
	int sys;
	struct ip from, to; /* to family 0: it is gone, and has no address any more */
	uint16_t port;
	int fd;
};
#define RIG_CLIENTS 512

struct rig {
	struct worker *worker;
	uint64_t now;
	int link; /* the container's end */
	enum rig_connect how;
	int sys;                    /* what connect() returns instead of success, if not 0 */
	size_t damage;              /* the byte of the next frame that loses a bit, if not 0 */
	int send_sys;               /* what sendmsg() returns, if not 0 */
	struct rig_socket *sockets; /* in the order of socket() */
	size_t n_sockets;
	int host_buffer;
	unsigned n_datagrams; /* that the host was given */
	int listener;
	struct rig_client client[RIG_CLIENTS];
	unsigned n_clients, n_accepted, n_accepts; /* accepts: calls */
};

extern struct rig rig;

/* Raises RLIMIT_NOFILE to n. */
void rig_need_fds(unsigned n);
void rig_start(const struct rig_conf *c);
void rig_stop(void);
/* Of each test: a plain one. */
int rig_set_up(void **state);
int rig_tear_down(void **state);
/* Rounds until nothing is to be done at this moment. */
void rig_settle(void);
void rig_pass(uint64_t ms); /* lets time pass, in steps of what is due */
uint64_t rig_stat(enum stat_id s);
struct rig_socket *rig_last(void);
/* The worker's listening socket; clients of it, which wait there. */
int rig_listener(void);
void rig_offer(const char *from, uint16_t port, const char *to);
void rig_offer_error(int sys);
/* A connection that the host accepted, for the container. */
struct rig_socket *rig_accepted(void);
/* Ends a connect() that was under way, with an errno or 0. */
void rig_finish(struct rig_socket *s, int sys);

/* One frame to the container. false: none. */
struct rig_packet {
	struct ip_packet ip;
	struct tcphdr_v tcp; /* of TCP */
	struct icmp_v icmp;  /* of ICMP */
	const uint8_t *data;
	size_t len;
	uint8_t frame[70000];
};
bool rig_read(struct rig_packet *ret); /* ARP and alike are passed over */

/* One connection of the container. */
struct peer {
	struct ip src, dst;
	uint16_t sport, dport;
	uint32_t iss, snd_nxt, snd_una; /* snd_nxt: of the next new byte */
	uint32_t rcv_nxt;
	uint32_t wnd;     /* what the worker promised: bytes from snd_una on */
	uint8_t shift;    /* of the worker's window field */
	uint32_t own_wnd; /* what this end promises: at most 65,535 << own_shift */
	uint8_t own_shift;
	bool is_budget; /* what comes uses own_wnd up */
	/* What it says to have beyond rcv_nxt (SACK); none where both are the same. */
	uint32_t sack_left, sack_right;
	bool is_synced, has_fin, is_reset;
	uint64_t n_in; /* payload bytes that came in order */
	uint64_t sum_in;
	uint64_t n_probes; /* segments below rcv_nxt without data */
};

/* One of the container's datagrams. */
void rig_datagram(const char *dst, uint16_t dport, uint16_t sport);

void peer_init(struct peer *p, const char *dst, uint16_t dport, uint16_t sport);
void peer_send(struct peer *p, uint8_t flags, uint32_t seq, const void *data, size_t len);
void peer_syn(struct peer *p);
void peer_data(struct peer *p, const void *data, size_t len); /* at snd_nxt */
void peer_fin(struct peer *p);
/* Takes one packet if it is of this connection, and answers with an ACK when is_ack. */
bool peer_take(struct peer *p, const struct rig_packet *k, bool is_ack);
/* Settles and takes everything that is there. */
void peer_run(struct peer *p);
/* SYN to ESTABLISHED. */
void peer_open(struct peer *p);

/* Byte number i of a stream, and the sum of the first n of them, as sum_in has it. */
uint8_t stream_byte(uint64_t i);
void stream_fill(uint64_t from, void *buf, size_t len);
uint64_t stream_sum(uint64_t n);

#endif
