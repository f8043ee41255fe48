/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Under which address the container sees a client of a published port. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/port.h"

static struct ip ip(const char *text)
{
	struct ip a;

	assert_int_equal(ip_parse(text, &a, NULL), 0);
	return a;
}

static struct policy policy(bool has_v6)
{
	struct policy p = {0};

	p.plan.net[FAM4] = (struct prefix){ip("10.0.2.0"), 24};
	p.plan.gateway[FAM4] = ip("10.0.2.2");
	p.plan.guest[FAM4] = ip("10.0.2.100");
	p.plan.dns[FAM4] = ip("10.0.2.3");
	if (has_v6) {
		p.plan.net[FAM6] = (struct prefix){ip("fd00::"), 64};
		p.plan.gateway[FAM6] = ip("fd00::2");
		p.plan.guest[FAM6] = ip("fd00::100");
	}
	return p;
}

static void check(const struct policy *p, const struct port_spec *s, const char *from,
		  bool is_local, enum port_shown how, const char *guest, const char *peer)
{
	struct ip client = ip(from), got_guest, got_peer;
	char text[IP_STRLEN];

	assert_int_equal(port_shown(p, s, &client, is_local, &got_guest, &got_peer), how);
	if (how == PORT_SHOWN_NOT)
		return;
	assert_string_equal(ip_str(&got_guest, text), guest);
	assert_string_equal(ip_str(&got_peer, text), peer);
}

static void test_shown(void **state)
{
	static const char *const odd[] = {"10.0.2.2", "10.0.2.3",  "10.0.2.100", "127.0.0.1",
					  "0.0.0.1",  "224.0.0.1", "255.1.1.1",  "10.0.2.255"};
	struct policy p = policy(true);
	struct port_spec s = {.proto = IPPROTO_TCP,
			      .port = 80,
			      .guest = {p.plan.guest[FAM4], p.plan.guest[FAM6]}};

	(void)state;
	check(&p, &s, "198.51.100.2", false, PORT_SHOWN_OWN, "10.0.2.100", "198.51.100.2");
	check(&p, &s, "2001:db8::5", false, PORT_SHOWN_OWN, "fd00::100", "2001:db8::5");
	check(&p, &s, "198.51.100.2", true, PORT_SHOWN_GATEWAY, "10.0.2.100", "10.0.2.2");
	check(&p, &s, "2001:db8::5", true, PORT_SHOWN_GATEWAY, "fd00::100", "fd00::2");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		check(&p, &s, odd[i], false, PORT_SHOWN_GATEWAY, "10.0.2.100", "10.0.2.2");
	check(&p, &s, "::1", false, PORT_SHOWN_GATEWAY, "fd00::100", "fd00::2");
	check(&p, &s, "ff02::1", false, PORT_SHOWN_GATEWAY, "fd00::100", "fd00::2");
}

/* Whom the container looks for on its link. */
static void test_near(void **state)
{
	struct policy p = policy(true);
	struct port_spec s = {.proto = IPPROTO_TCP,
			      .port = 80,
			      .guest = {p.plan.guest[FAM4], p.plan.guest[FAM6]}};

	(void)state;
	check(&p, &s, "10.0.2.7", false, PORT_SHOWN_NEAR, "10.0.2.100", "10.0.2.7");
	check(&p, &s, "169.254.3.4", false, PORT_SHOWN_NEAR, "10.0.2.100", "169.254.3.4");
	check(&p, &s, "fd00::7", false, PORT_SHOWN_NEAR, "fd00::100", "fd00::7");
	check(&p, &s, "fe80::1", false, PORT_SHOWN_NEAR, "fd00::100", "fe80::1");
	check(&p, &s, "10.0.2.7", true, PORT_SHOWN_GATEWAY, "10.0.2.100", "10.0.2.2");
	check(&p, &s, "fe80::1", true, PORT_SHOWN_GATEWAY, "fd00::100", "fd00::2");
	/* The port leads to another guest than the one that is recommended: neither is a client. */
	s.guest[FAM4] = ip("10.0.2.7");
	s.guest[FAM6] = ip("fd00::7");
	check(&p, &s, "10.0.2.7", false, PORT_SHOWN_GATEWAY, "10.0.2.7", "10.0.2.2");
	check(&p, &s, "10.0.2.100", false, PORT_SHOWN_GATEWAY, "10.0.2.7", "10.0.2.2");
	check(&p, &s, "fd00::7", false, PORT_SHOWN_GATEWAY, "fd00::7", "fd00::2");
	check(&p, &s, "fd00::100", false, PORT_SHOWN_GATEWAY, "fd00::7", "fd00::2");
	check(&p, &s, "10.0.2.8", false, PORT_SHOWN_NEAR, "10.0.2.7", "10.0.2.8");
	/* In the host's network neighbours are reached as themselves, but link-local ones. */
	p.plan.is_shared[FAM4] = p.plan.is_shared[FAM6] = true;
	check(&p, &s, "10.0.2.8", false, PORT_SHOWN_OWN, "10.0.2.7", "10.0.2.8");
	check(&p, &s, "fd00::8", false, PORT_SHOWN_OWN, "fd00::7", "fd00::8");
	check(&p, &s, "fe80::1", false, PORT_SHOWN_NEAR, "fd00::7", "fe80::1");
	s.proto = IPPROTO_UDP;
	check(&p, &s, "10.0.2.8", false, PORT_SHOWN_OWN, "10.0.2.7", "10.0.2.8");
	check(&p, &s, "169.254.3.4", false, PORT_SHOWN_NEAR, "10.0.2.7", "169.254.3.4");
	check(&p, &s, "fe80::1", false, PORT_SHOWN_GATEWAY, "fd00::7", "fd00::2");
	/* Without IPv6 inside a link-local client is one of IPv6. */
	s.guest[FAM6].family = 0;
	check(&p, &s, "fe80::1", false, PORT_SHOWN_GATEWAY, "10.0.2.7", "10.0.2.2");
}

static void test_one_family(void **state)
{
	struct policy p = policy(false);
	struct port_spec s = {.proto = IPPROTO_TCP, .port = 80, .guest = {p.plan.guest[FAM4]}};

	(void)state;
	check(&p, &s, "2001:db8::5", false, PORT_SHOWN_GATEWAY, "10.0.2.100", "10.0.2.2");
	check(&p, &s, "::1", true, PORT_SHOWN_GATEWAY, "10.0.2.100", "10.0.2.2");
	s.guest[FAM4] = (struct ip){0};
	check(&p, &s, "198.51.100.2", false, PORT_SHOWN_NOT, NULL, NULL);
	p.plan.gateway[FAM4] = (struct ip){0};
	s.guest[FAM4] = p.plan.guest[FAM4];
	check(&p, &s, "127.0.0.1", false, PORT_SHOWN_NOT, NULL, NULL);
	check(&p, &s, "198.51.100.2", false, PORT_SHOWN_OWN, "10.0.2.100", "198.51.100.2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_one_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
