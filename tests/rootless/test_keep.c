/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two processes that keep a user's host namespace: made, found, made anew when one is killed,
 * ended by order and by the loss of their record; and what is not believed of a record.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../slirp/proc/box.h"
#include "base/clock.h"
#include "base/fd.h"
#include "rootless/keep.h"
#include "rootless/keeper.h"

#define WAIT_MS 30000

struct place {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	static struct place p;
	struct err e = ERR_INIT;

	strcpy(p.path, "/tmp/keep.XXXXXX");
	if (!mkdtemp(p.path))
		return -1;
	p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &p;
	if (keep_start(p.fd, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", e.text);
	return -1;
}

/* Whatever is left of them goes with the record. */
static int tear_down(void **state)
{
	struct place *p = *state;

	(void)unlinkat(p->fd, KEEP_FILE, 0);
	fd_closep(&p->fd);
	return rmdir(p->path);
}

static void find(const struct place *p, struct keep *k)
{
	struct err e = ERR_INIT;

	*k = (struct keep)KEEP_INIT;
	if (keep_find(p->fd, k, &e) != 0)
		fail_msg("not found: %s", e.text);
}

static void forget(const struct place *p, int expected)
{
	struct keep k = KEEP_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(keep_find(p->fd, &k, &e), expected);
	keep_close(&k);
}

static bool is_over(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, WAIT_MS) == 1;
}

static bool are_all_over(int pipe_fd)
{
	struct pollfd p = {.fd = pipe_fd};

	return poll(&p, 1, WAIT_MS) == 1;
}

static void test_found(void **state)
{
	struct stat st, own;
	struct keep k;

	find(*state, &k);
	assert_true(k.pidfd[0] >= 0 && k.pidfd[1] >= 0 && k.userns_fd >= 0);
	assert_int_not_equal(k.record.pid[0], k.record.pid[1]);
	assert_int_equal(fstat(k.netns_fd, &st), 0);
	assert_int_equal(stat("/proc/self/ns/net", &own), 0);
	assert_int_not_equal(st.st_ino, own.st_ino);
	keep_close(&k);
}

/* Either of them, several times: the namespace stays the same. */
static void test_killed(void **state)
{
	const struct place *p = *state;

	for (int i = 0; i < 6; i++) {
		uint64_t deadline = clock_ms() + WAIT_MS;
		struct keep before, after;
		int32_t dead, left;

		find(p, &before);
		dead = before.record.pid[i % 2];
		left = before.record.pid[1 - i % 2];
		assert_int_equal(
			syscall(SYS_pidfd_send_signal, before.pidfd[i % 2], SIGKILL, NULL, 0), 0);
		assert_true(is_over(before.pidfd[i % 2]));
		for (;;) {
			bool is_new;

			find(p, &after);
			is_new = after.record.pid[0] == left && after.record.pid[1] != dead &&
				 after.pidfd[1] >= 0;
			if (is_new)
				break;
			assert_true(clock_ms() < deadline);
			keep_close(&after);
		}
		assert_int_equal(after.record.netns_ino, before.record.netns_ino);
		assert_false(poll(&(struct pollfd){.fd = after.pipe_fd}, 1, 0));
		keep_close(&before);
		keep_close(&after);
	}
}

static void test_stopped(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	struct keep k;

	find(p, &k);
	assert_int_equal(keep_stop(&k, &e), 0);
	assert_true(is_over(k.pidfd[0]) && is_over(k.pidfd[1]));
	keep_close(&k);
	forget(p, 2);
}

static void test_one_told(void **state)
{
	struct keep k;

	find(*state, &k);
	assert_int_equal(syscall(SYS_pidfd_send_signal, k.pidfd[1], SIGTERM, NULL, 0), 0);
	assert_true(are_all_over(k.pipe_fd));
	keep_close(&k);
	forget(*state, 2);
}

static void test_signals(void **state)
{
	static const int harmless[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM};
	struct keep k;

	find(*state, &k);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		assert_int_equal(syscall(SYS_pidfd_send_signal, k.pidfd[0], harmless[i], NULL, 0),
				 0);
	assert_int_equal(poll(&(struct pollfd){.fd = k.pidfd[0], .events = POLLIN}, 1, 100), 0);
	keep_close(&k);
}

static void test_record_removed(void **state)
{
	const struct place *p = *state;
	struct keep k;

	find(p, &k);
	assert_int_equal(unlinkat(p->fd, KEEP_FILE, 0), 0);
	assert_true(are_all_over(k.pipe_fd));
	keep_close(&k);
	forget(p, 1);
}

/* Both at once, before one can act. */
static void test_both_killed(void **state)
{
	struct keep k;

	find(*state, &k);
	for (int i = 0; i < 4; i++)
		assert_int_equal(syscall(SYS_pidfd_send_signal, k.pidfd[i % 2],
					 i < 2 ? SIGSTOP : SIGKILL, NULL, 0),
				 0);
	assert_true(are_all_over(k.pipe_fd));
	keep_close(&k);
	forget(*state, 2);
}

static void write_other(const struct place *p, const struct keep_record *r)
{
	struct err e = ERR_INIT;

	assert_int_equal(keep_write(p->fd, r, &e), 0);
}

static void test_not_believed(void **state)
{
	const struct place *p = *state;
	struct keep_record real, r;
	struct keep k;
	struct err e = ERR_INIT;
	int own;

	find(p, &k);
	real = r = k.record;
	keep_close(&k);
	r.start[0]++;
	r.start[1]++;
	write_other(p, &r); /* other processes with these numbers */
	forget(p, 2);
	r = real;
	r.netns_ino++;
	write_other(p, &r);
	forget(p, 2);
	r = real;
	r.pid[0] = r.pid[1] = getpid();
	(void)keep_start_time(getpid(), &r.start[0]);
	r.start[1] = r.start[0];
	/* A process that is there, and holds another namespace where a keeper has his. */
	own = fcntl(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), F_DUPFD_CLOEXEC,
		    KEEPER_NETNS + 10);
	assert_int_equal(dup3(own, KEEPER_NETNS, O_CLOEXEC), KEEPER_NETNS);
	write_other(p, &r);
	forget(p, 2);
	close(KEEPER_NETNS);
	close(own);
	r = real;
	r.boot_id[0] = r.boot_id[0] == 'a' ? 'b' : 'a';
	write_other(p, &r);
	forget(p, 2);
	r = real;
	r.pidns_ino++;
	write_other(p, &r); /* alive perhaps, but not to be seen from here */
	forget(p, -EIO);
	r = real;
	r.pid[0] = -1;
	r.pid[1] = 0;
	write_other(p, &r);
	forget(p, 2);
	/* What is no record at all. */
	k = (struct keep)KEEP_INIT;
	{
		CLEAN_FD int fd = openat(p->fd, KEEP_FILE, O_WRONLY | O_TRUNC | O_CLOEXEC);

		assert_int_equal(write(fd, "{}\n", 3), 3);
	}
	assert_true(keep_find(p->fd, &k, &e) < 0);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	keep_close(&k);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found),       TEST(test_killed),       TEST(test_stopped),
		TEST(test_one_told),    TEST(test_signals),      TEST(test_record_removed),
		TEST(test_both_killed), TEST(test_not_believed),
	};

	box_become_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
