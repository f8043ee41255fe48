/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip, IPv6: exact bytes both ways, and chains of extension headers by RFC 8200 4: each case names
 * the verdict and, where an answer is due, its code and pointer.
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

#define SRC "fd00000000000000 0000000000000064"
#define DST "20010db800000000 0000000000000001"
#define MULTICAST "ff02000000000000 0000000000000001"

static enum ip_verdict parse(const uint8_t *p, size_t len, struct ip_packet *ret,
			     struct ip_problem *ret_problem)
{
	uint8_t *copy = hex_exact(p, len);
	enum ip_verdict v = ip_parse6(copy, len, ret, ret_problem);

	if (v == IP_OK) {
		ret->start = p;
		ret->payload = p + (ret->payload - copy);
	}
	free(copy);
	return v;
}

/* A packet whose next header byte is `next` and whose payload is `body`. */
static size_t packet(uint8_t *b, size_t size, uint8_t next, const char *dst, const char *body)
{
	size_t n = hex_bytes("6000 0000 0000 00 40 " SRC, b, size);

	n += hex_bytes(dst, b + n, size - n);
	n += hex_bytes(body, b + n, size - n);
	b[4] = (uint8_t)((n - 40) >> 8);
	b[5] = (uint8_t)(n - 40);
	b[6] = next;
	return n;
}

static void test_plain(void **state)
{
	uint8_t b[128], out[IP6_HDR_LEN];
	size_t n = packet(b, sizeof(b), IPPROTO_UDP, DST, "0035 0035 0009 0000 77");
	struct ip_problem problem;
	struct ip_packet k;
	struct ip_build h;

	(void)state;
	assert_int_equal(parse(b, n, &k, &problem), IP_OK);
	assert_ip(k.src, "fd00::64");
	assert_ip(k.dst, "2001:db8::1");
	assert_int_equal(k.proto, IPPROTO_UDP);
	assert_int_equal(k.proto_at, 6);
	assert_int_equal(k.ttl, 64);
	assert_int_equal(k.total, 49);
	assert_hex(k.payload, k.len, "0035 0035 0009 0000 77");
	assert_false(k.is_fragment || k.is_more || k.is_df);
	memset(b + n, 0xee, 6);
	assert_int_equal(parse(b, n + 6, &k, &problem), IP_OK);
	assert_int_equal(k.len, 9);
	h = (struct ip_build){.src = k.src, .dst = k.dst, .proto = k.proto, .ttl = 64};
	ip_build6(out, &h, 9);
	assert_memory_equal(out, b, sizeof(out));
	h.tos = 0xb8;
	ip_build6(out, &h, 1240);
	assert_hex(out, 8, "6b800000 04d8 11 40");
	assert_int_equal(parse(out, 40, &k, &problem), IP_BAD);
	out[4] = out[5] = 0;
	assert_int_equal(parse(out, 40, &k, &problem), IP_OK);
	assert_int_equal(k.tos, 0xb8);
	ip_build6_frag(out, IPPROTO_UDP, 1232, true, 0xdeadbeef);
	assert_hex(out, IP6_FRAG_LEN, "11 00 04d1 deadbeef");
	for (size_t i = 0; i < n; i++)
		assert_int_equal(parse(b, i, &k, &problem), IP_BAD);
	b[0] = 0x45;
	assert_int_equal(parse(b, n, &k, &problem), IP_BAD);
}

struct chain_case {
	const char *name;
	uint8_t next;
	const char *dst, *body;
	enum ip_verdict want;
	uint8_t proto; /* IP_OK: what comes out */
	uint32_t proto_at;
	uint8_t code; /* IP_BAD_HEADER */
	uint32_t pointer;
};

#define PAD6 "01 04 00000000"
#define UDP "0001 0002 0008 0000"

static const struct chain_case chains[] = {
	{"hop-by-hop", 0, DST, "11 00 " PAD6 UDP, IP_OK, 17, 40},
	{"hop-by-hop of Pad1", 0, DST, "11 00 000000000000" UDP, IP_OK, 17, 40},
	{"router alert", 0, DST, "3a 00 0502 0000 0100 8f00 0000 0000 0000", IP_OK, 58, 40},
	{"destination options", 60, DST, "11 00 " PAD6 UDP, IP_OK, 17, 40},
	{"all kinds once", 0, DST,
	 "3c 00 " PAD6 "2b 00 " PAD6 "2c 00 00 00 00000000 3c 00 0000 00000001 11 00 " PAD6 UDP,
	 IP_OK, 17, 72},
	{"eight headers", 60, DST,
	 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6
	 "1100" PAD6 UDP,
	 IP_OK, 17, 96},
	{"nine headers", 60, DST,
	 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6 "3c00" PAD6
	 "3c00" PAD6 "1100" PAD6 UDP,
	 IP_BAD},
	{"hop-by-hop not first", 60, DST, "00 00 " PAD6 "11 00 " PAD6 UDP, IP_BAD_HEADER, 0, 0, 1,
	 40},
	{"hop-by-hop twice", 0, DST, "00 00 " PAD6 "11 00 " PAD6 UDP, IP_BAD_HEADER, 0, 0, 1, 40},
	{"routing, none left", 43, DST, "11 00 04 00 00000000" UDP, IP_OK, 17, 40},
	{"routing type 0, none left", 43, DST, "11 00 00 00 00000000" UDP, IP_OK, 17, 40},
	{"routing type 0, one left", 43, DST,
	 "11 02 00 01 00000000 20010db8000000000000000000000009" UDP, IP_BAD_HEADER, 0, 0, 0, 42},
	{"unknown routing, some left", 43, DST, "11 00 fe ff 00000000" UDP, IP_BAD_HEADER, 0, 0, 0,
	 42},
	{"unknown option 00: skip", 60, DST, "11 00 3e 04 00000000" UDP, IP_OK, 17, 40},
	{"unknown option 01: drop", 60, DST, "11 00 7e 04 00000000" UDP, IP_BAD},
	{"unknown option 10: answer", 60, DST, "11 00 00 be 03 000000" UDP, IP_BAD_HEADER, 0, 0, 2,
	 43},
	{"unknown option 10, multicast: answer", 60, MULTICAST, "11 00 be 04 00000000" UDP,
	 IP_BAD_HEADER, 0, 0, 2, 42},
	{"unknown option 11: answer", 0, DST, "11 00 fe 04 00000000" UDP, IP_BAD_HEADER, 0, 0, 2,
	 42},
	{"unknown option 11, multicast: drop", 0, MULTICAST, "11 00 fe 04 00000000" UDP, IP_BAD},
	{"jumbo payload is unknown here", 0, DST, "11 00 c2 04 00010000" UDP, IP_BAD_HEADER, 0, 0,
	 2, 42},
	{"option beyond its header", 60, DST, "11 00 01 05 00000000" UDP, IP_BAD},
	{"option without a length", 60, DST, "11 00 01 03 000000 01" UDP, IP_BAD},
	{"header beyond the packet", 60, DST, "11 01 " PAD6, IP_BAD},
	{"header of 2048 bytes that are not there", 0, DST, "11 ff " PAD6 UDP, IP_BAD},
	{"no bytes for a header", 0, DST, "", IP_BAD},
	{"one byte of a header", 43, DST, "11", IP_BAD},
	{"no next header", 59, DST, "", IP_NO_PAYLOAD},
	{"no next header, bytes behind it", 60, DST, "3b 00 " PAD6 "1234", IP_NO_PAYLOAD},
	{"ESP is a payload", 60, DST, "32 00 " PAD6 UDP, IP_OK, 50, 40},
	{"AH is a payload", 51, DST, "11 04 0000" UDP, IP_OK, 51, 6},
	{"unknown next header is a payload", 200, DST, UDP, IP_OK, 200, 6},
};

static void test_chains(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(chains); i++) {
		const struct chain_case *c = &chains[i];
		struct ip_problem problem = {0};
		struct ip_packet k = {0};
		uint8_t b[256];
		size_t n = packet(b, sizeof(b), c->next, c->dst, c->body);
		enum ip_verdict v = parse(b, n, &k, &problem);

		if (v != c->want)
			fail_msg("%s: %d, not %d", c->name, v, c->want);
		if (v == IP_OK && (k.proto != c->proto || k.proto_at != c->proto_at ||
				   b[k.proto_at] != c->proto || k.is_fragment))
			fail_msg("%s: protocol %u at %u", c->name, k.proto, k.proto_at);
		if (v == IP_OK && c->proto == IPPROTO_UDP)
			assert_hex(k.payload, k.len, UDP);
		if (v == IP_BAD_HEADER) {
			if (problem.code != c->code || problem.pointer != c->pointer)
				fail_msg("%s: code %u at %u", c->name, problem.code,
					 problem.pointer);
			assert_int_equal(k.total, n); /* what the answer needs */
			assert_ip(k.src, "fd00::64");
		}
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(parse(b, cut, &k, &problem), IP_BAD);
	}
}

static const struct chain_case fragments[] = {
	{"first", 44, DST, "11 00 0001 00000007" UDP, IP_OK, 17, 40},
	{"middle", 44, DST, "11 00 0009 00000007" UDP, IP_OK, 17, 40},
	{"last, odd length", 44, DST, "11 00 0010 00000007 ffffff", IP_OK, 17, 40},
	{"reserved bits are ignored", 44, DST, "11 ff 000f 00000007" UDP, IP_OK, 17, 40},
	{"behind hop-by-hop", 0, DST, "2c 00 " PAD6 "11 00 0009 00000007" UDP, IP_OK, 17, 48},
	{"headers of a later piece are payload", 44, DST, "00 00 0009 00000007 ffffffffffffffff",
	 IP_OK, 0, 40},
	{"destination options in the first", 44, DST, "3c 00 0001 00000007 11 00 " PAD6 UDP, IP_OK,
	 60, 40},
	{"first without the transport header", 44, DST, "06 00 0001 00000007" UDP, IP_BAD_HEADER, 0,
	 0, 3, 0},
	{"first with half an extension header", 44, DST, "3c 00 0001 00000007 11 03 " PAD6,
	 IP_BAD_HEADER, 0, 0, 3, 0},
	{"first with a bad option", 44, DST, "3c 00 0001 00000007 11 00 be 04 00000000" UDP,
	 IP_BAD_HEADER, 0, 0, 2, 50},
	{"first of an unknown transport", 44, DST, "c8 00 0001 00000007 1122334455667788", IP_OK,
	 200, 40},
	{"not a multiple of 8", 44, DST, "11 00 0001 00000007" UDP "00", IP_BAD_HEADER, 0, 0, 0, 4},
	{"ends beyond 65,535", 44, DST, "11 00 fff8 00000007" UDP, IP_BAD_HEADER, 0, 0, 0, 42},
	{"ends at 65,535", 44, DST, "11 00 fff8 00000007 11223344556677", IP_OK, 17, 40},
	{"empty", 44, DST, "11 00 0009 00000007", IP_BAD},
	{"cut in its header", 44, DST, "11 00 0009 000000", IP_BAD},
};

static void test_fragments(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(fragments); i++) {
		const struct chain_case *c = &fragments[i];
		struct ip_problem problem = {0};
		struct ip_packet k = {0};
		uint8_t b[256];
		size_t n = packet(b, sizeof(b), c->next, c->dst, c->body);
		enum ip_verdict v = parse(b, n, &k, &problem);

		if (v != c->want)
			fail_msg("%s: %d, not %d", c->name, v, c->want);
		if (v == IP_OK) {
			if (k.proto != c->proto || k.proto_at != c->proto_at)
				fail_msg("%s: protocol %u at %u", c->name, k.proto, k.proto_at);
			assert_true(k.is_fragment);
			assert_int_equal(k.frag_id, 7);
			assert_int_equal(k.payload - b, c->proto_at + 8);
			assert_int_equal(k.payload + k.len - b, n);
		} else if (v == IP_BAD_HEADER &&
			   (problem.code != c->code || problem.pointer != c->pointer)) {
			fail_msg("%s: code %u at %u", c->name, problem.code, problem.pointer);
		}
	}
}

static void test_sum(void **state)
{
	struct ip_problem problem;
	struct ip_packet k;
	uint8_t b[128];
	size_t n = packet(b, sizeof(b), IPPROTO_ICMPV6, DST, "80 00 0000 1234 0001 61");
	uint16_t sum;

	(void)state;
	assert_int_equal(parse(b, n, &k, &problem), IP_OK);
	assert_false(ip_sum_ok(&k));
	/* ~(fd00+0064 + 2001+0db8+0001 + 0009+003a + 8000+1234+0001+6100) */
	sum = cksum_fold(
		cksum_add(ip_pseudo_sum(&k.src, &k.dst, IPPROTO_ICMPV6, k.len), k.payload, k.len));
	assert_int_equal(sum, 0xe167);
	b[42] = (uint8_t)(sum >> 8);
	b[43] = (uint8_t)sum;
	assert_true(ip_sum_ok(&k));
	k.src.b[15] ^= 1;
	assert_false(ip_sum_ok(&k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
