/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: TCP (RFC 1035 4.2.2, RFC 7766). One query of a client at a time; what it sends ahead
 * waits in its socket. A client that does not finish its query, or take its answer, in time is
 * closed, as is one whose stream ends in the midst of a message. What the table does not know is
 * asked of a resolver over TCP, and its answer is read into the place that it is sent from.
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

#define ACCEPT_A_TURN 16
#define STEPS_A_TURN 16

enum step { STEP_MORE, STEP_WAIT, STEP_END };

static void close_up(struct server *s, struct stream *t)
{
	if (t->up_fd < 0)
		return;
	watch_del(s->epoll_fd, t->up_fd);
	close(t->up_fd);
	t->up_fd = -1;
}

static void end(struct server *s, struct stream *t, uint32_t index)
{
	close_up(s, t);
	watch_del(s->epoll_fd, t->fd);
	close(t->fd);
	if (t->entry != SLOT_NONE && slots_live(&s->table.entries, t->entry, t->entry_gen))
		table_entry_at(&s->table, t->entry)->n_streams--;
	slots_give(&s->streams, index);
}

static void reads(struct server *s, struct stream *t)
{
	t->phase = STREAM_READS;
	t->in_len = 0;
	t->due_ms = s->now_ms + SERVER_STREAM_MS;
}

static void writes(struct server *s, struct stream *t, size_t len)
{
	close_up(s, t);
	t->phase = STREAM_WRITES;
	t->out[0] = (uint8_t)(len >> 8);
	t->out[1] = (uint8_t)len;
	t->out_len = (uint32_t)len + 2;
	t->out_at = 0;
	t->due_ms = s->now_ms + SERVER_STREAM_MS;
}

static void take(struct server *s, uint32_t net, int fd, const struct sockaddr_storage *peer)
{
	struct ip from = dest_ip(peer);
	uint32_t entry = table_by_ip(&s->table, net, &from);
	struct table_entry *e = entry != SLOT_NONE ? table_entry_at(&s->table, entry) : NULL;
	/* A stranger would hear nothing but a refusal; members may need the place. */
	uint32_t i = SLOT_NONE;

	if (e && e->n_streams < SERVER_STREAMS_EACH)
		i = share_take(&s->streams, offsetof(struct stream, uid), e->uid);
	if (i == SLOT_NONE) {
		close(fd);
		return;
	}
	struct stream *t = slots_at(&s->streams, i);
	t->fd = fd;
	t->up_fd = -1;
	t->net = net;
	t->net_gen = table_net_at(&s->table, net)->slot.gen;
	t->entry = entry;
	t->entry_gen = e->slot.gen;
	reads(s, t);
	if (watch_add(s->epoll_fd, fd, EPOLLIN, SERVER_STREAM, i, t->slot.gen) < 0) {
		close(fd);
		slots_give(&s->streams, i);
		return;
	}
	e->n_streams++;
}

void stream_accept(struct server *s, uint32_t index)
{
	uint32_t net = index / N_FAM;

	if (net >= TABLE_NETS_MAX)
		return;
	int fd = s->place[net].fd[2 * (index % N_FAM) + 1];
	for (int i = 0; fd >= 0 && i < ACCEPT_A_TURN; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int client =
			accept4(fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (client < 0)
			return;
		take(s, net, client, &peer);
	}
}

/* ---- to resolvers ---- */

static void fail_up(struct server *s, struct stream *t, unsigned int rcode)
{
	struct msg m;

	if (msg_parse(t->in + 2, t->in_len - 2, &m) < 0)
		return;
	m.dns.id = t->id;
	writes(s, t, answer_error(&m, rcode, t->out + 2));
}

static int connect_up(struct server *s, struct stream *t, uint32_t index)
{
	struct sockaddr_storage to;
	socklen_t len = walk_address(s, &t->walk, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return -errno;
	int r = connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS
			? -errno
			: watch_add(s->epoll_fd, fd, EPOLLOUT, SERVER_STREAM_UP, index,
				    t->slot.gen);
	if (r < 0) {
		close(fd);
		return r;
	}
	t->up_fd = fd;
	return 0;
}

static void ask(struct server *s, struct stream *t, uint32_t index)
{
	close_up(s, t);
	while (walk_next(s, &t->walk)) {
		t->asked_id = server_random_id(s);
		dns_set_id(t->in + 2, t->asked_id);
		t->phase = STREAM_ASKS;
		t->out_at = 0;
		if (connect_up(s, t, index) == 0)
			return;
		walk_mark(s, &t->walk, true);
	}
	fail_up(s, t, DNS_RCODE_FAILED);
}

static void lose_up(struct server *s, struct stream *t, uint32_t index)
{
	walk_mark(s, &t->walk, true);
	ask(s, t, index);
}

static enum step ask_more(struct server *s, struct stream *t, uint32_t index)
{
	ssize_t n = send(t->up_fd, t->in + t->out_at, t->in_len - t->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
		return STEP_WAIT;
	if (n < 0) {
		lose_up(s, t, index);
		return STEP_WAIT;
	}
	t->out_at += (uint32_t)n;
	if (t->out_at < t->in_len)
		return STEP_MORE;
	t->phase = STREAM_HEARS;
	t->out_len = 0;
	watch_change(s->epoll_fd, t->up_fd, EPOLLIN, SERVER_STREAM_UP, index, t->slot.gen);
	return STEP_WAIT;
}

/* The answer goes once its client may reach what it says. */
static void learn(struct server *s, struct stream *t, uint32_t index, size_t len)
{
	const struct watch_id who = {.kind = SERVER_STREAM, .index = index, .gen = t->slot.gen};

	switch (learn_answer(s, t->entry, &who, t->out + 2, len)) {
	case LEARN_NOTHING:
		writes(s, t, len);
		break;
	case LEARN_ASKED:
		close_up(s, t);
		t->phase = STREAM_LEARNS;
		t->due_ms = s->now_ms + SERVER_LEARN_MS;
		break;
	case LEARN_FAILED:
		fail_up(s, t, DNS_RCODE_FAILED);
		break;
	}
}

static void heard(struct server *s, struct stream *t, uint32_t index)
{
	uint8_t *message = t->out + 2;
	size_t len = t->out_len - 2;
	struct dns d;

	if (!server_is_answer(message, len, t->in + 2, t->in_len - 2, t->asked_id, &d)) {
		lose_up(s, t, index);
		return;
	}
	walk_mark(s, &t->walk, false);
	if (server_is_poor(&d) && walk_has_untried(s, &t->walk)) {
		ask(s, t, index);
		return;
	}
	server_own_answer(message, t->in + 2, t->in_len - 2, &d, t->id);
	learn(s, t, index, len);
}

static enum step hear_more(struct server *s, struct stream *t, uint32_t index)
{
	size_t want = t->out_len < 2 ? 2 : 2 + (size_t)(t->out[0] << 8 | t->out[1]);
	ssize_t n = recv(t->up_fd, t->out + t->out_len, want - t->out_len, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return STEP_WAIT;
	if (n <= 0) {
		lose_up(s, t, index);
		return STEP_WAIT;
	}
	t->out_len += (uint32_t)n;
	if (t->out_len < 2 || t->out_len < 2u + (unsigned int)(t->out[0] << 8 | t->out[1]))
		return STEP_MORE;
	heard(s, t, index);
	return STEP_WAIT;
}

/* ---- to the client ---- */

static enum step got_query(struct server *s, struct stream *t, uint32_t index)
{
	const uint8_t *q = t->in + 2;
	struct answer_client c = {.net = t->net,
				  .entry = t->entry,
				  .is_stream = true,
				  .has_resolvers = s->n_resolver > 0};
	size_t len;

	if (t->in_len < 4 || !bucket_take(&table_entry_at(&s->table, t->entry)->rate, s->now_ms))
		return STEP_END;
	t->id = (uint16_t)(q[0] << 8 | q[1]);
	switch (answer_query(&s->table, &c, q, t->in_len - 2, s->answer, &len)) {
	case ANSWER_DROP:
		return STEP_END;
	case ANSWER_SEND:
		memcpy(t->out + 2, s->answer, len);
		writes(s, t, len);
		return STEP_MORE;
	case ANSWER_FORWARD:
		break;
	}
	walk_begin(s, &t->walk);
	ask(s, t, index);
	return STEP_MORE;
}

static enum step read_more(struct server *s, struct stream *t, uint32_t index)
{
	size_t want = t->in_len < 2 ? 2 : 2 + (size_t)(t->in[0] << 8 | t->in[1]);

	if (want > sizeof(t->in))
		return STEP_END;
	ssize_t n = recv(t->fd, t->in + t->in_len, want - t->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return STEP_WAIT;
	if (n <= 0)
		return STEP_END;
	t->in_len += (uint32_t)n;
	if (t->in_len < 2 || t->in_len < 2u + (unsigned int)(t->in[0] << 8 | t->in[1]))
		return STEP_MORE;
	return got_query(s, t, index);
}

static enum step write_more(struct server *s, struct stream *t)
{
	ssize_t n = send(t->fd, t->out + t->out_at, t->out_len - t->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? STEP_WAIT : STEP_END;
	t->out_at += (uint32_t)n;
	if (t->out_at == t->out_len)
		reads(s, t);
	return STEP_MORE;
}

static enum step step(struct server *s, struct stream *t, uint32_t index)
{
	switch (t->phase) {
	case STREAM_READS:
		return read_more(s, t, index);
	case STREAM_WRITES:
		return write_more(s, t);
	case STREAM_ASKS:
		return ask_more(s, t, index);
	case STREAM_HEARS:
		return hear_more(s, t, index);
	case STREAM_LEARNS:
		return STEP_WAIT;
	}
	return STEP_END;
}

static bool is_at_resolver(const struct stream *t)
{
	return t->phase == STREAM_ASKS || t->phase == STREAM_HEARS;
}

/* What the client's end is watched for: nothing but its death while others are asked. */
static void watch_client(struct server *s, struct stream *t, uint32_t index)
{
	uint32_t want = t->phase == STREAM_READS    ? EPOLLIN
			: t->phase == STREAM_WRITES ? EPOLLOUT
						    : 0;

	watch_change(s->epoll_fd, t->fd, want, SERVER_STREAM, index, t->slot.gen);
}

void stream_learned(struct server *s, uint32_t index, uint32_t gen, int sys)
{
	struct stream *t = slots_live(&s->streams, index, gen);

	if (!t || t->phase != STREAM_LEARNS)
		return;
	if (sys == 0)
		writes(s, t, t->out_len - 2);
	else
		fail_up(s, t, learn_rcode(sys));
	watch_client(s, t, index);
}

static void run(struct server *s, struct stream *t, uint32_t index)
{
	enum step next = STEP_MORE;

	for (int i = 0; next == STEP_MORE && i < STEPS_A_TURN; i++)
		next = step(s, t, index);
	if (next == STEP_END)
		end(s, t, index);
	else
		watch_client(s, t, index);
}

void stream_event(struct server *s, uint32_t index, uint32_t gen, bool is_up)
{
	struct stream *t = slots_live(&s->streams, index, gen);

	if (!t)
		return;
	if (!is_up && (is_at_resolver(t) || t->phase == STREAM_LEARNS)) { /* hung up */
		end(s, t, index);
		return;
	}
	if (is_up == is_at_resolver(t))
		run(s, t, index);
}

int stream_expire(struct server *s)
{
	for (uint32_t i = 0; (i = slots_next(&s->streams, i)) != SLOT_NONE; i++) {
		struct stream *t = slots_at(&s->streams, i);

		if (is_at_resolver(t) && s->now_ms >= t->walk.due_ms) {
			lose_up(s, t, i);
			watch_client(s, t, i);
		} else if (t->phase == STREAM_LEARNS && s->now_ms >= t->due_ms) {
			stream_learned(s, i, t->slot.gen, ETIMEDOUT);
		} else if (!is_at_resolver(t) && s->now_ms >= t->due_ms) {
			end(s, t, i);
		}
	}
	return s->streams.n_used ? SERVER_TICK_MS : -1;
}

void stream_forget(struct server *s, uint32_t net, uint32_t entry)
{
	for (uint32_t i = 0; (i = slots_next(&s->streams, i)) != SLOT_NONE; i++) {
		struct stream *t = slots_at(&s->streams, i);

		if (t->net == net && (entry == SLOT_NONE || t->entry == entry))
			end(s, t, i);
	}
}
