/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_fields: the members of struct tcb (tcp/tcb.h includes this file). Readable by everyone, above
 * all by tests; written by tcb*.c alone. What the in-order path touches comes first.
 */
#ifndef SLIRP_TCP_TCB_FIELDS_H
#define SLIRP_TCP_TCB_FIELDS_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define TCB_NEVER UINT64_MAX
#define TCB_N_OOO 31
#define TCB_N_SACKED 8

/* Sequence numbers [left, right). */
struct tcb_range {
	uint32_t left, right;
};

/* Loss recovery: none, RFC 6675 / RFC 6582, after a retransmission time-out. */
enum tcb_phase { TCB_OPEN, TCB_FAST, TCB_LOSS };

struct tcb {
	uint8_t state; /* enum tcp_state */
	uint8_t phase; /* enum tcb_phase */
	uint8_t n_ooo, n_sacked;
	uint8_t n_dup;                /* duplicate ACKs in a row */
	uint8_t n_quick;              /* that many segments more are acknowledged at once */
	uint8_t snd_shift, rcv_shift; /* of SEG.WND; of our window field */
	uint8_t n_rto;                /* time-outs since snd_una moved */
	uint8_t backoff;              /* doublings of the time-out */
	uint8_t n_keep;               /* keep-alive probes without an answer */

	bool is_active : 1; /* we sent the SYN */
	bool has_ts : 1, has_sack : 1;
	bool is_syn_due : 1;   /* SYN or SYN,ACK goes out next */
	bool is_ack_due : 1;   /* an ACK goes out next */
	bool is_rst_due : 1;   /* tcb_reset: RST, then CLOSED */
	bool is_refusal : 1;   /* RST with sequence number high_rxt, state kept (3.10.7.3) */
	bool is_probe_due : 1; /* an empty segment at snd_una - 1: zero window or keep-alive */
	bool is_forced : 1;    /* one segment whatever windows and silly sizes say */
	bool is_fin_due : 1, is_fin_sent : 1;
	bool has_rcv_fin : 1; /* rcv_fin is known */
	bool has_rtt : 1, is_timing : 1;
	bool may_undo : 1;     /* prior_* are good, the first retransmission was at rexmit_ts */
	bool is_rescued : 1;   /* RFC 6675 rule 4 was used in this recovery */
	bool is_tlp_timer : 1; /* rtx_at is a probe's time-out, RFC 8985 7.2 */
	bool is_tlp_due : 1, is_tlp_sent : 1;
	bool is_reprobed : 1;   /* the same in recovery, since snd_una moved */
	bool is_life_stale : 1; /* the state changed where no clock was: tcb_output sets life_at */
	bool is_syn_lost : 1;   /* a SYN was sent again */

	uint16_t mss;      /* of what we send, options of every segment subtracted */
	uint16_t conf_mss; /* of what we take */
	uint16_t rcv_mss;  /* largest single segment seen */

	uint32_t rcv_nxt;
	uint32_t rcv_adv;   /* right edge that was promised */
	uint32_t rcv_acked; /* Last.ACK.sent */
	uint32_t rcv_fin;   /* sequence number of the peer's FIN */
	uint32_t room;      /* from rcv_nxt on */
	uint32_t room_max;  /* largest ever */
	uint32_t ts_recent, ts_base;

	uint32_t snd_una, snd_nxt;
	uint32_t snd_wnd, snd_wnd_max, snd_wl1, snd_wl2;
	uint32_t queued; /* bytes from snd_una on */
	uint32_t segment_max;
	uint32_t cwnd, ssthresh, cwnd_acked;
	uint32_t srtt, rttvar, rto; /* ms: times 8, times 4, as it is */

	uint64_t last_rx; /* when something acceptable came */
	uint64_t rtx_at;  /* retransmission, probe of a zero window, tail loss probe */
	uint64_t ack_at;  /* delayed ACK */
	uint64_t life_at; /* keep-alive, end of a transitory state, TIME_WAIT */
	uint64_t last_tx; /* of data */
	uint64_t stalled; /* time of the first time-out of those in a row */
	uint32_t timed_seq, timed_at;
	uint32_t ts_recent_at; /* ms, modulo 2^32 */

	uint32_t recover;  /* recovery ends when this is acknowledged */
	uint32_t high_rxt; /* end of what was retransmitted in this recovery */
	uint32_t lost_to;  /* what is not SACKed below is lost */
	uint32_t mark; /* end of the tail probe; in recovery, snd_nxt at the last retransmission */
	uint32_t prior_cwnd, prior_ssthresh, rexmit_ts;

	struct tcb_range sacked[TCB_N_SACKED]; /* ascending, disjoint, > snd_una */
	struct tcb_range ooo[TCB_N_OOO];       /* latest first (RFC 2018 section 4) */
};
static_assert(sizeof(struct tcb) <= 512, "one connection's share of a flow slot");

#endif
