/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests as clients write them, and calls as the front passes them on: what each of the two looks
 * lets through, that all else is refused, that texts of errors say nothing of their cause; and the
 * buckets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/bucket.h"
#include "broker/request.h"

static int parse(const char *text, struct call *ret)
{
	return request_parse(text, strlen(text), ret, NULL);
}

#define FULL                                                                                       \
	"{\"netd\":1,\"verb\":\"attach\",\"id\":\"web\",\"ifname\":\"net0\","                      \
	"\"network\":\"front\",\"ip\":\"192.0.2.7\",\"ip6\":\"2001:db8::7\","                      \
	"\"mac\":\"02:00:00:00:00:07\",\"mtu\":1400,\"rateIn\":20000000,\"alias\":[\"www\",\"db."  \
	"prod\"],"                                                                                 \
	"\"publish\":[\"8080:80\",\"[::1]:53:53/"                                                  \
	"udp\"]}"

static void test_good(void **state)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	const char *alias[CALL_ALIAS_MAX];
	struct call c, again;

	(void)state;
	assert_int_equal(parse(FULL, &c), 0);
	assert_int_equal(c.verb, CALL_ATTACH);
	assert_string_equal(c.id, "web");
	assert_string_equal(c.network, "front");
	assert_int_equal(c.n_publish, 2);
	assert_int_equal(c.publish[0].host_port, 8080);
	assert_int_equal(c.mtu, 1400);
	assert_int_equal(c.rate_set, 1u << CALL_RATE_IN);
	assert_int_equal(c.rate[CALL_RATE_IN], 20000000);
	assert_int_equal(call_aliases(&c, alias), 2);
	assert_string_equal(alias[0], "www");
	assert_string_equal(alias[1], "db.prod");
	assert_int_equal(request_print(&c, &out, NULL), 0);
	assert_int_equal(request_parse(out.p, out.len, &again, NULL), 0);
	assert_memory_equal(&c, &again, sizeof(c));

	assert_int_equal(parse("{\"netd\":1,\"verb\":\"attach\",\"id\":\"web\"}", &c), 0);
	assert_string_equal(c.ifname, "eth0");
	assert_string_equal(c.network, "default");
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"status\"}", &c), 0);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"list\"}", &c), 0);
	assert_int_equal(c.is_paged, 0);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"list\",\"after\":\"\"}", &c), 0);
	assert_int_equal(c.is_paged, 1);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"list\",\"after\":\"a@eth0\"}", &c), 0);
	assert_string_equal(c.after, "a@eth0");
	out.len = 0;
	assert_int_equal(request_print(&c, &out, NULL), 0);
	assert_int_equal(request_parse(out.p, out.len, &again, NULL), 0);
	assert_memory_equal(&c, &again, sizeof(c));
	assert_int_equal(c.is_counted, 0);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"list\",\"flows\":false}", &c), 0);
	assert_int_equal(c.is_counted, 0);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"list\",\"after\":\"\",\"flows\":true}", &c),
			 0);
	assert_int_equal(c.is_counted, 1);
	out.len = 0;
	assert_int_equal(request_print(&c, &out, NULL), 0);
	assert_int_equal(request_parse(out.p, out.len, &again, NULL), 0);
	assert_memory_equal(&c, &again, sizeof(c));
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"detach\",\"id\":\"a\"}", &c), 0);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"limit\",\"id\":\"a\",\"rateOut\":0}", &c),
			 0);
	assert_int_equal(c.rate_set, 1u << CALL_RATE_OUT);
	assert_int_equal(
		parse("{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\",\"publish\":[\"80\"]}", &c),
		0);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"1",
		"{}",
		"{\"netd\":1}",
		"{\"netd\":2,\"verb\":\"status\"}",
		"{\"netd\":\"1\",\"verb\":\"status\"}",
		"{\"netd\":1,\"verb\":\"fly\"}",
		"{\"netd\":1,\"verb\":\"\"}",
		"{\"netd\":1,\"verb\":\"status\"} x",
		"{\"netd\":1,\"netd\":1,\"verb\":\"status\"}",
		"{\"netd\":1,\"verb\":\"status\",\"id\":\"web\"}",
		"{\"netd\":1,\"verb\":\"status\",\"more\":1}",
		"{\"netd\":1,\"verb\":\"list\",\"id\":\"a\"}",
		"{\"netd\":1,\"verb\":\"list\",\"after\":1}",
		"{\"netd\":1,\"verb\":\"list\",\"after\":\"a\"}",
		"{\"netd\":1,\"verb\":\"list\",\"after\":\"@eth0\"}",
		"{\"netd\":1,\"verb\":\"list\",\"after\":\"../a@eth0\"}",
		"{\"netd\":1,\"verb\":\"status\",\"after\":\"\"}",
		"{\"netd\":1,\"verb\":\"list\",\"flows\":1}",
		"{\"netd\":1,\"verb\":\"list\",\"flows\":\"true\"}",
		"{\"netd\":1,\"verb\":\"status\",\"flows\":true}",
		"{\"netd\":1,\"verb\":\"detach\"}",
		"{\"netd\":1,\"verb\":\"detach\",\"id\":\"a\",\"ip\":\"192.0.2.1\"}",
		"{\"netd\":1,\"verb\":\"detach\",\"id\":\"a\",\"publish\":[]}",
		"{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\"}",
		"{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\",\"publish\":[]}",
		"{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\",\"publish\":[80]}",
		"{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\",\"publish\":[\"80\",\"80\"]}",
		"{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\",\"publish\":[\"224.0.0.1:80:80\"]}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\\u0000b\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":7}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"alias\":\"b\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"alias\":[1]}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"alias\":[\"\"]}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"alias\":[\"b c\"]}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"alias\":[\"b\\u0000c\"]}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"alias\":[\"a\",\"a\",\"a\",\"a\","
		"\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]}",
		"{\"netd\":1,\"verb\":\"detach\",\"id\":\"a\",\"alias\":[\"b\"]}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"ifname\":\"lo\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"ifname\":\"eth%d\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"ifname\":\"sixteen-letters1\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"network\":\"../default\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"ip\":\"2001:db8::1\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"ip6\":\"::ffff:192.0.2.1\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"mac\":\"01:00:00:00:00:00\"}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"mtu\":67}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"mtu\":65536}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"mtu\":-1}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"rateIn\":0}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"rateOut\":7999}",
		"{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\",\"rateOut\":\"20mbit\"}",
		"{\"netd\":1,\"verb\":\"limit\",\"id\":\"a\"}",
		"{\"netd\":1,\"verb\":\"limit\",\"id\":\"a\",\"rateIn\":-1}",
		"{\"netd\":1,\"verb\":\"limit\",\"id\":\"a\",\"rateIn\":9223372036854775808}",
		"{\"netd\":1,\"verb\":\"limit\",\"id\":\"a\",\"rateIn\":8000,\"mtu\":1400}",
		"{\"netd\":1,\"verb\":\"detach\",\"id\":\"a\",\"rateIn\":8000}",
	};
	struct call c = {.verb = 99};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &c) >= 0)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(c.verb, 99);
}

/* Each byte value in a name: what is no name's goes no further. */
static void test_names(void **state)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "_.-";
	static const char *const key[] = {"id", "ifname", "network"};

	(void)state;
	for (size_t k = 0; k < 3; k++)
		for (int b = 1; b < 256; b++) {
			char text[128];
			struct call c;
			int r;

			snprintf(text, sizeof(text),
				 "{\"netd\":1,\"verb\":\"attach\",%s\"%s\":\"a%cb\"}",
				 k ? "\"id\":\"a\"," : "", key[k], b);
			r = parse(text, &c);
			if ((r == 0) != (strchr(plain, b) != NULL))
				fail_msg("%s: byte %d", key[k], b);
		}
}

static void test_second_look(void **state)
{
	struct call good, c;

	(void)state;
	assert_int_equal(parse(FULL, &good), 0);
	assert_int_equal(call_check(&good, sizeof(good), 1, NULL), 0);
	assert_true(call_check(&good, sizeof(good), 0, NULL) < 0);
	assert_true(call_check(&good, sizeof(good), 2, NULL) < 0);
	assert_true(call_check(&good, sizeof(good) - 1, 1, NULL) < 0);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		memcpy(&c, &good, sizeof(c));                                                      \
		change;                                                                            \
		if (call_check(&c, sizeof(c), 1, NULL) >= 0)                                       \
			fail_msg("taken: %s", #change);                                            \
	} while (0)
	REFUSED(c.magic = 0);
	REFUSED(c.verb = 0);
	REFUSED(c.verb = N_CALL_VERBS);
	REFUSED(c.verb = CALL_QUIT);
	REFUSED(c.verb = UINT32_MAX);
	REFUSED(c.verb = CALL_DETACH);
	REFUSED(memset(c.id, 'a', sizeof(c.id)));
	REFUSED(c.id[10] = 'x'); /* behind the end */
	REFUSED(c.id[0] = '/');
	REFUSED(c.id[0] = 0);
	REFUSED(memset(c.ifname, 'a', sizeof(c.ifname)));
	REFUSED(memset(c.network, 'a', sizeof(c.network)));
	REFUSED(c.network[0] = '.');
	REFUSED(c.ip[FAM4].family = AF_INET6);
	REFUSED(c.ip[FAM4].b[4] = 1);
	REFUSED(c.ip[FAM6].family = 0);
	REFUSED(c.mac.b[0] = 1);
	REFUSED(c.mtu = 67);
	REFUSED(c.mtu = 65536);
	REFUSED(c.rate_set = 0);
	REFUSED(c.rate_set = 4);
	REFUSED(c.rate_set = UINT32_MAX);
	REFUSED(c.rate_set |= 1u << CALL_RATE_OUT); /* of 0 */
	REFUSED(c.rate[CALL_RATE_IN] = 0);
	REFUSED(c.rate[CALL_RATE_IN] = 7999);
	REFUSED(c.rate[CALL_RATE_IN] = UINT64_MAX);
	REFUSED(c.rate[CALL_RATE_OUT] = 8000);
	REFUSED(c.n_publish = CALL_PUBLISH_MAX + 1);
	REFUSED(c.n_publish = UINT32_MAX);
	REFUSED(c.n_publish = 3); /* a run of zeroes */
	REFUSED(c.publish[0].proto = 1);
	REFUSED(c.publish[0].ctr_port = 0);
	REFUSED(c.publish[0].count = 0);
	REFUSED(c.publish[0].count = 60000);
	REFUSED(c.publish[0].is_unheld = true);
	REFUSED(c.publish[0].host_ip.b[0] = 1);
	REFUSED(c.publish[1] = c.publish[0]);
	REFUSED(c.n_alias = 1); /* the second is behind the end */
	REFUSED(c.n_alias = 3);
	REFUSED(c.n_alias = CALL_ALIAS_MAX + 1);
	REFUSED(c.n_alias = UINT32_MAX);
	REFUSED(c.alias[0] = '/');
	REFUSED(c.alias[0] = 0);
	REFUSED(memset(c.alias, 'a', sizeof(c.alias)));
	REFUSED(c.is_paged = 1);
	REFUSED(c.after[0] = 'a');
	REFUSED(memset(c.after, 'a', sizeof(c.after)));
	REFUSED(c.is_counted = 1);
	memcpy(&c, &good, sizeof(c));
	c.verb = CALL_LIST;
	assert_true(call_check(&c, sizeof(c), 1, NULL) < 0);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"list\",\"after\":\"a@eth0\"}", &good), 0);
	REFUSED(c.is_paged = 0);
	REFUSED(c.is_paged = 2);
	REFUSED(c.is_counted = 2);
	REFUSED(c.after[10] = 'x');
	REFUSED(c.after[1] = 'x');
}

/* As many as there is room for, and no byte more. */
static void test_aliases(void **state)
{
	char name[ALIAS_STRLEN];
	struct call c;

	(void)state;
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\"}", &c), 0);
	memset(name, 'x', sizeof(name));
	name[ALIAS_MAX] = '\0';
	for (int i = 0; i < 4; i++)
		assert_int_equal(call_add_alias(&c, name, NULL), 0);
	assert_true(call_add_alias(&c, name, NULL) < 0);
	name[7] = '\0'; /* 4 * 254 bytes of 1,024: one of seven letters fills them */
	assert_int_equal(call_add_alias(&c, name, NULL), 0);
	assert_int_equal(call_check(&c, sizeof(c), 1, NULL), 0);
	assert_true(call_add_alias(&c, "y", NULL) < 0);
	assert_int_equal(c.n_alias, 5);
	assert_int_equal(parse("{\"netd\":1,\"verb\":\"attach\",\"id\":\"a\"}", &c), 0);
	for (int i = 0; i < CALL_ALIAS_MAX; i++)
		assert_int_equal(call_add_alias(&c, "y", NULL), 0);
	assert_true(call_add_alias(&c, "y", NULL) < 0);
	assert_int_equal(call_check(&c, sizeof(c), 1, NULL), 0);
}

/* One text a kind, and no word of the cause in it. */
static void test_refusals(void **state)
{
	(void)state;
	for (int k = ERR_NONE; k <= ERR_INTERNAL; k++) {
		CLEAN_BUF struct buf b = BUF_INIT;

		request_refusal((enum err_kind)k, WHAT_NONE, &b);
		assert_non_null(strstr(b.p, err_kind_name((enum err_kind)k)));
		assert_null(strchr(b.p, '/'));
	}
}

/* Which of the things that he named it was; of what he may not, nothing. */
static void test_what(void **state)
{
	(void)state;
	for (int w = WHAT_NONE; w <= WHAT_LOCK; w++) {
		CLEAN_BUF struct buf b = BUF_INIT, denied = BUF_INIT;
		const char *at;

		request_refusal(ERR_CONFLICT, (enum err_what)w, &b);
		request_refusal(ERR_DENIED, (enum err_what)w, &denied);
		assert_null(strstr(denied.p, "what"));
		at = strstr(b.p, "\"what\":\"");
		if (w == WHAT_NONE || w == WHAT_TABLE || w == WHAT_LOCK) {
			assert_null(at);
			continue;
		}
		assert_non_null(at);
		b.p[b.len - 3] = '\0';
		assert_int_equal(request_what(at + 8), w);
	}
	assert_int_equal(request_what("table"), WHAT_NONE);
	assert_int_equal(request_what(NULL), WHAT_NONE);
}

static void test_buckets(void **state)
{
	struct buckets *t = calloc(1, sizeof(*t));
	uint64_t now = 1000000;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(bucket_take(t, 1, now, 10, 60));
	assert_false(bucket_take(t, 1, now, 10, 60));
	assert_true(bucket_take(t, 2, now, 10, 60));
	assert_false(bucket_take(t, 1, now + 999, 10, 60));
	assert_true(bucket_take(t, 1, now + 1001, 10, 60));
	assert_false(bucket_take(t, 1, now + 1002, 10, 60));
	/* Asking often does not lose what time has given. */
	for (uint64_t ms = 1003; ms < 2000; ms++)
		assert_false(bucket_take(t, 1, now + ms, 10, 60));
	assert_true(bucket_take(t, 1, now + 2002, 10, 60));
	/* A long rest fills it and no more. */
	now += 100000000;
	for (int i = 0; i < 10; i++)
		assert_true(bucket_take(t, 1, now, 10, 60));
	assert_false(bucket_take(t, 1, now, 10, 60));
	assert_false(bucket_take(t, 3, now, 0, 60));
	/* More users than buckets: the one that rested longest starts anew. */
	for (uint32_t uid = 10; uid < 10 + 2 * BUCKETS; uid++)
		assert_true(bucket_take(t, uid, now + uid, 1, 60));
	assert_false(bucket_take(t, 9 + 2 * BUCKETS, now + 10 + 2 * BUCKETS, 1, 60));
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),     cmocka_unit_test(test_bad),
		cmocka_unit_test(test_names),    cmocka_unit_test(test_second_look),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_what),
		cmocka_unit_test(test_aliases),  cmocka_unit_test(test_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
