/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcphdr: headers as Linux sends them, bytes and values both ways; options as nobody should send
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/tcphdr.h"

#include "hex.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static int parse(const uint8_t *p, size_t len, struct tcphdr_v *ret, size_t *ret_hdr_len)
{
	uint8_t *copy = hex_exact(p, len);
	int r = tcphdr_parse(copy, len, ret, ret_hdr_len);

	free(copy);
	return r;
}

#define SYN_HEAD "9c40 0050 01020304 00000000 a0 02 faf0 0000 0000 "
#define SYN_OPTIONS "0204 05b4 0402 080a 11223344 00000000 0103 0307"

static void test_syn(void **state)
{
	uint8_t b[64], out[TCP_HDR_MAX];
	size_t n = hex_bytes(SYN_HEAD SYN_OPTIONS, b, sizeof(b)), len;
	struct tcphdr_v h;

	(void)state;
	assert_int_equal(parse(b, n, &h, &len), 0);
	assert_int_equal(len, 40);
	assert_int_equal(h.sport, 40000);
	assert_int_equal(h.dport, 80);
	assert_int_equal(h.seq, 0x01020304);
	assert_int_equal(h.ack, 0);
	assert_int_equal(h.flags, TCP_SYN);
	assert_int_equal(h.wnd, 64240);
	assert_int_equal(h.mss, 1460);
	assert_true(h.has_sack_ok && h.has_ts && h.has_wscale);
	assert_int_equal(h.wscale, 7);
	assert_int_equal(h.tsval, 0x11223344);
	assert_int_equal(tcphdr_build(out, &h), 40);
	assert_hex(out, 40, SYN_HEAD SYN_OPTIONS);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(parse(b, i, &h, &len), -1);
	b[13] = TCP_ACK; /* the same options count for nothing but timestamps */
	assert_int_equal(parse(b, n, &h, &len), 0);
	assert_true(h.has_ts && !h.has_sack_ok && !h.has_wscale && h.mss == 0);
}

static void test_syn_parts(void **state)
{
	static const struct {
		struct tcphdr_v h;
		const char *options;
	} table[] = {
		{{.flags = TCP_SYN}, ""},
		{{.flags = TCP_SYN, .mss = 536}, "02040218"},
		{{.flags = TCP_SYN, .mss = 1460, .has_sack_ok = true}, "020405b4 0402 0101"},
		{{.flags = TCP_SYN, .mss = 1460, .has_ts = true, .tsval = 1, .tsecr = 2},
		 "020405b4 0101 080a 00000001 00000002"},
		{{.flags = TCP_SYN | TCP_ACK, .mss = 65495, .has_wscale = true, .wscale = 14},
		 "0204ffd7 0103030e"},
		{{.flags = TCP_SYN, .has_wscale = true}, "01030300"},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		uint8_t out[TCP_HDR_MAX];
		size_t n = tcphdr_build(out, &table[i].h), len;
		struct tcphdr_v h;

		assert_hex(out + 20, n - 20, table[i].options);
		assert_int_equal(out[12], n / 4 << 4);
		assert_int_equal(parse(out, n, &h, &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(&h, &table[i].h, sizeof(h));
	}
}

static void test_segment(void **state)
{
	static const char head[] = "0050 9c40 00000001 00000002 80 18 01f5 0000 0000 "
				   "0101 080a 00000003 00000004";
	uint8_t b[64], out[TCP_HDR_MAX];
	size_t n = hex_bytes(head, b, sizeof(b)), len;
	struct tcphdr_v h;

	(void)state;
	memcpy(b + n, "data", 4);
	assert_int_equal(parse(b, n + 4, &h, &len), 0);
	assert_int_equal(len, 32);
	assert_int_equal(h.flags, TCP_PSH | TCP_ACK);
	assert_true(h.has_ts);
	assert_int_equal(h.tsval, 3);
	assert_int_equal(h.tsecr, 4);
	assert_int_equal(tcphdr_build(out, &h), 32);
	assert_hex(out, 32, head);
	b[13] = 0xff; /* every flag; the urgent pointer is a value only */
	b[18] = b[19] = 0xff;
	assert_int_equal(parse(b, n + 4, &h, &len), 0);
	assert_int_equal(h.flags, 0xff);
	assert_int_equal(h.urgent, 65535);
	b[13] = 0;
	assert_int_equal(parse(b, n + 4, &h, &len), 0);
	for (unsigned offset = 0; offset < 16; offset++) { /* data offset */
		b[12] = (uint8_t)(offset << 4 | 0xf);      /* reserved bits are ignored */
		assert_int_equal(parse(b, n + 4, &h, &len),
				 offset < 5 || offset * 4 > n + 4 ? -1 : 0);
	}
}

static void test_sack(void **state)
{
	struct tcphdr_v h = {.flags = TCP_ACK, .n_sack = 4}, back;
	uint8_t out[TCP_HDR_MAX];
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		h.sack[i] = (struct tcp_sack){0x10 * i, 0x10 * i + 8};
	assert_int_equal(tcphdr_build(out, &h), 56);
	assert_hex(out + 20, 36,
		   "0101 0522 00000000 00000008 00000010 00000018 00000020 00000028 00000030 "
		   "00000038");
	assert_int_equal(parse(out, 56, &back, &len), 0);
	assert_memory_equal(&h, &back, sizeof(h));
	h.has_ts = true; /* a fourth block has no room now */
	assert_int_equal(tcphdr_build(out, &h), 60);
	assert_int_equal(parse(out, 60, &back, &len), 0);
	assert_int_equal(back.n_sack, 3);
	assert_true(back.has_ts);
	h.n_sack = 1;
	assert_int_equal(tcphdr_build(out, &h), 44);
	assert_hex(out + 32, 12, "0101 050a 00000000 00000008");
	h.flags = TCP_SYN; /* no blocks in a SYN */
	assert_int_equal(tcphdr_build(out, &h), 32);
}

static void test_hostile_options(void **state)
{
	static const struct {
		const char *options;
		struct tcphdr_v want;
	} table[] = {
		{"02040000", {.mss = 0}},
		{"02040001", {.mss = 1}},
		{"0204ffff", {.mss = 65535}},
		{"02030500", {.mss = 0}},                          /* wrong length */
		{"020205b4 030307 00", {.has_wscale = false}},     /* skipped: 05b4 goes on */
		{"03030f 00", {.has_wscale = true, .wscale = 14}}, /* RFC 7323 2.3 */
		{"0303ff 00", {.has_wscale = true, .wscale = 14}},
		{"03040700", {.has_wscale = false}},
		{"0400 0204 05b40000", {.mss = 0}},     /* length 0 ends the list */
		{"0401 0204 05b40000", {.mss = 0}},     /* length 1 too */
		{"fe02 0204 05b4 0000", {.mss = 1460}}, /* MUST-6: unknown, skipped */
		{"fe00 0204 05b4 0000", {.mss = 0}},
		{"feff 0204 05b4 0000", {.mss = 0}}, /* MUST-7: beyond the header */
		{"00 0204 05b4 000000", {.mss = 0}}, /* behind the end */
		{"010101 02", {.mss = 0}},           /* no length */
		{"0101 0204", {.mss = 0}},           /* no value */
		{"0809 11223344 55667788 0000", {.has_ts = false}},
		{"010101 080a 11223344 556677", {.has_ts = false}},
		{"0502 0204 05b4 0000", {.mss = 1460}}, /* no blocks */
		{"0509 00000001 000000 0101 00", {.n_sack = 0}},
		{"0402 0402 0204 0111 0204 0222",
		 {.has_sack_ok = true, .mss = 0x222}}, /* the last one */
		{"01010101 01010101 01010101 01010101 01010101 01010101 01010101 01010101 01010101 "
		 "02040111",
		 {.mss = 0x111}},
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct tcphdr_v h, want = table[i].want;
		uint8_t b[64] = {[13] = TCP_SYN};
		size_t n = 20 + hex_bytes(table[i].options, b + 20, 40), len;

		b[12] = (uint8_t)(n / 4 << 4);
		want.flags = TCP_SYN;
		assert_int_equal(n % 4, 0);
		assert_int_equal(parse(b, n, &h, &len), 0);
		assert_int_equal(len, n);
		if (memcmp(&h, &want, sizeof(h)) != 0)
			fail_msg("options %s", table[i].options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syn),
		cmocka_unit_test(test_syn_parts),
		cmocka_unit_test(test_segment),
		cmocka_unit_test(test_sack),
		cmocka_unit_test(test_hostile_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
