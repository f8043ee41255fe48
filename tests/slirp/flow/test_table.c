/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flow table against an array of the keys that are in it; SipHash against its published
 * vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/siphash.h"
#include "flow/table.h"

#define MAX 100
#define KEYS 300

struct slot {
	struct table_node node;
	uint32_t number;
	uint8_t rest[50];
};

static struct flow_key key_of(uint32_t i)
{
	struct flow_key k = {.guest = {.family = AF_INET, .b = {10, 0, 2, 100}},
			     .peer = {.family = AF_INET, .b = {198, 51, 100, (uint8_t)(i % 7)}},
			     .guest_port = (uint16_t)(i / 7),
			     .peer_port = 80};

	return k;
}

static void random_walk(void **state)
{
	struct slot *in[KEYS] = {0}, *s;
	struct table *t;
	uint32_t n = 0, n_full = 0, seen;

	(void)state;
	srand(11);
	assert_int_equal(table_new(MAX, sizeof(struct slot), &t, NULL), 0);
	for (int round = 0; round < 100000; round++) {
		uint32_t i = (uint32_t)rand() % KEYS;
		struct flow_key k = key_of(i);

		s = table_find(t, &k);
		assert_ptr_equal(s, in[i]);
		if (s && rand() % 3) {
			assert_int_equal(s->number, i);
			table_remove(t, s);
			in[i] = NULL;
			n--;
		} else if (!s) {
			s = table_add(t, &k);
			assert_true((s != NULL) == (n < MAX));
			if (!s) {
				n_full++;
				continue;
			}
			for (size_t b = 0; b < sizeof(s->rest); b++)
				assert_int_equal(s->rest[b], 0);
			memset(s->rest, 0xff, sizeof(s->rest));
			s->number = i;
			in[i] = s;
			n++;
		}
		assert_int_equal(table_count(t), n);
	}
	assert_true(n_full > 100);
	seen = 0;
	for (s = table_next(t, NULL); s; s = table_next(t, s)) {
		assert_ptr_equal(in[s->number], s);
		seen++;
	}
	assert_int_equal(seen, n);
	table_free(t);
}

/* Appendix A of the paper, and the first of the reference implementation's table. */
static void siphash_vectors(void **state)
{
	struct siphash_key k;
	uint8_t in[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		k.b[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	assert_true(siphash(&k, in, 15) == 0xa129ca6149be45e5);
	assert_true(siphash(&k, in, 0) == 0x726fdb47dd0e0e31);
	assert_true(siphash(&k, in, 8) == 0x93f5f5799a932462);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walk),
		cmocka_unit_test(siphash_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
