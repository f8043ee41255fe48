/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reass: both families, through the parsers, in virtual time. Every order of the pieces, copies,
 * overlaps of every kind, pieces that never come, the largest datagram, one that is larger, ten
 * thousand halves.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/reass.h"

#include "hex.h"

static struct reass *r;
static uint8_t pattern[65536];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
	return reass_new(&r, NULL);
}

static int teardown(void **state)
{
	(void)state;
	reass_free(r);
	return 0;
}

struct piece {
	uint32_t at, len;
	bool is_more;
};

static size_t build(uint8_t *b, int family, uint32_t id, const struct piece *p, const uint8_t *data)
{
	struct ip_build h = {.proto = IPPROTO_UDP, .ttl = 63, .tos = 4};
	size_t n;

	if (family == AF_INET) {
		h.src = hex_ip("10.0.2.100");
		h.dst = hex_ip("198.51.100.1");
		h.id = (uint16_t)id;
		h.is_more = p->is_more;
		h.frag_offset = (uint16_t)p->at;
		n = IP4_HDR_LEN;
		ip_build4(b, &h, p->len);
	} else {
		h.src = hex_ip("fd00::64");
		h.dst = hex_ip("2001:db8::1");
		h.proto = IPPROTO_FRAGMENT;
		n = IP6_HDR_LEN;
		ip_build6(b, &h, IP6_FRAG_LEN + p->len);
		ip_build6_frag(b + n, IPPROTO_UDP, p->at, p->is_more, id);
		n += IP6_FRAG_LEN;
	}
	memcpy(b + n, data + p->at, p->len);
	return n + p->len;
}

static enum ip_verdict parse(int family, const uint8_t *b, size_t n, struct ip_packet *ret)
{
	struct ip_problem problem;

	return family == AF_INET ? ip_parse4(b, n, ret) : ip_parse6(b, n, ret, &problem);
}

/* One piece of the pattern; a whole datagram comes back in *ret, checked to be an IP packet. */
static enum reass_verdict put(int family, uint32_t id, const struct piece *p, uint64_t now,
			      struct ip_packet *ret)
{
	static uint8_t b[66000];
	size_t n = build(b, family, id, p, pattern), len;
	uint8_t *copy = hex_exact(b, n);
	enum reass_verdict v;
	struct ip_packet k;
	const uint8_t *whole;

	assert_int_equal(parse(family, copy, n, &k), IP_OK);
	assert_true(k.is_fragment);
	v = reass_input(r, &k, now, &whole, &len);
	free(copy);
	if (v == REASS_WHOLE) {
		assert_int_equal(parse(family, whole, len, ret), IP_OK);
		assert_int_equal(ret->total, len);
		assert_false(ret->is_fragment);
		assert_int_equal(ret->proto, IPPROTO_UDP);
		assert_int_equal(ret->ttl, 63);
		assert_int_equal(ret->tos, 4);
		assert_memory_equal(ret->payload, pattern, ret->len);
	}
	return v;
}

static enum reass_verdict put1(int family, uint32_t id, uint32_t at, uint32_t len, bool is_more,
			       uint64_t now)
{
	struct piece p = {at, len, is_more};
	struct ip_packet k;

	return put(family, id, &p, now, &k);
}

static const int families[] = {AF_INET, AF_INET6};

/* Five pieces, 120 orders, once with each piece sent twice. */
static void test_orders(void **state)
{
	static const struct piece pieces[5] = {{0, 1480, true},
					       {1480, 8, true},
					       {1488, 2048, true},
					       {3536, 1232, true},
					       {4768, 777, false}};

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		for (unsigned order = 0; order < 3125; order++) {
			unsigned at[5], rest = order, seen = 0;
			struct ip_packet k = {0};

			for (size_t i = 0; i < 5; i++, rest /= 5) {
				at[i] = rest % 5;
				seen |= 1u << at[i];
			}
			if (seen != 31)
				continue;
			for (size_t i = 0; i < 5; i++) {
				enum reass_verdict want = i == 4 ? REASS_WHOLE : REASS_HELD;

				assert_int_equal(put(families[f], order, &pieces[at[i]], 0, &k),
						 want);
				if (i < 4) /* a copy is nothing */
					assert_int_equal(
						put(families[f], order, &pieces[at[i]], 0, &k),
						REASS_HELD);
			}
			assert_int_equal(k.len, 5545);
			assert_int_equal(reass_n_held(r), 0);
		}
	}
	assert_int_equal(reass_n_lost(r), 0);
}

static void test_overlaps(void **state)
{
	static const struct {
		const char *name;
		struct piece first[3], then;
	} table[] = {
		{"head", {{64, 64, true}}, {32, 40, true}},
		{"tail", {{64, 64, true}}, {120, 64, true}},
		{"inside", {{64, 64, true}}, {72, 8, true}},
		{"around", {{64, 64, true}}, {0, 256, true}},
		{"same begin, shorter", {{64, 64, true}}, {64, 56, true}},
		{"same begin, longer", {{64, 64, true}}, {64, 72, true}},
		{"same end", {{64, 64, true}}, {72, 56, true}},
		{"two as one", {{64, 64, true}, {128, 64, true}}, {64, 128, true}},
		{"tiny first over the second's ports",
		 {{0, 8, true}, {8, 64, true}},
		 {0, 16, true}},
		{"last one again, not last", {{64, 64, false}}, {64, 64, true}},
		{"last one longer", {{64, 60, false}}, {64, 61, false}},
		{"two ends", {{64, 64, false}}, {32, 16, false}},
		{"two ends, further", {{64, 64, false}}, {256, 64, false}},
		{"beyond the end", {{64, 64, false}}, {128, 64, true}},
		{"far beyond the end", {{64, 64, false}}, {4096, 64, true}},
		{"end before what came", {{256, 64, true}}, {64, 64, false}},
	};

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
			struct ip_packet k;

			for (size_t j = 0; j < 3 && table[i].first[j].len; j++)
				assert_int_equal(put(families[f], 9, &table[i].first[j], 0, &k),
						 REASS_HELD);
			if (put(families[f], 9, &table[i].then, 0, &k) != REASS_DROP)
				fail_msg("%s", table[i].name);
			assert_int_equal(reass_n_held(r), 0); /* all of it is gone */
		}
	}
}

/* The same place and length with other bytes is no copy. */
static void test_conflict(void **state)
{
	static uint8_t other[64], b[128];
	const struct piece p = {0, 64, true};
	struct ip_packet k;
	const uint8_t *whole;
	size_t len, n;

	(void)state;
	assert_int_equal(put(AF_INET, 1, &p, 0, &k), REASS_HELD);
	memcpy(other, pattern, sizeof(other));
	other[63] ^= 1;
	n = build(b, AF_INET, 1, &p, other);
	assert_int_equal(ip_parse4(b, n, &k), IP_OK);
	assert_int_equal(reass_input(r, &k, 0, &whole, &len), REASS_DROP);
	assert_int_equal(reass_n_held(r), 0);
}

/* Another id, source, destination, IPv4 protocol: another datagram. */
static void test_keys(void **state)
{
	static uint8_t b[128];
	struct ip_packet k;
	const uint8_t *whole;
	size_t len;

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		size_t n = build(b, families[f], 77, &(struct piece){0, 32, true}, pattern);

		assert_int_equal(parse(families[f], b, n, &k), IP_OK);
		assert_int_equal(reass_input(r, &k, 0, &whole, &len), REASS_HELD);
		k.frag_offset = 32;
		k.is_more = false;
		k.frag_id++;
		assert_int_equal(reass_input(r, &k, 0, &whole, &len), REASS_HELD);
		k.frag_id--;
		k.src.b[3] ^= 1;
		assert_int_equal(reass_input(r, &k, 0, &whole, &len), REASS_HELD);
		k.src.b[3] ^= 1;
		k.dst.b[3] ^= 1;
		assert_int_equal(reass_input(r, &k, 0, &whole, &len), REASS_HELD);
		k.dst.b[3] ^= 1;
		k.proto = IPPROTO_TCP; /* RFC 8200 4.5: IPv6 takes the first one's word */
		assert_int_equal(reass_input(r, &k, 0, &whole, &len),
				 families[f] == AF_INET ? REASS_HELD : REASS_WHOLE);
		assert_int_equal(reass_n_held(r), f == 0 ? 5 : 5 + 3);
		if (f == 1) {
			assert_int_equal(parse(AF_INET6, whole, len, &k), IP_OK);
			assert_int_equal(k.proto, IPPROTO_UDP);
		}
	}
}

static void test_largest(void **state)
{
	(void)state;
	for (size_t f = 0; f < 2; f++) {
		const uint32_t most = families[f] == AF_INET ? 65515 : 65535;
		struct ip_packet k = {0};

		for (uint32_t at = 65528; at > 0; at -= 8) /* tiny pieces, the last first */
			if (at < most)
				assert_int_equal(put1(families[f], 3, at,
						      most - at < 8 ? most - at : 8, at + 8 < most,
						      0),
						 REASS_HELD);
		assert_int_equal(put(families[f], 3, &(struct piece){0, 8, true}, 0, &k),
				 REASS_WHOLE);
		assert_int_equal(k.len, most);
		assert_int_equal(put1(families[f], 4, 32768, most - 32768, false, 0), REASS_HELD);
		assert_int_equal(put(families[f], 4, &(struct piece){0, 32768, true}, 0, &k),
				 REASS_WHOLE);
		assert_int_equal(k.len, most);
	}
	assert_int_equal(reass_n_lost(r), 0);
}

/* What does not fit into 65,535 bytes does not even reach reassembly. */
static void test_too_large(void **state)
{
	static uint8_t b[66000];
	struct ip_packet k;
	size_t n = build(b, AF_INET, 1, &(struct piece){65512, 8, false}, pattern);

	(void)state;
	assert_int_equal(ip_parse4(b, n, &k), IP_BAD);
	n = build(b, AF_INET6, 1, &(struct piece){65528, 8, false}, pattern);
	assert_int_equal(parse(AF_INET6, b, n, &k), IP_BAD_HEADER);
}

static void test_timeout(void **state)
{
	struct ip_packet k;
	const uint8_t *cause;
	size_t len;

	(void)state;
	assert_int_equal(reass_deadline(r), UINT64_MAX);
	assert_false(reass_expire(r, 1u << 30, &cause, &len));
	for (size_t f = 0; f < 2; f++) {
		uint64_t t0 = UINT32_MAX - 5000; /* the clock is wider than 32 bits */

		assert_int_equal(put1(families[f], 1, 0, 1232, true, t0), REASS_HELD);
		assert_int_equal(put1(families[f], 2, 1232, 100, false, t0 + 10), REASS_HELD);
		assert_int_equal(put1(families[f], 1, 2464, 8, true, t0 + 59999), REASS_HELD);
		assert_int_equal(reass_deadline(r), t0 + REASS_TIMEOUT_MS);
		assert_false(reass_expire(r, t0 + 59999, &cause, &len));
		assert_true(reass_expire(r, t0 + 60000, &cause, &len));
		/* ICMP time exceeded is about the first fragment. */
		assert_non_null(cause);
		assert_int_equal(parse(families[f], cause, len, &k), IP_OK);
		assert_true(k.is_fragment && k.is_more && k.frag_offset == 0);
		assert_int_equal(k.frag_id, 1);
		assert_int_equal(k.len, 1232);
		assert_memory_equal(k.payload, pattern, 1232);
		assert_false(reass_expire(r, t0 + 60000, &cause, &len));
		assert_true(reass_expire(r, t0 + 60010, &cause, &len));
		assert_null(cause); /* the first one never came */
		assert_int_equal(reass_n_held(r), 0);
		/* Too late, though nobody called reass_expire: a new beginning. */
		assert_int_equal(put1(families[f], 5, 0, 8, true, t0), REASS_HELD);
		assert_int_equal(put1(families[f], 5, 8, 8, false, t0 + 60000), REASS_HELD);
		assert_int_equal(put1(families[f], 5, 0, 8, true, t0 + 60001), REASS_WHOLE);
	}
}

/* Ten thousand first halves: the slots hold, the oldest go, and what is whole afterwards works. */
static void test_flood(void **state)
{
	struct ip_packet k;

	(void)state;
	for (uint32_t id = 0; id < 10000; id++) {
		assert_int_equal(put1(families[id & 1], id, 0, 1232, true, id), REASS_HELD);
		assert_true(reass_n_held(r) <= REASS_DATAGRAMS);
	}
	assert_int_equal(reass_n_held(r), REASS_DATAGRAMS);
	assert_int_equal(reass_n_lost(r), 10000 - REASS_DATAGRAMS);
	assert_int_equal(put1(AF_INET, 9998, 1232, 1, false, 10000), REASS_WHOLE);
	assert_int_equal(put1(AF_INET6, 9999, 1232, 1, false, 10000), REASS_WHOLE);
	/* Large ones: memory ends before the slots do. */
	for (uint32_t id = 20000; id < 30000; id++) {
		assert_int_equal(put1(AF_INET6, id, 0, 32768, true, id), REASS_HELD);
		assert_int_equal(put1(AF_INET6, id, 32768, 32760, true, id), REASS_HELD);
	}
	assert_true(reass_n_held(r) >= 10 && reass_n_held(r) < 16);
	assert_int_equal(put(AF_INET6, 29999, &(struct piece){65528, 7, false}, 30000, &k),
			 REASS_WHOLE);
	assert_int_equal(k.len, 65535);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_orders),  CASE(test_overlaps),  CASE(test_conflict), CASE(test_keys),
		CASE(test_largest), CASE(test_too_large), CASE(test_timeout),  CASE(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
