/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows: the container's TCP connections, each joined to one of the host's: its machine
 * (tcp/tcb.h), its socket, and the bytes that one side has given and the other not taken yet.
 *
 * The container's SYN is held until the host's connect() ends: success is answered by SYN,ACK, an
 * error by what the container's kernel turns into the same errno (RST, or ICMP unreachable). Bytes
 * in order go from the frame straight into the host's socket; what it does not take waits in the
 * ring that the promised window stands for. From the host, no more is read than the container may
 * be sent now, so a reader that has stalled holds nothing here.
 */
#ifndef SLIRP_TCP_FLOWS_H
#define SLIRP_TCP_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "emit/emit.h"
#include "flow/key.h"
#include "flow/limit.h"
#include "flow/policy.h"
#include "flow/port.h"
#include "flow/pool.h"
#include "flow/stats.h"
#include "flow/syn.h"
#include "flow/wheel.h"
#include "io/host.h"
#include "io/loop.h"
#include "tcp/tcb.h"
#include "wire/ip.h"

struct tcp;

/* All borrowed; they outlive it. */
struct tcp_env {
	struct emit *emit;
	struct loop *loop;
	struct wheel *wheel;
	struct pool *pool;
	const struct policy *policy;
	const struct host_ops *host;
	struct stats *stats;
	uint32_t max; /* flows */
	/* DNS over TCP: where attempt 0, 1, ... goes (false: no more), and that it failed. NULL: no
	 * DNS. */
	bool (*resolver)(void *arg, unsigned attempt, uint64_t began, struct ip *ret_ip,
			 uint32_t *ret_scope, uint16_t *ret_port);
	void (*resolver_failed)(void *arg, const struct ip *ip, uint64_t now);
	/* Connections whose container's side another TCP takes, when the host has connected:
	 * whether it is one, from its SYN (1: yes; 0: no; -1: one too many of its source, drop it),
	 * and that nothing came of it; that the SYN came again is its affair (true); it takes over
	 * the socket (or -errno). NULL: there is none. */
	int (*is_others)(void *arg, const struct flow_key *k);
	void (*others_gone)(void *arg, const struct flow_key *k);
	bool (*others_again)(void *arg, const struct flow_key *k, uint64_t now);
	int (*hand_over)(void *arg, const struct flow_key *k, int fd, const struct syn *syn,
			 uint32_t seq, uint64_t now);
	struct limit *limit[2]; /* of bytes to the container and from it; NULL: none */
	/* > 0: a memory file that the connections are in, for whoever comes after a worker that
	 * died; those that are in it are reset (tcp/left.h). Used by tcp_new alone. */
	int kept_fd;
	void *arg;
};

int tcp_new(const struct tcp_env *env, struct tcp **ret, struct err *e);
/* In the place of env.limit[i]; NULL: none. One that has been made anew is set again. */
void tcp_set_limit(struct tcp *t, int i, struct limit *l);
void tcp_free(struct tcp *t); /* accepts NULL; closes every socket, says nothing to anybody */

#define TCP_HELD_MAX 4

/* A whole packet with an acceptable source, its checksum right. True (only when may_hold): its
 * bytes are needed until the next tcp_flush, or until TCP_HELD_MAX - 1 more are held. */
bool tcp_input(struct tcp *t, const struct ip_packet *k, bool may_hold, uint64_t now);
/* A connection that the host has accepted goes on to the container, which sees it come from k's
 * peer: the socket is the room's from now on, also when this fails: 0, -EADDRINUSE (k is in use),
 * -ENOSPC (the table is full) or another -errno; then it was reset. tally (NULL: none) counts its
 * bytes and outlives it. */
int tcp_dial(struct tcp *t, const struct flow_key *k, int fd, struct port_tally *tally,
	     uint64_t now);
/* Whether so many more can be dialled: those that a new one would end do not count. */
bool tcp_has_room(const struct tcp *t, uint32_t n);
/* Whether k is that of a connection which is more than a memory of one (TIME_WAIT). */
bool tcp_has(const struct tcp *t, const struct flow_key *k);
/* Resets every connection that counts in this tally. */
void tcp_cut(struct tcp *t, const struct port_tally *tally, uint64_t now);
/* The first connection at or after *cursor (0 to begin with), which is moved past it; false at the
 * end. */
struct tcp_seen {
	struct flow_key key;
	enum tcp_state state;
	bool is_inward;
	uint32_t rtt_us, idle_ms;
	uint32_t n_timeout;       /* retransmission time-outs since it last went on */
	uint32_t queued, blocked; /* bytes for the container, for the host */
};
bool tcp_list(const struct tcp *t, uint32_t *cursor, uint64_t now, struct tcp_seen *ret);
/* Moves and sends what the last inputs and events have made possible: after each batch. True: there
 * is more to do, call it again after the next look at the link. */
bool tcp_flush(struct tcp *t, uint64_t now);
bool tcp_has_work(const struct tcp *t); /* for tcp_flush */
uint32_t tcp_count(const struct tcp *t);
/* Whether its connections are in the file kept_fd; it may not be as long as that takes. */
bool tcp_is_kept(const struct tcp *t);

#endif
