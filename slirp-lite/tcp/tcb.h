/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb: the TCP machine: one connection's transmission control block as a plain value without
 * pointers, fed with segments, the clock and what the host's socket does; it tells what to take,
 * what to send and when to be called again. Pure: no clock, no memory, no I/O, no addresses. Both
 * byte queues belong to the caller: the machine knows their lengths only.
 *
 *   rx queue: bytes the container sent that the host's socket has not taken yet (and, beyond them,
 * what came out of order). The advertised window is a promise backed by its room. tx queue: bytes
 * for the container from snd_una on, sent or not.
 *
 * RFC 9293, 7323, 2018, 6675, 5681, 6298, 5961, 6528, 6691; docs/rfc.md lists the requirements.
 */
#ifndef SLIRP_TCP_TCB_H
#define SLIRP_TCP_TCB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/tcphdr.h"

enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_HELD, /* the container's SYN came; the host's connect() is under way, nothing is
			 said */
	TCP_SYN_SENT, /* we opened (published port) */
	TCP_SYN_RCVD,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	N_TCP_STATES
};

/* Fixed at open. */
struct tcb_conf {
	uint32_t isn;         /* RFC 6528, made by the caller (tcp/isn.h) */
	uint16_t mss;         /* ours: MTU - 40 / 60; clamped to [88, 65495] */
	uint32_t segment_max; /* payload of one segment given to tcb_output: mss, or a super-segment
			       */
	uint32_t window;      /* first receive window, bytes */
	uint32_t ts_base;     /* offset of our timestamps */
};

/* tcb.c defines the members: at most 512 bytes. */
#include "tcp/tcb_fields.h"

struct tcb_result {
	/* What to do with the segment's payload: copy data_len bytes from data_skip to offset
	 * data_at of the rx queue (0 = its in-order end); then `advance` more bytes are in order.
	 */
	uint32_t data_skip, data_len, data_at;
	uint32_t advance;
	bool is_more;   /* the segment has more that is new, behind what was there already: feed it
			   again after this was done */
	uint32_t acked; /* that many bytes leave the tx queue */
	bool is_connected; /* became ESTABLISHED */
	bool is_eof;       /* the container's FIN is in order behind the rx queue's end */
	bool is_reset;     /* the container reset it: abort the host's side */
	bool is_closed;    /* both sides done and no TIME_WAIT to keep: forget it */
	bool is_challenge; /* a challenge ACK is due (the caller limits their rate, then
			      tcb_ack_now) */
	bool is_reopen; /* TIME_WAIT ended by a new SYN: forget it and open anew with this segment
			 */
	bool is_drop;   /* unacceptable: count it */
};

/* A SYN that opens a connection: no other flag that matters. For anything else without a connection
 * there is tcb_stray. */
bool tcb_is_opening(const struct tcphdr_v *h);

/* A SYN of the container. tcb_accept when the host's connect() succeeded, tcb_reset to refuse. */
void tcb_open_passive(struct tcb *t, const struct tcb_conf *conf, const struct tcphdr_v *syn,
		      uint64_t now);
void tcb_accept(struct tcb *t, uint64_t now);
/* We connect to the container. */
void tcb_open_active(struct tcb *t, const struct tcb_conf *conf, uint64_t now);

/* A segment with len bytes of payload; room: how many bytes the rx queue can take now, counted from
 * its in-order end (out-of-order data needs it too). now in ms. */
void tcb_input(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint32_t room, uint64_t now,
	       struct tcb_result *ret);

/* The tx queue holds n bytes from snd_una on. */
void tcb_set_queued(struct tcb *t, uint32_t n);
/* How many bytes may follow a tx queue of n bytes now: what the windows leave. Of the congestion
 * window what has left the network, though it is not acknowledged yet, leaves room: new data follow
 * each SACK (RFC 3042, RFC 6675 NextSeg()). */
uint32_t tcb_room(const struct tcb *t, uint32_t n);
/* The rx queue can take `room` bytes more: the window that may be promised. Never takes back what
 * was promised (RFC 9293 SHLD-14); opens it again by the rule of MUST-39. */
void tcb_set_room(struct tcb *t, uint32_t room);
void tcb_ack_now(struct tcb *t);
/* No more bytes will be queued: FIN after the queue. */
void tcb_shutdown(struct tcb *t);
/* RST is sent by the next tcb_output, then the state is CLOSED. */
void tcb_reset(struct tcb *t);

/* The next segment that should go out now: header values without ports, and which bytes of the tx
 * queue (data_len may exceed the MSS up to segment_max: cut it at *ret_mss). false: nothing. Called
 * until false after input, timeout, queue and room changes; ACKs of a batch become one that way. */
struct tcb_segment {
	struct tcphdr_v h;
	uint32_t data_at, data_len;
	uint16_t mss;
	bool is_retransmit;
};
bool tcb_output(struct tcb *t, uint64_t now, struct tcb_segment *ret);

/* When tcb_timeout must be called (ms, UINT64_MAX: never) and what it found. Being called early
 * does no harm: a timer that is set earlier than this need not be moved. After TCB_GIVE_UP
 * tcb_output may have a RST to send; then, as after TCB_EXPIRED, the connection is over. */
uint64_t tcb_deadline(const struct tcb *t);
enum tcb_timeout_result {
	TCB_GO_ON,   /* call tcb_output */
	TCB_GIVE_UP, /* host side: abort */
	TCB_EXPIRED  /* forget it */
};
enum tcb_timeout_result tcb_timeout(struct tcb *t, uint64_t now);

/* The RST that answers a segment which belongs to no connection (RFC 9293 3.10.7.1); false: none.
 */
bool tcb_stray(const struct tcphdr_v *h, uint32_t len, struct tcphdr_v *ret);

#endif
