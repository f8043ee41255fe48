/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages for VLANs of bridge ports, byte by byte as bridge(8)'s are: they are the same on
 * kernels that have the feature and on those that do not. */
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/link_vlan.h"

#define LE16(n) (n) & 0xff, (n) >> 8
#define LE32(n) LE16((n)&0xffff), LE16((n) >> 16)
#define SETLINK 19
#define DELLINK 17
#define NEWLINK 16
#define AF_SPEC 26
#define BRIDGE_FLAGS 0
#define BRIDGE_VLAN_INFO 2

/* type, then all after the header: struct ifinfomsg and the attributes; m is freed. */
static void check(struct nl_msg *m, uint16_t type, const uint8_t *want, size_t len)
{
	struct nlmsghdr *h;

	assert_non_null(m);
	h = nlmsg_hdr(m);
	assert_int_equal(h->nlmsg_type, type);
	assert_int_equal(h->nlmsg_flags & ~NLM_F_REQUEST, 0);
	assert_int_equal(h->nlmsg_len, NLMSG_HDRLEN + len);
	assert_memory_equal(nlmsg_data(h), want, len);
	nlmsg_free(m);
}

/* Whether a nest carries NLA_F_NESTED is libnl's affair; the kernel takes both. */
static void plain_nest(struct nl_msg *m, size_t at)
{
	assert_non_null(m);
	((uint8_t *)nlmsg_data(nlmsg_hdr(m)))[at + 3] &= 0x7f;
}

#define IFINFO(family, index) (family), 0, LE16(0), LE32(index), LE32(0), LE32(0)

static void test_native(void **state)
{
	static const uint8_t want[] = {
		IFINFO(7, 42),          LE16(12),    LE16(AF_SPEC), LE16(8),
		LE16(BRIDGE_VLAN_INFO), LE16(2 | 4), LE16(100), /* PVID, untagged */
	};
	const struct vlan_entry v = {.min = 100, .max = 100, .is_pvid = true, .is_untagged = true};
	struct nl_msg *m = link_vlan_msg(true, 42, false, &v);

	(void)state;
	plain_nest(m, 16);
	check(m, SETLINK, want, sizeof(want));
}

static void test_trunk(void **state)
{
	static const uint8_t want[] = {
		IFINFO(7, 42), LE16(20), LE16(AF_SPEC),          LE16(8),  LE16(BRIDGE_VLAN_INFO),
		LE16(8),                                                   /* a range begins */
		LE16(200),     LE16(8),  LE16(BRIDGE_VLAN_INFO), LE16(16), /* and ends */
		LE16(4094),
	};
	const struct vlan_entry v = {.min = 200, .max = 4094};
	struct nl_msg *m = link_vlan_msg(true, 42, false, &v);

	(void)state;
	plain_nest(m, 16);
	check(m, SETLINK, want, sizeof(want));
}

static void test_own_port(void **state)
{
	static const uint8_t want[] = {
		IFINFO(7, 0x01020304),
		LE16(20),
		LE16(AF_SPEC),
		LE16(6),
		LE16(BRIDGE_FLAGS),
		LE16(2),
		LE16(0), /* self, padding */
		LE16(8),
		LE16(BRIDGE_VLAN_INFO),
		LE16(0),
		LE16(1),
	};
	const struct vlan_entry v = {.min = 1, .max = 1};
	struct nl_msg *m = link_vlan_msg(false, 0x01020304, true, &v);

	(void)state;
	plain_nest(m, 16);
	check(m, DELLINK, want, sizeof(want));
}

static void test_filter(void **state)
{
	static const uint8_t want[] = {
		IFINFO(0, 42), LE16(28), LE16(18), LE16(11), LE16(1), 'b',      'r',     'i',
		'd',           'g',      'e',      0,        0,       LE16(12), LE16(2), LE16(5),
		LE16(7),       1,        0,        0,        0, /* IFLA_BR_VLAN_FILTERING */
	};
	struct nl_msg *m = link_vlan_filter_msg(42);

	(void)state;
	plain_nest(m, 16);
	plain_nest(m, 32);
	check(m, NEWLINK, want, sizeof(want));
}

static void test_refused(void **state)
{
	static const struct vlan_entry bad[] = {
		{.min = 0, .max = 5},
		{.min = 5, .max = 4095},
		{.min = 6, .max = 5},
		{.min = 5, .max = 6, .is_pvid = true},
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(link_vlan_add(NULL, 1, false, &bad[i], &e) < 0);
		assert_true(link_vlan_del(NULL, 1, false, &bad[i], &e) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native),   cmocka_unit_test(test_trunk),
		cmocka_unit_test(test_own_port), cmocka_unit_test(test_filter),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("link vlan wire", tests, NULL, NULL);
}
