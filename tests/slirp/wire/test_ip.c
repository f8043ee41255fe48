/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip, IPv4: exact bytes both ways; lengths, options and fragments as a hostile sender makes them.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/cksum.h"
#include "wire/ip.h"

#include "hex.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Sets the header checksum, so that a test sees the check it is about. */
static void seal(uint8_t *p)
{
	size_t header = (size_t)(p[0] & 0xf) * 4;
	uint16_t sum;

	p[10] = p[11] = 0;
	sum = cksum_fold(cksum_add(0, p, header));
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
}

static enum ip_verdict parse(const uint8_t *p, size_t len, struct ip_packet *ret)
{
	uint8_t *copy = hex_exact(p, len);
	enum ip_verdict v = ip_parse4(copy, len, ret);

	if (v == IP_OK) { /* as offsets into what the caller holds */
		ret->start = p;
		ret->payload = p + (ret->payload - copy);
	}
	free(copy);
	return v;
}

static const char plain[] =
	"4500 0020 0000 4000 4011 22a8 0a000264 08080808 1122334455667788 99aabbcc";

static void test_plain(void **state)
{
	uint8_t b[128], out[IP4_HDR_LEN];
	size_t n = hex_bytes(plain, b, sizeof(b));
	struct ip_packet k;
	struct ip_build h;

	(void)state;
	seal(b);
	assert_int_equal(parse(b, n, &k), IP_OK);
	assert_ip(k.src, "10.0.2.100");
	assert_ip(k.dst, "8.8.8.8");
	assert_int_equal(k.proto, IPPROTO_UDP);
	assert_int_equal(b[k.proto_at], IPPROTO_UDP);
	assert_int_equal(k.ttl, 64);
	assert_int_equal(k.tos, 0);
	assert_true(k.is_df && !k.is_fragment && !k.is_more);
	assert_int_equal(k.total, 32);
	assert_hex(k.payload, k.len, "1122334455667788 99aabbcc");
	memset(b + n, 0xee, 14); /* padding of the frame is cut off */
	assert_int_equal(parse(b, n + 14, &k), IP_OK);
	assert_int_equal(k.total, 32);
	assert_int_equal(k.len, 12);
	h = (struct ip_build){
		.src = k.src, .dst = k.dst, .proto = k.proto, .ttl = 64, .is_df = true};
	ip_build4(out, &h, 12);
	assert_memory_equal(out, b, sizeof(out));
	h.is_df = false;
	h.is_more = true;
	h.frag_offset = 1480;
	h.id = 0xbeef;
	h.tos = 0xb8;
	ip_build4(out, &h, 1480);
	assert_hex(out, 10, "45b8 05dc beef 20b9 4011");
	assert_int_equal(cksum_fold(cksum_add(0, out, sizeof(out))), 0);
}

static void test_wrong(void **state)
{
	uint8_t good[128], b[128];
	size_t n = hex_bytes(plain, good, sizeof(good));
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
		{0, 0x55}, {0, 0x65}, {0, 0x44}, {0, 0x40}, {0, 0x4f}, /* version, header length */
		{3, 19},   {3, 0},    {3, 33},   {2, 0xff},            /* total length */
	};
	struct ip_packet k;

	(void)state;
	seal(good);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(parse(good, i, &k), IP_BAD);
	for (size_t i = 0; i < N(wrong); i++) {
		memcpy(b, good, n);
		b[wrong[i].at] = wrong[i].value;
		assert_int_equal(parse(b, n, &k), IP_BAD);
	}
	for (size_t bit = 4; bit < 160; bit++) { /* any flipped bit of a whole header */
		enum ip_verdict v;

		memcpy(b, good, n);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		v = parse(b, n, &k);
		assert_true(v == IP_BAD || v == IP_BAD_CHECKSUM);
		assert_true(v == IP_BAD_CHECKSUM || bit < 8 || (bit >= 16 && bit < 32));
	}
}

static void test_options(void **state)
{
	static const struct {
		const char *options;
		enum ip_verdict want;
	} table[] = {
		{"01010101", IP_OK},
		{"00ffffff", IP_OK},             /* behind the end is nothing */
		{"94040000", IP_OK},             /* router alert */
		{"0101013f", IP_BAD},            /* no length */
		{"44000000", IP_BAD},            /* length 0 */
		{"44010000", IP_BAD},            /* length 1 */
		{"44050000", IP_BAD},            /* beyond the header */
		{"44ff0000", IP_BAD},            /* far beyond it */
		{"83 03 04 00", IP_BAD},         /* loose source route */
		{"01 89 03 04", IP_BAD},         /* strict source route */
		{"07 07 04 00000000 00", IP_OK}, /* record route: space that nobody fills */
		{"44 08 05 00 00000000", IP_OK}, /* timestamps */
		{"01010101 01010101 01010101 01010101 01010101 01010101 01010101 01010101 01010101 "
		 "01010101",
		 IP_OK},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		uint8_t b[128];
		size_t n;
		struct ip_packet k;

		hex_bytes(plain, b, sizeof(b));
		n = hex_bytes(table[i].options, b + 20, 40);
		b[0] = (uint8_t)(0x45 + n / 4);
		b[3] = (uint8_t)(20 + n + 4);
		hex_bytes("c0ffee00", b + 20 + n, 4);
		seal(b);
		if (parse(b, 20 + n + 4, &k) != table[i].want)
			fail_msg("options %s", table[i].options);
		if (table[i].want == IP_OK)
			assert_hex(k.payload, k.len, "c0ffee00");
	}
}

static void test_fragments(void **state)
{
	static const struct {
		uint16_t field; /* flags and offset */
		size_t len;     /* of the piece */
		enum ip_verdict want;
	} table[] = {
		{0x2000, 8, IP_OK},   {0x2000, 1480, IP_OK},   {0x2001, 16, IP_OK},
		{0x0001, 1, IP_OK},   {0x6000, 8, IP_OK},      {0x2000, 0, IP_BAD},
		{0x0001, 0, IP_BAD},  {0x2000, 9, IP_BAD},     {0x2003, 12, IP_BAD},
		{0x1ffd, 27, IP_BAD}, {0x1fff, 8, IP_BAD},     {0x3fff, 8, IP_BAD},
		{0x1ffb, 19, IP_OK},  {0x1ffb, 20, IP_BAD},    {0x1ffc, 11, IP_OK},
		{0x1ffc, 12, IP_BAD}, {0x1000, 32748, IP_BAD}, {0x1000, 32747, IP_OK},
	};
	static uint8_t b[65600];

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct ip_packet k;
		size_t total = 20 + table[i].len;

		hex_bytes(plain, b, 40);
		b[2] = (uint8_t)(total >> 8);
		b[3] = (uint8_t)total;
		b[4] = 0xca;
		b[5] = 0xfe;
		b[6] = (uint8_t)(table[i].field >> 8);
		b[7] = (uint8_t)table[i].field;
		seal(b);
		if (parse(b, total, &k) != table[i].want)
			fail_msg("fragment %#x of %zu bytes", table[i].field, table[i].len);
		if (table[i].want != IP_OK)
			continue;
		assert_true(k.is_fragment);
		assert_int_equal(k.is_more, table[i].field >> 13 & 1);
		assert_int_equal(k.frag_offset, (table[i].field & 0x1fff) * 8);
		assert_int_equal(k.frag_id, 0xcafe);
		assert_int_equal(k.len, table[i].len);
	}
}

static void test_sum(void **state)
{
	uint8_t b[128];
	size_t n = hex_bytes("45000021 00000000 40060000 c0000201 c0000202", b, sizeof(b));
	struct ip_packet k;
	uint16_t sum;

	(void)state;
	n += hex_bytes("0050 1234 00000001 00000002 50 10 2000 0000 0000 6869 6a", b + n, 64);
	b[3] = (uint8_t)n;
	seal(b);
	assert_int_equal(parse(b, n, &k), IP_OK);
	assert_false(ip_sum_ok(&k));
	sum = cksum_fold(cksum_add(ip_pseudo_sum(&k.src, &k.dst, IPPROTO_TCP, 23), b + 20, 23));
	/* ~(c000+0201+c000+0202+0006+0017 + 0050+1234+0001+0002+5010+2000+6869+6a00) */
	assert_int_equal(sum, 0x26dd);
	b[36] = (uint8_t)(sum >> 8);
	b[37] = (uint8_t)sum;
	assert_true(ip_sum_ok(&k));
	b[42] ^= 1; /* the odd last byte counts */
	assert_false(ip_sum_ok(&k));
	b[42] ^= 1;
	k.dst.b[3] ^= 1; /* so does the pseudo header */
	assert_false(ip_sum_ok(&k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),   cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_options), cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
