/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal: the worker as its parts see it: worker.c (life, loop), dispatch.c (frames), told.c
 * (the supervisor's messages), capture.c. */
#ifndef SLIRP_STACK_INTERNAL_H
#define SLIRP_STACK_INTERNAL_H

#include "dgram/ping.h"
#include "dgram/udp.h"
#include "emit/emit.h"
#include "flow/flood.h"
#include "flow/pool.h"
#include "flow/stats.h"
#include "flow/wheel.h"
#include "io/link.h"
#include "io/loop.h"
#include "local/local.h"
#include "ports/ports.h"
#include "relay/carrier.h"
#include "stack/worker.h"
#include "tcp/flows.h"
#include "through/through.h"
#include "wire/reass.h"

struct worker {
	struct worker_config conf;
	struct worker_fds fds;
	struct stats stats;
	struct limit limit[2]; /* to the container, from it */
	struct link link;
	struct loop *loop;
	struct wheel *wheel;
	struct pool *pool;
	struct reass *reass;
	struct emit *emit;
	struct tcp *tcp;
	struct udp *udp;
	struct ping *ping;
	struct local *local;
	struct ports *ports;
	struct carrier *carrier;
	struct through *through; /* NULL: the tap engine alone */
	struct source link_src, control_src;
	struct timer trim, reass_timer;
	struct flood flood;
	/* Of this round: events of the link, datagrams from it, and whether anything else was done.
	 */
	unsigned n_link, n_datagrams;
	bool is_mixed;
	bool is_busy; /* something waits for the next round, which must not wait */
	bool is_over;
	int status;
	bool is_held; /* the last frame's bytes are needed until the next flush */
	unsigned at;  /* the next of frames to read into */
	/* Each a virtio_net_hdr, then a frame: its IP header lies at a multiple of 8. */
	_Alignas(64) uint8_t frames[TCP_HELD_MAX][LINK_FRAME_MAX + 64];
};

/* dispatch.c: one frame of the container, in memory of w->frames. */
void dispatch_frame(struct worker *w, const uint8_t *frame, size_t len, const struct link_meta *m,
		    uint64_t now);
/* Datagrams whose fragments did not all come in time. */
void dispatch_expire(struct worker *w, uint64_t now);

/* worker.c: what passes from now on. */
void worker_set_rates(struct worker *w, const struct rates *r);

/* told.c: the supervisor's messages. */
void told_read(struct worker *w, uint64_t now);
void told_set_resolvers(struct worker *w, const struct resolvers *r);

/* capture.c: appends one frame to fds.pcap. arg is the worker. */
void capture_frame(void *arg, const struct iovec *iov, int n);

#endif
