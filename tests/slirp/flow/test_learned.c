/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of names: how long each stays, bounds, a full table, and what the policy makes of it.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/policy.h"

static struct ip ip_of(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip, NULL), 0);
	return ip;
}

static void test_times(void **state)
{
	const struct ip a = ip_of("192.0.2.1"), b = ip_of("2001:db8::1");
	struct learned *l;

	(void)state;
	assert_int_equal(learned_new(&l, NULL), 0);
	assert_int_equal(learned_names(l, &a), 0);
	assert_false(learned_expire(l, 0));
	assert_true(learned_add(l, &a, 1, 300, 1000));
	assert_true(learned_add(l, &a, 1u << 15, 0, 1000)); /* the floor */
	assert_true(learned_add(l, &b, 2, UINT32_MAX, 1000));
	assert_int_equal(learned_names(l, &a), 1 | 1u << 15);
	assert_int_equal(learned_names(l, &b), 2);
	assert_true(learned_expire(l, 1000 + LEARNED_TTL_MIN_S * 1000 - 1));
	assert_int_equal(learned_names(l, &a), 1 | 1u << 15);
	assert_true(learned_expire(l, 1000 + LEARNED_TTL_MIN_S * 1000));
	assert_int_equal(learned_names(l, &a), 1);
	assert_true(learned_add(l, &a, 1, 1, 200000)); /* no longer than it is */
	assert_true(learned_expire(l, 300999));
	assert_int_equal(learned_names(l, &a), 1);
	assert_true(learned_expire(l, 301000));
	assert_int_equal(learned_names(l, &a), 0);
	assert_true(learned_expire(l, 1000 + LEARNED_TTL_MAX_S * 1000ull - 1));
	assert_false(learned_expire(l, 1000 + LEARNED_TTL_MAX_S * 1000ull)); /* the ceiling */
	assert_int_equal(learned_names(l, &b), 0);
	learned_free(l);
	learned_free(NULL);
}

static void test_full(void **state)
{
	struct learned *l;
	struct ip ip = ip_of("198.18.0.0");

	(void)state;
	assert_int_equal(learned_new(&l, NULL), 0);
	for (unsigned i = 0; i < LEARNED_MAX; i++) {
		ip.b[2] = (uint8_t)(i >> 8);
		ip.b[3] = (uint8_t)i;
		assert_true(learned_add(l, &ip, 1, 100, 0));
	}
	assert_true(learned_add(l, &ip, 2, 100, 0)); /* one that is there */
	ip.b[1]++;
	assert_false(learned_add(l, &ip, 1, 100, 0));
	assert_int_equal(learned_names(l, &ip), 0);
	assert_false(learned_expire(l, 100000));
	assert_true(learned_add(l, &ip, 1, 100, 100000));
	learned_free(l);
}

static enum policy_verdict ask(const struct policy *p, const struct ip *ip, uint16_t port)
{
	struct ip to;

	return policy_check(p, port ? IPPROTO_TCP : IPPROTO_ICMP, ip, port, &to);
}

/* Only the rule that names it, and only what that allows. */
static void test_policy(void **state)
{
	const struct ip a = ip_of("192.0.2.1"), b = ip_of("192.0.2.2");
	struct policy p = {
		.plan = {.net[FAM4] = {ip_of("10.0.2.0"), 24}, .gateway[FAM4] = ip_of("10.0.2.2")}};

	(void)state;
	assert_int_equal(attach_egress_parse_list("one.example:80,*.two.example,192.0.2.9", false,
						  &p.egress, &p.names, NULL),
			 0);
	assert_int_equal(attach_egress_parse_list("192.0.2.2:25", true, &p.egress, &p.names, NULL),
			 0);
	assert_int_equal(ask(&p, &a, 80), POLICY_FORBID);
	assert_int_equal(learned_new(&p.learned, NULL), 0);
	assert_int_equal(ask(&p, &a, 80), POLICY_FORBID);
	assert_true(learned_add(p.learned, &a, 1, 60, 0));
	assert_true(learned_add(p.learned, &b, 2, 60, 0));
	assert_int_equal(ask(&p, &a, 80), POLICY_ALLOW);
	assert_int_equal(ask(&p, &a, 81), POLICY_FORBID);
	assert_int_equal(ask(&p, &a, 0), POLICY_FORBID);
	assert_int_equal(ask(&p, &b, 80), POLICY_ALLOW);
	assert_int_equal(ask(&p, &b, 0), POLICY_ALLOW);
	assert_int_equal(ask(&p, &b, 25), POLICY_FORBID); /* denied, whatever its name */
	(void)learned_expire(p.learned, 60000);
	assert_int_equal(ask(&p, &b, 80), POLICY_FORBID);
	learned_free(p.learned);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
