/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_parts: what the files of the machine share among themselves; nobody else includes it.
 */
#ifndef SLIRP_TCP_TCB_PARTS_H
#define SLIRP_TCP_TCB_PARTS_H

#include "tcp/tcb.h"

/* Times in ms. */
#define TCB_RTO_FIRST 1000    /* RFC 6298 2.1 */
#define TCB_RTO_SYN_LOST 3000 /* RFC 6298 5.7 */
#define TCB_RTO_MIN 200
#define TCB_RTO_MAX 60000
#define TCB_DELACK 40
#define TCB_SYN_GIVE_UP (180 * 1000)  /* RFC 9293 MUST-23 */
#define TCB_DATA_GIVE_UP (900 * 1000) /* RFC 9293 SHLD-11: at least 100 s */
#define TCB_TRANSITORY (240 * 1000)   /* RFC 5382 REQ-5 */
#define TCB_TIME_WAIT (10 * 1000)     /* 2 MSL of a link that is one machine */
#define TCB_KEEP_IDLE (7200 * 1000)   /* RFC 9293 MUST-28 */
#define TCB_KEEP_INTERVAL (75 * 1000)
#define TCB_KEEP_MAX 9
#define TCB_PAWS_IDLE (24u * 24 * 3600 * 1000) /* RFC 7323 5.5 */

#define TCB_QUICK 16
#define TCB_SHIFT 7 /* our window scale: up to 8 MiB in steps of 128 bytes */
#define TCB_TS_LEN 12
#define TCB_CWND_MAX (1u << 30)

static inline uint32_t u32_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}
static inline uint32_t u32_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}
static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? b : a;
}
static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}
static inline uint32_t tcb_ts(const struct tcb *t, uint64_t now)
{
	return (uint32_t)now + t->ts_base;
}
static inline uint32_t tcb_flight(const struct tcb *t)
{
	return t->snd_nxt - t->snd_una;
}

/* tcb.c. The only writer of t->state; a move that the table does not allow ends in CLOSED. */
void tcb_move(struct tcb *t, enum tcp_state to);
bool tcb_may_move(enum tcp_state from, enum tcp_state to);
/* What a SYN tells about its sender. */
void tcb_take_syn(struct tcb *t, const struct tcphdr_v *syn);
void tcb_connected(struct tcb *t, uint64_t now);
/* The bound on life in this state, ms; 0: none. */
uint64_t tcb_bound(const struct tcb *t);

/* tcb_ooo.c: out-of-order ranges. Takes the first bytes of [left, right) that nobody brought yet,
 * left >= rcv_nxt: true, which ones in *ret, and in *ret_advance by how much rcv_nxt moved. false:
 * nothing is new, or there is no place to note it. */
bool tcb_ooo_take(struct tcb *t, uint32_t left, uint32_t right, struct tcb_range *ret,
		  uint32_t *ret_advance);
/* Data lies beyond seq: there can be no FIN (the first that was said counts). */
bool tcb_ooo_is_beyond(const struct tcb *t, uint32_t seq);
/* Number of SACK blocks of the next segment. */
uint8_t tcb_ooo_blocks(const struct tcb *t);

/* tcb_sack.c: the sender's scoreboard. */
uint32_t tcb_sack_update(struct tcb *t, const struct tcphdr_v *h); /* newly SACKed bytes */
void tcb_sack_acked(struct tcb *t);                                /* snd_una moved */
bool tcb_sack_is_lost(const struct tcb *t, uint32_t seq); /* IsLost() of a byte in a hole */
uint32_t tcb_sack_pipe(const struct tcb *t);
/* The first hole at or after `from`, its end at most snd_nxt. */
bool tcb_sack_hole(const struct tcb *t, uint32_t from, struct tcb_range *ret);

/* tcb_cc.c: round-trip time, congestion window, recovery. */
void tcb_cc_init(struct tcb *t);
void tcb_cc_sample(struct tcb *t, uint32_t rtt);
void tcb_cc_grow(struct tcb *t, uint32_t acked, uint32_t flight);
void tcb_cc_enter_fast(struct tcb *t, uint64_t now);
void tcb_cc_enter_loss(struct tcb *t, uint64_t now);
void tcb_cc_leave(struct tcb *t);
void tcb_cc_idle(struct tcb *t, uint64_t now); /* RFC 5681 4.1 */
uint32_t tcb_cc_rto(const struct tcb *t);      /* with back-off */
void tcb_cc_arm(struct tcb *t, uint64_t now);  /* rtx_at for what is in flight */

/* tcb_ack.c: SEG.ACK in SND.UNA..SND.NXT of a segment that is acceptable. */
void tcb_ack_take(struct tcb *t, const struct tcphdr_v *h, uint32_t len, uint64_t now,
		  struct tcb_result *ret);
/* The part of it that the in-order path needs: n > 0 bytes of sequence space are acknowledged. */
void tcb_ack_advance(struct tcb *t, const struct tcphdr_v *h, uint32_t n, uint64_t now,
		     struct tcb_result *ret);

#endif
