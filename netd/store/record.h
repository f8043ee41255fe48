/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: JSON documents as record files. Private to the store. */
#ifndef NETD_STORE_RECORD_H
#define NETD_STORE_RECORD_H

#include <jansson.h>

#include "base/err.h"
#include "store/dir.h"

/* Writes doc (whose reference is taken; NULL: out of memory) as the record sub/name. */
int record_put(struct store *s, enum store_sub sub, const char *name, json_t *doc, struct err *e);
/* Reads and parses it into a new reference: 0, 1 when there is none, or negative. */
int record_get(struct store *s, enum store_sub sub, const char *name, json_t **ret, struct err *e);
/* 0, 1 when there is none, or negative. */
int record_del(struct store *s, enum store_sub sub, const char *name, struct err *e);

#endif
