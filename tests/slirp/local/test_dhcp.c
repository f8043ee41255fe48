/* SPDX-License-Identifier: GPL-2.0-or-later */
/* local, DHCPv4 and DHCPv6: a whole exchange, renewals, wrong addresses, many clients, who is
 * meant. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/dhcp.h"
#include "wire/dhcp6.h"

#include "fake.h"
#include "hex.h"

#define BROADCAST "255.255.255.255"

static void send4(const char *src, const char *dst, uint8_t mac, const char *ciaddr,
		  const char *options)
{
	uint8_t b[400] = {1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef};
	struct ip client = hex_ip(ciaddr);

	memcpy(b + 12, client.b, 4);
	hex_bytes("1234567890", b + 28, 6);
	b[33] = mac;
	hex_bytes("63825363", b + 236, 4);
	fake_udp(src, 68, dst, 67, b, 240 + hex_bytes(options, b + 240, sizeof(b) - 240));
}

/* The answer's UDP and BOOTP fixed part are checked; returns its options. */
static const uint8_t *answer4(const char *dst, const char *yours, uint8_t type)
{
	struct fake_frame *f = fake_last();
	struct ip ip = hex_ip(yours);

	assert_non_null(f);
	assert_ip(f->h.src, "10.0.2.2");
	assert_ip(f->h.dst, dst);
	assert_int_equal(f->h.proto, IPPROTO_UDP);
	assert_int_equal(f->h.csum_offset, 6);
	assert_hex(f->data, 8, "0043 0044 0134 0000");
	assert_hex(f->data + 8, 8, "02 01 06 00 deadbeef");
	assert_memory_equal(f->data + 8 + 16, ip.b, 4);
	assert_int_equal(f->data[8 + 242], type);
	return f->data + 8 + 243;
}

static void test_exchange(void **state)
{
	const uint8_t *o;

	(void)state;
	send4("0.0.0.0", BROADCAST, 0xab, "0.0.0.0", "35 01 01 3d 02 0107 ff");
	o = answer4(BROADCAST, "10.0.2.100", DHCP_OFFER);
	assert_hex(o, 49,
		   "36 04 0a000202 33 04 00015180 01 04 ffffff00 03 04 0a000202 1c 04 0a0002ff "
		   "06 04 0a000203 1a 02 05dc 3d 02 0107 ff 000000 00");
	send4("0.0.0.0", BROADCAST, 0xab, "0.0.0.0", "35 01 03 32 04 0a000264 36 04 0a000202 ff");
	answer4(BROADCAST, "10.0.2.100", DHCP_ACK);
	/* Renewed: unicast both ways. */
	send4("10.0.2.100", "10.0.2.2", 0xab, "10.0.2.100", "35 01 03 ff");
	answer4("10.0.2.100", "10.0.2.100", DHCP_ACK);
	/* To the network's own broadcast address it is for us, too. */
	send4("10.0.2.100", "10.0.2.255", 0xab, "10.0.2.100", "35 01 03 ff");
	answer4("10.0.2.100", "10.0.2.100", DHCP_ACK);
	/* INIT-REBOOT with an address of another network. */
	send4("0.0.0.0", BROADCAST, 0xab, "0.0.0.0", "35 01 03 32 04 c0a80105 ff");
	o = answer4(BROADCAST, "0.0.0.0", DHCP_NAK);
	assert_hex(o, 7, "36 04 0a000202 ff");
	/* A request without any address. */
	send4("0.0.0.0", BROADCAST, 0xab, "0.0.0.0", "35 01 03 ff");
	answer4(BROADCAST, "0.0.0.0", DHCP_NAK);
	/* Another server was chosen. */
	send4("0.0.0.0", BROADCAST, 0xab, "0.0.0.0", "35 01 03 32 04 0a000264 36 04 0a000209 ff");
	assert_int_equal(fake.n_frames, 0);
	/* INFORM: configuration, no lease. */
	send4("10.0.2.50", "10.0.2.2", 0xab, "10.0.2.50", "35 01 08 ff");
	o = answer4("10.0.2.50", "0.0.0.0", DHCP_ACK);
	assert_hex(o, 12, "36 04 0a000202 01 04 ffffff00");
	assert_int_equal(fake.stats.n[STAT_DROP_DHCP], 0);
}

static void test_clients(void **state)
{
	char ip[IP_STRLEN];

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		snprintf(ip, sizeof(ip), "10.0.2.%u", 100 + i);
		for (int again = 0; again < 2; again++) {
			send4("0.0.0.0", BROADCAST, (uint8_t)i, "0.0.0.0", "35 01 01 ff");
			answer4(BROADCAST, ip, DHCP_OFFER);
		}
	}
	send4("0.0.0.0", BROADCAST, 99, "0.0.0.0", "35 01 01 ff");
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_DHCP], 1);
	send4("10.0.2.105", "10.0.2.2", 5, "10.0.2.105", "35 01 07 ff"); /* released */
	send4("0.0.0.0", BROADCAST, 99, "0.0.0.0", "35 01 01 ff");
	answer4(BROADCAST, "10.0.2.105", DHCP_OFFER);
	/* Declined: nobody's for ten minutes. */
	send4("0.0.0.0", BROADCAST, 99, "0.0.0.0", "35 01 04 32 04 0a000269 ff");
	send4("0.0.0.0", BROADCAST, 99, "0.0.0.0", "35 01 01 ff");
	assert_int_equal(fake.n_frames, 0);
	fake_advance(600000);
	send4("0.0.0.0", BROADCAST, 99, "0.0.0.0", "35 01 01 ff");
	answer4(BROADCAST, "10.0.2.105", DHCP_OFFER);
	/* Leases end. */
	fake_advance(86400000);
	send4("0.0.0.0", BROADCAST, 77, "0.0.0.0", "35 01 01 ff");
	answer4(BROADCAST, "10.0.2.100", DHCP_OFFER);
}

/* A pool that runs into the end of the network, and into our own addresses. */
static void test_edges(void **state)
{
	(void)state;
	fake.plan.guest[FAM4] = hex_ip("10.0.2.253");
	for (unsigned i = 0; i < 3; i++)
		send4("0.0.0.0", BROADCAST, (uint8_t)i, "0.0.0.0", "35 01 01 ff");
	assert_int_equal(fake.n_frames, 2); /* .253, .254, and .255 is broadcast */
	answer4(BROADCAST, "10.0.2.254", DHCP_OFFER);
	fake.n_frames = 0;
	fake.plan.guest[FAM4] = hex_ip("10.0.2.1");
	for (unsigned i = 10; i < 12; i++)
		send4("0.0.0.0", BROADCAST, (uint8_t)i, "0.0.0.0", "35 01 01 ff");
	answer4(BROADCAST, "10.0.2.5", DHCP_OFFER);
	answer4(BROADCAST, "10.0.2.4", DHCP_OFFER);
}

/* Beside the guest are the host's neighbours; and nothing is said of DNS where it is not to be. */
static void test_shared(void **state)
{
	struct fake_frame *f;

	(void)state;
	fake.plan.is_shared[FAM4] = true;
	send4("0.0.0.0", BROADCAST, 1, "0.0.0.0", "35 01 01 ff");
	f = fake_last();
	assert_non_null(f);
	assert_non_null(memmem(f->data, f->len, "\x06\x04\x0a\x00\x02\x03", 6));
	send4("0.0.0.0", BROADCAST, 2, "0.0.0.0", "35 01 01 ff");
	assert_null(fake_last());
	fake.plan.is_dns_untold = true;
	send4("0.0.0.0", BROADCAST, 1, "0.0.0.0", "35 01 01 ff");
	f = fake_last();
	assert_null(memmem(f->data, f->len, "\x06\x04\x0a\x00\x02\x03", 6));
}

static void test_hostile(void **state)
{
	static const uint8_t junk[300] = {1};

	(void)state;
	fake_udp("0.0.0.0", 68, BROADCAST, 67, junk, sizeof(junk));
	fake_udp("0.0.0.0", 68, BROADCAST, 67, junk, 0);
	send4("127.0.0.1", "10.0.2.2", 1, "127.0.0.1", "35 01 08 ff"); /* INFORM for elsewhere */
	send4("10.0.2.2", "10.0.2.2", 1, "10.0.2.2", "35 01 08 ff");   /* for the gateway */
	assert_int_equal(fake.stats.n[STAT_DROP_DHCP], 4);
	assert_int_equal(fake.n_frames, 0);
	/* A server elsewhere is not us, nor are we one when told not to be. */
	send4("10.0.2.100", "198.51.100.1", 1, "10.0.2.100", "35 01 01 ff");
	assert_int_equal(fake.stats.n[STAT_DROP_UDP], 1);
	fake.plan.is_dhcp[FAM4] = fake.plan.is_dhcp[FAM6] = false;
	send4("0.0.0.0", BROADCAST, 1, "0.0.0.0", "35 01 01 ff");
	assert_int_equal(fake.stats.n[STAT_DROP_UDP], 2);
	fake.plan.is_dhcp[FAM4] = fake.plan.is_dhcp[FAM6] = true;
	fake.plan.net[FAM4].ip.family = 0;
	send4("0.0.0.0", BROADCAST, 1, "0.0.0.0", "35 01 01 ff");
	assert_int_equal(fake.stats.n[STAT_DROP_UDP], 3);
	assert_int_equal(fake.n_frames, 0);
}

#define SERVERS "ff02::1:2"
#define CLIENT "fe80::1"
#define DUID "0001 000a 00030001 1234567890ab "
#define OURS "0002 000a 00030001 52550a000202 "
#define IA "0003 000c 00000007 00000000 00000000 "
#define IA_WITH(ip) "0003 0028 00000007 00000000 00000000 0005 0018 " ip " 00000000 00000000 "
#define IA_REPLY(ip) "0003 0028 00000007 0000a8c0 00010e00 0005 0018 " ip " 00015180 00015180 "
#define DNS "0017 0010 fd000000000000000000000000000003"
#define FIRST "fd000000000000000000000000000064"
#define SECOND "fd000000000000000000000000000065"

static void send6(const char *src, const char *dst, const char *text)
{
	uint8_t b[400];

	fake_udp(src, 546, dst, 547, b, hex_bytes(text, b, sizeof(b)));
}

static void answer6(const char *text)
{
	struct fake_frame *f = fake_last();

	assert_non_null(f);
	assert_ip(f->h.src, "fe80::5055:aff:fe00:202");
	assert_ip(f->h.dst, CLIENT);
	assert_hex(f->data, 4, "0223 0222");
	assert_hex(f->data + 8, f->len - 8, text);
}

static void test_exchange6(void **state)
{
	(void)state;
	send6(CLIENT, SERVERS, "01 000001 " DUID IA "0006 0002 0017");
	answer6("02 000001 " DUID OURS IA_REPLY(FIRST) DNS);
	send6(CLIENT, SERVERS, "01 000002 " DUID IA "000e 0000"); /* rapid commit */
	answer6("07 000002 " DUID OURS "000e 0000 " IA_REPLY(FIRST) DNS);
	send6(CLIENT, SERVERS, "03 000003 " DUID OURS IA_WITH(FIRST));
	answer6("07 000003 " DUID OURS IA_REPLY(FIRST) DNS);
	send6(CLIENT, "fd00::2", "05 000004 " DUID OURS IA_WITH(FIRST));
	answer6("07 000004 " DUID OURS IA_REPLY(FIRST) DNS);
	send6(CLIENT, SERVERS, "06 000005 " DUID IA_WITH(FIRST));
	answer6("07 000005 " DUID OURS IA_REPLY(FIRST) DNS);
	send6(CLIENT, SERVERS, "0b 000006 0006 0002 0017");
	answer6("07 000006 " OURS DNS);
	send6(CLIENT, SERVERS, "04 000007 " DUID IA_WITH(FIRST));
	answer6("07 000007 " DUID OURS "000d 0002 0000 " DNS);
	send6(CLIENT, SERVERS, "04 000008 " DUID IA_WITH("20010db8000000000000000000000001"));
	answer6("07 000008 " DUID OURS "000d 0002 0004 " DNS);
	send6(CLIENT, SERVERS, "04 000009 " DUID IA); /* nothing to confirm: silence */
	assert_int_equal(fake.n_frames, 0);
	/* Another client has the next address; after a release the first is free again. */
	send6(CLIENT, SERVERS, "01 00000a 0001 0003 000411 " IA);
	answer6("02 00000a 0001 0003 000411 " OURS IA_REPLY(SECOND) DNS);
	send6(CLIENT, SERVERS, "08 00000b " DUID OURS IA_WITH(FIRST));
	answer6("07 00000b " DUID OURS "000d 0002 0000");
	send6(CLIENT, SERVERS, "01 00000c 0001 0003 000412 " IA);
	answer6("02 00000c 0001 0003 000412 " OURS IA_REPLY(FIRST) DNS);
	send6(CLIENT, SERVERS, "09 00000d 0001 0003 000412 " OURS IA_WITH(FIRST));
	answer6("07 00000d 0001 0003 000412 " OURS "000d 0002 0000");
	send6(CLIENT, SERVERS, "01 00000e 0001 0003 000412 " IA); /* declined: the third one now */
	answer6("02 00000e 0001 0003 000412 " OURS IA_REPLY("fd000000000000000000000000000066")
			DNS);
	assert_int_equal(fake.stats.n[STAT_DROP_DHCP], 0);
}

static void test_hostile6(void **state)
{
	(void)state;
	send6("fd00::64", SERVERS, "01 000001 " DUID IA); /* clients are link-local */
	send6("fe80::5055:aff:fe00:202", SERVERS, "01 000001 " DUID IA); /* as us */
	send6("::", SERVERS, "01 000001 " DUID IA);
	send6(CLIENT, SERVERS, "01 000001 " IA);
	send6(CLIENT, SERVERS, "");
	send6(CLIENT, SERVERS, "0c 00 00000000000000000000000000000000 00000000");
	assert_int_equal(fake.stats.n[STAT_DROP_DHCP], 6);
	send6(CLIENT, SERVERS, "03 000001 " DUID "0002 0004 00030001 " IA); /* another server */
	send6(CLIENT, "2001:db8::1", "01 000001 " DUID IA);
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(fake.stats.n[STAT_DROP_DHCP], 6);
	assert_int_equal(fake.stats.n[STAT_DROP_UDP], 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_exchange), CASE(test_clients),   CASE(test_edges),    CASE(test_shared),
		CASE(test_hostile),  CASE(test_exchange6), CASE(test_hostile6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
