/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete: what names of values become, operands, quoting, and who asks for it. That the shells
 * take the scripts and what they offer is tests/cli/completion.py's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/complete.h"
#include "base/complete_int.h"

static const struct complete_source sources[] = {
	{"ID", NULL, "list-ids"},
	{"NAME", "network", "list-networks"},
	{0},
};
static const struct opt opts[] = {
	{'p', "publish", "SPEC", "it's a [port]: one", NULL},
	{0, "network", "NAME", "network", NULL},
	{0, "state-dir", "DIR", "state", NULL},
	{0, "json", NULL, "print JSON", NULL},
	{0},
};
static const struct opt_verb up = {.name = "up", .operands = "TARGET|ID", .summary = "up"};
static const struct opt_verb with_opts = {
	.name = "up", .operands = "ID SPEC...", .summary = "up", .opts = opts};
static const struct opt_verb sub = {.name = "network rm", .operands = "NAME", .summary = "rm"};
static const struct opt_verb group = {.name = "network", .operands = "rm", .summary = "networks"};
static const struct opt_verb *const verbs[] = {&with_opts, &group, &sub, NULL};
static const struct complete prog = {
	.program = "a-prog", .verbs = verbs, .number = "up", .sources = sources};

static struct complete_kind kind(const char *name, const char *where)
{
	struct complete_kind k;

	complete_kind_of(&prog, name, strlen(name), where, &k);
	return k;
}

static void test_kinds(void **state)
{
	struct complete_kind k = kind("DIR", NULL);

	(void)state;
	assert_true(k.dirs && !k.files);
	k = kind("PATH|NAME", "other");
	assert_true(k.files && !k.dirs && k.n_lists == 0);
	k = kind("NAME", "network");
	assert_int_equal(k.n_lists, 1);
	assert_int_equal(k.list[0], 1);
	k = kind("[TARGET|ID]", NULL);
	assert_int_equal(k.n_lists, 1);
	assert_int_equal(k.list[0], 0);
	k = kind("CMD", NULL);
	assert_true(k.commands);
	k = kind("create|ls|rm", NULL);
	assert_string_equal(k.words, " create ls rm");
	k = kind("SPEC...", NULL);
	assert_true(complete_kind_is_none(&k));
	k = kind("...", NULL);
	assert_true(complete_kind_is_none(&k));
	k = kind("", NULL);
	assert_true(complete_kind_is_none(&k));
}

/* The operands of v in turn are the wanted ones, up to NULL. */
static void assert_operands(const struct opt_verb *v, const char *const *wanted)
{
	struct complete_operand o = {0};
	size_t i = 0;

	for (; complete_next_operand(&prog, v, &o); i++) {
		assert_non_null(wanted[i]);
		assert_int_equal(o.i, i);
		assert_int_equal(o.len, strlen(wanted[i]));
		assert_memory_equal(o.name, wanted[i], o.len);
		assert_int_equal(o.more, strstr(wanted[i], "...") != NULL);
	}
	assert_null(wanted[i]);
}

static void test_operands(void **state)
{
	static const struct opt_verb run = {.name = "run", .operands = "-- CMD [ARG]..."};
	static const struct opt_verb none = {.name = "ls", .operands = ""};
	static const struct opt_verb end = {.name = "end", .operands = "A B --"};

	(void)state;
	assert_operands(&up, (const char *const[]){"TARGET|ID", NULL});
	assert_operands(&with_opts, (const char *const[]){"ID", "SPEC...", NULL});
	assert_operands(&run, (const char *const[]){"CMD", "[ARG]...", NULL});
	assert_operands(&end, (const char *const[]){"A", "B", NULL});
	assert_operands(&none, (const char *const[]){NULL});
	assert_operands(&(const struct opt_verb){.name = ""}, (const char *const[]){NULL});
}

static void test_quoting(void **state)
{
	CLEAN_BUF struct buf posix = BUF_INIT, fish = BUF_INIT;

	(void)state;
	complete_quote(&posix, "it's $(x)");
	assert_string_equal(posix.p, "'it'\\''s $(x)'");
	complete_quote_fish(&fish, "it's a \\");
	assert_string_equal(fish.p, "'it\\'s a \\\\'");
}

static void test_texts(void **state)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		CLEAN_BUF struct buf out = BUF_INIT;

		assert_int_equal(complete_text(&prog, shells[i], &out, &e), 0);
		assert_non_null(strstr(out.p, "a-prog"));
		assert_non_null(strstr(out.p, "publish"));
		assert_non_null(strstr(out.p, "list-networks"));
	}
	CLEAN_BUF struct buf out = BUF_INIT;
	assert_int_equal(complete_text(&prog, "tcsh", &out, &e), -EINVAL);
	assert_string_equal(e.text, "--completion=tcsh: expected bash, zsh or fish");
}

static void test_who_asks(void **state)
{
	char name[] = "a-prog", other[] = "up", bad[] = "--completion=", more[] = "--json";
	char *argv[] = {name, other, NULL}, *wrong[] = {name, bad, NULL};
	char *two[] = {name, bad, more, NULL};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(complete_main(&prog, 1, argv, &e), 0);
	assert_int_equal(complete_main(&prog, 2, argv, &e), 0);
	assert_int_equal(complete_main(&prog, 3, two, &e), 0);
	assert_int_equal(complete_main(&prog, 2, wrong, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),    cmocka_unit_test(test_operands),
		cmocka_unit_test(test_quoting),  cmocka_unit_test(test_texts),
		cmocka_unit_test(test_who_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
