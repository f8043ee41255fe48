/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp_recv: datagrams from a host socket to the container: a batch by one call, runs from one
 * sender as one super-frame, whether the host's kernel put them together (UDP_GRO) or they came one
 * by one. Any sender may answer (RFC 4787 REQ-8), but none that the container could not have
 * written to: the host's loopback only from a port that is open for it, and nobody with our own
 * addresses.
 */
#include "dgram/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "dgram/udp_int.h"

#define BATCHES 2 /* a call; the loop comes back for more */

_Static_assert(UDP_RX <= EMIT_IOV_MAX && UDP_RX <= UDP_RUN_SEGMENTS, "a batch may leave as one");

/* Datagrams that leave as one. */
struct group {
	struct emit_ip h;
	uint16_t port; /* of the sender */
	uint16_t seg;  /* of the first */
	bool is_closed;
	size_t total;
	int n;
	struct iovec iov[UDP_RX];
};

static void send_group(struct udp *u, const struct mapping *m, struct group *g)
{
	uint8_t l4[UDP_HDR_LEN];

	if (g->n == 0)
		return;
	g->h.gso_size = g->total > g->seg ? g->seg : 0;
	udphdr_build(l4, g->port, m->port, 0, g->total);
	emit_packet(u->env.emit, &g->h, l4, sizeof(l4), g->iov, g->n);
	g->n = 0;
	g->total = 0;
	g->is_closed = false;
}

/* What of one datagram the link can carry whole: above it emit must fragment each by itself. */
static size_t whole_max(const struct udp *u, const struct mapping *m)
{
	const size_t hdr = (m->in.family == AF_INET ? IP4_HDR_LEN : IP6_HDR_LEN) + UDP_HDR_LEN;

	return u->env.policy->plan.mtu - hdr;
}

static bool joins(const struct group *g, const struct emit_ip *h, uint16_t port, size_t len,
		  uint16_t seg)
{
	return g->n > 0 && !g->is_closed && seg == 0 && len > 0 && len <= g->seg &&
	       g->port == port && g->h.tos == h->tos && ip_equal(&g->h.src, &h->src) &&
	       g->total + len <= UDP_RUN_BYTES;
}

static void add(struct udp *u, const struct mapping *m, struct group *g, const struct emit_ip *h,
		uint16_t port, uint8_t *data, size_t len, uint16_t seg)
{
	if (!joins(g, h, port, len, seg)) {
		send_group(u, m, g);
		g->h = *h;
		g->port = port;
		g->seg = (uint16_t)(seg ? seg : len);
		g->is_closed = seg || len > whole_max(u, m) || !emit_caps(u->env.emit)->has_uso;
	}
	if (len < g->seg)
		g->is_closed = true;
	g->iov[g->n++] = (struct iovec){data, len};
	g->total += len;
}

/* The host's address that it was sent to, which an answer is to come from. */
static void read_local(const struct cmsghdr *c, size_t len, struct ip *ret)
{
	struct in_pktinfo v4;
	struct in6_pktinfo v6;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && len >= sizeof(v4)) {
		memcpy(&v4, CMSG_DATA(c), sizeof(v4));
		ret->family = AF_INET;
		memcpy(ret->b, &v4.ipi_spec_dst, 4);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
		   len >= sizeof(v6)) {
		memcpy(&v6, CMSG_DATA(c), sizeof(v6));
		ret->family = AF_INET6;
		memcpy(ret->b, &v6.ipi6_addr, 16);
	}
	if (ret->family && (ip_is_multicast(ret) || ip_is_any(ret)))
		*ret = (struct ip){0};
}

static void read_control(struct msghdr *h, uint16_t *ret_seg, uint8_t *ret_tos,
			 struct ip *ret_local)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		const size_t len = c->cmsg_len - CMSG_LEN(0);
		int value = 0;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS && len >= 1) {
			*ret_tos = *CMSG_DATA(c);
			continue;
		}
		read_local(c, len, ret_local);
		if (len < sizeof(value))
			continue;
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			*ret_tos = (uint8_t)value;
		else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && value > 0 &&
			 value <= UINT16_MAX)
			*ret_seg = (uint16_t)value;
	}
}

/* Who sent it, as the container sees it. False: it may not hear of it. */
static bool find_sender(struct udp *u, struct mapping *m, const struct udp_target *who, size_t len,
			struct ip *ret, uint16_t *ret_port, uint64_t now)
{
	if (m->is_port)
		return udp_port_heard(u, m, who, len, ret, ret_port, now);
	if (!policy_answer_ok(u->env.policy, IPPROTO_UDP, &who->to, who->port, &m->in,
			      &m->sent.dst))
		return false;
	*ret = policy_unmap(u->env.policy, &who->to, &m->sent.dst);
	*ret_port = who->port;
	return true;
}

static uint32_t scope_of(const struct sockaddr_storage *ss)
{
	struct sockaddr_in6 v6;

	if (ss->ss_family != AF_INET6)
		return 0;
	memcpy(&v6, ss, sizeof(v6));
	return v6.sin6_scope_id;
}

static void deliver(struct udp *u, struct mapping *m, struct group *g, unsigned i, uint64_t now)
{
	struct msghdr *h = &u->rx.m[i].msg_hdr;
	const size_t len = u->rx.m[i].msg_len;
	uint8_t *data = u->rx.data[i];
	struct emit_ip x = {.dst = m->in, .proto = IPPROTO_UDP, .csum_offset = 6};
	struct udp_target who = {.scope = scope_of(&u->rx.name[i])};
	uint16_t port, seg = 0;

	read_control(h, &seg, &x.tos, &who.from);
	if (host_from_sockaddr(&u->rx.name[i], h->msg_namelen, &who.to, &who.port) == 0 &&
	    !(h->msg_flags & MSG_TRUNC) && m->is_port &&
	    udp_port_divert(u, m, &who, h, data, len, seg, now))
		return;
	if (who.to.family == 0 || (h->msg_flags & MSG_TRUNC) ||
	    !find_sender(u, m, &who, len, &x.src, &port, now)) {
		u->env.stats->n[STAT_DROP_ANSWER]++;
		return;
	}
	if (!udp_may_pass(u, u->env.limit[0], len, now))
		return;
	if (seg >= len)
		seg = 0;
	if (seg <= whole_max(u, m)) {
		add(u, m, g, &x, port, data, len, seg);
		return;
	}
	for (size_t at = 0; at < len; at += seg)
		add(u, m, g, &x, port, data + at, len - at < seg ? len - at : seg, 0);
}

static int read_batch(struct udp *u, const struct mapping *m)
{
	struct udp_rx *rx = &u->rx;

	for (unsigned i = 0; i < UDP_RX; i++) {
		rx->iov[i] = (struct iovec){rx->data[i], UDP_RX_SIZE};
		rx->m[i].msg_hdr = (struct msghdr){
			.msg_name = &rx->name[i],
			.msg_namelen = sizeof(rx->name[i]),
			.msg_iov = &rx->iov[i],
			.msg_iovlen = 1,
			.msg_control = rx->control[i],
			.msg_controllen = sizeof(rx->control[i]),
		};
	}
	return u->env.host->recvmmsg(m->source.fd, rx->m, UDP_RX, MSG_DONTWAIT);
}

void udp_receive(struct udp *u, struct mapping *m, uint64_t now)
{
	bool is_local;

	for (unsigned batch = 0; batch < BATCHES; batch++) {
		struct group g = {.n = 0};
		int n = read_batch(u, m);

		if (n < 0) {
			/* An error of something that was sent hides what was received. */
			if (n == -EAGAIN || udp_drain_errors(u, m, NULL, now, &is_local) == 0)
				return;
			continue;
		}
		u->n_messages += (unsigned)n;
		for (unsigned i = 0; i < (unsigned)n; i++)
			deliver(u, m, &g, i, now);
		send_group(u, m, &g);
		if (!m->is_port) {
			m->is_answered = true;
			mapping_touch(m, m->is_stream, now);
		}
		if ((unsigned)n < UDP_RX)
			return;
		mapping_grow(m);
	}
}
