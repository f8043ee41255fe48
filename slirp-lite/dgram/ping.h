/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ping: the container's echo requests through the host's ping sockets, both families: one socket
 * for each (container address, id), which the host's kernel gives an id of its own (RFC 5508 3.1).
 * Echoes to the gateway are answered here. A host whose ping_group_range leaves the user out is
 * told as "administratively prohibited", once a flow. What the container says about packets of ours
 * (ICMP errors) is read, counted and changes nothing (RFC 4787 REQ-12).
 */
#ifndef SLIRP_DGRAM_PING_H
#define SLIRP_DGRAM_PING_H

#include <stdint.h>

#include "emit/emit.h"
#include "flow/policy.h"
#include "flow/wheel.h"
#include "io/host.h"
#include "io/loop.h"
#include "wire/ip.h"

#define PING_IDLE_MS 60000 /* RFC 5508 REQ-2 */

struct ping;

/* All borrowed; they outlive it. */
struct ping_env {
	struct emit *emit;
	struct loop *loop;
	struct wheel *wheel;
	const struct policy *policy;
	const struct host_ops *host;
	struct stats *stats;
	uint32_t max; /* sockets */
};

int ping_new(const struct ping_env *env, struct ping **ret, struct err *e);
void ping_free(struct ping *g); /* accepts NULL */
/* A whole ICMP or ICMPv6 packet with an acceptable source that no other room took; is_whole: it
 * came in one frame, not in fragments. The checksum is checked here. */
void ping_input(struct ping *g, const struct ip_packet *p, bool is_whole, uint64_t now);
uint32_t ping_count(const struct ping *g);

#endif
