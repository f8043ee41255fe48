/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve: the names responder: tells members of a network the addresses of its other members by
 * their names, and asks the host's resolvers for the rest. One for a network namespace, started by
 * the engine, which also hands over every socket it listens on. Like the local forwarder it ends
 * with what it serves, its control address goes with it, and a start that fails is told to the
 * first engine that connects. Where others keep the namespace it ends with them as well.
 */
#include "names/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "names/server.h"
#include "relay/watch.h"
#include "sys/fdpass.h"

#define N_EVENTS 64
/* For whoever started us to connect; it usually has before we run. */
#define START_WAIT_MS 2000

static int set_up_watcher(struct server *s)
{
	struct resolvers list = {0};
	int r = watcher_start(&list, &s->watcher_fd);

	resolvers_set(s, &list);
	if (r == 0 && s->watcher_fd >= 0)
		r = watch_add(s->epoll_fd, s->watcher_fd, EPOLLIN, SERVER_WATCHER, 0, 0);
	return r;
}

/* Resolvers that do not change, and nobody's file. A pipe is watched for its end alone; who is
 * stopped then and sees nothing is killed by the kernel (cage_enter). */
static int set_up_given(struct server *s, char *const resolver[], size_t n)
{
	struct resolvers list = {0};

	s->watcher_fd = -1;
	for (size_t i = 0; i < n && list.n < RESOLVERS_MAX; i++)
		if (ip_parse(resolver[i], &list.ip[list.n++], NULL) < 0)
			return -EINVAL;
	resolvers_set(s, &list);
	return watch_add(s->epoll_fd, NAMESMSG_END_FD, 0, SERVER_END, 0, 0);
}

static int set_up(struct server *s, char *const resolver[], size_t n, const char **ret_step)
{
	signal(SIGPIPE, SIG_IGN);
	*ret_step = "tables";
	s->listen_fd = NAMESMSG_CONTROL_FD;
	s->keeper_fd = -1;
	s->starter = geteuid();
	s->strangers = (struct bucket)BUCKET_FULL(SERVER_STRANGERS_S / 1000, SERVER_STRANGERS_S);
	for (size_t i = 0; i < TABLE_NETS_MAX; i++)
		memset(s->place[i].fd, 0xff, sizeof(s->place[i].fd));
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = s->epoll_fd < 0 ? -errno : 0;
	if (r == 0 && getrandom(&s->key, sizeof(s->key), 0) != sizeof(s->key))
		r = -EIO;
	if (r == 0)
		r = table_init(&s->table);
	if (r == 0)
		r = slots_init(&s->queries, SERVER_QUERIES_MAX, sizeof(struct query));
	if (r == 0)
		r = slots_init(&s->streams, SERVER_STREAMS_MAX, sizeof(struct stream));
	if (r == 0)
		r = slots_init(&s->held, SERVER_HELD_MAX, sizeof(struct held));
	if (r == 0)
		r = control_init(s);
	if (r < 0)
		return r;
	*ret_step = "resolvers";
	r = n ? set_up_given(s, resolver, n) : set_up_watcher(s);
	return r < 0 ? r : cage_enter(n ? NAMESMSG_END_FD : 0, ret_step);
}

static void hear_watcher(struct server *s)
{
	struct resolvers list;
	ssize_t n;

	while ((n = fdpass_recv(s->watcher_fd, &list, sizeof(list), NULL, 0)) > 0)
		if (n == (ssize_t)sizeof(list) && list.n <= RESOLVERS_MAX)
			resolvers_set(s, &list);
	if (n == -EAGAIN)
		return;
	watch_del(s->epoll_fd, s->watcher_fd); /* gone: the last list stays */
	close(s->watcher_fd);
	s->watcher_fd = -1;
}

/* Late events of a network that is gone find no socket in its place, or one that is another's, from
 * which nothing can be read in vain. */
static void dispatch(struct server *s, const struct epoll_event *ev)
{
	struct watch_id id = watch_decode(ev->data.u64);

	switch (id.kind) {
	case SERVER_CONTROL:
		control_take(s);
		break;
	case SERVER_REQUESTER:
		control_serve(s, id.index, id.gen);
		break;
	case SERVER_WATCHER:
		hear_watcher(s);
		break;
	case SERVER_UDP:
		query_udp_event(s, id.index);
		break;
	case SERVER_TCP:
		stream_accept(s, id.index);
		break;
	case SERVER_QUERY:
		query_event(s, id.index, id.gen);
		break;
	case SERVER_STREAM:
	case SERVER_STREAM_UP:
		stream_event(s, id.index, id.gen, id.kind == SERVER_STREAM_UP);
		break;
	case SERVER_KEEPER:
		learn_event(s);
		break;
	case SERVER_END:
		s->is_over = true;
		break;
	}
}

/* The shorter of two waits, where -1 is for ever. */
static int sooner(int a, int b)
{
	if (a < 0)
		return b;
	return b < 0 || a < b ? a : b;
}

static int serve(struct server *s)
{
	struct epoll_event ev[N_EVENTS];
	uint64_t start_end = clock_ms() + START_WAIT_MS;
	bool has_begun = false;

	for (;;) {
		s->now_ms = clock_ms();
		int wait = sooner(query_expire(s), stream_expire(s));
		wait = sooner(wait, control_sweep(s));
		has_begun |= s->requesters.n_used > 0 || s->now_ms >= start_end;
		if (!has_begun)
			wait = sooner(wait, clock_left(start_end));
		/* An engine that connects at this very moment finds the connection reset and starts
		 * the next responder. */
		if (has_begun && s->table.nets.n_used == 0 && s->requesters.n_used == 0)
			return 0;
		int n = epoll_wait(s->epoll_fd, ev, N_EVENTS, wait);
		if (n < 0 && errno != EINTR)
			return 71;
		s->now_ms = clock_ms();
		for (int i = 0; i < n; i++)
			dispatch(s, &ev[i]);
		if (s->is_over)
			return 0;
	}
}

int names_serve(char *const resolver[], size_t n)
{
	struct server *s = calloc(1, sizeof(*s));
	const char *step = "memory";
	int r = s ? set_up(s, resolver, n, &step) : -ENOMEM;

	if (r < 0) {
		control_say_no(NAMESMSG_CONTROL_FD, -r, step, START_WAIT_MS);
		return 70;
	}
	return serve(s);
}
