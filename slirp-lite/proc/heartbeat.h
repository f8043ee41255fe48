/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heartbeat: when to ask a worker whether it is still there, and when to believe that it is not. A
 * value without descriptors, fed with the clock (clock_ms). A worker that has nothing to do is
 * woken once in ten seconds.
 *
 * Silence is counted in looks a second apart, not in time: after a machine's sleep, or when
 * supervisor and worker were both frozen, one look is missed, however long it took.
 */
#ifndef SLIRP_PROC_HEARTBEAT_H
#define SLIRP_PROC_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#define HEARTBEAT_MS 10000
#define HEARTBEAT_LOOK_MS 1000
#define HEARTBEAT_LOOKS 10

struct heartbeat {
	uint64_t next; /* the time of the next heartbeat_look; UINT64_MAX: never */
	bool is_asked;
	unsigned n_missed;
};

#define HEARTBEAT_OFF                                                                              \
	{                                                                                          \
		.next = UINT64_MAX                                                                 \
	}

enum heartbeat_verdict { HEARTBEAT_WAIT, HEARTBEAT_ASK, HEARTBEAT_SILENT };

void heartbeat_start(struct heartbeat *h, uint64_t now); /* a worker is ready */
void heartbeat_stop(struct heartbeat *h);                /* there is none */
void heartbeat_heard(struct heartbeat *h, uint64_t now); /* it said something */
/* ASK: a question is to be sent now. SILENT, once: it has not answered for too long. */
enum heartbeat_verdict heartbeat_look(struct heartbeat *h, uint64_t now);

#endif
