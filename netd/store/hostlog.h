/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostlog: what we changed on the host that outlives a link of ours: sysctls and their former
 * value. Recorded before the change, undone when the last attachment is gone, and only where the
 * value is still the one we set. File: host/KEY with '/' as '%' ('%' as "=p", '=' as "=e":
 * interface names may hold them), a record with the line "OLD NEW". Written under the global lock.
 */
#ifndef NETD_STORE_HOSTLOG_H
#define NETD_STORE_HOSTLOG_H

#include "base/err.h"
#include "store/store.h"

/* Records key (old -> new) unless it is recorded already (then the first old value stays, and
 * new_value becomes the one to look for). */
int hostlog_put(struct store *s, const char *key, int old, int new_value, struct err *e);
/* fn for each, in name order; returns non-zero to stop. A broken file does not keep the others from
 * fn; its error is returned in the end. */
int hostlog_each(struct store *s, int (*fn)(const char *key, int old, int new_value, void *arg),
		 void *arg, struct err *e);
/* 0, 1 when there is none, or negative. */
int hostlog_del(struct store *s, const char *key, struct err *e);

#endif
