/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of the relay engine as text: of which packets they speak. That the kernel takes them,
 * and what they do, is shown in namespaces (ns-slirp-relay). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proc/transparent.h"

static int count(const char *text, const char *word)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
		n++;
	return n;
}

static void test_rules(void **state)
{
	struct plan plan = {.our_mac = {{0x02, 0, 0, 0, 0, 1}}};
	const uint16_t both[N_FAM] = {4001, 4002}, one[N_FAM] = {4001, 0};
	CLEAN_BUF struct buf two = BUF_INIT, four = BUF_INIT;

	(void)state;
	transparent_rules("tap7", &plan, both, &two);
	assert_int_equal(count(two.p, "iifname \"tap7\" ether saddr 0a:00:00:00:00:01"), 2);
	assert_int_equal(count(two.p, "tproxy ip to 127.0.0.1:4001"), 1);
	assert_int_equal(count(two.p, "tproxy ip6 to [::1]:4002"), 1);
	/* One look for the socket of a packet, but of a handshake. */
	assert_int_equal(count(two.p, "socket "), 2);
	assert_int_equal(count(two.p, "socket mark vmap { 0x736c0002 : goto away, "
				      "0x736c0003 : goto towards }\n"
				      "socket transparent 1 goto away\n"),
			 1);
	assert_int_equal(count(two.p, "chain away {\nnotrack meta mark set 0x736c0001 accept"), 1);
	/* Clients of published ports are tracked, and their answers come here. */
	assert_int_equal(count(two.p, "chain towards {\nmeta mark set 0x736c0001 accept"), 1);
	assert_int_equal(count(two.p, "meta mark 0x736c0003 ct mark set meta mark accept"), 1);
	assert_int_equal(count(two.p, "ct direction reply ct mark 0x736c0003 meta mark set"), 1);
	/* What comes by the tap is answered there. */
	assert_int_equal(count(two.p, "iifname \"tap7\" ct state new ct mark set 0x736c0004"), 1);
	assert_int_equal(count(two.p, "ct mark 0x736c0004 ct direction reply meta mark set"), 1);
	assert_int_equal(count(two.p, "iifname \"tap7\" ct mark set 0x736c0004"), 1);
	assert_int_equal(count(two.p, "meta mark 0x736c0002 notrack"), 1);
	/* It can be loaded over one that is there. */
	assert_int_equal(count(two.p, "delete table inet slirp-lite"), 1);
	transparent_rules("tap7", &plan, one, &four);
	assert_int_equal(count(four.p, "tproxy"), 1);
}

/* With the tap engine: what comes by the tap is answered there, and nothing else is touched. */
static void test_back_rules(void **state)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	(void)state;
	transparent_back_rules("tap7", &b);
	assert_int_equal(count(b.p, "iifname \"tap7\" ct state new ct mark set 0x736c0004"), 1);
	assert_int_equal(count(b.p, "ct mark 0x736c0004 ct direction reply meta mark set"), 1);
	assert_int_equal(count(b.p, "mark"), 3);
	assert_int_equal(count(b.p, "notrack"), 0);
	assert_int_equal(count(b.p, "delete table inet slirp-lite"), 1);
}

/* The second address tells frames from ours, and is one of a single host's. */
static void test_mac(void **state)
{
	const struct plan plan = {.our_mac = {{0x7a, 0x6e, 1, 2, 3, 4}}};
	const struct mac m = plan_second_mac(&plan);

	(void)state;
	assert_int_not_equal(m.b[0], plan.our_mac.b[0]);
	assert_int_equal(m.b[0] & 3, 2);
	assert_memory_equal(m.b + 1, plan.our_mac.b + 1, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_back_rules),
		cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
