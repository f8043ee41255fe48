/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy for who is not there to be asked: his groups by passwd(5) and group(5), and what he
 * has. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/policy.h"

static int find_name(const char *name, bool is_group, uint32_t *ret, void *arg)
{
	(void)arg;
	if (strcmp(name, is_group ? "devs" : "alice") != 0)
		return -ENOENT;
	*ret = is_group ? 500 : 1000;
	return 0;
}

#define TEXT(s)                                                                                    \
	{                                                                                          \
		(char *)(uintptr_t)(s), sizeof(s) - 1                                              \
	}
static void test_groups(void **state)
{
	static const struct policy_text
		passwd = TEXT("root:x:0:0::/:\nalice:x:1000:100::/:\nali:x:1001:\nbad:x:1002:1x:\n"
			      ":x:1003:1::\nshort:x:1004\nfew:x:1005:7"),
		group = TEXT("devs:x:500:bob,alice\nnone:x:501:\nshort:x:505\nmore:x:502:alice,"
			     "ali\nbad:x:x:alice\n"
			     "other:x:503:alicia,lice,,alice:x\nlast:x:504:,alice,few"),
		empty = {NULL, 0};
	struct policy_subject s = {.uid = 1000, .n_gid = 9};

	(void)state;
	assert_int_equal(policy_find_groups(&passwd, &group, &s), 0);
	assert_int_equal(s.n_gid, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(s.gid[i], ((const uint32_t[]){100, 500, 502, 504})[i]);
	assert_int_equal(policy_find_groups(&passwd, &empty, &s), 0);
	assert_int_equal(s.n_gid, 1);
	s.uid = 1005;
	assert_int_equal(policy_find_groups(&passwd, &group, &s), 0);
	assert_int_equal(s.n_gid, 2);
	assert_int_equal(s.gid[0] + s.gid[1], 7 + 504);
	/* No primary group that can be read: not in there. */
	for (s.uid = 1001; s.uid < 1005; s.uid++)
		assert_int_equal(policy_find_groups(&passwd, &group, &s), -ENOENT);
	assert_int_equal(policy_find_groups(&empty, &empty, &s), -ENOENT);
}

static void test_too_many_groups(void **state)
{
	static const struct policy_text passwd = TEXT("alice:x:1000:1::/:\n");
	CLEAN_BUF struct buf text = BUF_INIT;
	struct policy_subject s = {.uid = 1000};

	(void)state;
	for (unsigned i = 1; i < POLICY_GROUPS; i++)
		buf_printf(&text, "g%u:x:%u:alice\n", i, 1000 + i);
	const struct policy_text most = {text.p, text.len};
	assert_int_equal(policy_find_groups(&passwd, &most, &s), 0);
	assert_int_equal(s.n_gid, POLICY_GROUPS);
	buf_printf(&text, "last:x:9:alice");
	const struct policy_text more = {text.p, text.len};
	assert_int_equal(policy_find_groups(&passwd, &more, &s), -E2BIG);
}

/* conns of what the policy gives; -1: nothing. */
static int limits(const char *text, uint32_t uid, uint32_t gid)
{
	const struct policy_names names = {.find = find_name};
	CLEAN_POLICY struct policy p = {0};
	const struct policy_subject s = {.uid = uid, .n_gid = gid != 0, .gid = {gid}};
	struct policy_limits l;

	assert_int_equal(policy_add_text(&p, "a", text, strlen(text), &names, NULL), 0);
	return policy_limits_of(&p, &s, gid != 0, "default", &l) ? -1 : (int)l.cap.conns;
}

static void test_limits_of(void **state)
{
	(void)state;
	assert_int_equal(limits("allow alice default attach conns=5", 1000, 0), 5);
	assert_int_equal(limits("allow alice other attach conns=5", 1000, 0), -1);
	assert_int_equal(limits("allow alice default publish conns=5", 1000, 0), -1);
	assert_int_equal(limits("deny alice * all\nallow * * attach conns=5", 1000, 0), -1);
	assert_int_equal(limits("allow @devs * attach conns=5", 1000, 500), 5);
	/* Whether the first rule is about him is not known. */
	assert_int_equal(limits("allow @devs * attach conns=5\nallow * * all conns=6", 1000, 0),
			 -1);
	assert_int_equal(limits("allow @devs * attach conns=5\nallow * * all conns=6", 1000, 9), 6);
	assert_int_equal(limits("allow @devs other all\nallow * * all conns=6", 1000, 0), 6);
	assert_int_equal(limits("allow * * all conns=6\nallow @devs * attach conns=5", 1000, 0), 6);
	assert_int_equal(limits("allow * * all conns=6\nwhat", 1000, 500), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_too_many_groups),
		cmocka_unit_test(test_limits_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
