/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local, names of the egress policy: what resolvers answer for them is learned before the container
 * hears it, for as long as it is said; what is not asked for, not listed, or leads to the host, is
 * not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake.h"
#include "hex.h"

#define QUESTION(type) "07 6578616d706c65 03 636f6d 00 " type " 0001 " /* example.com */
#define FOUR "c00c 0001 0001 000000c8 0004 "
#define SIX "c00c 001c 0001 000000c8 0010 "

static int setup(void **state)
{
	const struct ip resolver = hex_ip("198.51.100.53");
	const uint32_t scope = 0;

	if (fake_setup(state) < 0)
		return -1;
	local_set_resolvers(fake.local, &resolver, &scope, 1);
	if (attach_egress_parse_list("192.0.2.0/24,example.com:443,*.com,example.org", false,
				     &fake.policy.egress, &fake.policy.names, NULL) < 0)
		return -1;
	return learned_new(&fake.policy.learned, NULL);
}

static int teardown(void **state)
{
	int r = fake_teardown(state);

	learned_free(fake.policy.learned);
	return r;
}

/* The query and its answer, through the forwarder. */
static void answer(const char *type, const char *records)
{
	char text[2048];
	uint8_t b[1024];
	const size_t i = fake.n_sockets;
	struct fake_socket *s;

	snprintf(text, sizeof(text),
		 "beef 0100 0001 0000 0000 0000 07 4578616d504c65 03 434f6d 00 %s 0001", type);
	fake_udp("10.0.2.100", 4000, "10.0.2.3", 53, b, hex_bytes(text, b, sizeof(b)));
	s = fake_socket_at(i);
	snprintf(text, sizeof(text), "8180 0001 %s", records);
	memcpy(b, s->sent, 2);
	fake_receive(s, b, 2 + hex_bytes(text, b + 2, sizeof(b) - 2));
	assert_non_null(fake_last()); /* it goes on to the container */
}

static uint32_t names_of(const char *ip)
{
	struct ip a = hex_ip(ip);

	return learned_names(fake.policy.learned, &a);
}

static void test_learned(void **state)
{
	(void)state;
	answer("0001", "0002 0000 0000" QUESTION("0001") FOUR "cb007101" FOUR "cb007102");
	assert_int_equal(names_of("203.0.113.1"), 1u << 1 | 1u << 2);
	assert_int_equal(names_of("203.0.113.2"), 1u << 1 | 1u << 2);
	assert_int_equal(names_of("203.0.113.3"), 0);
	answer("001c", "0001 0000 0000" QUESTION("001c") SIX "20010db8000000000000000000000001");
	assert_int_equal(names_of("2001:db8::1"), 1u << 1 | 1u << 2);
	fake_advance(199000);
	assert_int_equal(names_of("203.0.113.1"), 1u << 1 | 1u << 2);
	answer("0001", "0001 0000 0000" QUESTION("0001") FOUR "cb007101");
	fake_advance(3000);
	assert_int_equal(names_of("203.0.113.2"), 0);
	assert_int_equal(names_of("203.0.113.1"), 1u << 1 | 1u << 2);
	fake_advance(200000);
	assert_int_equal(names_of("203.0.113.1"), 0);
	assert_int_equal(fake.stats.n[STAT_DROP_NAME] + fake.stats.n[STAT_DROP_TABLE_FULL], 0);
}

static void test_not_for_names(void **state)
{
	static const char *const four[] = {"7f000001", "00000000", "e0000001",
					   "a9fea9fe", "0a000202", "0a000203",
					   "0a000264", "c6336407", "c6336408"};

	(void)state;
	fake.own = hex_ip("198.51.100.7");
	fake.policy.own[fake.policy.n_own++] = hex_ip("198.51.100.8");
	for (size_t i = 0; i < sizeof(four) / sizeof(four[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "0001 0000 0000" QUESTION("0001") FOUR "%s", four[i]);
		answer("0001", text);
		assert_int_equal(fake.stats.n[STAT_DROP_NAME], i + 1);
	}
	answer("001c", "0004 0000 0000" QUESTION("001c") SIX
	       "00000000000000000000000000000001" SIX "00000000000000000000ffff7f000001" SIX
	       "fe800000000000000000000000000001" SIX "fd000000000000000000000000000002");
	assert_int_equal(fake.stats.n[STAT_DROP_NAME], sizeof(four) / sizeof(four[0]) + 4);
	assert_int_equal(fake.n_open, 0);
	assert_false(learned_expire(fake.policy.learned, 0)); /* nothing is there */
}

/* No socket to look by: nothing is learned, and the answer goes on. */
static void test_no_socket(void **state)
{
	struct fake_socket *s;
	uint8_t b[512];

	(void)state;
	fake_udp("10.0.2.100", 4000, "10.0.2.3", 53, b,
		 hex_bytes("beef 0100 0001 0000 0000 0000" QUESTION("0001"), b, sizeof(b)));
	s = fake_socket_at(0);
	fake.socket_error = 24;
	memcpy(b, s->sent, 2);
	fake_receive(s, b,
		     2 + hex_bytes("8180 0001 0001 0000 0000" QUESTION("0001") FOUR "cb007101",
				   b + 2, sizeof(b) - 2));
	assert_non_null(fake_last());
	assert_int_equal(names_of("203.0.113.1"), 0);
}

static void test_not_listed(void **state)
{
	(void)state;
	memset(fake.policy.names.name[1], 0, ATTACH_NAME_STRLEN);
	memset(fake.policy.names.name[2], 0, ATTACH_NAME_STRLEN);
	answer("0001", "0001 0000 0000" QUESTION("0001") FOUR "cb007101");
	assert_int_equal(names_of("203.0.113.1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_learned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_for_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_listed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
