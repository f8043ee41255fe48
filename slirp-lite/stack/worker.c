/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: makes the rooms, joins them, and goes round: wait, read frames, serve sockets and timers,
 * flush. All that a round has made possible for a flow is done once, at its end, so the ACKs of a
 * batch are one, and bytes are read when it is known how many may go.
 */
#include "stack/worker.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "stack/internal.h"

#define FRAMES_A_ROUND 64
#define BYTES_A_FLUSH (256u * 1024) /* the container's TCP should not wait longer for an ACK */
/* A third of what a socket's buffer of the default size holds, of datagrams that fill a packet: who
 * receives them gets to take them out before the next ones come. */
#define DATAGRAMS_A_FLUSH 32u
#define GATHER_BELOW 48u /* datagrams of a round */
#define TRIM_MS 1000
#define STATUS_LINK_GONE 71
#define CARRIER_PIPES                                                                              \
	8 /* of a quota of the user's, whatever containers he has: more are copied                 \
	   */

static void flush(struct worker *w, uint64_t now)
{
	uint32_t n;

	w->is_mixed |= tcp_has_work(w->tcp);
	w->is_busy = tcp_flush(w->tcp, now);
	n = udp_flush(w->udp, now);
	w->n_datagrams += n;
	if (n >= DATAGRAMS_A_FLUSH)
		loop_yield(w->loop);
	w->at = 0;
}

/* A flood of datagrams of which each look finds a few takes its time for the looks, and for waking
 * who gets them, one by one: some of them gather before the next look, when nothing else is done. A
 * look that found many has a queue to catch up with. */
static void gather(struct worker *w)
{
	const unsigned n_out = w->n_datagrams, n_link = w->n_link;
	const bool is_mixed = w->is_mixed;
	unsigned n_events, n_in;

	udp_take_heard(w->udp, &n_events, &n_in);
	w->n_datagrams = w->n_link = 0;
	w->is_mixed = false;
	if (n_in + n_out == 0)
		return;
	flood_note(&w->flood, n_in, n_out, clock_ns());
	if (w->flood.is_on && n_in + n_out < GATHER_BELOW && !is_mixed &&
	    loop_n_called(w->loop) == n_events + n_link)
		loop_gather(w->loop);
}

static void on_link(struct source *s, uint32_t events, uint64_t now)
{
	struct worker *w = (struct worker *)((char *)s - offsetof(struct worker, link_src));
	size_t since = 0;

	(void)events;
	w->n_link++;
	for (int i = 0; i < FRAMES_A_ROUND; i++) {
		struct link_meta m;
		const uint8_t *frame;
		uint8_t *buf = w->frames[w->at];
		ssize_t n = link_read(&w->link, buf, LINK_FRAME_MAX, &frame, &m);

		if (n == 0)
			return;
		if (n == -EBADMSG) {
			w->stats.n[STAT_DROP_ETH]++;
			continue;
		}
		if (n < 0) {
			w->is_over = true;
			w->status = STATUS_LINK_GONE;
			return;
		}
		if (w->conf.is_pcap) {
			struct iovec iov = {buf + (frame - buf), (size_t)n};

			capture_frame(w, &iov, 1);
		}
		dispatch_frame(w, frame, (size_t)n, &m, now);
		if (w->is_held)
			w->at = (w->at + 1) % TCP_HELD_MAX;
		since += (size_t)n;
		if (since >= BYTES_A_FLUSH || udp_n_since(w->udp) >= DATAGRAMS_A_FLUSH) {
			since = 0;
			flush(w, now);
		}
	}
}

static void on_control(struct source *s, uint32_t events, uint64_t now)
{
	(void)events;
	told_read((struct worker *)((char *)s - offsetof(struct worker, control_src)), now);
}

static void on_carrier(void *arg, uint64_t data, uint32_t events, uint64_t now)
{
	struct worker *w = arg;

	carrier_watched(w->carrier, data, events, now);
}

/* A client for whom no socket inside came. */
static void on_carrier_lost(void *arg, int fd, const struct sockaddr_storage *peer, uint32_t slot)
{
	struct worker *w = arg;

	ports_take_back(w->ports, fd, peer, slot, loop_now(w->loop));
}

static void on_carrier_bytes(void *arg, uint32_t slot, uint64_t n_in, uint64_t n_out)
{
	struct worker *w = arg;

	/* Also while the worker is taken down, when there are no ports any more. */
	if (w->ports)
		ports_account(w->ports, slot, n_in, n_out);
}

static bool on_local_datagram(void *arg, const struct port_spec *s, int fd, struct msghdr *h,
			      const void *data, size_t len, uint64_t now)
{
	struct worker *w = arg;

	return ports_carry(w->ports, s, fd, h, data, len, now);
}

static void on_dns(void *arg, const struct ip_packet *k, const struct udphdr_v *u, uint64_t now)
{
	struct worker *w = arg;

	local_dns_udp(w->local, k, u, now);
}

static bool pick_resolver(void *arg, unsigned attempt, uint64_t began, struct ip *ret_ip,
			  uint32_t *ret_scope, uint16_t *ret_port)
{
	struct worker *w = arg;

	return local_pick_resolver(w->local, attempt, began, ret_ip, ret_scope, ret_port);
}

static void on_resolver_failed(void *arg, const struct ip *ip, uint64_t now)
{
	struct worker *w = arg;

	local_resolver_failed(w->local, ip, now);
}

static void on_trim(struct timer *t, uint64_t now)
{
	struct worker *w = (struct worker *)((char *)t - offsetof(struct worker, trim));

	if (pool_trim(w->pool))
		timer_set(w->wheel, t, now + TRIM_MS);
}

static void on_reass(struct timer *t, uint64_t now)
{
	dispatch_expire((struct worker *)((char *)t - offsetof(struct worker, reass_timer)), now);
}

static int make_carrier(struct worker *w, struct err *e)
{
	const struct carrier_conf conf = {.epoll_fd = loop_lend(w->loop, LOOP_FIRST, on_carrier, w),
					  .channel = w->fds.inside,
					  .conns_max = w->conf.local_max,
					  .flows_max = w->conf.local_max,
					  .pipes_max = CARRIER_PIPES,
					  .outer_buffer =
						  w->through ? through_buffer(w->through) : 0,
					  .outer_unsent = w->through ? THROUGH_UNSENT : 0,
					  .is_patience_set = w->through != NULL,
					  .lost = on_carrier_lost,
					  .account = on_carrier_bytes,
					  .arg = w};
	int r = w->fds.inside < 0 ? 0 : carrier_new(&conf, &w->carrier);

	return r < 0 ? err_sys(e, -r, "clients on this host") : 0;
}

static int is_through(void *arg, const struct flow_key *k)
{
	struct worker *w = arg;

	return through_wants(w->through, k);
}

static void on_through_gone(void *arg, const struct flow_key *k)
{
	struct worker *w = arg;

	through_gone(w->through, k);
}

static bool on_through_again(void *arg, const struct flow_key *k, uint64_t now)
{
	struct worker *w = arg;

	return through_again(w->through, k, now);
}

static int on_through(void *arg, const struct flow_key *k, int fd, const struct syn *syn,
		      uint32_t seq, uint64_t now)
{
	struct worker *w = arg;

	return through_take(w->through, k, fd, syn, seq, now);
}

static int make_through(struct worker *w, const struct host_ops *host, struct tcp_env *tcp,
			struct err *e)
{
	const struct through_env env = {.emit = w->emit,
					.loop = w->loop,
					.wheel = w->wheel,
					.plan = &w->conf.policy.plan,
					.host = host,
					.stats = &w->stats,
					.listen = {w->fds.listen[FAM4], w->fds.listen[FAM6]},
					.max = w->conf.through_max,
					.source_max = w->conf.tcp_max / 4 + 1};
	int r;

	if (w->conf.through_max == 0 || (env.listen[FAM4] < 0 && env.listen[FAM6] < 0))
		return 0;
	r = through_new(&env, &w->through, e);
	if (r < 0)
		return r;
	tcp->is_others = is_through;
	tcp->others_gone = on_through_gone;
	tcp->others_again = on_through_again;
	tcp->hand_over = on_through;
	return 0;
}

static struct limit *make_limit(struct worker *w, struct limit *l, uint64_t bits)
{
	if (!bits)
		return NULL;
	limit_init(l, bits, w->conf.policy.plan.mtu, loop_now(w->loop));
	return l;
}

static bool is_limited(const struct worker *w)
{
	return w->conf.rates.in || w->conf.rates.out;
}

/* One that stays as it is owes what it owes. */
static void set_rate(struct worker *w, int i, uint64_t *at, uint64_t bits)
{
	struct limit *l;

	if (*at == bits)
		return;
	*at = bits;
	l = make_limit(w, &w->limit[i], bits);
	tcp_set_limit(w->tcp, i, l);
	udp_set_limit(w->udp, i, l);
}

void worker_set_rates(struct worker *w, const struct rates *r)
{
	set_rate(w, 0, &w->conf.rates.in, r->in);
	set_rate(w, 1, &w->conf.rates.out, r->out);
	ports_set_limited(w->ports, is_limited(w));
}

static int make_transports(struct worker *w, const struct host_ops *host, struct err *e)
{
	struct limit *limit[2] = {make_limit(w, &w->limit[0], w->conf.rates.in),
				  make_limit(w, &w->limit[1], w->conf.rates.out)};
	struct tcp_env tcp = {.emit = w->emit,
			      .loop = w->loop,
			      .wheel = w->wheel,
			      .pool = w->pool,
			      .policy = &w->conf.policy,
			      .host = host,
			      .stats = &w->stats,
			      .max = w->conf.tcp_max,
			      .resolver = pick_resolver,
			      .resolver_failed = on_resolver_failed,
			      .limit = {limit[0], limit[1]},
			      .kept_fd = w->fds.kept,
			      .arg = w};
	const struct udp_env udp = {.emit = w->emit,
				    .loop = w->loop,
				    .wheel = w->wheel,
				    .policy = &w->conf.policy,
				    .host = host,
				    .stats = &w->stats,
				    .max = w->conf.udp_max,
				    .once_ms = w->conf.udp_once_s * 1000ull,
				    .stream_ms = w->conf.udp_stream_s * 1000ull,
				    .limit = {limit[0], limit[1]},
				    .local = on_local_datagram,
				    .dns = on_dns,
				    .arg = w};
	const struct ping_env ping = {.emit = w->emit,
				      .loop = w->loop,
				      .wheel = w->wheel,
				      .policy = &w->conf.policy,
				      .host = host,
				      .stats = &w->stats,
				      .max = w->conf.ping_max};
	struct ports_env ports = {
		.loop = w->loop,
		.wheel = w->wheel,
		.policy = &w->conf.policy,
		.host = host,
		.stats = &w->stats,
		.emit = w->emit,
		.is_limited = is_limited(w),
		.is_shown_inside = {w->fds.listen[FAM4] >= 0, w->fds.listen[FAM6] >= 0}};
	int r = make_through(w, host, &tcp, e);

	if (r == 0)
		r = make_carrier(w, e);
	if (r == 0)
		r = tcp_new(&tcp, &w->tcp, e);
	if (w->fds.kept > 0)
		fd_closep(&w->fds.kept);
	if (r == 0)
		r = udp_new(&udp, &w->udp, e);
	if (r == 0)
		r = ping_new(&ping, &w->ping, e);
	ports.tcp = w->tcp;
	ports.carrier = w->carrier;
	ports.udp = w->udp;
	return r < 0 ? r : ports_new(&ports, &w->ports, e);
}

/* What does not fit into the pipe is not said: its reader has enough to do. */
static void say(void *arg, const char *line)
{
	const struct worker *w = arg;
	char text[AUDIT_STRLEN + 1];
	int n = snprintf(text, sizeof(text), "%s\n", line);

	if (w->fds.log >= 0 && n > 0 && (size_t)n < sizeof(text) &&
	    write(w->fds.log, text, (size_t)n) < 0)
		return;
}

static int make_egress(struct worker *w, struct err *e)
{
	struct policy *p = &w->conf.policy;
	int r = p->egress.n ? audit_new(say, w, &p->audit, e) : 0;

	return r == 0 && attach_egress_has_names(&p->egress) ? learned_new(&p->learned, e) : r;
}

static int make_rooms(struct worker *w, const struct host_ops *host, struct err *e)
{
	struct local_env local = {.plan = &w->conf.policy.plan,
				  .policy = &w->conf.policy,
				  .stats = &w->stats,
				  .host = host};
	int r = link_init(&w->link, w->fds.link, w->conf.is_raw_link, e);

	if (r == 0)
		r = loop_new(&w->loop, e);
	if (r == 0)
		r = wheel_new(loop_now(w->loop), &w->wheel, e);
	if (r == 0)
		r = pool_new(w->conf.memory_max, &w->pool, e);
	if (r == 0)
		r = reass_new(&w->reass, e);
	if (r == 0)
		r = emit_new(&w->conf.policy.plan, &w->link, &w->stats, &w->emit, e);
	if (r < 0)
		return r;
	if (w->conf.is_pcap)
		emit_set_tap(w->emit, capture_frame, w);
	r = make_egress(w, e);
	if (r < 0)
		return r;
	local.emit = w->emit;
	local.wheel = w->wheel;
	local.loop = w->loop;
	r = local_new(&local, &w->local, e);
	if (r < 0)
		return r;
	told_set_resolvers(w, &w->conf.resolvers);
	return make_transports(w, host, e);
}

static int add_sources(struct worker *w, struct err *e)
{
	int r;

	w->link_src.fn = on_link;
	w->control_src.fn = on_control;
	r = loop_add(w->loop, &w->link_src, w->fds.link, EPOLLIN);
	if (r == 0 && w->fds.control >= 0)
		r = loop_add(w->loop, &w->control_src, w->fds.control, EPOLLIN);
	return r < 0 ? err_sys(e, -r, "worker: link and control socket") : 0;
}

int worker_new(const struct worker_config *conf, const struct worker_fds *fds,
	       const struct host_ops *host, struct worker **ret, struct err *e)
{
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);
	int r;

	if (!w)
		return err_set(e, ERR_INTERNAL, ENOMEM, "worker");
	/* The buffers stay untouched memory until large frames come. */
	memset(w, 0, offsetof(struct worker, frames));
	w->conf = *conf;
	w->conf.policy.learned = NULL;
	w->conf.policy.audit = NULL;
	w->fds = *fds;
	w->link_src.fd = w->control_src.fd = -1;
	w->trim.fn = on_trim;
	w->reass_timer.fn = on_reass;
	r = make_rooms(w, host, e);
	if (r == 0 && fds->kept > 0 && !tcp_is_kept(w->tcp))
		say(w,
		    "files may not be long enough (ulimit -f), or memory is short: what a killed "
		    "worker leaves is not reset");
	if (r == 0)
		r = add_sources(w, e);
	if (r < 0) {
		worker_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

bool worker_round(struct worker *w, uint64_t until)
{
	uint64_t next = wheel_next(w->wheel),
		 due = w->carrier ? carrier_due(w->carrier) : UINT64_MAX;
	uint64_t now;

	if (next > until)
		next = until;
	if (next > due)
		next = due;
	if (w->through && through_has_more(w->through))
		next = 0;
	now = loop_round(w->loop, w->is_busy ? 0 : next);
	wheel_run(w->wheel, now);
	if (w->carrier && carrier_due(w->carrier) <= now)
		carrier_tick(w->carrier, now);
	if (w->through)
		through_go_on(w->through);
	flush(w, now);
	gather(w);
	if (pool_n_held(w->pool) > 0 && !timer_is_set(&w->trim))
		timer_set(w->wheel, &w->trim, now + TRIM_MS);
	return !w->is_over;
}

int worker_run(struct worker *w)
{
	while (worker_round(w, UINT64_MAX))
		;
	return w->status;
}

struct loop *worker_loop(struct worker *w)
{
	return w->loop;
}

const struct stats *worker_stats(const struct worker *w)
{
	return &w->stats;
}

size_t worker_memory(const struct worker *w)
{
	return pool_n_held(w->pool) * POOL_CHUNK;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	ports_free(w->ports);
	w->ports = NULL;
	carrier_free(w->carrier);
	tcp_free(w->tcp);
	through_free(w->through);
	udp_free(w->udp);
	ping_free(w->ping);
	local_free(w->local);
	learned_free(w->conf.policy.learned);
	audit_free(w->conf.policy.audit);
	emit_free(w->emit);
	reass_free(w->reass);
	pool_free(w->pool);
	wheel_free(w->wheel);
	loop_free(w->loop);
	free(w);
}
