/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolvers: the host's list, which of them to ask next, and what makes a message an answer (RFC
 * 5452 9.1). An address that we listen on ourselves is no resolver: a question would go round.
 */
#include <netinet/in.h>
#include <string.h>

#include "names/server.h"

#define ATTEMPTS_MIN 2

static bool is_own(const struct server *s, const struct ip *ip)
{
	for (uint32_t i = 0; (i = slots_next(&s->table.nets, i)) != SLOT_NONE; i++)
		for (int f = 0; f < N_FAM; f++)
			if (ip_equal(&s->place[i].listen[f], ip))
				return true;
	return false;
}

void resolvers_set(struct server *s, const struct resolvers *list)
{
	s->n_resolver = 0;
	for (size_t i = 0; i < list->n && i < RESOLVERS_MAX; i++)
		s->resolver[s->n_resolver++] =
			(struct resolver_state){.ip = list->ip[i], .scope = list->scope[i]};
	s->generation++;
}

static bool is_down(const struct server *s, const struct resolver_state *r)
{
	return r->has_failed && s->now_ms - r->failed_ms < SERVER_DOWN_MS;
}

static uint32_t all_of(const struct server *s)
{
	return (1u << s->n_resolver) - 1;
}

void walk_begin(const struct server *s, struct walk *w)
{
	*w = (struct walk){.generation = s->generation, .began_ms = s->now_ms};
}

static unsigned int attempts(const struct server *s)
{
	return s->n_resolver < ATTEMPTS_MIN ? ATTEMPTS_MIN : (unsigned int)s->n_resolver;
}

bool walk_has_untried(const struct server *s, const struct walk *w)
{
	return w->n_tries < attempts(s) &&
	       (w->generation != s->generation || (w->tried & all_of(s)) != all_of(s));
}

bool walk_next(const struct server *s, struct walk *w)
{
	uint64_t end = w->began_ms + SERVER_PATIENCE_MS;

	if (s->n_resolver == 0 || w->n_tries >= attempts(s) || s->now_ms >= end)
		return false;
	if (!walk_has_untried(s, w)) {
		w->generation = s->generation;
		w->tried = 0;
	}
	for (unsigned int down = 0; down < 2; down++) {
		for (uint8_t i = 0; i < s->n_resolver; i++) {
			const struct resolver_state *r = &s->resolver[i];

			if (w->tried & 1u << i || is_down(s, r) != down)
				continue;
			w->tried |= 1u << i;
			if (is_own(s, &r->ip))
				continue;
			w->n_tries++;
			w->resolver = i;
			w->due_ms = s->now_ms + SERVER_PATIENCE_MS / attempts(s);
			return true;
		}
	}
	return false;
}

void walk_mark(struct server *s, const struct walk *w, bool has_failed)
{
	if (w->n_tries == 0 || w->generation != s->generation)
		return;
	s->resolver[w->resolver].has_failed = has_failed;
	s->resolver[w->resolver].failed_ms = s->now_ms;
}

socklen_t walk_address(const struct server *s, const struct walk *w, struct sockaddr_storage *ret)
{
	const struct resolver_state *r = &s->resolver[w->resolver];

	memset(ret, 0, sizeof(*ret));
	if (r->ip.family == AF_INET) {
		struct sockaddr_in *a = (struct sockaddr_in *)ret;

		a->sin_family = AF_INET;
		a->sin_port = htons(DNS_SERVER_PORT);
		memcpy(&a->sin_addr, r->ip.b, sizeof(a->sin_addr));
		return sizeof(*a);
	}
	struct sockaddr_in6 *a = (struct sockaddr_in6 *)ret;
	a->sin6_family = AF_INET6;
	a->sin6_port = htons(DNS_SERVER_PORT);
	a->sin6_scope_id = r->scope;
	memcpy(&a->sin6_addr, r->ip.b, sizeof(a->sin6_addr));
	return sizeof(*a);
}

uint16_t server_random_id(struct server *s)
{
	uint64_t n = s->n_ids++;

	return (uint16_t)siphash(&s->key, &n, sizeof(n));
}

bool server_is_answer(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len,
		      uint16_t asked_id, struct dns *ret)
{
	struct dns q;

	if (dns_parse(message, len, ret) < 0 || !ret->is_response || ret->id != asked_id ||
	    ret->opcode != 0 || dns_parse(query, query_len, &q) < 0)
		return false;
	/* A server that could not read the query may leave the question out. */
	if (ret->n_questions == 0)
		return ret->rcode == DNS_RCODE_FORMAT || server_is_poor(ret);
	return ret->question_len > 0 &&
	       dns_question_equal(ret->question, ret->question_len, q.question, q.question_len);
}

bool server_is_poor(const struct dns *d)
{
	return d->rcode == DNS_RCODE_FAILED || d->rcode == DNS_RCODE_UNKNOWN ||
	       d->rcode == DNS_RCODE_REFUSED;
}

void server_own_answer(uint8_t *message, const uint8_t *query, size_t query_len,
		       const struct dns *d, uint16_t id)
{
	struct dns q;

	dns_set_id(message, id);
	if (d->question_len > 0 && dns_parse(query, query_len, &q) == 0)
		memcpy(message + DNS_HDR_LEN, q.question, q.question_len);
}
