/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claim_port: ports, host addresses and intervals against publish_overlaps() as the model. */
#include "util.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/claim.h"

static const bool both[N_FAM] = {true, true}, only4[N_FAM] = {true, false};

static struct store *locked(void)
{
	struct store *s = util_open();

	must(0, store_lock(s, e));
	return s;
}

static struct publish spec(const char *text)
{
	struct publish p;

	must(0, publish_parse(text, &p, e));
	return p;
}

/* A record of id that lists these runs. */
static void record(struct store *s, const char *id, const char *a, const char *b)
{
	CLEAN_ATTACHMENT struct attachment *rec = util_attachment(id, NULL, a);
	struct publish p;

	if (b) {
		p = spec(b);
		must(0, attachment_add_publish(rec, &p, 1, e));
	}
	must(0, store_put_attachment(s, rec, e));
}

static int claim(struct store *s, const char *text, const char *key, struct err *e)
{
	struct publish p = spec(text);

	return claim_ports(s, &p, both, key, e);
}

static void drop(struct store *s, const char *text, const char *key)
{
	struct publish p = spec(text);

	must(0, claim_drop_ports(s, &p, both, key, e));
}

static void test_names(void **state)
{
	struct store *s = util_open();
	struct publish p = spec("8080:80"),
		       none = {.proto = IPPROTO_TCP, .ctr_port = 80, .count = 1};
	char target[200];

	(void)state;
	must_fail(ERR_INTERNAL, "global lock", claim_ports(s, &p, both, "a@eth0", e));
	must_fail(ERR_INTERNAL, "global lock", claim_drop_ports(s, &p, both, "a@eth0", e));
	must(0, store_lock(s, e));
	must_fail(ERR_INTERNAL, "run of", claim_ports(s, &none, both, "a@eth0", e));
	must_fail(ERR_INTERNAL, "key", claim_ports(s, &p, both, "nokey", e));
	must(0, claim_ports(s, &p, only4, "a@eth0", e));
	assert_int_equal(util_count(DIR_NAME "/ports"), 1);
	assert_true(readlink(DIR_NAME "/ports/tcp.4.8080", target, sizeof(target)) == 6);
	assert_memory_equal(target, "a@eth0", 6);
	must(0, claim_ports(s, &p, both, "a@eth0", e));                   /* the rest of it */
	assert_int_equal(access(DIR_NAME "/ports/tcp.6.8080", F_OK), -1); /* dangling... */
	assert_true(readlink(DIR_NAME "/ports/tcp.6.8080", target, sizeof(target)) == 6);
	must(0, claim(s, "198.51.100.1:53:53/udp", "b@eth0", e));
	assert_true(readlink(DIR_NAME "/ports/udp.4.53/198.51.100.1", target, sizeof(target)) == 6);
	must(0, claim(s, "[2001:db8::1]:53:53/sctp", "b@eth0", e));
	assert_true(readlink(DIR_NAME "/ports/sctp.6.53/2001:db8::1", target, sizeof(target)) == 6);
	must(0, claim(s, "10000-20000", "c@eth0", e));
	assert_true(readlink(DIR_NAME "/ranges/tcp.4.10000-20000.any", target, sizeof(target)) ==
		    6);
	assert_true(readlink(DIR_NAME "/ranges/tcp.6.10000-20000.any", target, sizeof(target)) ==
		    6);
	must(0, claim(s, "[2001:db8::1]:30000-30064/udp", "c@eth0", e));
	assert_true(readlink(DIR_NAME "/ranges/udp.6.30000-30064.2001:db8::1", target,
			     sizeof(target)) == 6);
	must(0, claim(s, "30000-30063", "d@eth0", e));             /* 64 ports: one link each */
	must(0, claim(s, "40000-40099:50000-50099", "d@eth0", e)); /* shifted */
	assert_int_equal(util_count(DIR_NAME "/ranges"), 3);
	assert_int_equal(util_count(DIR_NAME "/ports"), 2 + 2 + 128 + 200);
	drop(s, "40000-40099:50000-50099", "d@eth0");
	drop(s, "30000-30063", "d@eth0");
	drop(s, "[2001:db8::1]:30000-30064/udp", "c@eth0");
	drop(s, "10000-20000", "x@eth0"); /* not his */
	assert_int_equal(util_count(DIR_NAME "/ranges"), 2);
	drop(s, "10000-20000", "c@eth0");
	drop(s, "198.51.100.1:53:53/udp", "x@eth0");
	drop(s, "198.51.100.1:53:53/udp", "b@eth0");
	drop(s, "198.51.100.1:53:53/udp", "b@eth0"); /* again: fine */
	drop(s, "[2001:db8::1]:53:53/sctp", "b@eth0");
	drop(s, "198.51.100.1:8080:53", "a@eth0"); /* a wildcard's name is a link */
	drop(s, "8080:80", "a@eth0");
	assert_int_equal(util_count(DIR_NAME "/ports"), 0);
	assert_int_equal(util_count(DIR_NAME "/ranges"), 0);
	assert_int_equal(rmdir(DIR_NAME "/ports"), 0); /* no empty directory in it either */
	store_closep(&s);
}

static void test_conflict_text(void **state)
{
	struct store *s = locked();

	(void)state;
	record(s, "web", "8080:80", "198.51.100.1:81:80/udp");
	record(s, "db", "10000-20000", "[2001:db8::1]:30000-30100");
	must(0, claim(s, "8080:80", "web@eth0", e));
	must(0, claim(s, "198.51.100.1:81:80/udp", "web@eth0", e));
	must(0, claim(s, "10000-20000", "db@eth0", e));
	must(0, claim(s, "[2001:db8::1]:30000-30100", "db@eth0", e));
	must_fail(ERR_CONFLICT, "port 8080/tcp (IPv4) is taken by web@eth0",
		  claim(s, "8000-8100:1-101", "x@eth0", e));
	must_fail(ERR_CONFLICT, "port 8080/tcp (IPv4) is taken by web@eth0",
		  claim(s, "198.51.100.7:8080:80", "x@eth0", e));
	must_fail(ERR_CONFLICT, "port 8080/tcp (IPv6) is taken by web@eth0",
		  claim(s, "[::]:8080:80", "x@eth0", e));
	must_fail(ERR_CONFLICT, "port 198.51.100.1:81/udp is taken by web@eth0",
		  claim(s, "81:80/udp", "x@eth0", e));
	must_fail(ERR_CONFLICT, "port 198.51.100.1:81/udp is taken by web@eth0",
		  claim(s, "50-1000/udp", "x@eth0", e));
	must_fail(ERR_CONFLICT, "port 10000-20000/tcp (IPv4) is taken by db@eth0",
		  claim(s, "198.51.100.7:12345:80", "x@eth0", e));
	must_fail(ERR_CONFLICT, "port [2001:db8::1]:30000-30100/tcp is taken by db@eth0",
		  claim(s, "30100-30200", "x@eth0", e));
	must(0, claim(s, "81:80", "x@eth0", e));                  /* another protocol */
	must(0, claim(s, "198.51.100.7:81:80/udp", "x@eth0", e)); /* another address */
	must(0, claim(s, "[::]:81:80/udp", "x@eth0", e));         /* another family */
	/* All or nothing: what the failed ones took is gone again. */
	assert_int_equal(util_count(DIR_NAME "/ports"), 2 + 1 + 2 + 1 + 1);
	assert_int_equal(util_count(DIR_NAME "/ranges"), 3);
	store_closep(&s);
}

/* Claims of dead owners, and of key itself from an attempt that was killed, are never in the way.
 */
static void test_stale(void **state)
{
	static const char *const shapes[] = {"80:80", "198.51.100.1:80:80", "20-200",
					     "198.51.100.1:20-200", "80-180:1080-1180"};
	const size_t n = sizeof(shapes) / sizeof(shapes[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			for (int own = 0; own < 2; own++) {
				struct store *s = locked();
				size_t swept;

				must(0, claim(s, shapes[i], own ? "new@eth0" : "old@eth0", e));
				must(0, claim(s, shapes[j], "new@eth0", e));
				must(0, claim(s, shapes[j], "new@eth0", e)); /* identical */
				record(s, "new", shapes[j], NULL);
				must_fail(ERR_CONFLICT, "new@eth0",
					  claim(s, shapes[i], "other@eth0", e));
				/* A conflict with itself is one, but for equal links: 0 and 4. */
				if (i % 4 != j % 4)
					must_fail(ERR_CONFLICT, "new@eth0",
						  claim(s, shapes[i], "new@eth0", e));
				must(0, claim_sweep(s, &swept, e));
				drop(s, shapes[j], "new@eth0");
				assert_true(util_count(DIR_NAME "/ports") <= 0);
				assert_true(util_count(DIR_NAME "/ranges") <= 0);
				must(0, store_del_attachment(s, "new", "eth0", e));
				must(0, store_remove_if_empty(s, e));
				store_closep(&s);
			}
}

/* One directory of a port holds several owners: only the dead ones go. */
static void test_partly_stale(void **state)
{
	struct store *s = locked();

	(void)state;
	record(s, "live", "198.51.100.2:80:80", NULL);
	must(0, claim(s, "198.51.100.1:80:80", "dead@eth0", e));
	must(0, claim(s, "198.51.100.2:80:80", "live@eth0", e));
	must(0, claim(s, "198.51.100.3:80:80", "dead@eth0", e));
	must(0, claim(s, "198.51.100.1:20-200", "new@eth0", e)); /* not in the way of .2 */
	must_fail(ERR_CONFLICT, "198.51.100.2:80/tcp is taken by live@eth0",
		  claim(s, "80:80", "x@eth0", e));
	must_fail(ERR_CONFLICT, "198.51.100.2:80/tcp is taken by live@eth0",
		  claim(s, "20-300", "x@eth0", e));
	store_closep(&s);
}

static void test_junk(void **state)
{
	struct store *s = locked();

	(void)state;
	must(0, claim(s, "1000:80", "a@eth0", e));
	assert_int_equal(mkfifo(DIR_NAME "/ports/tcp.4.80", 0644), 0);
	must_fail(ERR_PROTOCOL, "tcp.4.80", claim(s, "80:80", "a@eth0", e));
	must_fail(ERR_PROTOCOL, "tcp.4.80", claim(s, "198.51.100.1:80:80", "a@eth0", e));
	must_fail(ERR_PROTOCOL, "tcp.4.80", claim(s, "20-200", "a@eth0", e));
	/* A link's target is never a path to us. */
	assert_int_equal(mkdir("/tmp/victim", 0755), 0);
	assert_int_equal(symlink("/tmp/victim", DIR_NAME "/ports/tcp.4.81"), 0);
	must(0, claim(s, "198.51.100.1:81:80", "a@eth0", e));
	assert_int_equal(util_count("/tmp/victim"), 0);
	/* Names that no claim has. */
	assert_int_equal(symlink("a@eth0", DIR_NAME "/ports/tcp.4.082"), 0);
	assert_int_equal(symlink("a@eth0", DIR_NAME "/ports/tcp.5.82"), 0);
	must(0, claim(s, "82:80", "b@eth0", e));
	must(0, claim(s, "300-400", "b@eth0", e));
	store_closep(&s);
}

/* The random differential test. */

static unsigned rnd(unsigned n)
{
	return (unsigned)(random() % (long)n);
}

#define N_OWNERS 6
#define N_RUNS 4

struct owner {
	char id[16], key[KEY_STRLEN];
	bool has[N_FAM];
	size_t n;
	struct publish run[N_RUNS];
};

static struct publish random_run(void)
{
	static const char *const hosts[] = {"0.0.0.0",      "::",          "198.51.100.1",
					    "198.51.100.2", "2001:db8::1", "2001:db8::2"};
	struct publish p = {.proto = rnd(4) ? IPPROTO_TCP : IPPROTO_UDP};
	unsigned h = rnd(9);

	if (h < 6)
		p.host_ip = util_ip(hosts[h]);
	p.host_port = (uint16_t)(1000 + rnd(400));
	p.count = (uint16_t)(rnd(3) ? 1 + rnd(4) : rnd(2) ? 60 + rnd(10) : 65 + rnd(150));
	p.ctr_port = rnd(3) ? p.host_port : 80;
	return p;
}

/* The part of p in family f, as the model sees it. */
static struct publish projected(const struct publish *p, int f)
{
	struct publish q = *p;

	if (q.host_ip.family == 0)
		q.host_ip.family = f == FAM4 ? AF_INET : AF_INET6;
	return q;
}

static bool excluded(const struct owner *a, const struct publish *p, const struct owner *b,
		     const struct publish *q)
{
	for (int f = 0; f < N_FAM; f++) {
		struct publish pf = projected(p, f), qf = projected(q, f);

		if (a->has[f] && b->has[f] && publish_covers(p, f) && publish_covers(q, f) &&
		    publish_overlaps(&pf, &qf))
			return true;
	}
	return false;
}

static void save(struct store *s, const struct owner *o)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment(o->id, NULL, NULL);

	must(0, attachment_add_publish(a, o->run, o->n, e));
	must(0, store_put_attachment(s, a, e));
}

static int expected_links(const struct owner *own)
{
	int n = 0;

	for (int o = 0; o < N_OWNERS; o++)
		for (size_t i = 0; i < own[o].n; i++)
			for (int f = 0; f < N_FAM; f++)
				if (own[o].has[f] && publish_covers(&own[o].run[i], f))
					n += publish_is_interval(&own[o].run[i])
						     ? 1
						     : own[o].run[i].count;
	return n;
}

/* An overlap may pass only where key has the links of it already, and never with another's. */
static void check_own_overlap(const struct owner *own, const struct owner *me,
			      const struct publish *p)
{
	bool is_own = false;

	for (int o = 0; o < N_OWNERS; o++)
		for (size_t i = 0; i < own[o].n; i++) {
			bool is_excluded = excluded(me, p, &own[o], &own[o].run[i]);

			if (&own[o] == me)
				is_own |= is_excluded;
			else
				assert_false(is_excluded);
		}
	assert_true(is_own);
}

static void test_random(void **state)
{
	static const bool families[3][N_FAM] = {{true, true}, {true, false}, {false, true}};
	struct owner own[N_OWNERS] = {0};
	struct store *s = locked();
	unsigned n_conflicts = 0, n_taken = 0, n_dropped = 0;
	const char *seed = getenv("NETD_TEST_SEED");

	(void)state;
	srandom(seed ? (unsigned)atoi(seed) : 1);
	for (int i = 0; i < N_OWNERS; i++) {
		snprintf(own[i].id, sizeof(own[i].id), "c%d", i);
		name_key(own[i].id, "eth0", own[i].key);
		memcpy(own[i].has, families[i % 3], sizeof(own[i].has));
	}
	for (int k = 0; k < 10000; k++) {
		struct owner *me = &own[rnd(N_OWNERS)];
		struct publish p = random_run();
		bool want = false;
		struct err why = ERR_INIT;
		int r;

		if (me->n == N_RUNS || (me->n > 0 && rnd(4) == 0)) {
			size_t i = rnd((unsigned)me->n);

			must(0, claim_drop_ports(s, &me->run[i], me->has, me->key, e));
			me->run[i] = me->run[--me->n];
			save(s, me);
			n_dropped++;
			continue;
		}
		for (int o = 0; o < N_OWNERS; o++)
			for (size_t i = 0; i < own[o].n; i++)
				want |= excluded(me, &p, &own[o], &own[o].run[i]);
		r = claim_ports(s, &p, me->has, me->key, &why);
		if (r < 0 && (!want || why.kind != ERR_CONFLICT))
			fail_msg("case %d: %s", k, why.text);
		if (r == 0 && want) {
			check_own_overlap(own, me, &p);
			me->n = 0; /* what is shared now cannot be told apart: let go of all */
			must(0, claim_drop_all(s, me->key, e));
			save(s, me);
			continue;
		}
		n_conflicts += r < 0;
		if (r == 0) {
			me->run[me->n++] = p;
			save(s, me);
			n_taken++;
		}
		if (k % 100 == 0) {
			int n = util_count(DIR_NAME "/ports"), m = util_count(DIR_NAME "/ranges");

			assert_int_equal((n > 0 ? n : 0) + (m > 0 ? m : 0), expected_links(own));
		}
	}
	print_message("%u taken, %u conflicts, %u dropped\n", n_taken, n_conflicts, n_dropped);
	assert_true(n_taken > 1000 && n_conflicts > 1000);
	store_closep(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names, util_fresh),
		cmocka_unit_test_setup(test_conflict_text, util_fresh),
		cmocka_unit_test_setup(test_stale, util_fresh),
		cmocka_unit_test_setup(test_partly_stale, util_fresh),
		cmocka_unit_test_setup(test_junk, util_fresh),
		cmocka_unit_test_setup(test_random, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
