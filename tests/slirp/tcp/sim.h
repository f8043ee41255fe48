/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim: two TCP machines, their applications and a link that loses, delays, reorders and doubles, in
 * virtual time and repeatable from a seed. Every byte is compared and every segment is held against
 * what both ends may do; the first thing that is wrong is told in words.
 */
#ifndef TESTS_SLIRP_TCP_SIM_H
#define TESTS_SLIRP_TCP_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_conf {
	uint64_t seed;
	uint32_t bytes[2]; /* that each side writes before it closes */
	uint32_t mss[2], segment_max[2], buffer[2];
	uint32_t isn[2];
	uint32_t loss, dup, reorder; /* of 1000 wire segments */
	uint32_t delay, jitter;      /* ms */
	uint32_t read_stall;         /* ms that a reader may sleep */
	bool is_split;               /* super-segments travel as wire segments */
	bool is_simultaneous;        /* both open */
	bool no_ts, no_sack, no_wscale;
	uint64_t limit; /* ms of virtual time */
};

struct sim_result {
	const char *wrong; /* NULL: all went well */
	uint64_t end;      /* ms */
	uint64_t n_segments, n_retransmit, n_lost, n_timeouts;
};

/* A configuration that follows from the seed. */
struct sim_conf sim_random(uint64_t seed);
struct sim_result sim_run(const struct sim_conf *c);

#endif
