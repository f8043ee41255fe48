/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opt: every way to write an option, every mistake with its text, operands, --help, and the help
 * text.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/opt.h"

struct got {
	char log[256]; /* what the handlers were given, in order */
	uint32_t mtu;
};

static void note(struct got *g, const char *name, const char *value)
{
	strcat(g->log, name);
	strcat(g->log, "=");
	strcat(g->log, value ? value : "(flag)");
	strcat(g->log, " ");
}

static int set_publish(void *into, const char *value, struct err *e)
{
	(void)e;
	note(into, "publish", value);
	return 0;
}

static int set_json(void *into, const char *value, struct err *e)
{
	(void)e;
	note(into, "json", value);
	return 0;
}

static int set_quiet(void *into, const char *value, struct err *e)
{
	(void)e;
	note(into, "quiet", value);
	return 0;
}

static int set_mtu(void *into, const char *value, struct err *e)
{
	struct got *g = into;

	return opt_u32(value, 68, 65535, &g->mtu, e);
}

static const struct opt opts[] = {
	{'p', "publish", "SPEC", "publish a port", set_publish},
	{0, "mtu", "N", "size of the largest packet", set_mtu},
	{'j', "json", NULL, "print JSON", set_json},
	{'q', "quiet", NULL, "print nothing", set_quiet},
	{0},
};
static const struct opt_verb up = {"up", "TARGET", "Connect a container.", NULL, opts, 0, 2, false};
static const struct opt_verb one = {"up", "TARGET", "Connect a container.", NULL, opts, 1,
				    1,    false};
static const struct opt_verb run = {"run", "-- CMD", "Run.", "More\n", opts, 1, (size_t)-1, true};

enum { MAX_ARGS = 12 };

/* Parses words of a line separated by '|'. Operands come back joined by '|' in out. */
static int parse(const struct opt_verb *v, const char *line, struct got *g, char *out,
		 struct err *e)
{
	static char copy[512], prog[] = "prog";
	char *argv[MAX_ARGS] = {prog}, *p = copy;
	int argc = 1, r;
	size_t n = 77;

	memset(g, 0, sizeof(*g));
	err_reset(e);
	out[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", line);
	while (*line && p) {
		argv[argc++] = p;
		p = strchr(p, '|');
		if (p)
			*p++ = '\0';
	}
	r = opt_parse(v, argc, argv, g, &n, e);
	if (r != 0) {
		assert_int_equal(n, 77);
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		strcat(out, i ? "|" : "");
		strcat(out, argv[1 + i]);
	}
	return 0;
}

static void test_forms(void **state)
{
	static const struct {
		const struct opt_verb *v;
		const char *line, *log, *operands;
	} table[] = {
		{&up, "", "", ""},
		{&up, "a", "", "a"},
		{&up, "-p|80|a", "publish=80 ", "a"},
		{&up, "-p80|a", "publish=80 ", "a"},
		{&up, "a|-p|80", "publish=80 ", "a"},
		{&up, "--publish|80|a", "publish=80 ", "a"},
		{&up, "--publish=80|a", "publish=80 ", "a"},
		{&up, "--publish=|a", "publish= ", "a"},
		{&up, "--publish=a=b", "publish=a=b ", ""},
		{&up, "-p|1|-p2|--publish=3|--publish|4",
		 "publish=1 publish=2 publish=3 publish=4 ", ""},
		{&up, "-p|--json", "publish=--json ", ""},
		{&up, "-p|--", "publish=-- ", ""},
		{&up, "-jq", "json=(flag) quiet=(flag) ", ""},
		{&up, "-jp80", "json=(flag) publish=80 ", ""},
		{&up, "-jp|80", "json=(flag) publish=80 ", ""},
		{&up, "--json|a|--quiet|b", "json=(flag) quiet=(flag) ", "a|b"},
		{&up, "-", "", "-"},
		{&up, "--|-p", "", "-p"},
		{&up, "a|--|--help", "", "a|--help"},
		{&up, "-j|--|-j", "json=(flag) ", "-j"},
		{&up, "--|--", "", "--"},
		{&run, "-j|cmd|-q|--help", "json=(flag) ", "cmd|-q|--help"},
		{&run, "-j|--|cmd|-q|--", "json=(flag) ", "cmd|-q|--"},
		{&run, "cmd|--|x", "", "cmd|--|x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char operands[256];
		struct got g;
		struct err e;

		assert_int_equal(parse(table[i].v, table[i].line, &g, operands, &e), 0);
		assert_string_equal(g.log, table[i].log);
		assert_string_equal(operands, table[i].operands);
		assert_int_equal(e.kind, ERR_NONE);
	}
}

static void test_mistakes(void **state)
{
	static const struct {
		const struct opt_verb *v;
		const char *line, *text;
	} table[] = {
		{&up, "--mtu|x", "--mtu: expected a number 68..65535, found \"x\""},
		{&up, "--mtu=67", "--mtu: expected a number 68..65535, found \"67\""},
		{&up, "--mtu=65536", "--mtu: expected a number 68..65535, found \"65536\""},
		{&up, "--mtu=", "--mtu: expected a number 68..65535, found \"\""},
		{&up, "--mtu", "--mtu: expected a value N after it"},
		{&up, "-j|-p", "-p: expected a value SPEC after it"},
		{&up, "-jp", "-p: expected a value SPEC after it"},
		{&up, "--json=yes", "--json: expected no value, found \"yes\""},
		{&up, "--json=", "--json: expected no value, found \"\""},
		{&up, "--bogus", "--bogus: unknown option; see \"up --help\""},
		{&up, "--bogus=1", "--bogus=1: unknown option; see \"up --help\""},
		{&up, "--mt=1", "--mt=1: unknown option (--mtu?); see \"up --help\""},
		{&up, "--pub|80", "--pub: unknown option (--publish?); see \"up --help\""},
		{&up, "--m", "--m: unknown option; see \"up --help\""},
		{&up, "--Publish=1", "--Publish=1: unknown option; see \"up --help\""},
		{&up, "---", "---: unknown option; see \"up --help\""},
		{&up, "--=", "--=: unknown option; see \"up --help\""},
		{&up, "-x", "-x: unknown option; see \"up --help\""},
		{&up, "-x80", "-x80: unknown option; see \"up --help\""},
		{&up, "-jx", "-x: unknown option; see \"up --help\""},
		{&up, "--no\x1b", "--no?: unknown option; see \"up --help\""},
		{&up, "a|b|c", "\"c\": unexpected operand; see \"up --help\""},
		{&one, "", "up: expected TARGET, found no operand; see \"up --help\""},
		{&one, "a|b", "\"b\": unexpected operand; see \"up --help\""},
		{&run, "-j|--", "run: expected -- CMD, found no operand; see \"run --help\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char operands[256];
		struct got g;
		struct err e;

		assert_int_equal(parse(table[i].v, table[i].line, &g, operands, &e), -EINVAL);
		assert_string_equal(e.text, table[i].text);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_int_equal(g.mtu, 0);
	}
}

static void test_help_wins(void **state)
{
	static const char *const lines[] = {
		"--help",         "-h",         "-jh",         "-j|--help", "--bogus|--help",
		"a|b|c|d|--help", "--mtu|x|-h", "--json=1|-h", "-x|-h",     "-p|80|--help|--mtu",
	};
	static const struct opt takes_h[] = {{'h', "hostname", "NAME", "the name", set_publish},
					     {0}};
	static const struct opt_verb other = {"run", NULL, "Run.", NULL, takes_h, 0, 0, false};
	char operands[256];
	struct got g;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(&up, lines[i], &g, operands, &e), 1);
		assert_string_equal(g.log, "");
		assert_int_equal(e.kind, ERR_NONE);
	}
	/* The value of an option is no request. */
	assert_int_equal(parse(&up, "-p|--help", &g, operands, &e), 0);
	assert_string_equal(g.log, "publish=--help ");
	assert_int_equal(parse(&other, "-h|box", &g, operands, &e), 0);
	assert_string_equal(g.log, "publish=box ");
	assert_int_equal(parse(&other, "--help", &g, operands, &e), 1);
	/* No table at all. */
	assert_int_equal(parse(&(struct opt_verb){"x", NULL, "X.", NULL, NULL, 0, 0, false}, "-q",
			       &g, operands, &e),
			 -EINVAL);
}

static void test_help_text(void **state)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	struct opt_verb v = run;

	(void)state;
	opt_help_text("netns-up", &up, &out);
	assert_string_equal(out.p, "Usage: netns-up up [OPTION]... TARGET\n"
				   "Connect a container.\n"
				   "\n"
				   "Options:\n"
				   "  -p, --publish SPEC  publish a port\n"
				   "      --mtu N         size of the largest packet\n"
				   "  -j, --json          print JSON\n"
				   "  -q, --quiet         print nothing\n"
				   "  -h, --help          print this text\n");
	buf_free(&out);
	v.opts = NULL;
	opt_help_text("netns-up", &v, &out);
	assert_string_equal(out.p, "Usage: netns-up run [OPTION]... -- CMD\n"
				   "Run.\n"
				   "\n"
				   "Options:\n"
				   "  -h, --help  print this text\n"
				   "\n"
				   "More\n");
}

static void test_text(void **state)
{
	const char *got = "before";
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(opt_text("", &got, &e), -EINVAL);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_string_equal(e.text, "expected a text that is not empty");
	assert_string_equal(got, "before");
	assert_int_equal(opt_text("-", &got, &e), 0);
	assert_string_equal(got, "-");
}

/* opt_help prints exactly that text to standard output. */
static void test_help_prints(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT;
	char got[1024] = "";
	int pair[2], saved;

	(void)state;
	opt_help_text("netns-up", &run, &text);
	assert_int_equal(pipe(pair), 0);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(pair[1], STDOUT_FILENO);
	close(pair[1]);
	opt_help("netns-up", &run);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_true(read(pair[0], got, sizeof(got) - 1) > 0);
	close(pair[0]);
	assert_string_equal(got, text.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),       cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_help_wins),   cmocka_unit_test(test_help_text),
		cmocka_unit_test(test_help_prints), cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
