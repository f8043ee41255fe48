/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay: TCP connections of clients on this host, carried on to the container. It is used by two
 * processes: the local forwarder accepts by it, from the host's own namespace; slirp-lite's worker
 * hands it clients that it has accepted, and sockets that were made inside the container's
 * namespace. All memory it will ever need is mapped by relay_new and untouched until it is used.
 */
#ifndef SLIRP_LITE_RELAY_RELAY_H
#define SLIRP_LITE_RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/dest.h"

#define RELAY_MAX 16384 /* connections at once in the forwarder; one more is reset */
/* How long a client waits for a socket that is not there yet. */
#define RELAY_WAIT_MS 2000

/* Where sockets to the container come from. */
struct relay_ops {
	/* Non-blocking and close-on-exec, of AF_INET or AF_INET6 and SOCK_STREAM or SOCK_DGRAM.
	 * A descriptor, -EAGAIN: none yet, the caller of this room will say when (relay_ready,
	 * dgram_ready); another -errno: there will be none. */
	int (*socket)(void *arg, int family, int type);
	/* One that has the client's own address, from:port; relay_given brings it under the number
	 * *ret_id. 0, or -errno: there will be none. NULL: relay_take_own is not called. */
	int (*bound)(void *arg, const struct ip *from, uint16_t port, uint32_t *ret_id);
	/* A client that waited, of whom nothing was read, and for whom no socket came: takes it
	 * over. NULL: such a client is reset. */
	void (*lost)(void *arg, int fd, const struct sockaddr_storage *peer, uint32_t port);
	/* Bytes that were delivered to the container, and to the client; NULL: nobody counts. */
	void (*account)(void *arg, uint32_t port, uint64_t n_in, uint64_t n_out);
	/* For relay_list; NULL: nobody asks when something last moved. */
	uint64_t (*now_ms)(void *arg);
	void *arg;
};

struct relay_conf {
	int epoll_fd;
	bool is_second; /* in epoll_fd's set, after another: its kinds have WATCH_SECOND */
	uint32_t max;
	/* NULL: socket(2), and pipes are made when they are wanted. Else n_pipes are made at the
	 * start and no call but those of sockets, splice, read and epoll is ever made. */
	const struct relay_ops *ops;
	unsigned n_pipes, n_wide; /* n_wide: as many of them are large */
	/* A close that nobody means, by the death of the process, resets (SO_LINGER). Sockets for
	 * relay_join come like this. */
	bool are_reset;
	/* SO_RCVBUF, before the first read, and TCP_NOTSENT_LOWAT, once some came, of the outer
	 * sockets of relay_take_own and relay_join: what lies in the host's socket of one. 0: as
	 * the kernel thinks best. */
	int outer_buffer, outer_unsent;
	/* The namespace of the container itself limits how often a SYN of ours is repeated. */
	bool is_patience_set;
};

struct relay;

/* Allocates all it will ever need. 0 or -errno. */
int relay_new(const struct relay_conf *conf, struct relay **ret);
void relay_free(struct relay *r); /* ends all connections; accepts NULL */
/* Takes in waiting clients of a listener, a bounded number. 0, or -errno when the system is out of
 * something: the listener is to be left alone for a while. */
int relay_accept(struct relay *r, int listen_fd, uint32_t port, const struct dest *to,
		 uint64_t now_ms);
/* Takes over the client fd (non-blocking), whose address is peer. 0, or -errno: there is no room or
 * no socket for it, and fd stays the caller's. */
int relay_take(struct relay *r, int fd, const struct sockaddr_storage *peer, uint32_t port,
	       const struct dest *to, uint64_t now_ms);
/* The same, and the container sees the client's own address. What does not work by the socket that
 * comes, but for what the container answers, is lost (ops->lost). */
int relay_take_own(struct relay *r, int fd, const struct sockaddr_storage *peer, uint32_t port,
		   const struct dest *to, uint64_t now_ms);
/* What came for ops->bound, a socket or -errno. False: nobody waits for it (any more), it stays the
 * caller's. */
bool relay_given(struct relay *r, uint32_t id, int fd);
/* None of what is under way for ops->bound will come: all who wait for it are lost. */
void relay_forsake(struct relay *r);
/* Takes over two connected sockets (non-blocking), the container's is inner; bytes go both ways
 * from now on. 0, or -errno: they stay the caller's. They count for port 0. peer: who opened it;
 * to: what he asked for. */
int relay_join(struct relay *r, int outer, int inner, const struct sockaddr_storage *peer,
	       const struct sockaddr_storage *to);
/* ops->socket may have more to give: goes on with clients that wait, first come first served. */
void relay_ready(struct relay *r);
/* is_outer: which end. Events of connections that are gone are ignored. */
void relay_event(struct relay *r, uint32_t index, uint32_t gen, bool is_outer, uint32_t events);
/* Goes on with connections that had more to move than is fair in one go. True: some still have. */
bool relay_go_on(struct relay *r);
bool relay_has_more(const struct relay *r);
/* Gives up clients that have waited too long, and settles connections that go on. True: some of
 * the former for ops->bound. */
bool relay_expire(struct relay *r, uint64_t now_ms);
/* When relay_expire has something to do, UINT64_MAX: never. */
uint64_t relay_due(const struct relay *r);
/* Resets every connection that came in through this port. */
void relay_cut(struct relay *r, uint32_t port);
uint32_t relay_count(const struct relay *r);
/* Of these, clients for whom no socket has come yet: each of them may still be lost. */
uint32_t relay_waiting(const struct relay *r);
/* The first connection at or after *cursor (0 to begin with), which is moved past it; false at the
 * end. */
struct relay_seen {
	struct ip from, to;
	uint16_t from_port, to_port;
	bool is_own;                   /* by relay_take_own */
	bool is_open;                  /* the container has answered */
	bool outer_ended, inner_ended; /* it has sent its FIN */
	uint32_t n_in, n_out;          /* bytes in our pipes: for the container, from it */
	uint64_t moved_ms;             /* when it was joined, or something moved */
};
bool relay_list(const struct relay *r, uint32_t *cursor, struct relay_seen *ret);

#endif
