/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nameservers: files in a directory of our own, and a system that refuses (the linker puts the
 * functions below in the place of its own): scopes by names of interfaces, files that cannot be
 * read, watches that cannot be had, links that lead elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/addr.h"
#include "proc/nameservers.h"

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);

static struct {
	int socket_errno, init_errno, watch_errno;
	unsigned refuse_watch; /* this one, from 1 on */
	unsigned n_watch;
	char watched[4][512];
} k;

static char dir[64], file[128], other[128];

static int refuse(int sys)
{
	errno = sys;
	return sys ? -1 : 0;
}

int __wrap_socket(int domain, int type, int protocol)
{
	return k.socket_errno ? refuse(k.socket_errno) : __real_socket(domain, type, protocol);
}

/* The interfaces that there are. */
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	struct ifreq *r = arg;

	assert_true(fd >= 0);
	assert_int_equal(request, SIOCGIFINDEX);
	if (strcmp(r->ifr_name, "eth0") == 0)
		r->ifr_ifindex = 7;
	else if (strcmp(r->ifr_name, "odd") == 0)
		r->ifr_ifindex = 0;
	else
		return refuse(ENODEV);
	return 0;
}

int __wrap_inotify_init1(int flags)
{
	(void)flags;
	return k.init_errno ? refuse(k.init_errno) : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	assert_true(fd >= 0 && mask != 0);
	assert_true(k.n_watch < 4);
	snprintf(k.watched[k.n_watch++], sizeof(k.watched[0]), "%s", path);
	return k.n_watch == k.refuse_watch ? refuse(k.watch_errno) : (int)k.n_watch;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t len = (ssize_t)strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, (size_t)len), len);
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	strcpy(dir, "/tmp/nameservers.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/resolv.conf", dir);
	snprintf(other, sizeof(other), "%s/there", dir);
	return 0;
}

static int tear_down(void **state)
{
	char inner[256];

	(void)state;
	snprintf(inner, sizeof(inner), "%s/x", other);
	unlink(inner);
	rmdir(other);
	unlink(other);
	unlink(file);
	return rmdir(dir);
}

static void test_scopes(void **state)
{
	static const struct {
		const char *word;
		uint32_t scope; /* 0: left out */
	} table[] = {
		{"fe80::1%eth0", 7},       {"fe80::1%12", 12}, {"fe80::1%odd", 0},
		{"fe80::1%none", 0},       {"fe80::1%", 0},    {"fe80::1%sixteen-letters1", 0},
		{"fe80::1%4294967296", 0}, {"fe80::1", 0},
	};
	struct resolvers r;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "nameserver %s\n", table[i].word);
		write_file(file, text);
		assert_int_equal(nameservers_load(file, &r, NULL), 0);
		assert_int_equal(r.n, table[i].scope != 0);
		if (r.n)
			assert_int_equal(r.scope[0], table[i].scope);
	}
	write_file(file, "nameserver fe80::1%eth0\nnameserver 192.0.2.1\n");
	k.socket_errno = EMFILE;
	assert_int_equal(nameservers_load(file, &r, NULL), 0);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.ip[0].family, AF_INET);
}

static uint32_t no_index(const char *name)
{
	(void)name;
	return 0;
}

static void test_lines(void **state)
{
	static const struct {
		const char *text;
		size_t len, n;
	} table[] = {
#define TEXT(s) s, sizeof(s) - 1
		{TEXT("nameserver\t192.0.2.1\r\n"), 1},
		{TEXT("nameserver \r\t192.0.2.1"), 1},
		{TEXT("nameserver 192.0.2.1 192.0.2.2"), 1},
		{TEXT("nameserver"), 0},
		{TEXT("nameserver "), 0},
		{TEXT("nameserver \t\r \n"), 0},
		{TEXT("nameservers 192.0.2.1"), 0},
		{TEXT(" nameserver 192.0.2.1"), 0},
		{TEXT("nameserver 192.0.2.1\0x"), 0},
		{TEXT("nameserver 0.0.0.0\nnameserver 224.0.0.1\nnameserver ff02::1"), 0},
		{TEXT("nameserver 1111111111111111111111111111111111111111111111111111111111111111"
		      "11111111"),
		 0},
		{TEXT("nameserver 192.0.2.1%7"), 0},
		/* The same address by two ways is two. */
		{TEXT("nameserver fe80::1%1\nnameserver fe80::1%2\nnameserver fe80::1%1"), 2},
	};
	struct resolvers r;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		nameservers_parse(table[i].text, table[i].len, no_index, &r);
		if (r.n != table[i].n)
			fail_msg("%s: %zu", table[i].text, r.n);
	}
}

static void test_unreadable(void **state)
{
	struct resolvers r = {.n = 3};
	struct err e = ERR_INIT;
	char inside[256];

	(void)state;
	assert_int_equal(nameservers_load(file, &r, &e), 0); /* none */
	assert_int_equal(r.n, 0);
	write_file(file, "nameserver 192.0.2.1\n");
	snprintf(inside, sizeof(inside), "%s/x", file);
	r.n = 3;
	assert_int_equal(nameservers_load(inside, &r, &e), 0);
	assert_int_equal(r.n, 0);
	r.n = 3;
	assert_true(nameservers_load(dir, &r, &e) < 0);
	assert_int_not_equal(e.kind, ERR_NONE);
	assert_true(nameservers_load(dir, &r, NULL) < 0);
	assert_int_equal(r.n, 3);
}

static void test_equal(void **state)
{
	struct resolvers a = {.n = 2, .ip = {{AF_INET, {1}}, {AF_INET, {2}}}, .scope = {0, 5}},
			 b = a;

	(void)state;
	assert_true(nameservers_equal(&a, &b));
	b.scope[1] = 6;
	assert_false(nameservers_equal(&a, &b));
	b = a;
	b.ip[1].b[0] = 3;
	assert_false(nameservers_equal(&a, &b));
	b = a;
	b.n = 1;
	assert_false(nameservers_equal(&a, &b));
	/* What is beyond the last one does not count. */
	a.n = b.n = 1;
	b.scope[1] = 7;
	assert_true(nameservers_equal(&a, &b));
}

static void test_watches(void **state)
{
	struct nameservers n = NAMESERVERS_INIT;
	char inner[256];

	(void)state;
	/* A file of its own, and none yet. */
	write_file(file, "");
	assert_int_equal(nameservers_watch(file, &n, NULL), 0);
	assert_int_equal(k.n_watch, 2);
	assert_string_equal(k.watched[0], dir);
	assert_string_equal(k.watched[1], file);
	assert_string_equal(n.link_dir, "");
	nameservers_close(&n);
	assert_int_equal(n.fd, -1);
	k.n_watch = 0;
	k.refuse_watch = 2;
	k.watch_errno = ENOENT;
	assert_int_equal(nameservers_watch(file, &n, NULL), 0);
	nameservers_close(&n);
	/* Where a link leads to. */
	unlink(file);
	assert_int_equal(mkdir(other, 0755), 0);
	snprintf(inner, sizeof(inner), "%s/x", other);
	write_file(inner, "");
	assert_int_equal(symlink("there/x", file), 0);
	k.n_watch = k.refuse_watch = 0;
	assert_int_equal(nameservers_watch(file, &n, NULL), 0);
	assert_int_equal(k.n_watch, 3);
	assert_string_equal(k.watched[2], other);
	assert_string_equal(n.link_dir, other);
	nameservers_close(&n);
	/* Of the root directory. */
	k.n_watch = 0;
	assert_int_equal(nameservers_watch("/no-such-file-there", &n, NULL), 0);
	assert_string_equal(k.watched[0], "/");
	nameservers_close(&n);
}

static void test_no_watches(void **state)
{
	char inner[256], far[600];

	(void)state;
	assert_int_equal(mkdir(other, 0755), 0);
	snprintf(inner, sizeof(inner), "%s/x", other);
	write_file(inner, "");
	assert_int_equal(symlink("there/x", file), 0);
	for (unsigned i = 0; i < 7; i++) {
		struct nameservers n = NAMESERVERS_INIT;
		struct err e = ERR_INIT;
		const char *path = file;

		memset(&k, 0, sizeof(k));
		k.watch_errno = i == 3 ? EACCES : ENOSPC;
		k.refuse_watch = i < 3 ? i + 1 : i == 3 ? 2 : 0;
		k.init_errno = i == 4 ? EMFILE : 0;
		if (i == 5)
			path = "resolv.conf";
		if (i == 6) { /* a directory of more than there is room for */
			memset(far, 'a', sizeof(far));
			memcpy(far, "/", 1);
			strcpy(far + 300, "/x");
			path = far;
		}
		assert_true(nameservers_watch(path, &n, &e) < 0);
		assert_int_not_equal(e.kind, ERR_NONE);
		assert_int_equal(n.fd, -1);
	}
}

static void test_changes(void **state)
{
	struct nameservers n = NAMESERVERS_INIT;
	struct resolvers r = {0};
	struct err e = ERR_INIT;

	(void)state;
	write_file(file, "nameserver 192.0.2.1\n");
	assert_int_equal(nameservers_watch(file, &n, NULL), 0);
	k.n_watch = 0;
	assert_int_equal(nameservers_changed(&n, &r, &e), 1);
	assert_int_equal(r.n, 1);
	/* What cannot be watched any more can be read all the same. */
	k.n_watch = 0;
	k.refuse_watch = 1;
	k.watch_errno = ENOSPC;
	assert_int_equal(nameservers_changed(&n, &r, &e), 0);
	k.n_watch = 0;
	write_file(file, "nameserver 192.0.2.2\n");
	assert_int_equal(nameservers_changed(&n, &r, &e), 1);
	assert_int_equal(r.ip[0].b[3], 2);
	/* What cannot be read leaves what there was. */
	k.n_watch = 0;
	unlink(file);
	assert_int_equal(mkdir(file, 0755), 0);
	assert_true(nameservers_changed(&n, &r, &e) < 0);
	assert_int_equal(r.n, 1);
	assert_int_equal(rmdir(file), 0);
	k.n_watch = 0;
	assert_int_equal(nameservers_changed(&n, &r, &e), 1);
	assert_int_equal(r.n, 0);
	nameservers_close(&n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scopes),
		TEST(test_unreadable),
		TEST(test_watches),
		TEST(test_no_watches),
		TEST(test_changes),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
