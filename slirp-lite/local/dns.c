/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns: a forwarder of queries over UDP. Messages pass unchanged but for their id: the container's
 * types, flags and EDNS options are its own business, answers cut short (TC) included; it asks
 * again over TCP. Each try has a socket of its own, so its source port is the kernel's random
 * choice, and connected, so only the resolver's address and port are heard; the id is random, and
 * the question must come back (RFC 5452 9.1). A query goes to the resolvers one after another until
 * one answers; when none does, the container is told so before it loses patience. Nothing is
 * cached; what is said of the egress policy's names is remembered (learn.c). RFC 1035 7, RFC 5452,
 * RFC 5625.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "local/inside.h"
#include "wire/dns.h"

#define HOST_NAME "host.containers.internal"
#define HOST_TTL_S 60
#define MESSAGES_PER_WAKE 4

static const struct ip no_ip;

static void query_timeout(struct timer *t, uint64_t now);
static void try_readable(struct source *s, uint32_t events, uint64_t now);

void dns_init(struct local *l)
{
	l->dns.first_free = DNS_PENDING;
}

static uint16_t random_id(struct local *l)
{
	uint64_t n = l->dns.n_ids++;

	return (uint16_t)siphash(&l->dns.key, &n, sizeof(n));
}

static void try_close(struct local *l, struct dns_try *t)
{
	int fd = t->source.fd;

	if (fd < 0)
		return;
	loop_remove(l->env.loop, &t->source);
	t->source.fd = -1;
	l->env.host->close(fd);
}

static void query_free(struct local *l, struct dns_query *q)
{
	timer_clear(l->env.wheel, &q->timer);
	for (size_t i = 0; i < DNS_TRIES; i++)
		try_close(l, &q->tries[i]);
	q->is_used = false;
	q->next_free = l->dns.first_free;
	l->dns.first_free = (uint16_t)(q - l->dns.query);
}

void dns_close(struct local *l)
{
	for (size_t i = 0; i < l->dns.high; i++)
		if (l->dns.query[i].is_used)
			query_free(l, &l->dns.query[i]);
}

/* All slots are in use: the oldest query gives way. */
static void drop_oldest(struct local *l)
{
	struct dns_query *found = &l->dns.query[0];

	for (size_t i = 1; i < DNS_PENDING; i++)
		if (l->dns.query[i].began < found->began)
			found = &l->dns.query[i];
	query_free(l, found);
	local_count(l, STAT_DROP_DNS);
}

/* A free slot, one used before if there is: memory is touched as far as it is needed. */
static struct dns_query *query_new(struct local *l)
{
	struct local_dns *d = &l->dns;
	struct dns_query *q;

	if (d->first_free == DNS_PENDING && d->high == DNS_PENDING)
		drop_oldest(l);
	if (d->first_free < DNS_PENDING) {
		q = &d->query[d->first_free];
		d->first_free = q->next_free;
	} else {
		q = &d->query[d->high++];
	}
	*q = (struct dns_query){.timer = {.fn = query_timeout}, .local = l, .is_used = true};
	for (size_t i = 0; i < DNS_TRIES; i++)
		q->tries[i] =
			(struct dns_try){.source = {.fd = -1, .fn = try_readable}, .query = q};
	return q;
}

static void refuse(struct local *l, const struct dns_query *q, uint8_t rcode)
{
	uint8_t out[DNS_ANSWER_MAX];
	struct dns d;

	if (dns_parse(q->bytes, q->len, &d) < 0)
		return;
	d.id = q->id;
	local_send_udp(l, &q->server, DNS_PORT, &q->client, q->port, out,
		       dns_build_answer(out, &d, rcode, &no_ip, 0));
}

static unsigned n_attempts(const struct local *l)
{
	size_t n = l->dns.n_resolvers;

	return n == 0 ? 0 : n < DNS_ATTEMPTS_MIN ? DNS_ATTEMPTS_MIN : (unsigned)n;
}

/* Whether a resolver is left that this query did not go to. */
static bool has_untried(const struct local *l, const struct dns_query *q)
{
	unsigned all = (1u << l->dns.n_resolvers) - 1;

	return q->generation != l->dns.generation || (q->tried & all) != all;
}

/* The next resolver in the order of when the query began: one not tried, else all once more. */
static bool next_resolver(struct local *l, struct dns_query *q, uint8_t *ret)
{
	if (q->generation != l->dns.generation || !has_untried(l, q)) {
		q->generation = l->dns.generation;
		q->tried = 0;
	}
	for (unsigned i = 0; resolver_pick(l, i, q->began, ret); i++) {
		uint8_t bit = (uint8_t)(1u << *ret);

		if (q->tried & bit)
			continue;
		q->tried |= bit;
		return true;
	}
	return false;
}

static void mark(struct local *l, const struct dns_try *t, bool has_failed, uint64_t now)
{
	struct resolver *r = &l->dns.resolver[t->resolver];

	if (t->generation != l->dns.generation)
		return;
	r->has_failed = has_failed;
	r->failed_at = now;
}

static int try_start(struct local *l, struct dns_try *t, uint64_t now)
{
	const struct resolver *to = &l->dns.resolver[t->resolver];
	const struct host_ops *host = l->env.host;
	struct dns_query *q = t->query;
	struct iovec iov = {q->bytes, q->len};
	const struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct sockaddr_storage sa;
	socklen_t len = host_sockaddr(&to->ip, DNS_PORT, &sa);
	int fd = host->socket(to->ip.family, HOST_UDP), r;
	ssize_t n;

	if (fd < 0) {
		local_count(l, STAT_DROP_SOCKET);
		return fd;
	}
	if (to->ip.family == AF_INET6)
		((struct sockaddr_in6 *)&sa)->sin6_scope_id = to->scope;
	t->id = random_id(l);
	dns_set_id(q->bytes, t->id);
	r = host->connect(fd, (struct sockaddr *)&sa, len);
	if (r == 0) {
		n = host->sendmsg(fd, &m, 0);
		r = n < 0 ? (int)n : loop_add(l->env.loop, &t->source, fd, EPOLLIN);
	}
	if (r < 0) {
		mark(l, t, true, now);
		t->source.fd = -1;
		host->close(fd);
		return r;
	}
	t->source.fd = fd;
	return 0;
}

/* Sends the query to the next resolver that takes it; when there is none left, or no time, the
 * query is over. Its time does not grow with resolvers that come while it is under way. */
static void query_send(struct local *l, struct dns_query *q, uint64_t now)
{
	uint64_t end = q->began + DNS_PATIENCE_MS;
	unsigned n = n_attempts(l);

	while (q->n_tries < n && now < end) {
		struct dns_try *t = &q->tries[q->n_tries % DNS_TRIES];
		uint8_t resolver;

		if (!next_resolver(l, q, &resolver))
			break;
		if (q->n_tries++ > 0)
			local_count(l, STAT_DNS_FAILOVER);
		try_close(l, t);
		t->resolver = resolver;
		t->generation = l->dns.generation;
		if (try_start(l, t, now) == 0) {
			uint64_t due = now + DNS_PATIENCE_MS / n;

			timer_set(l->env.wheel, &q->timer, due < end ? due : end);
			return;
		}
	}
	refuse(l, q, DNS_RCODE_FAILED);
	query_free(l, q);
}

static void query_timeout(struct timer *t, uint64_t now)
{
	struct dns_query *q = OWNER(t, struct dns_query, timer);
	struct local *l = q->local;

	if (q->n_tries > 0)
		mark(l, &q->tries[(q->n_tries - 1) % DNS_TRIES], true, now);
	query_send(l, q, now);
}

/* Whether the message is the answer to this try, and not one that somebody guessed. A server that
 * could not read the query may leave the question out. */
static bool is_answer(const struct dns_try *t, const struct dns *d)
{
	struct dns q;

	if (!d->is_response || d->id != t->id || d->opcode != 0 ||
	    dns_parse(t->query->bytes, t->query->len, &q) < 0)
		return false;
	if (d->n_questions == 0)
		return d->rcode == DNS_RCODE_FORMAT || d->rcode == DNS_RCODE_FAILED ||
		       d->rcode == DNS_RCODE_UNKNOWN || d->rcode == DNS_RCODE_REFUSED;
	return d->question_len > 0 &&
	       dns_question_equal(d->question, d->question_len, q.question, q.question_len);
}

/* One message of a resolver. True: the try is over. */
static bool on_message(struct local *l, struct dns_try *t, size_t len, uint64_t now)
{
	struct dns_query *q = t->query;
	uint8_t *message = l->dns.message;
	struct dns d;

	if (dns_parse(message, len, &d) < 0 || !is_answer(t, &d)) {
		local_count(l, STAT_DROP_DNS);
		return false;
	}
	mark(l, t, false, now);
	/* What one resolver cannot or will not tell another may. */
	if ((d.rcode == DNS_RCODE_FAILED || d.rcode == DNS_RCODE_UNKNOWN ||
	     d.rcode == DNS_RCODE_REFUSED) &&
	    has_untried(l, q) && q->n_tries < n_attempts(l)) {
		try_close(l, t);
		query_send(l, q, now);
		return true;
	}
	if (learn_answer(l, message, len, now)) {
		dns_set_id(message, q->id);
		local_send_udp(l, &q->server, DNS_PORT, &q->client, q->port, message, len);
	} else {
		refuse(l, q, DNS_RCODE_REFUSED);
	}
	query_free(l, q);
	return true;
}

static void try_readable(struct source *s, uint32_t events, uint64_t now)
{
	struct dns_try *t = OWNER(s, struct dns_try, source);
	struct dns_query *q = t->query;
	struct local *l = q->local;

	(void)events; /* errors come out of recvmsg */
	for (int i = 0; i < MESSAGES_PER_WAKE; i++) {
		struct iovec iov = {l->dns.message, sizeof(l->dns.message)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = l->env.host->recvmsg(s->fd, &m, 0);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n < 0) { /* ICMP said that nobody is there: no need to wait */
			mark(l, t, true, now);
			try_close(l, t);
			if (t == &q->tries[(q->n_tries - 1) % DNS_TRIES])
				query_send(l, q, now);
			return;
		}
		if (on_message(l, t, (size_t)n, now))
			return;
	}
}

/* Where the container finds the host: at the address that was chosen for that, else at the
 * gateway's where that is ours. */
static const struct ip *host_address(const struct plan *plan, int fam)
{
	if (plan->host_at[fam].family)
		return &plan->host_at[fam];
	if (plan->loopback_at[fam].family)
		return &plan->loopback_at[fam];
	return plan->is_router[fam] ? &no_ip : &plan->gateway[fam];
}

/* The host by its name: the types it has; NODATA for others. */
static bool answer_host(struct local *l, const struct dns *d, uint8_t *out, size_t *ret_len)
{
	const struct ip *a = host_address(l->env.plan, FAM4);
	const struct ip *aaaa = host_address(l->env.plan, FAM6);
	const struct ip *ip = &no_ip;

	if (!dns_name_is(d, HOST_NAME) || d->qclass != DNS_CLASS_IN || !(a->family || aaaa->family))
		return false;
	if (d->qtype == DNS_TYPE_A || (d->qtype == DNS_TYPE_ANY && a->family))
		ip = a;
	else if (d->qtype == DNS_TYPE_AAAA || d->qtype == DNS_TYPE_ANY)
		ip = aaaa;
	*ret_len = dns_build_answer(out, d, DNS_RCODE_OK, ip, HOST_TTL_S);
	return true;
}

/* What is answered without asking anybody. */
static bool answer_here(struct local *l, const struct dns *d, size_t len, uint8_t *out,
			size_t *ret_len)
{
	uint8_t rcode;

	if (d->opcode != 0)
		rcode = DNS_RCODE_UNKNOWN;
	else if (d->question_len == 0 || len > DNS_QUERY_MAX)
		rcode = DNS_RCODE_FORMAT;
	else if (answer_host(l, d, out, ret_len))
		return true;
	else if (l->dns.n_resolvers == 0)
		rcode = DNS_RCODE_FAILED;
	else
		return false;
	*ret_len = dns_build_answer(out, d, rcode, &no_ip, 0);
	return true;
}

/* The container lost patience and repeats itself: the first one is still on its way. */
static bool is_repeated(const struct local *l, const struct ip_packet *k, const struct udphdr_v *u,
			const struct dns *d)
{
	for (size_t i = 0; i < l->dns.high; i++) {
		const struct dns_query *q = &l->dns.query[i];

		if (q->is_used && q->port == u->sport && q->id == d->id && q->len == u->len &&
		    ip_equal(&q->client, &k->src) && ip_equal(&q->server, &k->dst) &&
		    memcmp(q->bytes + 2, u->payload + 2, u->len - 2) == 0)
			return true;
	}
	return false;
}

void local_dns_udp(struct local *l, const struct ip_packet *k, const struct udphdr_v *u,
		   uint64_t now)
{
	uint8_t out[DNS_ANSWER_MAX];
	struct dns_query *q;
	struct dns d;
	size_t len;

	if (u->sport == 0 || dns_parse(u->payload, u->len, &d) < 0 || d.is_response) {
		local_count(l, STAT_DROP_DNS);
		return;
	}
	local_count(l, STAT_DNS_QUERIES);
	if (answer_here(l, &d, u->len, out, &len)) {
		local_send_udp(l, &k->dst, DNS_PORT, &k->src, u->sport, out, len);
		return;
	}
	if (is_repeated(l, k, u, &d))
		return;
	q = query_new(l);
	q->client = k->src;
	q->server = k->dst;
	q->port = u->sport;
	q->id = d.id;
	q->began = now;
	q->generation = l->dns.generation;
	q->len = u->len;
	memcpy(q->bytes, u->payload, u->len);
	query_send(l, q, now);
}
