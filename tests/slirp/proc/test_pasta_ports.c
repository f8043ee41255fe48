/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Port specifications as pasta and pesto take them, and pesto's request and answers. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "proc/pasta_ports.h"
#include "proc/pesto.h"

/* The runs that spec becomes, with blanks between, or "none", "auto". */
static void runs(const char *spec, uint8_t proto, const char *want)
{
	CLEAN_PUBLISH_LIST struct publish_list l = {0};
	char text[1024] = "", one[PUBLISH_STRLEN];
	enum pasta_ports kind;
	struct err e = ERR_INIT;
	size_t at = 0;

	if (pasta_ports_parse(spec, proto, &l, &kind, &e) < 0)
		fail_msg("%s: %s", spec, e.text);
	for (size_t i = 0; i < l.n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
				       publish_str(&l.p[i], one));
	if (kind != PASTA_PORTS_RUNS)
		strcpy(text, kind == PASTA_PORTS_NONE ? "none" : "auto");
	assert_string_equal(text, want);
}

static void refused(const char *spec, enum err_kind kind)
{
	CLEAN_PUBLISH_LIST struct publish_list l = {0};
	enum pasta_ports what = PASTA_PORTS_AUTO;
	struct err e = ERR_INIT;

	assert_true(pasta_ports_parse(spec, IPPROTO_TCP, &l, &what, &e) < 0);
	if (e.kind != kind)
		fail_msg("%s: %s", spec, e.text);
	assert_int_equal(what, PASTA_PORTS_AUTO);
}

static void test_specs(void **state)
{
	(void)state;
	runs("none", IPPROTO_TCP, "none");
	runs("auto", IPPROTO_UDP, "auto");
	runs("22", IPPROTO_TCP, "22:22/tcp");
	runs("22:23", IPPROTO_UDP, "22:23/udp");
	runs("22,25", IPPROTO_TCP, "22:22/tcp 25:25/tcp");
	runs("8080-8080:80-80", IPPROTO_TCP, "8080:80/tcp");
	runs("22-80:32-90", IPPROTO_TCP, "22-80:32-90/tcp");
	runs("1-65535", IPPROTO_TCP, "1-65535:1-65535/tcp");
	runs("192.0.2.1/22", IPPROTO_TCP, "192.0.2.1:22:22/tcp");
	runs("0.0.0.0/22,23:24", IPPROTO_UDP, "0.0.0.0:22:22/udp 0.0.0.0:23:24/udp");
	runs("::1/22", IPPROTO_TCP, "[::1]:22:22/tcp");
	runs("[::]/22", IPPROTO_TCP, "[::]:22:22/tcp");
	runs("2001:db8::1/8000-8001", IPPROTO_TCP, "[2001:db8::1]:8000-8001:8000-8001/tcp");
	runs("2000-5000,~3000-3010", IPPROTO_TCP,
	     "2000-2999:2000-2999/tcp 3011-5000:3011-5000/tcp");
	runs("192.0.2.1/20-30,~25", IPPROTO_TCP,
	     "192.0.2.1:20-24:20-24/tcp 192.0.2.1:26-30:26-30/tcp");
	runs("~25,20-30:120-130", IPPROTO_TCP, "20-24:120-124/tcp 26-30:126-130/tcp");
	runs("20-30,~20-22,~30,~24", IPPROTO_TCP, "23:23/tcp 25-29:25-29/tcp");
	runs("20-21,~1-65535", IPPROTO_TCP, "");
	runs("65535,~65534-65535,1", IPPROTO_TCP, "1:1/tcp");
}

static void test_refused(void **state)
{
	static const char *const words[] = {
		"",
		"0",
		"65536",
		"22-",
		"-22",
		"30-20",
		"22:",
		"22:0",
		"a",
		"22,",
		",22",
		"22,,23",
		"~",
		"22,~",
		"~22:23,1",
		"22 ",
		"/22",
		"1.2.3/22",
		"[::/22",
		"::]/22",
		"[1.2.3.4]/22",
		"[]/22",
		"22-23:24",
		"1-2:3-5",
		"22:23:24",
		"1.2.3.4/",
		"224.0.0.1/22",
		"fe80::1/22",
		"022",
		"+22",
		"192.0.2.1:22",
		"22/tcp",
		"auto,22",
		"none,22",
		"22,auto",
	};
	static const char *const unsupported[] = {
		"all",     "~22", "~1-2,~3", "192.0.2.1/all", "192.0.2.1/~22", "192.0.2.1%eth0/22",
		"%eth0/22"};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		refused(words[i], ERR_USAGE);
	for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++)
		refused(unsupported[i], ERR_UNSUPPORTED);
}

#define MAX_ARGS 16

static int parse(const char *line, struct pesto *p, struct err *e)
{
	static char text[512];
	static char name[] = "pesto";
	char *argv[MAX_ARGS + 1] = {name};
	int argc = 1;

	(void)snprintf(text, sizeof(text), "%s", line);
	for (char *w = strtok(text, " "); w && argc < MAX_ARGS; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	*e = (struct err)ERR_INIT;
	return pesto_parse(argc, argv, p, e);
}

static void asks(const char *line, const char *want)
{
	CLEAN_FREE char *text = NULL;
	struct pesto p;
	struct err e;

	if (parse(line, &p, &e) < 0)
		fail_msg("%s: %s", line, e.text);
	text = pesto_request(&p);
	assert_non_null(text);
	assert_string_equal(text, want);
	publish_list_clear(&p.ports);
}

static void test_pesto(void **state)
{
	static const char *const wrong[] = {
		"",
		"/s",
		"--add /s",
		"--add -t 80",
		"-t 80 /s",
		"--add --delete -t 80 /s",
		"--add -t none /s",
		"--add -t auto /s",
		"--add -t 80 -u 80 81 /s",
		"--add -t 80 -t 80 /s",
		"--add -t x /s",
		"--add -t 80 x /s",
		"--frob -t 80 /s",
	};
	struct pesto p;
	struct err e;

	(void)state;
	asks("--add -t 0.0.0.0/8080 /s",
	     "{\"execute\":\"publish\",\"arguments\":{\"ports\":[\"0.0.0.0:8080:8080/tcp\"]}}");
	asks("--delete -u [::]/53-54 /s", "{\"execute\":\"unpublish\",\"arguments\":{\"ports\":"
					  "[\"[::]:53-54:53-54/udp\"]}}");
	asks("--add -t 80 81:82 /s", "{\"execute\":\"publish\",\"arguments\":{\"ports\":"
				     "[\"80:80/tcp\",\"81:82/tcp\"]}}");
	asks("--add -t 80 -u 80 -t 90 /s", "{\"execute\":\"publish\",\"arguments\":{\"ports\":"
					   "[\"80:80/tcp\",\"80:80/udp\",\"90:90/tcp\"]}}");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (parse(wrong[i], &p, &e) >= 0)
			fail_msg("%s", wrong[i]);
		assert_int_equal(e.kind, ERR_USAGE);
	}
	assert_int_equal(parse("--version", &p, &e), 0);
	assert_true(p.is_version && pesto_is_name("/usr/bin/pesto") && !pesto_is_name("pasta"));
}

static int answer(const char *text, const char **ret_said)
{
	static struct err e;

	e = (struct err)ERR_INIT;
	*ret_said = e.text;
	return pesto_answer(text, strlen(text), &e);
}

static void test_answer(void **state)
{
	const char *said;

	(void)state;
	assert_int_equal(answer("{\"return\":{}}", &said), 0);
	assert_true(answer("{\"error\":{\"desc\":\"a\",\"detail\":\"b\"}}", &said) < 0);
	assert_string_equal(said, "a: b");
	assert_true(answer("{\"error\":{\"desc\":\"a\"}}", &said) < 0);
	assert_string_equal(said, "a");
	assert_true(answer("{\"error\":3}", &said) < 0);
	assert_true(answer("{}", &said) < 0);
	assert_true(answer("[]", &said) < 0);
	assert_true(answer("", &said) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pesto),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
