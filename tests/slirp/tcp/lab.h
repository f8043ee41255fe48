/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab: one machine on the bench: segments in, segments out, virtual time. Sequence numbers are
 * relative: 0 is the SYN of either side. Failures name the line of the test.
 */
#ifndef TESTS_SLIRP_TCP_LAB_H
#define TESTS_SLIRP_TCP_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tcp/tcb.h"

#define S TCP_SYN
#define A TCP_ACK
#define F TCP_FIN
#define R TCP_RST
#define P TCP_PSH
#define U TCP_URG

struct lab {
	struct tcb t;
	uint64_t now;
	uint32_t iss, irs; /* ours, the container's */
	uint32_t room;
	uint16_t wnd; /* field of segments to come */
	bool has_ts, has_sack, has_wscale;
	uint32_t tsval; /* of segments to come; 0: the clock */
	uint16_t peer_mss;
	struct tcb_conf conf;
	struct tcb_result r;
	struct tcb_segment out;
};

/* A machine with MSS 1460, window 65536, all options, at 1,000 s. */
struct lab lab_new(void);
struct tcphdr_v lab_header(const struct lab *l, uint8_t flags, uint32_t seq, uint32_t ack);
void lab_feed(struct lab *l, const struct tcphdr_v *h, uint32_t len);
void lab_in_(struct lab *l, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
void lab_out_(struct lab *l, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len, int line);
void lab_quiet_(struct lab *l, int line);
/* Everything up to now + ms; a time-out that is due before is run, what it would send waits. */
void lab_wait_(struct lab *l, uint64_t ms, int line);
/* Runs to the next deadline, which must be exactly ms away. */
void lab_due_(struct lab *l, uint64_t ms, enum tcb_timeout_result want, int line);
void lab_state_(const struct lab *l, enum tcp_state s, int line);
const char *lab_state_name(enum tcp_state s);
void lab_equal_(uint64_t a, uint64_t b, const char *what, int line);
/* Established, the container opened; sequence number 1 is next on both sides; nothing is due. */
void lab_establish(struct lab *l);
/* In any state, by exchanges of segments alone. */
void lab_reach(struct lab *l, enum tcp_state s);
void lab_queue(struct lab *l, uint32_t n); /* the tx queue holds n bytes */

#define lab_in(l, flags, seq, ack, len) lab_in_(l, flags, seq, ack, len)
#define lab_out(l, flags, seq, ack, len) lab_out_(l, flags, seq, ack, len, __LINE__)
#define lab_quiet(l) lab_quiet_(l, __LINE__)
#define lab_wait(l, ms) lab_wait_(l, ms, __LINE__)
#define lab_due(l, ms) lab_due_(l, ms, TCB_GO_ON, __LINE__)
#define lab_ends(l, ms, how) lab_due_(l, ms, how, __LINE__)
#define lab_state(l, s) lab_state_(l, s, __LINE__)
#define lab_equal(a, b) lab_equal_(a, b, #a, __LINE__)
#define lab_true(a) lab_equal_(!!(a), 1, #a, __LINE__)
#define lab_false(a) lab_equal_(!!(a), 0, #a, __LINE__)

#endif
