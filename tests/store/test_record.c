/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: attachments, networks and the host log; every way a file can be wrong. */
#include "util.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/claim.h"
#include "store/hostlog.h"
#include "store/keys.h"
#include "store/member.h"

static struct attachment *get(struct store *s, const char *id)
{
	struct attachment *a = NULL;

	must(0, store_get_attachment(s, id, "eth0", &a, e));
	return a;
}

static void put(struct store *s, const char *id, const char *spec)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment(id, NULL, spec);

	must(0, store_put_attachment(s, a, e));
}

static void test_attachment(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment("web", "10.88.0.7", "8080:80"),
					   *b = NULL;
	struct store *s = util_open();
	struct attachment *none = NULL;

	(void)state;
	must(1, store_get_attachment(s, "web", "eth0", &none, e));
	must(1, store_del_attachment(s, "web", "eth0", e));
	assert_false(store_has_attachment(s, "web@eth0"));
	must(0, store_put_attachment(s, a, e));
	assert_true(store_has_attachment(s, "web@eth0"));
	assert_false(store_has_attachment(s, "web@eth1"));
	assert_false(store_has_attachment(s, "../identity"));
	b = get(s, "web");
	assert_string_equal(b->host_ifname, a->host_ifname);
	assert_true(ip_equal(&b->addr[FAM4].ip, &a->addr[FAM4].ip));
	assert_int_equal(b->n_publish, 1);
	assert_true(publish_equal(b->publish, a->publish));
	assert_int_equal(b->phase, ATTACH_INTENT);
	attachment_freep(&b);

	a->phase = ATTACH_COMMITTED;
	a->host_ifindex = 5;
	a->ctr_ifindex = 2;
	must(0, store_put_attachment(s, a, e));
	/* Committed is what is a member of its network. */
	b = get(s, "web");
	assert_int_equal(b->phase, ATTACH_LEAVING);
	attachment_freep(&b);
	must(MEMBER_FIRST_OF_HOST, member_join(s, a->network, "web@eth0", e));
	b = get(s, "web");
	assert_int_equal(b->phase, ATTACH_COMMITTED);
	attachment_freep(&b);
	must(MEMBER_FIRST_OF_HOST, member_leave(s, a->network, "web@eth0", e));
	b = get(s, "web");
	assert_int_equal(b->phase, ATTACH_LEAVING);
	assert_int_equal(util_count(DIR_NAME "/attachments"), 1);
	must(0, store_del_attachment(s, "web", "eth0", e));
	assert_int_equal(util_count(DIR_NAME "/attachments"), 0);

	must_fail(ERR_USAGE, "container id", store_get_attachment(s, "../x", "eth0", &none, e));
	must_fail(ERR_USAGE, "interface name", store_get_attachment(s, "x", "a/b", &none, e));
	must_fail(ERR_USAGE, "container id", store_del_attachment(s, "", "eth0", e));
	strcpy(a->id, ".hidden");
	must_fail(ERR_USAGE, "container id", store_put_attachment(s, a, e));
	assert_null(none);
	store_closep(&s);
}

/* The largest attachment that the model admits fits into a record. */
static void test_large(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment("web", NULL, NULL), *b = NULL;
	struct store *s = util_open();
	char spec[80];

	(void)state;
	for (int i = 0; i < PUBLISH_MAX; i++) {
		struct publish p;

		snprintf(spec, sizeof(spec), "[2001:db8:1111:2222:3333:4444:5555:6666]:%d:%d/sctp",
			 10001 + 2 * i, 50001 + 2 * (i % 7000));
		must(0, publish_parse(spec, &p, e));
		must(0, attachment_add_publish(a, &p, 1, e));
	}
	must(0, store_put_attachment(s, a, e));
	b = get(s, "web");
	assert_int_equal(b->n_publish, PUBLISH_MAX);
	store_closep(&s);
}

struct seen {
	char names[512];
	int n_broken;
	int stop_at;
	struct store *s;
};

static int see(const struct attachment *a, void *arg)
{
	struct seen *seen = arg;

	strcat(seen->names, a->id);
	strcat(seen->names, " ");
	return seen->stop_at > 0 && --seen->stop_at == 0 ? 42 : 0;
}

static int see_and_delete(const struct attachment *a, void *arg)
{
	struct seen *seen = arg;

	must(0, store_del_attachment(seen->s, a->id, a->ifname, e));
	if (strcmp(a->id, "a") == 0) /* gone before its turn */
		must(0, store_del_attachment(seen->s, "b", "eth0", e));
	return see(a, arg);
}

static void broken(const char *name, const struct err *why, void *arg)
{
	struct seen *seen = arg;

	assert_int_equal(why->kind, ERR_PROTOCOL);
	assert_non_null(strstr(why->text, DIR_NAME "/attachments/"));
	strcat(seen->names, "!");
	strcat(seen->names, name);
	strcat(seen->names, " ");
	seen->n_broken++;
}

static void test_each(void **state)
{
	struct store *s = util_open();
	struct seen seen = {.s = s};

	(void)state;
	must(0, store_each_attachment(s, see, broken, &seen, e));
	assert_int_equal(util_records(s), 0);
	put(s, "c", NULL);
	put(s, "a", NULL);
	put(s, "b", NULL);
	util_write(DIR_NAME "/attachments/aa@eth0", "junk", 4);
	util_write(DIR_NAME "/attachments/.z@eth0", "junk", 4);
	util_write(DIR_NAME "/attachments/README", "junk", 4);
	must(0, store_each_attachment(s, see, broken, &seen, e));
	assert_string_equal(seen.names, "!README a !aa@eth0 b c ");
	assert_int_equal(util_records(s), 5);
	memset(&seen, 0, sizeof(seen));
	must(0, store_each_attachment(s, see, NULL, &seen, e));
	assert_string_equal(seen.names, "a b c ");
	memset(&seen, 0, sizeof(seen));
	seen.stop_at = 2;
	must(42, store_each_attachment(s, see, NULL, &seen, e));
	assert_string_equal(seen.names, "a b ");
	memset(&seen, 0, sizeof(seen));
	seen.s = s;
	must(0, store_each_attachment(s, see_and_delete, NULL, &seen, e));
	assert_string_equal(seen.names, "a c ");

	must(0, store_del_broken(s, "aa@eth0", e));
	must(1, store_del_broken(s, "aa@eth0", e));
	must(0, store_del_broken(s, "README", e));
	must_fail(ERR_USAGE, "../lock", store_del_broken(s, "../lock", e));
	must_fail(ERR_USAGE, "no record", store_del_broken(s, "..", e));
	must_fail(ERR_USAGE, "no record", store_del_broken(s, "", e));
	store_closep(&s);
}

static char good[8192];
static size_t good_len;

static int note_key(const char *id, const char *ifname, void *arg)
{
	char *seen = arg, key[KEY_STRLEN];

	name_key(id, ifname, key);
	strcat(strcat(seen, key), " ");
	return 0;
}

static int note_member(const char *network, const char *key, void *arg)
{
	char *seen = arg;

	strcat(strcat(strcat(strcat(seen, network), "/"), key), " ");
	return 0;
}

/* A name that begins like another, and one that ends like it. */
static void test_begin(void **state)
{
	static const char *const id[] = {"a", "ab", "b.a", "user-1.a", "user-1.b", "user-11.a"};
	struct store *s = util_open();
	char seen[512] = "", key[KEY_STRLEN];

	(void)state;
	must(0, store_each_key(s, "a@", note_key, seen, e));
	must(0, member_each(s, "a@", note_member, seen, e));
	assert_string_equal(seen, "");
	for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++) {
		put(s, id[i], NULL);
		name_key(id[i], "eth0", key);
		assert_true(member_join(s, i % 2 ? "odd" : "even", key, NULL) >= 0);
	}
	must(0, store_each_key(s, "a@", note_key, seen, e));
	assert_string_equal(seen, "a@eth0 ");
	seen[0] = '\0';
	must(0, store_each_key(s, "user-1.", note_key, seen, e));
	assert_string_equal(seen, "user-1.a@eth0 user-1.b@eth0 ");
	seen[0] = '\0';
	must(0, store_each_key(s, NULL, note_key, seen, e));
	assert_string_equal(seen,
			    "a@eth0 ab@eth0 b.a@eth0 user-1.a@eth0 user-1.b@eth0 user-11.a@eth0 ");
	seen[0] = '\0';
	must(0, member_each(s, "user-11.", note_member, seen, e));
	must(0, member_each(s, "a@", note_member, seen, e));
	must(0, member_each(s, "c", note_member, seen, e));
	assert_string_equal(seen, "odd/user-11.a@eth0 even/a@eth0 ");
	store_closep(&s);
}

static void load_good(const char *path)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	good_len = fread(good, 1, sizeof(good), f);
	assert_true(good_len >= 20 && good_len < sizeof(good));
	fclose(f);
}

/* Applies fn to the file at path in every damaged form: cut at each byte, each bit flipped, bytes
 * appended, and everything that is no plain file. fn must see ERR_PROTOCOL with the file's name. */
static size_t damage(const char *path, int (*fn)(struct store *s, struct err *e), struct store *s)
{
	const char *name = strrchr(path, '/') + 1;
	uint64_t t0 = clock_ms();
	char bad[sizeof(good)];
	size_t n = 0;
	int fd;

	load_good(path);
	for (size_t cut = 0; cut < good_len; cut++, n++) {
		util_write(path, good, cut);
		must_fail(ERR_PROTOCOL, name, fn(s, e));
	}
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, good, good_len, 0), good_len);
	memcpy(bad, good, good_len);
	for (size_t bit = 0; bit < good_len * 8; bit++, n++) {
		char c = (char)(good[bit / 8] ^ (1 << (bit % 8)));

		assert_int_equal(pwrite(fd, &c, 1, (off_t)(bit / 8)), 1);
		must_fail(ERR_PROTOCOL, name, fn(s, e));
		assert_int_equal(pwrite(fd, &good[bit / 8], 1, (off_t)(bit / 8)), 1);
	}
	assert_true(fn(s, NULL) >= 0);
	assert_int_equal(pwrite(fd, "\n", 1, (off_t)good_len), 1);
	must_fail(ERR_PROTOCOL, name, fn(s, e));
	close(fd);

	util_write(path, good, good_len);
	assert_int_equal(link(path, "/tmp/hard"), 0);
	must_fail(ERR_PROTOCOL, name, fn(s, e));
	assert_int_equal(rename(path, "/tmp/moved"), 0);
	assert_int_equal(symlink("/tmp/moved", path), 0);
	must_fail(ERR_PROTOCOL, name, fn(s, e));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	must_fail(ERR_PROTOCOL, name, fn(s, e));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	must_fail(ERR_PROTOCOL, name, fn(s, e));
	assert_int_equal(rmdir(path), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	must_fail(ERR_PROTOCOL, name, fn(s, e));
	close(fd);
	assert_int_equal(unlink(path), 0);
	util_write(path, good, good_len);
	assert_int_equal(truncate(path, 1 << 30), 0);
	must_fail(ERR_PROTOCOL, name, fn(s, e));
	util_write(path, good, good_len);
	assert_true(fn(s, NULL) >= 0);
	unlink("/tmp/hard");
	unlink("/tmp/moved");
	print_message("%s: %zu damaged files, %llu ms\n", name, n,
		      (unsigned long long)(clock_ms() - t0));
	return n;
}

static int get_web(struct store *s, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	int r = store_get_attachment(s, "web", "eth0", &a, e);

	assert_int_equal(r == 0, a != NULL);
	return r;
}

static int get_net(struct store *s, struct err *e)
{
	struct network n;

	return store_get_network(s, "net", &n, e);
}

static int ignore_net(const struct network *n, void *arg)
{
	(void)arg;
	return n->name[0] ? 0 : 1;
}

static int each_net(struct store *s, struct err *e)
{
	return store_each_network(s, ignore_net, NULL, e);
}

static int ignore_log(const char *key, int old, int new_value, void *arg)
{
	(void)arg;
	return key[0] && old == 0 && new_value == 1 ? 0 : 1;
}

static int each_log(struct store *s, struct err *e)
{
	return hostlog_each(s, ignore_log, NULL, e);
}

static int put_log(struct store *s, struct err *e)
{
	return hostlog_put(s, "net/ipv4/ip_forward", 0, 1, e);
}

static void test_damage(void **state)
{
	CLEAN_ATTACHMENT struct attachment *a =
		util_attachment("web", NULL, "198.51.100.1:8080:80");
	struct network n = util_network("net", "10.9.0.0/24", "2001:db8::/64");
	struct store *s = util_open();
	struct publish p[40];

	(void)state;
	for (int i = 0; i < 40; i++) { /* about 4 KiB */
		p[i] = a->publish[0];
		p[i].host_port = (uint16_t)(9000 + i);
	}
	must(0, attachment_add_publish(a, p, 40, e));
	must(0, store_put_attachment(s, a, e));
	must(0, store_put_network(s, &n, e));
	must(0, put_log(s, e));
	load_good(DIR_NAME "/attachments/web@eth0");
	assert_in_range(good_len, 3000, 6000);
	damage(DIR_NAME "/attachments/web@eth0", get_web, s);
	damage(DIR_NAME "/networks/net", get_net, s);
	damage(DIR_NAME "/networks/net", each_net, s);
	damage(DIR_NAME "/host/net%ipv4%ip_forward", each_log, s);
	damage(DIR_NAME "/host/net%ipv4%ip_forward", put_log, s);
	store_closep(&s);
}

/* A right CRC over wrong content. */
static void write_line(const char *path, const char *line)
{
	char text[600];
	int n = snprintf(text, sizeof(text), "%s\n", line);

	n += snprintf(text + n, sizeof(text) - (size_t)n, "crc32c %08x\n", crc32c(text, (size_t)n));
	util_write(path, text, (size_t)n);
}

static void test_content(void **state)
{
	static const char *const lines[] = {
		"",  "{}",   "[]", "1", "null", "{", "{\"id\":\"web\"}", "{\"a\":1,\"a\":1}",
		"x", "\xff",
	};
	static const char *const logs[] = {"",     "1",     "1 ",  " 1",  "1 2 3",        "1  2",
					   "+1 2", "1 0x2", "a b", "- 1", "2147483648 1", "-0 1"};
	struct store *s = util_open();
	struct network n = util_network("net", "10.9.0.0/24", NULL);

	(void)state;
	put(s, "web", NULL);
	put(s, "other", NULL);
	must(0, store_put_network(s, &n, e));
	must(0, put_log(s, e));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		write_line(DIR_NAME "/attachments/web@eth0", lines[i]);
		must_fail(ERR_PROTOCOL, "web@eth0", get_web(s, e));
		write_line(DIR_NAME "/networks/net", lines[i]);
		must_fail(ERR_PROTOCOL, "networks/net", get_net(s, e));
	}
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		write_line(DIR_NAME "/host/net%ipv4%ip_forward", logs[i]);
		must_fail(ERR_PROTOCOL, "ip_forward", each_log(s, e));
	}
	/* Two lines, and a NUL, under a right CRC. */
	write_line(DIR_NAME "/attachments/web@eth0", "{}\n{}");
	must_fail(ERR_PROTOCOL, "not one line", get_web(s, e));
	/* A copy of another's record. */
	load_good(DIR_NAME "/attachments/other@eth0");
	util_write(DIR_NAME "/attachments/web@eth0", good, good_len);
	must_fail(ERR_PROTOCOL, "that of other@eth0", get_web(s, e));
	must(0, store_put_network(s, &n, e));
	load_good(DIR_NAME "/networks/net");
	util_write(DIR_NAME "/networks/net2", good, good_len);
	must_fail(ERR_PROTOCOL, "that of net", store_get_network(s, "net2", &n, e));

	/* Putting a record over a broken one mends it, over a directory it says so. */
	put(s, "web", NULL);
	must(0, get_web(s, e));
	assert_int_equal(unlink(DIR_NAME "/attachments/web@eth0"), 0);
	assert_int_equal(mkdir(DIR_NAME "/attachments/web@eth0", 0755), 0);
	{
		CLEAN_ATTACHMENT struct attachment *a = util_attachment("web", NULL, NULL);

		must_fail(ERR_PROTOCOL, "is a directory", store_put_attachment(s, a, e));
	}
	must_fail(ERR_PROTOCOL, "is a directory", store_del_attachment(s, "web", "eth0", e));
	util_write(DIR_NAME "/attachments/web@eth0/x", "x", 1);
	must(0, store_del_broken(s, "web@eth0", e));
	must(1, get_web(s, e));
	store_closep(&s);
}

/* What killed writers left is passed over and replaced, whatever it is. */
static void test_leftover(void **state)
{
	struct store *s = util_open();
	size_t n;

	(void)state;
	put(s, "web", NULL);
	util_write(DIR_NAME "/attachments/.web@eth0", "half", 4);
	put(s, "web", NULL);
	assert_int_equal(util_count(DIR_NAME "/attachments"), 1);
	assert_int_equal(mkdir(DIR_NAME "/attachments/.web@eth0", 0), 0);
	put(s, "web", NULL);
	assert_int_equal(symlink("/etc/passwd", DIR_NAME "/attachments/.web@eth0"), 0);
	put(s, "web", NULL);
	must(0, get_web(s, e));

	util_write(DIR_NAME "/attachments/.x@eth0", "half", 4);
	util_write(DIR_NAME "/attachments/.busy@eth0", "half", 4);
	util_write(DIR_NAME "/.identity", "half", 4);
	assert_int_equal(mkdir(DIR_NAME "/networks", 0755), 0);
	util_write(DIR_NAME "/networks/.x", "half", 4);
	{
		struct store *t = util_open();

		must(0, store_lock_key(t, "busy@eth0", e));
		must(0, store_lock(s, e));
		must(0, claim_sweep(s, &n, e));
		assert_int_equal(n, 3);
		assert_int_equal(util_count(DIR_NAME "/attachments"), 2);
		store_closep(&t);
		must(0, claim_sweep(s, &n, e));
		assert_int_equal(n, 1);
	}
	assert_int_equal(util_count(DIR_NAME), 3); /* identity, lock, web@eth0 */
	store_closep(&s);
}

static int name_net(const struct network *n, void *arg)
{
	strcat(arg, n->name);
	strcat(arg, " ");
	return strcmp(n->name, "stop") == 0 ? 7 : 0;
}

static void test_network(void **state)
{
	struct network a = util_network("a.next", "10.9.0.0/24", "2001:db8::/64");
	struct network b = util_network("a", NULL, "2001:db8:1::/64"), got;
	struct store *s = util_open();
	char names[200] = "";
	struct ip ip;

	(void)state;
	must(0, store_each_network(s, name_net, names, e));
	must(1, store_get_network(s, "a", &got, e));
	must(1, store_del_network(s, "a", e));
	must(0, store_put_network(s, &a, e));
	must(0, store_put_network(s, &b, e));
	must(0, store_lock(s, e));
	must(0, claim_next_addr(s, &b, FAM6, "x@eth0", &ip, e)); /* makes a cursor */
	must(0, store_each_network(s, name_net, names, e));
	assert_string_equal(names, "a a.next ");
	must(0, store_get_network(s, "a.next", &got, e));
	assert_true(prefix_equal(&got.subnet[FAM6], &a.subnet[FAM6]));
	must(0, store_del_network(s, "a", e));
	assert_int_equal(util_count(DIR_NAME "/cursors"), 0);
	must(1, store_get_network(s, "a", &got, e));
	must(0, store_get_network(s, "a.next", &got, e));
	util_write(DIR_NAME "/networks/0bad", "x", 1);
	util_write(DIR_NAME "/networks/b@d", "x", 1);
	names[0] = 0;
	must_fail(ERR_PROTOCOL, "networks/b@d", store_each_network(s, name_net, names, e));
	assert_string_equal(names, "a.next ");
	strcpy(a.name, "../x");
	must_fail(ERR_USAGE, "network name", store_put_network(s, &a, e));
	must_fail(ERR_USAGE, "network name", store_get_network(s, "a/b", &got, e));
	must_fail(ERR_USAGE, "network name", store_del_network(s, ".", e));
	store_closep(&s);
}

static int log_line(const char *key, int old, int new_value, void *arg)
{
	sprintf((char *)arg + strlen(arg), "%s=%d,%d ", key, old, new_value);
	return 0;
}

static void test_hostlog(void **state)
{
	static const char *const bad[] = {"",     "/",     "a//b", "a/",   "/a",       "../x",
					  "a/..", "a/./b", "a b",  "a\nb", ".hidden/x"};
	struct store *s = util_open();
	char text[1000] = "", longest[300];

	(void)state;
	must(0, hostlog_each(s, log_line, text, e));
	must(1, hostlog_del(s, "net/ipv4/ip_forward", e));
	must(0, hostlog_put(s, "net/ipv4/ip_forward", 0, 1, e));
	must(0, hostlog_put(s, "net/ipv4/ip_forward", 1, 1, e)); /* the first old value stays */
	must(0, hostlog_put(s, "net/ipv6/conf/eth%d=./accept_ra", -2147483647 - 1, 2147483647, e));
	must(0, hostlog_each(s, log_line, text, e));
	assert_string_equal(text, "net/ipv4/ip_forward=0,1 "
				  "net/ipv6/conf/eth%d=./accept_ra=-2147483648,2147483647 ");
	assert_int_equal(access(DIR_NAME "/host/net%ipv4%ip_forward", F_OK), 0);
	must(0, hostlog_put(s, "net/ipv4/ip_forward", 1, 2, e));
	text[0] = 0;
	must(0, hostlog_del(s, "net/ipv6/conf/eth%d=./accept_ra", e));
	must(0, hostlog_each(s, log_line, text, e));
	assert_string_equal(text, "net/ipv4/ip_forward=0,2 ");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		must_fail(ERR_USAGE, "no sysctl path", hostlog_put(s, bad[i], 0, 1, e));
	memset(longest, 'a', sizeof(longest));
	longest[201] = 0;
	must_fail(ERR_USAGE, "no sysctl path", hostlog_put(s, longest, 0, 1, e));
	longest[200] = 0;
	must(0, hostlog_put(s, longest, 0, 1, e));
	memset(longest, '%', 200);
	must_fail(ERR_USAGE, "no sysctl path", hostlog_put(s, longest, 0, 1, e));
	store_closep(&s);
}

/* Readers without any lock, while the record is replaced without pause: always a whole one. */
static int replace(void *arg)
{
	struct store *s = NULL;

	(void)arg;
	if (store_open(DIR_NAME, true, COOKIE, BOOT, &s, NULL) != 0)
		return 1;
	for (;;) {
		CLEAN_ATTACHMENT struct attachment *a = util_attachment("web", NULL, "8080:80");

		if (store_put_attachment(s, a, NULL) != 0)
			return 2;
	}
}

static void test_replaced_while_read(void **state)
{
	struct store *s = util_open();
	pid_t pid;

	(void)state;
	put(s, "web", NULL);
	pid = util_fork(replace, NULL);
	for (int i = 0; i < 3000; i++)
		must(0, get_web(s, e));
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* still at it */
	kill(pid, SIGKILL);
	assert_int_equal(util_wait(pid), -SIGKILL);
	store_closep(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_attachment, util_fresh),
		cmocka_unit_test_setup(test_large, util_fresh),
		cmocka_unit_test_setup(test_each, util_fresh),
		cmocka_unit_test_setup(test_begin, util_fresh),
		cmocka_unit_test_setup(test_damage, util_fresh),
		cmocka_unit_test_setup(test_content, util_fresh),
		cmocka_unit_test_setup(test_leftover, util_fresh),
		cmocka_unit_test_setup(test_network, util_fresh),
		cmocka_unit_test_setup(test_hostlog, util_fresh),
		cmocka_unit_test_setup(test_replaced_while_read, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
