/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dgram: UDP of clients on this host, carried on to the container; one flow for each client socket.
 * As relay.h it serves two processes: the forwarder, whose published sockets it reads, and
 * slirp-lite's worker, which reads its own and hands over what came from clients of the host.
 */
#ifndef SLIRP_LITE_RELAY_DGRAM_H
#define SLIRP_LITE_RELAY_DGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "relay/dest.h"
#include "relay/relay.h"

#define DGRAM_MAX                                                                                  \
	16384 /* flows at once in the forwarder; one more takes the place of the one unused        \
		 longest */
/* RFC 4787 REQ-5: two minutes at least for a flow in use; a question and its answer need less. */
#define DGRAM_ONE_SHOT_MS 30000
#define DGRAM_STREAM_MS 120000
/* Flows that wait for a socket, each with the datagram that began it; more are not begun. */
#define DGRAM_HELD 16

struct dgram_conf {
	int epoll_fd;
	uint32_t max;
	const struct relay_ops *ops; /* NULL: socket(2) */
};

struct dgram;

/* Allocates all it will ever need. 0 or -errno. */
int dgram_new(const struct dgram_conf *conf, struct dgram **ret);
void dgram_free(struct dgram *d); /* accepts NULL */
/* Reads what clients sent to a published socket, a bounded number. */
void dgram_receive(struct dgram *d, int port_fd, uint32_t port, const struct dest *to,
		   uint64_t now_ms);
/* One datagram that was read from port_fd: h as recvmsg(2) left it, with the client's address and
 * PKTINFO, and its bytes. 0: it is dealt with; 1: not of a client on this host; -errno: there is no
 * socket for it, and the caller may do something else with it. */
int dgram_take(struct dgram *d, int port_fd, uint32_t port, const struct dest *to, struct msghdr *h,
	       const void *data, size_t len, uint64_t now_ms);
/* ops->socket may have more to give: goes on with flows that wait. */
void dgram_ready(struct dgram *d, uint64_t now_ms);
/* A flow has answers, or an error. Events of flows that are gone are ignored. */
void dgram_event(struct dgram *d, uint32_t index, uint32_t gen, uint64_t now_ms);
/* Ends flows that are over. Milliseconds until the next is, -1 when there is none. */
int dgram_expire(struct dgram *d, uint64_t now_ms);
/* When dgram_expire has something to do, UINT64_MAX: never. */
uint64_t dgram_due(const struct dgram *d);
/* Ends every flow of this port. */
void dgram_cut(struct dgram *d, uint32_t port);
uint32_t dgram_count(const struct dgram *d);

#endif
