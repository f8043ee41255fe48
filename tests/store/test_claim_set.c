/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims from sets of ranges: the order of addresses, what is never handed out, cursors of their
 * own, and the question whether a set is used up.
 */
#include <stdio.h>
#include <string.h>

#include "util.h"

#include "store/claim.h"

static struct store *locked(void)
{
	struct store *s = util_open();

	must(0, store_lock(s, e));
	return s;
}

static struct addr_range range(const char *subnet, const char *first, const char *last)
{
	struct addr_range r = {0};

	must(0, prefix_parse(subnet, &r.subnet, e));
	if (first)
		r.first = util_ip(first);
	if (last)
		r.last = util_ip(last);
	return r;
}

static void next_is(struct store *s, const struct addr_set *set, unsigned int slot, const char *key,
		    const char *want)
{
	char text[IP_STRLEN];
	struct ip ip;

	must(0, claim_from_set(s, "net", set, slot, key, &ip, e));
	assert_string_equal(ip_str(&ip, text), want);
}

static void record(struct store *s, const char *id, const char *addr)
{
	CLEAN_ATTACHMENT struct attachment *a = util_attachment(id, addr, NULL);

	must(0, store_put_attachment(s, a, e));
}

static void test_ranges(void **state)
{
	struct addr_set set = {.n = 2,
			       .r = {range("10.1.0.0/24", "10.1.0.254", NULL),
				     range("10.2.0.0/29", NULL, "10.2.0.3")}};
	struct store *s = locked();
	struct err why = ERR_INIT;
	char key[8];
	struct ip ip;

	(void)state;
	must(0, pool_complete(&set, 1, e));
	must(0, claim_is_full(s, &set, e));
	next_is(s, &set, 0, "a@eth0", "10.1.0.254");
	record(s, "a", "10.1.0.254");
	next_is(s, &set, 0, "b@eth0", "10.2.0.2"); /* .1 is the gateway */
	record(s, "b", "10.2.0.2");
	must(0, claim_is_full(s, &set, e));
	next_is(s, &set, 0, "c@eth0", "10.2.0.3");
	must(0, claim_is_full(s, &set, e));        /* c has no record: it may be dead */
	next_is(s, &set, 0, "c@eth0", "10.2.0.3"); /* the attempt made again */
	record(s, "c", "10.2.0.3");
	must(1, claim_is_full(s, &set, e));
	must_fail(ERR_QUOTA, "10.1.0.0/24 and further ranges",
		  claim_from_set(s, "net", &set, 0, "d@eth0", &ip, e));
	assert_true(claim_from_set(s, "net", &set, 0, "d@eth0", &ip, &why) < 0);
	assert_int_equal(why.what, WHAT_POOL);
	ip = util_ip("10.2.0.2");
	must(0, claim_drop_addr(s, &ip, "b@eth0", e));
	must(0, claim_is_full(s, &set, e));
	next_is(s, &set, 0, "d@eth0", "10.2.0.2");
	/* An address that was freed is not the next one. */
	snprintf(key, sizeof(key), "e@eth0");
	set = (struct addr_set){.n = 1, .r = {range("10.3.0.0/24", NULL, NULL)}};
	must(0, pool_complete(&set, 1, e));
	next_is(s, &set, 1, key, "10.3.0.2");
	ip = util_ip("10.3.0.2");
	must(0, claim_drop_addr(s, &ip, key, e));
	next_is(s, &set, 1, "f@eth0", "10.3.0.3");
	store_unlock(s);
	store_closep(&s);
}

/* Each set goes on where it was, whatever the others do; the last slot works too. */
static void test_slots(void **state)
{
	struct addr_set set[2] = {{.n = 1, .r = {range("10.1.0.0/24", NULL, NULL)}},
				  {.n = 1, .r = {range("2001:db8::/64", NULL, NULL)}}};
	struct claim_cursor before, after;
	struct store *s = locked();

	(void)state;
	must(0, pool_complete(set, 2, e));
	next_is(s, &set[0], 0, "a@eth0", "10.1.0.2");
	next_is(s, &set[1], ADDR_SET_MAX - 1, "a@eth0", "2001:db8::2");
	next_is(s, &set[0], 0, "b@eth0", "10.1.0.3");
	must(0, claim_get_cursor(s, "net", &before, e));
	assert_int_equal(before.n, CLAIM_CURSOR_LEN * ADDR_SET_MAX);
	next_is(s, &set[1], ADDR_SET_MAX - 1, "b@eth0", "2001:db8::3");
	must(0, claim_put_cursor(s, "net", &before, e));
	must(0, claim_get_cursor(s, "net", &after, e));
	assert_memory_equal(before.text, after.text, before.n);
	must_fail(ERR_INTERNAL, "key",
		  claim_from_set(s, "net", &set[0], 0, "x", &(struct ip){0}, e));
	must_fail(ERR_USAGE, "network name",
		  claim_from_set(s, "../x", &set[0], 0, "a@eth0", &(struct ip){0}, e));
	store_unlock(s);
	must_fail(ERR_INTERNAL, "global lock",
		  claim_from_set(s, "net", &set[0], 0, "a@eth0", &(struct ip){0}, e));
	store_closep(&s);
}

/* Wherever the one that is left lies, it is found. */
static void test_full(void **state)
{
	struct addr_set set = {.n = 1, .r = {range("10.1.0.0/26", NULL, NULL)}};
	struct store *s = locked();

	(void)state;
	must(0, pool_complete(&set, 1, e));
	for (int i = 2; i < 63; i++) {
		char id[8], key[16], addr[IP_STRLEN];

		snprintf(id, sizeof(id), "c%d", i);
		snprintf(key, sizeof(key), "%s@eth0", id);
		snprintf(addr, sizeof(addr), "10.1.0.%d", i);
		must(0, claim_is_full(s, &set, e));
		next_is(s, &set, 0, key, addr);
		record(s, id, addr);
	}
	must(1, claim_is_full(s, &set, e));
	for (int i = 2; i < 63; i++) {
		char key[16], addr[IP_STRLEN];

		snprintf(key, sizeof(key), "c%d@eth0", i);
		snprintf(addr, sizeof(addr), "10.1.0.%d", i);
		struct ip ip = util_ip(addr);
		must(0, claim_drop_addr(s, &ip, key, e));
		must(0, claim_is_full(s, &set, e));
		must(0, claim_addr(s, &ip, key, e));
		must(1, claim_is_full(s, &set, e));
	}
	store_unlock(s);
	store_closep(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ranges, util_fresh),
		cmocka_unit_test_setup(test_full, util_fresh),
		cmocka_unit_test_setup(test_slots, util_fresh),
	};

	util_enter();
	return cmocka_run_group_tests_name("store/claim_set", tests, NULL, NULL);
}
