/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local: what the gateway answers itself: ARP, neighbour discovery with router advertisements,
 * DHCPv4 and DHCPv6 for guests that ask, DNS over UDP. Nothing here decides what may be reached on
 * the host; the one exception are the listed resolvers, which only the forwarder's own queries
 * reach. No allocation after local_new. RFC 826, 4861, 2131, 8415, 8106, 5452, 5625.
 */
#ifndef SLIRP_LOCAL_LOCAL_H
#define SLIRP_LOCAL_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emit/emit.h"
#include "flow/plan.h"
#include "flow/policy.h"
#include "flow/stats.h"
#include "flow/wheel.h"
#include "io/host.h"
#include "io/loop.h"
#include "wire/ip.h"
#include "wire/udphdr.h"

/* All borrowed; they outlive it. */
struct local_env {
	struct emit *emit;
	const struct plan *plan;
	const struct policy *policy; /* whose names are learned; NULL: there are none */
	struct stats *stats;
	struct wheel *wheel;
	struct loop *loop;
	const struct host_ops *host;
};

struct local;

/* Reads the kernel's random numbers once, for query ids. */
int local_new(const struct local_env *env, struct local **ret, struct err *e);
void local_free(struct local *l); /* accepts NULL; closes the sockets of queries under way */

/* p, len: an ARP packet, behind the Ethernet header. Answers for the gateway and the DNS server,
 * learns who sent it. */
void local_arp(struct local *l, const uint8_t *p, size_t len);

/* k: an ICMPv6 packet, checksum not yet checked unless is_sum_ok. True: it was of neighbour
 * discovery or multicast listener discovery and is dealt with. Sources are judged here: link-local
 * ones and :: are good for this and nothing else. */
bool local_ndp(struct local *l, const struct ip_packet *k, bool is_sum_ok, uint64_t now);

/* k, u: a UDP datagram to port 67 (IPv4) or 547 (IPv6), whatever its source and destination,
 * checksum checked. True: dealt with; false: the plan serves no DHCP and it is a datagram like
 * others. */
bool local_dhcp(struct local *l, const struct ip_packet *k, const struct udphdr_v *u, uint64_t now);

/* k, u: a datagram to port 53 of the DNS server's address, source and checksum checked. */
void local_dns_udp(struct local *l, const struct ip_packet *k, const struct udphdr_v *u,
		   uint64_t now);

#define LOCAL_RESOLVERS_MAX 8

/* The host's resolvers, in its order; scope[i] is the interface of a link-local ip[i]. Queries
 * under way go on with the new ones. */
void local_set_resolvers(struct local *l, const struct ip *ip, const uint32_t *scope, size_t n);

/* Where attempt 0, 1, ... of a query goes, for DNS over TCP: those that answer come first. False:
 * all have had their turn (or there are none). */
bool local_pick_resolver(const struct local *l, unsigned attempt, uint64_t now, struct ip *ret_ip,
			 uint32_t *ret_scope, uint16_t *ret_port);
/* The connection to it failed: it is asked last for a while. */
void local_resolver_failed(struct local *l, const struct ip *ip, uint64_t now);

#endif
