/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local, ARP and neighbour discovery: exact answers for our addresses, none for others', nothing
 * believed that a container says about ours.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/cksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ndp.h"

#include "fake.h"
#include "hex.h"

#define ARP_HEAD "0001 0800 06 04 "
#define GUEST_MAC "1234567890ab "
#define NO_MAC "000000000000 "

static void arp(const char *text)
{
	uint8_t b[64];
	size_t n = hex_bytes(text, b, sizeof(b));
	uint8_t *copy = hex_exact(b, n);

	local_arp(fake.local, copy, n);
	free(copy);
}

static void test_arp_answers(void **state)
{
	struct fake_frame *f;

	(void)state;
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000202");
	f = fake_last();
	assert_non_null(f);
	assert_int_equal(f->ethertype, ETH_TYPE_ARP);
	assert_hex(f->dst.b, 6, GUEST_MAC);
	assert_hex(f->data, f->len, ARP_HEAD "0002 52550a000202 0a000202" GUEST_MAC "0a000264");
	assert_int_equal(fake.n_learned, 1);
	assert_ip(fake.learned[0].ip, "10.0.2.100");
	assert_hex(fake.learned[0].mac.b, 6, GUEST_MAC);
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000203"); /* the DNS server is us */
	f = fake_last();
	assert_hex(f->data, f->len, ARP_HEAD "0002 52550a000202 0a000203" GUEST_MAC "0a000264");
	/* A probe (RFC 5227) is answered, so that nobody takes the address; nothing is learned. */
	fake.n_learned = 0;
	arp(ARP_HEAD "0001" GUEST_MAC "00000000" NO_MAC "0a000202");
	f = fake_last();
	assert_hex(f->data, f->len, ARP_HEAD "0002 52550a000202 0a000202" GUEST_MAC "00000000");
	assert_int_equal(fake.n_learned, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_ARP], 0);
}

static void test_arp_silence(void **state)
{
	(void)state;
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000263"); /* another guest */
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "08080808"); /* off the link */
	arp(ARP_HEAD "0001" GUEST_MAC "00000000" NO_MAC "0a000264"); /* its own probe */
	assert_int_equal(fake.stats.n[STAT_DROP_ARP], 0);
	fake.n_learned = 0;
	/* Gratuitous: learned, not answered. */
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000264");
	arp(ARP_HEAD "0002" GUEST_MAC "0a000264" GUEST_MAC "0a000264");
	arp(ARP_HEAD "0002" GUEST_MAC "0a000264 52550a000202 0a000202");
	assert_int_equal(fake.n_learned, 3);
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_ARP], 0);
}

/* A network that is the host's: everybody but the guest is reached through us. */
static void test_arp_shared(void **state)
{
	struct fake_frame *f;

	(void)state;
	fake.plan.is_shared[FAM4] = true;
	fake.plan.host_at[FAM4] = hex_ip("169.254.1.2");
	fake.plan.loopback_at[FAM4] = hex_ip("169.254.1.3");
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000263");
	f = fake_last();
	assert_non_null(f);
	assert_hex(f->data, f->len, ARP_HEAD "0002 52550a000202 0a000263" GUEST_MAC "0a000264");
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "a9fe0102");
	f = fake_last();
	assert_hex(f->data, f->len, ARP_HEAD "0002 52550a000202 a9fe0102" GUEST_MAC "0a000264");
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "a9fe0103");
	assert_non_null(fake_last());
	arp(ARP_HEAD "0001" GUEST_MAC "00000000" NO_MAC "0a000264"); /* its own probe */
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000264");
	arp(ARP_HEAD "0001" GUEST_MAC "0a000270" NO_MAC "0a000264"); /* another of its addresses */
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "08080808"); /* off the link */
	assert_null(fake_last());
	arp(ARP_HEAD "0001" GUEST_MAC "a9fe0102" NO_MAC "0a000202"); /* an address of ours */
	assert_null(fake_last());
	assert_int_equal(fake.stats.n[STAT_DROP_ARP], 1);
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000270"); /* another one of the link */
	assert_null(fake_last());
}

/* A client of a published port, in a network that is the guest's alone. */
static void test_arp_near(void **state)
{
	struct fake_frame *f;

	(void)state;
	fake.near = hex_ip("10.0.2.99");
	arp(ARP_HEAD "0001" GUEST_MAC "00000000" NO_MAC "0a000263"); /* is it free? */
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000262"); /* its neighbour */
	assert_int_equal(fake.n_frames, 0);
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000263");
	f = fake_last();
	assert_non_null(f);
	assert_hex(f->dst.b, 6, GUEST_MAC);
	assert_hex(f->data, f->len, ARP_HEAD "0002 52550a000202 0a000263" GUEST_MAC "0a000264");
	fake.n_frames = 0;
	/* Somebody of the link says that it is his: nobody is told otherwise from now on. */
	arp(ARP_HEAD "0001 1234567890ac 0a000263" NO_MAC "0a000263");
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000263");
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_ARP], 0);
	fake.n_learned = 0;
	fake.near = hex_ip("169.254.3.4");
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "a9fe0304");
	assert_non_null(fake_last());
	/* Not even by mistake: the guest's own. */
	fake.n_frames = 0;
	fake.near = hex_ip("10.0.2.100");
	arp(ARP_HEAD "0001" GUEST_MAC "0a000265" NO_MAC "0a000264");
	assert_int_equal(fake.n_frames, 0);
}

static void test_arp_hostile(void **state)
{
	static const char *const table[] = {
		ARP_HEAD "0001" GUEST_MAC "0a000202" NO_MAC "0a000202", /* sender = gateway */
		ARP_HEAD "0002" GUEST_MAC "0a000202" NO_MAC "0a000264",
		ARP_HEAD "0001" GUEST_MAC "0a000203" NO_MAC "0a000202",  /* sender = DNS server */
		ARP_HEAD "0001 52550a000202 0a000264" NO_MAC "0a000202", /* our MAC address */
		ARP_HEAD "0001" GUEST_MAC "08080808" NO_MAC "0a000202", /* no address of the link */
		ARP_HEAD "0001" GUEST_MAC "7f000001" NO_MAC "0a000202",
		ARP_HEAD "0001 ffffffffffff 0a000264" NO_MAC "0a000202",
		ARP_HEAD "0003" GUEST_MAC "0a000264" NO_MAC "0a000202", /* reverse */
		"0001 0800 06 10 0001" GUEST_MAC "0a000264" NO_MAC "0a000202",
		"0001 0800 06 04 0001" GUEST_MAC "0a000264" NO_MAC "0a0002",
		"",
	};
	const size_t n = sizeof(table) / sizeof(table[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		arp(table[i]);
		assert_int_equal(fake.stats.n[STAT_DROP_ARP], i + 1);
	}
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.n_learned, 0);
	fake.plan.net[FAM4].ip.family = 0; /* IPv6 only */
	arp(ARP_HEAD "0001" GUEST_MAC "0a000264" NO_MAC "0a000202");
	assert_int_equal(fake.n_frames, 0);
}

#define NS "87 00 0000 00000000 "
#define RS "85 00 0000 00000000 "
#define GATEWAY "fd000000000000000000000000000002 "
#define DNS "fd000000000000000000000000000003 "
#define OURS "fe8000000000000050550afffe000202 "
#define GUEST "fd000000000000000000000000000064 "
#define SLLA "01 01 " GUEST_MAC
#define TLLA "02 01 " GUEST_MAC

static bool ndp_with(const char *src, const char *dst, uint8_t ttl, const char *text,
		     bool is_sealed)
{
	uint8_t b[256];
	size_t n = hex_bytes(text, b, sizeof(b));
	struct ip_packet k = {.src = hex_ip(src),
			      .dst = hex_ip(dst),
			      .proto = IPPROTO_ICMPV6,
			      .ttl = ttl,
			      .len = n};
	uint8_t *copy;
	bool r;

	if (is_sealed && n >= 4) {
		uint32_t sum = ip_pseudo_sum(&k.src, &k.dst, IPPROTO_ICMPV6, n);
		uint16_t folded = cksum_fold(cksum_add(sum, b, n));

		b[2] = (uint8_t)(folded >> 8);
		b[3] = (uint8_t)folded;
	}
	copy = hex_exact(b, n);
	k.payload = copy;
	r = local_ndp(fake.local, &k, false, fake.now);
	free(copy);
	return r;
}

static void ndp(const char *src, const char *dst, const char *text)
{
	assert_true(ndp_with(src, dst, 255, text, true));
}

static void check_na(const char *src, const char *dst, const char *flags_and_target)
{
	struct fake_frame *f = fake_last();
	char want[256];

	assert_non_null(f);
	assert_int_equal(f->h.proto, IPPROTO_ICMPV6);
	assert_int_equal(f->h.ttl, 255);
	assert_int_equal(f->h.csum_offset, 2);
	assert_ip(f->h.src, src);
	assert_ip(f->h.dst, dst);
	snprintf(want, sizeof(want), "88 00 0000 %s 02 01 52550a000202", flags_and_target);
	assert_hex(f->data, f->len, want);
}

static void test_ns(void **state)
{
	(void)state;
	ndp("fd00::64", "ff02::1:ff00:2", NS GATEWAY SLLA);
	check_na("fd00::2", "fd00::64", "e0000000" GATEWAY);
	assert_int_equal(fake.n_learned, 1);
	assert_ip(fake.learned[0].ip, "fd00::64");
	assert_hex(fake.learned[0].mac.b, 6, GUEST_MAC);
	ndp("fe80::1034:56ff:fe78:90ab", "fd00::3", NS DNS); /* NUD */
	check_na("fd00::3", "fe80::1034:56ff:fe78:90ab", "e0000000" DNS);
	ndp("fd00::64", "ff02::1:ff00:202", NS OURS SLLA);
	check_na("fe80::5055:aff:fe00:202", "fd00::64", "e0000000" OURS);
	/* DAD for an address of ours: everybody is told that it is taken. */
	fake.n_learned = 0;
	ndp("::", "ff02::1:ff00:2", NS GATEWAY);
	check_na("fd00::2", "ff02::1", "a0000000" GATEWAY);
	assert_int_equal(fake.n_learned, 0);
	/* DAD of the guest for its own: silence. */
	ndp("::", "ff02::1:ff00:64", NS GUEST);
	ndp("fd00::64", "ff02::1:ff00:99", NS "fd000000000000000000000000000099" SLLA);
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_NDP], 0);
	assert_int_equal(fake.stats.n[STAT_DROP_CHECKSUM], 0);
}

static void test_ns_shared(void **state)
{
	(void)state;
	fake.plan.is_shared[FAM6] = true;
	ndp("fd00::64", "ff02::1:ff00:99", NS "fd000000000000000000000000000099" SLLA);
	check_na("fd00::99", "fd00::64", "e0000000 fd000000000000000000000000000099");
	ndp("::", "ff02::1:ff00:99", NS "fd000000000000000000000000000099"); /* is it free? */
	ndp("::", "ff02::1:ff00:64", NS GUEST);
	ndp("fe80::1", "ff02::1:ff00:64", NS GUEST SLLA);
	ndp("fd00::64", "ff02::1:ff00:1", NS "20010db8000000000000000000000001" SLLA);
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_NDP], 0);
	fake.plan.is_ndp_off = true;
	ndp("fd00::64", "ff02::1:ff00:2", NS GATEWAY SLLA);
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_NDP], 1);
}

static void test_ns_near(void **state)
{
	static const char *const near[] = {"fd00::99", "fe80::99"},
				 *const target[] = {"fd000000000000000000000000000099 ",
						    "fe800000000000000000000000000099 "};
	char text[256], flags[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		fake.n_learned = fake.n_frames = 0;
		fake.near = hex_ip(near[i]);
		snprintf(text, sizeof(text), NS "%s", target[i]);
		snprintf(flags, sizeof(flags), "e0000000 %s", target[i]);
		ndp("::", "ff02::1:ff00:99", text); /* is it free? */
		ndp("fd00::64", "ff02::1:ff00:98", NS "fd000000000000000000000000000098" SLLA);
		assert_int_equal(fake.n_frames, 0);
		ndp("fe80::1", near[i], text); /* NUD, too */
		check_na(near[i], "fe80::1", flags);
		snprintf(text, sizeof(text), NS "%s" SLLA, target[i]);
		ndp("fd00::64", "ff02::1:ff00:99", text);
		check_na(near[i], "fd00::64", flags);
		fake.n_frames = 0;
		/* Somebody of the link has it. */
		snprintf(text, sizeof(text), "88 00 0000 20000000 %s" TLLA, target[i]);
		ndp(near[i], "ff02::1", text);
		snprintf(text, sizeof(text), NS "%s" SLLA, target[i]);
		ndp("fd00::64", "ff02::1:ff00:99", text);
		assert_int_equal(fake.n_frames, 0);
	}
	assert_int_equal(fake.stats.n[STAT_DROP_NDP], 0);
}

static void test_na(void **state)
{
	(void)state;
	ndp("fd00::64", "ff02::1", "88 00 0000 20000000" GUEST TLLA);
	assert_int_equal(fake.n_learned, 1);
	assert_ip(fake.learned[0].ip, "fd00::64");
	ndp("fd00::64", "fd00::2", "88 00 0000 60000000" GUEST);
	assert_int_equal(fake.n_learned, 1);
	/* For the gateway's, the DNS server's or our link-local address: no change of our table. */
	ndp("fd00::64", "ff02::1", "88 00 0000 20000000" GATEWAY TLLA);
	ndp("fd00::64", "ff02::1", "88 00 0000 20000000" DNS TLLA);
	ndp("fd00::64", "ff02::1", "88 00 0000 20000000" OURS TLLA);
	ndp("fd00::64", "ff02::1", "88 00 0000 20000000 20010db8000000000000000000000001" TLLA);
	assert_int_equal(fake.n_learned, 1);
	assert_int_equal(fake.stats.n[STAT_DROP_NDP], 4);
	assert_int_equal(fake.n_frames, 0);
}

static void test_ndp_hostile(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t ttl;
		const char *text;
	} table[] = {
		{"fd00::64", "fd00::2", 254, NS GATEWAY SLLA},
		{"fd00::64", "fd00::2", 1, NS GATEWAY SLLA},
		{"fd00::64", "fd00::2", 255, NS GATEWAY "01 00 000000000000"},
		{"fd00::2", "fd00::2", 255, NS GATEWAY SLLA}, /* as the gateway */
		{"fe80::5055:aff:fe00:202", "fd00::2", 255, NS GATEWAY SLLA},
		{"2001:db8::1", "fd00::2", 255, NS GATEWAY SLLA}, /* from off the link */
		{"::1", "fd00::2", 255, NS GATEWAY SLLA},
		{"fd00::64", "fd00::2", 255, NS GATEWAY "01 01 52550a000202"}, /* our MAC */
		{"fe80::9", "ff02::1", 255, "86 00 0000 40 00 0708 00000000 00000000"},
		{"fe80::9", "fd00::2", 255, "89 00 0000 00000000" GATEWAY GUEST},
		{"2001:db8::1", "ff02::2", 255, RS},
		{"fd00::64", "fd00::2", 255, "87 00 0000 00000000"},
	};
	const size_t n = sizeof(table) / sizeof(table[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_true(
			ndp_with(table[i].src, table[i].dst, table[i].ttl, table[i].text, true));
		assert_int_equal(fake.stats.n[STAT_DROP_NDP], i + 1);
	}
	assert_true(ndp_with("fd00::64", "fd00::2", 255, NS GATEWAY SLLA, false));
	assert_int_equal(fake.stats.n[STAT_DROP_CHECKSUM], 1);
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.n_learned, 0);
	/* Other ICMPv6 is somebody else's; MLD is nobody's. */
	assert_false(ndp_with("fd00::64", "fd00::2", 64, "80 00 0000 00010001", true));
	assert_false(ndp_with("fd00::64", "fd00::2", 64, "01 04 0000 00000000", true));
	assert_false(ndp_with("fd00::64", "fd00::2", 255, "87 00", true));
	assert_true(ndp_with("fe80::1", "ff02::1", 1, "82 00 0000 00000000", true));
	assert_true(ndp_with("fe80::1", "ff02::1", 1, "83 00 0000 00000000", true));
	assert_true(ndp_with("fe80::1", "ff02::2", 1, "84 00 0000 00000000", true));
	assert_true(ndp_with("fe80::1", "ff02::16", 1, "8f 00 0000 00000001 04000000" GUEST, true));
	assert_int_equal(fake.stats.n[STAT_DROP_NDP], n);
	assert_int_equal(fake.n_frames, 0);
}

#define RA                                                                                         \
	"86 00 0000 40 40 ffff 00000000 00000000 01 01 52550a000202 05 01 0000 000005dc "          \
	"03 04 40 c0 ffffffff ffffffff 00000000 fd000000000000000000000000000000 "                 \
	"19 03 0000 ffffffff" DNS

static size_t hex_length(const char *text)
{
	uint8_t b[256];

	return hex_bytes(text, b, sizeof(b));
}

static void check_ra(const char *dst)
{
	struct fake_frame *f = fake_last();

	assert_non_null(f);
	assert_ip(f->h.src, "fe80::5055:aff:fe00:202");
	assert_ip(f->h.dst, dst);
	assert_int_equal(f->h.ttl, 255);
	assert_hex(f->data, f->len, RA);
}

static void test_rs(void **state)
{
	(void)state;
	fake_advance(100000000); /* who does not ask is not told */
	assert_int_equal(fake.n_frames, 0);
	ndp("::", "ff02::2", RS);
	check_ra("ff02::1");
	ndp("fe80::1034:56ff:fe78:90ab", "ff02::2", RS SLLA);
	check_ra("fe80::1034:56ff:fe78:90ab");
	assert_int_equal(fake.n_learned, 1);
	/* The router's lifetime of 18 hours never runs out. */
	fake_advance(65535000);
	assert_int_equal(fake.n_frames, 3);
	check_ra("ff02::1");
	fake.n_frames = 0;
	fake.plan.is_dns_untold = true;
	ndp("::", "ff02::2", RS);
	assert_int_equal(fake_last()->len, hex_length(RA) - 24);
	/* Hosts make addresses by themselves in a /64 alone; else they come by DHCPv6, if at all.
	 */
	fake.plan.net[FAM6].len = 80;
	ndp("::", "ff02::2", RS);
	assert_int_equal(fake_last()->data[5], 0xc0);
	fake.plan.is_dhcp[FAM6] = false;
	ndp("::", "ff02::2", RS);
	assert_int_equal(fake_last()->data[5], 0);
	fake.n_frames = 0;
	fake.plan.is_ra = false;
	ndp("::", "ff02::2", RS);
	assert_int_equal(fake.n_frames, 0);
}

static void test_off(void **state)
{
	(void)state;
	fake.plan.net[FAM6].ip.family = 0;
	assert_true(ndp_with("fd00::64", "ff02::1:ff00:2", 255, NS GATEWAY SLLA, true));
	assert_true(ndp_with("::", "ff02::2", 255, RS, true));
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_NDP], 2);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_arp_answers), CASE(test_arp_silence), CASE(test_arp_hostile),
		CASE(test_ns),          CASE(test_na),          CASE(test_ndp_hostile),
		CASE(test_rs),          CASE(test_off),         CASE(test_arp_shared),
		CASE(test_ns_shared),   CASE(test_arp_near),    CASE(test_ns_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
