/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring: a byte queue of one direction of one flow, made of pool chunks. Offsets count from the
 * oldest byte held. Bytes may be put beyond the end (out-of-order data): the holes are the caller's
 * to know. An empty ring holds no chunk.
 */
#ifndef SLIRP_FLOW_RING_H
#define SLIRP_FLOW_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "flow/pool.h"

#define RING_CHUNKS 64 /* 1 MiB */
#define RING_MAX ((size_t)RING_CHUNKS * POOL_CHUNK)

struct ring {
	uint16_t chunk[RING_CHUNKS]; /* circular, from first; POOL_NONE in a hole */
	uint8_t first;               /* index of the chunk with the oldest byte */
	uint8_t n_held;              /* chunks */
	uint8_t n_reserved;          /* chunks set aside in the pool for this ring, held or not */
	uint32_t skip;               /* bytes consumed of the first chunk */
	uint32_t len;                /* bytes from the oldest to the end of what is in order */
	uint32_t end;                /* to the end of all that was put, >= len */
};

void ring_init(struct ring *r);
/* Gives every chunk and every reservation back. */
void ring_reset(struct ring *r, struct pool *p);
/* Sets n chunks in all (at most RING_CHUNKS) aside for this ring; fewer than before gives them
 * back. false: the pool has not as many; nothing changed. */
bool ring_reserve(struct ring *r, struct pool *p, unsigned n);
/* Bytes that can be put at offset at before RING_MAX or the pool ends (what is not reserved of the
 * pool's part is there for now only). */
size_t ring_room(const struct ring *r, const struct pool *p, size_t at);
/* Copies n bytes, from offset skip of iov on, to offset at (may be beyond len); all or nothing;
 * false: no room. Does not change len. */
bool ring_put(struct ring *r, struct pool *p, size_t at, const struct iovec *iov, int n_iov,
	      size_t skip, size_t n);
void ring_extend(struct ring *r, size_t n); /* n more bytes after len are in order now */
/* Room for up to max bytes at len, to be read into by readv: returns the number of iovecs, at most
 * n_iov; the caller then calls ring_extend with what came. Unused chunks go back by ring_tidy. */
int ring_space(struct ring *r, struct pool *p, size_t max, struct iovec *iov, int n_iov);
void ring_tidy(struct ring *r, struct pool *p);
/* The bytes [at, at + n) as iovecs; returns their number. at + n <= len. */
int ring_bytes(const struct ring *r, const struct pool *p, size_t at, size_t n, struct iovec *iov,
	       int n_iov);
void ring_consume(struct ring *r, struct pool *p, size_t n); /* the oldest n bytes go */

#endif
