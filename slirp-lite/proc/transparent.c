/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transparent: the path of a connection in the namespace. The container's SYN is routed to the tap
 * like everything else; when the host has connected, the worker writes the same SYN into the tap,
 * with a source MAC of its own that tells it from everything else: tproxy hands it to the listener,
 * and the kernel answers. All that follows finds the socket that came of it by the `socket`
 * expression, gets a mark, and is delivered here by policy routing. So no packet of it is
 * forwarded, and what belongs to no such socket goes on to the tap. Read the kernel's
 * Documentation/networking/tproxy.rst, ip(7) on IP_TRANSPARENT, tcp(7).
 */
#include "proc/transparent.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "net/divert.h"
#include "net/link.h"
#include "net/nft.h"
#include "net/route.h"
#include "net/rtnl.h"
#include "sys/probe.h"
#include "sys/sysctl.h"

/* Connections whose handshake is under way and those not yet taken: more than can come in the time
 * that the kernel waits for one (10,000 a second, tcp/flows.c), so that it never answers with
 * cookies: the socket that their answer belongs to is not there to be found. */
#define BACKLOG 65536
#define LOOPBACK_INDEX 1
/* Idle connections are looked after from this end, too. */
#define KEEP_IDLE_S 300
#define KEEP_INTVL_S 60
#define KEEP_COUNT 5

/* Clients of published ports. What they send may be translated on its way out, and answers are put
 * right only when they have been delivered here, so their socket is not found by their addresses:
 * the connection remembers whose it is. Answers of the namespace itself go by their route. What
 * comes by the tap is answered by the tap, whatever address it has. */
static void shown_rules(const char *tap, struct buf *out)
{
	buf_printf(out,
		   "chain shown {\n"
		   "type route hook output priority mangle; policy accept;\n"
		   "meta mark %#" PRIx32 " ct mark set meta mark accept\n"
		   "ct direction reply ct mark %#" PRIx32 " meta mark set %#" PRIx32 "\n"
		   "}\n"
		   "chain seen {\n"
		   "type filter hook prerouting priority mangle; policy accept;\n"
		   "iifname \"%s\" ct state new ct mark set %#" PRIx32 " accept\n"
		   "ct mark %#" PRIx32 " ct direction reply meta mark set %#" PRIx32 " accept\n"
		   "ct mark != %#" PRIx32 " accept\n"
		   "ct direction reply meta mark set %#" PRIx32 " accept\n"
		   "iifname \"%s\" ct mark set %#" PRIx32 "\n"
		   "}\n",
		   TRANSPARENT_MARK_SHOWN, TRANSPARENT_MARK_SHOWN, TRANSPARENT_MARK_IN, tap,
		   TRANSPARENT_MARK_BACK, TRANSPARENT_MARK_BACK, TRANSPARENT_MARK_BACK,
		   TRANSPARENT_MARK_SHOWN, TRANSPARENT_MARK_IN, tap, TRANSPARENT_MARK_BACK);
}

void transparent_back_rules(const char *tap, struct buf *out)
{
	buf_printf(out,
		   "table inet slirp-lite\ndelete table inet slirp-lite\n"
		   "table inet slirp-lite {\n"
		   "chain seen {\n"
		   "type filter hook prerouting priority mangle; policy accept;\n"
		   "iifname \"%s\" ct state new ct mark set %#" PRIx32 " accept\n"
		   "ct mark %#" PRIx32 " ct direction reply meta mark set %#" PRIx32 "\n"
		   "}\n"
		   "}\n",
		   tap, TRANSPARENT_MARK_BACK, TRANSPARENT_MARK_BACK, TRANSPARENT_MARK_BACK);
}

void transparent_rules(const char *tap, const struct plan *plan, const uint16_t ports[N_FAM],
		       struct buf *out)
{
	static const char syn[] = "tcp flags & (fin | syn | rst | ack) == syn";
	const struct mac mac = plan_second_mac(plan);
	char text[MAC_STRLEN];

	(void)mac_str(&mac, text);
	buf_printf(out, "table inet slirp-lite\ndelete table inet slirp-lite\n"
			"table inet slirp-lite {\n"
			"chain first {\n"
			"type filter hook prerouting priority raw; policy accept;\n");
	for (int f = 0; f < N_FAM; f++)
		if (ports[f])
			buf_printf(
				out,
				"iifname \"%s\" ether saddr %s meta nfproto %s %s notrack tproxy "
				"%s to %s:%u meta mark set %#" PRIx32 " accept\n",
				tap, text, f == FAM4 ? "ipv4" : "ipv6", syn,
				f == FAM4 ? "ip" : "ip6", f == FAM4 ? "127.0.0.1" : "[::1]",
				ports[f], TRANSPARENT_MARK_IN);
	buf_printf(out,
		   "iifname { \"%s\", \"lo\" } accept\n"
		   "meta l4proto != tcp accept\n"
		   "%s fib daddr oifname \"%s\" notrack accept\n"
		   /* Of each packet one look for its socket; one whose handshake is under way has
		    * no mark that could be asked for. */
		   "socket mark vmap { %#" PRIx32 " : goto away, %#" PRIx32 " : goto towards }\n"
		   "socket transparent 1 goto away\n"
		   "}\n"
		   "chain away {\n"
		   "notrack meta mark set %#" PRIx32 " accept\n"
		   "}\n"
		   "chain towards {\n"
		   "meta mark set %#" PRIx32 " accept\n"
		   "}\n"
		   "chain answers {\n"
		   "type filter hook output priority raw; policy accept;\n"
		   "meta mark %#" PRIx32 " notrack\n"
		   "}\n",
		   tap, syn, tap, TRANSPARENT_MARK_OUT, TRANSPARENT_MARK_SHOWN, TRANSPARENT_MARK_IN,
		   TRANSPARENT_MARK_IN, TRANSPARENT_MARK_OUT);
	shown_rules(tap, out);
	buf_printf(out, "}\n");
}

static int set(int fd, int level, int name, int value, const char *what, struct err *e)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0
		       ? err_sys(e, errno, "%s", what)
		       : 0;
}

/* What is accepted inherits all of it. */
static int set_options(int fd, int f, struct err *e)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int r = f == FAM4 ? set(fd, IPPROTO_IP, IP_TRANSPARENT, 1, "IP_TRANSPARENT", e)
			  : set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1, "IPV6_TRANSPARENT", e);

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		return err_sys(e, errno, "SO_LINGER");
	if (r == 0)
		r = set(fd, SOL_SOCKET, SO_MARK, (int)TRANSPARENT_MARK_OUT, "SO_MARK", e);
	if (r == 0 && f == FAM6)
		r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY", e);
	if (r == 0)
		r = set(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);
	if (r == 0)
		r = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S, "TCP_KEEPIDLE", e);
	if (r == 0)
		r = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTVL_S, "TCP_KEEPINTVL", e);
	if (r == 0)
		r = set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT, "TCP_KEEPCNT", e);
	return r < 0 ? r : set(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE", e);
}

static int open_listener(int f, int *ret_fd, uint16_t *ret_port, struct err *e)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *sa = f == FAM4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = f == FAM4 ? sizeof(v4) : sizeof(v6);
	CLEAN_FD int fd = socket(f == FAM4 ? AF_INET : AF_INET6,
				 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "socket");
	r = set_options(fd, f, e);
	if (r < 0)
		return r;
	if (bind(fd, sa, len) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, sa, &len) < 0)
		return err_sys(e, errno, "transparent listener");
	*ret_port = ntohs(f == FAM4 ? v4.sin_port : v6.sin6_port);
	*ret_fd = fd_take(&fd);
	return 0;
}

/* The SYN comes back over the tap from an address that is not there: no strict reverse path there.
 * The kernel takes the higher of "all" and the interface's own, so what "all" said is said for each
 * of the others. */
static int relax_reverse_path(const char *tap, struct err *e)
{
	static const char dir[] = "/proc/sys/net/ipv4/conf";
	char key[sizeof("net/ipv4/conf//rp_filter") + 256];
	struct dirent *d;
	int all = 0, own, r = sysctl_get_int("net/ipv4/conf/all/rp_filter", &all, e);
	DIR *list = r == 0 && all > 0 ? opendir(dir) : NULL;

	while (r == 0 && list && (d = readdir(list))) {
		(void)snprintf(key, sizeof(key), "net/ipv4/conf/%s/rp_filter", d->d_name);
		if (d->d_name[0] != '.' && strcmp(d->d_name, "all") != 0 &&
		    sysctl_get_int(key, &own, NULL) == 0 && own < all)
			r = sysctl_set_int(key, all, e);
	}
	if (list)
		closedir(list);
	(void)snprintf(key, sizeof(key), "net/ipv4/conf/%s/rp_filter", tap);
	if (r == 0)
		r = sysctl_set_int(key, 0, e);
	return r < 0 || all == 0 ? r : sysctl_set_int("net/ipv4/conf/all/rp_filter", 0, e);
}

static int tune(const char *tap, struct err *e)
{
	static const struct {
		const char *key, *value;
	} values[] = {
		/* A port that is used again must not find the memory of a connection before: the
		 * container's own kernel keeps it. */
		{"net/ipv4/tcp_max_tw_buckets", "0"},
		{"net/core/somaxconn", "65536"},
		{"net/ipv4/tcp_max_syn_backlog", "65536"},
		{"net/ipv4/tcp_synack_retries", "1"},
		/* Five SYNs, 31 s in all: a container that does not answer at all. */
		{"net/ipv4/tcp_syn_retries", "4"},
		/* What lies here of one connection. */
		{"net/ipv4/tcp_rmem", "4096 131072 786432"},
		{"net/ipv4/tcp_wmem", "4096 65536 524288"},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(values) / sizeof(values[0]); i++)
		r = sysctl_set_text(values[i].key, values[i].value, e);
	/* Between here and the container is no queue to share with others: what paces its segments
	 * (bbr) sets a timer for each burst in vain. Every kernel has this one for everybody. */
	(void)sysctl_set_text("net/ipv4/tcp_congestion_control", "reno", NULL);
	/* Clients' ports are below 1024, too; where this is not to be had those come by the tap. */
	(void)sysctl_set_int("net/ipv4/ip_unprivileged_port_start", 0, NULL);
	return r < 0 ? r : relax_reverse_path(tap, e);
}

static int lead_back(struct rtnl_batch *b, int f, uint32_t tap, const struct plan *plan,
		     struct err *e)
{
	const struct route_spec way = {.dst.ip.family = plan->gateway[f].family,
				       .gateway = plan->gateway[f],
				       .ifindex = tap,
				       .beside = true,
				       .table = TRANSPARENT_TABLE_BACK};
	int r = divert_rule_add(b, plan->gateway[f].family, TRANSPARENT_MARK_BACK,
				TRANSPARENT_TABLE_BACK, e);

	return r < 0 ? r : route_add(b, &way, e);
}

static int set_routes(const char *tap, const struct plan *plan, const int listen_fd[N_FAM],
		      struct err *e)
{
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	CLEAN_RTNL struct rtnl *rtnl = NULL;
	struct link_info link = {0};
	int r = rtnl_open(&rtnl, e);

	if (r == 0)
		r = link_get(rtnl, tap, &link, e);
	if (r > 0)
		r = err_set(e, ERR_ABSENT, 0, "interface %s is gone", tap);
	if (r == 0)
		r = rtnl_batch_new(rtnl, &b, e);
	if (r == 0)
		r = link_set_up(b, LOOPBACK_INDEX, e);
	for (int f = 0; r == 0 && f < N_FAM; f++)
		if (listen_fd[f] >= 0)
			r = divert_add(b, f == FAM4 ? AF_INET : AF_INET6, TRANSPARENT_MARK_IN,
				       TRANSPARENT_TABLE, e);
	for (int f = 0; r == 0 && f < N_FAM; f++)
		if (plan->net[f].ip.family && plan->gateway[f].family)
			r = lead_back(b, f, link.index, plan, e);
	return r < 0 ? r : rtnl_batch_run(b, e);
}

static int look_routing(struct err *e)
{
	if (probe_allowed(PROBE_POLICY_ROUTING))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, 0, "no policy routing (%s)",
		       probe_name(PROBE_POLICY_ROUTING));
}

static int look_allowed(struct err *e)
{
	if (!probe_allowed(PROBE_TPROXY))
		return err_set(e, ERR_UNSUPPORTED, 0, "no transparent proxying (%s)",
			       probe_name(PROBE_TPROXY));
	return look_routing(e);
}

int transparent_prepare(const char *tap, const struct plan *plan, int ret_listen[N_FAM],
			struct err *e)
{
	CLEAN_BUF struct buf rules = BUF_INIT;
	int fds[N_FAM] = {-1, -1};
	uint16_t ports[N_FAM] = {0};
	int r = look_allowed(e);

	/* The length of a listener's queues is that of when it began to listen. */
	if (r == 0)
		r = tune(tap, e);
	for (int f = 0; r == 0 && f < N_FAM; f++)
		if (plan->net[f].ip.family)
			r = open_listener(f, &fds[f], &ports[f], e);
	if (r == 0)
		r = err_ctx(e, set_routes(tap, plan, fds, e), "policy routing");
	if (r == 0) {
		transparent_rules(tap, plan, ports, &rules);
		r = rules.failed ? err_set(e, ERR_INTERNAL, ENOMEM, "rules")
				 : err_ctx(e, nft_run(rules.p, e), "transparent proxying");
	}
	/* Those of a start before would keep what containers send from the tap engine: their SYN
	 * goes without translation. */
	if (r < 0)
		(void)nft_run("table inet slirp-lite\ndelete table inet slirp-lite\n", NULL);
	for (int f = 0; f < N_FAM; f++) {
		if (r == 0)
			ret_listen[f] = fd_take(&fds[f]);
		fd_closep(&fds[f]);
	}
	return r;
}

int transparent_lead_back(const char *tap, const struct plan *plan, struct err *e)
{
	static const int none[N_FAM] = {-1, -1};
	CLEAN_BUF struct buf rules = BUF_INIT;
	int r = look_routing(e);

	if (r == 0)
		r = relax_reverse_path(tap, e);
	if (r == 0)
		r = err_ctx(e, set_routes(tap, plan, none, e), "policy routing");
	if (r < 0)
		return r;
	transparent_back_rules(tap, &rules);
	return rules.failed ? err_set(e, ERR_INTERNAL, ENOMEM, "rules")
			    : err_ctx(e, nft_run(rules.p, e), "connection marks");
}
