/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * through: the container's connections whose other end, towards the container, is the kernel's own
 * TCP in the namespace that the container hangs on: bytes go from socket to socket by relay, and no
 * segment of them is seen here but the SYN. proc/transparent.h says what that namespace is made
 * ready with.
 *
 * The tcp room holds the container's SYN while the host connects, answers for the host when that
 * fails, and hands the socket over when it worked (through_take). The SYN goes back into the tap;
 * the kernel makes the connection with the container, the listener gives it, and its addresses tell
 * which of the sockets it belongs to. One that does not come is given up.
 */
#ifndef SLIRP_THROUGH_THROUGH_H
#define SLIRP_THROUGH_THROUGH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "emit/emit.h"
#include "flow/key.h"
#include "flow/plan.h"
#include "flow/stats.h"
#include "flow/syn.h"
#include "flow/wheel.h"
#include "io/host.h"
#include "io/loop.h"

/* All borrowed; they outlive it. The descriptors are the caller's. */
struct through_env {
	struct emit *emit;
	struct loop *loop;
	struct wheel *wheel;
	const struct plan *plan;
	const struct host_ops *host;
	struct stats *stats;
	int listen[N_FAM];   /* -1: not this family */
	uint32_t max;        /* connections */
	uint32_t source_max; /* of one source, those that are not open yet */
};

struct through;

int through_new(const struct through_env *env, struct through **ret, struct err *e);
void through_free(struct through *t); /* resets all connections; accepts NULL */

/* Whether a connection that the container opens is for this room (1): not one of the namespace
 * itself, which has an address on the tap (0). -1: too many of its source are under way already.
 * After a 1 comes through_take, or through_gone when that is not possible any more. */
int through_wants(struct through *t, const struct flow_key *k);
void through_gone(struct through *t, const struct flow_key *k);
/* What the host's socket may hold of the container's that is not sent yet (TCP_NOTSENT_LOWAT). */
#define THROUGH_UNSENT (256 * 1024)
/* What the host's socket may hold for the container (SO_RCVBUF); 0: as the kernel thinks best. */
int through_buffer(const struct through *t);
/* The host has connected fd for it (in no loop; its close resets): takes it over. -errno: it stays
 * the caller's, and through_gone follows. */
int through_take(struct through *t, const struct flow_key *k, int fd, const struct syn *syn,
		 uint32_t seq, uint64_t now);
/* The container sent its SYN again, and this room has it: true. */
bool through_again(struct through *t, const struct flow_key *k, uint64_t now);

/* As carrier.h has them: what is left over from a turn. */
bool through_has_more(const struct through *t);
void through_go_on(struct through *t);

struct through_gauges {
	uint32_t n_held, n_conns;
};
struct through_gauges through_gauges(const struct through *t);

/* The first connection at or after *cursor (0 to begin with), which is moved past it; false at the
 * end. */
struct through_seen {
	struct flow_key key;
	bool is_open;                 /* false: the other half is waited for */
	bool host_ended, guest_ended; /* it has sent its FIN */
	uint32_t idle_ms;             /* since something moved */
	uint32_t queued, blocked;     /* bytes for the container, for the host, in our pipes */
};
bool through_list(const struct through *t, uint32_t *cursor, uint64_t now,
		  struct through_seen *ret);

#endif
