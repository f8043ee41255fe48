/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * full: a state directory on a file system that is full of data, out of inodes, read-only, or
 * behind RLIMIT_FSIZE: a clear error, nothing half made, deleting works, and all works once there
 * is space.
 */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/claim.h"
#include "store/hostlog.h"

static void mount_state(const char *options)
{
	assert_int_equal(mkdir("/tmp/fs", 0755), 0);
	assert_int_equal(mount("tmpfs", "/tmp/fs", "tmpfs", 0, options), 0);
	assert_int_equal(symlink("fs", "/tmp/via"), 0); /* parents may be links */
}

#define FS_DIR "/tmp/via/state"

static struct store *open_fs(void)
{
	struct store *s = NULL;

	must(0, store_open(FS_DIR, true, COOKIE, BOOT, &s, e));
	return s;
}

/* One attachment as an engine would write it: claims, then the record. A failure takes back. */
static int add(struct store *s, const char *id, const char *spec, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment(id, NULL, spec);
	struct network n = util_network("default", "10.88.0.0/16", NULL);
	const bool has[N_FAM] = {true, false};
	char key[KEY_STRLEN];
	int r;

	name_key(a->id, a->ifname, key);
	r = store_lock(s, e);
	if (r < 0)
		return r;
	r = claim_next_addr(s, &n, FAM4, key, &a->addr[FAM4].ip, e);
	if (r == 0) {
		r = claim_ports(s, a->publish, has, key, e);
		if (r == 0)
			r = store_put_attachment(s, a, e);
		if (r < 0) {
			assert_int_equal(claim_drop_ports(s, a->publish, has, key, NULL), 0);
			assert_int_equal(claim_drop_addr(s, &a->addr[FAM4].ip, key, NULL), 0);
		}
	}
	store_unlock(s);
	return r;
}

static void del(struct store *s, const char *id)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	const bool has[N_FAM] = {true, false};
	char key[KEY_STRLEN];

	must(0, store_get_attachment(s, id, "eth0", &a, e));
	name_key(a->id, a->ifname, key);
	must(0, store_lock(s, e));
	must(0, claim_drop_ports(s, a->publish, has, key, e));
	must(0, claim_drop_addr(s, &a->addr[FAM4].ip, key, e));
	must(0, store_del_attachment(s, id, "eth0", e));
	store_unlock(s);
}

static void no_empty_file(const char *dir)
{
	char cmd[200];

	snprintf(cmd, sizeof(cmd),
		 "test -z \"$(find %s/ -type f -empty ! -name lock; find %s/ -name '.*' -type f; "
		 "test ! -d %s/ports || find %s/ports -mindepth 1 -type d -empty)\"",
		 dir, dir, dir, dir);
	assert_int_equal(system(cmd), 0);
}

/* Adds until it fails; every failure leaves the store as it was. Then deletes all and adds again.
 */
static void exhaust(int sys)
{
	struct store *s = open_fs();
	char id[32], spec[64];
	int n, before, r;

	for (n = 0; n < 2000; n++) {
		struct err e = ERR_INIT;

		snprintf(id, sizeof(id), "c%d", n);
		snprintf(spec, sizeof(spec), "198.51.100.1:%d:80", 1000 + n);
		before = util_count(FS_DIR);
		r = add(s, id, spec, &e);
		if (r == 0)
			continue;
		assert_int_equal(r, -sys);
		assert_int_equal(e.kind, ERR_IO);
		assert_non_null(strstr(e.text, strerror(sys)));
		/* a first one may leave the cursor file, which is the network's */
		assert_in_range(util_count(FS_DIR), before, before + (n == 0));
		no_empty_file(FS_DIR);
		break;
	}
	assert_in_range(n, 1, 1999);
	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		del(s, id);
	}
	must(0, add(s, "again", "8080:80", e));
	del(s, "again");
	must(0, store_lock(s, e));
	must(0, store_remove_if_empty(s, e));
	store_closep(&s);
	assert_int_equal(util_count("/tmp/fs"), 0);
}

static void test_size(void **state)
{
	(void)state;
	mount_state("size=64k,mode=0755");
	exhaust(ENOSPC);
}

static void test_inodes(void **state)
{
	(void)state;
	mount_state("nr_inodes=20,mode=0755");
	exhaust(ENOSPC);
}

/* From no inode at all upward: opening either works or leaves nothing. */
static void test_open_without_inodes(void **state)
{
	int n_failed = 0;

	(void)state;
	for (int inodes = 1; inodes < 12; inodes++) {
		struct store *s = NULL;
		struct err e = ERR_INIT;
		char options[64];

		snprintf(options, sizeof(options), "nr_inodes=%d,mode=0755", inodes);
		mount_state(options);
		if (store_open(FS_DIR, true, COOKIE, BOOT, &s, &e) < 0) {
			n_failed++;
			assert_int_equal(e.kind, ERR_IO);
			assert_int_equal(e.sys, ENOSPC);
			assert_non_null(strstr(e.text, FS_DIR));
			assert_int_equal(util_count("/tmp/fs"), 0);
			assert_int_equal(access(FS_DIR, F_OK), -1);
		} else {
			store_closep(&s);
		}
		assert_int_equal(umount("/tmp/fs"), 0);
		util_fresh(NULL);
	}
	assert_in_range(n_failed, 3, 8);
}

static void test_read_only(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct network n = util_network("default", "10.88.0.0/16", NULL);
	struct store *s;
	struct ip ip;

	(void)state;
	mount_state("mode=0755");
	s = open_fs();
	must(0, add(s, "web", "8080:80", e));
	store_closep(&s);
	assert_int_equal(mount(NULL, "/tmp/fs", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	must(0, store_open(FS_DIR, true, COOKIE, BOOT, &s, e));
	must(0, store_get_attachment(s, "web", "eth0", &a, e)); /* reading works */
	must_fail(ERR_IO, "Read-only", store_lock(s, e));
	must_fail(ERR_IO, "Read-only", store_lock_key(s, "web@eth0", e));
	must_fail(ERR_IO, "Read-only", store_put_attachment(s, a, e));
	must_fail(ERR_IO, "Read-only", store_del_attachment(s, "web", "eth0", e));
	must_fail(ERR_INTERNAL, "global lock", claim_next_addr(s, &n, FAM4, "x@eth0", &ip, e));
	store_closep(&s);
	must_fail(ERR_IO, "Read-only", store_open("/tmp/fs/new", true, COOKIE, BOOT, &s, e));
	assert_int_equal(mount(NULL, "/tmp/fs", NULL, MS_REMOUNT, NULL), 0);
	s = open_fs();
	del(s, "web");
	store_closep(&s);
}

static int with_limit(void *arg)
{
	struct rlimit lim = {.rlim_cur = *(rlim_t *)arg, .rlim_max = RLIM_INFINITY};
	struct err e = ERR_INIT;
	struct store *s = NULL;
	sigset_t pending;

	signal(SIGXFSZ, SIG_DFL);
	if (setrlimit(RLIMIT_FSIZE, &lim) < 0)
		return 1;
	if (store_open("/tmp/fs/new", true, COOKIE, BOOT, &s, &e) != -EFBIG || e.kind != ERR_IO ||
	    access("/tmp/fs/new", F_OK) == 0)
		return 2;
	err_reset(&e);
	if (store_open(FS_DIR, true, COOKIE, BOOT, &s, &e) != 0)
		return 3;
	if (add(s, "late", "198.51.100.1:81:80", &e) != -EFBIG || e.kind != ERR_IO)
		return 4;
	if (store_lock(s, &e) < 0 || hostlog_put(s, "net/x", 0, 1, &e) != -EFBIG)
		return 5;
	store_unlock(s);
	sigpending(&pending);
	if (sigismember(&pending, SIGXFSZ))
		return 6;
	del(s, "web");
	lim.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_FSIZE, &lim) < 0 || add(s, "late", "81:80", &e) != 0)
		return 7;
	del(s, "late");
	return 0;
}

static void test_file_size_limit(void **state)
{
	static const rlim_t limits[] = {0, 5};

	(void)state;
	mount_state("mode=0755");
	for (int i = 0; i < 2; i++) {
		struct store *s = open_fs();

		must(0, add(s, "web", "8080:80", e));
		assert_int_equal(util_wait(util_fork(with_limit, (void *)&limits[i])), 0);
		no_empty_file(FS_DIR);
		assert_int_equal(util_count(FS_DIR), 3); /* identity, lock, cursor */
		store_closep(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_size, util_fresh),
		cmocka_unit_test_setup(test_inodes, util_fresh),
		cmocka_unit_test_setup(test_open_without_inodes, util_fresh),
		cmocka_unit_test_setup(test_read_only, util_fresh),
		cmocka_unit_test_setup(test_file_size_limit, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
