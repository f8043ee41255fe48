/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pasta: one table. What it is made into is pasta_plan.c's. Nothing is accepted and then not done:
 * an option without effect here is one that asks for what is so anyway. Read pasta(1).
 */
#include "proc/pasta.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/opt.h"
#include "base/parse.h"
#include "proc/options.h"
#include "proc/pasta_ports.h"

#define MTU_MIN 576
#define MTU_MAX 65520
#define LOG_SIZE (1u << 20)
#define NETNS_DIR "/run/netns/"

#define FLAG(name, field, to)                                                                      \
	static int name(void *into, const char *value, struct err *e)                              \
	{                                                                                          \
		(void)value;                                                                       \
		(void)e;                                                                           \
		((struct options *)into)->field = (to);                                            \
		return 0;                                                                          \
	}
FLAG(set_debug, log_level, LOG_LEVEL_DEBUG)
FLAG(set_quiet, log_level, LOG_LEVEL_WARN)
FLAG(set_foreground, pasta.is_foreground, true)
FLAG(set_version, is_version, true)
FLAG(set_config_net, is_configured, true)
FLAG(set_only4, pasta.is_only[FAM4], true)
FLAG(set_only6, pasta.is_only[FAM6], true)
FLAG(set_no_dhcp, pasta.no_dhcp, true)
FLAG(set_no_dhcpv6, pasta.no_dhcpv6, true)
FLAG(set_no_ndp, pasta.no_ndp, true)
FLAG(set_no_ra, pasta.no_ra, true)
FLAG(set_no_tcp, pasta.no_tcp, true)
FLAG(set_no_udp, pasta.no_udp, true)
FLAG(set_no_icmp, pasta.no_icmp, true)
FLAG(set_map_gw, pasta.is_gateway_mapped, true)
FLAG(set_no_map_gw, pasta.is_gateway_mapped, false)
FLAG(set_dhcp_dns, pasta.is_dns_told, true)
FLAG(set_no_dhcp_dns, pasta.is_dns_told, false)
FLAG(set_netns_only, pasta.is_netns_only, true)
FLAG(set_netns_kept, pasta.is_netns_kept, true)
FLAG(set_lo_to_lo, pasta.is_lo_to_lo, true)
FLAG(set_no_splice, local, PORT_LOCAL_GATEWAY)

/* It is so without being asked for. */
static int set_nothing(void *into, const char *value, struct err *e)
{
	(void)into;
	(void)value;
	(void)e;
	return 0;
}

#define REFUSE(name, why)                                                                          \
	static int name(void *into, const char *value, struct err *e)                              \
	{                                                                                          \
		(void)into;                                                                        \
		(void)value;                                                                       \
		return err_invalid(e, ERR_UNSUPPORTED, "not supported: " why);                     \
	}
REFUSE(no_runas, "start it as that user")
REFUSE(no_outbound_if, "name an address of the interface with --outbound")
REFUSE(no_search, "search domains are not told to the namespace")
REFUSE(no_passt, "this is for virtual machines, which slirp-lite does not serve")
REFUSE(no_hostname, "DHCP tells no names")
REFUSE(no_freebind, "an address has to be the host's to be bound to")

#define TEXT(name, field)                                                                          \
	static int name(void *into, const char *value, struct err *e)                              \
	{                                                                                          \
		return opt_text(value, &((struct options *)into)->field, e);                       \
	}
TEXT(set_log_file, log_file)
TEXT(set_pcap, pcap)
TEXT(set_pid_file, pasta.pid_file)
TEXT(set_userns, userns_path)
TEXT(set_netns, target)

static int set_api(void *into, const char *value, struct err *e)
{
	if (strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_invalid(e, ERR_USAGE, "\"%.80s\" is too long for a socket", value);
	return opt_text(value, &((struct options *)into)->api, e);
}

static int set_log_size(void *into, const char *value, struct err *e)
{
	struct options *o = into;

	if (parse_u64(value, 4096, INT64_MAX, &o->pasta.log_size) < 0)
		return err_invalid(e, ERR_USAGE,
				   "expected a number of bytes from 4096 on, found "
				   "\"%.80s\"",
				   value);
	return 0;
}

static int set_mtu(void *into, const char *value, struct err *e)
{
	struct options *o = into;

	if (strcmp(value, "0") == 0) {
		o->pasta.mtu = 0;
		return 0;
	}
	return opt_u32(value, MTU_MIN, MTU_MAX, &o->pasta.mtu, e);
}

static int parse_unicast(const char *value, bool may_link_local, struct ip *ret, struct err *e)
{
	struct ip ip;
	int r = ip_parse(value, &ip, e);

	if (r < 0)
		return r;
	if (ip_is_any(&ip) || ip_is_loopback(&ip) || ip_is_multicast(&ip) ||
	    (ip.family == AF_INET && (ip.b[0] == 0 || ip.b[0] >= 240)) ||
	    (ip.family == AF_INET6 && ip_is_link_local(&ip) && !may_link_local))
		return err_invalid(e, ERR_USAGE, "\"%.80s\" is no address for this", value);
	*ret = ip;
	return 0;
}

/* An address that stands for a service: one a family, the last one counts. */
static int set_by_family(struct ip to[N_FAM], const char *value, bool may_link_local, struct err *e)
{
	struct ip ip;
	int r = parse_unicast(value, may_link_local, &ip, e);

	if (r == 0)
		to[ip_fam(&ip)] = ip;
	return r;
}

static int set_gateway(void *into, const char *value, struct err *e)
{
	return set_by_family(((struct options *)into)->pasta.gateway, value, true, e);
}

static int set_dns_forward(void *into, const char *value, struct err *e)
{
	return set_by_family(((struct options *)into)->pasta.dns, value, false, e);
}

static int set_map(struct ip to[N_FAM], const char *value, struct err *e)
{
	if (strcmp(value, "none") != 0)
		return set_by_family(to, value, false, e);
	to[FAM4] = to[FAM6] = (struct ip){0};
	return 0;
}

static int set_map_loopback(void *into, const char *value, struct err *e)
{
	return set_map(((struct options *)into)->pasta.loopback_at, value, e);
}

static int set_map_host(void *into, const char *value, struct err *e)
{
	return set_map(((struct options *)into)->pasta.host_at, value, e);
}

/* ADDR or ADDR/LEN */
static int set_address(void *into, const char *value, struct err *e)
{
	struct options *o = into;
	const char *slash = strchr(value, '/');
	char text[IP_STRLEN];
	size_t n = slash ? (size_t)(slash - value) : strlen(value);
	uint32_t len = 0;
	struct ip ip;
	int r = 0, f;

	if (n >= sizeof(text))
		return err_invalid(e, ERR_USAGE, "expected an address, found \"%.80s\"", value);
	memcpy(text, value, n);
	text[n] = '\0';
	r = parse_unicast(text, false, &ip, e);
	if (r == 0 && slash)
		r = opt_u32(slash + 1, 1, ip.family == AF_INET ? 32 : 128, &len, e);
	if (r < 0)
		return r;
	f = ip_fam(&ip);
	o->pasta.addr[f] = ip;
	if (slash)
		o->pasta.len[f] = (uint8_t)len;
	return 0;
}

/* 24 or 255.255.255.0 */
static int set_netmask(void *into, const char *value, struct err *e)
{
	struct options *o = into;
	uint32_t len = 0, bits;
	struct ip ip;

	if (ip_parse(value, &ip, NULL) < 0 || ip.family != AF_INET) {
		if (parse_u32(value, 1, 32, &len) < 0)
			goto bad;
	} else {
		bits = (uint32_t)ip.b[0] << 24 | (uint32_t)ip.b[1] << 16 | (uint32_t)ip.b[2] << 8 |
		       ip.b[3];
		while (len < 32 && bits & 1u << (31 - len))
			len++;
		if (len == 0 || (len < 32 && bits << len))
			goto bad;
	}
	o->pasta.len[FAM4] = (uint8_t)len;
	return 0;
bad:
	return err_invalid(e, ERR_USAGE, "expected 1..32 or an IPv4 netmask, found \"%.80s\"",
			   value);
}

static int set_our_mac(void *into, const char *value, struct err *e)
{
	struct pasta *p = &((struct options *)into)->pasta;
	int r = mac_parse(value, &p->gateway_mac, e);

	p->has_gateway_mac |= r == 0;
	return r;
}

static int set_ns_mac(void *into, const char *value, struct err *e)
{
	struct options *o = into;
	int r = mac_parse(value, &o->mac, e);

	o->has_mac |= r == 0;
	return r;
}

static int set_interface(void *into, const char *value, struct err *e)
{
	return opt_text(value, &((struct options *)into)->pasta.interface, e);
}

static int set_ifname(void *into, const char *value, struct err *e)
{
	struct options *o = into;
	int r = name_check_ifname(value, "interface", e);

	if (r < 0)
		return r;
	memcpy(o->tap, value, strlen(value) + 1);
	o->pasta.has_tap = true;
	return 0;
}

static int set_outbound(void *into, const char *value, struct err *e)
{
	struct ip ip;
	int r = parse_unicast(value, false, &ip, e);

	if (r == 0)
		((struct options *)into)->outbound[ip_fam(&ip)] = value;
	return r;
}

static int add_resolver(struct pasta *p, const char *value, struct err *e)
{
	struct ip ip;
	int r = ip_parse(value, &ip, e);

	if (r < 0)
		return r;
	if (ip_is_any(&ip) || ip_is_multicast(&ip) ||
	    (ip.family == AF_INET6 && ip_is_link_local(&ip)))
		return err_invalid(e, ERR_USAGE, "\"%.80s\" is no resolver's address", value);
	if (p->resolvers.n == RESOLVERS_MAX)
		return err_invalid(e, ERR_USAGE, "expected at most %d of them", RESOLVERS_MAX);
	p->resolvers.ip[p->resolvers.n++] = ip;
	return 0;
}

static int set_dns(void *into, const char *value, struct err *e)
{
	struct pasta *p = &((struct options *)into)->pasta;

	if (p->has_dns_host)
		return 0; /* which is more particular */
	p->has_resolvers = true;
	if (strcmp(value, "none") == 0) {
		p->resolvers.n = 0;
		return 0;
	}
	return add_resolver(p, value, e);
}

static int set_dns_host(void *into, const char *value, struct err *e)
{
	struct pasta *p = &((struct options *)into)->pasta;

	if (!p->has_dns_host)
		p->resolvers.n = 0;
	p->has_resolvers = p->has_dns_host = true;
	return add_resolver(p, value, e);
}

/* pasta tells them by --dhcp-search alone, which is refused: so is a list that nobody would see. */
static int set_search(void *into, const char *value, struct err *e)
{
	return strcmp(value, "none") == 0 ? 0 : no_search(into, value, e);
}

static int publish(struct options *o, const char *value, uint8_t proto, struct err *e)
{
	enum pasta_ports kind;
	int r = pasta_ports_parse(value, proto, &o->publish, &kind, e);

	if (r < 0)
		return r;
	if (kind == PASTA_PORTS_AUTO)
		o->pasta.is_auto[proto == IPPROTO_UDP] = true;
	for (size_t i = 0; kind == PASTA_PORTS_NONE && i < o->publish.n; i++)
		if (o->publish.p[i].proto == proto)
			return err_invalid(e, ERR_USAGE, "none: ports were named before");
	return 0;
}

static int set_tcp_ports(void *into, const char *value, struct err *e)
{
	return publish(into, value, IPPROTO_TCP, e);
}

static int set_udp_ports(void *into, const char *value, struct err *e)
{
	return publish(into, value, IPPROTO_UDP, e);
}

static int set_ns_ports(void *into, const char *value, struct err *e)
{
	(void)into;
	if (strcmp(value, "none") == 0)
		return 0;
	return err_invalid(e, ERR_UNSUPPORTED,
			   "only \"none\" is supported: the host's loopback is opened by "
			   "--map-host-loopback ADDRESS alone");
}

static int set_sandbox(void *into, const char *value, struct err *e)
{
	static const char *const words[] = {"on", "strict", "off"};
	static const enum sandbox_mode modes[] = {SANDBOX_ON, SANDBOX_STRICT, SANDBOX_OFF};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0) {
			((struct options *)into)->sandbox = modes[i];
			return 0;
		}
	return err_invalid(e, ERR_USAGE, "expected on, strict or off, found \"%.80s\"", value);
}

static const struct opt table[] = {
	{0, "config-net", NULL, "configure the interface: address, route, MTU, up", set_config_net},
	{0, "netns", "PATH|NAME", "network namespace to serve", set_netns},
	{0, "userns", "PATH", "user namespace to join for it", set_userns},
	{0, "netns-only", NULL, "join no user namespace", set_netns_only},
	{0, "no-netns-quit", NULL, "stay when the namespace's path is removed", set_netns_kept},
	{'I', "ns-ifname", "NAME", "interface in it (the host's name; tap0)", set_ifname},
	{'f', "foreground", NULL, "stay in the foreground", set_foreground},
	{'P', "pid", "FILE", "write the process id to a file", set_pid_file},
	{'q', "quiet", NULL, "no informational messages", set_quiet},
	{'d', "debug", NULL, "more messages", set_debug},
	{0, "trace", NULL, "the same; packets are shown by --pcap", set_debug},
	{'e', "stderr", NULL, "accepted; messages go to standard error", set_nothing},
	{'l', "log-file", "FILE", "append messages to a file", set_log_file},
	{0, "log-size", "BYTES", "what would make the file longer is lost (1048576)", set_log_size},
	{'p', "pcap", "FILE", "write all frames to a capture file", set_pcap},
	{'c', "conf-path", "PATH", "control socket, for pesto", set_api},
	{'m', "mtu", "N", "MTU (0: the host's)", set_mtu},
	{'a', "address", "ADDR[/LEN]", "address, one a family (the host's)", set_address},
	{'n', "netmask", "MASK", "IPv4 netmask or its length", set_netmask},
	{'g', "gateway", "ADDR", "default gateway, one a family (the host's)", set_gateway},
	{'M', "mac-addr", "MAC", "MAC address of the gateway", set_our_mac},
	{0, "ns-mac-addr", "MAC", "MAC address of the interface, with --config-net", set_ns_mac},
	{'i', "interface", "NAME", "copy addresses and routes of this interface", set_interface},
	{'o', "outbound", "ADDR", "source address of what goes out, one a family", set_outbound},
	{'D', "dns", "ADDR", "resolver in place of the host's; none", set_dns},
	{0, "dns-forward", "ADDR", "address of the DNS server, one a family", set_dns_forward},
	{0, "dns-host", "ADDR", "resolver that it asks", set_dns_host},
	{0, "dhcp-dns", NULL, "tell its address by DHCP and NDP", set_dhcp_dns},
	{0, "no-dhcp-dns", NULL, "do not (the default)", set_no_dhcp_dns},
	{'S', "search", "none", "accepted: no search domains are told", set_search},
	{0, "no-dhcp-search", NULL, "accepted: it is so", set_nothing},
	{0, "no-dhcp", NULL, "no DHCP server", set_no_dhcp},
	{0, "no-dhcpv6", NULL, "no DHCPv6 server", set_no_dhcpv6},
	{0, "no-ndp", NULL, "no neighbour discovery", set_no_ndp},
	{0, "no-ra", NULL, "no router advertisements", set_no_ra},
	{0, "no-tcp", NULL, "drop TCP", set_no_tcp},
	{0, "no-udp", NULL, "drop UDP", set_no_udp},
	{0, "no-icmp", NULL, "drop echo requests", set_no_icmp},
	{0, "map-gw", NULL, "the gateway's address is the host's loopback", set_map_gw},
	{0, "no-map-gw", NULL, "it is not (the default)", set_no_map_gw},
	{0, "map-host-loopback", "ADDR", "this address is the host's loopback; none",
	 set_map_loopback},
	{0, "map-guest-addr", "ADDR", "this is the host by its own address; none", set_map_host},
	{'4', "ipv4-only", NULL, "no IPv6", set_only4},
	{'6', "ipv6-only", NULL, "no IPv4", set_only6},
	{'t', "tcp-ports", "SPEC",
	 "publish TCP ports: none (default), auto, [ADDR/]A[-B][:C[-D]],..", set_tcp_ports},
	{'u', "udp-ports", "SPEC", "the same for UDP", set_udp_ports},
	{'T', "tcp-ns", "none", "accepted: no port of the host's loopback", set_ns_ports},
	{'U', "udp-ns", "none", "the same for UDP", set_ns_ports},
	{0, "host-lo-to-ns-lo", NULL, "clients on the host's loopback come by the namespace's",
	 set_lo_to_lo},
	{0, "no-splice", NULL, "clients on the host come by the tap too", set_no_splice},
	{0, "no-copy-routes", NULL, "accepted: the default route alone is copied", set_nothing},
	{0, "no-copy-addrs", NULL, "accepted: one address a family is copied", set_nothing},
	{0, "sandbox", "MODE", "on (default), strict (refuse to run with less), off", set_sandbox},
	{0, "version", NULL, "print the version", set_version},
	{0, "runas", "USER", "refused", no_runas},
	{0, "outbound-if4", "NAME", "refused", no_outbound_if},
	{0, "outbound-if6", "NAME", "refused", no_outbound_if},
	{0, "dhcp-search", NULL, "refused", no_search},
	{'H', "hostname", "NAME", "refused", no_hostname},
	{0, "fqdn", "NAME", "refused", no_hostname},
	{0, "freebind", NULL, "refused", no_freebind},
	{'s', "socket", "PATH", "refused", no_passt},
	{'F', "fd", "FD", "refused", no_passt},
	{'1', "one-off", NULL, "refused", no_passt},
	{0},
};

/* As getopt_long(3) has it: there are callers who look for these words. */
static int unknown(void *into, const char *arg, struct err *e)
{
	((struct options *)into)->pasta.is_unknown = true;
	if (arg[1] == '-')
		return err_invalid(e, ERR_USAGE, "unrecognized option '%.80s'", arg);
	return err_invalid(e, ERR_USAGE, "invalid option -- '%c'", arg[1]);
}

static const struct opt_verb verb = {
	.name = "",
	.operands = "[PID|COMMAND [ARG]...]",
	.summary = "User-mode networking for a network namespace, by slirp-lite.",
	.notes = "Without PID and --netns, COMMAND (a shell) runs in a new user and network "
		 "namespace.",
	.opts = table,
	.max_operands = (size_t)-1,
	.stop_at_operand = true,
	.unknown = unknown,
};

void pasta_help_text(const struct options *o, struct buf *out)
{
	opt_help_text(o->program, &verb, out);
}

bool pasta_is_name(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	return argv0 && strstr(slash ? slash + 1 : argv0, "pasta");
}

static int find_netns(struct options *o, struct err *e)
{
	const char *name = o->target;

	o->kind = TARGET_PATH;
	if (strchr(name, '/'))
		return 0;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strlen(name) >= sizeof(o->pasta.netns) - sizeof(NETNS_DIR))
		return err_invalid(e, ERR_USAGE, "--netns: \"%.80s\" is no name", name);
	memcpy(o->pasta.netns, NETNS_DIR, sizeof(NETNS_DIR));
	memcpy(o->pasta.netns + sizeof(NETNS_DIR) - 1, name, strlen(name) + 1);
	return 0;
}

static int find_target(struct options *o, int n, char **argv, struct err *e)
{
	static char sh[] = "/bin/sh";
	static char *shell[2];
	uint32_t pid;

	if (o->target)
		return n == 0 ? find_netns(o, e)
			      : err_invalid(e, ERR_USAGE,
					    "--netns: cannot be used with PID or COMMAND");
	o->kind = TARGET_PID;
	if (n == 1 && parse_u32(argv[1], 1, INT_MAX, &pid) == 0) {
		o->target = argv[1];
		o->target_pid = (int)pid;
		return 0;
	}
	if (o->userns_path || o->pasta.is_netns_only)
		return err_invalid(e, ERR_USAGE, "%s: expected PID or --netns with it",
				   o->userns_path ? "--userns" : "--netns-only");
	argv[1 + n] = NULL;
	o->target = "the command";
	o->pasta.command = argv + 1;
	if (n == 0) {
		shell[0] = getenv("SHELL");
		if (!shell[0] || !*shell[0])
			shell[0] = sh;
		o->pasta.command = shell;
	}
	return 0;
}

static bool has_proto(const struct options *o, uint8_t proto)
{
	for (size_t i = 0; i < o->publish.n; i++)
		if (o->publish.p[i].proto == proto)
			return true;
	return o->pasta.is_auto[proto == IPPROTO_UDP];
}

static int check_together(const struct options *o, struct err *e)
{
	const struct pasta *p = &o->pasta;
	int r = publish_check_list(o->publish.p, o->publish.n, e);

	if (r < 0)
		return err_ctx(e, r, "--tcp-ports, --udp-ports");
	if (p->is_only[FAM4] && p->is_only[FAM6])
		return err_invalid(e, ERR_USAGE, "--ipv6-only: cannot be used with --ipv4-only");
	if (o->userns_path && p->is_netns_only)
		return err_invalid(e, ERR_USAGE, "--userns: cannot be used with --netns-only");
	if (o->has_mac && !o->is_configured)
		return err_invalid(e, ERR_USAGE, "--ns-mac-addr: needs --config-net");
	if (p->is_dns_told && !p->dns[FAM4].family && !p->dns[FAM6].family)
		return err_invalid(e, ERR_UNSUPPORTED, "--dhcp-dns: needs --dns-forward here");
	if (p->is_dns_told && p->no_dhcp && p->no_dhcpv6 && p->no_ra)
		return err_invalid(e, ERR_USAGE, "--dhcp-dns: there is nothing to tell it by");
	if ((p->no_tcp && has_proto(o, IPPROTO_TCP)) || (p->no_udp && has_proto(o, IPPROTO_UDP)))
		return err_invalid(e, ERR_USAGE, "%s: ports of it are to be published",
				   p->no_tcp && has_proto(o, IPPROTO_TCP) ? "--no-tcp"
									  : "--no-udp");
	if (p->is_auto[0] != p->is_auto[1])
		return err_invalid(e, ERR_UNSUPPORTED,
				   "auto: supported for --tcp-ports and --udp-ports together only");
	return 0;
}

int pasta_parse(int argc, char **argv, struct options *ret, struct err *e)
{
	struct options o = {
		.program = "pasta",
		.exit_fd = -1,
		.ready_fd = -1,
		.kept_fd = -1,
		.target_fd = -1,
		.log_level = LOG_LEVEL_INFO,
		.tap = "tap0",
		.local = PORT_LOCAL_SPLICE,
		.pasta = {.is_on = true, .log_size = LOG_SIZE},
	};
	size_t n;
	int r = opt_parse(&verb, argc, argv, &o, &n, e);

	o.is_help = r == 1;
	if (r == 0 && !o.is_version) {
		r = find_target(&o, (int)n, argv, e);
		if (r == 0)
			r = check_together(&o, e);
	}
	if (r < 0) {
		publish_list_clear(&o.publish);
		if (!o.pasta.is_unknown)
			return r;
		ret->program = o.program;
		return 1;
	}
	o.is_background = !o.pasta.is_foreground || o.pasta.command;
	o.is_publish_auto = o.pasta.is_auto[0];
	*ret = o;
	if (ret->pasta.netns[0])
		ret->target = ret->pasta.netns;
	return 0;
}
