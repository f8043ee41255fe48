/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring: chunk number k of a ring is chunk[(first + k) % RING_CHUNKS]; bytes at offset `at` lie in
 * chunk (skip + at) / POOL_CHUNK. */
#include "flow/ring.h"

#include <string.h>

static uint16_t *nth(struct ring *r, size_t k)
{
	return &r->chunk[(r->first + k) % RING_CHUNKS];
}

static bool get_chunk(struct ring *r, struct pool *p, uint16_t *ret)
{
	uint16_t c = r->n_held < r->n_reserved ? pool_get_reserved(p) : pool_get(p);

	if (c == POOL_NONE)
		return false;
	r->n_held++;
	*ret = c;
	return true;
}

static void put_chunk(struct ring *r, struct pool *p, uint16_t *c)
{
	if (*c == POOL_NONE)
		return;
	if (r->n_held-- <= r->n_reserved)
		pool_put_reserved(p, *c);
	else
		pool_put(p, *c);
	*c = POOL_NONE;
}

void ring_init(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	memset(r->chunk, 0xff, sizeof(r->chunk));
}

/* No byte is held any more: every chunk goes, and the next byte begins a chunk. */
static void become_empty(struct ring *r, struct pool *p)
{
	for (size_t i = 0; r->n_held > 0 && i < RING_CHUNKS; i++)
		put_chunk(r, p, nth(r, i));
	r->first = 0;
	r->skip = r->len = r->end = 0;
}

void ring_reset(struct ring *r, struct pool *p)
{
	become_empty(r, p);
	ring_reserve(r, p, 0);
}

bool ring_reserve(struct ring *r, struct pool *p, unsigned n)
{
	/* Only what is set aside beyond what is held lies in the pool. */
	size_t now = r->n_reserved > r->n_held ? (size_t)r->n_reserved - r->n_held : 0;
	size_t then = n > r->n_held ? (size_t)n - r->n_held : 0;

	if (n > RING_CHUNKS)
		return false;
	if (then > now && !pool_reserve(p, then - now))
		return false;
	if (then < now)
		pool_unreserve(p, now - then);
	r->n_reserved = (uint8_t)n;
	return true;
}

size_t ring_room(const struct ring *r, const struct pool *p, size_t at)
{
	size_t from = r->skip + at;
	size_t left = pool_n_free(p);
	size_t k;

	if (from >= RING_MAX)
		return 0;
	if (r->n_reserved > r->n_held)
		left += (size_t)r->n_reserved - r->n_held;
	for (k = from / POOL_CHUNK; k < RING_CHUNKS; k++)
		if (r->chunk[(r->first + k) % RING_CHUNKS] == POOL_NONE && left-- == 0)
			break;
	return k * POOL_CHUNK > from ? k * POOL_CHUNK - from : 0;
}

/* The piece of at most n bytes at offset `at` that lies in one chunk. */
static uint8_t *piece(const struct ring *r, const struct pool *p, size_t at, size_t n,
		      size_t *ret_len)
{
	size_t from = r->skip + at, in = from % POOL_CHUNK;

	*ret_len = n < POOL_CHUNK - in ? n : POOL_CHUNK - in;
	return pool_data(p, r->chunk[(r->first + from / POOL_CHUNK) % RING_CHUNKS]) + in;
}

/* Chunks under [at, at + n); how many bytes of it have one. */
static size_t back(struct ring *r, struct pool *p, size_t at, size_t n)
{
	size_t from = r->skip + at, to = from + n;

	if (to > RING_MAX)
		to = RING_MAX;
	for (size_t k = from / POOL_CHUNK; k * POOL_CHUNK < to; k++) {
		uint16_t *c = nth(r, k);

		if (*c != POOL_NONE || get_chunk(r, p, c))
			continue;
		to = k * POOL_CHUNK;
	}
	return to > from ? to - from : 0;
}

bool ring_put(struct ring *r, struct pool *p, size_t at, const struct iovec *iov, int n_iov,
	      size_t skip, size_t n)
{
	if (r->skip + at + n > RING_MAX || back(r, p, at, n) < n) {
		/* Beyond a hole too: what was got for nothing. */
		for (size_t k = (r->skip + r->end + POOL_CHUNK - 1) / POOL_CHUNK; k < RING_CHUNKS;
		     k++)
			put_chunk(r, p, nth(r, k));
		return false;
	}
	if (at + n > r->end)
		r->end = (uint32_t)(at + n);
	for (int i = 0; i < n_iov && n > 0; i++) {
		const uint8_t *src = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		if (skip >= left) {
			skip -= left;
			continue;
		}
		src += skip;
		left -= skip;
		skip = 0;
		while (left > 0 && n > 0) {
			size_t len;
			uint8_t *to = piece(r, p, at, n < left ? n : left, &len);

			memcpy(to, src, len);
			src += len;
			left -= len;
			at += len;
			n -= len;
		}
	}
	return true;
}

void ring_extend(struct ring *r, size_t n)
{
	r->len += (uint32_t)n;
	if (r->end < r->len)
		r->end = r->len;
}

int ring_space(struct ring *r, struct pool *p, size_t max, struct iovec *iov, int n_iov)
{
	size_t n = back(r, p, r->len, max);

	return ring_bytes(r, p, r->len, n, iov, n_iov);
}

void ring_tidy(struct ring *r, struct pool *p)
{
	size_t n_used = (r->skip + r->end + POOL_CHUNK - 1) / POOL_CHUNK;

	if (r->end == 0) {
		become_empty(r, p);
		return;
	}
	for (size_t k = n_used; r->n_held > 0 && k < RING_CHUNKS && *nth(r, k) != POOL_NONE; k++)
		put_chunk(r, p, nth(r, k));
}

int ring_bytes(const struct ring *r, const struct pool *p, size_t at, size_t n, struct iovec *iov,
	       int n_iov)
{
	int i;

	for (i = 0; i < n_iov && n > 0; i++) {
		iov[i].iov_base = piece(r, p, at, n, &iov[i].iov_len);
		at += iov[i].iov_len;
		n -= iov[i].iov_len;
	}
	return i;
}

void ring_consume(struct ring *r, struct pool *p, size_t n)
{
	r->skip += (uint32_t)n;
	r->len -= (uint32_t)n;
	r->end -= (uint32_t)n;
	while (r->skip >= POOL_CHUNK) {
		put_chunk(r, p, nth(r, 0));
		r->first = (uint8_t)((r->first + 1) % RING_CHUNKS);
		r->skip -= POOL_CHUNK;
	}
	if (r->end == 0)
		become_empty(r, p);
}
