/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a keeper mends the way out and the names: never what is not on record, at once what has
 * ended, later each time, and a few times a minute at most; and what it makes of the record,
 * whatever is in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "rootless/keeper.h"
#include "rootless/mend.h"
#include "rootless/uplink.h"
#include "store/file.h"

static char path[32];
static int dir = -1;

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/mend.XXXXXX");
	if (!mkdtemp(path))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlinkat(dir, UPLINK_FILE, 0);
	fd_closep(&dir);
	return rmdir(path);
}

static void record(const char *engine, int32_t pid, uint64_t start)
{
	struct uplink_record u = {.pid = pid, .start = start};
	struct err e = ERR_INIT;

	memcpy(u.engine, engine, strlen(engine) + 1);
	assert_int_equal(uplink_save(dir, &u, &e), 0);
}

static void test_pauses(void **state)
{
	struct mend m = MEND_INIT;
	uint64_t now = 1000000, first = now;
	int n = 0;

	(void)state;
	assert_int_equal(mend_wait(&m, now), -1); /* nobody is missing */
	m.watch[MEND_UPLINK].is_gone = true;
	/* Ten minutes of an uplink that never stays. */
	for (int last = 0; now < first + 10 * MEND_WINDOW_MS; n++) {
		int wait = mend_wait(&m, now);

		assert_true(wait >= 0 && wait <= MEND_WINDOW_MS);
		if (n < MEND_MAX)
			assert_true(n == 0 ? wait == 0 : wait > last);
		last = wait;
		now += (uint64_t)wait;
		assert_int_equal(mend_wait(&m, now), 0);
		mend_count(&m, now);
	}
	assert_true(n >= 10 && n <= 10 * MEND_MAX + 1);
	/* One that has stayed for long is helped at once. */
	assert_int_equal(mend_wait(&m, now + MEND_WINDOW_MS), 0);
	m.child = 0;
	assert_int_equal(mend_wait(&m, now + MEND_WINDOW_MS), -1); /* it is under way */
}

static void test_record(void **state)
{
	struct uplink_record u = {.pid = 1};
	struct mend m = MEND_INIT;
	uint64_t start;

	(void)state;
	assert_int_equal(uplink_load(dir, &u, NULL), 1);
	assert_int_equal(u.pid, 0);
	mend_look(&m, dir);
	assert_false(m.watch[MEND_UPLINK].is_gone);
	record("relay", 0, 0); /* asked for, not yet made */
	mend_look(&m, dir);
	assert_false(m.watch[MEND_UPLINK].is_gone);
	assert_int_equal(keep_start_time(getpid(), &start), 0);
	record("", getpid(), start);
	mend_look(&m, dir);
	assert_true(m.watch[MEND_UPLINK].pidfd >= 0 && !m.watch[MEND_UPLINK].is_gone);
	record("tap", getpid(), start + 1); /* another process with this number */
	mend_look(&m, dir);
	assert_true(m.watch[MEND_UPLINK].pidfd < 0 && m.watch[MEND_UPLINK].is_gone);
	record("tap", INT32_MAX, 1);
	mend_look(&m, dir);
	assert_true(m.watch[MEND_UPLINK].pidfd < 0 && m.watch[MEND_UPLINK].is_gone);
	assert_int_equal(uplink_load(dir, &u, NULL), 0);
	assert_string_equal(u.engine, "tap");
	/* Taken off the record: by somebody who ends it. */
	assert_int_equal(unlinkat(dir, UPLINK_FILE, 0), 0);
	mend_look(&m, dir);
	assert_false(m.watch[MEND_UPLINK].is_gone);
	mend_forget(&m);
}

static void put(const char *text)
{
	assert_int_equal(file_put(dir, UPLINK_FILE, text, strlen(text), false, NULL), 0);
}

static void put_raw(const char *text)
{
	CLEAN_FD int fd = openat(dir, UPLINK_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void test_bad_record(void **state)
{
	static const char *const engines[] = {"auto", "relay ", "tap\n", "0123456789"};
	struct mend m = MEND_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		struct uplink_record u = {.pid = 1};

		(void)snprintf(u.engine, sizeof(u.engine), "%.7s", engines[i]);
		assert_int_equal(uplink_save(dir, &u, NULL), 0);
		assert_true(uplink_load(dir, &u, NULL) < 0);
	}
	put("{}");
	assert_true(uplink_load(dir, &(struct uplink_record){0}, NULL) < 0);
	put_raw("{}\n");
	assert_true(uplink_load(dir, &(struct uplink_record){0}, NULL) < 0);
	mend_look(&m, dir);
	assert_false(m.watch[MEND_UPLINK].is_gone);
	put_raw("");
	mend_look(&m, dir);
	assert_false(m.watch[MEND_UPLINK].is_gone);
}

static void test_names_record(void **state)
{
	struct uplink_record u = {.engine = "tap"};
	struct mend m = MEND_INIT;
	uint64_t start;

	(void)state;
	/* As a former version wrote it. */
	put("{\"engine\":\"tap\",\"pid\":0,\"start\":0}");
	assert_int_equal(uplink_load(dir, &u, NULL), 0);
	assert_int_equal(u.names_pid, 0);
	put("{\"engine\":\"\",\"pid\":0,\"start\":0,\"names_pid\":-1}");
	assert_true(uplink_load(dir, &u, NULL) < 0);
	assert_int_equal(keep_start_time(getpid(), &start), 0);
	u = (struct uplink_record){.engine = "tap", .names_pid = getpid(), .names_start = start};
	assert_int_equal(uplink_save(dir, &u, NULL), 0);
	mend_look(&m, dir);
	assert_true(m.watch[MEND_NAMES].pidfd >= 0 && m.watch[MEND_UPLINK].pidfd < 0);
	assert_int_equal(mend_wait(&m, 1), -1);
	u.names_start++; /* another process with this number */
	assert_int_equal(uplink_save(dir, &u, NULL), 0);
	mend_look(&m, dir);
	assert_true(m.watch[MEND_NAMES].pidfd < 0);
	assert_int_equal(mend_wait(&m, 1), 0);
	u.names_pid = 0; /* none is needed */
	assert_int_equal(uplink_save(dir, &u, NULL), 0);
	mend_look(&m, dir);
	assert_int_equal(mend_wait(&m, 1), -1);
	assert_int_equal(uplink_load(dir, &u, NULL), 0);
	assert_string_equal(u.engine, "tap");
	mend_forget(&m);
}

static int has_ended(int pidfd, int ms)
{
	return poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, ms);
}

/* The end of who is on record is seen, and mending goes on in a child, which has an end, too. */
static void turn(int which)
{
	const bool none[MEND_N] = {false};
	bool ended[MEND_N] = {false};
	struct uplink_record u = {0};
	struct mend m = MEND_INIT;
	struct mend_watch *w = &m.watch[which];
	uint64_t start;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(keep_start_time(pid, &start), 0);
	*(which == MEND_UPLINK ? &u.pid : &u.names_pid) = pid;
	*(which == MEND_UPLINK ? &u.start : &u.names_start) = start;
	assert_int_equal(uplink_save(dir, &u, NULL), 0);
	mend_turn(&m, dir, none, false, true);
	assert_true(w->pidfd >= 0 && m.child < 0);
	assert_int_equal(has_ended(w->pidfd, 0), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(has_ended(w->pidfd, 30000), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	ended[which] = true;
	mend_turn(&m, dir, ended, false, false);
	assert_true(w->pidfd < 0 && w->is_gone && m.child >= 0 && m.n_begun == 1);
	/* There is no program beside a test that it could become. */
	assert_int_equal(has_ended(m.child, 30000), 1);
	mend_turn(&m, dir, none, true, false);
	assert_true(w->is_gone && (m.n_begun == 2 || mend_wait(&m, m.begun[0]) > 0));
	mend_forget(&m);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void test_turn(void **state)
{
	(void)state;
	turn(MEND_UPLINK);
	turn(MEND_NAMES);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pauses), TEST(test_record), TEST(test_bad_record),
		TEST(test_names_record),       TEST(test_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
