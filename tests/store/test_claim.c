/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claim: addresses: order, wrapping, exhaustion, claims of dead owners, sweeping; the price of one.
 */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/claim.h"

static struct store *locked(void)
{
	struct store *s = util_open();

	must(0, store_lock(s, e));
	return s;
}

static void next_is(struct store *s, const struct network *n, int fam, const char *key,
		    const char *want)
{
	char text[IP_STRLEN];
	struct ip ip;

	must(0, claim_next_addr(s, n, fam, key, &ip, e));
	assert_string_equal(ip_str(&ip, text), want);
}

/* A record of id that lists addr. */
static void record(struct store *s, const char *id, const char *addr)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment(id, addr, NULL);

	must(0, store_put_attachment(s, a, e));
}

static void owner_is(struct store *s, const char *addr, const char *want)
{
	char key[KEY_STRLEN] = "";
	struct ip ip = util_ip(addr);

	must(want ? 0 : 1, claim_addr_owner(s, &ip, key, e));
	assert_string_equal(key, want ? want : "");
}

static void test_given(void **state)
{
	struct ip a = util_ip("10.88.0.7"), b = util_ip("2001:db8::7");
	struct store *s = util_open();

	(void)state;
	must_fail(ERR_INTERNAL, "global lock", claim_addr(s, &a, "web@eth0", e));
	must_fail(ERR_INTERNAL, "global lock", claim_drop_addr(s, &a, "web@eth0", e));
	must(0, store_lock(s, e));
	must_fail(ERR_INTERNAL, "no attachment's key", claim_addr(s, &a, "../x", e));
	owner_is(s, "10.88.0.7", NULL);
	must(1, claim_drop_addr(s, &a, "web@eth0", e));
	must(0, claim_addr(s, &a, "web@eth0", e));
	must(1, claim_addr(s, &a, "web@eth0", e));
	must(0, claim_addr(s, &b, "web@eth0", e));
	owner_is(s, "10.88.0.7", "web@eth0");
	owner_is(s, "2001:db8::7", "web@eth0");
	record(s, "web", "10.88.0.7");
	must_fail(ERR_CONFLICT, "10.88.0.7 is taken by web@eth0", claim_addr(s, &a, "db@eth0", e));
	must(1, claim_drop_addr(s, &a, "db@eth0", e)); /* not his */
	owner_is(s, "10.88.0.7", "web@eth0");
	/* The record does not list the IPv6 address: left by an earlier attempt. */
	must(0, claim_addr(s, &b, "db@eth0", e));
	owner_is(s, "2001:db8::7", "db@eth0");
	must(0, claim_drop_addr(s, &a, "web@eth0", e));
	owner_is(s, "10.88.0.7", NULL);
	store_closep(&s);
}

static void test_stale(void **state)
{
	struct ip a = util_ip("10.88.0.7");
	struct store *s = locked(), *t;
	char longest[200];

	(void)state;
	must(0, claim_addr(s, &a, "dead@eth0", e));
	must(0, claim_addr(s, &a, "db@eth0", e)); /* no record: taken over */
	owner_is(s, "10.88.0.7", "db@eth0");
	/* A broken record still owns. */
	record(s, "db", "10.88.0.7");
	util_write(DIR_NAME "/attachments/db@eth0", "junk", 4);
	must_fail(ERR_CONFLICT, "db@eth0", claim_addr(s, &a, "web@eth0", e));
	must(0, store_del_broken(s, "db@eth0", e));
	/* Somebody is at work on it, though its record is not written yet. */
	t = util_open();
	must(0, store_lock_key(t, "db@eth0", e));
	must_fail(ERR_CONFLICT, "db@eth0", claim_addr(s, &a, "web@eth0", e));
	store_closep(&t);
	must(0, claim_addr(s, &a, "web@eth0", e));
	/* Targets that are no keys are nobody's. */
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	for (int i = 0; i < 3; i++) {
		const char *target[] = {"../../etc/passwd", longest, "no-key"};

		assert_int_equal(unlink(DIR_NAME "/addrs/10.88.0.7"), 0);
		assert_int_equal(symlink(target[i], DIR_NAME "/addrs/10.88.0.7"), 0);
		owner_is(s, "10.88.0.7", "");
		must(0, claim_addr(s, &a, "web@eth0", e));
	}
	/* What is no link is named, not followed and not hung upon. */
	assert_int_equal(unlink(DIR_NAME "/addrs/10.88.0.7"), 0);
	assert_int_equal(mkfifo(DIR_NAME "/addrs/10.88.0.7", 0644), 0);
	must_fail(ERR_PROTOCOL, "addrs/10.88.0.7", claim_addr(s, &a, "web@eth0", e));
	must_fail(ERR_PROTOCOL, "addrs/10.88.0.7", claim_drop_addr(s, &a, "web@eth0", e));
	assert_int_equal(unlink(DIR_NAME "/addrs/10.88.0.7"), 0);
	assert_int_equal(mkdir(DIR_NAME "/addrs/10.88.0.7", 0755), 0);
	must_fail(ERR_PROTOCOL, "addrs/10.88.0.7", claim_addr(s, &a, "web@eth0", e));
	store_closep(&s);
}

static void test_order(void **state)
{
	struct network n = util_network("net", "10.9.0.0/29", "2001:db8::/126");
	struct network v4 = util_network("v4", "10.10.0.0/24", NULL);
	struct store *s = locked();
	struct ip ip;

	(void)state;
	next_is(s, &n, FAM4, "a@eth0", "10.9.0.2"); /* .1 is the gateway */
	next_is(s, &n, FAM4, "b@eth0", "10.9.0.3");
	record(s, "a", "10.9.0.2");
	record(s, "b", "10.9.0.3");
	ip = util_ip("10.9.0.2");
	must(0, claim_drop_addr(s, &ip, "a@eth0", e));
	next_is(s, &n, FAM4, "c@eth0", "10.9.0.4"); /* not the one just freed */
	record(s, "c", "10.9.0.4");
	next_is(s, &n, FAM4, "c@eth0", "10.9.0.4"); /* a second attempt of the same */
	next_is(s, &n, FAM4, "d@eth0", "10.9.0.5");
	next_is(s, &n, FAM4, "e@eth0", "10.9.0.6");
	record(s, "d", "10.9.0.5");
	record(s, "e", "10.9.0.6");
	next_is(s, &n, FAM4, "f@eth0", "10.9.0.2"); /* wrapped, .7 is broadcast */
	record(s, "f", "10.9.0.2");
	must_fail(ERR_QUOTA, "10.9.0.0/29", claim_next_addr(s, &n, FAM4, "g@eth0", &ip, e));
	must_fail(ERR_QUOTA, "network net", claim_next_addr(s, &n, FAM4, "g@eth0", &ip, e));
	next_is(s, &n, FAM6, "a@eth0", "2001:db8::2");
	next_is(s, &n, FAM6, "b@eth0", "2001:db8::3");    /* IPv6 has no broadcast address */
	must(0, store_del_attachment(s, "d", "eth0", e)); /* its claim is stale now */
	next_is(s, &n, FAM4, "g@eth0", "10.9.0.5");
	must_fail(ERR_INTERNAL, "IPv6", claim_next_addr(s, &v4, FAM6, "g@eth0", &ip, e));
	strcpy(v4.name, "../x");
	must_fail(ERR_USAGE, "network name", claim_next_addr(s, &v4, FAM4, "g@eth0", &ip, e));
	store_closep(&s);
}

/* Nothing in the cursor file can do harm, and what is no file is named. */
static void test_cursor(void **state)
{
	static const char *const texts[] = {"",          "x",         "0000000\n", "9999999\n",
					    "0000255\n", "-000001\n", "00000 5\n", "0000005"};
	struct network n = util_network("net", "10.9.0.0/24", NULL);
	struct store *s = locked();
	struct ip ip;

	(void)state;
	next_is(s, &n, FAM4, "a@eth0", "10.9.0.2");
	must(0, claim_drop_all(s, "a@eth0", e));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		util_write(DIR_NAME "/cursors/net", texts[i], strlen(texts[i]));
		next_is(s, &n, FAM4, "a@eth0", "10.9.0.2");
		must(0, claim_drop_all(s, "a@eth0", e));
	}
	util_write(DIR_NAME "/cursors/net", "0000077\n", 8);
	next_is(s, &n, FAM4, "a@eth0", "10.9.0.77");
	assert_int_equal(truncate(DIR_NAME "/cursors/net", 1 << 30), 0);
	next_is(s, &n, FAM4, "b@eth0", "10.9.0.78");
	assert_int_equal(unlink(DIR_NAME "/cursors/net"), 0);
	assert_int_equal(mkfifo(DIR_NAME "/cursors/net", 0644), 0);
	must_fail(ERR_PROTOCOL, "cursors/net", claim_next_addr(s, &n, FAM4, "c@eth0", &ip, e));
	assert_int_equal(unlink(DIR_NAME "/cursors/net"), 0);
	assert_int_equal(symlink("/tmp/victim", DIR_NAME "/cursors/net"), 0);
	must_fail(ERR_PROTOCOL, "cursors/net", claim_next_addr(s, &n, FAM4, "c@eth0", &ip, e));
	assert_int_equal(access("/tmp/victim", F_OK), -1);
	store_closep(&s);
}

/* Plants claims of a living owner without taking them one by one. */
static void plant(const struct network *n, int fam, uint64_t from, uint64_t to, const char *key)
{
	int fd = open(DIR_NAME "/addrs", O_RDONLY | O_DIRECTORY);
	char name[IP_STRLEN];
	struct ip ip;

	assert_true(fd >= 0);
	for (uint64_t i = from; i <= to; i++) {
		assert_int_equal(prefix_nth(&n->subnet[fam], i, &ip), 0);
		if (symlinkat(key, fd, ip_str(&ip, name)) < 0)
			assert_int_equal(errno, EEXIST);
	}
	close(fd);
}

static void pwrite_cursor(int fam, const char *text)
{
	int fd = open(DIR_NAME "/cursors/net", O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, 8, 8 * fam), 8);
	close(fd);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *subnet, *first, *last;
		uint64_t hi;
	} pools[] = {
		{"10.9.0.0/30", "10.9.0.2", NULL, 2},
		{"10.9.0.0/24", "10.9.0.2", "10.9.0.254", 254},
		{"10.9.0.0/16", "10.9.0.2", "10.9.255.254", 65534},
		{"10.0.0.0/8", "10.0.0.2", "10.15.255.255", (1 << 20) - 1},
		{"2001:db8::/64", "2001:db8::2", "2001:db8::f:ffff", (1 << 20) - 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		bool is6 = strchr(pools[i].subnet, ':') != NULL;
		struct network n = util_network("net", is6 ? NULL : pools[i].subnet,
						is6 ? pools[i].subnet : NULL);
		int fam = is6 ? FAM6 : FAM4;
		struct store *s = locked();
		uint64_t t0;
		struct ip ip;

		next_is(s, &n, fam, "a@eth0", pools[i].first);
		record(s, "other", NULL);
		record(s, "a", pools[i].first);
		if (pools[i].hi > 65535) { /* too many to be taken one by one: the end only */
			char text[16];

			snprintf(text, sizeof(text), "%07u\n", (unsigned)pools[i].hi);
			plant(&n, fam, 3, 102, "other@eth0");
			for (int f = 0; f <= fam; f++)
				pwrite_cursor(f, text);
			next_is(s, &n, fam, "b@eth0", pools[i].last);
			next_is(s, &n, fam, "c@eth0", is6 ? "2001:db8::67" : "10.0.0.103");
			store_closep(&s);
			util_fresh(NULL);
			continue;
		}
		if (pools[i].last) {
			plant(&n, fam, 3, pools[i].hi - 1, "other@eth0");
			next_is(s, &n, fam, "b@eth0", pools[i].last);
			record(s, "b", "10.1.1.1");
		}
		t0 = clock_ms();
		must_fail(ERR_QUOTA, pools[i].subnet,
			  claim_next_addr(s, &n, fam, "c@eth0", &ip, e));
		print_message("%s: exhausted after %llu ms\n", pools[i].subnet,
			      (unsigned long long)(clock_ms() - t0));
		store_closep(&s);
		util_fresh(NULL);
	}
}

static void test_sweep(void **state)
{
	struct ip live = util_ip("10.88.0.7"), gone = util_ip("10.88.0.8");
	struct ip unlisted = util_ip("10.88.0.9"), broken = util_ip("10.88.0.10");
	struct ip busy = util_ip("10.88.0.11");
	const bool has[N_FAM] = {true, true};
	struct store *s = util_open(), *t;
	struct publish p;
	size_t n = 0;

	(void)state;
	must_fail(ERR_INTERNAL, "global lock", claim_sweep(s, &n, e));
	must(0, store_lock(s, e));
	must(0, claim_sweep(s, &n, e));
	assert_int_equal(n, 0);
	record(s, "live", "10.88.0.7");
	record(s, "broken", "10.88.0.10");
	must(0, claim_addr(s, &live, "live@eth0", e));
	must(0, claim_addr(s, &gone, "gone@eth0", e));
	must(0, claim_addr(s, &unlisted, "live@eth0", e));
	must(0, claim_addr(s, &broken, "broken@eth0", e));
	must(0, claim_addr(s, &busy, "busy@eth0", e));
	must(0, publish_parse("198.51.100.1:80-81", &p, e)); /* 2 links */
	must(0, claim_ports(s, &p, has, "gone@eth0", e));
	must(0, publish_parse("90:80/udp", &p, e)); /* 2 links */
	must(0, claim_ports(s, &p, has, "live@eth0", e));
	must(0, publish_parse("[2001:db8::1]:10000-10100/sctp", &p, e)); /* 1 link */
	must(0, claim_ports(s, &p, has, "gone@eth0", e));
	util_write(DIR_NAME "/attachments/broken@eth0", "x", 1);
	/* Not claims at all: 6 */
	util_write(DIR_NAME "/addrs/10.88.0.99", "x", 1);
	assert_int_equal(mkfifo(DIR_NAME "/addrs/fifo", 0644), 0);
	assert_int_equal(mkdir(DIR_NAME "/addrs/dir", 0755), 0);
	util_write(DIR_NAME "/addrs/dir/x", "x", 1);
	assert_int_equal(mkdir(DIR_NAME "/ports/tcp.4.99", 0755), 0); /* killed after mkdir */
	assert_int_equal(mkdir(DIR_NAME "/ports/junk", 0755), 0);
	assert_int_equal(symlink("live@eth0", DIR_NAME "/ports/junk2"), 0);
	t = util_open();
	must(0, store_lock_key(t, "busy@eth0", e));
	must(0, claim_sweep(s, &n, e));
	assert_int_equal(n, 1 + 1 + 2 + 2 + 1 + 6);
	store_closep(&t);
	owner_is(s, "10.88.0.7", "live@eth0");
	owner_is(s, "10.88.0.8", NULL);
	owner_is(s, "10.88.0.9", NULL);
	owner_is(s, "10.88.0.10", "broken@eth0");
	owner_is(s, "10.88.0.11", "busy@eth0");
	assert_int_equal(util_count(DIR_NAME "/ports"), 0);
	assert_int_equal(util_count(DIR_NAME "/ranges"), 0);
	must(0, claim_sweep(s, &n, e));
	assert_int_equal(n, 1);
	owner_is(s, "10.88.0.11", NULL);

	must(0, claim_drop_all(s, "broken@eth0", e));
	must(0, claim_drop_all(s, "../not/a/key", e));
	owner_is(s, "10.88.0.10", NULL);
	owner_is(s, "10.88.0.7", "live@eth0");
	store_closep(&s);
}

/* One claim and its release, when the pool is empty and when 50,000 are out. */
static double price(struct store *s, const struct network *n)
{
	const int rounds = 2000;
	uint64_t t0 = clock_ns();
	struct ip ip;

	for (int i = 0; i < rounds; i++) {
		must(0, claim_next_addr(s, n, FAM4, "new@eth0", &ip, e));
		must(0, claim_drop_addr(s, &ip, "new@eth0", e));
	}
	return (double)(clock_ns() - t0) / 1000.0 / rounds;
}

static void test_price(void **state)
{
	struct network n = util_network("net", "10.9.0.0/16", NULL);
	struct store *s = locked();
	double empty, full;
	uint64_t t0;
	struct ip ip;

	(void)state;
	record(s, "other", NULL);
	empty = price(s, &n);
	plant(&n, FAM4, 2, 50001, "other@eth0");
	util_write(DIR_NAME "/cursors/net", "0050002\n", 8);
	full = price(s, &n);
	print_message("claim + release: %.1f us with 0 leases, %.1f us with 50,000\n", empty, full);
	/* The worst moment: the cursor stands before all of them. */
	util_write(DIR_NAME "/cursors/net", "0000002\n", 8);
	t0 = clock_ns();
	must(0, claim_next_addr(s, &n, FAM4, "new@eth0", &ip, e));
	print_message("claim across 50,000 leases: %.1f us\n", (double)(clock_ns() - t0) / 1000.0);
	assert_true(full < 50 * empty + 1000); /* not linear: that would be 50,000 times */
	store_closep(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_given, util_fresh),
		cmocka_unit_test_setup(test_stale, util_fresh),
		cmocka_unit_test_setup(test_order, util_fresh),
		cmocka_unit_test_setup(test_cursor, util_fresh),
		cmocka_unit_test_setup(test_sizes, util_fresh),
		cmocka_unit_test_setup(test_sweep, util_fresh),
		cmocka_unit_test_setup(test_price, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
