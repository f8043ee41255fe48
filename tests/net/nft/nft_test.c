/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_test: both ways of loading give the same ruleset, and transactions say what happened. Runs in
 * a network namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/nft.h"
#include "net/nftbatch.h"
#include "net/ruleset.h"
#include "population.h"

static void must(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%d: %s", r, e->text);
}

static void load_text(const struct elem_list *l)
{
	CLEAN_BUF struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	ruleset_base(7, &b);
	if (l)
		ruleset_elements(l, &b);
	assert_false(b.failed);
	must(nft_run(b.p, &e), &e);
}

static struct nftbatch *open_batch(void)
{
	struct nftbatch *n = NULL;
	struct err e = ERR_INIT;

	must(nftbatch_open(&n, &e), &e);
	return n;
}

static void list(struct buf *out)
{
	struct err e = ERR_INIT;

	must(nft_list(out, &e), &e);
}

/* A fresh namespace for each test. */
static int setup(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET);
}

static void both_ways_list_alike(void **state)
{
	CLEAN_BUF struct buf by_text = BUF_INIT, by_batch = BUF_INIT, empty = BUF_INIT,
			     flushed = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	struct err e = ERR_INIT;
	size_t lines = 0;

	(void)state;
	population_elements(24, 3, &l);
	load_text(&l);
	list(&by_text);
	load_text(NULL);
	list(&empty);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	list(&by_batch);
	assert_string_equal(by_text.p, by_batch.p);
	assert_true(by_text.len > 10 * empty.len);
	for (const char *p = by_batch.p; (p = strstr(p, "comment \"")); p++)
		lines++;
	assert_int_equal(lines, l.n + 2);
	must(nftbatch_del(n, &l, &e), &e);
	list(&flushed);
	assert_string_equal(empty.p, flushed.p);
}

/* The listing is itself a ruleset that loads, as an administrator would expect. */
static void listing_loads_again(void **state)
{
	CLEAN_BUF struct buf first = BUF_INIT, second = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	struct err e = ERR_INIT;

	(void)state;
	population_elements(24, 1, &l);
	load_text(&l);
	list(&first);
	must(nftbatch_drop_tables(n, &e), &e);
	must(nft_run(first.p, &e), &e);
	list(&second);
	assert_string_equal(first.p, second.p);
}

static void tables_and_versions(void **state)
{
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	CLEAN_BUF struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 1);
	assert_int_equal(nftbatch_drop_tables(n, &e), 1);
	list(&b);
	assert_int_equal(b.len, 0);
	load_text(NULL);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 0);
	assert_int_equal(nftbatch_tables(n, ruleset_version() + 1, 7, &e), 2);
	must(nft_run("delete table bridge netd\n", &e), &e);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 2);
	assert_int_equal(nftbatch_drop_tables(n, &e), 0);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 1);
	must(nft_run("table inet netd { }\ntable bridge netd { comment \"netns-up 0\"; }\n", &e),
	     &e);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 2);
	/* Somebody else's, and ours of another state directory. */
	must(nft_run("delete table bridge netd\ntable bridge netd { comment \"netd\"; }\n", &e),
	     &e);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 3);
	load_text(NULL);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 8, &e), 3);
	load_text(NULL);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 0);
	assert_int_equal(nftbatch_drop_tables(n, &e), 0);
	list(&b);
	assert_int_equal(b.len, 0);
}

/* Loading the base again replaces everything, also foreign additions, and leaves other tables. */
static void base_replaces(void **state)
{
	CLEAN_BUF struct buf clean = BUF_INIT, after = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	struct err e = ERR_INIT;
	bool has;

	(void)state;
	load_text(NULL);
	list(&clean);
	population_plain(0, 1, &l);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	must(nft_run("add table inet other\nadd chain inet other c\n"
		     "add rule inet netd forward drop\nadd chain inet netd extra\n",
		     &e),
	     &e);
	load_text(NULL);
	list(&after);
	assert_string_equal(clean.p, after.p);
	must(nft_run("list table inet other\n", &e), &e);
	l.n = 1;
	must(nftbatch_has(n, &l, &has, &e), &e);
	assert_false(has);
}

static void conflict_has_index(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0}, other = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	CLEAN_BUF struct buf before = BUF_INIT, after = BUF_INIT;

	(void)state;
	load_text(NULL);
	population_elements(24, 2, &l);
	must(nftbatch_add(n, &l, NULL, NULL), &(struct err)ERR_INIT);
	/* Identical: no error. */
	must(nftbatch_add(n, &l, NULL, NULL), &(struct err)ERR_INIT);
	list(&before);
	population_plain(5000, 1, &other);
	for (size_t i = 0; i < l.n; i += 97) {
		struct err e = ERR_INIT;
		struct elem fresh[3];
		struct elem_list two = {.v = fresh, .n = 3};
		size_t bad = 77;

		if (!elem_sets[l.v[i].set].n_data && !elem_sets[l.v[i].set].verdict_map)
			continue;
		fresh[0] = other.v[0];
		fresh[1] = other.v[other.n - 1];
		fresh[2] = l.v[i];
		fresh[2].data[0].ip.b[3] ^= 1;
		fresh[2].verdict = l.v[i].verdict == VERDICT_DROP ? VERDICT_ACCEPT : VERDICT_DROP;
		assert_int_equal(nftbatch_add(n, &two, &bad, &e), -EEXIST);
		assert_int_equal(e.kind, ERR_CONFLICT);
		assert_int_equal(bad, 2);
		assert_non_null(strstr(e.text, elem_sets[l.v[i].set].name));
	}
	list(&after);
	assert_string_equal(before.p, after.p);
}

/* An interval that overlaps another one is a conflict as well. */
static void overlap_is_conflict(void **state)
{
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	struct publish p[2] = {
		{.proto = 6, .host_port = 1000, .ctr_port = 1000, .count = 100},
		{.proto = 6, .host_port = 1090, .ctr_port = 1090, .count = 100},
	};
	struct err e = ERR_INIT;
	struct network net;
	size_t bad = 77;

	(void)state;
	load_text(NULL);
	population_network(0, &net);
	for (unsigned int i = 0; i < 2; i++) {
		CLEAN_ELEMS struct elem_list l = {0};
		struct attachment a;

		population_attachment(&net, 0, i, &a);
		assert_int_equal(elem_of_publish(&a, &p[i], 1, &l, NULL), 0);
		assert_int_equal(nftbatch_add(n, &l, &bad, &e), i ? -EEXIST : 0);
	}
	assert_int_equal(bad, 0);
	assert_int_equal(e.kind, ERR_CONFLICT);
}

static void no_tables(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	struct err e = ERR_INIT;
	bool has[64];
	size_t bad;

	(void)state;
	population_plain(0, 1, &l);
	assert_int_equal(nftbatch_add(n, &l, &bad, &e), -ENOENT);
	assert_int_equal(e.kind, ERR_ABSENT);
	err_reset(&e);
	must(nftbatch_del(n, &l, &e), &e);
	memset(has, 1, sizeof(has));
	must(nftbatch_has(n, &l, has, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		assert_false(has[i]);
	l.n = 0;
	must(nftbatch_add(n, &l, NULL, &e), &e);
	must(nftbatch_del(n, &l, &e), &e);
}

static void has_tells_data_apart(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	CLEAN_FREE bool *has = NULL;
	struct err e = ERR_INIT;

	(void)state;
	load_text(NULL);
	population_elements(24, 2, &l);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	has = calloc(l.n, sizeof(*has));
	must(nftbatch_has(n, &l, has, &e), &e);
	for (size_t i = 0; i < l.n; i++) {
		if (!has[i])
			fail_msg("element %zu of %s", i, elem_sets[l.v[i].set].name);
	}
	/* Every second one is asked for with something changed. */
	for (size_t i = 0; i < l.n; i += 2) {
		const struct set_desc *d = &elem_sets[l.v[i].set];

		if (d->n_data)
			l.v[i].data[0].ip.b[1] ^= 0x40;
		else if (d->verdict_map)
			l.v[i].verdict =
				l.v[i].verdict == VERDICT_DROP ? VERDICT_ACCEPT : VERDICT_DROP;
		else if (d->bound)
			l.v[i].bound++;
		else if (d->interval && d->key[d->n_key - 1] == FIELD_PORT)
			l.v[i].key_end[d->n_key - 1].port++;
		else if (d->interval)
			l.v[i].key_end[d->n_key - 1].ip.b[3]--;
		else if (d->key[0] == FIELD_IFNAME)
			l.v[i].key[0].ifname[2] = 'X';
		else
			l.v[i].key[d->n_key - 1].ip.b[0] ^= 0x40;
	}
	must(nftbatch_has(n, &l, has, &e), &e);
	for (size_t i = 0; i < l.n; i++) {
		if (has[i] != i % 2)
			fail_msg("element %zu of %s: %d", i, elem_sets[l.v[i].set].name, has[i]);
	}
}

/* Added by either way an element of a published port counts from 0, and no other counts; one with
 * other data, or that is not there, is none of ours. */
static void packets(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	CLEAN_FREE uint64_t *have = NULL;
	CLEAN_BUF struct buf without = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	population_elements(24, 2, &l);
	have = calloc(l.n, sizeof(*have));
	for (int by_batch = 0; by_batch < 2; by_batch++) {
		load_text(by_batch ? NULL : &l);
		if (by_batch)
			must(nftbatch_add(n, &l, NULL, &e), &e);
		must(nftbatch_packets(n, &l, have, &e), &e);
		for (size_t i = 0; i < l.n; i++)
			if ((have[i] == 0) != elem_sets[l.v[i].set].is_counted ||
			    (have[i] != 0 && have[i] != NFTBATCH_UNKNOWN))
				fail_msg("element %zu of %s", i, elem_sets[l.v[i].set].name);
	}
	for (size_t i = 0; i < l.n; i++)
		l.v[i].data[0].ip.b[1] ^= 0x40;
	must(nftbatch_packets(n, &l, have, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		assert_true(have[i] == NFTBATCH_UNKNOWN);
	ruleset_base_without(RULESET_COUNTERS, 7, &without);
	must(nft_run(without.p, &e), &e);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	must(nftbatch_packets(n, &l, have, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		assert_true(have[i] == NFTBATCH_UNKNOWN);
}

/* Answers that the least receive buffer cannot hold at once are asked for again, fewer at a time.
 */
static void has_with_the_least_buffer(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	CLEAN_FREE bool *has = NULL;
	struct err e = ERR_INIT;
	const int least = 1;

	(void)state;
	load_text(NULL);
	population_elements(48, 2, &l);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	assert_int_equal(setsockopt(nftbatch_fd(n), SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)),
			 0);
	has = calloc(l.n, sizeof(*has));
	must(nftbatch_has(n, &l, has, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		assert_true(has[i]);
}

/* Absent ones are no error and do not keep the present ones. */
static void delete_some(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0}, half = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	CLEAN_BUF struct buf empty = BUF_INIT, after = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	load_text(NULL);
	list(&empty);
	population_elements(24, 1, &l);
	population_elements(24, 1, &half);
	half.n = 0;
	for (size_t i = 0; i < l.n; i += 2)
		half.v[half.n++] = l.v[i];
	must(nftbatch_add(n, &half, NULL, &e), &e);
	must(nftbatch_del(n, &l, &e), &e);
	list(&after);
	assert_string_equal(empty.p, after.p);
	must(nftbatch_del(n, &l, &e), &e);
}

/* 10,000 elements and more in one transaction, in and out, and refused ones too. */
static void large(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_NFTBATCH struct nftbatch *n = open_batch();
	CLEAN_BUF struct buf empty = BUF_INIT, after = BUF_INIT;
	struct err e = ERR_INIT;
	size_t bad = 0, first = 4711;

	(void)state;
	load_text(NULL);
	list(&empty);
	population_plain(0, 2500, &l);
	assert_true(l.n > 20000);
	must(nftbatch_del(n, &l, &e), &e);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	while (elem_sets[l.v[first].set].n_data == 0)
		first++;
	for (size_t i = first; i < l.n; i++)
		l.v[i].data[1].port ^= 1;
	assert_int_equal(nftbatch_add(n, &l, &bad, &e), -EEXIST);
	assert_int_equal(bad, first);
	must(nftbatch_del(n, &l, &e), &e);
	l.n = 0;
	population_plain(0, 2500, &l);
	must(nftbatch_del(n, &l, &e), &e);
	list(&after);
	assert_string_equal(empty.p, after.p);
}

/* ---- libnftables ---- */

static void errors_are_texts(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(nft_run("add rule inet nosuch c accept\n", &e), -ENOENT);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.text, "No such file"));
	err_reset(&e);
	assert_true(nft_run("tabel inet x\n", &e) < 0);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(e.text, "syntax error"));
	assert_null(strchr(e.text, '\n'));
	err_reset(&e);
	must(nft_run("table ip t { }\n", &e), &e);
	assert_int_equal(nft_run("create table ip t\n", &e), -EEXIST);
	assert_int_equal(e.kind, ERR_CONFLICT);
}

/* Runs body with stdout and stderr in a file, which must stay empty. */
static void quiet(void (*body)(void **), void **state)
{
	FILE *f = tmpfile();
	int out = dup(1), err = dup(2);
	long size;

	assert_non_null(f);
	fflush(NULL);
	dup2(fileno(f), 1);
	dup2(fileno(f), 2);
	body(state);
	fflush(stdout);
	fflush(stderr);
	size = lseek(fileno(f), 0, SEEK_END);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	fclose(f);
	assert_int_equal(size, 0);
}

static void nothing_is_printed(void **state)
{
	quiet(errors_are_texts, state);
	assert_int_equal(setup(state), 0);
	quiet(both_ways_list_alike, state);
}

static void in_a_child(void **state)
{
	nft_use_child(true);
	errors_are_texts(state);
	assert_int_equal(setup(state), 0);
	both_ways_list_alike(state);
	nft_use_child(false);
}

static void with_many_descriptors(void **state)
{
	struct rlimit old, big = {4096, 4096};
	int fd = -1, first = -1;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	if (old.rlim_max > big.rlim_max)
		big.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &big), 0);
	while (fd < 1100) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		if (first < 0)
			first = fd;
	}
	errors_are_texts(state);
	assert_int_equal(setup(state), 0);
	both_ways_list_alike(state);
	for (int i = first; i <= fd; i++)
		close(i);
	setrlimit(RLIMIT_NOFILE, &old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_ways_list_alike, setup),
		cmocka_unit_test_setup(listing_loads_again, setup),
		cmocka_unit_test_setup(tables_and_versions, setup),
		cmocka_unit_test_setup(base_replaces, setup),
		cmocka_unit_test_setup(conflict_has_index, setup),
		cmocka_unit_test_setup(overlap_is_conflict, setup),
		cmocka_unit_test_setup(no_tables, setup),
		cmocka_unit_test_setup(has_tells_data_apart, setup),
		cmocka_unit_test_setup(packets, setup),
		cmocka_unit_test_setup(has_with_the_least_buffer, setup),
		cmocka_unit_test_setup(delete_some, setup),
		cmocka_unit_test_setup(large, setup),
		cmocka_unit_test_setup(errors_are_texts, setup),
		cmocka_unit_test_setup(nothing_is_printed, setup),
		cmocka_unit_test_setup(in_a_child, setup),
		cmocka_unit_test_setup(with_many_descriptors, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
