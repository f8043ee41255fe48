/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir: opening, identity, other boots and hosts, strange modes, removal under others' feet. */
#include "util.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/claim.h"
#include "store/hostlog.h"

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void put(struct store *s, const char *id, const char *spec)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment(id, NULL, spec);

	must(0, store_put_attachment(s, a, e));
}

static void test_open(void **state)
{
	struct store *s = (struct store *)1;

	(void)state;
	must(1, store_open(DIR_NAME, false, COOKIE, BOOT, &s, e));
	assert_null(s);
	must(1, store_open("/tmp/no/such/parent", false, COOKIE, BOOT, &s, e));
	must_fail(ERR_ABSENT, "/tmp/no/such/state",
		  store_open("/tmp/no/such/state", true, COOKIE, BOOT, &s, e));
	must_fail(ERR_USAGE, "''", store_open("", true, COOKIE, BOOT, &s, e));
	must_fail(ERR_USAGE, "'/'", store_open("/", true, COOKIE, BOOT, &s, e));
	must_fail(ERR_INTERNAL, "short", store_open(DIR_NAME, true, COOKIE, "short", &s, e));
	assert_int_equal(util_count(DIR_NAME), -1);

	s = util_open();
	assert_int_equal(mode_of(DIR_NAME), 0755);
	assert_int_equal(mode_of(DIR_NAME "/lock"), 0600);
	assert_int_equal(mode_of(DIR_NAME "/identity"), 0644);
	assert_int_equal(util_count(DIR_NAME), 2);
	assert_int_equal(fcntl(store_dirfd(s), F_GETFD), FD_CLOEXEC);
	store_closep(&s);
	assert_null(s);
	store_closep(&s);
	must(0, store_open("state/", false, COOKIE, BOOT, &s, e)); /* relative to /tmp */
	store_closep(&s);

	/* A file, a link and a FIFO in its place. */
	util_write("/tmp/file", "x", 1);
	must_fail(ERR_PROTOCOL, "/tmp/file", store_open("/tmp/file", true, COOKIE, BOOT, &s, e));
	assert_int_equal(symlink("state", "/tmp/link"), 0);
	must_fail(ERR_PROTOCOL, "/tmp/link", store_open("/tmp/link", true, COOKIE, BOOT, &s, e));
	assert_int_equal(mkfifo("/tmp/fifo", 0644), 0);
	must_fail(ERR_PROTOCOL, "/tmp/fifo", store_open("/tmp/fifo", true, COOKIE, BOOT, &s, e));
}

static void test_modes(void **state)
{
	struct network n = util_network("net", "10.9.0.0/24", NULL);
	struct ip ip;
	struct store *s;

	(void)state;
	umask(0777);
	s = util_open();
	put(s, "web", "198.51.100.1:80");
	must(0, store_lock(s, e));
	must(0, store_put_network(s, &n, e));
	must(0, claim_next_addr(s, &n, FAM4, "web@eth0", &ip, e));
	must(0, hostlog_put(s, "net/ipv4/ip_forward", 0, 1, e));
	umask(022);
	assert_int_equal(mode_of(DIR_NAME), 0755);
	assert_int_equal(mode_of(DIR_NAME "/lock"), 0600);
	assert_int_equal(mode_of(DIR_NAME "/identity"), 0644);
	assert_int_equal(mode_of(DIR_NAME "/attachments"), 0755);
	assert_int_equal(mode_of(DIR_NAME "/attachments/web@eth0"), 0644);
	assert_int_equal(mode_of(DIR_NAME "/networks/net"), 0644);
	assert_int_equal(mode_of(DIR_NAME "/cursors/net"), 0644);
	assert_int_equal(mode_of(DIR_NAME "/addrs"), 0755);
	assert_int_equal(mode_of(DIR_NAME "/host/net%ipv4%ip_forward"), 0644);
	store_closep(&s);

	/* Others may write into it: not with us. A sticky tmpfs is a mount point of the admin. */
	assert_int_equal(chmod(DIR_NAME, 0777), 0);
	must_fail(ERR_DENIED, "writable by others",
		  store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	assert_int_equal(chmod(DIR_NAME, 01777), 0);
	must(0, store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	store_closep(&s);
}

/* Without any capability over files, as the owner: what a killed process left with mode 0 is
 * healed. */
static int heal(void *arg)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment("web", NULL, NULL);
	struct err e = ERR_INIT;
	struct store *s = NULL;

	(void)arg;
	if (geteuid() == 0 && setresuid(12345, 12345, 12345) < 0)
		return 1;
	if (store_open("/tmp/u/state", true, COOKIE, BOOT, &s, &e) != 0 ||
	    store_put_attachment(s, a, &e) != 0 || store_lock(s, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	return 0;
}

static void test_heal(void **state)
{
	static const char *const paths[] = {"/tmp/u/state/attachments", "/tmp/u/state/lock",
					    "/tmp/u/state"};
	/* Only the owner's own uid is mapped without privilege: then there is no second one. */
	uid_t uid = chown("/tmp", 0, 0) == 0 && setfsuid(12345) >= 0 && setfsuid(0) == 12345 ? 12345
											     : 0;

	(void)state;
	assert_int_equal(chmod("/tmp", 0755), 0);
	assert_int_equal(mkdir("/tmp/u", 0755), 0);
	assert_int_equal(chown("/tmp/u", uid, (gid_t)-1), 0);
	if (uid == 0) { /* capabilities override modes: nothing to heal, but it works */
		struct store *s = NULL;

		must(0, store_open("/tmp/u/state", true, COOKIE, BOOT, &s, e));
		store_closep(&s);
		return;
	}
	assert_int_equal(util_wait(util_fork(heal, NULL)), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(chmod(paths[i], 0), 0);
	assert_int_equal(util_wait(util_fork(heal, NULL)), 0);
	assert_int_equal(mode_of("/tmp/u/state"), 0755);
	assert_int_equal(mode_of("/tmp/u/state/attachments"), 0755);
	assert_int_equal(mode_of("/tmp/u/state/lock"), 0600);
	/* And as root, the owner of nothing in it: a foreign directory is refused. */
	must_fail(ERR_DENIED, "belongs to uid 12345",
		  store_open("/tmp/u/state", true, COOKIE, BOOT, &(struct store *){NULL}, e));
}

/* Another user reads, but can neither lock nor write. */
static int read_only(void *arg)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct err e = ERR_INIT;
	struct store *s = NULL;

	(void)arg;
	if (setresuid(12345, 12345, 12345) < 0)
		return 1;
	if (store_open(DIR_NAME, false, COOKIE, BOOT, &s, &e) != 0)
		return 2;
	if (store_get_attachment(s, "web", "eth0", &a, &e) != 0)
		return 3;
	if (store_lock(s, &e) >= 0 || e.kind != ERR_DENIED)
		return 4;
	if (store_put_attachment(s, a, &e) >= 0 || e.kind != ERR_DENIED)
		return 5;
	return 0;
}

static void test_reader(void **state)
{
	struct store *s = util_open();

	(void)state;
	put(s, "web", NULL);
	assert_int_equal(chmod("/tmp", 0755), 0);
	if (setfsuid(12345) >= 0 && setfsuid(0) == 12345)
		assert_int_equal(util_wait(util_fork(read_only, NULL)), 0);
	else
		assert_int_equal(mode_of(DIR_NAME "/lock"), 0600);
	store_closep(&s);
}

static void fill(struct store *s)
{
	struct network n = util_network("net", "10.9.0.0/24", "2001:db8::/64");
	const bool has[N_FAM] = {true, true};
	struct publish p;
	struct ip ip;

	put(s, "web", NULL);
	must(0, store_lock(s, e));
	must(0, store_put_network(s, &n, e));
	must(0, claim_next_addr(s, &n, FAM4, "web@eth0", &ip, e));
	must(0, publish_parse("198.51.100.1:80", &p, e));
	must(0, claim_ports(s, &p, has, "web@eth0", e));
	must(0, publish_parse("10000-20000", &p, e));
	must(0, claim_ports(s, &p, has, "web@eth0", e));
	must(0, hostlog_put(s, "net/ipv4/ip_forward", 0, 1, e));
	store_unlock(s);
	util_write(DIR_NAME "/attachments/.half@eth0", "x", 1);
}

static void test_other_boot(void **state)
{
	struct store *s = util_open();
	struct network n;

	(void)state;
	fill(s);
	assert_true(util_count(DIR_NAME) > 8);
	store_closep(&s);
	must(0, store_open(DIR_NAME, true, COOKIE + 1, BOOT2, &s, e));
	assert_int_equal(util_records(s), 0);
	/* The network that somebody made stays; those that came by themselves, and what cannot be
	 * read, do not. */
	must(0, store_get_network(s, "net", &n, e));
	assert_int_equal(util_count(DIR_NAME), 3);
	must(0, store_lock(s, e));
	n.implicit = true;
	strcpy(n.name, "itself");
	must(0, store_put_network(s, &n, e));
	store_unlock(s);
	util_write(DIR_NAME "/networks/broken", "x", 1);
	util_write(DIR_NAME "/networks/.half", "x", 1);
	fill(s);
	store_closep(&s);

	/* Who makes nothing else does it all the same. */
	must(0, store_open(DIR_NAME, false, COOKIE, BOOT, &s, e));
	must(0, store_get_network(s, "net", &n, e));
	must(1, store_get_network(s, "itself", &n, e));
	assert_int_equal(util_count(DIR_NAME), 3);
	fill(s);
	store_closep(&s);

	/* Without such a network nothing stays. */
	must(0, store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	must(0, store_lock(s, e));
	must(0, store_del_network(s, "net", e));
	n.implicit = true;
	strcpy(n.name, "itself");
	must(0, store_put_network(s, &n, e));
	store_closep(&s);
	must(1, store_open(DIR_NAME, false, COOKIE, BOOT2, &s, e));
	assert_int_equal(util_count(DIR_NAME), -1);
}

static void test_other_host(void **state)
{
	struct store *s = util_open();

	(void)state;
	fill(s);
	store_closep(&s);
	must_fail(ERR_CONFLICT, "another host network namespace",
		  store_open(DIR_NAME, true, COOKIE + 1, BOOT, &s, e));
	must_fail(ERR_CONFLICT, "4711", store_open(DIR_NAME, false, COOKIE + 1, BOOT, &s, e));
	must(0, store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	assert_int_equal(util_records(s), 1);
	/* Without records it is nobody's. */
	must(0, store_del_attachment(s, "web", "eth0", e));
	must(0, store_del_network(s, "net", e));
	must(0, store_lock(s, e));
	must(0, hostlog_del(s, "net/ipv4/ip_forward", e));
	store_closep(&s);
	must(0, store_open(DIR_NAME, true, COOKIE + 1, BOOT, &s, e));
	assert_int_equal(util_count(DIR_NAME), 2);
	store_closep(&s);
}

static void test_identity(void **state)
{
	char good[200], bad[200];
	struct store *s = util_open();
	FILE *f = fopen(DIR_NAME "/identity", "r");
	size_t len;

	(void)state;
	assert_non_null(f);
	len = fread(good, 1, sizeof(good), f);
	fclose(f);
	put(s, "web", NULL);
	store_closep(&s);
	for (size_t cut = 0; cut < len; cut++) {
		util_write(DIR_NAME "/identity", good, cut);
		must_fail(ERR_PROTOCOL, DIR_NAME "/identity",
			  store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(bad, good, len);
		bad[bit / 8] ^= (char)(1 << (bit % 8));
		util_write(DIR_NAME "/identity", bad, len);
		must_fail(ERR_PROTOCOL, DIR_NAME "/identity",
			  store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	}
	assert_int_equal(unlink(DIR_NAME "/identity"), 0);
	must_fail(ERR_PROTOCOL, "identity is missing",
		  store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	util_write(DIR_NAME "/identity", good, len);
	must(0, store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	store_closep(&s);
	assert_int_equal(unlink(DIR_NAME "/lock"), 0);
	assert_int_equal(mkfifo(DIR_NAME "/lock", 0600), 0);
	must_fail(ERR_PROTOCOL, DIR_NAME "/lock", store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	assert_int_equal(util_count(DIR_NAME), 3);
}

/* Every state between mkdir and identity: completed by who makes, removed by who does not. */
static void test_half_made(void **state)
{
	struct store *s;

	(void)state;
	for (int stage = 0; stage < 4; stage++)
		for (int create = 0; create < 2; create++) {
			assert_int_equal(mkdir(DIR_NAME, stage == 3 ? 0700 : 0755), 0);
			if (stage >= 1)
				util_write(DIR_NAME "/lock", "", 0);
			if (stage >= 2)
				util_write(DIR_NAME "/.identity", "", 0);
			if (stage >= 3)
				assert_int_equal(mkdir(DIR_NAME "/attachments", 0), 0);
			must(!create, store_open(DIR_NAME, create, COOKIE, BOOT, &s, e));
			if (create) {
				must(0, store_lock(s, e));
				must(0, store_remove_if_empty(s, e));
				store_closep(&s);
			}
			assert_int_equal(util_count(DIR_NAME), -1);
		}
}

static void test_remove(void **state)
{
	struct store *s = util_open(), *t = util_open();

	(void)state;
	must_fail(ERR_INTERNAL, "not held", store_remove_if_empty(s, e));
	fill(s);
	must(0, store_lock(s, e));
	must(1, store_remove_if_empty(s, e));
	must(0, store_del_attachment(s, "web", "eth0", e));
	must(1, store_del_attachment(s, "web", "eth0", e));
	must(1, store_remove_if_empty(s, e));
	must(0, store_del_network(s, "net", e));
	must(1, store_remove_if_empty(s, e));
	must(0, hostlog_del(s, "net/ipv4/ip_forward", e));
	util_write(DIR_NAME "/forwarder", "", 0);
	must(1, store_remove_if_empty(s, e));
	assert_int_equal(unlink(DIR_NAME "/forwarder"), 0);
	store_unlock(s);

	/* Another holds the lock of an attachment: its record may be on the way. */
	must(0, store_lock_key(s, "mine@eth0", e));
	must(0, store_lock_key(t, "web@eth0", e));
	must(0, store_lock(s, e));
	must(1, store_remove_if_empty(s, e));
	store_unlock(s);
	store_set_lock_ms(t, 0); /* what s held before it still holds, and nothing else */
	must_fail(ERR_BUSY, "mine@eth0", store_lock_key(t, "mine@eth0", e));
	must(0, store_lock_key(t, "other@eth0", e));
	store_unlock_key(t, "other@eth0");
	store_unlock_key(t, "web@eth0");
	must(0, store_lock(s, e));
	must(0, store_remove_if_empty(s, e));
	assert_int_equal(util_count(DIR_NAME), -1);
	store_unlock(s);

	/* Both open stores go on: readers find nothing, the next lock makes it anew. */
	assert_int_equal(util_records(t), 0);
	must(0, store_lock_key(t, "web@eth0", e));
	put(t, "web", NULL);
	must(0, store_lock(s, e));
	assert_int_equal(util_records(s), 1);
	store_unlock(s);
	store_closep(&s);
	store_closep(&t);
}

static void test_mount_point(void **state)
{
	struct store *s;

	(void)state;
	assert_int_equal(mkdir(DIR_NAME, 0755), 0);
	assert_int_equal(mount("tmpfs", DIR_NAME, "tmpfs", 0, NULL), 0);
	must(1, store_open(DIR_NAME, false, COOKIE, BOOT, &s, e));
	s = util_open();
	must(0, store_lock(s, e));
	must(0, store_remove_if_empty(s, e));
	assert_int_equal(util_count(DIR_NAME), 0);
	store_closep(&s);
	must(1, store_open(DIR_NAME, false, COOKIE, BOOT, &s, e));
	s = util_open();
	store_closep(&s);
	assert_int_equal(umount(DIR_NAME), 0);
}

/* Attach and detach again and again; whoever is last removes the store. */
static int come_and_go(void *arg)
{
	char id[32], key[64];
	struct err e = ERR_INIT;

	snprintf(id, sizeof(id), "c%d", *(int *)arg);
	snprintf(key, sizeof(key), "%s@eth0", id);
	for (int i = 0; i < 60; i++) {
		CLEAN_ATTACHMENT struct attachment *a = util_attachment(id, NULL, NULL),
						   *got = NULL;
		struct store *s = NULL;

		if (store_open(DIR_NAME, true, COOKIE, BOOT, &s, &e) != 0 ||
		    store_lock_key(s, key, &e) != 0 || store_lock(s, &e) != 0 ||
		    store_put_attachment(s, a, &e) != 0)
			break;
		store_unlock(s);
		if (store_get_attachment(s, id, "eth0", &got, &e) != 0 || store_lock(s, &e) != 0 ||
		    store_del_attachment(s, id, "eth0", &e) != 0 ||
		    store_remove_if_empty(s, &e) < 0)
			break;
		store_closep(&s);
		if (i == 59)
			return 0;
	}
	fprintf(stderr, "%s: %s\n", key, e.text);
	return 1;
}

static void test_removal_race(void **state)
{
	pid_t pids[16];
	int nr[16];

	(void)state;
	for (int i = 0; i < 16; i++) {
		nr[i] = i;
		pids[i] = util_fork(come_and_go, &nr[i]);
	}
	for (int i = 0; i < 16; i++)
		assert_int_equal(util_wait(pids[i]), 0);
	assert_int_equal(util_count(DIR_NAME), -1);
}

/* Not a tmpfs: everything is fsynced on the way. Only the result can be seen here. */
static void test_persistent(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	char dir[] = "/var/tmp/netd-store-XXXXXX", path[64];
	struct store *s = NULL;

	(void)state;
	if (!mkdtemp(dir)) { /* no second file system to be had: a plain one does */
		strcpy(dir, "/tmp/plain");
		assert_int_equal(mkdir(dir, 0700), 0);
	}
	snprintf(path, sizeof(path), "%s/s", dir);
	must(0, store_open(path, true, COOKIE, BOOT, &s, e));
	put(s, "web", "8080:80");
	must(0, store_get_attachment(s, "web", "eth0", &a, e));
	must(0, store_del_attachment(s, "web", "eth0", e));
	must(0, store_lock(s, e));
	must(0, store_remove_if_empty(s, e));
	store_closep(&s);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open, util_fresh),
		cmocka_unit_test_setup(test_modes, util_fresh),
		cmocka_unit_test_setup(test_heal, util_fresh),
		cmocka_unit_test_setup(test_reader, util_fresh),
		cmocka_unit_test_setup(test_other_boot, util_fresh),
		cmocka_unit_test_setup(test_other_host, util_fresh),
		cmocka_unit_test_setup(test_identity, util_fresh),
		cmocka_unit_test_setup(test_half_made, util_fresh),
		cmocka_unit_test_setup(test_remove, util_fresh),
		cmocka_unit_test_setup(test_mount_point, util_fresh),
		cmocka_unit_test_setup(test_removal_race, util_fresh),
		cmocka_unit_test_setup(test_persistent, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
