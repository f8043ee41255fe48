/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dest: where the traffic of a published port goes, and the socket addresses that go with it. */
#ifndef SLIRP_LITE_RELAY_DEST_H
#define SLIRP_LITE_RELAY_DEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "model/addr.h"

struct dest {
	struct ip target[N_FAM]; /* family 0: the container has none of it */
	uint16_t port;
};

/* The container's address for a client of this family (AF_INET, AF_INET6): the same family when the
 * container has it, else the other. */
socklen_t dest_pick(const struct dest *d, int family, struct sockaddr_storage *ret);
/* The plain address of a socket address; a v4-mapped one is its IPv4 address. */
struct ip dest_ip(const struct sockaddr_storage *ss);
uint16_t dest_port(const struct sockaddr_storage *ss);
/* True when a packet with these ends came from this host itself: from a loopback address, or to the
 * very address it came from. */
bool dest_is_local(const struct ip *peer, const struct ip *local);

#endif
