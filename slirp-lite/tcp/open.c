/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * open: from the container's SYN to the host's answer. What policy refuses is dropped; what the
 * gateway has closed, or the egress policy forbids, is refused as a closed port is. Errors of
 * connect() travel on as RFC 1122 4.2.3.9 and Linux's icmp(7) have it, so that the container's
 * connect() fails with the host's errno; a time-out is silence, which becomes the same in the
 * container. No descriptor left: the SYN is forgotten, and the container's retransmission is the
 * back-off.
 */
#include <errno.h>
#include <netinet/in.h>

#include "tcp/flow.h"
#include "wire/icmp.h"

/* The first promised window: one chunk of the pool. */
#define WINDOW_FIRST POOL_CHUNK

/* What fits into one IP packet with every option. */
#define SUPER_SEGMENT (65535u - IP4_HDR_LEN - TCP_HDR_MAX)

static struct tcb_conf conf_of(struct tcp *t, const struct flow_key *k, uint64_t now)
{
	return (struct tcb_conf){
		.isn = isn_make(&t->secret, k, now),
		.mss = t->mss[ip_fam(&k->guest)],
		.segment_max = SUPER_SEGMENT,
		.window = WINDOW_FIRST,
		.ts_base = isn_ts_base(&t->secret, k),
	};
}

struct unreachable {
	int sys;
	uint8_t code4, code6;
};

static const struct unreachable unreachables[] = {
	{ENETUNREACH, ICMP_V4_UNREACH_NET, ICMP_V6_UNREACH_ROUTE},
	{ENETDOWN, ICMP_V4_UNREACH_NET, ICMP_V6_UNREACH_ROUTE},
	{EAFNOSUPPORT, ICMP_V4_UNREACH_NET, ICMP_V6_UNREACH_ROUTE},
	{EADDRNOTAVAIL, ICMP_V4_UNREACH_NET, ICMP_V6_UNREACH_ROUTE},
	{EHOSTUNREACH, ICMP_V4_UNREACH_HOST, ICMP_V6_UNREACH_ADDR},
	{EHOSTDOWN, ICMP_V4_UNREACH_HOST, ICMP_V6_UNREACH_ADDR},
	{EINVAL, ICMP_V4_UNREACH_HOST, ICMP_V6_UNREACH_ADDR}, /* a blackhole route */
	{EACCES, ICMP_V4_UNREACH_ADMIN, ICMP_V6_UNREACH_ADMIN},
	{EPERM, ICMP_V4_UNREACH_ADMIN, ICMP_V6_UNREACH_ADMIN},
	{ENOPROTOOPT, ICMP_V4_UNREACH_PROTO, ICMP_V6_UNREACH_ADMIN},
};

/* The container's SYN as it may have come: enough for its kernel to find the socket. */
static size_t build_cause(const struct tcp_flow *f, uint8_t *out)
{
	const struct flow_key *k = &f->node.key;
	struct tcphdr_v h = {.sport = k->guest_port,
			     .dport = k->peer_port,
			     .seq = f->tcb.rcv_nxt - 1,
			     .flags = TCP_SYN};
	struct ip_build b = {.src = k->guest, .dst = k->peer, .proto = IPPROTO_TCP, .ttl = 64};
	size_t head = k->guest.family == AF_INET ? IP4_HDR_LEN : IP6_HDR_LEN;
	size_t len = tcphdr_build(out + head, &h);

	if (k->guest.family == AF_INET)
		ip_build4(out, &b, len);
	else
		ip_build6(out, &b, len);
	return head + len;
}

static void send_unreachable(struct tcp_flow *f, const struct unreachable *u, uint64_t now)
{
	const bool is_v4 = f->node.key.guest.family == AF_INET;
	static const struct ip gateway;
	uint8_t cause[IP6_HDR_LEN + TCP_HDR_MAX];
	size_t len = build_cause(f, cause);

	emit_icmp_error(f->owner->env.emit, &gateway, is_v4 ? ICMP_V4_UNREACH : ICMP_V6_UNREACH,
			is_v4 ? u->code4 : u->code6, 0, cause, len, now);
}

/* The host said no. Ends the flow. */
static void refuse(struct tcp_flow *f, int sys, uint64_t now)
{
	if (sys == ETIMEDOUT) {
		flow_end(f, false);
		return;
	}
	for (size_t i = 0; i < sizeof(unreachables) / sizeof(*unreachables); i++)
		if (unreachables[i].sys == sys) {
			send_unreachable(f, &unreachables[i], now);
			flow_end(f, false);
			return;
		}
	tcb_reset(&f->tcb);
	tx_output(f, now);
	flow_end(f, false);
}

static int set_source(struct tcp_flow *f, int fd, const struct ip *to)
{
	const struct tcp_env *env = &f->owner->env;
	const struct ip *from = &env->policy->outbound[ip_fam(to)];
	const int on = 1;
	struct sockaddr_storage sa;
	socklen_t len;

	if (from->family == 0 || ip_is_loopback(to))
		return 0;
	/* The port is picked by connect(), which may share it between destinations. */
	env->host->setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	len = host_sockaddr(from, 0, &sa);
	return env->host->bind(fd, (const struct sockaddr *)&sa, len);
}

static void on_host(struct source *s, uint32_t events, uint64_t now);

/* 0: under way; else -errno, and no socket is left. */
static int start(struct tcp_flow *f, const struct ip *to, uint32_t scope, uint16_t port)
{
	const struct tcp_env *env = &f->owner->env;
	struct sockaddr_storage sa;
	socklen_t len = host_sockaddr(to, port, &sa);
	int fd = env->host->socket(to->family, HOST_TCP), r;

	if (fd < 0)
		return fd;
	flow_guard_host(f->owner, fd);
	if (to->family == AF_INET6 && scope != 0) {
		struct sockaddr_in6 v6;

		memcpy(&v6, &sa, sizeof(v6));
		v6.sin6_scope_id = scope;
		memcpy(&sa, &v6, sizeof(v6));
	}
	r = set_source(f, fd, to);
	if (r == 0)
		r = env->host->connect(fd, (const struct sockaddr *)&sa, len);
	if (r == -EINPROGRESS)
		r = 0;
	f->src.fn = on_host;
	if (r == 0)
		r = loop_add(env->loop, &f->src, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	if (r < 0)
		env->host->close(fd);
	return r;
}

/* The next resolver that can be asked; false: none, and *sys says why. */
static bool start_dns(struct tcp_flow *f, uint64_t now, int *sys)
{
	const struct tcp_env *env = &f->owner->env;
	struct ip to;
	uint32_t scope = 0;
	uint16_t port;

	while (env->resolver && f->attempt < UINT8_MAX &&
	       env->resolver(env->arg, f->attempt, f->began, &to, &scope, &port)) {
		int r = start(f, &to, scope, port);

		if (r == 0)
			return true;
		*sys = -r;
		f->attempt++;
		env->resolver_failed(env->arg, &to, now);
	}
	return false;
}

/* The resolver of this attempt did not answer: the next one. */
static bool retry_dns(struct tcp_flow *f, uint64_t now, int *sys)
{
	const struct tcp_env *env = &f->owner->env;
	struct ip to;
	uint32_t scope;
	uint16_t port;

	flow_close_host(f, false);
	if (env->resolver(env->arg, f->attempt, f->began, &to, &scope, &port))
		env->resolver_failed(env->arg, &to, now);
	f->attempt++;
	return start_dns(f, now, sys);
}

static bool is_shortage(int sys)
{
	return sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM || sys == ENOSPC;
}

static void keep_syn(struct tcp_flow *f, const struct ip_packet *packet)
{
	size_t len = (size_t)(packet->payload[12] >> 4) * 4; /* checked by who parsed it */

	flow_set_others(f, true);
	syn_keep(&f->syn, packet->payload, len);
	f->syn.ttl = packet->ttl;
	f->syn.tos = packet->tos;
}

void open_passive(struct tcp *t, const struct flow_key *k, const struct tcphdr_v *syn,
		  const struct ip_packet *packet, uint64_t now)
{
	struct stats *stats = t->env.stats;
	struct tcb_conf conf;
	struct tcp_flow *f;
	enum policy_verdict v;
	struct ip to = {0};
	int sys = ECONNREFUSED, others;

	v = policy_check(t->env.policy, IPPROTO_TCP, &k->peer, k->peer_port, &to);
	if (v == POLICY_REFUSE) {
		stats->n[STAT_DROP_POLICY]++;
		return;
	}
	if (v == POLICY_GATEWAY || v == POLICY_FORBID) {
		if (v == POLICY_FORBID) {
			stats->n[STAT_DROP_EGRESS]++;
			audit_refused(t->env.policy->audit, IPPROTO_TCP, &k->guest, &k->peer,
				      k->peer_port, now);
		}
		flow_stray(t, k, syn, 0);
		return;
	}
	/* Silence: its next SYN comes in a second. */
	if (!bucket_take(&t->opens, now)) {
		stats->n[STAT_DROP_RATE]++;
		return;
	}
	f = flow_new(t, k);
	if (!f) {
		stats->n[STAT_DROP_TABLE_FULL]++;
		flow_stray(t, k, syn, 0);
		return;
	}
	others = t->env.is_others ? t->env.is_others(t->env.arg, k) : 0;
	if (others < 0) {
		stats->n[STAT_DROP_RATE]++;
		flow_end(f, false);
		return;
	}
	if (!others && !share_open(f)) {
		stats->n[STAT_DROP_RATE]++;
		flow_end(f, false);
		return;
	}
	conf = conf_of(t, k, now);
	tcb_open_passive(&f->tcb, &conf, syn, now);
	f->is_connecting = true;
	f->is_dns = v == POLICY_DNS;
	if (others)
		keep_syn(f, packet);
	if (f->is_dns) {
		f->began = now;
		if (start_dns(f, now, &sys))
			return;
	} else {
		sys = -start(f, &to, 0, k->peer_port);
		if (sys == 0)
			return;
	}
	if (is_shortage(sys)) {
		stats->n[STAT_DROP_SOCKET]++;
		flow_end(f, false);
		return;
	}
	refuse(f, sys, now);
}

/* Without a word when that fails: the container's SYN comes again. */
static void hand_over(struct tcp_flow *f, uint64_t now)
{
	const struct tcp_env *env = &f->owner->env;
	int fd = f->src.fd;

	loop_remove(env->loop, &f->src);
	if (env->hand_over(env->arg, &f->node.key, fd, &f->syn, f->tcb.rcv_nxt - 1, now) < 0) {
		env->stats->n[STAT_DROP_TABLE_FULL]++;
		f->src.fd = fd;
		flow_end(f, true);
		return;
	}
	f->src.fd = -1;
	flow_set_others(f, false);
	flow_end(f, false);
}

/* The host's connect() has ended. False: the flow is gone. */
static bool finish(struct tcp_flow *f, uint32_t events, uint64_t now)
{
	const struct tcp_env *env = &f->owner->env;
	int sys = 0;

	if (events & (EPOLLERR | EPOLLHUP))
		sys = host_error(env->host, f->src.fd);
	else if (!(events & EPOLLOUT))
		return true;
	if (sys == 0 && (events & EPOLLHUP) && !(events & EPOLLOUT))
		sys = ECONNREFUSED;
	if (sys != 0 && f->is_dns && retry_dns(f, now, &sys))
		return true;
	if (sys != 0) {
		refuse(f, sys, now);
		return false;
	}
	f->is_connecting = false;
	share_opened(f);
	env->stats->n[STAT_TCP_OPENED]++;
	if (f->is_others) {
		hand_over(f, now);
		return false;
	}
	tcb_accept(&f->tcb, now);
	flow_mark(f);
	return true;
}

static void on_host(struct source *s, uint32_t events, uint64_t now)
{
	struct tcp_flow *f = (struct tcp_flow *)((char *)s - offsetof(struct tcp_flow, src));

	if (f->is_connecting) {
		if (!finish(f, events, now) || f->is_connecting)
			return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		f->is_readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		f->is_hung_up = true;
	if (events & EPOLLERR)
		f->is_failed = true;
	if (events & EPOLLOUT)
		f->is_blocked = false;
	flow_mark(f);
}

bool tcp_has_room(const struct tcp *t, uint32_t n)
{
	uint32_t lasting = table_count(t->table) - t->n_waiting - t->n_others;

	return n <= table_max(t->table) - lasting;
}

bool tcp_has(const struct tcp *t, const struct flow_key *k)
{
	const struct tcp_flow *f = table_find(t->table, k);

	return f && !f->is_waiting;
}

int tcp_dial(struct tcp *t, const struct flow_key *k, int fd, struct port_tally *tally,
	     uint64_t now)
{
	struct tcb_conf conf = conf_of(t, k, now);
	struct tcp_flow *f = table_find(t->table, k);
	int r = 0;

	flow_guard_host(t, fd);
	/* RFC 9293 3.6.1: TIME_WAIT may be left for a connection whose ISN is higher. */
	if (f && f->is_waiting) {
		flow_end(f, false);
		f = NULL;
	}
	if (f) {
		f = NULL;
		r = -EADDRINUSE;
	} else {
		f = flow_new(t, k);
		r = f ? 0 : -ENOSPC;
	}
	if (r == 0) {
		tcb_open_active(&f->tcb, &conf, now);
		f->tally = tally;
		f->is_near = policy_is_near(t->env.policy, &k->peer) &&
			     emit_near_hold(t->env.emit, &k->peer);
		f->src.fn = on_host;
		r = loop_add(t->env.loop, &f->src, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	}
	if (r == 0) {
		if (tally)
			tally->flows++;
		flow_mark(f);
		return 0;
	}
	if (f)
		flow_end(f, true);
	t->env.host->close(fd);
	return r;
}
