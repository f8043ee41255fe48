/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket when the system refuses (the linker puts the functions below in the place of
 * its own, each fails once with what it is told) or there is no memory: what is bound and what is
 * left behind, who is let in, whom an answer reaches.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "lack.h"
#include "proc/ctl.h"

/* How a call fails, from the nth on, once; n_more: so many times more. */
struct failure {
	int sys, nth, n_more;
};

static struct {
	struct failure socket, fchmod, bind, listen, open64, flock, lstat64, unlink, connect, recv,
		send, accept4, getsockopt, poll;
	bool has_peer;
	uid_t peer;
	int n_poll, poll_result;
} k;

static bool fails(struct failure *f)
{
	if (!f->sys || --f->nth > 0)
		return false;
	errno = f->sys;
	if (f->n_more-- <= 0)
		f->sys = 0;
	return true;
}

#define WRAP(type, name, params, args)                                                             \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		return fails(&k.name) ? -1 : __real_##name args;                                   \
	}

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, bind, (int fd, const struct sockaddr *sa, socklen_t len), (fd, sa, len))
WRAP(int, listen, (int fd, int n), (fd, n))
WRAP(int, flock, (int fd, int what), (fd, what))
WRAP(int, lstat64, (const char *name, struct stat *st), (name, st))
WRAP(int, unlink, (const char *name), (name))
WRAP(int, connect, (int fd, const struct sockaddr *sa, socklen_t len), (fd, sa, len))
WRAP(ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
WRAP(ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
WRAP(int, accept4, (int fd, struct sockaddr *sa, socklen_t *len, int flags), (fd, sa, len, flags))

/* Files are of 64 bits, and so are the names of what opens them. */
int __real_open64(const char *name, int flags, ...);
int __wrap_open64(const char *name, int flags, ...);
int __wrap_open64(const char *name, int flags, ...)
{
	assert_false(flags & O_CREAT);
	return fails(&k.open64) ? -1 : __real_open64(name, flags);
}

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (fails(&k.getsockopt))
		return -1;
	if (!k.has_peer)
		return __real_getsockopt(fd, level, name, value, len);
	assert_int_equal(name, SO_PEERCRED);
	*(struct ucred *)value = (struct ucred){.uid = k.peer, .gid = k.peer};
	return 0;
}

int __real_poll(struct pollfd *p, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
	k.n_poll++;
	if (fails(&k.poll))
		return -1;
	return k.poll_result ? k.poll_result - 1 : __real_poll(p, n, timeout_ms);
}

static char dir[64], path[96];
static struct ctl *ctl;
static uint64_t asked, now;

static bool request(void *arg, uint64_t id, const char *verb, json_t *arguments)
{
	(void)arg;
	(void)arguments;
	if (strcmp(verb, "later") != 0 && strcmp(verb, "metrics") != 0)
		return false;
	asked = id;
	return true;
}

static int set_up(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	asked = 0;
	now = clock_ms();
	strcpy(dir, "/tmp/ctlfaults.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/api", dir);
	return 0;
}

static int set_up_served(void **state)
{
	const struct ctl_ops ops = {.request = request};
	int fd;

	set_up(state);
	assert_int_equal(ctl_listen(path, &fd, NULL), 0);
	assert_int_equal(ctl_new(fd, &ops, &ctl, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	ctl_free(ctl);
	ctl = NULL;
	(void)unlink(path);
	return rmdir(dir);
}

static struct failure once(int sys)
{
	return (struct failure){.sys = sys, .nth = 1};
}

/* A socket that nobody listens to any more. */
static void leave_stale(void)
{
	int fd;

	assert_int_equal(ctl_listen(path, &fd, NULL), 0);
	close(fd);
	assert_int_equal(access(path, F_OK), 0);
}

/* ---- the file ---- */

static void test_bind_fails(void **state)
{
	static const struct {
		struct failure *at;
		int sys;
	} table[] = {
		{&k.socket, EMFILE},  {&k.fchmod, EPERM},  {&k.bind, EACCES},
		{&k.listen, ENOBUFS}, {&k.open64, EMFILE}, {&k.lstat64, EACCES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err e = ERR_INIT;
		int fd = -1;

		*table[i].at = once(table[i].sys);
		assert_int_equal(ctl_listen(path, &fd, &e), -table[i].sys);
		assert_int_equal(fd, -1);
		assert_int_equal(table[i].at->sys, 0);
		assert_int_not_equal(access(path, F_OK), 0); /* nothing is left of it */
	}
}

/* Whether somebody listens cannot be told: then somebody does. */
static void test_stale(void **state)
{
	struct err e = ERR_INIT;
	int fd = -1;

	(void)state;
	leave_stale();
	k.socket = (struct failure){.sys = EMFILE, .nth = 2};
	assert_int_equal(ctl_listen(path, &fd, &e), -EADDRINUSE);
	k.connect = once(EAGAIN);
	assert_int_equal(ctl_listen(path, &fd, &e), -EADDRINUSE);
	assert_int_equal(e.kind, ERR_CONFLICT);
	k.unlink = once(EACCES);
	assert_int_equal(ctl_listen(path, &fd, &e), -EACCES);
	k.unlink = once(ENOENT); /* another one was quicker, and has it */
	assert_int_equal(ctl_listen(path, &fd, &e), -EADDRINUSE);
	assert_int_equal(ctl_listen(path, &fd, &e), 0);
	close(fd);
}

/* The lock is done without where there can be none, and waited for where there is one. */
static void test_locks(void **state)
{
	static const int without[] = {ENOLCK, EOPNOTSUPP};
	int fd;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		leave_stale();
		k.flock = once(without[i]);
		assert_int_equal(ctl_listen(path, &fd, NULL), 0);
		assert_int_equal(k.flock.sys, 0);
		close(fd);
	}
	leave_stale();
	k.open64 = once(EACCES); /* a directory that may be written to but not read */
	assert_int_equal(ctl_listen(path, &fd, NULL), 0);
	assert_int_equal(k.open64.sys, 0);
	close(fd);
	leave_stale();
	k.flock = (struct failure){.sys = EINTR, .nth = 1, .n_more = 2};
	assert_int_equal(ctl_listen(path, &fd, NULL), 0);
	assert_int_equal(k.flock.sys, 0);
	close(fd);
}

/* In the directory we are in. */
static void test_plain_name(void **state)
{
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct stat st;

	(void)state;
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(ctl_listen("api", &fd, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	assert_int_equal(fchdir(here), 0);
	close(here);
}

static void test_await_end(void **state)
{
	char far[256];
	int fd;

	(void)state;
	memset(far, 'a', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	ctl_await_end(far, 10000);
	ctl_await_end(path, 10000); /* nobody */
	k.socket = once(EMFILE);
	ctl_await_end(path, 10000);
	assert_int_equal(k.n_poll, 0);
	assert_int_equal(ctl_listen(path, &fd, NULL), 0);
	k.poll = (struct failure){.sys = EINTR, .nth = 1, .n_more = 1};
	k.poll_result = 2;
	ctl_await_end(path, 10000);
	assert_int_equal(k.n_poll, 3); /* interrupted twice */
	k.poll = once(EINVAL);
	ctl_await_end(path, 10000);
	assert_int_equal(k.n_poll, 4);
	k.poll_result = 0;
	ctl_await_end(path, 0); /* not for ever: it still is served */
	assert_int_equal(k.n_poll, 5);
	close(fd);
}

/* ---- clients ---- */

static int dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	strcpy(sa.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* One round for everybody. */
static void serve(void)
{
	struct pollfd p[CTL_N_POLL];

	(void)ctl_poll(ctl, p);
	(void)__real_poll(p, CTL_N_POLL, 0);
	ctl_serve(ctl, p, now);
}

/* What came, "" for nothing; with "END" after it when that came. */
static const char *heard(int fd)
{
	static char text[2048];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 8 - len)) > 0)
		len += (size_t)n;
	strcpy(text + len, n == 0 || errno == ECONNRESET ? "END" : "");
	return text;
}

/* One who is let in and says this. */
static int greet(const char *text)
{
	int fd = dial();

	serve();
	say(fd, text);
	return fd;
}

/* With the next round comes an answer that has this in it. */
static void expect_answer(int fd, const char *part)
{
	serve();
	assert_non_null(strstr(heard(fd), part));
	close(fd);
}

static void expect_end(int fd)
{
	serve();
	assert_string_equal(heard(fd), "END");
	close(fd);
}

static void test_welcome(void **state)
{
	static const struct {
		bool has_peer, is_unknown, is_welcome;
		uid_t uid;
	} table[] = {{false, false, true, 0},
		     {true, false, true, 0},
		     {true, false, false, 4711},
		     {true, true, false, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int fd = dial();

		k.has_peer = table[i].has_peer;
		k.peer = table[i].uid;
		k.getsockopt = table[i].is_unknown ? once(EINVAL) : (struct failure){0};
		serve();
		assert_string_equal(heard(fd), table[i].is_welcome ? "" : "END");
		close(fd);
		serve();
	}
}

/* No descriptor for a client: it is left waiting for a moment, and let in then. */
static void test_accept(void **state)
{
	struct pollfd p[CTL_N_POLL];
	int fd = dial();

	(void)state;
	k.accept4 = once(EMFILE);
	serve();
	assert_in_range(ctl_poll(ctl, p), now + 1, now + 1000);
	assert_int_equal(p[0].fd, -1);
	now = ctl_poll(ctl, p) - 1;
	serve();
	(void)ctl_poll(ctl, p);
	assert_int_equal(p[0].fd, -1);
	now++;
	serve();
	(void)ctl_poll(ctl, p);
	assert_true(p[0].fd >= 0);
	/* An interruption, or one who has gone again: the next one is asked for at once. */
	k.accept4 = once(EINTR);
	serve();
	say(fd, "{}");
	expect_answer(fd, "no execute found");
	fd = dial();
	k.accept4 = once(ECONNABORTED);
	serve();
	say(fd, "{}");
	expect_answer(fd, "no execute found");
}

static void test_reading(void **state)
{
	int fd = greet("{\"execute\":\"x\"}");

	(void)state;
	k.recv = once(EINTR);
	expect_answer(fd, "unknown execute");
	fd = greet("{");
	k.recv = once(ECONNRESET);
	expect_end(fd);
	/* Room for what came. */
	fd = greet("{");
	lack_begin(1, false);
	serve();
	assert_true(lack_end());
	assert_string_equal(heard(fd), "END");
	close(fd);
}

static void test_writing(void **state)
{
	int fd = greet("{\"execute\":\"x\"}");

	(void)state;
	k.send = once(EINTR);
	expect_answer(fd, "unknown execute");
	/* Not now: at the next turn. */
	fd = greet("{\"execute\":\"x\"}");
	k.send = once(EAGAIN);
	serve();
	assert_string_equal(heard(fd), "");
	expect_answer(fd, "unknown execute");
	/* Or before the end, for as long as there is time. */
	fd = greet("{\"execute\":\"x\"}");
	k.send = once(EAGAIN);
	serve();
	k.n_poll = 0;
	ctl_flush(ctl, 0);
	assert_int_equal(k.n_poll, 0);
	k.poll = once(EINTR);
	ctl_flush(ctl, 30000);
	assert_int_equal(k.n_poll, 2);
	assert_non_null(strstr(heard(fd), "unknown execute"));
	close(fd);
	fd = greet("{\"execute\":\"x\"}");
	k.send = once(EPIPE);
	expect_end(fd);
}

/* Everybody waits for the supervisor: nobody is turned out, and who comes now is not let in. */
static void test_all_wait(void **state)
{
	int fd[CTL_CLIENTS], one;

	(void)state;
	for (int i = 0; i < CTL_CLIENTS; i++) {
		fd[i] = dial();
		serve();
		say(fd[i], "{\"execute\":\"later\"}");
		serve();
	}
	one = dial();
	serve();
	assert_string_equal(heard(one), "END");
	close(one);
	ctl_answer(ctl, asked, "{}");
	assert_string_equal(heard(fd[CTL_CLIENTS - 1]), "{}END");
	for (int i = 0; i < CTL_CLIENTS; i++)
		close(fd[i]);
	/* Those who begin give way, the oldest first. */
	serve();
	for (int i = 0; i < CTL_CLIENTS; i++) {
		fd[i] = dial();
		serve();
	}
	one = dial();
	serve();
	assert_string_equal(heard(fd[0]), "END");
	assert_string_equal(heard(fd[1]), "");
	assert_string_equal(heard(one), "");
	close(one);
	for (int i = 0; i < CTL_CLIENTS; i++)
		close(fd[i]);
}

static void test_nobody(void **state)
{
	(void)state;
	ctl_answer(ctl, 4711, "{}");
	ctl_answer_text(ctl, 4711, "x");
	ctl_free(NULL);
}

static void test_scraper(void **state)
{
	int fd = greet("GET ");

	(void)state;
	serve();
	say(fd, "/metrics HTTP/1.1\r\n");
	serve();
	assert_string_equal(heard(fd), "");
	say(fd, "\r\n");
	serve();
	ctl_answer_text(ctl, asked, "x 1\n");
	assert_non_null(strstr(heard(fd), "\r\n\r\nx 1\nEND"));
	close(fd);
	fd = greet("GET /\r\n\r\n");
	expect_answer(fd, "404");
}

/* Whatever is lacking: an answer that is whole, the one that says so, or the end. */
static void test_no_memory(void **state)
{
	static const char *const requests[] = {"{\"execute\":\"x\"}", "{\"execute\":\"later\"}",
					       "[7]"};

	(void)state;
	for (int for_good = 0; for_good < 2; for_good++)
		for (size_t r = 0; r < 3; r++) {
			bool has_failed = true;

			for (size_t nth = 1; has_failed; nth++) {
				int fd = dial();
				const char *text;

				serve();
				say(fd, requests[r]);
				asked = 0;
				lack_begin(nth, for_good);
				serve();
				if (asked)
					ctl_answer_text(ctl, asked, "plain");
				has_failed = lack_end();
				text = heard(fd);
				if (!strstr(text, "}END") && strcmp(text, "END") != 0)
					fail_msg("%s, allocation %zu: %s", requests[r], nth, text);
				if (!has_failed)
					assert_non_null(strstr(text, r == 0   ? "unknown execute"
								     : r == 1 ? "plain"
									      : "an object"));
				else if (strcmp(text, "END") != 0)
					assert_true(strstr(text, "out of memory") ||
						    strstr(text, "cannot parse") ||
						    strstr(text, "plain\"}}END") ||
						    strstr(text, "\"}}END"));
				close(fd);
				serve();
			}
		}
}

static void test_new(void **state)
{
	const struct ctl_ops ops = {.request = request};
	struct err e = ERR_INIT;
	struct ctl *none = NULL;

	(void)state;
	lack_begin(1, false);
	assert_int_equal(ctl_new(-1, &ops, &none, &e), -ENOMEM);
	assert_true(lack_end());
	assert_null(none);
	assert_int_equal(e.kind, ERR_INTERNAL);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_bind_fails), FILE_TEST(test_stale),      FILE_TEST(test_locks),
		FILE_TEST(test_plain_name), FILE_TEST(test_await_end),  TEST(test_welcome),
		TEST(test_accept),          TEST(test_reading),         TEST(test_writing),
		TEST(test_all_wait),        TEST(test_nobody),          TEST(test_scraper),
		TEST(test_no_memory),       cmocka_unit_test(test_new),
	};

	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
