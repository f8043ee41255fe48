/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock: deadlines, death of the holder, many waiters, ranges; the store's own order of locks. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "sys/lock.h"

#define FILE_NAME "/tmp/lockfile"
#define PATIENCE_MS 100000 /* of who gets it in the end: others may have the processors */

static int open_file(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* Takes byte 5, says so through the pipe, and sleeps. */
static int hold(void *arg)
{
	int *wr = arg, fd = open_file();

	if (lock_take(fd, 5, 1000, NULL) < 0 || write(*wr, "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static pid_t holder(void)
{
	int p[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = util_fork(hold, &p[1]);
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void test_stopped_holder(void **state)
{
	pid_t pid = holder();
	int fd = open_file();
	uint64_t t0;

	(void)state;
	kill(pid, SIGSTOP);
	must_fail(ERR_BUSY, "try again", lock_take(fd, 5, 0, e));
	t0 = clock_ms();
	must_fail(ERR_BUSY, "try again", lock_take(fd, 5, 300, e));
	assert_in_range(clock_ms() - t0, 299, 30000);
	assert_true(lock_is_taken(fd, 5));
	assert_false(lock_is_taken(fd, 4));
	must(0, lock_take(fd, 4, 300, e)); /* its neighbour is free */
	must(1, lock_try_range(fd, 1, 0, e));
	must(0, lock_try_range(fd, 6, 0, e));

	/* Killed while somebody waits: free at once. */
	kill(pid, SIGKILL);
	t0 = clock_ms();
	must(0, lock_take(fd, 5, PATIENCE_MS, e));
	assert_in_range(clock_ms() - t0, 0, PATIENCE_MS / 2);
	util_wait(pid);
	close(fd);
}

static int kill_later(void *arg)
{
	usleep(200 * 1000);
	return kill(*(pid_t *)arg, SIGKILL) == 0 ? 0 : 1;
}

static void test_killed_while_waiting(void **state)
{
	pid_t pid = holder(), killer;
	int fd = open_file();
	uint64_t t0 = clock_ms();

	(void)state;
	killer = util_fork(kill_later, &pid);
	must(0, lock_take(fd, 5, PATIENCE_MS, e));
	assert_in_range(clock_ms() - t0, 199, PATIENCE_MS / 2);
	assert_int_equal(util_wait(killer), 0);
	assert_int_equal(util_wait(pid), -SIGKILL);
	close(fd);
}

/* Neither the signal mask nor the dispositions are changed by a wait, and signals of the caller
 * that come meanwhile do not shorten it. */
static volatile sig_atomic_t n_alarms;

static void on_usr1(int sig)
{
	(void)sig;
	n_alarms++;
}

static int pester(void *arg)
{
	pid_t to = *(pid_t *)arg;

	for (int i = 0; i < 10; i++) {
		usleep(15 * 1000);
		kill(to, SIGUSR1);
	}
	return 0;
}

static void test_signals(void **state)
{
	struct sigaction act = {.sa_handler = on_usr1}, was, is;
	sigset_t mask_was, mask_is;
	pid_t self = getpid(), pid = holder(), other;
	int fd = open_file();
	uint64_t t0 = clock_ms();

	(void)state;
	sigaction(SIGUSR1, &act, NULL);
	sigemptyset(&mask_was);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigaddset(&mask_was, s); /* all blocked */
	sigprocmask(SIG_SETMASK, &mask_was, NULL);
	sigaction(SIGRTMAX - 2, NULL, &was);
	other = util_fork(pester, &self);
	must_fail(ERR_BUSY, "300 ms", lock_take(fd, 5, 300, e));
	assert_in_range(clock_ms() - t0, 299, 30000);
	assert_int_equal(util_wait(other), 0);
	assert_true(n_alarms > 0);
	sigaction(SIGRTMAX - 2, NULL, &is);
	assert_true(is.sa_handler == was.sa_handler);
	sigprocmask(SIG_SETMASK, NULL, &mask_is);
	assert_memory_equal(&mask_is, &mask_was, 8); /* 64 signals */
	sigpending(&mask_is);
	assert_false(sigismember(&mask_is, SIGRTMAX - 2));
	sigemptyset(&mask_is);
	sigprocmask(SIG_SETMASK, &mask_is, NULL);
	kill(pid, SIGKILL);
	util_wait(pid);
	close(fd);
}

/* Timers need RLIMIT_SIGPENDING: without any, waiting is done by polling. */
static int poll_wait(void *arg)
{
	struct rlimit none = {0, 0};
	pid_t *pid = arg;
	int fd = open_file();
	struct err e = ERR_INIT;
	uint64_t t0;

	if (setrlimit(RLIMIT_SIGPENDING, &none) < 0)
		return 1;
	t0 = clock_ms();
	if (lock_take(fd, 5, 200, &e) != -ETIMEDOUT || clock_ms() - t0 < 199)
		return 2;
	kill(*pid, SIGKILL);
	return lock_take(fd, 5, PATIENCE_MS, &e) == 0 ? 0 : 3;
}

static void test_no_timers(void **state)
{
	pid_t pid = holder();

	(void)state;
	assert_int_equal(util_wait(util_fork(poll_wait, &pid)), 0);
	util_wait(pid);
}

static int *counter;

static int one_of_many(void *arg)
{
	int fd = open(FILE_NAME, O_RDWR | O_CLOEXEC), v;

	(void)arg;
	if (fd < 0 || lock_take(fd, 5, PATIENCE_MS, NULL) < 0)
		return 1;
	v = *(volatile int *)counter; /* lost updates show that two were inside */
	usleep(500);
	*(volatile int *)counter = v + 1;
	lock_drop(fd, 5);
	return 0;
}

static void test_200_waiters(void **state)
{
	pid_t pids[200];
	int fd = open_file();

	(void)state;
	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(counter != MAP_FAILED);
	must(0, lock_take(fd, 5, 0, e));
	for (int i = 0; i < 200; i++)
		pids[i] = util_fork(one_of_many, NULL);
	usleep(100 * 1000);
	assert_int_equal(*counter, 0);
	lock_drop(fd, 5);
	for (int i = 0; i < 200; i++)
		assert_int_equal(util_wait(pids[i]), 0);
	assert_int_equal(*counter, 200);
	close(fd);
}

static int lock_store(void *arg)
{
	struct store *s = NULL;
	int *what = arg;
	struct err e = ERR_INIT;

	if (store_open(DIR_NAME, true, COOKIE, BOOT, &s, &e) != 0)
		return 1;
	store_set_lock_ms(s, 150);
	if (*what == 0)
		return store_lock(s, &e) == -ETIMEDOUT && e.kind == ERR_BUSY ? 0 : 2;
	if (store_lock_key(s, "web@eth0", &e) != -ETIMEDOUT || e.kind != ERR_BUSY ||
	    !strstr(e.text, "web@eth0"))
		return 3;
	if (store_lock_key(s, "other@eth0", &e) != 0 || store_lock(s, &e) != 0)
		return 4;
	return 0; /* both vanish with the process */
}

static void test_store_locks(void **state)
{
	struct store *s = util_open();
	int global = 0, key = 1;

	(void)state;
	must(0, store_lock(s, e));
	must_fail(ERR_INTERNAL, "held already", store_lock(s, e));
	must_fail(ERR_INTERNAL, "before the global lock", store_lock_key(s, "web@eth0", e));
	assert_int_equal(util_wait(util_fork(lock_store, &global)), 0);
	store_unlock(s);
	store_unlock(s); /* harmless */
	must(0, store_lock_key(s, "web@eth0", e));
	must(0, store_lock_key(s, "db@eth0", e));
	must_fail(ERR_INTERNAL, "held already", store_lock_key(s, "db@eth0", e));
	assert_int_equal(util_wait(util_fork(lock_store, &key)), 0);
	store_unlock_key(s, "db@eth0");
	store_unlock_key(s, "none@eth0");
	assert_int_equal(util_wait(util_fork(lock_store, &key)), 0);
	must(0, store_lock(s, e));
	store_closep(&s);
	s = util_open();
	store_set_lock_ms(s, 0);
	must(0, store_lock_key(s, "web@eth0", e));
	must(0, store_lock(s, e));
	store_closep(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_stopped_holder, util_fresh),
		cmocka_unit_test_setup(test_killed_while_waiting, util_fresh),
		cmocka_unit_test_setup(test_signals, util_fresh),
		cmocka_unit_test_setup(test_no_timers, util_fresh),
		cmocka_unit_test_setup(test_200_waiters, util_fresh),
		cmocka_unit_test_setup(test_store_locks, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
