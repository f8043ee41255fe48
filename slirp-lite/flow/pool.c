/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool: free chunks are a stack, so what is warm in the cache is used first and idle ones sink. */
#include "flow/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/pages.h"

#define STOCK 16u /* idle chunks that keep their memory: 256 KiB */

struct pool {
	uint8_t *arena;
	size_t n, n_free; /* n_free: on the stack, the reserved ones too */
	size_t n_reserved;
	size_t n_clean; /* at the bottom of the stack: chunks without memory behind them */
	size_t n_low;   /* the lowest n_free since the last trim */
	uint16_t *stack;
};

int pool_new(size_t cap, struct pool **ret, struct err *e)
{
	struct pool *p;
	size_t n = cap / POOL_CHUNK;

	if (n > POOL_NONE)
		n = POOL_NONE;
	if (n == 0)
		return err_invalid(e, ERR_USAGE, "%zu bytes of memory are less than one chunk",
				   cap);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, ERR_INTERNAL, ENOMEM, "buffers");
	p->n = p->n_free = p->n_low = p->n_clean = n;
	p->stack = calloc(n, sizeof(*p->stack));
	p->arena = pages_map(n * POOL_CHUNK);
	if (!p->stack || !p->arena) {
		pool_free(p);
		return err_set(e, ERR_INTERNAL, ENOMEM, "%zu bytes of buffers", cap);
	}
	for (size_t i = 0; i < n; i++)
		p->stack[i] = (uint16_t)(n - 1 - i);
	*ret = p;
	return 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pages_unmap(p->arena, p->n * POOL_CHUNK);
	free(p->stack);
	free(p);
}

static uint16_t pop(struct pool *p)
{
	uint16_t chunk = p->stack[--p->n_free];

	if (p->n_free < p->n_low)
		p->n_low = p->n_free;
	if (p->n_free < p->n_clean)
		p->n_clean = p->n_free;
	return chunk;
}

uint16_t pool_get(struct pool *p)
{
	return p->n_free > p->n_reserved ? pop(p) : POOL_NONE;
}

void pool_put(struct pool *p, uint16_t chunk)
{
	p->stack[p->n_free++] = chunk;
}

uint8_t *pool_data(const struct pool *p, uint16_t chunk)
{
	return p->arena + (size_t)chunk * POOL_CHUNK;
}

size_t pool_n_chunks(const struct pool *p)
{
	return p->n;
}

size_t pool_n_held(const struct pool *p)
{
	return p->n - p->n_free;
}

size_t pool_n_free(const struct pool *p)
{
	return p->n_free - p->n_reserved;
}

bool pool_reserve(struct pool *p, size_t n)
{
	if (pool_n_free(p) < n)
		return false;
	p->n_reserved += n;
	return true;
}

void pool_unreserve(struct pool *p, size_t n)
{
	p->n_reserved -= n;
}

uint16_t pool_get_reserved(struct pool *p)
{
	p->n_reserved--;
	return pop(p);
}

void pool_put_reserved(struct pool *p, uint16_t chunk)
{
	p->n_reserved++;
	pool_put(p, chunk);
}

bool pool_trim(struct pool *p)
{
	/* The lowest n_low of the stack have lain still; the n_clean lowest of them have no memory.
	 */
	size_t keep = p->n_free - p->n_low >= STOCK ? 0 : STOCK - (p->n_free - p->n_low);
	size_t end = p->n_low > keep ? p->n_low - keep : 0;

	for (size_t i = p->n_clean; i < end; i++)
		madvise(pool_data(p, p->stack[i]), POOL_CHUNK, MADV_DONTNEED);
	if (end > p->n_clean)
		p->n_clean = end;
	p->n_low = p->n_free;
	return p->n_free > p->n_clean + STOCK;
}
