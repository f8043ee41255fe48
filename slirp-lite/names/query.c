/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query: UDP. What the table answers goes back at once; the rest is asked of resolvers, each try on
 * a connected socket of its own, so that its source port is the kernel's random choice and only the
 * resolver is heard. A client that does not hear from us in time is told before it gives up.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "names/server.h"
#include "relay/dest.h"
#include "relay/watch.h"

#define MESSAGES_A_TURN 64

/* Who asks: the member of that address, and whether it may just now. 0, or an rcode, or -1: say
 * nothing. */
static int server_admit(struct server *s, uint32_t net, const struct ip *from, uint32_t *ret_entry)
{
	*ret_entry = table_by_ip(&s->table, net, from);
	if (*ret_entry == SLOT_NONE)
		return bucket_take(&s->strangers, s->now_ms) ? 0 : -1;
	return bucket_take(&table_entry_at(&s->table, *ret_entry)->rate, s->now_ms) ? 0 : -1;
}

static void send_to(int fd, const void *p, size_t len, const struct sockaddr_storage *to)
{
	socklen_t n =
		to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	(void)sendto(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, n);
}

static int listener_of(const struct server *s, const struct query *q)
{
	return s->place[q->net].fd[q->peer.ss_family == AF_INET ? 0 : 2];
}

static void close_try(struct server *s, struct query *q)
{
	if (q->fd < 0)
		return;
	watch_del(s->epoll_fd, q->fd);
	close(q->fd);
	q->fd = -1;
}

static void end(struct server *s, struct query *q, uint32_t index)
{
	struct table_entry *e = slots_live(&s->table.entries, q->entry, q->entry_gen);

	close_try(s, q);
	if (e)
		e->n_waiting--;
	if (e && q->held)
		e->n_held--;
	if (q->held)
		slots_give(&s->held, q->held - 1);
	slots_give(&s->queries, index);
}

static void refuse(struct server *s, const struct query *q, unsigned int rcode)
{
	struct msg m;

	if (msg_parse(q->bytes, q->len, &m) < 0)
		return;
	m.dns.id = q->id;
	send_to(listener_of(s, q), s->answer, answer_error(&m, rcode, s->answer), &q->peer);
}

/* 0, or -errno: nobody can be asked there. */
static int try(struct server *s, struct query *q, uint32_t index)
{
	struct sockaddr_storage to;
	socklen_t len = walk_address(s, &q->walk, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);

	if (fd < 0)
		return -errno;
	q->asked_id = server_random_id(s);
	dns_set_id(q->bytes, q->asked_id);
	int r = connect(fd, (struct sockaddr *)&to, len) < 0 ||
				send(fd, q->bytes, q->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0
			? -errno
			: watch_add(s->epoll_fd, fd, EPOLLIN, SERVER_QUERY, index, q->slot.gen);
	if (r < 0) {
		close(fd);
		return r;
	}
	q->fd = fd;
	return 0;
}

static void ask(struct server *s, struct query *q, uint32_t index)
{
	close_try(s, q);
	while (walk_next(s, &q->walk)) {
		if (try(s, q, index) == 0)
			return;
		walk_mark(s, &q->walk, true);
	}
	refuse(s, q, DNS_RCODE_FAILED);
	end(s, q, index);
}

/* The client repeats itself while the first one is still under way. */
static bool is_repeated(const struct server *s, const struct sockaddr_storage *peer,
			const uint8_t *p, size_t len, uint16_t id)
{
	for (uint32_t i = 0; (i = slots_next(&s->queries, i)) != SLOT_NONE; i++) {
		const struct query *q = slots_at(&s->queries, i);
		struct ip a = dest_ip(&q->peer), b = dest_ip(peer);

		if (q->id == id && q->len == len && dest_port(&q->peer) == dest_port(peer) &&
		    ip_equal(&a, &b) && memcmp(q->bytes + 2, p + 2, len - 2) == 0)
			return true;
	}
	return false;
}

static void forward(struct server *s, uint32_t net, uint32_t entry, const uint8_t *p, size_t len,
		    const struct sockaddr_storage *peer)
{
	struct table_entry *e = table_entry_at(&s->table, entry);
	struct query full = {.net = net, .peer = *peer, .len = (uint16_t)len, .fd = -1};
	uint16_t id = (uint16_t)(p[0] << 8 | p[1]);

	if (is_repeated(s, peer, p, len, id))
		return;
	uint32_t i = SLOT_NONE;

	if (e->n_waiting < SERVER_QUERIES_EACH)
		i = share_take(&s->queries, offsetof(struct query, uid), e->uid);
	struct query *q = i == SLOT_NONE ? &full : slots_at(&s->queries, i);
	q->fd = -1;
	q->net = net;
	q->net_gen = table_net_at(&s->table, net)->slot.gen;
	q->entry = entry;
	q->entry_gen = e->slot.gen;
	q->peer = *peer;
	q->id = id;
	q->len = (uint16_t)len;
	memcpy(q->bytes, p, len);
	if (i == SLOT_NONE) {
		refuse(s, q, DNS_RCODE_FAILED);
		return;
	}
	e->n_waiting++;
	walk_begin(s, &q->walk);
	ask(s, q, i);
}

static void one(struct server *s, int fd, uint32_t net, size_t len,
		const struct sockaddr_storage *peer)
{
	struct answer_client c = {.net = net, .has_resolvers = s->n_resolver > 0};
	struct ip from = dest_ip(peer);
	size_t out;

	if (dest_port(peer) == 0 || server_admit(s, net, &from, &c.entry) < 0)
		return;
	switch (answer_query(&s->table, &c, s->message, len, s->answer, &out)) {
	case ANSWER_SEND:
		send_to(fd, s->answer, out, peer);
		break;
	case ANSWER_FORWARD:
		forward(s, net, c.entry, s->message, len, peer);
		break;
	case ANSWER_DROP:
		break;
	}
}

void query_udp_event(struct server *s, uint32_t index)
{
	uint32_t net = index / N_FAM;
	struct sockaddr_storage peer;

	if (net >= TABLE_NETS_MAX)
		return;
	int fd = s->place[net].fd[2 * (index % N_FAM)];
	for (int i = 0; fd >= 0 && i < MESSAGES_A_TURN; i++) {
		socklen_t len = sizeof(peer);
		/* One byte more than is read: what is longer is no query. */
		ssize_t n = recvfrom(fd, s->message, MSG_QUERY_MAX + 1, MSG_DONTWAIT,
				     (struct sockaddr *)&peer, &len);

		if (n < 0 && errno != EINTR)
			return;
		if (n >= 0)
			one(s, fd, net, (size_t)n, &peer);
	}
}

/* What is in s->message waits until its client may reach what it says. False: it may go. */
static bool hold(struct server *s, struct query *q, uint32_t index, size_t len)
{
	const struct watch_id who = {.kind = SERVER_QUERY, .index = index, .gen = q->slot.gen};
	struct table_entry *e = table_entry_at(&s->table, q->entry);
	uint32_t i = SLOT_NONE;

	if (!e->is_kept)
		return false;
	if (e->n_held < SERVER_HELD_EACH)
		i = share_take(&s->held, offsetof(struct held, uid), e->uid);
	enum learn l =
		i == SLOT_NONE ? LEARN_FAILED : learn_answer(s, q->entry, &who, s->message, len);
	if (l != LEARN_ASKED && i != SLOT_NONE)
		slots_give(&s->held, i);
	if (l == LEARN_NOTHING)
		return false;
	if (l == LEARN_FAILED) {
		refuse(s, q, DNS_RCODE_FAILED);
		end(s, q, index);
		return true;
	}
	struct held *h = slots_at(&s->held, i);
	close_try(s, q);
	q->held = i + 1;
	e->n_held++;
	q->walk.due_ms = s->now_ms + SERVER_LEARN_MS;
	h->len = (uint32_t)len;
	memcpy(h->bytes, s->message, len);
	return true;
}

static void deliver(struct server *s, struct query *q, uint32_t index, uint8_t *message, size_t len)
{
	struct msg m;

	if (msg_parse(q->bytes, q->len, &m) == 0 && len > answer_limit(&m))
		len = answer_cut(message, len);
	send_to(listener_of(s, q), message, len, &q->peer);
	end(s, q, index);
}

void query_learned(struct server *s, uint32_t index, uint32_t gen, int sys)
{
	struct query *q = slots_live(&s->queries, index, gen);

	if (!q || !q->held)
		return;
	if (sys == 0) {
		struct held *h = slots_at(&s->held, q->held - 1);

		deliver(s, q, index, h->bytes, h->len);
		return;
	}
	refuse(s, q, learn_rcode(sys));
	end(s, q, index);
}

/* One message of a resolver. True: the query has moved on. */
static bool hear(struct server *s, struct query *q, uint32_t index, size_t len)
{
	struct dns d;

	if (!server_is_answer(s->message, len, q->bytes, q->len, q->asked_id, &d))
		return false;
	walk_mark(s, &q->walk, false);
	if (server_is_poor(&d) && walk_has_untried(s, &q->walk)) {
		ask(s, q, index);
		return true;
	}
	server_own_answer(s->message, q->bytes, q->len, &d, q->id);
	if (!hold(s, q, index, len))
		deliver(s, q, index, s->message, len);
	return true;
}

void query_event(struct server *s, uint32_t index, uint32_t gen)
{
	struct query *q = slots_live(&s->queries, index, gen);

	for (int i = 0; q && q->fd >= 0 && i < MESSAGES_A_TURN; i++) {
		ssize_t n = recv(q->fd, s->message, sizeof(s->message), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) { /* ICMP: nobody is there */
			walk_mark(s, &q->walk, true);
			ask(s, q, index);
			return;
		}
		if (hear(s, q, index, (size_t)n))
			return;
	}
}

int query_expire(struct server *s)
{
	for (uint32_t i = 0; (i = slots_next(&s->queries, i)) != SLOT_NONE; i++) {
		struct query *q = slots_at(&s->queries, i);

		if (s->now_ms < q->walk.due_ms)
			continue;
		if (q->held) {
			query_learned(s, i, q->slot.gen, ETIMEDOUT);
			continue;
		}
		walk_mark(s, &q->walk, true);
		ask(s, q, i);
	}
	return s->queries.n_used ? SERVER_TICK_MS : -1;
}

void query_forget(struct server *s, uint32_t net, uint32_t entry)
{
	for (uint32_t i = 0; (i = slots_next(&s->queries, i)) != SLOT_NONE; i++) {
		struct query *q = slots_at(&s->queries, i);

		if (q->net == net && (entry == SLOT_NONE || q->entry == entry))
			end(s, q, i);
	}
}
