/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings against a plain array, several on one small pool: bytes, chunks given back, reservations
 * that hold whatever the others take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/ring.h"

#define N_RINGS 5
#define CHUNKS 40

static struct model {
	struct ring ring;
	uint8_t bytes[RING_MAX * 2];
} models[N_RINGS];

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

static void check(struct model *m, struct pool *p)
{
	struct iovec iov[RING_CHUNKS + 1];
	size_t at = m->ring.len ? (size_t)rand() % m->ring.len : 0, n = m->ring.len - at;
	int n_iov = ring_bytes(&m->ring, p, at, n, iov, RING_CHUNKS + 1);

	for (int i = 0; i < n_iov; i++) {
		assert_memory_equal(iov[i].iov_base, m->bytes + at, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	assert_int_equal(at, m->ring.len);
}

static void fill(struct model *m, struct pool *p, size_t max)
{
	struct iovec iov[8];
	int n_iov = ring_space(&m->ring, p, max, iov, 8);
	size_t got = 0, use;

	for (int i = 0; i < n_iov; i++)
		got += iov[i].iov_len;
	assert_true(got <= max);
	use = got ? (size_t)rand() % (got + 1) : 0;
	for (int i = 0; i < n_iov; i++)
		for (size_t k = 0; k < iov[i].iov_len && use > 0; k++, use--) {
			uint8_t b = byte_at((size_t)rand());

			((uint8_t *)iov[i].iov_base)[k] = b;
			m->bytes[m->ring.len] = b;
			ring_extend(&m->ring, 1);
		}
	ring_tidy(&m->ring, p);
}

static void put(struct model *m, struct pool *p, size_t n)
{
	uint8_t buf[50000];
	struct iovec iov[3] = {{buf, 100}, {buf + 100, 7}, {buf + 107, sizeof(buf) - 107}};
	size_t skip = (size_t)rand() % 150, room = ring_room(&m->ring, p, m->ring.len);
	bool ok;

	n %= sizeof(buf) - 200;
	for (size_t i = 0; i < n; i++)
		buf[skip + i] = byte_at((size_t)rand());
	ok = ring_put(&m->ring, p, m->ring.len, iov, 3, skip, n);
	assert_true(ok == (n <= room));
	if (!ok)
		return;
	memcpy(m->bytes + m->ring.len, buf + skip, n);
	ring_extend(&m->ring, n);
}

static void random_walk(void **state)
{
	struct pool *p;
	size_t held;

	(void)state;
	srand(3);
	assert_int_equal(pool_new(CHUNKS * POOL_CHUNK, &p, NULL), 0);
	for (int i = 0; i < N_RINGS; i++)
		ring_init(&models[i].ring);
	for (int round = 0; round < 30000; round++) {
		struct model *m = &models[rand() % N_RINGS];
		size_t n = (size_t)rand() % (rand() % 2 ? 100 : 70000);

		switch (rand() % 5) {
		case 0:
			fill(m, p, n);
			break;
		case 1:
			put(m, p, n);
			break;
		case 4:
			ring_reserve(&m->ring, p, (unsigned)rand() % (rand() % 5 ? 1 : 12));
			break;
		default:
			n = m->ring.len < n ? m->ring.len : n;
			memmove(m->bytes, m->bytes + n, m->ring.len - n);
			ring_consume(&m->ring, p, n);
			assert_true(m->ring.len > 0 || m->ring.n_held == 0);
		}
		if (round % 16 == 0)
			check(m, p);
		if (round % 1000 == 0)
			pool_trim(p);
		if (rand() % 500 == 0) {
			ring_reset(&m->ring, p);
			assert_int_equal(m->ring.n_held + m->ring.n_reserved, 0);
		}
		held = 0;
		for (int i = 0; i < N_RINGS; i++)
			held += models[i].ring.n_held;
		assert_int_equal(held, pool_n_held(p));
		assert_true(pool_n_free(p) <= CHUNKS - held);
	}
	for (int i = 0; i < N_RINGS; i++)
		ring_reset(&models[i].ring, p);
	assert_int_equal(pool_n_free(p), CHUNKS);
	pool_free(p);
}

/* What one ring was promised is there when others have taken all that was to be had. */
static void reserved(void **state)
{
	static uint8_t byte[1];
	struct iovec iov = {byte, 1}, space[64];
	struct ring a, b;
	struct pool *p;

	(void)state;
	assert_int_equal(pool_new(8 * POOL_CHUNK, &p, NULL), 0);
	ring_init(&a);
	ring_init(&b);
	assert_true(ring_reserve(&a, p, 3));
	assert_false(ring_reserve(&b, p, 6));
	assert_int_equal(ring_space(&b, p, RING_MAX, space, 64), 5);
	ring_extend(&b, 5 * POOL_CHUNK);
	assert_int_equal(ring_room(&b, p, b.len), 0);
	assert_false(ring_put(&b, p, b.len, &iov, 1, 0, 1));
	assert_int_equal(ring_room(&a, p, 0), 3 * POOL_CHUNK);
	assert_true(ring_put(&a, p, 2 * POOL_CHUNK, &iov, 1, 0, 1)); /* out of order */
	assert_true(ring_put(&a, p, POOL_CHUNK, &iov, 1, 0, 1));
	assert_true(ring_put(&a, p, 0, &iov, 1, 0, 1));
	assert_int_equal(a.len, 0);
	assert_int_equal(a.n_held, 3);
	assert_false(ring_put(&a, p, 3 * POOL_CHUNK, &iov, 1, 0, 1));
	ring_extend(&a, 2 * POOL_CHUNK + 1);
	ring_consume(&a, p, 2 * POOL_CHUNK + 1);
	assert_int_equal(a.n_held, 0);
	assert_int_equal(pool_n_free(p), 0);
	ring_reset(&a, p);
	assert_int_equal(pool_n_free(p), 3);
	ring_reset(&b, p);
	assert_int_equal(pool_n_free(p), 8);
	pool_free(p);
}

/* Idle memory goes back: what was written is gone, what is in use stays. */
static void trim(void **state)
{
	enum { N = 64 };
	uint16_t c[N];
	struct pool *p;

	(void)state;
	assert_int_equal(pool_new(N * POOL_CHUNK, &p, NULL), 0);
	for (int i = 0; i < N; i++) {
		c[i] = pool_get(p);
		memset(pool_data(p, c[i]), 0x5a, POOL_CHUNK);
	}
	assert_int_equal(pool_get(p), POOL_NONE);
	for (int i = 1; i < N; i++)
		pool_put(p, c[i]);
	assert_true(pool_trim(p)); /* all of them were in use since the last one */
	assert_false(pool_trim(p));
	int n_kept = 0;
	for (int i = 1; i < N; i++)
		n_kept += *pool_data(p, c[i]) == 0x5a;
	assert_true(n_kept <= 16);
	assert_int_equal(*pool_data(p, c[0]), 0x5a);
	pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walk),
		cmocka_unit_test(reserved),
		cmocka_unit_test(trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
