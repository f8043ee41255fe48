/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parallel: many processes claim and release at once, some are killed at any moment. Each process
 * enters what it believes to own into shared memory before anybody else may own it, so a double
 * allocation is seen the moment it happens.
 */
#include "util.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "store/claim.h"

#define N_PROCS 16
#define N_OPS 200
#define N_ADDRS 16 /* 10.88.0.0/28: fewer than are wanted, so that the pool runs dry too */
#define N_PORTS 256
#define PORT0 1000

static const bool has[N_FAM] = {true, true};

/* Who owns what: 0 nobody, else 1 + the process's number. */
static struct shared {
	atomic_int addr[N_ADDRS];
	atomic_int port[N_FAM][N_PORTS];
	atomic_int n_double, n_taken, n_refused;
	atomic_int n_begun; /* victims that have begun */
} * sh;

static void mark(atomic_int *slot, int me)
{
	int nobody = 0;

	if (!atomic_compare_exchange_strong(slot, &nobody, me))
		atomic_fetch_add(&sh->n_double, 1);
}

static void unmark(atomic_int *slot, int me)
{
	if (!atomic_compare_exchange_strong(slot, &me, 0))
		atomic_fetch_add(&sh->n_double, 1);
}

static void mark_ports(const struct publish *p, int me, void (*fn)(atomic_int *, int))
{
	for (int f = 0; f < N_FAM; f++)
		for (unsigned i = 0; publish_covers(p, f) && i < p->count; i++)
			fn(&sh->port[f][p->host_port - PORT0 + i], me);
}

static struct publish random_run(void)
{
	static const char *const hosts[] = {"198.51.100.1", "2001:db8::1", "0.0.0.0"};
	struct publish p = {.proto = 6, .count = 1};
	long h = random() % 6;

	/* One address a family, so that host-address claims exclude each other as the marks do. */
	if (h < 3)
		ip_parse(hosts[h], &p.host_ip, NULL);
	p.host_port = (uint16_t)(PORT0 + random() % 100);
	if (random() % 4 == 0)
		p.count = (uint16_t)(random() % 2 ? 3 : 65 + random() % 60);
	p.ctr_port = p.host_port;
	return p;
}

/* One life of a container: claim, record, release. 0, or a number that tells where it went wrong.
 */
static int one_life(struct store *s, struct network *n, const char *id, int me, bool marks)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment(id, NULL, NULL);
	struct publish p = random_run();
	struct err e = ERR_INIT;
	char key[KEY_STRLEN];
	bool got_port = false;
	int r;

	name_key(id, "eth0", key);
	if (store_lock_key(s, key, &e) < 0 || store_lock(s, &e) < 0)
		return 1;
	r = claim_next_addr(s, n, FAM4, key, &a->addr[FAM4].ip, &e);
	if (r < 0) {
		store_unlock(s);
		store_unlock_key(s, key);
		atomic_fetch_add(&sh->n_refused, 1);
		return e.kind == ERR_QUOTA ? 0 : 2;
	}
	r = claim_ports(s, &p, has, key, &e);
	if (r < 0 && e.kind != ERR_CONFLICT)
		return 3;
	atomic_fetch_add(r < 0 ? &sh->n_refused : &sh->n_taken, 1);
	got_port = r == 0;
	if (got_port && attachment_add_publish(a, &p, 1, &e) < 0)
		return 4;
	if (store_put_attachment(s, a, &e) < 0)
		return 5;
	store_unlock(s);
	if (marks) {
		mark(&sh->addr[prefix_index(&n->subnet[FAM4], &a->addr[FAM4].ip)], me);
		if (got_port)
			mark_ports(&p, me, mark);
	}
	usleep((useconds_t)(random() % 500));
	if (marks) {
		unmark(&sh->addr[prefix_index(&n->subnet[FAM4], &a->addr[FAM4].ip)], me);
		if (got_port)
			mark_ports(&p, me, unmark);
	}
	if (store_lock(s, &e) < 0)
		return 6;
	if ((got_port && claim_drop_ports(s, &p, has, key, &e) < 0) ||
	    claim_drop_addr(s, &a->addr[FAM4].ip, key, &e) != 0 ||
	    store_del_attachment(s, id, "eth0", &e) != 0)
		return 7;
	if (random() % 8 == 0 && store_remove_if_empty(s, &e) < 0)
		return 8;
	store_unlock(s);
	store_unlock_key(s, key);
	return 0;
}

static int worker(void *arg)
{
	int nr = *(int *)arg;
	struct network n = util_network("net", "10.88.0.0/28", NULL);
	struct store *s = NULL;
	struct err e = ERR_INIT;

	srandom((unsigned)nr + 1);
	if (store_open(DIR_NAME, true, COOKIE, BOOT, &s, &e) != 0)
		return 99;
	for (int i = 0; i < N_OPS; i++) {
		char id[32];
		int r;

		snprintf(id, sizeof(id), "c%d-%d", nr, i);
		r = one_life(s, &n, id, nr + 1, true);
		if (r != 0)
			return r;
	}
	return 0;
}

static void test_no_double(void **state)
{
	pid_t pids[N_PROCS];
	int nr[N_PROCS];
	struct store *s;
	size_t left = 9;

	(void)state;
	memset(sh, 0, sizeof(*sh));
	for (int i = 0; i < N_PROCS; i++) {
		nr[i] = i;
		pids[i] = util_fork(worker, &nr[i]);
	}
	for (int i = 0; i < N_PROCS; i++)
		assert_int_equal(util_wait(pids[i]), 0);
	assert_int_equal(sh->n_double, 0);
	print_message("%d port runs taken, %d refused\n", sh->n_taken, sh->n_refused);
	assert_true(sh->n_taken > N_PROCS * N_OPS / 4);
	s = util_open();
	assert_int_equal(util_records(s), 0);
	must(0, store_lock(s, e));
	must(0, claim_sweep(s, &left, e));
	assert_int_equal(left, 0); /* who ends well leaves nothing to sweep */
	must(0, store_remove_if_empty(s, e));
	store_closep(&s);
	assert_int_equal(util_count(DIR_NAME), -1);
}

/* Lives until it is killed. */
static int victim(void *arg)
{
	int nr = *(int *)arg;
	struct network n = util_network("net", "10.88.0.0/28", NULL);

	srandom((unsigned)nr + 1000);
	atomic_fetch_add(&sh->n_begun, 1);
	for (int i = 0;; i++) {
		struct store *s = NULL;
		struct err e = ERR_INIT;
		char id[32];
		int r;

		snprintf(id, sizeof(id), "v%d", i % 3); /* ids are used again after a kill */
		if (store_open(DIR_NAME, true, COOKIE, BOOT, &s, &e) != 0)
			return 99;
		r = one_life(s, &n, id, 0, false);
		if (r != 0)
			return r;
		store_closep(&s);
	}
}

struct found {
	struct store *s;
	char ids[64][ID_STRLEN];
	int n;
};

static int collect(const struct attachment *a, void *arg)
{
	struct found *f = arg;

	assert_true(f->n < 64);
	strcpy(f->ids[f->n++], a->id);
	return 0;
}

static void broken(const char *name, const struct err *why, void *arg)
{
	(void)arg;
	fail_msg("%s: %s", name, why->text); /* a kill leaves no broken record */
}

/* What gc does with attachments whose container is gone, and then with claims. */
static void collect_garbage(struct store *s, const bool deep)
{
	struct found f = {.s = s};
	size_t n;

	must(0, store_lock(s, e));
	if (deep) {
		must(0, store_each_attachment(s, collect, broken, &f, e));
		for (int i = 0; i < f.n; i++)
			must(0, store_del_attachment(s, f.ids[i], "eth0", e));
	}
	must(0, claim_sweep(s, &n, e));
	store_unlock(s);
}

static void test_killed(void **state)
{
	unsigned n_left = 0;

	(void)state;
	memset(sh, 0, sizeof(*sh));
	srandom(7);
	/* Where others have the processors most of the time, a kill often meets one that sleeps. */
	for (int i = 0; i < 200 || (n_left <= 20 && i < 5000); i++) {
		struct timespec wait = {.tv_nsec = 200000 + random() % 2500000};
		struct store *s = NULL;
		pid_t pid = util_fork(victim, &i);
		size_t n;

		while (sh->n_begun <= i)
			sched_yield();
		nanosleep(&wait, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(util_wait(pid), -SIGKILL);
		if (i % 2 == 0) { /* nobody opens it in between: DEL right after the kill */
			struct err why = ERR_INIT;
			int r = store_open(DIR_NAME, false, COOKIE, BOOT, &s, &why);

			if (r < 0)
				fail_msg("%s", why.text);
			if (r == 1) {
				assert_int_equal(util_count(DIR_NAME), -1);
				continue;
			}
		} else {
			s = util_open();
		}
		n_left += util_count(DIR_NAME) > 2;
		collect_garbage(s, true);
		must(0, store_lock(s, e));
		must(0, claim_sweep(s, &n, e));
		assert_int_equal(n, 0);
		assert_int_equal(util_count(DIR_NAME "/addrs") > 0, 0);
		assert_int_equal(util_count(DIR_NAME "/ports") > 0, 0);
		assert_int_equal(util_count(DIR_NAME "/ranges") > 0, 0);
		assert_int_equal(util_count(DIR_NAME "/attachments") > 0, 0);
		must(0, store_remove_if_empty(s, e));
		store_closep(&s);
		assert_int_equal(util_count(DIR_NAME), -1);
	}
	print_message("%u kills left something\n", n_left);
	assert_true(n_left > 20); /* the kills did hit */
}

/* Killed at random while others go on: they never see more than ERR_CONFLICT or ERR_QUOTA, and what
 * the dead left is swept in the end. */
static void test_killed_among_others(void **state)
{
	pid_t pids[8], live[4];
	int nr[8], ln[4];
	struct store *s;
	size_t n;

	(void)state;
	memset(sh, 0, sizeof(*sh));
	srandom(8);
	for (int i = 0; i < 4; i++) {
		ln[i] = 100 + i;
		live[i] = util_fork(worker, &ln[i]);
	}
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 8; i++) {
			nr[i] = round * 8 + i;
			pids[i] = util_fork(victim, &nr[i]);
		}
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
		for (int i = 0; i < 8; i++) {
			assert_int_equal(kill(pids[i], SIGKILL), 0);
			assert_int_equal(util_wait(pids[i]), -SIGKILL);
		}
		s = util_open();
		collect_garbage(s, false);
		store_closep(&s);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(util_wait(live[i]), 0);
	assert_int_equal(sh->n_double, 0);
	s = util_open();
	collect_garbage(s, true);
	must(0, store_lock(s, e));
	must(0, claim_sweep(s, &n, e));
	assert_int_equal(n, 0);
	must(0, store_remove_if_empty(s, e));
	store_closep(&s);
	assert_int_equal(util_count(DIR_NAME), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_double, util_fresh),
		cmocka_unit_test_setup(test_killed, util_fresh),
		cmocka_unit_test_setup(test_killed_among_others, util_fresh),
	};

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return 1;
	util_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
