/* SPDX-License-Identifier: GPL-2.0-or-later */
/* move: one direction of a connection: through a pipe, or by copying what is small, and while there
 * is none. */
#ifndef SLIRP_LITE_RELAY_MOVE_H
#define SLIRP_LITE_RELAY_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/pipes.h"

/* What is peeked at and not sent was copied for nothing, so the size of a copy follows what the
 * other end takes, up to this. */
#define MOVE_COPY_MAX (256 * 1024)

struct end {
	int fd;
	bool readable, writable;
	bool has_ended; /* its FIN has been read */
	/* Its end is near, or there is urgent data: it is read until there is nothing. */
	bool is_thorough;
	bool is_last;  /* its FIN has come: what is in its queue is all */
	bool is_shut;  /* our FIN has been sent to it */
	uint16_t pipe; /* holds `held` bytes read from this end */
	uint32_t held;
	uint32_t copy; /* size of the next copy, 0: the smallest */
	bool is_bulk;  /* much comes at a time: worth moving pages */
	bool is_sent;  /* something has been sent to it */
	/* The kernel holds small writes of ours back while others are not acknowledged: to be ended
	 * before the second one. */
	bool is_held_back;
};

struct mover {
	struct pipes pipes;
	size_t turn;              /* bytes of one direction in one go */
	bool may_write;           /* into a pipe: so what is small is copied */
	char copy[MOVE_COPY_MAX]; /* untouched while there are pipes */
};

enum moved { MOVED_ALL, MOVED_SOME, MOVED_RESET };

/* Moves what can be moved, a bounded number of bytes, which is added to *moved; MOVED_SOME: there
 * is more. The end of `from` is passed on behind its last byte. */
enum moved move_turn(struct mover *m, struct end *from, struct end *to, uint64_t *moved);

#endif
