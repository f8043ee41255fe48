/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of refused packets: each destination once a second, never more than there are
 * places. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/audit.h"

static struct {
	unsigned n;
	char last[AUDIT_STRLEN];
} heard;

static void say(void *arg, const char *line)
{
	assert_ptr_equal(arg, &heard);
	assert_true(strlen(line) < sizeof(heard.last));
	strcpy(heard.last, line);
	heard.n++;
}

static struct ip ip_of(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip, NULL), 0);
	return ip;
}

static int setup(void **state)
{
	memset(&heard, 0, sizeof(heard));
	return audit_new(say, &heard, (struct audit **)state, NULL);
}

static int teardown(void **state)
{
	audit_free(*state);
	return 0;
}

static void test_once(void **state)
{
	const struct ip from = ip_of("10.0.2.100"), to = ip_of("192.0.2.1");
	const struct ip from6 = ip_of("fd00::100"), to6 = ip_of("2001:db8::1");
	struct audit *a = *state;

	audit_refused(NULL, IPPROTO_TCP, &from, &to, 80, 0);
	audit_refused(a, IPPROTO_TCP, &from, &to, 80, 0);
	assert_string_equal(heard.last, "refused tcp 10.0.2.100 to 192.0.2.1:80");
	for (unsigned i = 0; i < 1000; i++)
		audit_refused(a, IPPROTO_TCP, &from, &to, 80, i);
	assert_int_equal(heard.n, 1);
	audit_refused(a, IPPROTO_TCP, &from, &to, 80, 1000);
	assert_int_equal(heard.n, 2);
	audit_refused(a, IPPROTO_UDP, &from6, &to6, 53, 5000);
	assert_string_equal(heard.last, "refused udp fd00::100 to [2001:db8::1]:53");
	audit_refused(a, IPPROTO_ICMPV6, &from6, &to6, 0, 10000);
	assert_string_equal(heard.last, "refused ping fd00::100 to 2001:db8::1");
}

/* Whatever the container asks for within a second. */
static void test_flood(void **state)
{
	const struct ip from = ip_of("10.0.2.100");
	struct ip to = ip_of("198.18.0.0");
	struct audit *a = *state;

	for (unsigned i = 0; i < 65536; i++) {
		to.b[2] = (uint8_t)(i >> 8);
		to.b[3] = (uint8_t)i;
		audit_refused(a, IPPROTO_TCP, &from, &to, (uint16_t)(i + 1), 999);
	}
	assert_true(heard.n > 1 && heard.n <= AUDIT_PLACES);
}

/* The longest texts fit. */
static void test_long(void **state)
{
	const struct ip from = ip_of("fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");

	audit_refused(*state, IPPROTO_TCP, &from, &from, 65535, 0);
	assert_string_equal(heard.last, "refused tcp fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe to "
					"[fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
