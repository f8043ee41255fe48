/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim: who owns an address or a host port. A claim is a symbolic link whose target is the owner's
 * key, so taking one is one atomic system call whatever the number of containers, and the owner can
 * be named at once. All of these need the global lock (ERR_INTERNAL without it).
 *
 *   addrs/10.88.0.5                       -> ID@IF
 *   ports/tcp.4.8080                      -> ID@IF     every IPv4 address of the host
 *   ports/tcp.4.8080/198.51.100.1         -> ID@IF     one address: the name above is a directory
 *   ranges/tcp.4.10000-20000.any          -> ID@IF     runs kept as one interval
 *
 * A wildcard and a host-address claim on one port exclude each other because a link and a directory
 * cannot share a name.
 *
 * Claims are taken before the record that lists them is written. A claim is good while another
 * process holds its owner's lock, while the owner's record lists it, and while that record cannot
 * be read. Any other is left over from a killed process and is taken over silently. `key` itself
 * may hold claims from an attempt that was killed: the same claim is used again, one in the way is
 * dropped.
 */
#ifndef NETD_STORE_CLAIM_H
#define NETD_STORE_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/name.h"
#include "model/pool.h"
#include "model/publish.h"
#include "store/store.h"

/* Claims one given address. Taken by another: ERR_CONFLICT (EADDRINUSE), the text names the owner
 * (claim_addr_owner() gives the key). Claimed by key already: 1. */
int claim_addr(struct store *s, const struct ip *ip, const char *key, struct err *e);
/* Claims the next free address of the subnet: from cursor on, wrapping; never the network address,
 * the broadcast address (IPv4) or the gateway. Of a large subnet only the first 2^20 addresses are
 * used. All taken: ERR_QUOTA naming subnet and network. An address that an attempt of key took
 * last, before it was killed, is given again. */
int claim_next_addr(struct store *s, const struct network *n, int fam, const char *key,
		    struct ip *ret, struct err *e);
/* The same for a set of ranges that pool_complete has seen; its first 2^20 addresses are used.
 * slot: the set's number in its network, of ADDR_SET_MAX: each has a cursor. ERR_QUOTA is
 * WHAT_POOL. */
int claim_from_set(struct store *s, const char *network, const struct addr_set *set,
		   unsigned int slot, const char *key, struct ip *ret, struct err *e);
/* Can an address of the set be had? 0: yes, 1: none. Reads the names of the claims only, and the
 * records' names where all are taken. Needs no lock: the answer may be out of date already. */
int claim_is_full(struct store *s, const struct addr_set *set, struct err *e);
/* Where the search goes on, to be put back by a call that only looks. */
#define CLAIM_CURSOR_LEN 8
struct claim_cursor {
	bool is_known;
	size_t n;
	char text[CLAIM_CURSOR_LEN * ADDR_SET_MAX];
};
int claim_get_cursor(struct store *s, const char *network, struct claim_cursor *ret, struct err *e);
int claim_put_cursor(struct store *s, const char *network, const struct claim_cursor *c,
		     struct err *e);
/* The search that this process was the first to make came to nothing: the file goes. */
void claim_undo_cursor(struct store *s);
/* 0, or 1 when key has no such claim (another's is left alone). */
int claim_drop_addr(struct store *s, const struct ip *ip, const char *key, struct err *e);
/* Reads the owner of an address: 0 and the key, 1: free. Needs no lock. */
int claim_addr_owner(struct store *s, const struct ip *ip, char ret_key[KEY_STRLEN], struct err *e);

/* Claims a run of host ports (host_port not 0) for those of the families has[] that its host
 * address covers. All or nothing. Taken: ERR_CONFLICT (EADDRINUSE) naming the port and its owner.
 * Claimed by key already (identically): success. */
int claim_ports(struct store *s, const struct publish *p, const bool has[N_FAM], const char *key,
		struct err *e);
/* Claims that are not key's are left alone. */
int claim_drop_ports(struct store *s, const struct publish *p, const bool has[N_FAM],
		     const char *key, struct err *e);
/* Removes every claim that is not good (see above), whatever else lies among the claims, and the
 * files that killed writers left in the store. Goes on after errors and returns the first;
 * ret_removed is set in any case. */
int claim_sweep(struct store *s, size_t *ret_removed, struct err *e);
/* Removes every claim of key, by walking all (repair only). */
int claim_drop_all(struct store *s, const char *key, struct err *e);

#endif
