/* SPDX-License-Identifier: GPL-2.0-or-later */
/* carrier: see carrier.h. It joins the rooms' parts and has no rule of its own. */
#include "relay/carrier.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "relay/dgram.h"
#include "relay/inside.h"
#include "relay/relay.h"
#include "relay/watch.h"

#define N_WIDE 4 /* pipes */
/* After a socket with a client's address that did not come, until there is an answer. */
#define OWN_REST_MS 10000

struct carrier {
	int epoll_fd, channel;
	struct relay_ops ops;
	struct inside *inside;
	struct relay *relay;
	struct dgram *dgram;
	struct carrier_conf conf;
	uint64_t own_from_ms; /* nobody shows his own address before */
	uint64_t now_ms;      /* of the call that is under way */
};

static int take_socket(void *arg, int family, int type)
{
	struct carrier *c = arg;

	return inside_take(c->inside, family, type, c->now_ms);
}

static int ask_bound(void *arg, const struct ip *from, uint16_t port, uint32_t *ret_id)
{
	struct carrier *c = arg;

	return inside_ask_bound(c->inside, from, port, ret_id);
}

static bool on_bound(void *arg, uint32_t id, int fd)
{
	struct carrier *c = arg;

	c->own_from_ms = 0;
	return relay_given(c->relay, id, fd);
}

static uint64_t tell_time(void *arg)
{
	struct carrier *c = arg;

	return c->now_ms;
}

static void lose(void *arg, int fd, const struct sockaddr_storage *peer, uint32_t port)
{
	struct carrier *c = arg;

	c->conf.lost(c->conf.arg, fd, peer, port);
}

static void count(void *arg, uint32_t port, uint64_t n_in, uint64_t n_out)
{
	struct carrier *c = arg;

	c->conf.account(c->conf.arg, port, n_in, n_out);
}

static int set_up(struct carrier *c, const struct carrier_conf *conf)
{
	struct relay_conf relay = {.max = conf->conns_max,
				   .ops = &c->ops,
				   .n_pipes = conf->pipes_max,
				   .n_wide = N_WIDE,
				   .outer_buffer = conf->outer_buffer,
				   .outer_unsent = conf->outer_unsent,
				   .is_patience_set = conf->is_patience_set,
				   .are_reset = true};
	struct dgram_conf dgram = {.max = conf->flows_max, .ops = &c->ops};
	int r = 0;

	relay.epoll_fd = dgram.epoll_fd = c->epoll_fd;
	r = inside_new(c->channel, &c->inside);
	if (r == 0)
		r = relay_new(&relay, &c->relay);
	if (r == 0)
		r = dgram_new(&dgram, &c->dgram);
	if (r == 0 && c->channel >= 0)
		r = watch_add(c->epoll_fd, c->channel, EPOLLIN, WATCH_OTHER, 0, 0);
	return r;
}

int carrier_new(const struct carrier_conf *conf, struct carrier **ret)
{
	struct carrier *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->channel = conf->channel;
	c->epoll_fd = conf->epoll_fd;
	c->conf = *conf;
	c->ops = (struct relay_ops){.socket = take_socket,
				    .bound = ask_bound,
				    .now_ms = tell_time,
				    .lost = conf->lost ? lose : NULL,
				    .account = conf->account ? count : NULL,
				    .arg = c};
	int r = set_up(c, conf);
	if (r < 0) {
		carrier_free(c);
		return r;
	}
	inside_on_bound(c->inside, on_bound, c);
	*ret = c;
	return 0;
}

void carrier_free(struct carrier *c)
{
	if (!c)
		return;
	relay_free(c->relay);
	dgram_free(c->dgram);
	inside_free(c->inside);
	if (c->channel >= 0)
		watch_del(c->epoll_fd, c->channel);
	free(c);
}

/* Sockets have come, or those who wait are to hear that none will. */
static void go_on(struct carrier *c)
{
	if (!inside_is_open(c->inside))
		relay_forsake(c->relay);
	relay_ready(c->relay);
	dgram_ready(c->dgram, c->now_ms);
}

static void channel_event(struct carrier *c)
{
	if (!inside_event(c->inside, c->now_ms))
		return;
	/* An end that was read would be readable for ever. */
	if (!inside_is_open(c->inside))
		watch_del(c->epoll_fd, c->channel);
	go_on(c);
}

void carrier_watched(struct carrier *c, uint64_t data, uint32_t events, uint64_t now_ms)
{
	struct watch_id id = watch_decode(data);

	c->now_ms = now_ms;
	if (id.kind == WATCH_FLOW)
		dgram_event(c->dgram, id.index, id.gen, now_ms);
	else if (id.kind == WATCH_OTHER)
		channel_event(c);
	else
		relay_event(c->relay, id.index, id.gen, id.kind == WATCH_OUTER, events);
}

uint64_t carrier_due(const struct carrier *c)
{
	uint64_t relay = relay_due(c->relay), dgram = dgram_due(c->dgram),
		 inside = inside_due(c->inside);

	if (relay_has_more(c->relay))
		return 0;
	if (dgram < relay)
		relay = dgram;
	return inside < relay ? inside : relay;
}

void carrier_tick(struct carrier *c, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (inside_tick(c->inside, now_ms))
		go_on(c);
	if (relay_expire(c->relay, now_ms)) {
		c->own_from_ms = now_ms + OWN_REST_MS;
		relay_forsake(c->relay);
	}
	(void)dgram_expire(c->dgram, now_ms);
	(void)relay_go_on(c->relay);
}

bool carrier_is_open(const struct carrier *c)
{
	return inside_is_open(c->inside);
}

void carrier_expect(struct carrier *c, int type, const struct dest *to, uint64_t now_ms)
{
	for (int f = 0; f < N_FAM; f++)
		if (to->target[f].family)
			inside_warm(c->inside, to->target[f].family, type, now_ms);
}

int carrier_take(struct carrier *c, int fd, const struct sockaddr_storage *peer, uint32_t port,
		 const struct dest *to, uint64_t now_ms)
{
	c->now_ms = now_ms;
	return relay_take(c->relay, fd, peer, port, to, now_ms);
}

int carrier_take_own(struct carrier *c, int fd, const struct sockaddr_storage *peer, uint32_t port,
		     const struct dest *to, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (now_ms < c->own_from_ms)
		return -EAGAIN;
	return relay_take_own(c->relay, fd, peer, port, to, now_ms);
}

bool carrier_list(const struct carrier *c, uint32_t *cursor, struct relay_seen *ret)
{
	do {
		if (!relay_list(c->relay, cursor, ret))
			return false;
	} while (!ret->is_own);
	return true;
}

int carrier_datagram(struct carrier *c, int port_fd, uint32_t port, const struct dest *to,
		     struct msghdr *h, const void *data, size_t len, uint64_t now_ms)
{
	c->now_ms = now_ms;
	return dgram_take(c->dgram, port_fd, port, to, h, data, len, now_ms);
}

void carrier_cut(struct carrier *c, uint32_t port)
{
	relay_cut(c->relay, port);
	dgram_cut(c->dgram, port);
}

struct carrier_gauges carrier_gauges(const struct carrier *c)
{
	return (struct carrier_gauges){.n_conns = relay_count(c->relay),
				       .n_flows = dgram_count(c->dgram),
				       .n_waiting = relay_waiting(c->relay),
				       .n_ready = inside_count(c->inside)};
}
