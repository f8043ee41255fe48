/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of slirp-lite: values, defaults, and for each wrong word one line that names the
 * option. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/options.h"

#define MAX_ARGS 24

/* Splits at blanks. */
static int parse_as(const char *program, const char *line, struct options *o, struct err *e)
{
	static char text[1024], name[64];
	char *argv[MAX_ARGS + 1] = {name};
	int argc = 1;

	(void)snprintf(text, sizeof(text), "%s", line);
	(void)snprintf(name, sizeof(name), "%s", program);
	for (char *w = strtok(text, " "); w && argc < MAX_ARGS; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	*e = (struct err)ERR_INIT;
	return options_parse(argc, argv, o, e);
}

static int parse(const char *line, struct options *o, struct err *e)
{
	return parse_as("slirp-lite", line, o, e);
}

static struct options good(const char *line)
{
	struct options o;
	struct err e;

	if (parse(line, &o, &e) < 0)
		fail_msg("%s: %s", line, e.text);
	return o;
}

static void test_defaults(void **state)
{
	struct options o = good("4711");
	struct worker_config c;
	char text[IP_STRLEN];

	(void)state;
	assert_int_equal(o.kind, TARGET_PID);
	assert_int_equal(o.target_pid, 4711);
	assert_string_equal(o.tap, "tap0");
	assert_int_equal(o.mtu, 1500);
	assert_int_equal(o.exit_fd, -1);
	assert_int_equal(o.ready_fd, -1);
	assert_int_equal(o.sandbox, SANDBOX_ON);
	assert_int_equal(o.engine, ENGINE_AUTO);
	options_config(&o, &c);
	assert_int_equal(c.through_max, 0);
	assert_string_equal(ip_str(&c.policy.plan.gateway[FAM4], text), "10.0.2.2");
	assert_string_equal(ip_str(&c.policy.plan.dns[FAM4], text), "10.0.2.3");
	assert_string_equal(ip_str(&c.policy.plan.guest[FAM4], text), "10.0.2.100");
	assert_int_equal(c.policy.plan.net[FAM6].ip.family, 0);
	assert_int_equal(c.policy.plan.gateway[FAM6].family, 0);
	assert_false(c.policy.is_loopback_open);
	assert_int_equal(c.policy.n_loopback, 0);
	assert_true(c.policy.plan.is_dhcp[FAM4] && c.policy.plan.is_ra);
}

/* As clients of slirp4netns write it. */
static void test_clients(void **state)
{
	struct options o = good("--disable-host-loopback --mtu=65520 --enable-sandbox "
				"--enable-seccomp --enable-ipv6 -c -e 0 -r 1 --netns-type=path "
				"/run/x tap7");
	struct worker_config c;
	char text[IP_STRLEN];

	(void)state;
	assert_true(o.is_configured && o.is_ipv6 && o.is_loopback_off);
	assert_int_equal(o.mtu, 65520);
	assert_int_equal(o.exit_fd, 0);
	assert_int_equal(o.ready_fd, 1);
	assert_int_equal(o.kind, TARGET_PATH);
	assert_string_equal(o.target, "/run/x");
	assert_string_equal(o.tap, "tap7");
	options_config(&o, &c);
	assert_string_equal(ip_str(&c.policy.plan.gateway[FAM6], text), "fd00::2");
	assert_string_equal(ip_str(&c.policy.plan.dns[FAM6], text), "fd00::3");
	assert_string_equal(ip_str(&c.policy.plan.guest[FAM6], text), "fd00::100");
	assert_false(c.policy.plan.is_dhcp[FAM4] || c.policy.plan.is_ra);
	/* Options may follow the operands, and what is too much is ignored. */
	o = good("-c 12 --api-socket /tmp/s tap0 more");
	assert_string_equal(o.api, "/tmp/s");
	assert_int_equal(o.target_pid, 12);
	assert_true(o.has_extra);
	o = good("--userns-path=/proc/1/ns/user --netns-type=path /run/y tap0");
	assert_string_equal(o.userns_path, "/proc/1/ns/user");
	assert_int_equal(good("--netns-type tapfd 0").kind, TARGET_TAPFD);
	assert_int_equal(good("/run/netns/a").kind, TARGET_PATH);
	assert_true(good("--version").is_version);
	assert_true(good("--mtu nonsense --help").is_help);
}

/* Called by the name of the program that it stands in for. */
static void test_name(void **state)
{
	static const char *const names[] = {"slirp4netns", "/usr/bin/slirp4netns",
					    "./my-slirp4netns.sh"};
	struct options o;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(parse_as(names[i], "4711", &o, &e), 0);
		assert_true(o.is_slirp4netns);
		assert_int_equal(o.local, PORT_LOCAL_GATEWAY);
		assert_string_equal(o.program, "slirp4netns");
		assert_false(o.is_loopback_open);
	}
	assert_int_equal(parse_as("slirp4netns", "--local-client splice 1", &o, &e), 0);
	assert_int_equal(o.local, PORT_LOCAL_SPLICE);
	assert_int_equal(parse_as("/opt/slirp4netns/slirp-lite", "1", &o, &e), 0);
	assert_false(o.is_slirp4netns);
	assert_int_equal(o.local, PORT_LOCAL_SPLICE);
	/* IPv6 is asked for by default, and does not pass a small MTU. */
	assert_int_equal(parse_as("slirp4netns", "-6 -m 1279 1", &o, &e), 0);
	assert_true(o.is_without_ipv6 && !o.is_ipv6);
	assert_int_equal(parse_as("slirp4netns", "-6 -m 1280 1", &o, &e), 0);
	assert_true(o.is_ipv6 && !o.is_without_ipv6);
	assert_int_equal(good("-m 68 1").mtu, 68);
	assert_int_equal(good("--target-type netns 12").kind, TARGET_PID);
	o = good("--target-type bess /run/x");
	assert_int_equal(o.kind, TARGET_BESS);
	assert_string_equal(o.target, "/run/x");
}

/* Every line that is known to be passed, by podman 4.3 and 5.8 and rootlesskit 1.1, 2 and 3. */
static void test_rates(void **state)
{
	struct options o = good("--rate-in 250mbit --local-client splice 1");
	struct worker_config c;

	(void)state;
	options_config(&o, &c);
	assert_int_equal(c.rates.in, 250000000);
	assert_int_equal(c.rates.out, 0);
	/* Clients that came by other ways would not be counted. */
	assert_int_equal(o.local, PORT_LOCAL_GATEWAY);
	o = good("--rate-out 8000bit --engine tap 1");
	options_config(&o, &c);
	assert_int_equal(c.rates.out, 8000);
	o = good("--rate-out none --local-client splice 1");
	assert_int_equal(o.local, PORT_LOCAL_SPLICE);
}

/* What the relay engine may have, of all that is open. */
static void test_engine(void **state)
{
	struct worker_config c;
	struct options o = good("--engine relay 1");

	(void)state;
	assert_int_equal(o.kept_fd, -1);
	o = good("--flows-fd 0 1");
	assert_int_equal(o.kept_fd, 0);
	o = good("--engine relay 1");
	assert_int_equal(o.engine, ENGINE_RELAY);
	options_config(&o, &c);
	assert_true(c.through_max > 0 && c.tcp_max > 0);
	o = good("--for-network 1");
	assert_true(o.is_network);
	options_config(&o, &c);
	assert_true(c.through_max == 0 && c.policy.plan.is_forwarding);
	o = good("--for-network --engine relay 1");
	options_config(&o, &c);
	assert_true(c.through_max > 0 && c.policy.plan.is_forwarding);
	o = good("1");
	options_config(&o, &c);
	assert_false(c.policy.plan.is_forwarding);
}

static void test_known_lines(void **state)
{
	static const char *const lines[] = {
		"--disable-host-loopback --mtu=65520 --enable-sandbox --enable-seccomp "
		"--enable-ipv6 -c -e 0 -r 1 --netns-type=path /run/netns/x tap0",
		"--disable-host-loopback --mtu=65520 --enable-sandbox --enable-seccomp "
		"--enable-ipv6 -c -e 0 -r 1 --api-socket /run/x.net 4711 tap0",
		"--disable-host-loopback --mtu=65520 --enable-sandbox --enable-seccomp "
		"--cidr=10.1.2.0/24 --enable-ipv6 --outbound-addr=192.0.2.1 --outbound-addr6=eth0 "
		"-c -r 0 --netns-type=path /run/netns/x tap0",
		"--disable-host-loopback --mtu=65520 --enable-sandbox --enable-seccomp "
		"--enable-ipv6 -c -r 0 -e 1 --api-socket /run/x.net --netns-type=path "
		"/run/netns/x tap0",
		"--mtu 65520 -r 0 4711 tap0",
		"--mtu 65520 -r 0 --disable-host-loopback --cidr 10.0.3.0/24 --api-socket "
		"/run/.s4nn.sock --enable-sandbox --enable-seccomp --enable-ipv6 4711 tap0",
		"--mtu 65520 -r 0 --disable-host-loopback --api-socket /run/.s4nn.sock "
		"--enable-seccomp --userns-path=/proc/1/ns/user --netns-type=path /run/netns/x "
		"tap0",
	};
	struct options o;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse_as("slirp4netns", lines[i], &o, &e) < 0)
			fail_msg("%s: %s", lines[i], e.text);
		assert_string_equal(o.tap, "tap0");
		assert_int_equal(o.mtu, 65520);
		assert_false(o.is_loopback_open || o.n_loopback > 0 || o.has_extra);
	}
}

static void test_values(void **state)
{
	struct options o = good("-c --cidr 192.168.0.0/16 --cidr6 fd12:3456::/64 -6 --disable-dns "
				"--macaddress 52:54:00:12:34:56 --log-level debug --name a.b-c 1");
	struct worker_config c;
	char text[PREFIX_STRLEN];

	(void)state;
	options_config(&o, &c);
	assert_string_equal(ip_str(&c.policy.plan.guest[FAM4], text), "192.168.0.100");
	assert_string_equal(ip_str(&c.policy.plan.gateway[FAM6], text), "fd12:3456::2");
	assert_int_equal(c.policy.plan.dns[FAM4].family, 0);
	assert_int_equal(c.policy.plan.dns[FAM6].family, 0);
	assert_int_equal(c.policy.plan.guest_mac.b[5], 0x56);
	assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(o.name, "a.b-c");
	o = good("-c -6 --guest-addr 172.16.9.2 --guest-addr6 2001:db8:7::3 1");
	options_config(&o, &c);
	assert_string_equal(prefix_str(&c.policy.plan.net[FAM4], text), "172.16.9.0/24");
	assert_string_equal(ip_str(&c.policy.plan.guest[FAM4], text), "172.16.9.2");
	assert_string_equal(ip_str(&c.policy.plan.gateway[FAM4], text), "172.16.9.1");
	assert_string_equal(ip_str(&c.policy.plan.dns[FAM4], text), "172.16.9.3");
	assert_string_equal(prefix_str(&c.policy.plan.net[FAM6], text), "2001:db8:7::/64");
	assert_string_equal(ip_str(&c.policy.plan.guest[FAM6], text), "2001:db8:7::3");
	assert_string_equal(ip_str(&c.policy.plan.gateway[FAM6], text), "2001:db8:7::2");
	assert_string_equal(ip_str(&c.policy.plan.dns[FAM6], text), "2001:db8:7::1");
	o = good("--guest-addr 10.9.8.7 --cidr 10.0.0.0/8 1");
	options_config(&o, &c);
	assert_string_equal(ip_str(&c.policy.plan.guest[FAM4], text), "10.9.8.7");
	assert_string_equal(ip_str(&c.policy.plan.gateway[FAM4], text), "10.0.0.2");
	assert_int_equal(c.policy.plan.net[FAM4].len, 8);
	o = good("--host-loopback tcp:5432 --host-loopback udp:1000-2000 1");
	options_config(&o, &c);
	assert_int_equal(c.policy.n_loopback, 2);
	assert_int_equal(c.policy.loopback[0].proto, IPPROTO_TCP);
	assert_int_equal(c.policy.loopback[0].first, 5432);
	assert_int_equal(c.policy.loopback[0].last, 5432);
	assert_int_equal(c.policy.loopback[1].proto, IPPROTO_UDP);
	assert_int_equal(c.policy.loopback[1].first, 1000);
	assert_int_equal(c.policy.loopback[1].last, 2000);
	o = good("--host-loopback all 1");
	options_config(&o, &c);
	assert_true(c.policy.is_loopback_open);
	o = good("--to 192.0.2.1:80,[2001:db8::]:443 --not-to 192.0.2.9 --to 192.0.2.2 1");
	options_config(&o, &c);
	assert_int_equal(c.policy.egress.n, 4);
	assert_true(c.policy.egress.dest[2].is_denied);
	assert_int_equal(c.policy.egress.dest[1].low, 443);
	o = good("--outbound-addr 198.51.100.1 --outbound-addr6 eth0 1");
	assert_string_equal(o.outbound[FAM4], "198.51.100.1");
	assert_string_equal(o.outbound[FAM6], "eth0");
}

static const struct {
	const char *line, *begins;
} wrong[] = {
	{"", "expected PID, PATH or FD"},
	{"--nonsense 1", "--nonsense: "},
	{"-x 1", "-x: "},
	{"--mtu 67 1", "--mtu: "},
	{"--mtu 0 1", "--mtu: "},
	{"--mtu 65522 1", "--mtu: "},
	{"--mtu 1e3 1", "--mtu: "},
	{"-m", "-m: "},
	{"-6 --mtu 1279 1", "--mtu: "},
	{"--configure=yes 1", "--configure: "},
	{"--exit-fd 999 1", "--exit-fd: "},
	{"--exit-fd x 1", "--exit-fd: "},
	{"-r -1 1", "-r: "},
	{"-e 0 -r 0 1", "--ready-fd: "},
	{"--cidr 10.0.2.0 1", "--cidr: "},
	{"--cidr 10.0.2.1/24 1", "--cidr: "},
	{"--cidr 10.0.2.0/26 1", "--cidr: "},
	{"--cidr 0.0.0.0/0 1", "--cidr: "},
	{"--cidr 127.0.0.0/8 1", "--cidr: "},
	{"--cidr 224.0.0.0/8 1", "--cidr: "},
	{"--cidr fd00::/64 1", "--cidr: "},
	{"--cidr6 fd00::/48 1", "--cidr6: "},
	{"--cidr6 fe80::/64 1", "--cidr6: "},
	{"--guest-addr 10.0.2.4/24 1", "--guest-addr: "},
	{"--guest-addr fd00::4 1", "--guest-addr: expected an IPv4 address"},
	{"--guest-addr 127.0.0.1 1", "--guest-addr: 127.0.0.1 is no address for a host"},
	{"--guest-addr 10.0.2.255 1", "--guest-addr: 10.0.2.255 is the broadcast address"},
	{"--guest-addr 10.0.3.4 --cidr 10.0.2.0/24 1",
	 "--guest-addr: 10.0.3.4 is outside 10.0.2.0/24"},
	{"-6 --guest-addr6 10.0.2.4 1", "--guest-addr6: expected an IPv6 address"},
	{"-6 --guest-addr6 fe80::1 1", "--guest-addr6: fe80::1 is no address for a host"},
	{"--guest-addr6 fd01::1 1", "--guest-addr6: needs --enable-ipv6"},
	{"-c --macaddress 72:6e:0a:00:02:02 1", "--macaddress: 72:6e:0a:00:02:02 is the gateway's"},
	{"-c --macaddress 7a:6e:0a:00:02:02 1", "--macaddress: 7a:6e:0a:00:02:02 is the gateway's"},
	{"-c --guest-addr 10.0.2.2 --macaddress 72:6e:0a:00:02:01 1", "--macaddress: "},
	{"--macaddress 52:54:00:12:34:56 1", "--macaddress: "},
	{"-c --macaddress 01:54:00:12:34:56 1", "--macaddress: "},
	{"-c --macaddress 52:54 1", "--macaddress: "},
	{"--netns-type net 1", "--netns-type: "},
	{"--netns-type pid /run/x", "PID: "},
	{"--netns-type tapfd x", "FD: "},
	{"--netns-type tapfd 999", "FD: "},
	{"-c --netns-type tapfd 0", "--configure: "},
	{"--userns-path /x --netns-type tapfd 0", "--userns-path: "},
	{"--target-type x 1", "--target-type: "},
	{"--target-type bess -c /x", "--configure: "},
	{"--target-type bess --netns-type path /x", "--netns-type: "},
	{"--target-type bess --userns-path /y /x", "--userns-path: "},
	{"0", "PID: "},
	{"-- -5", "PID: "},
	{"name", "PID: "},
	{"99999999999", "PID: "},
	{"1 tap%d", "TAPNAME: "},
	{"1 lo", "TAPNAME: "},
	{"1 averyverylongname", "TAPNAME: "},
	{"--outbound-addr 2001:db8::1 1", "--outbound-addr: "},
	{"--outbound-addr6 198.51.100.1 1", "--outbound-addr6: "},
	{"--outbound-addr a/b 1", "--outbound-addr: "},
	{"--sandbox maybe 1", "--sandbox: "},
	{"--engine fast 1", "--engine: "},
	{"--engine relay --netns-type tapfd 0", "--engine: "},
	{"--rate-in 1 1", "--rate-in: "},
	{"--rate-out 7999bit 1", "--rate-out: "},
	{"--rate-in 1mbit --engine relay 1", "--rate-in, --rate-out: "},
	{"--rate-out 1mbit --for-network 1", "--rate-in, --rate-out: "},
	{"--engine relay --target-type bess /tmp/x", "--engine: "},
	{"--log-level loud 1", "--log-level: "},
	{"--name a/b 1", "--name: "},
	{"--host-loopback 80 1", "--host-loopback: "},
	{"--host-loopback tcp: 1", "--host-loopback: "},
	{"--host-loopback tcp:0 1", "--host-loopback: "},
	{"--host-loopback tcp:9-8 1", "--host-loopback: "},
	{"--host-loopback tcp:1-65536 1", "--host-loopback: "},
	{"--host-loopback sctp:80 1", "--host-loopback: "},
	{"--disable-host-loopback --host-loopback tcp:80 1", "--host-loopback: "},
	{"--to example.org/24 1", "--to: "},
	{"--to 192.0.2.1, 1", "--to: "},
	{"--not-to 192.0.2.1/24 1", "--not-to: "},
	{"--to 192.0.2.1:80 --to 192.0.2.0/24:79-80 1", "--to: destination 192.0.2.0/24:79-80"},
	{"--api-socket= 1", "--api-socket: "},
	{"--pcap= 1", "--pcap: "},
	{"--api-socket "
	 "/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	 "89012345678901234567 1",
	 "--api-socket: the specified API socket path is too long"},
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct options o = {.mtu = 12345};
		struct err e;

		if (parse(wrong[i].line, &o, &e) != -EINVAL)
			fail_msg("\"%s\" was taken", wrong[i].line);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_int_equal(o.mtu, 12345);
		assert_null(strchr(e.text, '\n'));
		if (strncmp(e.text, wrong[i].begins, strlen(wrong[i].begins)) != 0)
			fail_msg("\"%s\": \"%s\"", wrong[i].line, e.text);
	}
}

static void test_many_ports(void **state)
{
	char *argv[2 * POLICY_PORTS_MAX + 5] = {(char[]){"slirp-lite"}};
	char option[] = "--host-loopback", value[] = "tcp:1", target[] = "1";
	struct options o;
	struct err e = ERR_INIT;
	int argc = 1;

	(void)state;
	for (int i = 0; i <= POLICY_PORTS_MAX; i++) {
		argv[argc++] = option;
		argv[argc++] = value;
	}
	argv[argc++] = target;
	assert_int_equal(options_parse(argc, argv, &o, &e), -EINVAL);
	assert_non_null(strstr(e.text, "--host-loopback"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_clients),
		cmocka_unit_test(test_values),      cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_many_ports),  cmocka_unit_test(test_name),
		cmocka_unit_test(test_rates),       cmocka_unit_test(test_engine),
		cmocka_unit_test(test_known_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
