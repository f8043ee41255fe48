/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of published ports and what is taken out of them. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/publish_list.h"

static void add(struct publish_list *l, const char *spec)
{
	struct publish p;

	assert_int_equal(publish_parse(spec, &p, NULL), 0);
	assert_int_equal(publish_list_add(l, &p, NULL), 0);
}

static void check(const struct publish_list *l, const char *all)
{
	char text[512] = "", one[PUBLISH_STRLEN];

	for (size_t i = 0; i < l->n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, publish_str(&l->p[i], one));
	}
	assert_string_equal(text, all);
}

static void test_except(void **state)
{
	CLEAN_PUBLISH_LIST struct publish_list l = {0};

	(void)state;
	add(&l, "8000-8009:100-109");
	add(&l, "8000-8001/udp");
	add(&l, "0:80");
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 8003, 8004, NULL), 0);
	check(&l, "8000-8002:100-102/tcp 8005-8009:105-109/tcp 8000-8001:8000-8001/udp 0:80/tcp");
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 1, 8000, NULL), 0);
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 8009, 65535, NULL), 0);
	check(&l, "8001-8002:101-102/tcp 8005-8008:105-108/tcp 8000-8001:8000-8001/udp 0:80/tcp");
	assert_int_equal(publish_list_except(&l, IPPROTO_UDP, 1, 65535, NULL), 0);
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 8004, 8004, NULL), 0);
	check(&l, "8001-8002:101-102/tcp 8005-8008:105-108/tcp 0:80/tcp");
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 1, 65535, NULL), 0);
	check(&l, "0:80/tcp");
}

static void test_limits(void **state)
{
	CLEAN_PUBLISH_LIST struct publish_list l = {0};
	struct publish p;
	struct err e = ERR_INIT;

	(void)state;
	add(&l, "1-65535");
	check(&l, "1-65535:1-65535/tcp");
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 65535, 65535, NULL), 0);
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 1, 1, NULL), 0);
	check(&l, "2-65534:2-65534/tcp");
	assert_int_equal(publish_parse("80", &p, NULL), 0);
	while (l.n < PUBLISH_MAX)
		assert_int_equal(publish_list_add(&l, &p, NULL), 0);
	assert_int_equal(publish_list_add(&l, &p, &e), -E2BIG);
	assert_int_equal(e.kind, ERR_QUOTA);
	/* One more would be needed: nothing changes. */
	assert_int_equal(publish_list_except(&l, IPPROTO_TCP, 100, 100, &e), -E2BIG);
	assert_int_equal(l.n, PUBLISH_MAX);
	assert_int_equal(l.p[0].count, 65533);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_except),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
