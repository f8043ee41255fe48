/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: texts in and out (RFC 5952 examples, inet_ntop as a second opinion), predicates at their
 * edges, prefix arithmetic against a bit-by-bit model, derived addresses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/addr.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct ip ip(const char *s)
{
	struct ip v;
	struct err e = ERR_INIT;

	if (ip_parse(s, &v, &e) != 0)
		fail_msg("%s: %s", s, e.text);
	return v;
}

static struct prefix pfx(const char *s)
{
	struct prefix v;
	struct err e = ERR_INIT;

	if (prefix_parse(s, &v, &e) != 0)
		fail_msg("%s: %s", s, e.text);
	return v;
}

static void test_ip_texts(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"10.88.0.1", "10.88.0.1"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:db8::1", "2001:db8::1"},
		{"2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
		/* RFC 5952: 2.1, 4.2.2, 4.2.3 (longest run, first of equals), 4.3 */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8::0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
		{"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
		{"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
		{"0:0:1:0:0:0:1:1", "0:0:1::1:1"},
		{"1:0:0:2:0:0:3:4", "1::2:0:0:3:4"},
		{"AAAA:BBBB:CCCC:DDDD:EEEE:FFFF:1111:2222",
		 "aaaa:bbbb:cccc:dddd:eeee:ffff:1111:2222"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"::1.2.3.4", "::102:304"},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct ip v = ip(table[i].in);
		char s[IP_STRLEN];

		assert_string_equal(ip_str(&v, s), table[i].out);
		v = ip(s);
		assert_string_equal(ip_str(&v, s), table[i].out);
	}
	assert_string_equal(ip_str(&(struct ip){0}, (char[IP_STRLEN]){0}), "");
}

/* Every pattern of zero and non-zero groups, against the C library's printer. */
static void test_ip6_print(void **state)
{
	(void)state;
	for (int pattern = 0; pattern < 256; pattern++) {
		struct ip v = {.family = AF_INET6};
		char s[IP_STRLEN], other[INET6_ADDRSTRLEN];

		for (int g = 0; g < 8; g++)
			if (pattern & 1 << g) {
				v.b[2 * g] = g % 3 ? 0xab : 0;
				v.b[2 * g + 1] = (uint8_t)(g + 1);
			}
		/* Two forms that inet_ntop prints with dots and we do not. */
		if ((pattern & 0x3f) == 0 && (pattern & 0xc0) != 0)
			continue;
		assert_non_null(inet_ntop(AF_INET6, v.b, other, sizeof(other)));
		assert_string_equal(ip_str(&v, s), other);
		struct ip back = ip(s);
		assert_true(ip_equal(&back, &v));
	}
}

/* Every value of a byte and of a group, against the C library's printer. */
static void test_ip_print_digits(void **state)
{
	char s[PREFIX_STRLEN], other[INET6_ADDRSTRLEN], both[INET6_ADDRSTRLEN + 8], mac[32];

	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		struct ip v = {.family = AF_INET, .b = {(uint8_t)i, 0, (uint8_t)(255 - i), 7}};
		struct mac m = {.b = {(uint8_t)i, 0, 1, 2, 3, (uint8_t)(255 - i)}};
		struct prefix p = {.ip = v, .len = (uint8_t)(i % 33)};

		assert_non_null(inet_ntop(AF_INET, v.b, other, sizeof(other)));
		assert_string_equal(ip_str(&v, s), other);
		snprintf(both, sizeof(both), "%s/%u", other, p.len);
		assert_string_equal(prefix_str(&p, s), both);
		snprintf(mac, sizeof(mac), "%02x:00:01:02:03:%02x", i, 255 - i);
		assert_string_equal(mac_str(&m, s), mac);
	}
	for (unsigned int i = 1; i < 65536; i++) {
		struct ip v = {.family = AF_INET6, .b = {0x20, 1, (uint8_t)(i >> 8), (uint8_t)i}};

		v.b[15] = 1;
		snprintf(other, sizeof(other), "2001:%x::1", i);
		assert_string_equal(ip_str(&v, s), other);
	}
}

static void test_ip_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4/8",
		"0x1.2.3.4",
		"1.2.3.-4",
		"a.b.c.d",
		":",
		":::",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1::2::3",
		"12345::",
		"g::",
		"fe80::1%eth0",
		"[::1]",
		"::1/64",
		"::ffff:1.2.3.4",
		"::ffff:102:304",
		"::FFFF:0:0",
		"localhost",
		"1.2.3.4\n",
		"::1\n",
		"111111111111111111111111111111111111111111111111111111111111111111111111111111111"
		"1",
	};
	struct ip v = {.family = 99};

	(void)state;
	for (size_t i = 0; i < N(wrong); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(ip_parse(wrong[i], &v, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_int_equal(e.text[0], '"');
		assert_int_equal(v.family, 99);
	}
}

static void test_prefix_texts(void **state)
{
	static const char *const good[] = {"0.0.0.0/0", "10.88.0.2/16",  "1.2.3.4/32",
					   "::/0",      "2001:db8::/64", "2001:db8::1/128"};
	static const char *const wrong[] = {
		"",
		"/",
		"/8",
		"1.2.3.4",
		"1.2.3.4/",
		"1.2.3.4/33",
		"::/129",
		"1.2.3.4/08",
		"1.2.3.4/-1",
		"1.2.3.4/ 8",
		"1.2.3.4/8/8",
		"1.2.3/8",
		"::ffff:1.2.3.4/128",
		"1.2.3.4/255.0.0.0",
		"1.2.3.4/99999999999999999999",
		"::1%lo/64",
		"11111111111111111111111111111111111111111111111111111111111111111111111111/8",
	};
	struct prefix v = {.len = 77};
	char s[PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < N(good); i++) {
		struct prefix p = pfx(good[i]);

		assert_string_equal(prefix_str(&p, s), good[i]);
	}
	for (size_t i = 0; i < N(wrong); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(prefix_parse(wrong[i], &v, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_int_equal(v.len, 77);
	}
	v = (struct prefix){0};
	assert_string_equal(prefix_str(&v, s), "");
	memset(v.ip.b, 0xff, 16);
	v.ip.family = AF_INET6;
	v.len = 128;
	assert_string_equal(prefix_str(&v, s), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void test_mac_texts(void **state)
{
	static const char *const wrong[] = {
		"",
		"00:00:00:00:00:00",
		"01:00:00:00:00:00",
		"ff:ff:ff:ff:ff:ff",
		"33:33:00:00:00:01",
		"2:00:00:00:00:01",
		"02-00-00-00-00-01",
		"02:00:00:00:00",
		"02:00:00:00:00:01:02",
		"0g:00:00:00:00:01",
		"02:00:00:00:00:0",
		"02:00:00:00:00:01 ",
		"020000000001",
		"02:00:00:00:00.01",
		"02:00:00:00:00:0:",
		" 2:00:00:00:00:01",
	};
	struct mac m = {{9}};
	char s[MAC_STRLEN];
	struct err e;

	(void)state;
	for (size_t i = 0; i < N(wrong); i++) {
		err_reset(&e);
		assert_int_equal(mac_parse(wrong[i], &m, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_int_equal(m.b[0], 9);
	}
	assert_int_equal(mac_parse("0A:bC:de:F0:12:39", &m, &e), 0);
	assert_string_equal(mac_str(&m, s), "0a:bc:de:f0:12:39");
	assert_int_equal(mac_parse("00:00:00:00:00:01", &m, &e), 0);
	assert_int_equal(mac_parse("fe:ff:ff:ff:ff:ff", &m, &e), 0);
	assert_string_equal(mac_str(&m, s), "fe:ff:ff:ff:ff:ff");
}

static void test_predicates(void **state)
{
	enum { ANY = 1, LOOP = 2, MULTI = 4, LINK = 8 };
	static const struct {
		const char *ip;
		int is;
	} table[] = {
		{"0.0.0.0", ANY},
		{"0.0.0.1", 0},
		{"126.255.255.255", 0},
		{"127.0.0.0", LOOP},
		{"127.255.255.255", LOOP},
		{"128.0.0.0", 0},
		{"223.255.255.255", 0},
		{"224.0.0.0", MULTI},
		{"239.255.255.255", MULTI},
		{"240.0.0.0", 0},
		{"169.253.255.255", 0},
		{"169.254.0.0", LINK},
		{"169.254.255.255", LINK},
		{"169.255.0.0", 0},
		{"::", ANY},
		{"::1", LOOP},
		{"::2", 0},
		{"1::1", 0},
		{"fe7f:ffff::", 0},
		{"fe80::", LINK},
		{"febf:ffff::1", LINK},
		{"fec0::", 0},
		{"feff::", 0},
		{"ff00::", MULTI},
		{"ffff::1", MULTI},
		{"2001:db8::1", 0},
	};
	static const struct ip none;

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct ip v = ip(table[i].ip);
		int is = (ip_is_any(&v) ? ANY : 0) | (ip_is_loopback(&v) ? LOOP : 0) |
			 (ip_is_multicast(&v) ? MULTI : 0) | (ip_is_link_local(&v) ? LINK : 0);

		if (is != table[i].is)
			fail_msg("%s: %d", table[i].ip, is);
	}
	assert_false(ip_is_any(&none));
	assert_false(ip_is_loopback(&none));
	assert_false(ip_is_multicast(&none));
	assert_false(ip_is_link_local(&none));
	assert_int_equal(ip_size(&none), 0);
}

static void test_order(void **state)
{
	static const char *const sorted[] = {
		"0.0.0.0",         "0.0.0.1", "1.0.0.0", "9.255.255.255", "10.0.0.0",
		"255.255.255.255", "::",      "::1",     "1::",           "ffff::"};

	(void)state;
	for (size_t i = 0; i < N(sorted); i++) {
		for (size_t j = 0; j < N(sorted); j++) {
			struct ip a = ip(sorted[i]), b = ip(sorted[j]);
			int c = ip_cmp(&a, &b);

			assert_int_equal(c < 0, i < j);
			assert_int_equal(c > 0, i > j);
			assert_int_equal(ip_equal(&a, &b), i == j);
		}
		struct ip v = ip(sorted[i]);

		assert_int_equal(ip_fam(&v), i < 6 ? FAM4 : FAM6);
		assert_int_equal(ip_size(&v), i < 6 ? 4 : 16);
	}
}

static bool bit(const struct ip *v, size_t i)
{
	return v->b[i / 8] >> (7 - i % 8) & 1;
}

/* network, last and contains for every length, one bit at a time. */
static void test_prefix_bits(void **state)
{
	static const char *const from[] = {"203.0.113.165",
					   "0.0.0.0",
					   "255.255.255.255",
					   "2001:db8:a5a5:5a5a:1234:8765:ffff:1",
					   "::",
					   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

	(void)state;
	for (size_t k = 0; k < N(from); k++) {
		struct prefix p = {.ip = ip(from[k])};
		size_t bits = 8 * ip_size(&p.ip);

		for (size_t len = 0; len <= bits; len++) {
			p.len = (uint8_t)len;
			struct prefix net = prefix_network(&p);
			struct ip last = prefix_last(&p);

			assert_int_equal(net.len, len);
			assert_int_equal(net.ip.family, p.ip.family);
			assert_int_equal(last.family, p.ip.family);
			for (size_t i = 0; i < bits; i++) {
				assert_int_equal(bit(&net.ip, i), i < len ? bit(&p.ip, i) : 0);
				assert_int_equal(bit(&last, i), i < len ? bit(&p.ip, i) : 1);
			}
			assert_true(prefix_contains(&p, &net.ip));
			assert_true(prefix_contains(&p, &last));
			for (size_t i = 0; i < bits; i++) {
				struct ip flipped = p.ip;

				flipped.b[i / 8] ^= (uint8_t)(0x80 >> i % 8);
				assert_int_equal(prefix_contains(&p, &flipped), i >= len);
			}
			/* Bytes that the family does not use stay 0. */
			for (size_t i = bits / 8; i < 16; i++)
				assert_int_equal(net.ip.b[i] | last.b[i], 0);
		}
	}
}

static void test_overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlaps;
	} table[] = {
		{"10.0.0.0/8", "10.0.0.0/8", true},
		{"10.0.0.0/8", "10.255.255.255/32", true},
		{"10.0.0.0/8", "11.0.0.0/8", false},
		{"10.88.0.0/16", "10.88.128.0/17", true},
		{"10.88.0.0/17", "10.88.128.0/17", false},
		{"10.88.1.7/16", "10.88.2.9/16", true}, /* host bits do not matter */
		{"0.0.0.0/0", "203.0.113.1/32", true},
		{"0.0.0.0/0", "::/0", false},
		{"2001:db8::/32", "2001:db8:ffff::/48", true},
		{"2001:db8::/64", "2001:db8:0:1::/64", false},
		{"::/0", "ffff::/128", true},
		{"203.0.113.1/32", "203.0.113.1/32", true},
		{"203.0.113.1/32", "203.0.113.0/32", false},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct prefix a = pfx(table[i].a), b = pfx(table[i].b);

		assert_int_equal(prefix_overlaps(&a, &b), table[i].overlaps);
		assert_int_equal(prefix_overlaps(&b, &a), table[i].overlaps);
		assert_int_equal(prefix_equal(&a, &b), strcmp(table[i].a, table[i].b) == 0);
	}
	/* "None" overlaps and contains nothing. */
	struct prefix none = {0}, all = pfx("0.0.0.0/0");

	assert_false(prefix_overlaps(&none, &all));
	assert_false(prefix_overlaps(&none, &none));
	assert_false(prefix_contains(&none, &none.ip));
	assert_int_equal(prefix_size(&none), 0);
}

static void test_nth(void **state)
{
	static const struct {
		const char *p;
		uint64_t n;
		const char *ip; /* NULL: outside */
	} table[] = {
		{"10.88.0.0/16", 0, "10.88.0.0"},
		{"10.88.0.0/16", 1, "10.88.0.1"},
		{"10.88.7.9/16", 256, "10.88.1.0"},
		{"10.88.0.0/16", 65535, "10.88.255.255"},
		{"10.88.0.0/16", 65536, NULL},
		{"10.88.0.0/16", UINT64_MAX, NULL},
		{"203.0.113.7/32", 0, "203.0.113.7"},
		{"203.0.113.7/32", 1, NULL},
		{"0.0.0.0/0", UINT32_MAX, "255.255.255.255"},
		{"0.0.0.0/0", (uint64_t)1 << 32, NULL},
		{"2001:db8::/64", 1, "2001:db8::1"},
		{"2001:db8::/64", 0x123456789abcdef0, "2001:db8::1234:5678:9abc:def0"},
		{"2001:db8::/64", UINT64_MAX, "2001:db8::ffff:ffff:ffff:ffff"},
		{"2001:db8::/48", UINT64_MAX, "2001:db8::ffff:ffff:ffff:ffff"},
		{"2001:db8::/65", (uint64_t)INT64_MAX, "2001:db8::7fff:ffff:ffff:ffff"},
		{"2001:db8::/65", (uint64_t)INT64_MAX + 1, NULL},
		{"2001:db8::8:0/126", 3, "2001:db8::8:3"},
		{"2001:db8::8:0/126", 4, NULL},
		{"2001:db8::1/128", 0, "2001:db8::1"},
		{"2001:db8::1/128", 1, NULL},
		{"::/0", 5, "::5"},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct prefix p = pfx(table[i].p);
		struct ip got = {.family = 99}, want;

		if (!table[i].ip) {
			assert_int_equal(prefix_nth(&p, table[i].n, &got), -ERANGE);
			assert_int_equal(got.family, 99);
			continue;
		}
		want = ip(table[i].ip);
		assert_int_equal(prefix_nth(&p, table[i].n, &got), 0);
		assert_true(ip_equal(&got, &want));
		assert_true(prefix_contains(&p, &got));
		assert_int_equal(prefix_index(&p, &got), table[i].n);
	}
	assert_int_equal(prefix_nth(&(struct prefix){0}, 0, &(struct ip){0}), -ERANGE);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *p;
		uint64_t size;
	} table[] = {
		{"0.0.0.0/0", (uint64_t)1 << 32},
		{"10.0.0.0/8", 1 << 24},
		{"10.0.0.0/30", 4},
		{"10.0.0.0/32", 1},
		{"::/0", UINT64_MAX},
		{"2001:db8::/64", UINT64_MAX},
		{"2001:db8::/65", (uint64_t)1 << 63},
		{"2001:db8::/126", 4},
		{"2001:db8::/128", 1},
	};
	struct prefix wide = pfx("2001:db8::/32");
	struct ip far = ip("2001:db8:0:1::");

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct prefix p = pfx(table[i].p);

		assert_int_equal(prefix_size(&p), table[i].size);
	}
	assert_int_equal(prefix_index(&wide, &far), UINT64_MAX); /* 2^64: saturated */
}

static void test_mac_from_ip(void **state)
{
	struct prefix p4 = pfx("10.88.0.0/16"), p6 = pfx("2001:db8:1::/64"),
		      q6 = pfx("2001:db8:2::/64");
	struct ip a = ip("10.88.0.2"), b = ip("2001:db8:1::2"), c = ip("2001:db8:2::2");
	struct mac m = mac_from_ip(&a), again = mac_from_ip(&a), n;
	char s[MAC_STRLEN];

	(void)state;
	assert_memory_equal(&m, &again, sizeof(m));
	assert_string_equal(mac_str(&m, s), "72:6e:0a:58:00:02");
	m = mac_from_ip(&b);
	n = mac_from_ip(&c);
	assert_memory_not_equal(&m, &n, sizeof(m));
	/* Addresses that follow one another have different ones, local and unicast. */
	static uint8_t seen[2][65536];
	m = mac_from_ip(&b);
	for (uint64_t i = 0; i < 65536; i++) {
		struct ip v;
		uint16_t low;

		prefix_nth(&p4, i, &v);
		n = mac_from_ip(&v);
		assert_int_equal(n.b[0] & 3, 2);
		low = (uint16_t)(n.b[4] << 8 | n.b[5]);
		assert_int_equal(seen[0][low]++, 0);
		prefix_nth(&p6, i, &v);
		n = mac_from_ip(&v);
		assert_int_equal(n.b[0] & 3, 2);
		assert_memory_equal(n.b, m.b, 4);
		low = (uint16_t)(n.b[4] << 8 | n.b[5]);
		assert_int_equal(seen[1][low]++, 0);
		prefix_nth(&q6, i, &v);
		assert_int_equal(mac_from_ip(&v).b[0], 0x62);
	}
}

static void test_derived(void **state)
{
	struct err e = ERR_INIT;
	struct ip v, w = ip("2001:db8::aa12:3456");
	char s[IP_STRLEN];
	struct mac m;

	(void)state;
	assert_int_equal(mac_parse("72:6e:0a:58:00:02", &m, &e), 0);
	v = ip_link_local_from_mac(&m);
	assert_string_equal(ip_str(&v, s), "fe80::706e:aff:fe58:2");
	assert_int_equal(mac_parse("00:11:22:33:44:55", &m, &e), 0);
	v = ip_link_local_from_mac(&m);
	assert_string_equal(ip_str(&v, s), "fe80::211:22ff:fe33:4455");
	v = ip_solicited_node(&w);
	assert_string_equal(ip_str(&v, s), "ff02::1:ff12:3456");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip_texts),
		cmocka_unit_test(test_ip6_print),
		cmocka_unit_test(test_ip_print_digits),
		cmocka_unit_test(test_ip_refused),
		cmocka_unit_test(test_prefix_texts),
		cmocka_unit_test(test_mac_texts),
		cmocka_unit_test(test_predicates),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_prefix_bits),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_nth),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_mac_from_ip),
		cmocka_unit_test(test_derived),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
