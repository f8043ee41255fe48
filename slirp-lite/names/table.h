/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: networks, their members' addresses and names. Tables of fixed size, mapped once; memory of
 * what was never used is never touched. Everything in it comes from the engine; looking up is done
 * for strangers. A member sees only what has the same user as itself (users of the daemon are
 * strangers to each other; root's own are all of user 0).
 */
#ifndef SLIRP_NAMES_TABLE_H
#define SLIRP_NAMES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/bucket.h"
#include "model/addr.h"
#include "model/name.h"
#include "relay/slots.h"
#include "wire/dns.h"

#define TABLE_NETS_MAX 512
#define TABLE_ENTRIES_MAX 16384
#define TABLE_ADDRS_MAX 65536
#define TABLE_NAMES_MAX 65536
#define TABLE_SUBNETS_MAX 16

/* Of one member: queries a second, as many at once; what is above is dropped. */
#define TABLE_RATE_S 1000
#define TABLE_BURST 500

struct table_net {
	struct slot slot;
	char name[NETNAME_STRLEN];
	bool is_internal; /* no resolver is asked */
	size_t n_subnet;
	struct prefix subnet[TABLE_SUBNETS_MAX];
	uint32_t first_entry; /* index + 1 */
};

struct table_entry {
	struct slot slot;
	uint32_t net, uid;
	char key[KEY_STRLEN];
	uint32_t prev, next;             /* of the network; index + 1 */
	uint32_t first_addr, first_name; /* index + 1 */
	uint32_t n_addr, n_name;
	uint32_t n_waiting, n_streams; /* of the member: queries under way, TCP connections */
	uint32_t n_held;               /* and answers that wait for the keeper */
	bool is_kept;                  /* each answer of resolvers does */
	struct bucket rate;
};

struct table_addr {
	struct slot slot;
	uint32_t entry, bucket_next, next; /* index + 1 where next */
	struct ip ip;
};

struct table_name {
	struct slot slot;
	uint32_t entry, bucket_next, next;
	uint8_t len;
	uint8_t wire[DNS_NAME_MAX]; /* lower case */
};

#define TABLE_BUCKETS 16384

struct table {
	struct slots nets, entries, addrs, names;
	uint32_t *addr_bucket, *name_bucket; /* index + 1 */
	uint32_t turn;                       /* which of several addresses comes first */
};

int table_init(struct table *t); /* 0 or -errno */
void table_free(struct table *t);

/* SLOT_NONE: there is none. */
uint32_t table_find_net(const struct table *t, const char *name);
uint32_t table_find_entry(const struct table *t, uint32_t net, const char *key);
/* Index, SLOT_NONE when the table is full. */
uint32_t table_add_net(struct table *t, const char *name);
void table_del_net(struct table *t, uint32_t net);
/* Makes or empties the entry. 0, -ENOSPC, or -EEXIST: an address is another entry's. */
int table_put_entry(struct table *t, uint32_t net, const char *key, uint32_t uid,
		    const struct ip *ip, size_t n_ip, uint32_t *ret);
void table_del_entry(struct table *t, uint32_t entry);
/* 0, also when the entry has it; 1: no name in DNS; -ENOSPC. */
int table_add_name(struct table *t, uint32_t entry, const char *text);

struct table_net *table_net_at(const struct table *t, uint32_t i);
struct table_entry *table_entry_at(const struct table *t, uint32_t i);
struct table_addr *table_addr_at(const struct table *t, uint32_t i);
struct table_name *table_name_at(const struct table *t, uint32_t i);

/* The member of net that has the address; SLOT_NONE. */
uint32_t table_by_ip(const struct table *t, uint32_t net, const struct ip *ip);
/* Entries of that name (lower case, wire form) that uid sees, one after another: *at begins with 0.
 */
uint32_t table_by_name(const struct table *t, uint32_t net, uint32_t uid, const uint8_t *wire,
		       size_t len, uint32_t *at);
/* Whether there is a name below this one, or an address in this prefix, that uid sees. */
bool table_has_below(const struct table *t, uint32_t net, uint32_t uid, const uint8_t *wire,
		     size_t len);
bool table_has_within(const struct table *t, uint32_t net, uint32_t uid, const struct prefix *p);

#endif
