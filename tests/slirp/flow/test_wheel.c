/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timer wheel against a plain list: what fires, when, in spite of timers that set and clear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow/wheel.h"

#define N 200

static struct wheel *wheel;
static struct item {
	struct timer t;
	bool want; /* set, and not fired yet */
	unsigned n_fired;
} items[N];
static uint64_t last_run;

static void on_fire(struct timer *t, uint64_t now)
{
	struct item *i = (struct item *)(void *)t;

	assert_false(timer_is_set(t));
	assert_true(i->want);
	assert_true(t->due <= now);
	i->want = false;
	i->n_fired++;
	/* Some set themselves, or stop or set another. */
	if (i->n_fired % 3 == 0) {
		struct item *o = &items[(i - items + 7) % N];

		timer_clear(wheel, &o->t);
		o->want = false;
	}
	if (i->n_fired % 4 == 0) {
		i->want = true;
		timer_set(wheel, t, now + (uint64_t)(rand() % 5000));
	}
}

static uint64_t earliest(void)
{
	uint64_t min = UINT64_MAX;

	for (int i = 0; i < N; i++)
		if (items[i].want && items[i].t.due < min)
			min = items[i].t.due;
	return min;
}

static void random_walk(void **state)
{
	static const uint64_t spans[] = {1,    10,   63,     64,         65,
					 1000, 4096, 300000, 1ull << 33, 1ull << 50};
	uint64_t now = UINT32_MAX - 5000ull; /* passes 2^32 */

	(void)state;
	srand(7);
	assert_int_equal(wheel_new(now, &wheel, NULL), 0);
	for (int i = 0; i < N; i++)
		items[i].t.fn = on_fire;
	assert_true(wheel_next(wheel) == UINT64_MAX);
	for (int round = 0; round < 20000; round++) {
		struct item *i = &items[rand() % N];

		if (rand() % 4 == 0) {
			timer_clear(wheel, &i->t);
			i->want = false;
		} else {
			uint64_t span = spans[(size_t)rand() % (sizeof(spans) / sizeof(*spans))];

			timer_set(wheel, &i->t, now + (uint64_t)rand() % span);
			i->want = true;
		}
		assert_true(timer_is_set(&i->t) == i->want);
		assert_true(wheel_next(wheel) <= earliest());
		if (rand() % 8 == 0) {
			now += (uint64_t)(rand() % 3 ? rand() % 100 : rand() % 100000);
			wheel_run(wheel, now);
			last_run = now;
			for (int k = 0; k < N; k++)
				assert_true(!items[k].want || items[k].t.due >= now);
		}
	}
	/* To the end: nothing is forgotten. */
	for (int n = 0; earliest() != UINT64_MAX; n++) {
		assert_true(n < 100000);
		assert_true(wheel_next(wheel) <= earliest());
		if (wheel_next(wheel) > now)
			now = wheel_next(wheel);
		wheel_run(wheel, now);
	}
	assert_true(wheel_next(wheel) == UINT64_MAX);
	wheel_free(wheel);
}

static unsigned n_spins;

static void on_spin(struct timer *t, uint64_t now)
{
	n_spins++;
	timer_set(wheel, t, now);
}

/* A timer that sets itself for now ends no run in a circle. */
static void no_spin(void **state)
{
	struct timer t = {.fn = on_spin};

	(void)state;
	assert_int_equal(wheel_new(5, &wheel, NULL), 0);
	timer_set(wheel, &t, 3);
	assert_true(wheel_next(wheel) <= 5);
	wheel_run(wheel, 5);
	wheel_run(wheel, 6);
	wheel_run(wheel, 600);
	assert_in_range(n_spins, 3, 6);
	timer_clear(wheel, &t);
	timer_clear(wheel, &t);
	assert_true(wheel_next(wheel) == UINT64_MAX);
	wheel_free(wheel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walk),
		cmocka_unit_test(no_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
