/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holdings: what a user is charged for, and who has a link or an address: quotas and complaints go
 * by these answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/holdings.h"
#include "lack.h"

static struct holding made(uint32_t uid, const char *id, const char *ifname, uint32_t n_ports)
{
	struct holding h = {.uid = uid, .n_ports = n_ports};

	snprintf(h.id, sizeof(h.id), "%s", id);
	snprintf(h.ifname, sizeof(h.ifname), "%s", ifname);
	return h;
}

static void put(struct holdings *l, struct holding h)
{
	assert_int_equal(holdings_put(l, &h, NULL), 0);
}

static void check(const struct holdings *l, uint32_t uid, const char *id, const char *ifname,
		  uint32_t nics, uint32_t ports)
{
	struct charge c = holdings_charge(l, uid, id, ifname);

	assert_int_equal(c.nics, nics);
	assert_int_equal(c.ports, ports);
}

static void test_charge(void **state)
{
	struct holdings l = {0};

	(void)state;
	check(&l, 7, NULL, NULL, 0, 0);
	put(&l, made(7, "u7-a", "eth0", 2));
	put(&l, made(7, "u7-a", "eth1", 3));
	put(&l, made(8, "u8-a", "eth0", 10));
	check(&l, 7, NULL, NULL, 2, 5);
	check(&l, 8, NULL, NULL, 1, 10);
	check(&l, 9, NULL, NULL, 0, 0);
	/* The one that is made anew, and no other of its container or its name. */
	check(&l, 7, "u7-a", "eth1", 1, 2);
	check(&l, 7, "u7-a", "eth2", 2, 5);
	check(&l, 7, "u8-a", "eth0", 2, 5);
	/* Again: in its place, with what it has now. */
	put(&l, made(7, "u7-a", "eth0", 1));
	check(&l, 7, NULL, NULL, 2, 4);
	assert_int_equal(l.n, 3);
	holdings_drop(&l, "u7-a", "none");
	holdings_drop(&l, "u7-a", "eth0");
	check(&l, 7, NULL, NULL, 1, 3);
	assert_null(holdings_find(&l, "u7-a", "eth0"));
	assert_non_null(holdings_find(&l, "u7-a", "eth1"));
	assert_non_null(holdings_find(&l, "u8-a", "eth0"));
	holdings_clear(&l);
	assert_int_equal(l.n, 0);
}

static void test_whose(void **state)
{
	struct holdings l = {0};
	struct holding h = made(7, "u7-a", "eth0", 0), i = made(8, "u8-a", "eth0", 0);
	struct ip ip, none = {0};

	(void)state;
	assert_int_equal(ip_parse("10.1.0.2", &h.ip[FAM4], NULL), 0);
	assert_int_equal(ip_parse("fd00::3", &i.ip[FAM6], NULL), 0);
	i.ifindex = 12;
	put(&l, h);
	put(&l, i);
	/* One whose link is not known yet has none, and one without an address of a family neither.
	 */
	assert_null(holdings_by_link(&l, 0));
	assert_null(holdings_by_ip(&l, &none));
	assert_null(holdings_by_link(&l, 11));
	assert_int_equal(holdings_by_link(&l, 12)->uid, 8);
	ip = h.ip[FAM4];
	assert_int_equal(holdings_by_ip(&l, &ip)->uid, 7);
	assert_int_equal(holdings_by_ip(&l, &i.ip[FAM6])->uid, 8);
	ip.b[3]++;
	assert_null(holdings_by_ip(&l, &ip));
	holdings_clear(&l);
}

static void test_record(void **state)
{
	struct attachment *a = calloc(1, sizeof(*a));
	struct publish p[2] = {{.count = 3}, {.count = 1}};
	struct holding h;

	(void)state;
	assert_non_null(a);
	strcpy(a->id, "u7-a");
	strcpy(a->ifname, "eth0");
	strcpy(a->network, "n");
	a->publish = p;
	a->n_publish = 2;
	a->host_ifindex = 5;
	a->is_until_logout = true;
	a->phase = ATTACH_COMMITTED;
	assert_false(holding_of(a, &h)); /* root's own */
	a->uid = 7;
	assert_true(holding_of(a, &h));
	assert_int_equal(h.uid, 7);
	assert_int_equal(h.n_ports, 4);
	assert_int_equal(h.ifindex, 5);
	assert_string_equal(h.id, "u7-a");
	assert_string_equal(h.network, "n");
	assert_true(h.is_until_logout && !h.has_egress && !h.is_doomed);
	/* What was half made when its maker died is to be taken down. */
	a->phase = ATTACH_INTENT;
	a->egress.n = 1;
	assert_true(holding_of(a, &h));
	assert_true(h.is_doomed && h.has_egress);
	free(a);
}

/* Without memory nothing is half noted: what was there is charged as before. */
static void test_no_memory(void **state)
{
	struct holdings l = {0};
	struct err e = ERR_INIT;
	size_t n = 0;
	bool has_failed = false;

	(void)state;
	for (; !has_failed && n < 1000; n++) {
		struct holding h = made(7, "u7", "eth0", 1);

		snprintf(h.id, sizeof(h.id), "u7-%zu", n);
		lack_begin(1, true);
		int r = holdings_put(&l, &h, &e);
		has_failed = lack_end();
		assert_int_equal(r < 0, has_failed);
		assert_int_equal(l.n, has_failed ? n : n + 1);
		if (n == 0) { /* the first takes room, always */
			assert_true(has_failed);
			assert_int_equal(e.kind, ERR_INTERNAL);
			has_failed = false;
			put(&l, h);
		}
	}
	assert_true(has_failed);
	check(&l, 7, NULL, NULL, (uint32_t)n - 1, (uint32_t)n - 1);
	put(&l, made(7, "u7-1", "eth0", 1));
	holdings_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charge),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
