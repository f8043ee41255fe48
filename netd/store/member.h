/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * member: which attachments use a network, so that the last one to leave is known without reading
 * the others: members/NETWORK/ID@IF are empty links, and rmdir tells whether any is left. Also the
 * generation number of the nft tables: whoever loads them anew raises it, so that a transaction
 * that ran meanwhile knows that its elements may have been lost or brought back. All calls are made
 * under the global lock, but for member_each and member_generation where a picture that may be out
 * of date already will do.
 */
#ifndef NETD_STORE_MEMBER_H
#define NETD_STORE_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

enum member_first {
	MEMBER_OTHERS = 0,           /* the network has (had) other members */
	MEMBER_FIRST_OF_NETWORK = 1, /* none in this network, some in others */
	MEMBER_FIRST_OF_HOST = 2,    /* none at all */
};

/* Enters key. Returns enum member_first (as it was before), or negative. */
int member_join(struct store *s, const char *network, const char *key, struct err *e);
/* Is there any? Empty directories that a killed process left are removed first. network, or NULL:
 * one that likely has members, which makes the answer one system call. */
bool member_any(struct store *s, const char *network);
/* 1 when key is one of the network's, 0 when it is not. */
int member_has(struct store *s, const char *network, const char *key, struct err *e);
/* What member_join would return. */
int member_peek(struct store *s, const char *network, struct err *e);
/* Takes key out (absent: fine). Returns enum member_first: what the network is like now. */
int member_leave(struct store *s, const char *network, const char *key, struct err *e);
/* Calls fn for each network that has members. */
int member_each_network(struct store *s, int (*fn)(const char *network, void *arg), void *arg,
			struct err *e);

/* Calls fn for each member whose key begins so (NULL: all); it may take the member out. */
int member_each(struct store *s, const char *begin,
		int (*fn)(const char *network, const char *key, void *arg), void *arg,
		struct err *e);

/* 0 when it was never raised. */
int member_generation(struct store *s, uint64_t *ret, struct err *e);
int member_raise_generation(struct store *s, struct err *e);

#endif
