/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inside: what the files of this room share; nobody else includes it. Each service has a struct of
 * its own and touches no other's.
 */
#ifndef SLIRP_LOCAL_INSIDE_H
#define SLIRP_LOCAL_INSIDE_H

#include "flow/siphash.h"
#include "local/local.h"
#include "local/lease.h"

/* Queries under way; the oldest goes when one more comes. (Fuzzing has fewer, to be there soon.) */
#ifndef DNS_PENDING
#define DNS_PENDING 512
#endif
#define DNS_QUERY_MAX 1232 /* bytes of a query that is forwarded */
#define DNS_TRIES 3        /* sockets of one query: late answers of earlier tries still count */
#define DNS_ATTEMPTS_MIN 3
#define DNS_PATIENCE_MS 4500 /* for all attempts: below the 5 s after which resolvers ask again */
#define DNS_DOWN_MS 30000    /* a resolver that failed is asked last for so long */

struct dns_query;

struct dns_try {
	struct source source; /* fd -1: none */
	struct dns_query *query;
	uint16_t id;
	uint8_t resolver; /* its place in the list of this generation */
	uint32_t generation;
};

struct dns_query {
	struct timer timer;
	struct local *local;
	bool is_used;
	uint16_t next_free;
	struct ip client, server; /* who asked, and at which address of ours */
	uint16_t port, id;        /* of the client */
	uint64_t began;
	uint32_t generation; /* of the resolvers that tried counts */
	uint8_t tried;       /* bit per resolver */
	uint8_t n_tries;
	struct dns_try tries[DNS_TRIES];
	size_t len;
	uint8_t bytes[DNS_QUERY_MAX];
};

_Static_assert(LOCAL_RESOLVERS_MAX <= 8, "a bit each in dns_query.tried");

struct resolver {
	struct ip ip;
	uint32_t scope;
	bool has_failed;
	uint64_t failed_at;
};

struct local_dns {
	struct resolver resolver[LOCAL_RESOLVERS_MAX];
	size_t n_resolvers;
	uint32_t generation; /* counts changes of the list */
	struct siphash_key key;
	uint64_t n_ids;
	uint16_t first_free; /* DNS_PENDING: none */
	uint16_t high;       /* slots from here on were never used */
	struct dns_query query[DNS_PENDING];
	uint8_t message[65536];
};

struct local {
	struct local_env env;
	struct ip link_local; /* ours, of plan.our_mac */
	struct leases leases[N_FAM];
	struct timer ra_timer, learn_timer;
	struct local_dns dns;
};

#define OWNER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* What DHCP and router advertisements name as the DNS server; family 0: nothing. */
struct ip local_told_dns(const struct local *l, int fam);
void local_count(struct local *l, enum stat_id s);
/* Whether ip is one that we answer for. */
bool local_is_ours(const struct local *l, const struct ip *ip);
bool local_is_guest(const struct local *l, const struct ip *ip); /* in the guest's network */
/* Whether `asker` (:: or 0.0.0.0: nobody yet) is to find ip at our MAC address because it is a
 * neighbour of the host's, or a client of a published port. */
bool local_is_neighbour(const struct local *l, const struct ip *ip, const struct ip *asker);
/* A UDP datagram to the container. */
void local_send_udp(struct local *l, const struct ip *src, uint16_t sport, const struct ip *dst,
		    uint16_t dport, const void *data, size_t len);

bool dhcp4_input(struct local *l, const struct ip_packet *k, const struct udphdr_v *u,
		 uint64_t now);
bool dhcp6_input(struct local *l, const struct ip_packet *k, const struct udphdr_v *u,
		 uint64_t now);
/* As local_pick_resolver: a place in the list of the present generation. */
bool resolver_pick(const struct local *l, unsigned attempt, uint64_t began, uint8_t *ret);
/* An answer on its way to the container: which addresses the policy's names have. */
/* False: the name that was asked for is denied, and the container is not to hear it. */
bool learn_answer(struct local *l, const uint8_t *message, size_t len, uint64_t now);
void learn_init(struct local *l);
void dns_init(struct local *l);
void dns_close(struct local *l);

#endif
