/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file: records on a disk that interrupts, writes in parts, or fails: the linker puts the functions
 * below in the place of the C library's. What was acknowledged before stays whole, nothing
 * temporary is left, and what can be tried again is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#include "lack.h"
#include "store/file.h"

/* Each of the next calls fails so, or does a part of its work (more than 0 bytes). */
static struct {
	int sys[8];
	size_t part[8];
	size_t n, at;
	const char *of; /* the function that is meant */
	unsigned n_calls;
} play;

static bool is_played(const char *of, size_t *part)
{
	if (!play.of || strcmp(play.of, of) != 0)
		return false;
	play.n_calls++;
	if (play.at == play.n)
		return false;
	errno = play.sys[play.at];
	*part = play.part[play.at++];
	return true;
}

ssize_t __real_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __real_pread64(int fd, void *p, size_t n, off_t at);
int __real_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t at);
ssize_t __wrap___pread64_chk(int fd, void *p, size_t n, off_t at, size_t room);
int __wrap_fsync(int fd);
int __wrap_renameat(int a, const char *from, int b, const char *to);

ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
	size_t part = n;

	if (is_played("pwrite", &part) && part == 0)
		return errno ? -1 : 0;
	return __real_pwrite64(fd, p, part < n ? part : n, at);
}

ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t at)
{
	size_t part = n;

	if (is_played("pread", &part) && part == 0)
		return -1;
	return __real_pread64(fd, p, part < n ? part : n, at);
}

/* What a build with _FORTIFY_SOURCE calls in its place. */
ssize_t __wrap___pread64_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
	assert_true(n <= room);
	return __wrap_pread64(fd, p, n, at);
}

int __wrap_fsync(int fd)
{
	size_t part;

	return is_played("fsync", &part) ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
	size_t part;

	return is_played("renameat", &part) ? -1 : __real_renameat(a, from, b, to);
}

static int dir;

static int set_up(void **state)
{
	util_fresh(state);
	memset(&play, 0, sizeof(play));
	assert_int_equal(mkdir("/tmp/d", 0755), 0);
	dir = open("/tmp/d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(dir);
	return 0;
}

static void fail_once(const char *of, int sys)
{
	memset(&play, 0, sizeof(play));
	play.of = of;
	play.n = 1;
	play.sys[0] = sys;
}

static void put(const char *line)
{
	must(0, file_put(dir, "r", line, strlen(line), true, e));
}

static void check(const char *want)
{
	char *line;
	size_t len;

	must(0, file_get(dir, "r", &line, &len, e));
	assert_string_equal(line, want);
	assert_int_equal(len, strlen(want));
	free(line);
	assert_int_equal(util_count("/tmp/d"), 1);
}

static void test_interrupted(void **state)
{
	(void)state;
	play.of = "pwrite";
	play.n = 4;
	play.sys[0] = play.sys[2] = EINTR;
	play.part[1] = 1;
	play.part[3] = 5;
	put("{\"a\":1}");
	assert_int_equal(play.n_calls, 5);
	check("{\"a\":1}");
	play = (__typeof__(play)){.of = "pread", .n = 3, .sys = {EINTR}, .part = {0, 1, 3}};
	check("{\"a\":1}");
	assert_int_equal(play.at, 3);
	play = (__typeof__(play)){.of = "fsync", .n = 2, .sys = {EINTR, EINTR}};
	put("{\"a\":2}");
	assert_int_equal(play.n_calls, 4); /* the file, and the directory */
	check("{\"a\":2}");
}

static void test_failed(void **state)
{
	static const struct {
		const char *of, *part;
		int sys;
		enum err_kind kind;
	} table[] = {
		{"pwrite", "cannot write", EIO, ERR_IO},
		{"pwrite", "cannot write", ENOSPC, ERR_IO},
		{"pwrite", "cannot write", 0, ERR_IO}, /* it takes nothing, and says no reason */
		{"fsync", "cannot fsync", EIO, ERR_IO},
		{"renameat", "cannot rename", EROFS, ERR_IO},
		{"renameat", "is a directory", EISDIR, ERR_PROTOCOL},
	};

	(void)state;
	put("old");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fail_once(table[i].of, table[i].sys);
		must_fail(table[i].kind, table[i].part, file_put(dir, "r", "new", 3, true, e));
		assert_int_equal(play.at, 1);
		check("old");
	}
	fail_once("pread", EIO);
	char *line = NULL;
	size_t len = 7;
	must_fail(ERR_IO, "cannot read", file_get(dir, "r", &line, &len, e));
	assert_true(!line && len == 7);
	/* Swept away by another meanwhile: once more, but not for ever. */
	fail_once("renameat", ENOENT);
	put("new");
	assert_int_equal(play.n_calls, 2);
	check("new");
	play = (__typeof__(play)){
		.of = "renameat",
		.n = 8,
		.sys = {ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, ENOENT}};
	must_fail(ERR_BUSY, "others keep removing", file_put(dir, "r", "newer", 5, true, e));
	memset(&play, 0, sizeof(play));
	put("newest"); /* what was left of it is no obstacle */
	check("newest");
}

static void test_limits(void **state)
{
	char name[NAME_MAX + 1], *line;
	static char text[FILE_LINE_MAX + 1];
	size_t len;

	(void)state;
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	must_fail(ERR_KERNEL, "name of a state file", file_put(dir, name, "x", 1, false, e));
	memset(text, 'x', sizeof(text));
	must_fail(ERR_QUOTA, "at most 1048576 bytes",
		  file_put(dir, "r", text, FILE_LINE_MAX + 1, false, e));
	assert_int_equal(util_count("/tmp/d"), 0);
	must(0, file_put(dir, "r", text, FILE_LINE_MAX, false, e));
	must(0, file_get(dir, "r", &line, &len, e));
	assert_int_equal(len, FILE_LINE_MAX);
	free(line);
	/* One byte more than that is not read. */
	assert_int_equal(truncate("/tmp/d/r", FILE_LINE_MAX + 18), 0);
	must_fail(ERR_PROTOCOL, "too long", file_get(dir, "r", &line, &len, e));
}

/* A limit of the process's: an error, and the signal does not reach it; one that it had blocked and
 * pending already stays its own. */
static void test_file_size(void **state)
{
	struct rlimit was, lim;
	sigset_t set, now;

	(void)state;
	put("old");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	lim = was;
	lim.rlim_cur = 4;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	must_fail(ERR_IO, "cannot write", file_put(dir, "r", "new", 3, true, e));
	sigpending(&now);
	assert_false(sigismember(&now, SIGXFSZ));
	sigprocmask(SIG_SETMASK, NULL, &now);
	assert_false(sigismember(&now, SIGXFSZ));
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &set, NULL);
	must_fail(ERR_IO, "cannot write", file_put(dir, "r", "new", 3, true, e));
	sigprocmask(SIG_SETMASK, NULL, &now);
	assert_true(sigismember(&now, SIGXFSZ));
	signal(SIGXFSZ, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	check("old");
}

static void test_no_memory(void **state)
{
	struct file_names l = {0};
	bool has_failed = true;
	char *line = NULL, name[16];
	size_t len;

	(void)state;
	put("old");
	lack_begin(1, true);
	must_fail(ERR_INTERNAL, "no memory for a record", file_put(dir, "r", "new", 3, true, e));
	must_fail(ERR_INTERNAL, "no memory for a record", file_get(dir, "r", &line, &len, e));
	assert_true(lack_end());
	check("old");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%03d", i);
		assert_int_equal(close(openat(dir, name, O_CREAT | O_WRONLY, 0644)), 0);
	}
	for (size_t nth = 1; has_failed; nth++) {
		struct err e = ERR_INIT;
		int r;

		lack_begin(nth, false);
		r = file_list(dir, &l, &e);
		has_failed = lack_end();
		assert_int_equal(r < 0, has_failed);
		assert_int_equal(l.n, has_failed ? 0 : 101);
		assert_int_equal(e.kind, has_failed ? ERR_INTERNAL : ERR_NONE);
	}
	assert_string_equal(l.name[0], "n000");
	assert_string_equal(l.name[100], "r");
	file_names_free(&l);
}

static void test_trees(void **state)
{
	char path[64] = "/tmp/d";
	int fd;

	(void)state;
	must(0, file_remove_tree(dir, "none", e));
	for (int i = 0; i < 7; i++) {
		strcat(path, "/x");
		assert_int_equal(mkdir(path, 0755), 0);
	}
	assert_int_equal(symlink("/tmp", "/tmp/d/x/link"), 0);
	must(0, file_remove_tree(dir, "x", e));
	assert_int_equal(util_count("/tmp/d"), 0);
	assert_int_equal(access("/tmp", F_OK), 0);
	/* Deeper than anything of ours. */
	strcpy(path, "/tmp/d");
	for (int i = 0; i < 12; i++) {
		strcat(path, "/x");
		assert_int_equal(mkdir(path, 0755), 0);
	}
	must_fail(ERR_PROTOCOL, "too deep", file_remove_tree(dir, "x", e));
	/* What is no directory, or no file, of its own is never opened as one. */
	assert_int_equal(symlink("x", "/tmp/d/link"), 0);
	must_fail(ERR_PROTOCOL, "not a directory", file_open_dir(dir, "link", true, &fd, e));
	must_fail(ERR_PROTOCOL, "not a plain file", file_open_rw(dir, "link", true, 0600, &fd, e));
	must_fail(ERR_PROTOCOL, "not a plain file", file_open_rw(dir, "x", true, 0600, &fd, e));
	must_fail(ERR_PROTOCOL, "is a directory", file_unlink(dir, "x", false, e));
	must(1, file_open_dir(dir, "none", false, &fd, e));
	must(1, file_open_rw(dir, "none", false, 0600, &fd, e));
	must(1, file_unlink(dir, "none", true, e));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_interrupted), TEST(test_failed),    TEST(test_limits),
		TEST(test_file_size),   TEST(test_no_memory), TEST(test_trees),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
