/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: members come and go; what is found is what is there, and what the asking one may see. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "names/msg.h"
#include "names/table.h"

#include "hex.h"

static struct table t;

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	return table_init(&t);
}

static int tear_down(void **state)
{
	(void)state;
	table_free(&t);
	return 0;
}

static uint32_t put(uint32_t net, const char *key, uint32_t uid, const char *ip)
{
	struct ip a = hex_ip(ip);
	uint32_t e = SLOT_NONE;

	assert_int_equal(table_put_entry(&t, net, key, uid, &a, 1, &e), 0);
	return e;
}

static size_t count(uint32_t net, uint32_t uid, const char *name)
{
	uint8_t w[DNS_NAME_MAX];
	size_t len = msg_name_of_text(name, w), n = 0;
	uint32_t at = 0;

	while (table_by_name(&t, net, uid, w, len, &at) != SLOT_NONE)
		n++;
	return n;
}

static uint32_t find(uint32_t net, const char *ip)
{
	struct ip a = hex_ip(ip);

	return table_by_ip(&t, net, &a);
}

static void test_members(void **state)
{
	uint32_t one = table_add_net(&t, "one"), two = table_add_net(&t, "two");
	uint32_t a = put(one, "a@eth0", 0, "10.1.0.2"), b = put(one, "b@eth0", 0, "10.1.0.3");
	uint32_t c = put(two, "a@eth1", 0, "10.1.0.2"); /* the same address, elsewhere */

	(void)state;
	assert_int_equal(table_add_name(&t, a, "web"), 0);
	assert_int_equal(table_add_name(&t, a, "WEB."), 0); /* has it */
	assert_int_equal(table_entry_at(&t, a)->n_name, 1);
	assert_int_equal(table_add_name(&t, b, "web"), 0);
	assert_int_equal(table_add_name(&t, c, "web"), 0);
	assert_int_equal(table_add_name(&t, c, "no..name"), 1);
	assert_int_equal(count(one, 0, "web"), 2);
	assert_int_equal(count(two, 0, "web"), 1);
	assert_int_equal(find(one, "10.1.0.2"), a);
	assert_int_equal(find(two, "10.1.0.2"), c);
	assert_int_equal(find(one, "10.1.0.9"), SLOT_NONE);
	assert_int_equal(table_find_entry(&t, one, "b@eth0"), b);
	table_del_entry(&t, a);
	assert_int_equal(count(one, 0, "web"), 1);
	assert_int_equal(find(one, "10.1.0.2"), SLOT_NONE);
	assert_int_equal(table_find_net(&t, "two"), two);
	table_del_net(&t, two);
	assert_int_equal(table_find_net(&t, "two"), SLOT_NONE);
	table_del_net(&t, one);
	assert_int_equal(t.entries.n_used + t.addrs.n_used + t.names.n_used + t.nets.n_used, 0);
}

static void test_put_again(void **state)
{
	uint32_t net = table_add_net(&t, "n"), e = put(net, "a@eth0", 0, "10.1.0.2"), other;
	struct ip two[] = {hex_ip("10.1.0.4"), hex_ip("fd00::4")};

	(void)state;
	table_add_name(&t, e, "old");
	assert_int_equal(table_put_entry(&t, net, "a@eth0", 0, two, 2, &other), 0);
	assert_int_equal(other, e);
	assert_int_equal(count(net, 0, "old"), 0);
	assert_int_equal(find(net, "10.1.0.2"), SLOT_NONE);
	assert_int_equal(find(net, "fd00::4"), e);
	/* In the order in which they came. */
	assert_true(ip_equal(&table_addr_at(&t, table_entry_at(&t, e)->first_addr - 1)->ip, two));
	assert_int_equal(table_put_entry(&t, net, "b@eth0", 0, two, 1, &other), -EEXIST);
	assert_int_equal(table_find_entry(&t, net, "b@eth0"), SLOT_NONE);
}

static void test_users(void **state)
{
	uint32_t net = table_add_net(&t, "n");
	uint32_t root = put(net, "r@eth0", 0, "10.1.0.2"), ann = put(net, "a@eth0", 7, "10.1.0.3");
	struct prefix all = {.ip = hex_ip("10.1.0.0"), .len = 16};
	uint8_t w[DNS_NAME_MAX];
	size_t len = msg_name_of_text("prod", w);

	(void)state;
	table_add_name(&t, root, "web");
	table_add_name(&t, ann, "web");
	table_add_name(&t, ann, "db.prod");
	assert_int_equal(count(net, 0, "web"), 1);
	assert_int_equal(count(net, 7, "web"), 1);
	assert_int_equal(count(net, 8, "web"), 0);
	assert_true(table_has_below(&t, net, 7, w, len));
	assert_false(table_has_below(&t, net, 0, w, len));
	len = msg_name_of_text("rod", w); /* not at a label's border */
	assert_false(table_has_below(&t, net, 7, w, len));
	len = msg_name_of_text("db.prod", w); /* itself is not below */
	assert_false(table_has_below(&t, net, 7, w, len));
	assert_true(table_has_within(&t, net, 7, &all));
	assert_false(table_has_within(&t, net, 8, &all));
}

/* Full tables say so and stay whole. */
static void test_full(void **state)
{
	uint32_t net = table_add_net(&t, "n"), e = SLOT_NONE;
	char key[KEY_STRLEN];
	int r = 0;

	(void)state;
	for (uint32_t i = 0; i < TABLE_NETS_MAX; i++) {
		snprintf(key, sizeof(key), "n%u", i);
		e = table_add_net(&t, key);
		assert_true((e == SLOT_NONE) == (i == TABLE_NETS_MAX - 1));
	}
	e = put(net, "a@eth0", 0, "10.1.0.2");
	for (uint32_t i = 0; r == 0 && i <= TABLE_NAMES_MAX; i++) {
		snprintf(key, sizeof(key), "name%u", i);
		r = t.names.n_used == TABLE_NAMES_MAX ? -ENOSPC : 0;
		/* Names of one entry are a list: a few of them do. */
		if (i >= 300)
			break;
		r = table_add_name(&t, e, key);
	}
	assert_int_equal(table_entry_at(&t, e)->n_name, 300);
	table_del_net(&t, net);
	assert_int_equal(t.names.n_used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_members, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_put_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_users, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
