/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen: the socket that clients find: from its starter, or made in the place of one that nobody
 * listens on any more; what another has there stays as it is, and goes with nobody but him.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/listen.h"

static char dir[64], path[96];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/netd-listen-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/run/netd.sock", dir);
	return 0;
}

static int tear_down(void **state)
{
	char parent[80];

	(void)state;
	snprintf(parent, sizeof(parent), "%s/run", dir);
	rmdir(parent);
	assert_int_equal(rmdir(dir), 0); /* nothing is left in it */
	return 0;
}

static struct listen opened(void)
{
	struct listen l;
	struct err e = ERR_INIT;

	if (listen_open(path, &l, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(listen_is_socket(l.fd));
	assert_string_equal(l.name.sun_path, path);
	return l;
}

static int connects(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a));
	close(fd);
	return r;
}

static void test_made(void **state)
{
	struct stat st;
	mode_t mask = umask(0777);
	struct listen l = opened();

	(void)state;
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666); /* for everybody */
	assert_true(fcntl(l.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(l.fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(connects(), 0);
	listen_close(&l);
	assert_int_equal(l.fd, -1);
	assert_int_equal(access(path, F_OK), -1);
	/* Of one that was killed the file is left, and replaced. */
	l = opened();
	close(l.fd);
	assert_int_equal(connects(), -1);
	l = opened();
	assert_int_equal(connects(), 0);
	listen_close(&l);
	assert_int_equal(access(path, F_OK), -1);
}

static void refused(const char *at, enum err_kind kind, const char *part)
{
	struct listen l;
	struct err e = ERR_INIT;

	assert_true(listen_open(at, &l, &e) < 0);
	assert_int_equal(e.kind, kind);
	if (!strstr(e.text, part))
		fail_msg("%s", e.text);
	assert_int_equal(l.fd, -1);
	listen_close(&l);
}

static void test_in_the_way(void **state)
{
	struct listen l = opened();
	char at[300];
	struct stat st;

	(void)state;
	refused(path, ERR_CONFLICT, "another netd is there");
	assert_int_equal(connects(), 0); /* which goes on */
	listen_close(&l);
	/* What is no socket is nobody's to remove. */
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	refused(path, ERR_CONFLICT, "no socket");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/tmp/nowhere", path), 0);
	refused(path, ERR_CONFLICT, "no socket");
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
	memset(at, 'x', sizeof(at));
	memcpy(at, "/tmp/", 5);
	at[sizeof(at) - 1] = '\0';
	refused(at, ERR_USAGE, "the path of a socket has at most");
}

/* Another has taken the place meanwhile: the file is his. */
static void test_not_ours(void **state)
{
	struct listen l = opened(), his;

	(void)state;
	assert_int_equal(unlink(path), 0);
	his = opened();
	listen_close(&l);
	assert_int_equal(connects(), 0);
	listen_close(&his);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_adopted(void **state)
{
	struct listen l = opened(), again;
	struct err e = ERR_INIT;
	int pair[2];

	(void)state;
	assert_int_equal(listen_adopt(l.fd, &again, &e), 0);
	assert_string_equal(again.name.sun_path, path);
	assert_false(again.is_own); /* whoever made it removes it */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(listen_adopt(pair[0], &again, &e) < 0);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	close(pair[0]);
	close(pair[1]);
	pair[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_false(listen_is_socket(pair[0]));
	assert_false(listen_is_socket(-1));
	close(pair[0]);
	listen_close(&l);
}

/* As a service manager starts it: descriptor 3. The child's exit status: 10 + the kind of error, 1
 * when it took the socket, 2 when it made its own. */
static int started(const char *pid, const char *n, int fd)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct err e = ERR_INIT;
		struct listen l;
		char own[16];

		snprintf(own, sizeof(own), "%d", (int)getpid());
		if (dup2(fd, 3) != 3 || setenv("LISTEN_FDS", n, 1) < 0 ||
		    setenv("LISTEN_PID", pid ? pid : own, 1) < 0 ||
		    setenv("LISTEN_FDNAMES", "x", 1) < 0)
			_exit(9);
		if (listen_open(path, &l, &e) < 0)
			_exit(10 + (int)e.kind);
		/* Programs that it starts are not meant. */
		if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES"))
			_exit(8);
		if (l.fd == 3 && !(fcntl(3, F_GETFD) & FD_CLOEXEC))
			_exit(7);
		status = l.fd == 3 ? 1 : 2;
		listen_close(&l);
		_exit(status);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_started(void **state)
{
	static const char *const none[] = {"0", "", "-1", "x", "1x", "99999999999"};
	struct listen l = opened();
	int other = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(started(NULL, "1", l.fd), 1);
	assert_int_equal(access(path, F_OK), 0); /* it is the manager's */
	assert_int_equal(started(NULL, "2", l.fd), 10 + ERR_USAGE);
	assert_int_equal(started(NULL, "1", other), 10 + ERR_USAGE);
	listen_close(&l);
	/* Meant for another process, or for nobody. */
	assert_int_equal(started("1", "1", other), 2);
	assert_int_equal(started("", "1", other), 2);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(started(NULL, none[i], other), 2);
	assert_int_equal(access(path, F_OK), -1);
	close(other);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_made),    TEST(test_in_the_way), TEST(test_not_ours),
		TEST(test_adopted), TEST(test_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
