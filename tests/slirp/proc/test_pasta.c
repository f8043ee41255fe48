/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pasta's command line: what its clients pass, what each word becomes, and the refusals. And the
 * plan that is made of it with what the host has. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "proc/options.h"
#include "proc/pasta.h"
#include "proc/template.h"

#define MAX_ARGS 48

static char *argv_of[MAX_ARGS + 1];

/* Splits at blanks; argv stays until the next call. */
static int parse(const char *line, struct options *o, struct err *e)
{
	static char text[2048];
	static char name[] = "pasta";
	int argc = 1;

	(void)snprintf(text, sizeof(text), "%s", line);
	argv_of[0] = name;
	for (char *w = strtok(text, " "); w && argc < MAX_ARGS; w = strtok(NULL, " "))
		argv_of[argc++] = w;
	argv_of[argc] = NULL;
	*e = (struct err)ERR_INIT;
	return pasta_parse(argc, argv_of, o, e);
}

/* A part of it may point into it, which stays until the next call. */
static struct options good(const char *line)
{
	static struct options o;
	struct err e;

	if (parse(line, &o, &e) != 0)
		fail_msg("%s: %s", line, e.text);
	return o;
}

static void bad(const char *line, const char *want)
{
	struct options o;
	struct err e;

	assert_true(parse(line, &o, &e) < 0);
	if (!strstr(e.text, want))
		fail_msg("%s: %s (wanted: %s)", line, e.text, want);
	assert_null(strchr(e.text, '\n'));
}

static struct ip ip_of(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, &ip, NULL), 0);
	return ip;
}

static void assert_ip(const struct ip *ip, const char *want)
{
	char text[IP_STRLEN] = "";

	assert_string_equal(ip->family ? ip_str(ip, text) : "", want);
}

static void assert_net(const struct prefix *p, const char *want)
{
	char text[PREFIX_STRLEN] = "";

	assert_string_equal(p->ip.family ? prefix_str(p, text) : "", want);
}

/* Such a host as there are many. */
static struct template host(void)
{
	struct template t = {.ifname = "enp1s0", .mtu = 1500};

	t.addr[FAM4] = (struct prefix){ip_of("198.51.100.7"), 24};
	t.gateway[FAM4] = ip_of("198.51.100.1");
	t.addr[FAM6] = (struct prefix){ip_of("2001:db8::7"), 64};
	t.gateway[FAM6] = ip_of("fe80::1");
	return t;
}

static struct worker_config config(struct options *o, const struct template *t)
{
	struct worker_config c;
	struct err e = ERR_INIT;

	if (pasta_config(o, t, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void test_names(void **state)
{
	(void)state;
	assert_true(pasta_is_name("pasta"));
	assert_true(pasta_is_name("/usr/bin/pasta.avx2"));
	assert_true(pasta_is_name("../my-pasta"));
	assert_false(pasta_is_name("/opt/pasta/slirp-lite"));
	assert_false(pasta_is_name(""));
	assert_false(pasta_is_name(NULL));
}

static void test_forms(void **state)
{
	struct options o = good("--config-net 4711");

	(void)state;
	assert_int_equal(o.kind, TARGET_PID);
	assert_int_equal(o.target_pid, 4711);
	assert_true(o.is_background && o.is_configured);
	assert_null(o.pasta.command);
	assert_false(good("-f 4711").is_background);
	o = good("--netns /run/user/1000/netns/x");
	assert_int_equal(o.kind, TARGET_PATH);
	assert_string_equal(o.target, "/run/user/1000/netns/x");
	o = good("--netns blue --userns /proc/1/ns/user");
	assert_string_equal(o.target == o.pasta.netns ? "" : good("--netns blue").target,
			    "/run/netns/blue");
	assert_string_equal(o.userns_path, "/proc/1/ns/user");
	o = good("ls -l /");
	assert_string_equal(o.pasta.command[0], "ls");
	assert_string_equal(o.pasta.command[1], "-l");
	assert_string_equal(o.pasta.command[2], "/");
	assert_null(o.pasta.command[3]);
	o = good("-q -- 4711 x");
	assert_string_equal(o.pasta.command[0], "4711");
	assert_null(o.pasta.command[2]);
	assert_int_equal(setenv("SHELL", "/bin/zsh", 1), 0);
	o = good("-4");
	assert_string_equal(o.pasta.command[0], "/bin/zsh");
	assert_null(o.pasta.command[1]);
	assert_int_equal(unsetenv("SHELL"), 0);
	assert_string_equal(good("").pasta.command[0], "/bin/sh");
	bad("--netns x 4711", "--netns: cannot be used with PID");
	bad("--netns ..", "--netns: ");
	bad("--netns=", "--netns: ");
	bad("--userns /x ls", "--userns: expected PID or --netns");
	bad("--netns-only", "--netns-only: expected PID or --netns");
	bad("--netns x --userns y --netns-only", "--userns: ");
}

/* The command lines of clients, word for word. */
static void test_clients(void **state)
{
	static const char *const lines[] = {
		"--foreground --stderr --ns-ifname=tap0 --mtu=65520 --no-dhcp --no-ra "
		"--address=10.0.2.100 --netmask=24 --gateway=10.0.2.2 --dns-forward=10.0.2.3 "
		"--no-map-gw --ipv4-only --tcp-ports=auto --udp-ports=auto 4711",
		"--foreground --stderr --ns-ifname=tap0 --mtu=65520 --no-dhcp --no-ra "
		"--address=10.0.2.100 --netmask=24 --gateway=10.0.2.2 --dns-forward=10.0.2.3 "
		"--tcp-ports=none --udp-ports=none --userns=/proc/4711/ns/user --netns=/x/netns",
		"--stderr --ns-ifname=tap0 --mtu=65520 --config-net --address=10.0.2.100 "
		"--netmask=24 --gateway=10.0.2.2 --dns-forward=10.0.2.3 --no-map-gw "
		"--host-lo-to-ns-lo --tcp-ports=auto --udp-ports=auto 4711",
		"--config-net -t 8080-8080:80-80 -t ::1/8081-8081:81-81 -u 0.0.0.0/53-53:53-53 "
		"--dns-forward 169.254.1.1 -T none -U none --no-map-gw --quiet --netns /x/n "
		"--map-guest-addr 169.254.1.2",
		"--config-net --pid /x/pid --dns-forward 169.254.1.1 -t none -u none -T none "
		"-U none --no-map-gw --quiet --netns /x/n --map-guest-addr 169.254.1.2",
		"--config-net --pid /x/pid --dns-forward 169.254.1.1 -t none -u none -T none "
		"-U none --no-map-gw --quiet --netns /x/n --map-guest-addr 169.254.1.2 -c /x/c",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct options o = good(lines[i]);
		struct template t = host();

		(void)config(&o, &t);
		publish_list_clear(&o.publish);
	}
	assert_true(good("--host-lo-to-ns-lo --version").is_version);
	assert_true(good("--version").is_version);
	assert_true(!good("ls --help").is_help);
	assert_true(good("-h").is_help);
}

static void test_values(void **state)
{
	struct options o =
		good("-P /p -l /log --log-size 8192 -p /pcap -c /c -I ns0 -i eth9 -m 1400 "
		     "-o 192.0.2.9 -o 2001:db8::9 -M 02:00:00:00:00:01 --config-net "
		     "--ns-mac-addr 02:00:00:00:00:02 -d --no-splice --no-netns-quit "
		     "--sandbox strict 4711");

	(void)state;
	assert_string_equal(o.pasta.pid_file, "/p");
	assert_string_equal(o.log_file, "/log");
	assert_int_equal(o.pasta.log_size, 8192);
	assert_string_equal(o.pcap, "/pcap");
	assert_string_equal(o.api, "/c");
	assert_string_equal(o.tap, "ns0");
	assert_string_equal(o.pasta.interface, "eth9");
	assert_int_equal(o.pasta.mtu, 1400);
	assert_string_equal(o.outbound[FAM4], "192.0.2.9");
	assert_string_equal(o.outbound[FAM6], "2001:db8::9");
	assert_int_equal(o.pasta.gateway_mac.b[5], 1);
	assert_int_equal(o.mac.b[5], 2);
	assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(o.local, PORT_LOCAL_GATEWAY);
	assert_int_equal(o.sandbox, SANDBOX_STRICT);
	assert_true(o.pasta.is_netns_kept);
	o = good("--dns none 1");
	assert_true(o.pasta.has_resolvers);
	assert_int_equal(o.pasta.resolvers.n, 0);
	o = good("-D 192.0.2.53 -D 2001:db8::53 1");
	assert_int_equal(o.pasta.resolvers.n, 2);
	o = good("-D 192.0.2.53 --dns-host 127.0.0.1 -D 192.0.2.54 1");
	assert_int_equal(o.pasta.resolvers.n, 1);
	assert_ip(&o.pasta.resolvers.ip[0], "127.0.0.1");
	assert_int_equal(good("-n 255.255.240.0 1").pasta.len[FAM4], 20);
	assert_int_equal(good("-n 255.255.255.255 1").pasta.len[FAM4], 32);
	assert_int_equal(good("-n 8 1").pasta.len[FAM4], 8);
	assert_true(good("-t auto -u auto 1").is_publish_auto);
	assert_false(good("1").is_publish_auto);
	assert_int_equal(good("-S none --no-dhcp-search -e --no-copy-routes 1").target_pid, 1);
}

static void test_refused(void **state)
{
	(void)state;
	bad("-m 575 1", "-m: expected a number 576..65520");
	bad("-m 65521 1", "-m: ");
	bad("-a 127.0.0.1 1", "-a: \"127.0.0.1\" is no address for this");
	bad("-a 10.0.0.1/33 1", "-a: expected a number 1..32");
	bad("-a fe80::1 1", "-a: ");
	bad("-a x 1", "-a: ");
	bad("-a ::ffff:127.0.0.1 1", "-a: ");
	bad("-g 224.0.0.1 1", "-g: ");
	bad("-n 255.0.255.0 1", "-n: ");
	bad("-n 0 1", "-n: ");
	bad("-n ffff:: 1", "-n: ");
	bad("--map-host-loopback ::1 1", "--map-host-loopback: ");
	bad("--map-guest-addr 0.0.0.0 1", "--map-guest-addr: ");
	bad("--dns-forward 127.0.0.53 1", "--dns-forward: ");
	bad("-D fe80::1 1", "-D: ");
	bad("-D x 1", "-D: ");
	bad("-o eth0 1", "-o: ");
	bad("-I lo 1", "-I: ");
	bad("-M 01:00:00:00:00:00 1", "-M: ");
	bad("--ns-mac-addr 02:00:00:00:00:02 1", "--ns-mac-addr: needs --config-net");
	bad("--log-size 4095 1", "--log-size: ");
	bad("-4 -6 1", "--ipv6-only: cannot be used with --ipv4-only");
	bad("-T auto 1", "-T: only \"none\" is supported");
	bad("--udp-ns 53 1", "--udp-ns: only \"none\"");
	bad("--runas nobody 1", "--runas: not supported: ");
	bad("--outbound-if4 eth0 1", "--outbound-if4: not supported: ");
	bad("--outbound-if6=eth0 1", "--outbound-if6: not supported: ");
	bad("-S example.com 1", "-S: not supported: ");
	bad("--dhcp-search 1", "--dhcp-search: not supported: ");
	bad("-s /x", "-s: not supported: ");
	bad("-F 3", "-F: not supported: ");
	bad("-1", "-1: not supported: ");
	bad("--freebind 1", "--freebind: not supported: ");
	bad("--fqdn a 1", "--fqdn: not supported: ");
	bad("--dhcp-dns 1", "--dhcp-dns: needs --dns-forward");
	bad("--no-tcp -t 80 1", "--no-tcp: ");
	bad("--no-udp -u 80 1", "--no-udp: ");
	bad("-t auto 1", "auto: supported for --tcp-ports and --udp-ports together");
	bad("-t 80 -t none 1", "-t: none: ports were named before");
	bad("-t 80 -t 80 1", "--tcp-ports, --udp-ports: ");
	bad("-t all 1", "-t: \"all\"");
	bad("--mtu", "--mtu: expected a value");
}

/* What getopt says is looked for by callers; a usage text follows. */
static void test_unknown(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT;
	struct options o;
	struct err e;

	(void)state;
	assert_int_equal(parse("--map-nobody=1 1", &o, &e), 1);
	assert_string_equal(e.text, "unrecognized option '--map-nobody=1'");
	assert_int_equal(parse("-Q 1", &o, &e), 1);
	assert_string_equal(e.text, "invalid option -- 'Q'");
	assert_int_equal(parse("-qQ 1", &o, &e), 1);
	assert_string_equal(e.text, "invalid option -- 'Q'");
	pasta_help_text(&o, &text);
	assert_non_null(strstr(text.p, "Usage: pasta [OPTION]... [PID|COMMAND [ARG]...]"));
}

static void test_copied(void **state)
{
	struct options o = good("--config-net --dns-forward 169.254.1.1 --map-guest-addr "
				"169.254.1.2 --map-guest-addr fd00::2 1");
	struct template t = host();
	struct worker_config c = config(&o, &t);
	const struct plan *p = &c.policy.plan;

	(void)state;
	assert_string_equal(o.tap, "enp1s0");
	assert_int_equal(p->mtu, 1500);
	assert_net(&p->net[FAM4], "198.51.100.0/24");
	assert_ip(&p->guest[FAM4], "198.51.100.7");
	assert_ip(&p->gateway[FAM4], "198.51.100.1");
	assert_net(&p->net[FAM6], "2001:db8::/64");
	assert_ip(&p->gateway[FAM6], "fe80::1");
	assert_true(p->is_shared[FAM4] && p->is_shared[FAM6] && p->is_router[FAM4]);
	assert_false(p->is_router[FAM6]);
	assert_ip(&p->dns[FAM4], "169.254.1.1");
	assert_ip(&p->dns[FAM6], "");
	assert_ip(&p->host_at[FAM4], "169.254.1.2");
	assert_ip(&p->host_at[FAM6], "fd00::2");
	assert_ip(&p->host[FAM4], "198.51.100.7");
	assert_ip(&p->loopback_at[FAM4], "");
	assert_ip(&p->loopback_at[FAM6], "");
	assert_false(c.policy.is_loopback_open || c.policy.n_loopback);
	assert_true(p->is_dhcp[FAM4] && p->is_dhcp[FAM6] && p->is_dns_untold);
	assert_false(p->is_ra);
	assert_true(o.is_ipv6);
	/* One family; the interface left alone; services of all kinds off, the loopback on. */
	o = good("-4 --no-dhcp --no-dhcpv6 --no-ra --no-ndp --no-tcp --no-udp --no-icmp --map-gw "
		 "-I x0 1");
	c = config(&o, &t);
	assert_net(&p->net[FAM6], "");
	assert_ip(&p->guest[FAM6], "");
	assert_ip(&p->loopback_at[FAM4], "198.51.100.1");
	assert_false(p->is_dhcp[FAM4] || p->is_dhcp[FAM6] || p->is_ra);
	assert_true(p->is_ndp_off && c.policy.is_tcp_off && c.policy.is_udp_off &&
		    c.policy.is_ping_off);
	assert_string_equal(o.tap, "x0");
	o = good("-6 --map-gw --no-map-gw 1");
	c = config(&o, &t);
	assert_net(&p->net[FAM4], "");
	assert_ip(&p->loopback_at[FAM6], "");
	assert_true(p->is_ra);
	o = good("--map-gw --map-host-loopback 192.0.2.99 1");
	c = config(&o, &t);
	assert_ip(&p->loopback_at[FAM4], "192.0.2.99");
	assert_ip(&p->loopback_at[FAM6], "fe80::1");
	o = good("--map-host-loopback 192.0.2.99 --map-host-loopback none 1");
	c = config(&o, &t);
	assert_ip(&p->loopback_at[FAM4], "");
}

static void test_given(void **state)
{
	struct options o =
		good("-a 10.0.2.100 -n 24 -g 10.0.2.2 --dns-forward 10.0.2.3 --dhcp-dns 1");
	struct template t = host();
	struct worker_config c = config(&o, &t);
	const struct plan *p = &c.policy.plan;

	(void)state;
	assert_net(&p->net[FAM4], "10.0.2.0/24");
	assert_ip(&p->gateway[FAM4], "10.0.2.2");
	assert_false(p->is_shared[FAM4] || p->is_router[FAM4] || p->is_dns_untold);
	assert_net(&p->net[FAM6], "2001:db8::/64");
	/* Another address of the host's own network. */
	t.is_own[FAM4] = true;
	o = good("-a 198.51.100.77/25 -g 198.51.100.1 1");
	c = config(&o, &t);
	assert_net(&p->net[FAM4], "198.51.100.0/25");
	assert_true(p->is_shared[FAM4] && p->is_router[FAM4]);
	assert_ip(&p->host[FAM4], "198.51.100.7");
	/* The length: as the host has it, by class, as said. */
	t.own_len[FAM4] = 22;
	o = good("-a 198.51.100.7 1");
	c = config(&o, &t);
	assert_int_equal(p->net[FAM4].len, 22);
	t.own_len[FAM4] = 0;
	t.is_own[FAM4] = false;
	o = good("-a 172.16.5.5 -a fd12::5 1");
	c = config(&o, &t);
	assert_net(&p->net[FAM4], "172.16.0.0/16");
	assert_net(&p->net[FAM6], "fd12::/64");
	assert_ip(&p->gateway[FAM4], "198.51.100.1");
	assert_true(p->is_router[FAM4]);
	assert_int_equal(template_default_len(&(struct ip){AF_INET, {10}}), 8);
	assert_int_equal(template_default_len(&(struct ip){AF_INET, {192, 168}}), 24);
}

static void refuse(const char *line, const struct template *t, const char *want)
{
	struct options o = good(line);
	struct worker_config c;
	struct err e = ERR_INIT;

	assert_true(pasta_config(&o, t, &c, &e) < 0);
	assert_non_null(strstr(e.text, want));
}

static void test_odd_hosts(void **state)
{
	struct template none = {0}, t = host();
	struct options o = good("--dns-forward 169.254.1.1 --map-guest-addr 169.254.1.2 1");
	struct worker_config c = config(&o, &none);
	const struct plan *p = &c.policy.plan;

	(void)state;
	/* No network at all. */
	assert_net(&p->net[FAM4], "169.254.0.0/16");
	assert_ip(&p->guest[FAM4], "169.254.2.1");
	assert_ip(&p->gateway[FAM4], "169.254.2.2");
	assert_ip(&p->host[FAM4], "");
	assert_ip(&p->host_at[FAM4], "169.254.1.2");
	assert_false(p->is_shared[FAM4] || p->is_router[FAM4]);
	assert_net(&p->net[FAM6], "");
	assert_string_equal(o.tap, "tap0");
	assert_int_equal(p->mtu, 1500);
	refuse("-6 1", &none, "--ipv6-only: ");
	/* A link without a router. */
	t.gateway[FAM4].family = t.gateway[FAM6].family = 0;
	o = good("1");
	c = config(&o, &t);
	assert_ip(&p->gateway[FAM4], "169.254.2.2");
	assert_true(p->is_shared[FAM4]);
	assert_false(p->is_router[FAM4]);
	assert_true(ip_is_link_local(&p->gateway[FAM6]));
	/* Links that are too narrow, too wide. */
	t.mtu = 600;
	c = config(&o, &t);
	assert_int_equal(p->mtu, 1280);
	o = good("-4 1");
	c = config(&o, &t);
	assert_int_equal(p->mtu, 600);
	t.mtu = 65536;
	c = config(&o, &t);
	assert_int_equal(p->mtu, 65520);
	refuse("-m 1000 1", &t, "--mtu: 1000 is too small for IPv6");
	/* The name of the host's interface is not one for us. */
	memcpy(t.ifname, "all", 4);
	o = good("1");
	(void)config(&o, &t);
	assert_string_equal(o.tap, "tap0");
	t = host();
	refuse("--map-guest-addr 198.51.100.7 1", &t, "--map-guest-addr: 198.51.100.7 is");
	refuse("--dns-forward 2001:db8::7 1", &t, "--dns-forward: ");
	refuse("-g 198.51.100.7 1", &t, "--gateway: ");
	refuse("--map-host-loopback 198.51.100.7 1", &t, "--map-host-loopback: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),     cmocka_unit_test(test_forms),
		cmocka_unit_test(test_clients),   cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_copied),    cmocka_unit_test(test_given),
		cmocka_unit_test(test_odd_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
