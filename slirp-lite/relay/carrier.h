/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * carrier: relay, dgram and inside as one: how slirp-lite's worker serves clients of the host
 * itself, by sockets that were made in the container's namespace and never through the tap. It
 * watches them in the epoll set of the worker's loop (loop_lend). carrier_new allocates and opens
 * everything; after it there is no call outside the worker's filter (proc/filters.c).
 */
#ifndef SLIRP_LITE_RELAY_CARRIER_H
#define SLIRP_LITE_RELAY_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "relay/dest.h"
#include "relay/relay.h"

struct carrier_conf {
	int epoll_fd;       /* of whose events carrier_watched hears; stays the caller's */
	int channel;        /* to proc/nsd.h's process; stays the caller's; -1: there is none */
	uint32_t conns_max; /* connections, two descriptors each */
	uint32_t flows_max; /* of UDP, one descriptor each; 0: none */
	int outer_buffer, outer_unsent; /* as relay_conf has them */
	bool is_patience_set;           /* the same */
	unsigned pipes_max;             /* pairs, two descriptors each; the rest is copied */
	/* A client that was taken, of whom nothing was read, and for whom no socket came: takes it
	 * over, to serve it in another way. NULL: it is reset. */
	void (*lost)(void *arg, int fd, const struct sockaddr_storage *peer, uint32_t port);
	/* Bytes that were delivered to the container, and to the client. NULL: nobody counts. */
	void (*account)(void *arg, uint32_t port, uint64_t n_in, uint64_t n_out);
	void *arg;
};

struct carrier_gauges {
	uint32_t n_conns, n_flows;
	uint32_t n_waiting; /* of the connections, those that may still be given back (lost) */
	unsigned n_ready;   /* sockets that wait for clients */
};

struct carrier;

int carrier_new(const struct carrier_conf *conf, struct carrier **ret); /* 0 or -errno */
void carrier_free(struct carrier *c); /* resets all connections; accepts NULL */

/* Serves what one event of the set tells of, data and bits as they are there. */
void carrier_watched(struct carrier *c, uint64_t data, uint32_t events, uint64_t now_ms);
/* When carrier_tick is due, in ms of the same clock: 0 at once, UINT64_MAX never. Makes no call. */
uint64_t carrier_due(const struct carrier *c);
void carrier_tick(struct carrier *c, uint64_t now_ms);

/* False: nobody makes sockets (now): clients are to be served in another way. */
bool carrier_is_open(const struct carrier *c);
/* A port is published that leads to `to`: sockets for it are made ready. type: SOCK_STREAM,
 * SOCK_DGRAM. */
void carrier_expect(struct carrier *c, int type, const struct dest *to, uint64_t now_ms);
/* As relay_take and dgram_take: 0, or -errno and the client stays the caller's; the latter 1 when
 * the datagram is not of a client on this host. port: the caller's number, for carrier_cut. */
int carrier_take(struct carrier *c, int fd, const struct sockaddr_storage *peer, uint32_t port,
		 const struct dest *to, uint64_t now_ms);
int carrier_datagram(struct carrier *c, int port_fd, uint32_t port, const struct dest *to,
		     struct msghdr *h, const void *data, size_t len, uint64_t now_ms);
/* As relay_take_own: the container sees the client's own address. */
int carrier_take_own(struct carrier *c, int fd, const struct sockaddr_storage *peer, uint32_t port,
		     const struct dest *to, uint64_t now_ms);
/* As relay_list; of clients that show their own address alone. */
bool carrier_list(const struct carrier *c, uint32_t *cursor, struct relay_seen *ret);
/* The port is no longer published: before its socket is closed. */
void carrier_cut(struct carrier *c, uint32_t port);
struct carrier_gauges carrier_gauges(const struct carrier *c);

#endif
