/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ping: a ping socket (ping(4) of icmp(7)) takes an echo request with its header and puts its own
 * id into it; what it receives are replies to that id only. RFC 792, RFC 4443 4, RFC 1122 3.2.2.6,
 * RFC 5508.
 */
#include "dgram/ping.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dgram/hosterr.h"
#include "dgram/mapping.h"
#include "wire/bytes.h"
#include "wire/icmp.h"

#define REPLIES 16 /* a call; the loop comes back for more */
#define ERRORS 16
#define TRIES 4

struct ping {
	struct ping_env env;
	struct mappings *mappings;
	struct hosterr err;
	uint8_t data[65536];
};

static void on_socket(struct source *s, uint32_t events, uint64_t now);

int ping_new(const struct ping_env *env, struct ping **ret, struct err *e)
{
	struct ping *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot make the ping table");
	g->env = *env;

	int r = mappings_new(&(struct mappings_env){.host = env->host,
						    .loop = env->loop,
						    .wheel = env->wheel,
						    .stats = env->stats,
						    .policy = env->policy,
						    .kind = HOST_PING,
						    .max = env->max,
						    .once_ms = PING_IDLE_MS,
						    .stream_ms = PING_IDLE_MS,
						    .fn = on_socket,
						    .arg = g},
			     &g->mappings, e);
	if (r < 0) {
		free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void ping_free(struct ping *g)
{
	if (!g)
		return;
	mappings_free(g->mappings);
	free(g);
}

uint32_t ping_count(const struct ping *g)
{
	return mappings_count(g->mappings);
}

static uint8_t proto_of(int family)
{
	return family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

/* --- back to the container ----------------------------------------------------------------- */

static void emit_reply(struct ping *g, const struct ip *from, const struct ip *to, uint16_t id,
		       uint16_t seq, uint8_t tos, const uint8_t *data, size_t len)
{
	const struct emit_ip h = {.src = *from,
				  .dst = *to,
				  .proto = proto_of(to->family),
				  .tos = tos,
				  .csum_offset = 2};
	const struct iovec iov = {(void *)data, len};
	uint8_t l4[ICMP_HDR_LEN];

	icmp_build(l4, to->family == AF_INET ? ICMP_V4_ECHO_REPLY : ICMP_V6_ECHO_REPLY, 0,
		   (uint32_t)id << 16 | seq);
	emit_packet(g->env.emit, &h, l4, sizeof(l4), &iov, 1);
}

static bool may_answer(const struct ping *g, const struct mapping *m, const struct ip *from)
{
	struct ip to;

	return from->family == m->in.family &&
	       policy_check(g->env.policy, proto_of(from->family), from, 0, &to) == POLICY_ALLOW &&
	       !ip_equal(from, &m->in);
}

static uint8_t tos_of(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
			int value = 0;
			size_t len = c->cmsg_len - CMSG_LEN(0);

			/* One byte of IPv4, a number of IPv6 (ip(7), RFC 3542 6.5). */
			if (c->cmsg_level == IPPROTO_IP && len >= 1)
				return *CMSG_DATA(c);
			if (len >= sizeof(value))
				memcpy(&value, CMSG_DATA(c), sizeof(value));
			return (uint8_t)value;
		}
	}
	return 0;
}

/* Tells and takes away what the error queue holds; whether a call of ours was refused is among it.
 */
static unsigned drain_errors(struct ping *g, struct mapping *m, uint64_t now, bool *ret_is_local)
{
	struct hosterr *e = &g->err;
	const bool is_v4 = m->in.family == AF_INET;
	unsigned n = 0;

	*ret_is_local = false;
	for (; n < ERRORS && hosterr_next(g->env.host, m->source.fd, m->in.family, e); n++) {
		struct sent s = m->sent;
		uint8_t l4[ICMP_HDR_LEN];
		struct icmp_v v;

		*ret_is_local |= e->is_local;
		if (!e->is_icmp || (e->dst.family && e->dst.family != m->in.family))
			continue;
		/* The queue keeps the request as it was sent, with the host's id. */
		if (!e->is_local && icmp_parse(e->data, e->len, &v) == 0 &&
		    (uint16_t)v.info != s.port) {
			s.port = (uint16_t)v.info;
			s.csum = 0;
			s.id = 0;
		}
		if (e->dst.family)
			s.dst = e->dst;
		icmp_build(l4, is_v4 ? ICMP_V4_ECHO : ICMP_V6_ECHO, 0,
			   (uint32_t)m->port << 16 | s.port);

		struct out o = out_of(l4, sizeof(l4));

		o.len = 2;
		out_u16(&o, s.csum);
		e->len = e->is_local || e->len < ICMP_HDR_LEN ? 0 : e->len - ICMP_HDR_LEN;
		memmove(e->data, e->data + ICMP_HDR_LEN, e->len);
		hosterr_emit(g->env.emit, g->env.policy, m, proto_of(m->in.family), e, &s, l4,
			     sizeof(l4), now);
	}
	return n;
}

static bool receive_one(struct ping *g, struct mapping *m, uint64_t now)
{
	_Alignas(struct cmsghdr) uint8_t control[64];
	struct sockaddr_storage name = {0};
	struct iovec iov = {g->data, sizeof(g->data)};
	struct msghdr h = {.msg_name = &name,
			   .msg_namelen = sizeof(name),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	const uint8_t type = m->in.family == AF_INET ? ICMP_V4_ECHO_REPLY : ICMP_V6_ECHO_REPLY;
	ssize_t n = g->env.host->recvmsg(m->source.fd, &h, MSG_DONTWAIT);
	struct icmp_v v;
	struct ip from;
	uint16_t port;
	bool is_local;

	if (n < 0)
		return n != -EAGAIN && drain_errors(g, m, now, &is_local) > 0;
	if (icmp_parse(g->data, (size_t)n, &v) < 0 || v.type != type || v.code != 0 ||
	    host_from_sockaddr(&name, h.msg_namelen, &from, &port) < 0 ||
	    !may_answer(g, m, &from)) {
		g->env.stats->n[STAT_DROP_ANSWER]++;
		return true;
	}
	mapping_touch(m, true, now);
	emit_reply(g, &from, &m->in, m->port, (uint16_t)v.info, tos_of(&h), v.payload, v.len);
	return true;
}

static void on_socket(struct source *s, uint32_t events, uint64_t now)
{
	struct mapping *m = mapping_of(s);
	struct ping *g = mappings_env(m->owner)->arg;
	bool is_local;

	if (events & EPOLLERR)
		drain_errors(g, m, now, &is_local);
	for (unsigned i = 0; (events & EPOLLIN) && i < REPLIES; i++) {
		if (!receive_one(g, m, now))
			return;
	}
}

/* --- from the container -------------------------------------------------------------------- */

static void refuse(struct ping *g, const struct ip_packet *p, int sys, uint64_t now)
{
	struct hosterr e = {0};

	g->env.stats->n[STAT_DROP_SOCKET]++;
	hosterr_of_errno(p->src.family, sys, &e);
	if (!e.is_icmp)
		hosterr_of_errno(p->src.family, EACCES, &e);
	emit_icmp_error(g->env.emit, &e.from, e.type, e.code, e.info, p->start, p->total, now);
}

/* NULL: none to be had, which the container has been told. */
static struct mapping *mapping_for(struct ping *g, const struct ip_packet *p, uint16_t id,
				   uint64_t now)
{
	struct mapping *m = mappings_find(g->mappings, &p->src, id);
	int r;

	if (m) {
		mapping_touch(m, m->is_stream, now);
		if (m->is_denied)
			g->env.stats->n[STAT_DROP_SOCKET]++;
		return m->is_denied ? NULL : m;
	}
	m = mappings_take(g->mappings, &p->src, id, now);
	if (!m)
		return NULL;
	r = mapping_open(m, now);
	if (r < 0) {
		m->is_denied = true;
		refuse(g, p, -r, now);
		return NULL;
	}
	g->env.stats->n[STAT_PING_OPENED]++;
	return m;
}

static void note_sent(struct sent *s, const struct ip_packet *p, uint16_t seq, bool is_df)
{
	struct bytes ip = bytes_of(p->start, p->total), icmp = bytes_of(p->payload, p->len);

	bytes_take(&icmp, 2);
	*s = (struct sent){
		.dst = p->dst,
		.port = seq,
		.len = (uint16_t)p->len,
		.csum = bytes_u16(&icmp),
		.ttl = p->ttl,
		.tos = p->tos,
		.is_df = is_df,
	};
	if (p->src.family == AF_INET) {
		bytes_take(&ip, 4);
		s->id = bytes_u16(&ip);
	}
}

static void send_request(struct ping *g, struct mapping *m, const struct ip_packet *p, uint64_t now)
{
	struct sockaddr_storage sa;
	struct iovec iov = {(void *)p->payload, p->len};
	const struct msghdr h = {
		.msg_name = &sa,
		.msg_namelen = host_sockaddr(&p->dst, 0, &sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	for (unsigned i = 0; i < TRIES; i++) {
		bool is_local;
		ssize_t r = g->env.host->sendmsg(m->source.fd, &h, MSG_DONTWAIT);

		if (r >= 0)
			return;
		if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM) {
			g->env.stats->n[STAT_DROP_SEND]++;
			return;
		}

		const unsigned n = drain_errors(g, m, now, &is_local);

		if (is_local)
			return; /* told */
		if (hosterr_may_be_old((int)-r) && (n > 0 || i == 0))
			continue;
		g->env.stats->n[STAT_DROP_SEND]++;
		if (n > 0)
			return;
		hosterr_of_errno(p->src.family, (int)-r, &g->err);
		if (g->err.is_icmp)
			emit_icmp_error(g->env.emit, &(struct ip){0}, g->err.type, g->err.code, 0,
					p->start, p->total, now);
		return;
	}
}

static void forward(struct ping *g, const struct ip_packet *p, const struct icmp_v *v, bool is_df,
		    uint64_t now)
{
	const bool is_v4 = p->src.family == AF_INET;

	if (!is_v4 && ip_is_link_local(&p->src)) { /* RFC 4291 2.5.6 */
		g->env.stats->n[STAT_DROP_SOURCE]++;
		return;
	}
	if (p->ttl <= 1) {
		g->env.stats->n[STAT_DROP_TTL]++;
		emit_icmp_error(g->env.emit, &(struct ip){0}, is_v4 ? ICMP_V4_TIME : ICMP_V6_TIME,
				is_v4 ? ICMP_V4_TIME_TTL : ICMP_V6_TIME_HOPS, 0, p->start, p->total,
				now);
		return;
	}

	struct mapping *m = mapping_for(g, p, (uint16_t)(v->info >> 16), now);

	if (!m)
		return;
	mapping_set_options(m, (uint8_t)(p->ttl - 1), p->tos, is_df);
	note_sent(&m->sent, p, (uint16_t)v->info, is_df);
	send_request(g, m, p, now);
}

static void echo(struct ping *g, const struct ip_packet *p, const struct icmp_v *v, bool is_whole,
		 uint64_t now)
{
	const bool is_v4 = p->src.family == AF_INET;
	struct ip to;

	switch (policy_check(g->env.policy, p->proto, &p->dst, 0, &to)) {
	case POLICY_ALLOW:
		if (ip_equal(&to, &p->dst)) {
			forward(g, p, v, is_v4 ? p->is_df : is_whole, now);
			break;
		}
		/* fall through */
	case POLICY_GATEWAY:
	case POLICY_DNS:
		emit_reply(g, &p->dst, &p->src, (uint16_t)(v->info >> 16), (uint16_t)v->info,
			   p->tos, v->payload, v->len);
		break;
	case POLICY_FORBID:
		g->env.stats->n[STAT_DROP_EGRESS]++;
		audit_refused(g->env.policy->audit, p->proto, &p->src, &p->dst, 0, now);
		emit_icmp_error(g->env.emit, &(struct ip){0},
				is_v4 ? ICMP_V4_UNREACH : ICMP_V6_UNREACH,
				is_v4 ? ICMP_V4_UNREACH_ADMIN : ICMP_V6_UNREACH_ADMIN, 0, p->start,
				p->total, now);
		break;
	case POLICY_REFUSE:
		g->env.stats->n[STAT_DROP_POLICY]++;
		break;
	}
}

void ping_input(struct ping *g, const struct ip_packet *p, bool is_whole, uint64_t now)
{
	const uint8_t request = p->src.family == AF_INET ? ICMP_V4_ECHO : ICMP_V6_ECHO;
	struct icmp_v v;

	if (!ip_sum_ok(p)) {
		g->env.stats->n[STAT_DROP_CHECKSUM]++;
		return;
	}
	if (icmp_parse(p->payload, p->len, &v) < 0 || p->proto != proto_of(p->src.family) ||
	    v.type != request || v.code != 0) {
		g->env.stats->n[STAT_DROP_ICMP]++;
		return;
	}
	echo(g, p, &v, is_whole, now);
}
