/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool: all payload that flows hold, in chunks of one arena that is mapped once at start: the
 * memory cap of the program. Untouched chunks cost no memory; chunks that were freed are given back
 * to the kernel (MADV_DONTNEED) when many lie idle. Never allocates after pool_init.
 */
#ifndef SLIRP_FLOW_POOL_H
#define SLIRP_FLOW_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define POOL_CHUNK 16384u /* bytes */
#define POOL_NONE UINT16_MAX

struct pool;

/* cap in bytes, rounded down to chunks; at most 65,535 chunks (1 GiB). */
int pool_new(size_t cap, struct pool **ret, struct err *e);
void pool_free(struct pool *p); /* accepts NULL */
/* A chunk's number, or POOL_NONE. */
uint16_t pool_get(struct pool *p);
void pool_put(struct pool *p, uint16_t chunk);
uint8_t *pool_data(const struct pool *p, uint16_t chunk);
size_t pool_n_chunks(const struct pool *p);
size_t pool_n_free(const struct pool *p);
/* Gives idle memory back to the kernel; called when the loop goes to sleep after work. */
void pool_trim(struct pool *p);

#endif
