/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim: who owns an address or a host port. A claim is a symbolic link whose target is the owner's
 * key, so taking one is one atomic system call whatever the number of containers, and the owner can
 * be named at once. Claims are taken under the global lock, before the record that lists them is
 * written; a claim whose owner has no record (and is not `key` itself) is left over from a killed
 * process, and is taken over silently.
 *
 *   addrs/10.88.0.5                       -> ID@IF
 *   ports/tcp.4.8080                      -> ID@IF     every IPv4 address of the host
 *   ports/tcp.4.8080/198.51.100.1         -> ID@IF     one address: the name above is a directory
 *   ranges/tcp.4.10000-20000.any          -> ID@IF     runs kept as one interval
 *
 * A wildcard and a host-address claim on one port exclude each other because a link and a directory
 * cannot share a name.
 */
#ifndef NETD_STORE_CLAIM_H
#define NETD_STORE_CLAIM_H

#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/name.h"
#include "model/publish.h"
#include "store/store.h"

/* Claims one given address. Taken by another: ERR_CONFLICT; the text names the owner, ret_owner (may
 * be NULL) gets its key. Claimed by key already: 1. */
int claim_addr(struct store *s, const struct ip *ip, const char *key, struct err *e);
/* Claims the next free address of the subnet: from cursor on, wrapping; never the network address,
 * the broadcast address (IPv4) or the gateway. Of a large subnet only the first 2^20 addresses are
 * used. All taken: ERR_QUOTA naming subnet and network. */
int claim_next_addr(struct store *s, const struct network *n, int fam, const char *key,
		    struct ip *ret, struct err *e);
int claim_drop_addr(struct store *s, const struct ip *ip, const char *key, struct err *e);
/* Reads the owner of an address: 0 and the key, 1: free. */
int claim_addr_owner(struct store *s, const struct ip *ip, char ret_key[KEY_STRLEN], struct err *e);

/* Claims a run of host ports for the families has[]. All or nothing. Taken: ERR_CONFLICT naming the
 * port and its owner. Claimed by key already (identically): success. */
int claim_ports(struct store *s, const struct publish *p, const bool has[N_FAM], const char *key,
		struct err *e);
int claim_drop_ports(struct store *s, const struct publish *p, const bool has[N_FAM],
		     const char *key, struct err *e);
/* Removes every claim whose owner has no record. Global lock held. */
int claim_sweep(struct store *s, size_t *ret_removed, struct err *e);
/* Removes every claim of key, by walking all (repair only). */
int claim_drop_all(struct store *s, const char *key, struct err *e);

#endif
