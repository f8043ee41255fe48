/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: one line for one message whatever is in it, levels, length, and a standard error that is
 * gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char got[4096];

/* Standard error goes to a pipe between the two. */
static int saved, reader;

static void begin(void)
{
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
	close(pair[1]);
	reader = pair[0];
}

static const char *end(void)
{
	ssize_t n = read(reader, got, sizeof(got) - 1);

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void test_levels(void **state)
{
	static const char *const lines[] = {"prog: e\n", "prog: warning: w\n", "prog: i\n",
					    "prog: debug: d\n"};
	char expected[256] = "";

	(void)state;
	for (int max = LOG_LEVEL_ERROR; max <= LOG_LEVEL_DEBUG; max++) {
		strcat(expected, lines[max]);
		begin();
		log_setup("prog", (enum log_level)max);
		log_error("%s", "e");
		log_warn("%s", "w");
		log_info("%s", "i");
		log_debug("%s", "d");
		assert_string_equal(end(), expected);
	}
}

static void test_one_line(void **state)
{
	(void)state;
	log_setup("prog", LOG_LEVEL_INFO);
	begin();
	log_info("a\nb\x1b]0;title\x07\xff");
	assert_string_equal(end(), "prog: a?b?]0;title??\n");
}

static void test_length(void **state)
{
	char word[3000];
	size_t len;

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	log_setup("prog", LOG_LEVEL_INFO);
	for (int cut = 1010; cut < 1030; cut++) {
		begin();
		log_info("%.*s", cut, word);
		len = strlen(end());
		assert_int_equal(len, cut + 7 < 1024 ? cut + 7 : 1024);
		assert_int_equal(got[len - 1], '\n');
		assert_int_equal(got[len - 2], 'w');
	}
	begin();
	log_info("%s", word);
	assert_int_equal(strlen(end()), 1024);
}

static void test_errno(void **state)
{
	(void)state;
	log_setup("prog", LOG_LEVEL_INFO);
	begin();
	errno = ENOENT;
	log_info("%m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(end(), "prog: No such file or directory\n");

	begin();
	close(STDERR_FILENO);
	errno = ENOENT;
	log_info("lost");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(end(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_errno),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
