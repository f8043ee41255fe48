/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options: one table for parsing and for --help, and the checks that need more than one option.
 * Never prints an error, never opens a file. Names, defaults and ranges follow slirp4netns(1),
 * which slirp-lite stands in for; where a value would break the link (an MTU that IPv6 forbids) it
 * is refused here.
 */
#include "proc/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/opt.h"
#include "base/parse.h"
#include "model/alone.h"
#include "proc/options_net.h"
#include "proc/slirp4netns.h"

/* What every IPv4 link carries, RFC 791 3.2, and the least that Linux takes for a tap. slirp4netns
 * takes 1 to 67 too, and then fails. */
#define MTU_MIN 68
#define MTU_MIN6 1280 /* RFC 8200 5 */
#define MTU_MAX 65521

#define FLAG(name, field, to)                                                                      \
	static int name(void *into, const char *value, struct err *e)                              \
	{                                                                                          \
		(void)value;                                                                       \
		(void)e;                                                                           \
		((struct options *)into)->field = (to);                                            \
		return 0;                                                                          \
	}
FLAG(set_configure, is_configured, true)
FLAG(set_ipv6, is_ipv6, true)
FLAG(set_loopback_off, is_loopback_off, true)
FLAG(set_dns_off, is_dns_off, true)
FLAG(set_version, is_version, true)
FLAG(set_background, is_background, true)

/* The sandbox is there without being asked for; these are accepted and change nothing. */
static int set_nothing(void *into, const char *value, struct err *e)
{
	(void)into;
	(void)value;
	(void)e;
	return 0;
}

static int parse_fd(const char *value, int *ret, struct err *e)
{
	uint32_t fd;
	int r = opt_u32(value, 0, INT_MAX, &fd, e);

	if (r < 0)
		return r;
	if (fcntl((int)fd, F_GETFD) < 0)
		return err_invalid(e, ERR_USAGE, "descriptor %u is not open", fd);
	*ret = (int)fd;
	return 0;
}

static int set_exit_fd(void *into, const char *value, struct err *e)
{
	return parse_fd(value, &((struct options *)into)->exit_fd, e);
}

static int set_kept_fd(void *into, const char *value, struct err *e)
{
	return parse_fd(value, &((struct options *)into)->kept_fd, e);
}

static int set_ready_fd(void *into, const char *value, struct err *e)
{
	return parse_fd(value, &((struct options *)into)->ready_fd, e);
}

static int set_mtu(void *into, const char *value, struct err *e)
{
	return opt_u32(value, MTU_MIN, MTU_MAX, &((struct options *)into)->mtu, e);
}

static int set_api(void *into, const char *value, struct err *e)
{
	if (strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_invalid(e, ERR_USAGE,
				   "the specified API socket path is too long (expected at most "
				   "%zu bytes)",
				   sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	return opt_text(value, &((struct options *)into)->api, e);
}

static int set_name(void *into, const char *value, struct err *e)
{
	int r = name_check_id(value, "name", e);

	if (r == 0)
		((struct options *)into)->name = value;
	return r;
}

static int set_pcap(void *into, const char *value, struct err *e)
{
	return opt_text(value, &((struct options *)into)->pcap, e);
}

static int set_log_file(void *into, const char *value, struct err *e)
{
	return opt_text(value, &((struct options *)into)->log_file, e);
}

static int set_userns(void *into, const char *value, struct err *e)
{
	return opt_text(value, &((struct options *)into)->userns_path, e);
}

/* An index into words, or -EINVAL. */
static int choose(const char *value, const char *const *words, struct err *e)
{
	char list[128] = "";

	for (int i = 0; words[i]; i++) {
		if (strcmp(value, words[i]) == 0)
			return i;
		if (i > 0)
			strncat(list, words[i + 1] ? ", " : " or ",
				sizeof(list) - strlen(list) - 1);
		strncat(list, words[i], sizeof(list) - strlen(list) - 1);
	}
	return err_invalid(e, ERR_USAGE, "expected %s, found \"%.80s\"", list, value);
}

static int set_kind(void *into, const char *value, struct err *e)
{
	static const char *const words[] = {"pid", "path", "tapfd", NULL};
	static const enum target_kind kinds[] = {TARGET_PID, TARGET_PATH, TARGET_TAPFD};
	int i = choose(value, words, e);

	if (i < 0)
		return i;
	((struct options *)into)->kind = kinds[i];
	return 0;
}

static int set_target_type(void *into, const char *value, struct err *e)
{
	static const char *const words[] = {"netns", "bess", NULL};
	int i = choose(value, words, e);

	if (i < 0)
		return i;
	((struct options *)into)->is_bess = i == 1;
	return 0;
}

static int set_log_level(void *into, const char *value, struct err *e)
{
	static const char *const words[] = {"error", "warn", "info", "debug", NULL};
	static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
						LOG_LEVEL_DEBUG};
	int i = choose(value, words, e);

	if (i < 0)
		return i;
	((struct options *)into)->log_level = levels[i];
	return 0;
}

static int set_sandbox(void *into, const char *value, struct err *e)
{
	static const char *const words[] = {"on", "strict", "off", NULL};
	static const enum sandbox_mode modes[] = {SANDBOX_ON, SANDBOX_STRICT, SANDBOX_OFF};
	int i = choose(value, words, e);

	if (i < 0)
		return i;
	((struct options *)into)->sandbox = modes[i];
	return 0;
}

static int set_engine(void *into, const char *value, struct err *e)
{
	static const char *const words[] = {"auto", "tap", "relay", NULL};
	int i = choose(value, words, e);

	if (i < 0)
		return i;
	((struct options *)into)->engine = (enum engine_kind)i;
	return 0;
}

FLAG(set_is_network, is_network, true)

/* "all", "tcp:5432", "udp:53", "tcp:8000-8010" */
static int set_host_loopback(void *into, const char *value, struct err *e)
{
	struct options *o = into;
	struct policy_port p = {.proto = IPPROTO_TCP};
	const char *ports = value + 4, *dash;
	uint64_t first, last;

	if (strcmp(value, "all") == 0) {
		o->is_loopback_open = true;
		return 0;
	}
	if (strncmp(value, "udp:", 4) == 0)
		p.proto = IPPROTO_UDP;
	else if (strncmp(value, "tcp:", 4) != 0)
		goto bad;
	dash = strchr(ports, '-');
	if (parse_u64_n(ports, dash ? (size_t)(dash - ports) : strlen(ports), 1, 65535, &first) < 0)
		goto bad;
	last = first;
	if (dash && parse_u64(dash + 1, first, 65535, &last) < 0)
		goto bad;
	if (o->n_loopback == POLICY_PORTS_MAX)
		return err_invalid(e, ERR_USAGE, "expected at most %d of them", POLICY_PORTS_MAX);
	p.first = (uint16_t)first;
	p.last = (uint16_t)last;
	o->loopback[o->n_loopback++] = p;
	return 0;
bad:
	return err_invalid(
		e, ERR_USAGE,
		"expected tcp:PORT, udp:PORT, tcp:FIRST-LAST, udp:FIRST-LAST or all, found "
		"\"%.80s\"",
		value);
}

static int set_mac(void *into, const char *value, struct err *e)
{
	struct options *o = into;
	int r = mac_parse(value, &o->mac, e);

	o->has_mac = r == 0;
	return r;
}

/* An address of the family or the name of an interface; which address that has is for later. */
static int set_outbound(struct options *o, int fam, const char *value, struct err *e)
{
	struct ip ip;

	if (ip_parse(value, &ip, NULL) == 0) {
		if (ip_fam(&ip) != fam)
			return err_invalid(e, ERR_USAGE,
					   "expected an IPv%d address or an interface, found "
					   "\"%.80s\"",
					   fam == FAM4 ? 4 : 6, value);
	} else if (name_check_ifname(value, "interface", NULL) < 0) {
		return err_invalid(e, ERR_USAGE,
				   "expected an IPv%d address or an interface, found \"%.80s\"",
				   fam == FAM4 ? 4 : 6, value);
	}
	o->outbound[fam] = value;
	return 0;
}

static int set_outbound4(void *into, const char *value, struct err *e)
{
	return set_outbound(into, FAM4, value, e);
}

static int set_outbound6(void *into, const char *value, struct err *e)
{
	return set_outbound(into, FAM6, value, e);
}

static int set_publish(void *into, const char *value, struct err *e)
{
	struct publish p;
	int r = publish_parse(value, &p, e);

	if (r == 0 && p.proto == IPPROTO_SCTP)
		r = err_set(e, ERR_UNSUPPORTED, 0,
			    "\"%.80s\": SCTP cannot be carried without privilege", value);
	return r < 0 ? r : publish_list_add(&((struct options *)into)->publish, &p, e);
}

/* "8080", "8000-8010", "53/udp": taken out of what was published before it. */
static int set_except(void *into, const char *value, struct err *e)
{
	struct publish p;
	int r = publish_parse(value, &p, e);

	if (r == 0 && (p.host_ip.family != 0 || p.host_port == 0 || p.host_port != p.ctr_port))
		r = err_invalid(e, ERR_USAGE, "expected PORT[-PORT][/tcp|udp], found \"%.80s\"",
				value);
	if (r == 0)
		r = publish_list_add(&((struct options *)into)->except, &p, e);
	return r < 0 ? r
		     : publish_list_except(&((struct options *)into)->publish, p.proto, p.host_port,
					   (uint16_t)(p.host_port + p.count - 1), e);
}

static int set_to(void *into, const char *value, struct err *e)
{
	struct options *o = into;

	return attach_egress_parse_list(value, false, &o->egress, &o->names, e);
}

static int set_not_to(void *into, const char *value, struct err *e)
{
	struct options *o = into;

	return attach_egress_parse_list(value, true, &o->egress, &o->names, e);
}

static int set_rate_in(void *into, const char *value, struct err *e)
{
	return attach_rate_parse(value, &((struct options *)into)->rates.in, e) < 0 ? -EINVAL : 0;
}

static int set_rate_out(void *into, const char *value, struct err *e)
{
	return attach_rate_parse(value, &((struct options *)into)->rates.out, e) < 0 ? -EINVAL : 0;
}

FLAG(set_publish_auto, is_publish_auto, true)
FLAG(set_kept, is_netns_kept, true)

static int set_local(void *into, const char *value, struct err *e)
{
	static const char *const words[] = {"gateway", "splice", NULL};
	int i = choose(value, words, e);

	if (i < 0)
		return i;
	((struct options *)into)->local = i == 0 ? PORT_LOCAL_GATEWAY : PORT_LOCAL_SPLICE;
	return 0;
}

static const struct opt table[] = {
	{'c', "configure", NULL, "configure the interface: address, route, MTU, up", set_configure},
	{'e', "exit-fd", "FD", "end when the other end of this pipe is closed", set_exit_fd},
	{'r', "ready-fd", "FD", "write \"1\" to it, and close it, when traffic works",
	 set_ready_fd},
	{0, "flows-fd", "FD",
	 "memory file that tells the next one of connections that this one leaves", set_kept_fd},
	{'m', "mtu", "N", "MTU of the interface (1500; at most 65521)", set_mtu},
	{'6', "enable-ipv6", NULL, "IPv6 too", set_ipv6},
	{'a', "api-socket", "PATH", "control socket: JSON requests", set_api},
	{0, "cidr", "NET/LEN", "IPv4 network (10.0.2.0/24)", options_set_cidr},
	{0, "cidr6", "NET/64", "IPv6 network (fd00::/64)", options_set_cidr6},
	{0, "guest-addr", "IPV4", "address of the interface (10.0.2.100), and so its /24",
	 options_set_guest},
	{0, "guest-addr6", "IPV6", "the same for IPv6 (fd00::100), and its /64",
	 options_set_guest6},
	{0, "disable-host-loopback", NULL, "keep 127.0.0.1 of the host closed (it is)",
	 set_loopback_off},
	{0, "no-host-loopback", NULL, "the same", set_loopback_off},
	{0, "host-loopback", "PROTO:PORT",
	 "open a port of the host's 127.0.0.1 and ::1 at the gateway's address", set_host_loopback},
	{0, "disable-dns", NULL, "no DNS server", set_dns_off},
	{0, "macaddress", "MAC", "MAC address of the interface, with --configure", set_mac},
	{0, "netns-type", "TYPE", "what the target is: pid, path or tapfd", set_kind},
	{0, "netns-kept", NULL, "go on when the process or the path that names it is gone",
	 set_kept},
	{0, "target-type", "TYPE",
	 "netns (default), or bess: the target is the path of a socket to make, for frames",
	 set_target_type},
	{0, "userns-path", "PATH", "user namespace to join for the network namespace", set_userns},
	{0, "outbound-addr", "IPV4|IFACE", "source address of what goes out", set_outbound4},
	{0, "outbound-addr6", "IPV6|IFACE", "the same for IPv6", set_outbound6},
	{0, "to", "DEST[,...]",
	 "PREFIX or NAME[:PORT[-PORT]]: there it may open connections to, and nowhere else",
	 set_to},
	{0, "not-to", "DEST[,...]", "and there it may not, whatever --to says", set_not_to},
	{0, "rate-in", "RATE", "limit of TCP and UDP to the container, as 250mbit", set_rate_in},
	{0, "rate-out", "RATE", "limit of what comes from it", set_rate_out},
	{'p', "publish", "SPEC",
	 "publish ports: [HOSTIP:]HOST[-HOST][:CTR[-CTR]][/tcp|udp]; HOST 0: a free one",
	 set_publish},
	{0, "publish-except", "PORT[-PORT][/udp]", "but not these of those before", set_except},
	{0, "publish-auto", NULL, "publish what programs in the namespace listen on",
	 set_publish_auto},
	{0, "local-client", "MODE",
	 "clients on this host come in as the gateway, or (splice) as the container itself",
	 set_local},
	{0, "engine", "ENGINE",
	 "how TCP of containers behind the namespace is served: tap, relay, auto (auto)",
	 set_engine},
	{0, "for-network", NULL, "the namespace forwards for others", set_is_network},
	{0, "sandbox", "MODE", "on (default), strict (refuse to run with less), off", set_sandbox},
	{0, "enable-sandbox", NULL, "accepted; it is on", set_nothing},
	{0, "create-sandbox", NULL, "accepted; it is on", set_nothing},
	{0, "enable-seccomp", NULL, "accepted; it is on", set_nothing},
	{0, "pcap", "FILE", "write all frames to a capture file", set_pcap},
	{0, "log-level", "LEVEL", "error, warn, info or debug (info)", set_log_level},
	{0, "log-file", "FILE", "append messages to a file", set_log_file},
	{0, "background", NULL, "return when ready and go on in the background", set_background},
	{0, "name", "ID", "name of this instance, for the control socket's status", set_name},
	{'v', "version", NULL, "print the version", set_version},
	{0},
};

static const struct opt_verb verb = {
	.name = "slirp-lite",
	.operands = "PID|PATH|FD [TAPNAME]",
	.summary = "User-mode networking for a network namespace, without privilege.",
	.notes = "PID or PATH names the network namespace, FD a tap device (--netns-type=tapfd). "
		 "TAPNAME is\nthe interface in it (tap0); one that is there is used.",
	.opts = table,
	.max_operands = (size_t)-1,
};

const struct opt_verb *options_verb(void)
{
	return &verb;
}

void options_help(const struct options *o)
{
	struct opt_verb v = verb;

	v.name = "";
	opt_help(o->program, &v);
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static int check_target(struct options *o, struct err *e)
{
	uint32_t n;
	int r;

	if (o->is_bess) {
		const char *other = o->is_configured         ? "--configure"
				    : o->kind != TARGET_AUTO ? "--netns-type"
				    : o->userns_path         ? "--userns-path"
							     : NULL;

		if (other)
			return err_invalid(e, ERR_USAGE, "%s: conflicts with --target-type=bess",
					   other);
		o->kind = TARGET_BESS;
	}
	if (o->kind == TARGET_AUTO)
		o->kind =
			is_number(o->target) || !strchr(o->target, '/') ? TARGET_PID : TARGET_PATH;
	switch (o->kind) {
	case TARGET_PID:
		r = opt_u32(o->target, 1, INT_MAX, &n, e);
		if (r < 0)
			return err_ctx(e, r, "PID");
		o->target_pid = (int)n;
		return 0;
	case TARGET_TAPFD:
		if (o->userns_path)
			return err_invalid(e, ERR_USAGE,
					   "--userns-path: cannot be used with --netns-type=tapfd");
		return err_ctx(e, parse_fd(o->target, &o->target_fd, e), "FD");
	default:
		return *o->target ? 0 : err_invalid(e, ERR_USAGE, "PATH: expected one, found \"\"");
	}
}

static int check_together(const struct options *o, struct err *e)
{
	int r = publish_check_list(o->publish.p, o->publish.n, e);

	if (r < 0)
		return err_ctx(e, r, "--publish");
	if (o->has_mac && !o->is_configured)
		return err_invalid(
			e, ERR_USAGE,
			"--macaddress: cannot be specified when --configure or -c is not "
			"specified");
	if (o->is_configured && o->kind == TARGET_TAPFD)
		return err_invalid(e, ERR_USAGE,
				   "--configure: cannot be used with --netns-type=tapfd");
	if (o->is_ipv6 && o->mtu < MTU_MIN6 && !o->is_slirp4netns)
		return err_invalid(e, ERR_USAGE, "--mtu: %u is too small for --enable-ipv6 (%d)",
				   o->mtu, MTU_MIN6);
	if (o->is_loopback_off && (o->is_loopback_open || o->n_loopback > 0))
		return err_invalid(e, ERR_USAGE,
				   "--host-loopback: cannot be used with --disable-host-loopback");
	if (o->engine == ENGINE_RELAY && (o->kind == TARGET_TAPFD || o->kind == TARGET_BESS))
		return err_invalid(e, ERR_USAGE, "--engine: relay needs a namespace, not a %s",
				   o->kind == TARGET_BESS ? "socket" : "tap");
	if ((o->rates.in || o->rates.out) && (o->is_network || o->engine == ENGINE_RELAY))
		return err_invalid(
			e, ERR_USAGE,
			"--rate-in, --rate-out: the tap engine's, not with --engine relay "
			"or --for-network");
	if (o->exit_fd >= 0 && o->exit_fd == o->ready_fd)
		return err_invalid(e, ERR_USAGE, "--ready-fd: %d is what --exit-fd was given too",
				   o->ready_fd);
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct err *e)
{
	const bool is_slirp4netns = slirp4netns_is_name(argv[0]);
	struct options o = {
		.program = is_slirp4netns ? "slirp4netns" : "slirp-lite",
		.is_slirp4netns = is_slirp4netns,
		/* Its clients know the gateway's address as theirs. */
		.local = is_slirp4netns ? PORT_LOCAL_GATEWAY : PORT_LOCAL_SPLICE,
		.exit_fd = -1,
		.ready_fd = -1,
		.kept_fd = -1,
		.target_fd = -1,
		.mtu = 1500,
		.log_level = LOG_LEVEL_INFO,
		.tap = "tap0",
	};
	size_t n;
	int r = opt_parse(&verb, argc, argv, &o, &n, e);

	if (r < 0)
		return r;
	o.is_help = r == 1;
	if (!o.is_help && !o.is_version) {
		if (n == 0)
			return err_invalid(e, ERR_USAGE,
					   "expected PID, PATH or FD; see \"slirp-lite --help\"");
		o.target = argv[1];
		o.has_extra = n > 2;
		r = check_target(&o, e);
		if (r == 0 && n > 1)
			r = name_check_ifname(argv[2], "TAPNAME", e);
		if (r == 0)
			r = check_together(&o, e);
		if (r == 0)
			r = options_settle_net(&o, e);
		if (r < 0)
			return r;
		if (n > 1)
			memcpy(o.tap, argv[2], strlen(argv[2]) + 1);
		/* What comes by other ways than the tap is not counted. */
		if (o.rates.in || o.rates.out)
			o.local = PORT_LOCAL_GATEWAY;
		/* Its clients ask for IPv6 whatever the MTU is, and get what is possible. */
		o.is_without_ipv6 = o.is_ipv6 && o.mtu < MTU_MIN6;
		o.is_ipv6 = o.is_ipv6 && !o.is_without_ipv6;
	}
	*ret = o;
	return 0;
}

void options_limits(const struct options *o, struct worker_config *ret)
{
	*ret = (struct worker_config){
		.tcp_max = 65536,
		.udp_max = 16384,
		.ping_max = 256,
		.memory_max = (size_t)64 << 20,
		.local_max = 4096,
		.through_max = 32768,
		.udp_once_s = 30,
		.udp_stream_s = 120,
		.is_pcap = o->pcap != NULL,
		.rates = o->rates,
	};
	if (o->engine != ENGINE_RELAY)
		ret->through_max = 0;
	else
		ret->tcp_max /= 4; /* mostly those whose host has not answered yet */
}

void options_config(const struct options *o, struct worker_config *ret)
{
	struct worker_config c;
	struct plan *p = &c.policy.plan;

	options_limits(o, &c);
	for (int f = 0; f < (o->is_ipv6 ? N_FAM : FAM6); f++) {
		const struct alone a = alone_plan(&o->net[f], &o->guest[f]);

		p->net[f] = a.net;
		p->gateway[f] = a.gateway;
		p->guest[f] = a.guest;
		if (!o->is_dns_off)
			p->dns[f] = a.dns;
	}
	p->our_mac = mac_from_ip(&p->gateway[FAM4]);
	if (o->is_configured)
		p->guest_mac = o->has_mac ? o->mac : mac_from_ip(&p->guest[FAM4]);
	p->mtu = o->mtu;
	p->is_forwarding = o->is_network || o->engine == ENGINE_RELAY;
	p->is_dhcp[FAM4] = p->is_dhcp[FAM6] = p->is_ra = !o->is_configured;
	c.policy.is_loopback_open = o->is_loopback_open;
	c.policy.n_loopback = o->n_loopback;
	memcpy(c.policy.loopback, o->loopback, sizeof(c.policy.loopback));
	c.policy.egress = o->egress;
	c.policy.names = o->names;
	c.is_raw_link = o->kind == TARGET_BESS;
	*ret = c;
}
