/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp: what comes from the container is checked here, finds its socket and is handed to udp_send;
 * errors that a socket reports are told. RFC 768; RFC 1122 4.1.3; RFC 8200 8.1 (no zero checksum);
 * RFC 1812 5.3.1 (hop limit).
 */
#include "dgram/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dgram/udp_int.h"
#include "wire/bytes.h"
#include "wire/icmp.h"

#define DRAIN_MAX 32
#define SEGMENTS_MAX 128 /* of a super-frame: no kernel makes more (UDP_MAX_SEGMENTS) */

static void on_socket(struct source *s, uint32_t events, uint64_t now);
static void on_closing(struct mapping *m, uint64_t now);

int udp_new(const struct udp_env *env, struct udp **ret, struct err *e)
{
	struct udp *u = calloc(1, sizeof(*u));

	if (!u)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot make the UDP tables");
	u->env = *env;
	u->arena = malloc(UDP_ARENA);
	u->rx.data = malloc(UDP_RX * sizeof(*u->rx.data));
	if (!u->arena || !u->rx.data) {
		udp_free(u);
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot make the UDP buffers");
	}
	int r = udp_ports_init(u, e);
	if (r == 0)
		r = mappings_new(&(struct mappings_env){.host = env->host,
							.loop = env->loop,
							.wheel = env->wheel,
							.stats = env->stats,
							.policy = env->policy,
							.kind = HOST_UDP,
							.max = env->max,
							.once_ms = env->once_ms,
							.stream_ms = env->stream_ms,
							.fn = on_socket,
							.closing = on_closing,
							.arg = u},
				 &u->mappings, e);
	if (r < 0) {
		udp_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

void udp_free(struct udp *u)
{
	if (!u)
		return;
	udp_ports_close(u);
	mappings_free(u->mappings);
	free(u->arena);
	free(u->rx.data);
	free(u);
}

uint32_t udp_count(const struct udp *u)
{
	return mappings_count(u->mappings);
}

/* --- errors -------------------------------------------------------------------------------- */

void udp_tell(struct udp *u, struct mapping *m, const struct hosterr *e, const struct ip *dst,
	      uint16_t port, size_t len, uint64_t now)
{
	struct sent s = m->sent;
	uint8_t l4[UDP_HDR_LEN];

	if (!e->is_icmp || dst->family != m->in.family)
		return;
	if (!ip_equal(dst, &s.dst) || port != s.port) {
		/* An older one to somebody else: what is known is what the error says. */
		s = (struct sent){
			.dst = *dst,
			.port = port,
			.len = (uint16_t)(UDP_HDR_LEN + len),
			.is_df = true,
		};
	}
	udphdr_build(l4, m->port, s.port, s.csum, s.len - (size_t)UDP_HDR_LEN);
	hosterr_emit(u->env.emit, u->env.policy, m, IPPROTO_UDP, e, &s, l4, sizeof(l4), now);
}

unsigned udp_drain_errors(struct udp *u, struct mapping *m, const struct run *sending, uint64_t now,
			  bool *ret_is_local)
{
	struct hosterr *e = &u->err;
	unsigned n = 0;

	*ret_is_local = false;
	while (n < DRAIN_MAX && hosterr_next(u->env.host, m->source.fd, m->in.family, e)) {
		struct ip dst = m->sent.dst;
		uint16_t port = m->sent.port;
		size_t len = e->len;

		/* Of a local one the kernel does not say the port (ip_local_error). */
		if (e->is_local && sending) {
			dst = sending->dst;
			port = sending->to.port;
			len = sending->seg;
		} else if (e->dst.family && !e->is_local) {
			dst = policy_unmap(u->env.policy, &e->dst, &m->sent.dst);
			port = e->port;
		}
		n++;
		*ret_is_local |= e->is_local;
		udp_tell(u, m, e, &dst, port, len, now);
	}
	return n;
}

static void on_socket(struct source *s, uint32_t events, uint64_t now)
{
	struct mapping *m = mapping_of(s);
	struct udp *u = mappings_env(m->owner)->arg;
	bool is_local;

	u->n_events++;
	if (events & EPOLLERR)
		udp_drain_errors(u, m, NULL, now, &is_local);
	if (events & EPOLLIN)
		udp_receive(u, m, now);
}

void udp_take_heard(struct udp *u, unsigned *ret_events, unsigned *ret_messages)
{
	*ret_events = u->n_events;
	*ret_messages = u->n_messages;
	u->n_events = u->n_messages = 0;
}

void udp_forget_waiting(struct udp *u, const struct mapping *m)
{
	for (unsigned i = 0; i < u->n_waiting; i++) {
		if (u->waiting[i] == m)
			u->waiting[i] = NULL;
	}
}

/* What waits for a mapping that goes is sent before: eviction loses nothing. */
static void on_closing(struct mapping *m, uint64_t now)
{
	struct udp *u = mappings_env(m->owner)->arg;

	udp_flush_mapping(u, m, now);
	udp_forget_waiting(u, m);
}

/* --- from the container -------------------------------------------------------------------- */

static void answer(struct udp *u, const struct ip_packet *p, uint8_t type4, uint8_t code4,
		   uint8_t type6, uint8_t code6, uint64_t now)
{
	const bool is_v4 = p->src.family == AF_INET;

	emit_icmp_error(u->env.emit, &(struct ip){0}, is_v4 ? type4 : type6, is_v4 ? code4 : code6,
			0, p->start, p->total, now);
}

static bool is_sum_ok(const struct ip_packet *p, const struct udphdr_v *h,
		      const struct link_meta *m)
{
	if (m && m->is_partial)
		return true;
	if (m && m->is_valid)
		return h->csum != 0 || p->src.family == AF_INET;
	return udphdr_sum_ok(p, h);
}

/* A socket that the host does not give: told once for each datagram, within emit's rate. */
static void refuse(struct udp *u, const struct ip_packet *p, int sys, uint64_t now)
{
	struct hosterr e = {0};

	u->env.stats->n[STAT_DROP_SOCKET]++;
	hosterr_of_errno(p->src.family, sys, &e);
	if (!e.is_icmp) /* no memory, no buffers: for a while, by decision of this host */
		hosterr_of_errno(p->src.family, EACCES, &e);
	emit_icmp_error(u->env.emit, &e.from, e.type, e.code, e.info, p->start, p->total, now);
}

static struct mapping *mapping_for(struct udp *u, const struct ip_packet *p, uint16_t port,
				   uint64_t now)
{
	struct mapping *m = mappings_find(u->mappings, &p->src, port);

	if (m)
		return m;
	m = mappings_take(u->mappings, &p->src, port, now);
	if (!m)
		return NULL;

	int r = mapping_open(m, now);

	if (r < 0) {
		mapping_close(m, now);
		refuse(u, p, -r, now);
		return NULL;
	}
	u->env.stats->n[STAT_UDP_OPENED]++;
	return m;
}

static void note_sent(struct sent *s, const struct ip_packet *p, const struct udphdr_v *h,
		      const struct link_meta *m, uint16_t seg, bool is_df)
{
	struct bytes b = bytes_of(p->start, p->total);

	*s = (struct sent){
		.dst = p->dst,
		.port = h->dport,
		.len = (uint16_t)(UDP_HDR_LEN + (seg ? seg : h->len)),
		.csum = m && m->is_partial ? 0 : h->csum,
		.ttl = p->ttl,
		.tos = p->tos,
		.is_df = is_df,
	};
	if (p->src.family == AF_INET) {
		bytes_take(&b, 4);
		s->id = bytes_u16(&b);
	}
}

void udp_set_limit(struct udp *u, int i, struct limit *l)
{
	u->env.limit[i] = l;
}

bool udp_may_pass(struct udp *u, struct limit *l, size_t len, uint64_t now)
{
	if (!l || limit_admit(l, len, now))
		return true;
	u->env.stats->n[STAT_DROP_LIMIT]++;
	return false;
}

static void forward(struct udp *u, const struct ip_packet *p, const struct udphdr_v *h,
		    const struct link_meta *m, const struct ip *to, struct udp_client *client,
		    uint64_t now)
{
	/* The gateway's own services are no hop away. */
	const bool is_hop = client || ip_equal(to, &p->dst);
	const bool is_df = p->src.family == AF_INET ? p->is_df : m != NULL;
	uint16_t seg = m && m->gso == LINK_GSO_UDP ? m->gso_size : 0;
	struct sent s;

	if (p->src.family == AF_INET6 && ip_is_link_local(&p->src)) { /* RFC 4291 2.5.6 */
		u->env.stats->n[STAT_DROP_SOURCE]++;
		return;
	}
	if (seg && h->len > seg * (size_t)SEGMENTS_MAX) {
		u->env.stats->n[STAT_DROP_UDP]++;
		return;
	}
	if (is_hop && p->ttl <= 1) {
		u->env.stats->n[STAT_DROP_TTL]++;
		answer(u, p, ICMP_V4_TIME, ICMP_V4_TIME_TTL, ICMP_V6_TIME, ICMP_V6_TIME_HOPS, now);
		return;
	}
	struct mapping *map = client ? &client->port->m : mapping_for(u, p, h->sport, now);

	if (!map)
		return;
	if (seg >= h->len)
		seg = 0;

	const uint8_t ttl = (uint8_t)(is_hop ? p->ttl - 1 : p->ttl);

	if (!mapping_has_options(map, ttl, p->tos, is_df)) {
		udp_flush_mapping(u, map, now);
		mapping_set_options(map, ttl, p->tos, is_df);
	}
	struct udp_target target = {.to = *to, .port = h->dport};

	if (client)
		target = udp_port_answer(u, client, h->len, now);
	else
		mapping_touch(map, map->is_answered, now);
	note_sent(&s, p, h, m, seg, is_df);
	udp_send(u, map, &target, &s, h->payload, h->len, seg, now);
}

void udp_input(struct udp *u, const struct ip_packet *p, const struct link_meta *m, uint64_t now)
{
	struct udp_client *client;
	struct udphdr_v h;
	struct ip to;

	if (udphdr_parse(p->payload, p->len, &h) < 0 || h.sport == 0 || h.dport == 0) {
		u->env.stats->n[STAT_DROP_UDP]++;
		return;
	}
	if (!is_sum_ok(p, &h, m)) {
		u->env.stats->n[STAT_DROP_CHECKSUM]++;
		return;
	}
	client = udp_port_client(u, &p->src, h.sport, &p->dst, h.dport);
	if (client) {
		forward(u, p, &h, m, &p->dst, client, now);
		return;
	}
	switch (policy_check(u->env.policy, IPPROTO_UDP, &p->dst, h.dport, &to)) {
	case POLICY_ALLOW:
		forward(u, p, &h, m, &to, NULL, now);
		break;
	case POLICY_DNS:
		u->env.dns(u->env.arg, p, &h, now);
		break;
	case POLICY_GATEWAY:
		answer(u, p, ICMP_V4_UNREACH, ICMP_V4_UNREACH_PORT, ICMP_V6_UNREACH,
		       ICMP_V6_UNREACH_PORT, now);
		break;
	case POLICY_FORBID:
		u->env.stats->n[STAT_DROP_EGRESS]++;
		audit_refused(u->env.policy->audit, IPPROTO_UDP, &p->src, &p->dst, h.dport, now);
		answer(u, p, ICMP_V4_UNREACH, ICMP_V4_UNREACH_ADMIN, ICMP_V6_UNREACH,
		       ICMP_V6_UNREACH_ADMIN, now);
		break;
	case POLICY_REFUSE:
		u->env.stats->n[STAT_DROP_POLICY]++;
		break;
	}
}
