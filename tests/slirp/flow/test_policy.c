/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the container may reach: every special address and its neighbours, in each form, with the
 * loopback closed, open for some ports, and open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "flow/policy.h"
#include "flow/port.h"

static struct ip ip_of(const char *s)
{
	struct ip ip = {0};

	/* By hand: ip_parse refuses mapped ones, which are wanted here. */
	if (strncmp(s, "::ffff:", 7) == 0 && strchr(s, '.')) {
		struct ip four = ip_of(s + 7);

		ip.family = AF_INET6;
		ip.b[10] = ip.b[11] = 0xff;
		memcpy(ip.b + 12, four.b, 4);
		return ip;
	}
	assert_int_equal(ip_parse(s, &ip, NULL), 0);
	return ip;
}

static struct policy make(void)
{
	struct policy p = {0};

	p.plan.net[FAM4] = (struct prefix){ip_of("10.0.2.0"), 24};
	p.plan.gateway[FAM4] = ip_of("10.0.2.2");
	p.plan.dns[FAM4] = ip_of("10.0.2.3");
	p.plan.guest[FAM4] = ip_of("10.0.2.100");
	p.plan.net[FAM6] = (struct prefix){ip_of("fd00:1:2:3::"), 64};
	p.plan.gateway[FAM6] = ip_of("fd00:1:2:3::2");
	p.plan.dns[FAM6] = ip_of("fd00:1:2:3::3");
	p.plan.guest[FAM6] = ip_of("fd00:1:2:3::100");
	p.plan.our_mac = (struct mac){{2, 0, 0, 0, 0, 2}};
	return p;
}

static enum policy_verdict ask(const struct policy *p, uint8_t proto, const char *dst,
			       uint16_t port, char *text)
{
	struct ip ip = ip_of(dst), to = {0};
	enum policy_verdict v = policy_check(p, proto, &ip, port, &to);

	text[0] = '\0';
	if (v == POLICY_ALLOW)
		ip_str(&to, text);
	else
		assert_int_equal(to.family, 0); /* written on success only */
	return v;
}

static const char *const refused[] = {
	"0.0.0.0",
	"0.1.2.3",
	"0.255.255.255",
	"127.0.0.0",
	"127.0.0.1",
	"127.255.255.255",
	"224.0.0.0",
	"224.0.0.1",
	"239.255.255.255",
	"240.0.0.0",
	"255.255.255.255",
	"::",
	"::1",
	"::2",
	"::127.0.0.1",
	"::198.51.100.1",
	"::ffff:127.0.0.1",
	"::ffff:198.51.100.1",
	"::ffff:0.0.0.0",
	"::ffff:10.0.2.2",
	"fe80::",
	"fe80::1",
	"febf:ffff::1",
	"ff00::",
	"ff02::1",
	"ffff::",
	/* the guest's own network */
	"10.0.2.0",
	"10.0.2.1",
	"10.0.2.100",
	"10.0.2.255",
	"fd00:1:2:3::1",
	"fd00:1:2:3::100",
	"fd00:1:2:3:ffff::1",
};

static const char *const allowed[] = {
	"1.0.0.0",
	"126.255.255.255",
	"128.0.0.0",
	"223.255.255.255",
	"198.51.100.1",
	"10.0.1.255",
	"10.0.3.0",
	"169.254.169.254",
	"0:0:1::",
	"::1:0:0:0",
	"::fffe:0:1",
	"2001:db8::1",
	"64:ff9b::198.51.100.1",
	"fe7f:ffff::1",
	"fec0::1",
	"feff::1",
	"fd00:1:2:2::2",
	"fd00:1:2:4::2",
};

static void special(void **state)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	struct policy p = make();
	char text[IP_STRLEN];

	(void)state;
	for (int open = 0; open < 2; open++) {
		p.is_loopback_open = open;
		for (size_t k = 0; k < 3; k++) {
			uint16_t port = protos[k] == IPPROTO_ICMP ? 0 : 80;

			for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
				assert_int_equal(ask(&p, protos[k], refused[i], port, text),
						 POLICY_REFUSE);
			for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
				assert_int_equal(ask(&p, protos[k], allowed[i], port, text),
						 POLICY_ALLOW);
				struct ip same = ip_of(allowed[i]), to;

				assert_int_equal(ip_parse(text, &to, NULL), 0);
				assert_true(ip_equal(&same, &to));
			}
			if (port)
				assert_int_equal(ask(&p, protos[k], "198.51.100.1", 0, text),
						 POLICY_REFUSE);
		}
	}
}

/* Every IPv4 address by its first byte, plain and mapped. */
static void first_bytes(void **state)
{
	struct policy p = make();

	(void)state;
	for (unsigned b = 0; b < 256; b++) {
		struct ip four = {.family = AF_INET, .b = {(uint8_t)b, 9, 8, 7}}, to;
		struct ip mapped = {.family = AF_INET6,
				    .b = {[10] = 0xff, [11] = 0xff, [12] = (uint8_t)b, 9, 8, 7}};
		struct ip compat = {.family = AF_INET6, .b = {[12] = (uint8_t)b, 9, 8, 7}};
		bool ok = b != 0 && b != 127 && b < 224;

		assert_int_equal(policy_check(&p, IPPROTO_TCP, &four, 80, &to),
				 ok ? POLICY_ALLOW : POLICY_REFUSE);
		assert_int_equal(policy_source_ok(&p, &four), ok);
		assert_int_equal(policy_check(&p, IPPROTO_TCP, &mapped, 80, &to), POLICY_REFUSE);
		assert_int_equal(policy_check(&p, IPPROTO_TCP, &compat, 80, &to), POLICY_REFUSE);
		assert_false(policy_source_ok(&p, &mapped));
		assert_false(policy_source_ok(&p, &compat));
	}
}

static void gateway(void **state)
{
	struct policy p = make();
	char text[IP_STRLEN];

	(void)state;
	assert_int_equal(ask(&p, IPPROTO_TCP, "10.0.2.2", 5432, text), POLICY_GATEWAY);
	assert_int_equal(ask(&p, IPPROTO_UDP, "fd00:1:2:3::2", 53, text), POLICY_GATEWAY);
	assert_int_equal(ask(&p, IPPROTO_TCP, "fe80::ff:fe00:2", 80, text), POLICY_GATEWAY);
	p.n_loopback = 2;
	p.loopback[0] = (struct policy_port){IPPROTO_TCP, 5432, 5432};
	p.loopback[1] = (struct policy_port){IPPROTO_UDP, 1000, 2000};
	assert_int_equal(ask(&p, IPPROTO_TCP, "10.0.2.2", 5432, text), POLICY_ALLOW);
	assert_string_equal(text, "127.0.0.1");
	assert_int_equal(ask(&p, IPPROTO_TCP, "fd00:1:2:3::2", 5432, text), POLICY_ALLOW);
	assert_string_equal(text, "::1");
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.2", 5432, text), POLICY_GATEWAY);
	assert_int_equal(ask(&p, IPPROTO_TCP, "10.0.2.2", 5431, text), POLICY_GATEWAY);
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.2", 999, text), POLICY_GATEWAY);
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.2", 1000, text), POLICY_ALLOW);
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.2", 2000, text), POLICY_ALLOW);
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.2", 2001, text), POLICY_GATEWAY);
	p.is_loopback_open = true;
	assert_int_equal(ask(&p, IPPROTO_TCP, "10.0.2.2", 1, text), POLICY_ALLOW);
	assert_int_equal(ask(&p, IPPROTO_TCP, "10.0.2.2", 0, text), POLICY_REFUSE);
	assert_int_equal(ask(&p, IPPROTO_ICMP, "10.0.2.2", 0, text), POLICY_GATEWAY);
}

static void dns(void **state)
{
	struct policy p = make();
	char text[IP_STRLEN];

	(void)state;
	p.is_loopback_open = true; /* opens nothing at the DNS server's address */
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.3", 53, text), POLICY_DNS);
	assert_int_equal(ask(&p, IPPROTO_TCP, "fd00:1:2:3::3", 53, text), POLICY_DNS);
	assert_int_equal(ask(&p, IPPROTO_TCP, "10.0.2.3", 54, text), POLICY_GATEWAY);
	assert_int_equal(ask(&p, IPPROTO_ICMP, "10.0.2.3", 0, text), POLICY_GATEWAY);
	memset(p.plan.dns, 0, sizeof(p.plan.dns)); /* switched off: an address like the others */
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.3", 53, text), POLICY_REFUSE);
	p.plan.dns[FAM4] = p.plan.gateway[FAM4];
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.2", 53, text), POLICY_DNS);
}

static void family_off(void **state)
{
	struct policy p = make();
	struct ip src = ip_of("2001:db8::9");
	char text[IP_STRLEN];

	(void)state;
	assert_true(policy_source_ok(&p, &src));
	memset(&p.plan.net[FAM6], 0, sizeof(p.plan.net[FAM6]));
	assert_int_equal(ask(&p, IPPROTO_TCP, "2001:db8::1", 80, text), POLICY_REFUSE);
	assert_false(policy_source_ok(&p, &src));
}

static void sources(void **state)
{
	static const char *const bad[] = {
		"10.0.2.2", "10.0.2.3", "fd00:1:2:3::2", "::", "fe80::ff:fe00:2", "ff02::1", "::1"};
	static const char *const good[] = {"10.0.2.100", "10.0.2.7", "192.0.2.1", "fe80::1"};
	struct policy p = make();
	struct ip none = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct ip ip = ip_of(bad[i]);

		assert_false(policy_source_ok(&p, &ip));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct ip ip = ip_of(good[i]);

		assert_true(policy_source_ok(&p, &ip));
	}
	assert_false(policy_source_ok(&p, &none));
}

static void unmap(void **state)
{
	struct policy p = make();
	struct ip lo = ip_of("127.0.0.1"), other = ip_of("198.51.100.1"), none = {0}, r;
	char text[IP_STRLEN];

	(void)state;
	r = policy_unmap(&p, &lo, &none);
	assert_string_equal(ip_str(&r, text), "10.0.2.2");
	r = policy_unmap(&p, &other, &none);
	assert_string_equal(ip_str(&r, text), "198.51.100.1");
	lo = ip_of("::1");
	r = policy_unmap(&p, &lo, &none);
	assert_string_equal(ip_str(&r, text), "fd00:1:2:3::2");
}

/* A guest that has the host's own addresses, as pasta(1) gives them. */
static struct policy make_shared(void)
{
	struct policy p = make();

	p.plan.net[FAM4] = (struct prefix){ip_of("198.51.100.0"), 24};
	p.plan.gateway[FAM4] = ip_of("198.51.100.1");
	p.plan.guest[FAM4] = p.plan.host[FAM4] = ip_of("198.51.100.7");
	p.plan.net[FAM6] = (struct prefix){ip_of("2001:db8::"), 64};
	p.plan.gateway[FAM6] = ip_of("fe80::1");
	p.plan.guest[FAM6] = p.plan.host[FAM6] = ip_of("2001:db8::7");
	p.plan.dns[FAM4] = ip_of("169.254.1.1");
	p.plan.dns[FAM6] = ip_of("fd00::53");
	p.plan.host_at[FAM4] = ip_of("169.254.1.2");
	p.plan.host_at[FAM6] = ip_of("fd00::2");
	p.plan.is_shared[FAM4] = p.plan.is_shared[FAM6] = true;
	p.plan.is_router[FAM4] = true;
	return p;
}

/* Whom the container looks for on its own link. */
static void near(void **state)
{
	static const struct {
		const char *ip;
		bool is_near, is_near_shared;
	} cases[] = {
		{"198.51.100.9", true, false},
		{"198.51.100.254", true, false},
		{"2001:db8::9", true, false},
		{"169.254.7.7", true, true},
		{"fe80::7", true, true},
		/* ours, the guest's, nobody's, elsewhere */
		{"198.51.100.1", false, false},
		{"198.51.100.7", false, false},
		{"2001:db8::7", false, false},
		{"198.51.100.0", false, false},
		{"198.51.100.255", false, false},
		{"169.254.1.1", false, false},
		{"169.254.1.2", false, false},
		{"fd00::2", false, false},
		{"fd00::53", false, false},
		{"fe80::5055:aff:fe00:202", false, false},
		{"203.0.113.9", false, false},
		{"2001:db9::9", false, false},
		{"127.0.0.1", false, false},
		{"::1", false, false},
		{"ff02::1", false, false},
		{"::ffff:198.51.100.9", false, false},
	};
	struct policy p = make_shared();
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ip = ip_of(cases[i].ip);
		p.plan.our_mac = (struct mac){{0x52, 0x55, 0x0a, 0, 2, 2}};
		p.plan.is_shared[FAM4] = p.plan.is_shared[FAM6] = true;
		assert_int_equal(policy_is_near(&p, &ip), cases[i].is_near_shared);
		p.plan.is_shared[FAM4] = p.plan.is_shared[FAM6] = false;
		assert_int_equal(policy_is_near(&p, &ip), cases[i].is_near);
		p.plan.is_ndp_off = true; /* nobody would be told */
		assert_int_equal(policy_is_near(&p, &ip), cases[i].is_near && ip.family == AF_INET);
		p.plan.is_ndp_off = false;
	}
	p.plan.is_forwarding = true; /* whoever is behind hears nothing link-local */
	ip = ip_of("fe80::7");
	assert_false(policy_is_near(&p, &ip));
	ip = ip_of("169.254.7.7");
	assert_true(policy_is_near(&p, &ip));
	p.plan.net[FAM4].len = 31; /* two addresses, both of somebody (RFC 3021) */
	p.plan.net[FAM4].ip = ip_of("203.0.113.8");
	ip = ip_of("203.0.113.9");
	assert_true(policy_is_near(&p, &ip));
	p.plan.net[FAM4].ip.family = 0;
	assert_false(policy_is_near(&p, &ip));
}

static void shared(void **state)
{
	static const struct {
		const char *dst;
		uint16_t port;
		enum policy_verdict v;
		const char *to;
	} cases[] = {
		/* the router and the neighbours are themselves */
		{"198.51.100.1", 80, POLICY_ALLOW, "198.51.100.1"},
		{"198.51.100.9", 80, POLICY_ALLOW, "198.51.100.9"},
		{"2001:db8::1", 80, POLICY_ALLOW, "2001:db8::1"},
		{"fe80::1", 80, POLICY_GATEWAY, ""},
		/* the guest's own address, everybody's */
		{"198.51.100.7", 80, POLICY_REFUSE, ""},
		{"2001:db8::7", 80, POLICY_REFUSE, ""},
		{"198.51.100.0", 80, POLICY_REFUSE, ""},
		{"198.51.100.255", 80, POLICY_REFUSE, ""},
		/* the host by the address that was chosen for it: never its loopback */
		{"169.254.1.2", 80, POLICY_ALLOW, "198.51.100.7"},
		{"169.254.1.2", 53, POLICY_ALLOW, "198.51.100.7"},
		{"fd00::2", 80, POLICY_ALLOW, "2001:db8::7"},
		{"169.254.1.1", 53, POLICY_DNS, ""},
		{"169.254.1.1", 80, POLICY_GATEWAY, ""},
		{"fd00::53", 53, POLICY_DNS, ""},
		{"fd00::53", 54, POLICY_GATEWAY, ""},
		{"127.0.0.1", 80, POLICY_REFUSE, ""},
		{"::1", 80, POLICY_REFUSE, ""},
		{"::ffff:127.0.0.1", 80, POLICY_REFUSE, ""},
		{"::ffff:198.51.100.7", 80, POLICY_REFUSE, ""},
		{"::ffff:169.254.1.2", 80, POLICY_REFUSE, ""},
		{"0.0.0.0", 80, POLICY_REFUSE, ""},
		{"203.0.113.1", 80, POLICY_ALLOW, "203.0.113.1"},
	};
	static const char *const ours[] = {"198.51.100.1", "169.254.1.1", "169.254.1.2", "fd00::2",
					   "fd00::53"};
	struct policy p = make_shared();
	char text[IP_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(ask(&p, IPPROTO_TCP, cases[i].dst, cases[i].port, text),
				 cases[i].v);
		assert_string_equal(text, cases[i].to);
		assert_int_equal(ask(&p, IPPROTO_UDP, cases[i].dst, cases[i].port, text),
				 cases[i].v);
	}
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		struct ip ip = ip_of(ours[i]);

		assert_false(policy_source_ok(&p, &ip));
	}
	/* Answered here; the router answers for itself. */
	assert_int_equal(ask(&p, IPPROTO_ICMP, "169.254.1.2", 0, text), POLICY_GATEWAY);
	assert_int_equal(ask(&p, IPPROTO_ICMP, "198.51.100.1", 0, text), POLICY_ALLOW);
	/* A host without an address of its own. */
	p.plan.host[FAM4].family = 0;
	assert_int_equal(ask(&p, IPPROTO_TCP, "169.254.1.2", 80, text), POLICY_GATEWAY);
	/* An address that its user chose for the loopback. */
	p.plan.loopback_at[FAM4] = p.plan.gateway[FAM4];
	assert_int_equal(ask(&p, IPPROTO_TCP, "198.51.100.1", 80, text), POLICY_ALLOW);
	assert_string_equal(text, "127.0.0.1");
	assert_int_equal(ask(&p, IPPROTO_ICMP, "198.51.100.1", 0, text), POLICY_GATEWAY);
	p.plan.loopback_at[FAM6] = ip_of("fd00::77");
	assert_int_equal(ask(&p, IPPROTO_UDP, "fd00::77", 80, text), POLICY_ALLOW);
	assert_string_equal(text, "::1");
}

static bool may_answer(const struct policy *p, const char *from, uint16_t port, const char *sent)
{
	struct ip f = ip_of(from), s = ip_of(sent), guest = p->plan.guest[ip_fam(&f)];

	return policy_answer_ok(p, IPPROTO_UDP, &f, port, &guest, &s);
}

static void answers(void **state)
{
	struct policy p = make_shared();
	struct ip host = ip_of("198.51.100.7"), sent = ip_of("169.254.1.2"), r;
	char text[IP_STRLEN];

	(void)state;
	r = policy_unmap(&p, &host, &sent);
	assert_string_equal(ip_str(&r, text), "169.254.1.2");
	assert_true(may_answer(&p, "198.51.100.7", 5, "169.254.1.2"));
	assert_true(may_answer(&p, "198.51.100.9", 5, "203.0.113.1"));
	assert_true(may_answer(&p, "198.51.100.1", 5, "203.0.113.1"));
	assert_false(may_answer(&p, "198.51.100.9", 0, "203.0.113.1"));
	assert_false(may_answer(&p, "127.0.0.1", 5, "169.254.1.2"));
	assert_false(may_answer(&p, "::1", 5, "fd00::2"));
	assert_false(may_answer(&p, "fe80::1", 5, "fd00::2"));
	assert_false(may_answer(&p, "169.254.1.1", 53, "169.254.1.1"));
	p.plan.host_at[FAM4].family = 0; /* then it is the guest's own address alone */
	assert_false(may_answer(&p, "198.51.100.7", 5, "203.0.113.1"));
	p.plan.loopback_at[FAM4] = ip_of("169.254.9.9");
	assert_true(may_answer(&p, "127.0.0.1", 5, "169.254.9.9"));
	host = ip_of("127.0.0.1");
	r = policy_unmap(&p, &host, &sent);
	assert_string_equal(ip_str(&r, text), "169.254.9.9");

	/* The host beside a guest with an address of its own: seen as it was asked. */
	p = make();
	p.plan.host[FAM4] = host = ip_of("198.51.100.7");
	p.plan.host_at[FAM4] = ip_of("10.0.2.9");
	sent = host;
	r = policy_unmap(&p, &host, &sent);
	assert_string_equal(ip_str(&r, text), "198.51.100.7");
	sent = ip_of("10.0.2.9");
	r = policy_unmap(&p, &host, &sent);
	assert_string_equal(ip_str(&r, text), "10.0.2.9");
	assert_true(may_answer(&p, "198.51.100.7", 5, "198.51.100.7"));
	assert_true(may_answer(&p, "198.51.100.7", 5, "10.0.2.9"));
	assert_false(may_answer(&p, "10.0.2.77", 5, "10.0.2.9"));
	/* Two ways to the loopback. */
	p.is_loopback_open = true;
	p.plan.loopback_at[FAM4] = ip_of("10.0.2.8");
	host = ip_of("127.0.0.1");
	sent = ip_of("10.0.2.2");
	r = policy_unmap(&p, &host, &sent);
	assert_string_equal(ip_str(&r, text), "10.0.2.2");
	sent = ip_of("10.0.2.8");
	r = policy_unmap(&p, &host, &sent);
	assert_string_equal(ip_str(&r, text), "10.0.2.8");
}

static void protocols_off(void **state)
{
	struct policy p = make();
	char text[IP_STRLEN];

	(void)state;
	p.is_udp_off = true;
	assert_int_equal(ask(&p, IPPROTO_UDP, "10.0.2.3", 53, text), POLICY_REFUSE);
	assert_int_equal(ask(&p, IPPROTO_TCP, "10.0.2.3", 53, text), POLICY_DNS);
	p.is_tcp_off = p.is_ping_off = true;
	assert_int_equal(ask(&p, IPPROTO_TCP, "198.51.100.1", 80, text), POLICY_REFUSE);
	assert_int_equal(ask(&p, IPPROTO_ICMP, "198.51.100.1", 0, text), POLICY_REFUSE);
	assert_int_equal(ask(&p, IPPROTO_ICMPV6, "2001:db8::1", 0, text), POLICY_REFUSE);
}

static void listen_to(struct policy *p, const char *to, const char *not_to)
{
	p->egress = (struct attach_egress){0};
	if (to)
		assert_int_equal(attach_egress_parse_list(to, false, &p->egress, &p->names, NULL),
				 0);
	if (not_to)
		assert_int_equal(
			attach_egress_parse_list(not_to, true, &p->egress, &p->names, NULL), 0);
}

static void verdict(const struct policy *p, uint8_t proto, const char *dst, uint16_t port,
		    enum policy_verdict want)
{
	char text[IP_STRLEN];
	enum policy_verdict v = ask(p, proto, dst, port, text);

	if (v != want)
		fail_msg("%s:%u, protocol %u: %d", dst, port, proto, (int)v);
}

/* By the address that the container names, the gateway's included; never its DNS server. */
static void egress_only(void **state)
{
	struct policy p = make();

	(void)state;
	p.is_loopback_open = true;
	listen_to(&p, "192.0.2.1:80,192.0.2.64/26,[2001:db8::/32]:443-444", NULL);
	verdict(&p, IPPROTO_TCP, "192.0.2.1", 80, POLICY_ALLOW);
	verdict(&p, IPPROTO_UDP, "192.0.2.1", 80, POLICY_ALLOW);
	verdict(&p, IPPROTO_TCP, "192.0.2.1", 81, POLICY_FORBID);
	verdict(&p, IPPROTO_ICMP, "192.0.2.1", 0, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "192.0.2.2", 80, POLICY_FORBID);
	verdict(&p, IPPROTO_ICMP, "192.0.2.64", 0, POLICY_ALLOW);
	verdict(&p, IPPROTO_TCP, "192.0.2.127", 1, POLICY_ALLOW);
	verdict(&p, IPPROTO_TCP, "192.0.2.128", 1, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "2001:db8::9", 444, POLICY_ALLOW);
	verdict(&p, IPPROTO_TCP, "2001:db8::9", 445, POLICY_FORBID);
	verdict(&p, IPPROTO_ICMPV6, "2001:db8::9", 0, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "2001:db9::9", 443, POLICY_FORBID);
	verdict(&p, IPPROTO_UDP, "10.0.2.3", 53, POLICY_DNS);
	verdict(&p, IPPROTO_TCP, "fd00:1:2:3::3", 53, POLICY_DNS);
	verdict(&p, IPPROTO_ICMP, "10.0.2.3", 0, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "10.0.2.2", 5432, POLICY_FORBID);
	verdict(&p, IPPROTO_ICMP, "10.0.2.2", 0, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "127.0.0.1", 80, POLICY_REFUSE);
	listen_to(&p, "10.0.2.2:5432,127.0.0.0/8", NULL);
	verdict(&p, IPPROTO_TCP, "10.0.2.2", 5432, POLICY_ALLOW);
	verdict(&p, IPPROTO_TCP, "10.0.2.2", 5433, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "127.0.0.1", 80, POLICY_REFUSE); /* nobody allows that */
	verdict(&p, IPPROTO_TCP, "fd00:1:2:3::2", 5432, POLICY_FORBID);
}

static void egress_not(void **state)
{
	struct policy p = make();

	(void)state;
	listen_to(&p, NULL, "192.0.2.0/24:25,198.51.100.0/24,[::/0]:25");
	verdict(&p, IPPROTO_TCP, "192.0.2.1", 25, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "192.0.2.1", 26, POLICY_ALLOW);
	verdict(&p, IPPROTO_ICMP, "192.0.2.1", 0, POLICY_ALLOW);
	verdict(&p, IPPROTO_ICMP, "198.51.100.1", 0, POLICY_FORBID);
	verdict(&p, IPPROTO_TCP, "203.0.113.1", 25, POLICY_ALLOW);
	verdict(&p, IPPROTO_TCP, "2001:db8::1", 25, POLICY_FORBID);
	verdict(&p, IPPROTO_ICMPV6, "2001:db8::1", 0, POLICY_ALLOW);
	listen_to(&p, "192.0.2.0/24,192.0.2.7:80", "192.0.2.7:80");
	verdict(&p, IPPROTO_TCP, "192.0.2.7", 80, POLICY_FORBID); /* whatever else is said */
	verdict(&p, IPPROTO_TCP, "192.0.2.7", 81, POLICY_ALLOW);
	listen_to(&p, NULL, "0.0.0.0/0,::/0");
	verdict(&p, IPPROTO_TCP, "192.0.2.7", 81, POLICY_FORBID);
	verdict(&p, IPPROTO_UDP, "fd00:1:2:3::3", 53, POLICY_DNS);
}

/* Who may not be asked may not answer; a client that comes by himself is shown as himself. */
static void egress_answers(void **state)
{
	const struct ip guest = ip_of("10.0.2.100"), from = ip_of("192.0.2.2"),
			sent = ip_of("192.0.2.1");
	const struct port_spec spec = {.proto = IPPROTO_UDP, .guest = {[FAM4] = guest}};
	struct ip seen_guest, peer;
	struct policy p = make();

	(void)state;
	assert_true(policy_answer_ok(&p, IPPROTO_UDP, &from, 80, &guest, &sent));
	listen_to(&p, "192.0.2.1", NULL);
	assert_false(policy_answer_ok(&p, IPPROTO_UDP, &from, 80, &guest, &sent));
	assert_true(policy_answer_ok(&p, IPPROTO_UDP, &sent, 80, &guest, &sent));
	assert_int_equal(port_shown(&p, &spec, &from, false, &seen_guest, &peer), PORT_SHOWN_OWN);
	assert_true(ip_equal(&peer, &from));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special),       cmocka_unit_test(first_bytes),
		cmocka_unit_test(gateway),       cmocka_unit_test(dns),
		cmocka_unit_test(family_off),    cmocka_unit_test(sources),
		cmocka_unit_test(unmap),         cmocka_unit_test(shared),
		cmocka_unit_test(near),          cmocka_unit_test(answers),
		cmocka_unit_test(protocols_off), cmocka_unit_test(egress_only),
		cmocka_unit_test(egress_not),    cmocka_unit_test(egress_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
