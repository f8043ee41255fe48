/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipes: a pool of pipes for splice(2). A pipe is held only while it has bytes in it, so idle
 * connections hold none. When none can be had the caller copies instead. A pool either makes and
 * closes pipes as they are wanted, or has a fixed number from its start on and makes no call then
 * but read(2).
 */
#ifndef SLIRP_LITE_RELAY_PIPES_H
#define SLIRP_LITE_RELAY_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPES_MAX 512
#define PIPES_NONE UINT16_MAX

struct pipe_pair {
	int in, out;   /* write end, read end */
	uint32_t size; /* bytes */
	uint16_t next;
};

struct pipes {
	struct pipe_pair pair[PIPES_MAX];
	uint16_t wide, narrow; /* open, empty ones */
	uint16_t unmade;       /* places without a pipe */
	uint16_t n_idle, n_wide;
	bool is_fixed;
};

/* Pipes as they are wanted. */
void pipes_init(struct pipes *p);
/* At most n, made here, n_wide of them large. Fewer where the user's quota ends; that is no error.
 */
void pipes_init_fixed(struct pipes *p, unsigned n, unsigned n_wide);
void pipes_close(struct pipes *p); /* those that are idle */
/* An empty pipe, or PIPES_NONE. */
uint16_t pipes_take(struct pipes *p);
/* Gives it back; drained false: bytes are left in it, which are thrown away. */
void pipes_give(struct pipes *p, uint16_t i, bool drained);

#endif
