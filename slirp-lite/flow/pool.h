/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool: all payload that flows hold, in chunks of one arena that is mapped once at start: the
 * memory cap of the program. Untouched chunks cost no memory; chunks that were freed are given back
 * to the kernel (MADV_DONTNEED) when they lie idle. Never allocates after pool_new.
 *
 * A window that is promised must be kept whatever the other flows do, so chunks can be reserved:
 * what is reserved is not there for others, and counts as used up for pool_n_free.
 */
#ifndef SLIRP_FLOW_POOL_H
#define SLIRP_FLOW_POOL_H

#include <stdbool.h>
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
size_t pool_n_held(const struct pool *p);
size_t pool_n_free(const struct pool *p); /* neither held nor reserved */

/* Sets n free chunks aside; false: there are not as many. */
bool pool_reserve(struct pool *p, size_t n);
void pool_unreserve(struct pool *p, size_t n);
/* As pool_get and pool_put, out of what was reserved and back to it. */
uint16_t pool_get_reserved(struct pool *p);
void pool_put_reserved(struct pool *p, uint16_t chunk);

/* Gives back to the kernel what nobody has asked for since the last call, but for a small stock.
 * true: memory is left that a later call may give back. */
bool pool_trim(struct pool *p);

#endif
