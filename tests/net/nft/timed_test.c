/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timed_test: elements that end by themselves: made, prolonged without a gap, left as they are
 * where they last long enough, ended by the kernel, and taken away by whose they are. In a network
 * namespace of its own.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/nft.h"
#include "net/nftbatch.h"
#include "net/ruleset.h"
#include "population.h"

#define TRIES 1000
#define LONG_S 10000u

static struct attachment a;

static struct nftbatch *set_up(void)
{
	CLEAN_BUF struct buf text = BUF_INIT;
	struct nftbatch *n = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ruleset_base(7, &text);
	if (nft_run(text.p, &e) < 0 || nftbatch_open(&n, &e) < 0)
		fail_msg("%s", e.text);
	memset(&a, 0, sizeof(a));
	strcpy(a.id, "c");
	strcpy(a.ifname, "eth0");
	a.addr[FAM4] = population_prefix("10.1.0.2/16");
	a.addr[FAM6] = population_prefix("2001:db8::2/64");
	a.n_extra = 1;
	a.extra[0].addr = population_prefix("10.1.0.3/16");
	assert_int_equal(attach_egress_parse_list("a.test,b.test:80-89,c.test:443", false,
						  &a.egress, &a.names, NULL),
			 0);
	return n;
}

static void fill(struct elem_list *l, uint32_t timeout_s)
{
	struct ip to[] = {population_ip("192.0.2.1"), population_ip("2001:db8:1::1")};

	l->n = 0;
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 2; k++)
			assert_int_equal(elem_of_named(&a, i, &to[k], timeout_s, l, NULL), 0);
	assert_int_equal(l->n, 3 * 3); /* two addresses of the one family, one of the other */
}

static size_t count(struct nftbatch *n, const struct elem_list *l)
{
	CLEAN_FREE bool *has = calloc(l->n, sizeof(*has));
	size_t k = 0;

	assert_non_null(has);
	assert_int_equal(nftbatch_has(n, l, has, NULL), 0);
	for (size_t i = 0; i < l->n; i++)
		k += has[i];
	return k;
}

static void prolong(struct nftbatch *n, const struct elem_list *l, uint32_t slack_s)
{
	struct err e = ERR_INIT;

	if (nftbatch_prolong(n, l, slack_s, &e) != 0)
		fail_msg("%s", e.text);
}

/* The list of all, where only what is longer than so many seconds counts. */
static size_t longer_than(uint32_t s)
{
	CLEAN_BUF struct buf list = BUF_INIT;
	size_t n = 0;

	assert_int_equal(nft_list(&list, NULL), 0);
	for (const char *p = list.p; (p = strstr(p, "timeout ")); p++) {
		unsigned int h = 0, m = 0, sec = 0;

		if (sscanf(p, "timeout %uh%um%us", &h, &m, &sec) < 1 || h == 0)
			h = 0;
		n += h * 3600 > s;
	}
	return n;
}

static void test_prolong(void **state)
{
	CLEAN_NFTBATCH struct nftbatch *n = set_up();
	CLEAN_ELEMS struct elem_list l = {0};

	(void)state;
	prolong(n, &l, 0); /* nothing */
	fill(&l, LONG_S);
	prolong(n, &l, 0);
	assert_int_equal(count(n, &l), l.n);
	assert_int_equal(longer_than(3600), l.n);
	assert_int_equal(longer_than(2 * 3600), 0);
	/* Less, and a little more: it stays. */
	fill(&l, 60);
	prolong(n, &l, 0);
	fill(&l, LONG_S + 4000);
	prolong(n, &l, 8000);
	assert_int_equal(longer_than(3600), l.n);
	assert_int_equal(longer_than(2 * 3600), 0);
	/* More. */
	prolong(n, &l, 10);
	assert_int_equal(longer_than(2 * 3600), l.n);
	/* One that is new among those that are there. */
	l.n = 0;
	fill(&l, LONG_S + 4000);
	l.v[4].key[1].ip.b[3] = l.v[4].key_end[1].ip.b[3] = 77;
	prolong(n, &l, 10);
	assert_int_equal(count(n, &l), l.n);
}

static void test_end(void **state)
{
	CLEAN_NFTBATCH struct nftbatch *n = set_up();
	CLEAN_ELEMS struct elem_list l = {0};

	(void)state;
	fill(&l, 1);
	prolong(n, &l, 0);
	for (int i = 0; i < TRIES && count(n, &l) > 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	assert_int_equal(count(n, &l), 0);
	/* What has ended, or ends just now, is made anew: as often as one likes. */
	for (int i = 0; i < 200; i++) {
		fill(&l, i % 2 ? LONG_S : 1);
		prolong(n, &l, 0);
	}
	fill(&l, LONG_S);
	assert_int_equal(count(n, &l), l.n);
}

static void test_del(void **state)
{
	CLEAN_NFTBATCH struct nftbatch *n = set_up();
	CLEAN_ELEMS struct elem_list l = {0}, other = {0};
	struct ip own[3] = {a.addr[FAM4].ip, a.addr[FAM6].ip, a.extra[0].addr.ip};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(nftbatch_del_timed(n, own, 3, &e), 0); /* nothing */
	fill(&l, LONG_S);
	prolong(n, &l, 0);
	a.addr[FAM4] = population_prefix("10.1.0.4/16");
	a.addr[FAM6] = population_prefix("2001:db8::4/64");
	a.extra[0].addr = population_prefix("10.1.0.5/16");
	fill(&other, LONG_S);
	prolong(n, &other, 0);
	/* More than one answer of the kernel holds. */
	for (unsigned int i = 0; i < 1000; i++) {
		struct elem_list one = {.v = &l.v[0], .n = 1};

		l.v[0].key[1].ip.b[1] = 1;
		l.v[0].key[1].ip.b[2] = (uint8_t)(i >> 8);
		l.v[0].key[1].ip.b[3] = (uint8_t)i;
		assert_int_equal(nftbatch_add(n, &one, NULL, &e), 0);
	}
	assert_int_equal(longer_than(3600), 1000 + l.n + other.n);
	if (nftbatch_del_timed(n, own, 3, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(longer_than(3600), other.n);
	assert_int_equal(count(n, &other), other.n);
	assert_int_equal(nftbatch_del_timed(n, own, 0, &e), 0);
}

static void test_no_tables(void **state)
{
	CLEAN_NFTBATCH struct nftbatch *n = set_up();
	CLEAN_ELEMS struct elem_list l = {0};
	struct err e = ERR_INIT;

	(void)state;
	fill(&l, LONG_S);
	assert_int_equal(nftbatch_drop_tables(n, &e), 0);
	assert_true(nftbatch_prolong(n, &l, 0, &e) < 0);
	err_reset(&e);
	assert_int_equal(nftbatch_del_timed(n, &a.addr[FAM4].ip, 1, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prolong),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_del),
		cmocka_unit_test(test_no_tables),
	};

	return cmocka_run_group_tests_name("timed", tests, NULL, NULL);
}
