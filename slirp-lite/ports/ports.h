/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: the published sockets of the worker: connections are accepted here and go on to the
 * container by a socket of its namespace or through the tap, from the client's own address wherever
 * that can be; UDP sockets are handed to dgram. The supervisor has bound them and knows them by the
 * number of their slot.
 *
 * A listener for whose clients there is no room, descriptor or memory rests and is tried again; it
 * is never closed for that, and those who wait in its queue are not reset.
 */
#ifndef SLIRP_PORTS_PORTS_H
#define SLIRP_PORTS_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dgram/udp.h"
#include "flow/port.h"
#include "flow/stats.h"
#include "flow/wheel.h"
#include "io/host.h"
#include "io/loop.h"
#include "relay/carrier.h"
#include "tcp/flows.h"

struct ports;

/* All borrowed; they outlive it. */
struct ports_env {
	struct loop *loop;
	struct wheel *wheel;
	const struct policy *policy;
	const struct host_ops *host;
	struct stats *stats;
	const struct emit *emit;
	struct tcp *tcp;
	struct udp *udp;
	/* Sockets of the namespace may have a remote client's address: it comes by one where that
	 * can be, not through the tap. */
	bool is_shown_inside[N_FAM];
	struct carrier *carrier; /* NULL: clients on this host come in through the tap */
	bool is_limited;         /* the same for new ones: by sockets nothing would be counted */
};

int ports_new(const struct ports_env *env, struct ports **ret, struct err *e);
void ports_free(struct ports *p); /* accepts NULL */
/* As env.is_limited. Clients that are there stay as they are. */
void ports_set_limited(struct ports *p, bool is_limited);

/* Serves fd, a listening TCP or a bound UDP socket, which is the room's from now on, also when this
 * fails: 0, -EEXIST (the slot is in use), -EINVAL or another -errno. */
int ports_add(struct ports *p, const struct port_spec *s, int fd);
/* A client of slot that carrier took and gives back: it comes in through the tap. */
void ports_take_back(struct ports *p, int fd, const struct sockaddr_storage *peer, uint32_t slot,
		     uint64_t now);
/* Bytes that carrier has moved for a client of slot. */
void ports_account(struct ports *p, uint32_t slot, uint64_t n_in, uint64_t n_out);
/* A datagram of a client on this host that came to a published UDP socket of the room's; h as
 * recvmsg(2) left it. False: it is to go through the tap. */
bool ports_carry(struct ports *p, const struct port_spec *s, int fd, struct msghdr *h,
		 const void *data, size_t len, uint64_t now);
/* Closes it and resets what came by it. A slot that is not in use is none's business. */
void ports_remove(struct ports *p, uint32_t slot, uint64_t now);
/* The first one at or after *cursor (0 to begin with), which is moved past it; false at the end. */
bool ports_list(const struct ports *p, uint32_t *cursor, uint32_t *ret_slot,
		struct port_tally *ret);

#endif
