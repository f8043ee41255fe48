/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fd: ownership, whole reads with their limit, files that are none, short and interrupted
 * transfers.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"

static char dir[] = "/tmp/test-base-fd-XXXXXX";

static void path_in_dir(char out[128], const char *name)
{
	snprintf(out, 128, "%s/%s", dir, name);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void put_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void test_ownership(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy;
	char *mem = malloc(4);

	(void)state;
	assert_true(fd >= 0);
	copy = fd_take(&fd);
	assert_int_equal(fd, -1);
	errno = 77;
	fd_closep(&fd); /* empty: nothing happens */
	assert_int_equal(errno, 77);
	{
		CLEAN_FD int scoped = copy;

		assert_int_equal(fcntl(scoped, F_GETFD), FD_CLOEXEC);
		errno = 77;
	}
	assert_int_equal(errno, 77);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	errno = 78;
	fd_closep(&copy); /* a close that fails keeps errno too */
	assert_int_equal(errno, 78);
	assert_int_equal(copy, -1);
	mem_freep(&mem);
	assert_null(mem);
	mem_freep(&mem);
}

static void test_read_limits(void **state)
{
	static const size_t sizes[] = {0, 1, 4093, 4094, 4095, 4096, 4097, 8192, 100000};
	char path[128], *data = malloc(100000);

	(void)state;
	path_in_dir(path, "f");
	for (size_t i = 0; i < 100000; i++)
		data[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct err e = ERR_INIT;
		char *got = NULL;
		size_t len = 99;

		put_file(path, data, sizes[i]);
		assert_int_equal(fd_read_file(AT_FDCWD, path, sizes[i], &got, &len, &e), 0);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(got, data, len);
		assert_int_equal(got[len], '\0');
		free(got);
		got = NULL;
		assert_int_equal(fd_read_file(AT_FDCWD, path, SIZE_MAX, &got, &len, &e), 0);
		assert_int_equal(len, sizes[i]);
		free(got);
		if (sizes[i] == 0)
			continue;
		got = data;
		len = 99;
		assert_int_equal(fd_read_file(AT_FDCWD, path, sizes[i] - 1, &got, &len, &e),
				 -EFBIG);
		assert_int_equal(e.kind, ERR_IO);
		assert_non_null(strstr(e.text, path));
		assert_ptr_equal(got, data); /* written on success only */
		assert_int_equal(len, 99);
	}
	unlink(path);
	free(data);
}

static void test_read_refusals(void **state)
{
	struct err e = ERR_INIT;
	char path[128], *got = NULL;
	size_t len;

	(void)state;
	path_in_dir(path, "absent");
	assert_int_equal(fd_read_file(AT_FDCWD, path, 10, &got, &len, &e), -ENOENT);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.text, path));

	assert_int_equal(fd_read_file(AT_FDCWD, dir, 10, &got, &len, &e), -EIO);
	assert_int_equal(e.kind, ERR_IO);
	assert_non_null(strstr(e.text, "not a regular file"));
	assert_int_equal(fd_read_file(AT_FDCWD, "/dev/zero", 10, &got, &len, &e), -EIO);

	/* A FIFO without a writer must not hang the reader. */
	path_in_dir(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	assert_int_equal(fd_read_file(AT_FDCWD, path, 10, &got, &len, &e), -EIO);
	alarm(0);
	assert_non_null(strstr(e.text, "not a regular file"));
	unlink(path);

	assert_int_equal(fd_read_all(-1, 10, &got, &len, &e), -EBADF);
	assert_null(got);
}

static void test_read_at(void **state)
{
	CLEAN_FD int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = ERR_INIT;
	char path[128], *got;
	size_t len;

	(void)state;
	path_in_dir(path, "g");
	put_file(path, "hello", 5);
	assert_int_equal(fd_read_file(dirfd, "g", 100, &got, &len, &e), 0);
	assert_string_equal(got, "hello");
	free(got);
	unlink(path);
	/* Files of procfs say that they have no size. */
	assert_int_equal(fd_read_file(AT_FDCWD, "/proc/self/status", 65536, &got, &len, &e), 0);
	assert_true(len > 100);
	free(got);
}

static void on_signal(int sig)
{
	(void)sig;
}

struct pusher {
	pthread_t victim;
	int fd;
	size_t len;
};

/* Reads slowly and interrupts the writer all the while. */
static void *push(void *arg)
{
	struct pusher *p = arg;
	char block[3000];
	ssize_t n;

	while ((n = read(p->fd, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal((uint8_t)block[i], (uint8_t)((p->len + (size_t)i) * 31));
		p->len += (size_t)n;
		pthread_kill(p->victim, SIGUSR1);
	}
	return NULL;
}

static void test_write_all(void **state)
{
	struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART */
	struct pusher p = {.victim = pthread_self()};
	size_t len = 1 << 20;
	char *data = malloc(len);
	struct err e = ERR_INIT;
	pthread_t thread;
	int pair[2];

	(void)state;
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(uint8_t)(i * 31);
	sigaction(SIGUSR1, &sa, NULL);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	p.fd = pair[0];
	assert_int_equal(pthread_create(&thread, NULL, push, &p), 0);
	assert_int_equal(fd_write_all(pair[1], data, len, &e), 0);
	close(pair[1]);
	pthread_join(thread, NULL);
	assert_int_equal(p.len, len);
	close(pair[0]);
	signal(SIGUSR1, SIG_DFL);

	assert_int_equal(fd_write_all(-1, data, 0, &e), 0);
	assert_int_equal(fd_write_all(-1, data, 1, &e), -EBADF);
	pair[0] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(fd_write_all(pair[0], data, 1, &e), -ENOSPC);
	assert_int_equal(e.kind, ERR_IO);
	close(pair[0]);
	free(data);
}

/* Interrupts the reader of an empty pipe until it must have been blocked in read, then ends it. */
static void *interrupt(void *arg)
{
	struct pusher *p = arg;

	for (int i = 0; i < 20; i++) {
		usleep(5000);
		pthread_kill(p->victim, SIGUSR1);
	}
	fd_write_all(p->fd, "late", 4, NULL);
	close(p->fd);
	return NULL;
}

static void test_read_interrupted(void **state)
{
	struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART */
	struct pusher p = {.victim = pthread_self()};
	struct err e = ERR_INIT;
	char *got = NULL;
	pthread_t thread;
	size_t len;
	int pair[2];

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	p.fd = pair[1];
	assert_int_equal(pthread_create(&thread, NULL, interrupt, &p), 0);
	assert_int_equal(fd_read_all(pair[0], 100, &got, &len, &e), 0);
	pthread_join(thread, NULL);
	assert_string_equal(got, "late");
	assert_int_equal(len, 4);
	free(got);
	close(pair[0]);
	signal(SIGUSR1, SIG_DFL);
}

/* In a child: close what mask says, fill, and look at what is there. Exit status 0: all is well. */
static int fill_child(int mask)
{
	struct stat null, st;
	int before = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fstat(before, &null) < 0)
		return 10;
	for (int i = 0; i <= 2; i++)
		if (mask & 1 << i)
			close(i);
	if (fd_fill_stdio() != 0)
		return 11;
	for (int i = 0; i <= 2; i++) {
		if (fstat(i, &st) < 0 || fcntl(i, F_GETFD) != 0)
			return 12;
		if ((mask & 1 << i) && st.st_rdev != null.st_rdev)
			return 13;
	}
	/* Nothing was left open beside them. */
	return dup(0) == before + 1 ? 0 : 14;
}

static void test_fill_stdio(void **state)
{
	(void)state;
	for (int mask = 0; mask < 8; mask++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(fill_child(mask));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void wake(int sig)
{
	(void)sig;
}

static void test_await(void **state)
{
	const struct sigaction act = {.sa_handler = wake}; /* no SA_RESTART */
	const struct itimerval often = {{.tv_usec = 2000}, {.tv_usec = 2000}}, never = {{0}, {0}};
	uint64_t deadline;
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_await(p[0], POLLIN, clock_ms()), 0);
	assert_int_equal(fd_await(p[0], POLLIN, 0), 0); /* long past */
	/* Signals make it neither fail nor end early. */
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	deadline = clock_ms() + 30;
	assert_int_equal(fd_await(p[0], POLLIN, deadline), 0);
	assert_true(clock_ms() >= deadline);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(fd_await(p[0], POLLIN, UINT64_MAX), 1);
	assert_int_equal(fd_await(p[0], 0, clock_ms()), 0); /* its end alone */
	close(p[1]);
	assert_int_equal(fd_await(p[0], 0, UINT64_MAX), 1);
	close(p[0]);
}

struct giver {
	int fd;
	size_t len;
};

static void *give(void *arg)
{
	struct giver *g = arg;
	char block[1000];

	for (size_t done = 0; done < g->len; done += sizeof(block)) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)(uint8_t)((done + i) * 31);
		fd_write_all(g->fd, block, sizeof(block), NULL);
	}
	close(g->fd);
	return NULL;
}

/* All of a pipe, blocking or not, after what was there; with one byte less allowed it is refused.
 */
static void drain_all(int flags)
{
	for (size_t less = 0; less < 2; less++) {
		CLEAN_BUF struct buf out = BUF_INIT;
		struct giver g = {.len = 200000};
		pthread_t thread;
		int p[2];

		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		assert_int_equal(fcntl(p[0], F_SETFL, flags), 0);
		g.fd = p[1];
		buf_add(&out, "before", 6);
		assert_int_equal(pthread_create(&thread, NULL, give, &g), 0);
		assert_int_equal(fd_drain(p[0], UINT64_MAX, 6 + g.len - less, &out),
				 less ? -EFBIG : 0);
		pthread_join(thread, NULL);
		close(p[0]);
		assert_int_equal(out.len, 6 + g.len);
		assert_memory_equal(out.p, "before", 6);
		for (size_t i = 0; i < g.len; i++)
			assert_int_equal((uint8_t)out.p[6 + i], (uint8_t)(i * 31));
	}
}

static void test_drain(void **state)
{
	CLEAN_BUF struct buf out = BUF_INIT, broken = {.failed = true};
	int p[2];

	(void)state;
	drain_all(0);
	drain_all(O_NONBLOCK);
	/* Nothing is a text, too. */
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_drain(p[0], clock_ms() + 20, 0, &out), -ETIMEDOUT);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(fd_drain(p[0], clock_ms() + 20, 1, &out), -ETIMEDOUT);
	assert_string_equal(out.p, "x");
	close(p[1]);
	assert_int_equal(fd_drain(p[0], UINT64_MAX, 0, &broken), -ENOMEM);
	buf_free(&out);
	assert_int_equal(fd_drain(p[0], UINT64_MAX, 0, &out), 0);
	assert_string_equal(out.p, "");
	close(p[0]);
	assert_int_equal(fd_drain(p[0], UINT64_MAX, 0, &out), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ownership),
		cmocka_unit_test(test_read_limits),
		cmocka_unit_test(test_read_refusals),
		cmocka_unit_test(test_read_at),
		cmocka_unit_test(test_write_all),
		cmocka_unit_test(test_fill_stdio),
		cmocka_unit_test(test_read_interrupted),
		cmocka_unit_test(test_await),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests_name("fd", tests, make_dir, remove_dir);
}
