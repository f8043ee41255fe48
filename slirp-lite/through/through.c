/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * through: see through.h. What waits for its other half is a slot of a table found by the
 * connection's key, in a list by age; what has it belongs to relay and has no key any more, so a
 * new SYN of the same ports is a new connection: its SYN then meets the old socket in the kernel,
 * which answers as RFC 5961 4 says, and the container resets the old and tries again.
 *
 * No source may have so many connections under way that others find no room: their number is
 * counted in as many places as there are hashes. Whoever invents sources makes the oldest ones go:
 * who means it is done within a millisecond.
 *
 * Every socket is reset by a close that nobody meant (SO_LINGER): a worker that is killed must not
 * look like the end of a stream.
 */
#include "through/through.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "flow/siphash.h"
#include "flow/table.h"
#include "relay/relay.h"
#include "relay/watch.h"

#define HELD_MAX 4096u
#define N_SOURCES 256u
/* A little longer than the kernel repeats its SYN,ACK (proc/transparent.c). */
#define HELD_MS 4000
/* A SYN is not written into the tap more often than this. */
#define AGAIN_MS 200
#define ACCEPTS_A_TURN 64
#define N_PIPES 48
#define N_WIDE 16
/* What lies in the host's socket of one connection for the container. */
#define BUFFER (512 * 1024)

struct held {
	struct table_node node;
	struct held *prev, *next; /* by age */
	uint64_t due, sent;
	int fd;
	struct syn syn;
	uint32_t seq;
};

struct listener {
	struct source src;
	struct through *owner;
};

struct through {
	struct through_env env;
	struct table *held;
	struct held *first, *last;
	struct timer timer, settle;
	struct siphash_key secret;
	uint32_t n_of[N_SOURCES]; /* not open yet, by source */
	struct relay *relay;
	struct relay_ops ops;
	struct listener listeners[N_FAM];
	struct mac from;
	int buffer;
};

static uint32_t *count_of(struct through *t, const struct ip *source)
{
	return &t->n_of[siphash(&t->secret, source, sizeof(*source)) % N_SOURCES];
}

/* ---- what waits for its other half ---- */

static void set_timer(struct through *t)
{
	if (!t->first)
		timer_clear(t->env.wheel, &t->timer);
	else if (!timer_is_set(&t->timer))
		timer_set(t->env.wheel, &t->timer, t->first->due);
}

/* Its descriptor. */
static int release(struct through *t, struct held *h)
{
	int fd = h->fd;

	if (h->prev)
		h->prev->next = h->next;
	else
		t->first = h->next;
	if (h->next)
		h->next->prev = h->prev;
	else
		t->last = h->prev;
	--*count_of(t, &h->node.key.guest);
	table_remove(t->held, h);
	set_timer(t);
	return fd;
}

static void give_up(struct through *t, struct held *h)
{
	t->env.stats->n[STAT_THROUGH_LOST]++;
	t->env.host->close(release(t, h));
}

static void on_timer(struct timer *timer, uint64_t now)
{
	struct through *t = (struct through *)((char *)timer - offsetof(struct through, timer));

	while (t->first && t->first->due <= now)
		give_up(t, t->first);
	set_timer(t);
}

static void send_syn(struct through *t, struct held *h, uint64_t now)
{
	const struct flow_key *k = &h->node.key;
	const struct emit_ip ip = {.src = k->guest,
				   .dst = k->peer,
				   .proto = IPPROTO_TCP,
				   .ttl = h->syn.ttl,
				   .tos = h->syn.tos,
				   .is_df = true,
				   .csum_offset = 16,
				   .from = &t->from};

	uint8_t hdr[SYN_HDR_MAX];
	size_t len = syn_build(&h->syn, k, h->seq, hdr);

	h->sent = now;
	/* One that is lost comes again from the container. */
	(void)emit_packet(t->env.emit, &ip, hdr, len, NULL, 0);
}

int through_wants(struct through *t, const struct flow_key *k)
{
	const int fam = ip_fam(&k->guest);
	uint32_t *n = count_of(t, &k->guest);

	if (t->listeners[fam].src.fd < 0 || ip_is_link_local(&k->guest) ||
	    ip_equal(&t->env.plan->guest[fam], &k->guest))
		return 0;
	if (*n >= t->env.source_max)
		return -1;
	++*n;
	return 1;
}

void through_gone(struct through *t, const struct flow_key *k)
{
	--*count_of(t, &k->guest);
}

int through_buffer(const struct through *t)
{
	return t->buffer;
}

int through_take(struct through *t, const struct flow_key *k, int fd, const struct syn *syn,
		 uint32_t seq, uint64_t now)
{
	struct held *h;

	if (table_find(t->held, k))
		return -EEXIST;
	if (relay_count(t->relay) + table_count(t->held) >= t->env.max)
		return -ENOSPC;
	if (table_count(t->held) >= HELD_MAX)
		give_up(t, t->first);
	h = table_add(t->held, k);
	if (!h)
		return -ENOSPC;
	h->fd = fd;
	h->syn = *syn;
	h->seq = seq;
	h->due = now + HELD_MS;
	h->next = NULL;
	h->prev = t->last;
	if (t->last)
		t->last->next = h;
	else
		t->first = h;
	t->last = h;
	set_timer(t);
	send_syn(t, h, now);
	return 0;
}

bool through_again(struct through *t, const struct flow_key *k, uint64_t now)
{
	struct held *h = table_find(t->held, k);

	if (h && now - h->sent >= AGAIN_MS)
		send_syn(t, h, now);
	return h;
}

/* ---- the other half ---- */

static void set_settle_timer(struct through *t)
{
	uint64_t due = relay_due(t->relay);

	if (due != UINT64_MAX && !timer_is_set(&t->settle))
		timer_set(t->env.wheel, &t->settle, due);
}

static void on_settle(struct timer *timer, uint64_t now)
{
	struct through *t = (struct through *)((char *)timer - offsetof(struct through, settle));

	(void)relay_expire(t->relay, now);
	set_settle_timer(t);
}

/* Nobody waits for one that was given up, or that somebody in the namespace made by himself. */
static void join(struct through *t, int fd, const struct sockaddr_storage *peer, socklen_t len)
{
	const struct host_ops *host = t->env.host;
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own);
	struct flow_key k = {0};
	struct held *h = NULL;
	int outer;

	if (host->getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
	    host_from_sockaddr(peer, len, &k.guest, &k.guest_port) == 0 &&
	    host_from_sockaddr(&own, own_len, &k.peer, &k.peer_port) == 0)
		h = table_find(t->held, &k);
	if (!h) {
		host->close(fd);
		return;
	}
	outer = release(t, h);
	if (relay_join(t->relay, outer, fd, peer, &own) < 0) {
		t->env.stats->n[STAT_DROP_TABLE_FULL]++;
		host->close(outer);
		host->close(fd);
		return;
	}
	t->env.stats->n[STAT_THROUGH_OPENED]++;
	set_settle_timer(t);
}

static void on_listener(struct source *s, uint32_t events, uint64_t now)
{
	struct listener *l = (struct listener *)((char *)s - offsetof(struct listener, src));
	struct through *t = l->owner;

	(void)events;
	(void)now;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int fd = t->env.host->accept(s->fd, (struct sockaddr *)&peer, &len);

		if (fd >= 0)
			join(t, fd, &peer, len);
		if (fd >= 0 && !t->first)
			return; /* nobody waits for more; what comes all the same is told again */
		if (fd < 0 && fd != -EINTR && fd != -ECONNABORTED)
			return;
	}
}

static void on_relay(void *arg, uint64_t data, uint32_t events, uint64_t now)
{
	struct through *t = arg;
	const struct watch_id id = watch_decode(data);

	(void)now;
	relay_event(t->relay, id.index, id.gen, id.kind == (WATCH_OUTER | WATCH_SECOND), events);
}

bool through_has_more(const struct through *t)
{
	return relay_has_more(t->relay);
}

void through_go_on(struct through *t)
{
	(void)relay_go_on(t->relay);
}

struct through_gauges through_gauges(const struct through *t)
{
	return (struct through_gauges){.n_held = table_count(t->held),
				       .n_conns = relay_count(t->relay)};
}

/* Cursors of what is open have this bit. */
#define IS_OPEN (1u << 29)

bool through_list(const struct through *t, uint32_t *cursor, uint64_t now, struct through_seen *ret)
{
	struct relay_seen seen;
	uint32_t at;

	if (!(*cursor & IS_OPEN)) {
		const struct held *h = table_step(t->held, cursor);

		if (h) {
			*ret = (struct through_seen){.key = h->node.key,
						     .idle_ms = (uint32_t)(now - h->sent)};
			return true;
		}
		*cursor = IS_OPEN;
	}
	at = *cursor & ~IS_OPEN;
	if (!relay_list(t->relay, &at, &seen))
		return false;
	*cursor = at | IS_OPEN;
	*ret = (struct through_seen){
		.key = {.guest = seen.from,
			.peer = seen.to,
			.guest_port = seen.from_port,
			.peer_port = seen.to_port},
		.is_open = true,
		.host_ended = seen.outer_ended,
		.guest_ended = seen.inner_ended,
		.idle_ms = now > seen.moved_ms ? (uint32_t)(now - seen.moved_ms) : 0,
		.queued = seen.n_in,
		.blocked = seen.n_out,
	};
	return true;
}

/* ---- life ---- */

static uint64_t now_ms(void *arg)
{
	const struct through *t = arg;

	return loop_now(t->env.loop);
}

/* A size that is set is no longer adapted; where the host allows less it is better left alone. */
static int find_buffer(const struct host_ops *host)
{
	int fd = host->socket(AF_INET, HOST_TCP), size = BUFFER, got = 0;
	socklen_t len = sizeof(got);

	if (fd < 0)
		return 0;
	if (host->setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
	    host->getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) < 0)
		got = 0;
	host->close(fd);
	return got >= 2 * BUFFER ? BUFFER : 0; /* the kernel counts its own part: twice as much */
}

static void count(void *arg, uint32_t port, uint64_t n_in, uint64_t n_out)
{
	struct through *t = arg;

	(void)port;
	t->env.stats->n[STAT_THROUGH_IN] += n_in;
	t->env.stats->n[STAT_THROUGH_OUT] += n_out;
}

static int set_up(struct through *t, struct err *e)
{
	struct relay_conf conf = {.max = t->env.max,
				  .ops = &t->ops,
				  .n_pipes = N_PIPES,
				  .n_wide = N_WIDE,
				  .outer_buffer = t->buffer,
				  .outer_unsent = THROUGH_UNSENT,
				  .are_reset = true};
	int r = table_new(HELD_MAX, sizeof(struct held), &t->held, e);

	if (r < 0)
		return r;
	if (getrandom(&t->secret, sizeof(t->secret), 0) != (ssize_t)sizeof(t->secret))
		return err_sys(e, EIO, "random secret");
	t->ops = (struct relay_ops){.account = count, .now_ms = now_ms, .arg = t};
	conf.epoll_fd = loop_lend(t->env.loop, LOOP_SECOND, on_relay, t);
	conf.is_second = true;
	r = relay_new(&conf, &t->relay);
	for (int f = 0; r == 0 && f < N_FAM; f++) {
		t->listeners[f].owner = t;
		t->listeners[f].src.fn = on_listener;
		if (t->env.listen[f] >= 0)
			r = loop_add(t->env.loop, &t->listeners[f].src, t->env.listen[f], EPOLLIN);
	}
	return r < 0 ? err_sys(e, -r, "connections through the kernel") : 0;
}

int through_new(const struct through_env *env, struct through **ret, struct err *e)
{
	struct through *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_set(e, ERR_INTERNAL, ENOMEM, "connections through the kernel");
	t->env = *env;
	for (int f = 0; f < N_FAM; f++)
		t->listeners[f].src.fd = -1;
	t->timer.fn = on_timer;
	t->settle.fn = on_settle;
	t->from = plan_second_mac(env->plan);
	t->buffer = find_buffer(env->host);
	r = set_up(t, e);
	if (r < 0) {
		through_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void through_free(struct through *t)
{
	if (!t)
		return;
	while (t->first)
		t->env.host->close(release(t, t->first));
	for (int f = 0; f < N_FAM; f++)
		loop_remove(t->env.loop, &t->listeners[f].src);
	(void)loop_lend(t->env.loop, LOOP_SECOND, NULL, NULL);
	timer_clear(t->env.wheel, &t->settle);
	relay_free(t->relay);
	table_free(t->held);
	free(t);
}
