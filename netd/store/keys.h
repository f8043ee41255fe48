/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys: the names of all attachments in order, without reading a record. */
#ifndef NETD_STORE_KEYS_H
#define NETD_STORE_KEYS_H

#include "base/err.h"
#include "store/store.h"

/* Those that begin so (of a name_key; NULL: all). fn may change the store; it returns non-zero to
 * stop, which is passed on. */
int store_each_key(struct store *s, const char *begin,
		   int (*fn)(const char *id, const char *ifname, void *arg), void *arg,
		   struct err *e);

#endif
