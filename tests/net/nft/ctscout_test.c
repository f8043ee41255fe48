/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctscout: what lines of the connection table concern which ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "net/ctscout.h"

#define UDP6                                                                                       \
	"ipv6     10 udp      17 28 src=2001:0db8:0001:0000:0000:0000:0000:0002 "                  \
	"dst=2001:0db8:0001:0000:0000:0000:0000:0001 sport=40000 dport=5353 [UNREPLIED] "          \
	"src=2001:0db8:0001:0000:0000:0000:0000:0001 "                                             \
	"dst=2001:0db8:0001:0000:0000:0000:0000:0002 sport=5353 dport=40000 mark=0 zone=0 "        \
	"use=2\n"
#define TCP4                                                                                       \
	"ipv4     2 tcp      6 431999 ESTABLISHED src=198.51.100.2 dst=198.51.100.1 sport=41000 "  \
	"dport=8080 src=198.51.100.1 dst=198.51.100.2 sport=8080 dport=41000 [ASSURED] mark=0 "    \
	"zone=0 use=2\n"
#define ICMP4                                                                                      \
	"ipv4     2 icmp     1 29 src=198.51.100.2 dst=198.51.100.1 type=8 code=0 id=7 "           \
	"src=198.51.100.1 dst=198.51.100.2 type=0 code=0 id=7 mark=0 zone=0 use=2\n"

static bool sees(const char *text, uint8_t proto, uint16_t port, uint16_t count)
{
	struct publish p[2] = {{.proto = IPPROTO_SCTP, .host_port = 9, .ctr_port = 9, .count = 1},
			       {.proto = proto, .host_port = port, .ctr_port = 1, .count = count}};

	return ctscout_sees_text(text, strlen(text), p, 2);
}

static void finds_the_port(void **state)
{
	(void)state;
	assert_true(sees(UDP6, IPPROTO_UDP, 5353, 1));
	assert_true(sees(ICMP4 TCP4 UDP6, IPPROTO_UDP, 5353, 1));
	assert_true(sees(TCP4, IPPROTO_TCP, 8000, 100));
	assert_true(sees(TCP4, IPPROTO_TCP, 8080, 1));
	assert_true(sees(TCP4, IPPROTO_TCP, 1, 65535));
}

static void leaves_others(void **state)
{
	(void)state;
	assert_false(sees("", IPPROTO_UDP, 5353, 1));
	assert_false(sees(UDP6, IPPROTO_TCP, 5353, 1));  /* another protocol */
	assert_false(sees(UDP6, IPPROTO_UDP, 40000, 1)); /* the other direction */
	assert_false(sees(TCP4, IPPROTO_TCP, 8081, 100));
	assert_false(sees(TCP4, IPPROTO_TCP, 8000, 80));
	assert_false(sees(ICMP4, IPPROTO_TCP, 1, 65535));
}

/* What is not understood is left to those who look closely. */
static void does_not_trust_what_it_cannot_read(void **state)
{
	(void)state;
	assert_true(sees("nonsense\n", IPPROTO_TCP, 1, 1));
	assert_true(sees("\n", IPPROTO_TCP, 1, 1));
	assert_true(sees("ipv4 2 tcp 6", IPPROTO_TCP, 1, 1)); /* no end of line */
	assert_true(sees("ipv4 2 tcp 600 dport=5\n", IPPROTO_TCP, 1, 1));
	assert_true(sees("ipv4 2 tcp 6 dport=70000\n", IPPROTO_TCP, 1, 1));
	assert_true(sees("ipv4 2 tcp 6 dport=x\n", IPPROTO_TCP, 1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_port),
		cmocka_unit_test(leaves_others),
		cmocka_unit_test(does_not_trust_what_it_cannot_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
