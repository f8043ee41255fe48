/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err: texts, kinds from errno, context, gathering, and what happens at the end of the text.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void test_set(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&e, ERR_QUOTA, 0, "pool of %d", 5), -EIO);
	assert_int_equal(e.kind, ERR_QUOTA);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.text, "pool of 5");
	assert_int_equal(e.used, strlen(e.text));

	assert_int_equal(err_set(&e, ERR_BUSY, EAGAIN, "lock"), -EAGAIN);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(e.sys, EAGAIN);
	assert_string_equal(e.text, "lock: Resource temporarily unavailable");

	assert_int_equal(err_invalid(&e, ERR_USAGE, "word %s", "x"), -EINVAL);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.text, "word x");

	/* Without an err only the number comes back. */
	assert_int_equal(err_set(NULL, ERR_IO, ENOSPC, "x"), -ENOSPC);
	assert_int_equal(err_set(NULL, ERR_IO, 0, "x"), -EIO);
	assert_int_equal(err_sys(NULL, EPERM, "x"), -EPERM);
	assert_int_equal(err_invalid(NULL, ERR_IO, "x"), -EINVAL);
	assert_int_equal(err_ctx(NULL, -7, "x"), -7);
	err_reset(NULL);
}

static void test_kind_of_errno(void **state)
{
	static const struct {
		int sys;
		enum err_kind kind;
	} table[] = {
		{EPERM, ERR_DENIED},
		{EACCES, ERR_DENIED},
		{ENOENT, ERR_ABSENT},
		{ENODEV, ERR_ABSENT},
		{ESRCH, ERR_ABSENT},
		{EEXIST, ERR_CONFLICT},
		{EADDRINUSE, ERR_CONFLICT},
		{EBUSY, ERR_CONFLICT},
		{EOPNOTSUPP, ERR_UNSUPPORTED},
		{ENOSYS, ERR_UNSUPPORTED},
		{EPROTONOSUPPORT, ERR_UNSUPPORTED},
		{EAFNOSUPPORT, ERR_UNSUPPORTED},
		{ENOMEM, ERR_INTERNAL},
		{ENOSPC, ERR_IO},
		{EROFS, ERR_IO},
		{EIO, ERR_IO},
		{EMFILE, ERR_IO},
		{ENFILE, ERR_IO},
		{EFBIG, ERR_IO},
		{EDQUOT, ERR_IO},
		{EINVAL, ERR_KERNEL},
		{ENOBUFS, ERR_KERNEL},
		{ERANGE, ERR_KERNEL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err e = ERR_INIT, c = ERR_INIT;
		char text[128];

		assert_int_equal(err_sys(&e, table[i].sys, "what %d", 1), -table[i].sys);
		assert_int_equal(e.kind, table[i].kind);
		assert_int_equal(e.sys, table[i].sys);
		snprintf(text, sizeof(text), "what 1: %s", strerror(table[i].sys));
		assert_string_equal(e.text, text);

		/* A callee that had only the number. */
		assert_int_equal(err_ctx(&c, -table[i].sys, "what 1"), -table[i].sys);
		assert_int_equal(c.kind, table[i].kind);
		assert_int_equal(c.sys, table[i].sys);
		assert_string_equal(c.text, text);
	}
}

static void test_ctx(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set(&e, ERR_ABSENT, 0, "inner");
	assert_int_equal(err_ctx(&e, -3, "middle %d", 2), -3);
	assert_int_equal(err_ctx(&e, 5, "outer"), 5);
	assert_string_equal(e.text, "outer: middle 2: inner");
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(e.used, strlen(e.text));
	/* An argument may be the text itself. */
	err_set(&e, ERR_IO, 0, "<%s>", e.text);
	assert_string_equal(e.text, "<outer: middle 2: inner>");
	err_reset(&e);
	assert_int_equal(e.kind, ERR_NONE);
	assert_int_equal(e.used, 0);
	assert_string_equal(e.text, "");
}

static void test_what(void **state)
{
	struct err e = ERR_INIT, other = ERR_INIT;

	(void)state;
	assert_int_equal(err_what(&e, 0, WHAT_PORT), 0);
	assert_int_equal(e.what, WHAT_NONE); /* there is no error */
	assert_int_equal(err_what(NULL, -5, WHAT_PORT), -5);
	assert_int_equal(err_what(&e, err_set(&e, ERR_CONFLICT, EEXIST, "x"), WHAT_PORT), -EEXIST);
	assert_int_equal(e.what, WHAT_PORT);
	err_what(&e, -1, WHAT_LOCK); /* who is nearer knows better */
	assert_int_equal(e.what, WHAT_PORT);
	err_ctx(&e, -1, "more");
	err_gather(&other, &e);
	assert_int_equal(other.what, WHAT_PORT);
	err_set(&e, ERR_IO, 0, "y");
	assert_int_equal(e.what, WHAT_NONE);
	err_reset(&other);
	assert_int_equal(other.what, WHAT_NONE);
}

static void test_gather(void **state)
{
	struct err into = ERR_INIT, from = ERR_INIT;

	(void)state;
	err_gather(&into, &from);
	assert_int_equal(into.kind, ERR_NONE);
	assert_string_equal(into.text, "");

	err_set(&from, ERR_IO, EIO, "first");
	err_gather(&into, &from);
	assert_int_equal(into.kind, ERR_IO);
	assert_int_equal(into.sys, EIO);
	assert_string_equal(into.text, "first: Input/output error");

	err_set(&from, ERR_ABSENT, 0, "second");
	err_gather(&into, &from);
	assert_int_equal(into.kind, ERR_IO);
	assert_int_equal(into.sys, EIO);
	assert_string_equal(into.text, "first: Input/output error; second");
	assert_int_equal(into.used, strlen(into.text));

	err_gather(&into, &into);
	err_gather(NULL, &from);
	err_gather(&into, NULL);
	assert_string_equal(into.text, "first: Input/output error; second");
}

/* The text ends inside the array with "..." whichever call overflows it. */
static void check_cut(const struct err *e)
{
	assert_int_equal(strlen(e->text), sizeof(e->text) - 1);
	assert_int_equal(e->used, sizeof(e->text) - 1);
	assert_string_equal(e->text + sizeof(e->text) - 4, "...");
}

static void test_cut(void **state)
{
	struct err e = ERR_INIT, from = ERR_INIT;
	char word[600];

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	err_set(&e, ERR_IO, 0, "%.511s", word);
	assert_int_equal(strlen(e.text), 511);
	assert_int_equal(e.text[510], 'w');
	err_set(&e, ERR_IO, 0, "%.512s", word);
	check_cut(&e);
	err_set(&e, ERR_IO, EIO, "%.511s", word);
	check_cut(&e);
	err_set(&e, ERR_IO, EIO, "%s", word);
	check_cut(&e);
	err_set(&e, ERR_IO, 0, "%.300s", word);
	err_ctx(&e, -1, "%.300s", word);
	check_cut(&e);
	err_ctx(&e, -1, "%s", word);
	check_cut(&e);
	err_set(&from, ERR_IO, 0, "%.300s", word);
	err_set(&e, ERR_IO, 0, "%.300s", word);
	err_gather(&e, &from);
	check_cut(&e);
	err_gather(&e, &from);
	check_cut(&e);
	for (int i = 0; i < 1000; i++)
		err_ctx(&e, -1, "again");
	check_cut(&e);
	assert_memory_equal(e.text, "again: again: ", 14);
}

static void test_foreign_bytes(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_invalid(&e, ERR_USAGE, "%s", "a\nb\x1b[31m\xff\xc3\xa9z");
	assert_string_equal(e.text, "a?b?[31m?\xc3\xa9z");
	err_ctx(&e, -1, "%s", "\r");
	assert_string_equal(e.text, "?: a?b?[31m?\xc3\xa9z");
}

static void test_names(void **state)
{
	static const char *const names[] = {"none",   "usage", "denied",   "conflict",
					    "absent", "busy",  "quota",    "unsupported",
					    "kernel", "io",    "protocol", "internal"};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), ERR_INTERNAL + 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(err_kind_name((enum err_kind)i), names[i]);
	assert_string_equal(err_kind_name((enum err_kind)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),           cmocka_unit_test(test_kind_of_errno),
		cmocka_unit_test(test_ctx),           cmocka_unit_test(test_gather),
		cmocka_unit_test(test_what),          cmocka_unit_test(test_cut),
		cmocka_unit_test(test_foreign_bytes), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
