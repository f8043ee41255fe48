/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp: the container's UDP datagrams to host sockets and back (RFC 768, RFC 4787): one socket for
 * each (container address, port), as long as it is used. Runs of datagrams of one size travel as
 * one (UDP_SEGMENT, UDP_GRO, super-frames on the link); where the kernel cannot, one by one. A
 * datagram that the host's socket has no room for is lost and counted: UDP's own contract.
 *
 * Errors of the host come back as ICMP (hosterr.h). A datagram for the DNS server of ours is
 * handed to env.dns.
 */
#ifndef SLIRP_DGRAM_UDP_H
#define SLIRP_DGRAM_UDP_H

#include <stdint.h>

#include "emit/emit.h"
#include "flow/key.h"
#include "flow/limit.h"
#include "flow/policy.h"
#include "flow/port.h"
#include "flow/wheel.h"
#include "io/host.h"
#include "io/loop.h"
#include "wire/ip.h"
#include "wire/udphdr.h"

struct udp;

/* All borrowed; they outlive it. */
struct udp_env {
	struct emit *emit;
	struct loop *loop;
	struct wheel *wheel;
	const struct policy *policy;
	const struct host_ops *host;
	struct stats *stats;
	uint32_t max;                /* sockets */
	uint64_t once_ms, stream_ms; /* idle times (RFC 4787 4.3): before and after both sides have
				      * spoken twice */
	struct limit *limit[2];      /* of bytes to the container and from it; NULL: none */
	/* A datagram of a client on this host that came to a published socket; h as recvmsg(2)
	 * left it. True: it is dealt with. NULL: it goes through the tap. */
	bool (*local)(void *arg, const struct port_spec *s, int fd, struct msghdr *h,
		      const void *data, size_t len, uint64_t now);
	void (*dns)(void *arg, const struct ip_packet *p, const struct udphdr_v *h, uint64_t now);
	void *arg;
};

int udp_new(const struct udp_env *env, struct udp **ret, struct err *e);
/* In the place of env.limit[i]; NULL: none. */
void udp_set_limit(struct udp *u, int i, struct limit *l);
void udp_free(struct udp *u); /* accepts NULL */
/* A whole packet with an acceptable source; m: of its frame, NULL when it was put together from
 * fragments (the host may then fragment it, too). Its bytes are not used after the return. */
void udp_input(struct udp *u, const struct ip_packet *p, const struct link_meta *m, uint64_t now);
/* Datagrams that came since the last udp_flush, which sends what udp_input has gathered: after each
 * batch of frames. Returns the number of them. */
uint32_t udp_n_since(const struct udp *u);
uint32_t udp_flush(struct udp *u, uint64_t now);
/* Sockets whose events were served, and messages of theirs, since the last call. */
void udp_take_heard(struct udp *u, unsigned *ret_events, unsigned *ret_messages);
uint32_t udp_count(const struct udp *u);

/* udp_port.c: a published socket, which is the room's from now on, also when this fails (0 or
 * -errno). Its clients are shown to the container as port_shown says; each is remembered until it
 * was quiet for stream_ms, and what the container sends to it leaves by this socket, from the
 * address of the host that the client wrote to. tally counts and outlives it. */
int udp_port_add(struct udp *u, const struct port_spec *s, int fd, struct port_tally *tally);
void udp_port_remove(struct udp *u, uint32_t slot, uint64_t now);

/* One at or after *cursor (0 to begin with), which is moved past it; false at the end. Clients of
 * published sockets and then the container's own, whose peer is the one last written to. */
struct udp_seen {
	struct flow_key key;
	bool is_inward;
	uint32_t idle_ms;
};
bool udp_list(const struct udp *u, uint32_t *cursor, uint64_t now, struct udp_seen *ret);

#endif
