/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * member: who is the first in a network and the last to leave it, what killed processes and
 * strangers leave in its directories, the tables' generation, and the keys of all records: whole
 * networks are taken down by these answers, so an unclear one is an error and never "nobody".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#include "store/keys.h"
#include "store/member.h"

#define MEMBERS DIR_NAME "/members"

static struct store *locked(void)
{
	struct store *s = util_open();

	must(0, store_lock(s, e));
	return s;
}

static void test_first_and_last(void **state)
{
	struct store *s = locked();

	(void)state;
	assert_false(member_any(s, NULL));
	must(MEMBER_FIRST_OF_HOST, member_peek(s, "a", e));
	must(MEMBER_FIRST_OF_HOST, member_join(s, "a", "x@eth0", e));
	must(MEMBER_OTHERS, member_join(s, "a", "y@eth0", e));
	must(MEMBER_OTHERS, member_join(s, "a", "y@eth0", e)); /* once more */
	must(MEMBER_OTHERS, member_peek(s, "a", e));
	must(MEMBER_FIRST_OF_NETWORK, member_peek(s, "b", e));
	must(MEMBER_FIRST_OF_NETWORK, member_join(s, "b", "x@eth0", e));
	must(1, member_has(s, "a", "y@eth0", e));
	must(0, member_has(s, "b", "y@eth0", e));
	must(0, member_has(s, "none", "y@eth0", e));
	assert_true(member_any(s, "a"));
	assert_true(member_any(s, "none"));
	must(MEMBER_OTHERS, member_leave(s, "a", "x@eth0", e));
	must(MEMBER_OTHERS, member_leave(s, "a", "x@eth0", e));
	must(MEMBER_FIRST_OF_NETWORK, member_leave(s, "a", "y@eth0", e));
	must(MEMBER_FIRST_OF_NETWORK, member_leave(s, "a", "y@eth0", e));
	must(0, member_raise_generation(s, e));
	must(MEMBER_FIRST_OF_HOST, member_leave(s, "b", "x@eth0", e));
	assert_false(member_any(s, "b"));
	/* The last one takes the generation along. */
	assert_int_equal(access(DIR_NAME "/generation", F_OK), -1);
	assert_int_equal(access(MEMBERS, F_OK), -1);
	must(MEMBER_FIRST_OF_HOST, member_leave(s, "b", "x@eth0", e));
	store_closep(&s);
}

/* A killed process leaves a directory with nobody in it: it is no member, and it goes. */
static void test_half_made(void **state)
{
	struct store *s = locked();

	(void)state;
	assert_int_equal(mkdir(MEMBERS, 0755), 0);
	assert_int_equal(mkdir(MEMBERS "/a", 0755), 0);
	assert_int_equal(mkdir(MEMBERS "/b", 0755), 0);
	must(MEMBER_FIRST_OF_NETWORK, member_peek(s, "a", e));
	assert_int_equal(access(MEMBERS "/a", F_OK), -1);
	/* Whoever joins asks first, by which those that are left go. */
	assert_false(member_any(s, "b"));
	assert_int_equal(access(MEMBERS, F_OK), -1);
	must(MEMBER_FIRST_OF_HOST, member_join(s, "b", "x@eth0", e));
	assert_int_equal(mkdir(MEMBERS "/c", 0755), 0);
	assert_true(member_any(s, "c"));
	must(MEMBER_FIRST_OF_NETWORK, member_join(s, "c", "x@eth0", e));
	must(MEMBER_FIRST_OF_NETWORK, member_leave(s, "c", "x@eth0", e));
	must(MEMBER_FIRST_OF_HOST, member_leave(s, "b", "x@eth0", e));
	assert_int_equal(mkdir(MEMBERS, 0755), 0);
	assert_int_equal(mkdir(MEMBERS "/a", 0755), 0);
	assert_false(member_any(s, "a"));
	assert_int_equal(access(MEMBERS, F_OK), -1);
	/* Whatever the umask of who makes them, others may look. */
	umask(0777);
	must(MEMBER_FIRST_OF_HOST, member_join(s, "a", "x@eth0", e));
	umask(022);
	struct stat st;
	assert_int_equal(stat(MEMBERS "/a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	store_closep(&s);
}

/* What is no directory of ours is never followed, and nobody is taken for the last one by it. */
static void test_strange(void **state)
{
	struct store *s = locked();

	(void)state;
	assert_int_equal(mkdir("/tmp/elsewhere", 0755), 0);
	must(MEMBER_FIRST_OF_HOST, member_join(s, "a", "x@eth0", e));
	assert_int_equal(symlink("/tmp/elsewhere", MEMBERS "/link"), 0);
	must_fail(ERR_KERNEL, "members/link", member_peek(s, "link", e));
	must_fail(ERR_KERNEL, "members/link", member_leave(s, "link", "y@eth0", e));
	assert_true(member_any(s, NULL));
	assert_int_equal(util_count("/tmp/elsewhere"), 0);
	must(MEMBER_OTHERS, member_leave(s, "a", "none@eth0", e));
	/* A file in the place of a network, or of all. */
	assert_int_equal(unlink(MEMBERS "/link"), 0);
	assert_int_equal(close(open(MEMBERS "/f", O_CREAT | O_WRONLY, 0644)), 0);
	must_fail(ERR_KERNEL, "members/f", member_join(s, "f", "x@eth0", e));
	must_fail(ERR_KERNEL, "members/f", member_has(s, "f", "x@eth0", e));
	must_fail(ERR_KERNEL, "members/f", member_leave(s, "f", "x@eth0", e));
	assert_true(member_any(s, "f"));
	assert_int_equal(unlink(MEMBERS "/f"), 0);
	must(MEMBER_FIRST_OF_HOST, member_leave(s, "a", "x@eth0", e));
	assert_int_equal(close(open(MEMBERS, O_CREAT | O_WRONLY, 0644)), 0);
	must_fail(ERR_KERNEL, "members", member_join(s, "a", "x@eth0", e));
	must_fail(ERR_KERNEL, "members", member_peek(s, "a", e));
	must_fail(ERR_KERNEL, "members", member_leave(s, "a", "x@eth0", e));
	must_fail(ERR_KERNEL, "members", member_each_network(s, NULL, NULL, e));
	assert_true(member_any(s, NULL));
	assert_int_equal(unlink(MEMBERS), 0);
	store_closep(&s);
}

struct seen {
	char text[256];
	struct store *s;
	bool is_leaving;
	int r;
};

static int see(const char *network, const char *key, void *arg)
{
	struct seen *l = arg;

	snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "%s/%s ", network,
		 key);
	if (l->is_leaving)
		must(MEMBER_OTHERS, member_leave(l->s, network, key, e) * 0);
	return l->r;
}

static int see_network(const char *network, void *arg)
{
	struct seen *l = arg;

	snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "%s ", network);
	return l->r;
}

static void test_each(void **state)
{
	struct store *s = locked();
	struct seen l = {.s = s};

	(void)state;
	must(0, member_each(s, NULL, see, &l, e)); /* there is none */
	must(0, member_each_network(s, see_network, &l, e));
	assert_string_equal(l.text, "");
	must(MEMBER_FIRST_OF_HOST, member_join(s, "a", "y@eth0", e));
	must(MEMBER_OTHERS, member_join(s, "a", "x@eth0", e));
	/* What begins with a dot is nobody's; what no network can be called is none. */
	assert_int_equal(mkdir(MEMBERS "/.t", 0755), 0);
	assert_int_equal(mkdir(MEMBERS "/no name", 0755), 0);
	assert_int_equal(close(open(MEMBERS "/a/.x", O_CREAT | O_WRONLY, 0644)), 0);
	must(0, member_each(s, NULL, see, &l, e));
	assert_string_equal(l.text, "a/x@eth0 a/y@eth0 ");
	l = (struct seen){.s = s};
	must(0, member_each_network(s, see_network, &l, e));
	assert_string_equal(l.text, "a ");
	l = (struct seen){.s = s, .r = -EIO};
	assert_int_equal(member_each(s, NULL, see, &l, NULL), -EIO);
	assert_string_equal(l.text, "a/x@eth0 "); /* no further */
	/* Each may leave meanwhile. */
	assert_int_equal(unlink(MEMBERS "/a/.x"), 0);
	l = (struct seen){.s = s, .is_leaving = true};
	must(0, member_each(s, NULL, see, &l, e));
	assert_string_equal(l.text, "a/x@eth0 a/y@eth0 ");
	assert_int_equal(access(MEMBERS "/a", F_OK), -1);
	store_closep(&s);
}

static void test_generation(void **state)
{
	static const char *const bad[] = {"", "-1", "1x", "18446744073709551616",
					  "999999999999999999999999999999"};
	struct store *s = locked();
	uint64_t n = 7;

	(void)state;
	must(0, member_generation(s, &n, e));
	assert_int_equal(n, 0);
	for (uint64_t want = 1; want < 12; want++) {
		must(0, member_raise_generation(s, e));
		must(0, member_generation(s, &n, e));
		assert_int_equal(n, want);
	}
	/* A killed process leaves its temporary link; a stranger, nonsense: it counts as none. */
	assert_int_equal(symlink("5", DIR_NAME "/.generation"), 0);
	must(0, member_raise_generation(s, e));
	must(0, member_generation(s, &n, e));
	assert_int_equal(n, 12);
	for (size_t i = 1; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(unlink(DIR_NAME "/generation"), 0);
		assert_int_equal(symlink(bad[i], DIR_NAME "/generation"), 0);
		must(0, member_generation(s, &n, e));
		assert_int_equal(n, 0);
	}
	assert_int_equal(unlink(DIR_NAME "/generation"), 0);
	assert_int_equal(close(open(DIR_NAME "/generation", O_CREAT | O_WRONLY, 0644)), 0);
	must(0, member_generation(s, &n, e));
	assert_int_equal(n, 0);
	must(0, member_raise_generation(s, e)); /* it is replaced */
	must(0, member_generation(s, &n, e));
	assert_int_equal(n, 1);
	assert_int_equal(unlink(DIR_NAME "/generation"), 0);
	assert_int_equal(mkdir(DIR_NAME "/generation", 0755), 0);
	must_fail(ERR_KERNEL, "generation", member_raise_generation(s, e));
	store_closep(&s);
}

static int see_key(const char *id, const char *ifname, void *arg)
{
	return see(id, ifname, arg);
}

static void test_keys(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment("box", "10.88.0.2", NULL);
	struct store *s = util_open();
	struct seen l = {.s = s};

	(void)state;
	must(0, store_each_key(s, NULL, see_key, &l, e)); /* no directory */
	must(0, store_lock(s, e));
	must(0, store_put_attachment(s, a, e));
	strcpy(a->id, "abc");
	must(0, store_put_attachment(s, a, e));
	/* Temporary ones, and what no key looks like. */
	assert_int_equal(close(open(DIR_NAME "/attachments/.t@eth0", O_CREAT | O_WRONLY, 0644)), 0);
	assert_int_equal(close(open(DIR_NAME "/attachments/none", O_CREAT | O_WRONLY, 0644)), 0);
	must(0, store_each_key(s, NULL, see_key, &l, e));
	assert_string_equal(l.text, "abc/eth0 box/eth0 ");
	l = (struct seen){.s = s, .r = 5};
	assert_int_equal(store_each_key(s, NULL, see_key, &l, NULL), 5);
	assert_string_equal(l.text, "abc/eth0 ");
	store_closep(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first_and_last, util_fresh),
		cmocka_unit_test_setup(test_half_made, util_fresh),
		cmocka_unit_test_setup(test_strange, util_fresh),
		cmocka_unit_test_setup(test_each, util_fresh),
		cmocka_unit_test_setup(test_generation, util_fresh),
		cmocka_unit_test_setup(test_keys, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
