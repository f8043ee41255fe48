/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping: a table by (container address, port) and two lists by time of use. One timer serves all
 * mappings: it is set to the earliest head of the two lists and may fire early, never late.
 */
#include "dgram/mapping.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>

/* Cut by the kernel to net.core.rmem_max and wmem_max. */
#define BUFFER (4 << 20)

/* New mappings: so many a second, and a table full and a thousand at once. A socket costs ten
 * calls; a flood from ever new ports must not take the time of the conversations there are, and an
 * answer gets the seconds it needs before its mapping makes room for others. */
#define NEW_PER_MS 2
#define NEW_BURST 1000

enum { ONCE, STREAM, N_LISTS };

struct list {
	struct mapping *oldest, *newest;
	uint32_t n;
};

struct mappings {
	struct mappings_env env;
	struct timer timer;
	struct list list[N_LISTS];
	struct table *table;
	uint64_t tokens, tokens_at; /* new mappings that may be made now, and when that was so */
};

static void list_remove(struct mappings *t, struct mapping *m)
{
	struct list *l = &t->list[m->is_stream];

	*(m->older ? &m->older->newer : &l->oldest) = m->newer;
	*(m->newer ? &m->newer->older : &l->newest) = m->older;
	l->n--;
}

static void list_append(struct mappings *t, struct mapping *m)
{
	struct list *l = &t->list[m->is_stream];

	m->older = l->newest;
	m->newer = NULL;
	*(l->newest ? &l->newest->newer : &l->oldest) = m;
	l->newest = m;
	l->n++;
}

static uint64_t limit_of(const struct mappings *t, int list)
{
	return list == STREAM ? t->env.stream_ms : t->env.once_ms;
}

static void set_timer(struct mappings *t)
{
	uint64_t due = UINT64_MAX;

	for (int i = 0; i < N_LISTS; i++) {
		const struct mapping *m = t->list[i].oldest;

		if (m && m->used + limit_of(t, i) < due)
			due = m->used + limit_of(t, i);
	}
	if (due != UINT64_MAX)
		timer_set(t->env.wheel, &t->timer, due);
}

static void expire(struct timer *timer, uint64_t now)
{
	struct mappings *t = (struct mappings *)((char *)timer - offsetof(struct mappings, timer));

	for (int i = 0; i < N_LISTS; i++) {
		struct mapping *m;

		while ((m = t->list[i].oldest) && m->used + limit_of(t, i) <= now)
			mapping_close(m, now);
	}
	set_timer(t);
}

int mappings_new(const struct mappings_env *env, struct mappings **ret, struct err *e)
{
	struct mappings *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot make a table of mappings");
	t->env = *env;
	t->timer.fn = expire;

	int r = table_new(env->max ? env->max : 1, sizeof(struct mapping), &t->table, e);

	if (r < 0) {
		free(t);
		return r;
	}
	t->tokens = table_max(t->table) + NEW_BURST;
	*ret = t;
	return 0;
}

void mappings_free(struct mappings *t)
{
	if (!t)
		return;
	for (int i = 0; i < N_LISTS; i++) {
		while (t->list[i].oldest)
			mapping_close(t->list[i].oldest, t->list[i].oldest->used);
	}
	timer_clear(t->env.wheel, &t->timer);
	table_free(t->table);
	free(t);
}

const struct mappings_env *mappings_env(const struct mappings *t)
{
	return &t->env;
}

uint32_t mappings_count(const struct mappings *t)
{
	return table_count(t->table);
}

static struct flow_key key_of(const struct ip *in, uint16_t port)
{
	return (struct flow_key){.guest = *in, .guest_port = port};
}

struct mapping *mappings_find(const struct mappings *t, const struct ip *in, uint16_t port)
{
	const struct flow_key k = key_of(in, port);

	return table_find(t->table, &k);
}

static bool evict(struct mappings *t, const struct mapping *but, uint64_t now)
{
	const bool is_once = t->list[ONCE].n > table_max(t->table) / 8 || !t->list[STREAM].oldest;
	struct mapping *m = t->list[is_once ? ONCE : STREAM].oldest;

	if (m && m == but)
		m = m->newer;
	if (!m)
		m = t->list[is_once ? STREAM : ONCE].oldest;
	if (!m || m == but)
		return false;
	t->env.stats->n[STAT_DGRAM_EVICTED]++;
	mapping_close(m, now);
	return true;
}

static bool may_make(struct mappings *t, uint64_t now)
{
	const uint64_t most = table_max(t->table) + NEW_BURST, passed = now - t->tokens_at;

	t->tokens += passed < most ? passed * NEW_PER_MS : most;
	if (t->tokens > most)
		t->tokens = most;
	t->tokens_at = now;
	if (t->tokens == 0) {
		t->env.stats->n[STAT_DROP_TABLE_FULL]++;
		return false;
	}
	t->tokens--;
	return true;
}

static void init(struct mappings *t, struct mapping *m)
{
	m->source = (struct source){.fd = -1, .fn = t->env.fn};
	m->owner = t;
	m->run_first = m->run_last = MAPPING_NONE;
	m->gso_max = UINT16_MAX;
}

struct mapping *mappings_take(struct mappings *t, const struct ip *in, uint16_t port, uint64_t now)
{
	const struct flow_key k = key_of(in, port);
	struct mapping *m;

	if (!may_make(t, now))
		return NULL;
	while (!(m = table_add(t->table, &k)))
		evict(t, NULL, now);
	init(t, m);
	m->used = now;
	m->in = *in;
	m->port = port;
	list_append(t, m);
	if (!timer_is_set(&t->timer) || t->timer.due > now + t->env.once_ms)
		set_timer(t);
	return m;
}

static void set_int(const struct mapping *m, int level, int name, int value)
{
	/* A kernel without the option does without what it gives. */
	m->owner->env.host->setsockopt(m->source.fd, level, name, &value, sizeof(value));
}

/* RFC 4787 REQ-13: what the container lets the network fragment is sent without DF; what it does
 * not is refused by the host's kernel with EMSGSIZE and the path's MTU. */
static void set_df(struct mapping *m, bool is_df)
{
	m->is_df = is_df;
	if (m->in.family == AF_INET)
		set_int(m, IPPROTO_IP, IP_MTU_DISCOVER, is_df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	else
		set_int(m, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			is_df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_WANT);
}

void mapping_set_options(struct mapping *m, uint8_t ttl, uint8_t tos, bool is_df)
{
	const bool is_v4 = m->in.family == AF_INET;

	if (m->is_df != is_df)
		set_df(m, is_df);
	if (m->ttl != ttl) {
		m->ttl = ttl;
		if (is_v4)
			set_int(m, IPPROTO_IP, IP_TTL, ttl);
		else
			set_int(m, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
	}
	if (m->tos != tos) {
		m->tos = tos;
		if (is_v4)
			set_int(m, IPPROTO_IP, IP_TOS, tos);
		else
			set_int(m, IPPROTO_IPV6, IPV6_TCLASS, tos);
	}
}

void mapping_grow(struct mapping *m)
{
	if (m->is_grown)
		return;
	m->is_grown = true;
	set_int(m, SOL_SOCKET, SO_RCVBUF, BUFFER);
	set_int(m, SOL_SOCKET, SO_SNDBUF, BUFFER);
}

static void set_first_options(struct mapping *m)
{
	if (m->in.family == AF_INET) {
		set_int(m, IPPROTO_IP, IP_RECVERR, 1);
		set_int(m, IPPROTO_IP, IP_RECVTOS, 1);
	} else {
		set_int(m, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		set_int(m, IPPROTO_IPV6, IPV6_RECVERR, 1);
		set_int(m, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	}
	if (m->owner->env.kind == HOST_UDP)
		set_int(m, IPPROTO_UDP, UDP_GRO, 1);
	set_df(m, true);
}

static int socket_of(struct mapping *m, uint64_t now)
{
	struct mappings *t = m->owner;
	int fd = t->env.host->socket(m->in.family, t->env.kind);

	if ((fd == -EMFILE || fd == -ENFILE) && evict(t, m, now))
		fd = t->env.host->socket(m->in.family, t->env.kind);
	return fd;
}

int mapping_open(struct mapping *m, uint64_t now)
{
	struct mappings *t = m->owner;
	const struct ip *from = &t->env.policy->outbound[ip_fam(&m->in)];
	int fd = socket_of(m, now);

	if (fd < 0)
		return fd;
	int r = 0;
	if (from->family) {
		struct sockaddr_storage ss;
		socklen_t len = host_sockaddr(from, 0, &ss);

		r = t->env.host->bind(fd, (const struct sockaddr *)&ss, len);
	}
	if (r >= 0)
		r = loop_add(t->env.loop, &m->source, fd, EPOLLIN);
	if (r < 0) {
		t->env.host->close(fd);
		return r;
	}
	set_first_options(m);
	return 0;
}

const struct mapping *mappings_step(const struct mappings *t, uint32_t *cursor)
{
	return table_step(t->table, cursor);
}

int mapping_adopt(struct mappings *t, struct mapping *m, int fd)
{
	int r;

	init(t, m);
	m->is_port = true;
	r = loop_add(t->env.loop, &m->source, fd, EPOLLIN);
	if (r < 0)
		return r;
	set_first_options(m);
	if (m->in.family == AF_INET)
		set_int(m, IPPROTO_IP, IP_PKTINFO, 1);
	else
		set_int(m, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	return 0;
}

void mapping_leave(struct mapping *m)
{
	int fd = m->source.fd;

	if (fd < 0)
		return;
	loop_remove(m->owner->env.loop, &m->source);
	m->owner->env.host->close(fd);
}

void mapping_touch(struct mapping *m, bool is_stream, uint64_t now)
{
	struct mappings *t = m->owner;

	m->used = now;
	if (m->is_stream == is_stream && !m->newer)
		return;
	list_remove(t, m);
	m->is_stream = is_stream;
	list_append(t, m);
}

void mapping_close(struct mapping *m, uint64_t now)
{
	struct mappings *t = m->owner;
	const int fd = m->source.fd;

	if (t->env.closing)
		t->env.closing(m, now);
	if (fd >= 0) {
		loop_remove(t->env.loop, &m->source);
		t->env.host->close(fd);
	}
	list_remove(t, m);
	table_remove(t->table, m);
}
