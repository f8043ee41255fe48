/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests and calls at their edges: the longest name and list and one more, what a verb has no use
 * for, runs of ports that are none; and without memory, each allocation in its turn.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "broker/request.h"
#include "lack.h"

static int parse(const char *text, struct call *ret, struct err *e)
{
	return request_parse(text, strlen(text), ret, e);
}

#define ATTACH "{\"netd\":1,\"verb\":\"attach\",\"id\":\"web\""
#define FULL                                                                                       \
	ATTACH ",\"network\":\"front\",\"ip\":\"192.0.2.7\",\"ip6\":\"2001:db8::7\","              \
	       "\"mac\":\"02:00:00:00:00:07\",\"mtu\":1400,\"rateIn\":20000000,"                   \
	       "\"alias\":[\"www\",\"db.prod\"],\"publish\":[\"8080:80\",\"[::1]:53:53/udp\"]}"

static void refuse(const char *text, const char *why)
{
	struct call c = {.verb = 99};
	struct err e = ERR_INIT;

	if (parse(text, &c, &e) >= 0)
		fail_msg("taken: %s", text);
	assert_int_equal(c.verb, 99);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	if (!strstr(e.text, why))
		fail_msg("%s: %s", text, e.text);
}

/* In the engine a user's name gets something in front of it, so it is shorter than the engine's. */
static void test_longest_names(void **state)
{
	char id[ID_STRLEN] = "", text[512];
	struct call c;

	(void)state;
	memset(id, 'x', CALL_ID_STRLEN - 1);
	snprintf(text, sizeof(text), "{\"netd\":1,\"verb\":\"detach\",\"id\":\"%s\"}", id);
	assert_int_equal(parse(text, &c, NULL), 0);
	assert_string_equal(c.id, id);
	id[CALL_ID_STRLEN - 1] = 'x';
	snprintf(text, sizeof(text), "{\"netd\":1,\"verb\":\"detach\",\"id\":\"%s\"}", id);
	refuse(text, "id: is too long");
}

static void test_longest_page(void **state)
{
	char after[KEY_STRLEN + 1], text[KEY_STRLEN + 64];
	struct call c;

	(void)state;
	/* The longest of keys. */
	memset(after, 'x', ID_MAX);
	strcpy(after + ID_MAX, "@interface-of-15");
	after[KEY_STRLEN - 1] = '\0';
	snprintf(text, sizeof(text), "{\"netd\":1,\"verb\":\"list\",\"after\":\"%s\"}", after);
	assert_int_equal(parse(text, &c, NULL), 0);
	assert_string_equal(c.after, after);
	memset(after, 'x', KEY_STRLEN);
	after[KEY_STRLEN] = '\0';
	snprintf(text, sizeof(text), "{\"netd\":1,\"verb\":\"list\",\"after\":\"%s\"}", after);
	refuse(text, "after: is too long");
}

static void test_longest_list(void **state)
{
	for (int n = CALL_PUBLISH_MAX; n <= CALL_PUBLISH_MAX + 1; n++) {
		CLEAN_BUF struct buf b = BUF_INIT;
		struct call c;

		(void)state;
		buf_printf(&b, ATTACH ",\"publish\":[");
		for (int i = 0; i < n; i++)
			buf_printf(&b, "%s\"%d:80\"", i ? "," : "", 2000 + i);
		buf_printf(&b, "]}");
		if (n == CALL_PUBLISH_MAX)
			assert_int_equal(parse(b.p, &c, NULL), 0);
		else
			refuse(b.p, "publish: has too many entries");
	}
	refuse(ATTACH ",\"publish\":7}", "publish: expected an array");
	refuse(ATTACH ",\"publish\":{}}", "publish: expected an array");
	refuse(ATTACH ",\"ip\":7}", "ip: expected a string");
	refuse(ATTACH ",\"ip6\":7}", "ip6: expected a string");
	refuse(ATTACH ",\"mac\":7}", "mac: expected a string");
}

static struct call checked(const char *text)
{
	struct call c;

	assert_int_equal(parse(text, &c, NULL), 0);
	assert_int_equal(call_check(&c, sizeof(c), CALL_FDS, NULL), 0);
	return c;
}

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct call c = good;                                                              \
		change;                                                                            \
		if (call_check(&c, sizeof(c), CALL_FDS, NULL) >= 0)                                \
			fail_msg("taken: %s", #change);                                            \
	} while (0)
#define TAKEN(change)                                                                              \
	do {                                                                                       \
		struct call c = good;                                                              \
		change;                                                                            \
		if (call_check(&c, sizeof(c), CALL_FDS, NULL) < 0)                                 \
			fail_msg("refused: %s", #change);                                          \
	} while (0)

/* Every field that the verb has no use for, whoever has set it. */
static void test_not_asked_for(void **state)
{
	struct call good = checked("{\"netd\":1,\"verb\":\"status\"}");

	(void)state;
	REFUSED(c.id[0] = 'a');
	REFUSED(c.ifname[0] = 'a');
	good = checked("{\"netd\":1,\"verb\":\"detach\",\"id\":\"a\"}");
	REFUSED(c.network[0] = 'a');
	REFUSED(c.ip[FAM4].b[0] = 1);
	REFUSED(c.ip[FAM6].b[15] = 1);
	REFUSED(c.mac.b[5] = 1);
	REFUSED(c.mtu = 1400);
	REFUSED(c.n_alias = 1);
	REFUSED(c.alias[CALL_ALIAS_BYTES - 1] = 1);
	REFUSED(c.n_publish = 1);
	REFUSED((c.rate_set = 1u << CALL_RATE_IN, c.rate[CALL_RATE_IN] = 8000));
	REFUSED(c.is_paged = 1);
	REFUSED(c.is_counted = 1);
	good = checked("{\"netd\":1,\"verb\":\"limit\",\"id\":\"a\",\"rateIn\":8000}");
	REFUSED((c.rate_set = 0, c.rate[CALL_RATE_IN] = 0));
	good = checked("{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\",\"publish\":[\"80\"]}");
	REFUSED(c.n_publish = 0);
}

/* A run of ports, at the ends of what there is. */
static void test_runs(void **state)
{
	struct call good = checked("{\"netd\":1,\"verb\":\"publish\",\"id\":\"a\","
				   "\"publish\":[\"65535:65535\"]}");
	struct ip other = {.family = AF_INET6, .b = {0x20, 0x01}};

	(void)state;
	TAKEN(c.publish[0].proto = IPPROTO_SCTP);
	TAKEN(c.publish[0].host_port = 0); /* any that is free */
	TAKEN(c.publish[0].host_ip = other);
	TAKEN((c.publish[0].host_port = c.publish[0].ctr_port = 65534, c.publish[0].count = 2));
	REFUSED((c.publish[0].host_port = 65535, c.publish[0].ctr_port = 1,
		 c.publish[0].count = 2));
	REFUSED((c.publish[0].host_port = 1, c.publish[0].ctr_port = 65535,
		 c.publish[0].count = 2));
	REFUSED((c.publish[0].host_port = 0, c.publish[0].ctr_port = 1, c.publish[0].count = 2));
	REFUSED(c.publish[0].host_ip = ((struct ip){.family = AF_INET, .b = {224, 0, 0, 1}}));
	REFUSED(c.publish[0].host_ip = ((struct ip){.family = AF_INET, .b = {10, 0, 0, 1, 1}}));
	REFUSED(c.publish[0].host_ip.family = 1);
}

static void test_without_memory(void **state)
{
	struct call good = checked(FULL);
	bool has_failed = true;

	(void)state;
	/* Reading: the parser's own memory is all there is. */
	for (size_t nth = 1; has_failed; nth++) {
		struct call c = {.verb = 99};
		struct err e = ERR_INIT;
		int r;

		lack_begin(nth, false);
		r = parse(FULL, &c, &e);
		has_failed = lack_end();
		if (!has_failed) {
			assert_int_equal(r, 0);
			assert_memory_equal(&c, &good, sizeof(c));
			continue;
		}
		if (r != -ENOMEM || e.kind != ERR_INTERNAL)
			fail_msg("allocation %zu: %d, %s", nth, r, e.text);
		assert_int_equal(c.verb, 99);
	}
	/* Writing: nothing that is less than the whole. */
	has_failed = true;
	for (size_t nth = 1; has_failed; nth++) {
		CLEAN_BUF struct buf out = BUF_INIT;
		struct err e = ERR_INIT;
		struct call again;
		int r;

		lack_begin(nth, false);
		r = request_print(&good, &out, &e);
		has_failed = lack_end();
		if (has_failed) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(e.kind, ERR_INTERNAL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(request_parse(out.p, out.len, &again, NULL), 0);
		assert_memory_equal(&again, &good, sizeof(again));
	}
}

/* What is in no table is not put into words. */
static void test_no_verb(void **state)
{
	struct call c = {.magic = CALL_MAGIC, .verb = CALL_QUIT};
	CLEAN_BUF struct buf out = BUF_INIT;

	(void)state;
	assert_null(call_rule(CALL_QUIT));
	assert_true(request_print(&c, &out, NULL) < 0);
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_names),  cmocka_unit_test(test_longest_page),
		cmocka_unit_test(test_longest_list),   cmocka_unit_test(test_not_asked_for),
		cmocka_unit_test(test_runs),           cmocka_unit_test(test_no_verb),
		cmocka_unit_test(test_without_memory),
	};

	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
