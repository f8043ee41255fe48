/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp and dhcp6: exact bytes both ways; messages cut at every byte, and as no client sends them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/dhcp.h"
#include "wire/dhcp6.h"

#include "hex.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define HEAD_LEN 240

/* A BOOTP frame of 240 bytes, cookie included, then the options. */
static size_t message(uint8_t *b, size_t size, const char *options)
{
	memset(b, 0, HEAD_LEN);
	hex_bytes("01 01 06 00 deadbeef 0003 8000 0a000264", b, size);
	hex_bytes("1234567890ab", b + 28, 6);
	hex_bytes("63825363", b + 236, 4);
	return HEAD_LEN + hex_bytes(options, b + HEAD_LEN, size - HEAD_LEN);
}

static int parse(const uint8_t *p, size_t n, struct dhcp *ret)
{
	uint8_t *copy = hex_exact(p, n);
	int r = dhcp_parse(copy, n, ret);

	free(copy);
	return r;
}

static void test_parse(void **state)
{
	uint8_t b[400];
	size_t n = message(b, sizeof(b),
			   "00 35 01 03 3d 07 01 1234567890ab 32 04 0a000264 36 04 0a000202 "
			   "37 04 01 03 06 1a ff 35 01 07");
	struct dhcp d;

	(void)state;
	assert_int_equal(parse(b, n, &d), 0);
	assert_int_equal(d.type, DHCP_REQUEST); /* nothing counts behind the end */
	assert_int_equal(d.xid, 0xdeadbeef);
	assert_true(d.is_broadcast);
	assert_ip(d.client, "10.0.2.100");
	assert_ip(d.requested, "10.0.2.100");
	assert_ip(d.server, "10.0.2.2");
	assert_hex(d.mac.b, 6, "1234567890ab");
	assert_hex(d.id, d.n_id, "01 1234567890ab");
	for (size_t i = 0; i < HEAD_LEN; i++)
		assert_int_equal(parse(b, i, &d), -1);
	n = message(b, sizeof(b), "35 01 01");
	assert_int_equal(parse(b, n, &d), 0); /* no end option: the packet's end will do */
	assert_int_equal(d.requested.family, 0);
	assert_int_equal(d.server.family, 0);
	assert_int_equal(d.n_id, 0);
}

static void test_refused(void **state)
{
	static const char *const options[] = {
		"",
		"ff",
		"35 01 00 ff", /* type 0 */
		"35 01 02 ff", /* what servers send */
		"35 01 05 ff",
		"35 01 06 ff",
		"35 01 09 ff", /* no such type */
		"35 01 ff ff",
		"35 00 ff",       /* no value */
		"35 02 01 01 ff", /* too long */
		"35 01",          /* cut */
		"35",
		"35 01 01 32 03 0a0002",
		"35 01 01 32 03 0a0002 ff",
		"35 01 01 36 05 0a00020201 ff",
		"35 01 01 0c ff 61", /* beyond the packet */
		"35 01 01 0c",
	};
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {{0, 2},   {0, 0},  {1, 6},     {2, 0},  {2, 16},
		     {2, 255}, {24, 1}, {28, 0x33}, {236, 0}};
	uint8_t b[400];
	struct dhcp d;
	size_t n;

	(void)state;
	for (size_t i = 0; i < N(options); i++) {
		n = message(b, sizeof(b), options[i]);
		if (parse(b, n, &d) != -1)
			fail_msg("options \"%s\"", options[i]);
	}
	for (size_t i = 0; i < N(wrong); i++) {
		n = message(b, sizeof(b), "35 01 01 ff");
		assert_int_equal(parse(b, n, &d), 0);
		b[wrong[i].at] = wrong[i].value;
		assert_int_equal(parse(b, n, &d), -1);
	}
	n = message(b, sizeof(b), "35 01 01 3d 41");
	memset(b + n, 7, 65); /* an identifier longer than kept is none */
	assert_int_equal(parse(b, n + 65, &d), 0);
	assert_int_equal(d.n_id, 0);
}

static void test_build(void **state)
{
	struct dhcp q = {.xid = 0xdeadbeef,
			 .is_broadcast = true,
			 .mac = hex_mac("1234567890ab"),
			 .n_id = 3,
			 .id = {0xff, 1, 2}};
	struct dhcp_reply a = {.type = DHCP_OFFER,
			       .yours = hex_ip("10.0.2.100"),
			       .server = hex_ip("10.0.2.2"),
			       .prefix_len = 24,
			       .broadcast = hex_ip("10.0.2.255"),
			       .dns = hex_ip("10.0.2.3"),
			       .lease_s = 86400,
			       .mtu = 1500};
	uint8_t out[DHCP_REPLY_MAX];
	size_t n = dhcp_build(out, &q, &a);

	(void)state;
	assert_int_equal(n, 300);
	assert_hex(
		out, 34,
		"02 01 06 00 deadbeef 0000 8000 00000000 0a000264 00000000 00000000 1234567890ab");
	for (size_t i = 34; i < 236; i++)
		assert_int_equal(out[i], 0);
	assert_hex(out + 236, 300 - 236,
		   "63825363 35 01 02 36 04 0a000202 33 04 00015180 01 04 ffffff00 03 04 0a000202 "
		   "1c 04 0a0002ff 06 04 0a000203 1a 02 05dc 3d 03 ff0102 ff 00000000 00000000 "
		   "000000");
	a.type = DHCP_NAK;
	a.yours.family = 0;
	memset(a.yours.b, 0, 4);
	q.n_id = 0;
	n = dhcp_build(out, &q, &a);
	assert_int_equal(n, 300);
	assert_hex(out + 236, 16, "63825363 35 01 06 36 04 0a000202 ff 00 00");
	/* Nothing is told that is not known. */
	a = (struct dhcp_reply){.type = DHCP_ACK, .server = a.server, .broadcast = a.broadcast};
	n = dhcp_build(out, &q, &a);
	assert_hex(out + 236, 36,
		   "63825363 35 01 05 36 04 0a000202 01 04 00000000 03 04 0a000202 1c 04 0a0002ff "
		   "ff 0000 00 00");
	/* The longest there is fits. */
	a.dns = hex_ip("10.0.2.3");
	a.lease_s = 1;
	a.mtu = 1500;
	a.type = DHCP_ACK;
	q.n_id = DHCP_CLIENT_ID_MAX;
	n = dhcp_build(out, &q, &a);
	assert_true(n > 300 && n < DHCP_REPLY_MAX);
	assert_int_equal(out[n - 1], 0xff);
}

#define DUID "0001 000e 00010001 11223344 1234567890ab "
#define SERVER "0002 000a 00030001 52550a000202 "
#define IA "0003 000c 00000007 00000000 00000000 "
#define IA_ADDR                                                                                    \
	"0003 0028 00000007 00000000 00000000 0005 0018 fd000000000000000000000000000064 "         \
	"00000000 "                                                                                \
	"00000000 "

static int parse6(const uint8_t *p, size_t n, struct dhcp6 *ret)
{
	uint8_t *copy = hex_exact(p, n);
	int r = dhcp6_parse(copy, n, ret);

	free(copy);
	return r;
}

static const struct {
	const char *text;
	int want;
} messages6[] = {
	{"01 aabbcc " DUID IA "0006 0004 0017 0018 0008 0002 0000 000e 0000", 0},
	{"01 aabbcc " DUID SERVER IA, -1}, /* RFC 8415 16.2 */
	{"01 aabbcc " IA, -1},
	{"03 aabbcc " DUID SERVER IA_ADDR, 0},
	{"03 aabbcc " DUID IA_ADDR, -1},
	{"04 aabbcc " DUID IA_ADDR, 0},
	{"05 aabbcc " DUID SERVER IA_ADDR, 0},
	{"06 aabbcc " DUID IA_ADDR, 0},
	{"06 aabbcc " DUID SERVER IA_ADDR, -1},
	{"08 aabbcc " DUID SERVER IA_ADDR, 0},
	{"09 aabbcc " DUID SERVER IA_ADDR, 0},
	{"0b aabbcc ", 0},
	{"0b aabbcc " DUID, 0},
	{"0b aabbcc " DUID IA, -1},
	{"02 aabbcc " DUID SERVER IA, -1}, /* what servers send */
	{"07 aabbcc " DUID SERVER IA, -1},
	{"0a aabbcc " DUID, -1},
	{"0c 00 00000000000000000000000000000000", -1}, /* relayed */
	{"01 aabbcc " DUID DUID, -1},                   /* twice */
	{"01 aabbcc 0001 0001 00", -1},                 /* DUIDs are 2 bytes at least */
	{"01 aabbcc 0001 0000", -1},
	{"01 aabbcc " DUID "0003 000b 00000007 00000000 000000", -1},
	{"01 aabbcc " DUID "0003 0010 00000007 00000000 00000000 0005 0018", -1},
	{"01 aabbcc " DUID "0003 0013 00000007 00000000 00000000 0005 0003 010203", -1},
	{"01 aabbcc " DUID "0006 0003 001700", -1},
	{"01 aabbcc " DUID "000e 0001 00", -1},
	{"01 aabbcc " DUID "ffff ffff 00", -1},
	{"01 aabbcc " DUID "ff", -1},
};

static void test_parse6(void **state)
{
	struct dhcp6 d;
	uint8_t b[512];
	size_t n;

	(void)state;
	for (size_t i = 0; i < N(messages6); i++) {
		n = hex_bytes(messages6[i].text, b, sizeof(b));
		if (parse6(b, n, &d) != messages6[i].want)
			fail_msg("%s", messages6[i].text);
	}
	n = hex_bytes(messages6[0].text, b, sizeof(b));
	assert_int_equal(parse6(b, n, &d), 0);
	assert_int_equal(d.type, DHCP6_SOLICIT);
	assert_int_equal(d.xid, 0xaabbcc);
	assert_hex(d.client.b, d.client.len, "00010001 11223344 1234567890ab");
	assert_int_equal(d.n_ia, 1);
	assert_int_equal(d.ia[0].id, 7);
	assert_int_equal(d.ia[0].address.family, 0);
	assert_true(d.is_rapid && d.wants_dns);
	n = hex_bytes("03 000001 " DUID SERVER IA_ADDR IA IA IA IA IA, b, sizeof(b));
	assert_int_equal(parse6(b, n, &d), 0);
	assert_ip(d.ia[0].address, "fd00::64");
	assert_hex(d.server.b, d.server.len, "00030001 52550a000202");
	assert_int_equal(d.n_ia, DHCP6_IA_MAX);
	assert_false(d.is_rapid || d.wants_dns);
	for (size_t i = 0; i < n; i++) /* whole options only: 4, 22, 36 and so on */
		if (i != 36 && i != 80 && i != 96 && i != 112 && i != 128 && i != 144)
			assert_int_equal(parse6(b, i, &d), -1);
	/* The longest identifier there is, and one more byte. */
	n = hex_bytes("01 000001 0001 0082", b, sizeof(b));
	memset(b + n, 1, 131);
	assert_int_equal(parse6(b, n + 130, &d), 0);
	assert_int_equal(d.client.len, 130);
	b[7] = 131;
	assert_int_equal(parse6(b, n + 131, &d), -1);
}

static void test_build6(void **state)
{
	struct dhcp6_reply a = {.type = DHCP6_ADVERTISE,
				.address = hex_ip("fd00::64"),
				.ia_status = DHCP6_NO_ADDRESS,
				.lifetime_s = 86400,
				.dns = hex_ip("fd00::3")};
	uint8_t b[512], out[DHCP6_REPLY_MAX];
	struct dhcp6 q;
	size_t n = hex_bytes("01 aabbcc " DUID IA "0003 000c 00000008 00000000 00000000", b,
			     sizeof(b));

	(void)state;
	a.server.len = (uint8_t)hex_bytes("00030001 52550a000202", a.server.b, sizeof(a.server.b));
	assert_int_equal(parse6(b, n, &q), 0);
	n = dhcp6_build(out, &q, &a);
	assert_hex(
		out, n,
		"02 aabbcc " DUID SERVER
		"0003 0028 00000007 0000a8c0 00010e00 0005 0018 fd000000000000000000000000000064 "
		"00015180 00015180 0003 0012 00000008 0000a8c0 00010e00 000d 0002 0002 "
		"0017 0010 fd000000000000000000000000000003");
	a.type = DHCP6_REPLY; /* rapid commit */
	a.address.family = a.dns.family = 0;
	a.has_status = true;
	q.n_ia = 1;
	n = dhcp6_build(out, &q, &a);
	assert_hex(out, n,
		   "07 aabbcc " DUID SERVER
		   "000e 0000 000d 0002 0000 0003 0012 00000007 0000a8c0 00010e00 000d 0002 0002");
	q.type = DHCP6_CONFIRM;
	a.status = DHCP6_NOT_ON_LINK;
	n = dhcp6_build(out, &q, &a);
	assert_hex(out, n, "07 aabbcc " DUID SERVER "000d 0002 0004");
	/* The longest there is fits. */
	q.type = DHCP6_SOLICIT;
	q.n_ia = DHCP6_IA_MAX;
	q.client.len = a.server.len = DHCP6_DUID_MAX;
	a.address = hex_ip("fd00::64");
	a.dns = hex_ip("fd00::3");
	n = dhcp6_build(out, &q, &a);
	assert_true(n < DHCP6_REPLY_MAX);
	assert_hex(out + n - 4, 4, "00000003");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_build),  cmocka_unit_test(test_parse6),
		cmocka_unit_test(test_build6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
