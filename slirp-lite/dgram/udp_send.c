/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp_send: datagrams of a batch of frames, gathered into runs and sent by one call a socket. A run
 * is one message with UDP_SEGMENT (udp(7)), which the host's kernel cuts as late as it can. Where
 * it will not (a segment above the path's MTU, a device without checksums), the run is sent again
 * as single datagrams and the size is remembered.
 */
#include "dgram/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "dgram/udp_int.h"

#define TRIES 4

/* --- gathering ----------------------------------------------------------------------------- */

static void start_over(struct udp *u)
{
	u->n_pieces = u->n_runs = u->n_waiting = 0;
	u->arena_used = 0;
}

static void flush(struct udp *u, uint64_t now)
{
	if (!u->n_waiting)
		return;
	for (unsigned i = 0; i < u->n_waiting; i++) {
		if (u->waiting[i])
			udp_flush_mapping(u, u->waiting[i], now);
	}
	start_over(u);
}

uint32_t udp_n_since(const struct udp *u)
{
	return u->n_since;
}

uint32_t udp_flush(struct udp *u, uint64_t now)
{
	const uint32_t n = u->n_since;

	flush(u, now);
	u->n_since = 0;
	return n;
}

static struct run *run_at(struct udp *u, uint16_t i)
{
	return i == MAPPING_NONE ? NULL : &u->run[i];
}

/* Whether a datagram of len bytes may follow in r: same destination, and none shorter before. */
static bool is_next(const struct run *r, const struct ip *dst, const struct udp_target *to,
		    size_t len)
{
	return r && !r->is_closed && len > 0 && len <= r->seg && r->to.port == to->port &&
	       ip_equal(&r->dst, dst) && ip_equal(&r->to.to, &to->to) &&
	       ip_equal(&r->to.from, &to->from) && r->n < UDP_RUN_SEGMENTS &&
	       r->total + len <= UDP_RUN_BYTES;
}

static void set_scope(struct run *r)
{
	struct sockaddr_in6 v6;

	if (r->to.scope == 0 || r->sa_len != sizeof(v6))
		return;
	memcpy(&v6, &r->sa, sizeof(v6));
	v6.sin6_scope_id = r->to.scope;
	memcpy(&r->sa, &v6, sizeof(v6));
}

static struct run *new_run(struct udp *u, struct mapping *m, const struct udp_target *to,
			   const struct ip *dst)
{
	const uint16_t i = u->n_runs++;
	struct run *r = &u->run[i];

	*r = (struct run){
		.to = *to,
		.dst = *dst,
		.first = MAPPING_NONE,
		.last = MAPPING_NONE,
		.next = MAPPING_NONE,
	};
	r->sa_len = host_sockaddr(&to->to, to->port, &r->sa);
	set_scope(r);
	if (m->run_first == MAPPING_NONE) {
		m->run_first = i;
		u->waiting[u->n_waiting++] = m;
	} else {
		u->run[m->run_last].next = i;
	}
	m->run_last = i;
	return r;
}

static void add_piece(struct udp *u, struct run *r, const uint8_t *p, size_t len)
{
	struct piece *last = r->last == MAPPING_NONE ? NULL : &u->piece[r->last];

	r->total += (uint32_t)len;
	if (last && last->p + last->len == p) {
		last->len += (uint32_t)len;
		return;
	}
	const uint16_t i = u->n_pieces++;

	u->piece[i] = (struct piece){.p = p, .len = (uint32_t)len, .next = MAPPING_NONE};
	if (last)
		last->next = i;
	else
		r->first = i;
	r->last = i;
}

static uint8_t *keep(struct udp *u, const uint8_t *data, size_t len)
{
	uint8_t *p = u->arena + u->arena_used;

	memcpy(p, data, len);
	u->arena_used += (uint32_t)len;
	return p;
}

static void make_room(struct udp *u, size_t len, uint64_t now)
{
	if (u->n_runs == UDP_PIECES || u->n_pieces == UDP_PIECES || u->n_waiting == UDP_PIECES ||
	    len > UDP_ARENA - u->arena_used)
		flush(u, now);
}

static void send_one(struct udp *u, struct mapping *m, const struct udp_target *to,
		     const struct ip *dst, const uint8_t *data, size_t len, uint64_t now)
{
	make_room(u, len, now);

	struct run *r = run_at(u, m->run_last);

	if (!is_next(r, dst, to, len)) {
		r = new_run(u, m, to, dst);
		r->seg = (uint16_t)len;
		/* One that cannot be followed is not asked again. */
		r->is_closed = len == 0 || len > m->gso_max || len > UDP_RUN_BYTES / 2;
	}
	if (len < r->seg)
		r->is_closed = true;
	r->n++;
	add_piece(u, r, keep(u, data, len), len);
}

/* A run from the container as it is, without a copy: it is sent at once. */
static void send_run(struct udp *u, struct mapping *m, const struct udp_target *to,
		     const struct ip *dst, const uint8_t *data, size_t len, uint16_t seg,
		     uint64_t now)
{
	udp_flush_mapping(u, m, now);
	while (len > 0) {
		size_t part = 0;
		uint16_t n = 0;

		while (part < len && n < UDP_RUN_SEGMENTS && part + seg <= UDP_RUN_BYTES) {
			part += len - part < seg ? len - part : seg;
			n++;
		}
		make_room(u, 0, now);

		struct run *r = new_run(u, m, to, dst);

		r->seg = seg;
		r->n = n;
		r->is_closed = true;
		add_piece(u, r, data, part);
		data += part;
		len -= part;
		udp_flush_mapping(u, m, now);
	}
}

void udp_send(struct udp *u, struct mapping *m, const struct udp_target *to, const struct sent *s,
	      const uint8_t *data, size_t len, uint16_t seg, uint64_t now)
{
	if (!udp_may_pass(u, u->env.limit[1], len, now))
		return;
	m->sent = *s;
	u->n_since += seg ? (uint32_t)((len + seg - 1) / seg) : 1;
	if (seg == 0)
		send_one(u, m, to, &s->dst, data, len, now);
	else if (seg <= UDP_RUN_BYTES / 2 && seg <= m->gso_max)
		send_run(u, m, to, &s->dst, data, len, seg, now);
	else
		for (size_t at = 0; at < len; at += seg)
			send_one(u, m, to, &s->dst, data + at, len - at < seg ? len - at : seg,
				 now);
}

/* --- sending ------------------------------------------------------------------------------- */

/* One more control message of the last message. */
static void add_control(struct udp_messages *ms, int level, int type, const void *value, size_t len)
{
	union send_control *c = &ms->control[ms->n - 1];
	struct msghdr *h = &ms->m[ms->n - 1].msg_hdr;
	struct cmsghdr head = {.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)};
	uint8_t *at = c->b + h->msg_controllen;

	memset(at, 0, CMSG_SPACE(len));
	memcpy(at, &head, sizeof(head));
	memcpy(at + CMSG_LEN(0), value, len);
	h->msg_control = c;
	h->msg_controllen += CMSG_SPACE(len);
}

static void add_source(struct udp_messages *ms, const struct ip *from)
{
	struct in_pktinfo v4 = {0};
	struct in6_pktinfo v6 = {0};

	if (from->family == AF_INET) {
		memcpy(&v4.ipi_spec_dst, from->b, 4);
		add_control(ms, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
	} else if (from->family == AF_INET6) {
		memcpy(&v6.ipi6_addr, from->b, 16);
		add_control(ms, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
	}
}

static void add_message(struct udp_messages *ms, const struct run *r, unsigned first_iov)
{
	const unsigned i = ms->n++;

	ms->run[i] = r;
	ms->m[i].msg_len = 0;
	ms->m[i].msg_hdr = (struct msghdr){
		.msg_name = (void *)&r->sa,
		.msg_namelen = r->sa_len,
		.msg_iov = &ms->iov[first_iov],
		.msg_iovlen = ms->n_iov - first_iov,
	};
	add_source(ms, &r->to.from);
}

static void count_lost(struct udp *u, const struct run *r)
{
	u->env.stats->n[STAT_DROP_SEND] += r->n;
}

enum outcome { GONE, AGAIN, SPLIT, FULL };

/* What a refused message means. The socket may only have handed out an error of an earlier datagram
 * (the entry in its queue says which), or have queued the answer to this one. */
static enum outcome refused(struct udp *u, struct mapping *m, const struct run *r, bool is_run,
			    int sys, unsigned n_try, uint64_t now)
{
	bool is_local;

	if (sys == EAGAIN || sys == ENOBUFS || sys == ENOMEM)
		return FULL;

	const unsigned n = udp_drain_errors(u, m, r, now, &is_local);

	if (is_run && (sys == EINVAL || sys == EMSGSIZE || sys == EIO || sys == EOPNOTSUPP) &&
	    (n == 0 || is_local))
		return SPLIT;
	if (!is_local && hosterr_may_be_old(sys) && (n > 0 || n_try == 0) && n_try < TRIES)
		return AGAIN;
	if (n == 0) { /* else it is told */
		u->err.len = 0;
		u->err.from = (struct ip){0};
		hosterr_of_errno(m->in.family, sys, &u->err);
		udp_tell(u, m, &u->err, &r->dst, r->to.port, r->seg, now);
	}
	count_lost(u, r);
	return GONE;
}

static void send_split(struct udp *u, struct mapping *m, const struct run *r, uint64_t now);

static void send_messages(struct udp *u, struct mapping *m, struct udp_messages *ms, uint64_t now)
{
	unsigned i = 0, n_try = 0;

	while (i < ms->n) {
		const struct run *r = ms->run[i];
		const bool is_run = r->n > 1;
		int n = u->env.host->sendmmsg(m->source.fd, &ms->m[i], ms->n - i, 0);

		if (n > 0) {
			i += (unsigned)n;
			n_try = 0;
			continue;
		}
		switch (refused(u, m, r, is_run, -n, n_try++, now)) {
		case AGAIN:
			continue;
		case SPLIT:
			m->gso_max = n == -EIO || n == -EOPNOTSUPP ? 0 : (uint16_t)(r->seg - 1);
			send_split(u, m, r, now);
			break;
		case FULL:
			mapping_grow(m);
			count_lost(u, r);
			break;
		case GONE:
			break;
		}
		i++;
		n_try = 0;
	}
	ms->n = ms->n_iov = 0;
}

/* A piece holds whole datagrams, so that none spans two. */
static void send_split(struct udp *u, struct mapping *m, const struct run *r, uint64_t now)
{
	struct udp_messages *ms = &u->single;
	struct run one = *r;

	one.n = 1;
	for (uint16_t i = r->first; i != MAPPING_NONE; i = u->piece[i].next) {
		const struct piece *p = &u->piece[i];

		for (uint32_t at = 0; at < p->len; at += r->seg) {
			const uint32_t left = p->len - at;

			ms->iov[ms->n_iov++] =
				(struct iovec){(void *)(p->p + at), left < r->seg ? left : r->seg};
			add_message(ms, &one, ms->n_iov - 1);
			if (ms->n == UDP_PIECES)
				send_messages(u, m, ms, now);
		}
	}
	send_messages(u, m, ms, now);
}

void udp_flush_mapping(struct udp *u, struct mapping *m, uint64_t now)
{
	struct udp_messages *ms = &u->runs;
	struct run *r = run_at(u, m->run_first);

	if (!r)
		return;
	m->run_first = m->run_last = MAPPING_NONE;
	for (; r; r = run_at(u, r->next)) {
		const unsigned first_iov = ms->n_iov;

		for (uint16_t i = r->first; i != MAPPING_NONE; i = u->piece[i].next)
			ms->iov[ms->n_iov++] =
				(struct iovec){(void *)u->piece[i].p, u->piece[i].len};
		add_message(ms, r, first_iov);
		if (r->n > 1)
			add_control(ms, IPPROTO_UDP, UDP_SEGMENT, &r->seg, sizeof(r->seg));
	}
	send_messages(u, m, ms, now);
}
