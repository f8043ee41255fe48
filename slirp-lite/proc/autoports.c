/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * autoports: a rule for each port that is followed, found by its number. What a message changes is
 * gathered first: rules go in one pass, then new ones come. A port that is given up is free when
 * the worker has closed its socket too, which is later; so one whose family changes, or that comes
 * back soon, is late.
 */
#include "proc/autoports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/nsd.h"

#define READS 4      /* messages a round: the sender may be faster than we read */
#define LOG_LINES 20 /* a second */
#define N_PORTS (UINT16_MAX + 1)

enum { OF_TCP, OF_UDP, N_PROTOS };

struct autoports {
	struct autoports_env env;
	struct nsdports served;
	/* Of TCP, UDP; pages that are not used cost nothing. */
	uint32_t rule[N_PROTOS][N_PORTS];
	bool is_late[N_PROTOS][N_PORTS];
	uint32_t n_late;
	uint8_t excepted[N_PROTOS][N_PORTS / 8];
	uint8_t closed[N_PROTOS][N_PORTS / 8]; /* those, and what is published otherwise */
	/* What a message changes. */
	uint32_t n_gone, n_new;
	uint32_t gone[NSDPORTS_MAX]; /* rules */
	struct nsdports_entry new[NSDPORTS_MAX];
	uint64_t said_second;
	unsigned n_said;
};

static int of(uint8_t proto)
{
	return proto == IPPROTO_UDP ? OF_UDP : OF_TCP;
}

static void set_bits(uint8_t to[N_PROTOS][N_PORTS / 8], const struct publish *p)
{
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return;
	for (uint32_t i = p->host_port; i > 0 && i < p->host_port + (uint32_t)p->count; i++)
		to[of(p->proto)][i / 8] |= (uint8_t)(1u << i % 8);
}

int autoports_new(const struct autoports_env *env, struct autoports **ret, struct err *e)
{
	struct autoports *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(e, ERR_INTERNAL, ENOMEM, "--publish-auto");
	a->env = *env;
	for (size_t i = 0; i < env->except->n; i++)
		set_bits(a->excepted, &env->except->p[i]);
	*ret = a;
	return 0;
}

void autoports_free(struct autoports *a)
{
	free(a);
}

static void say(struct autoports *a, const char *text)
{
	uint64_t second = clock_ms() / 1000;

	if (second != a->said_second) {
		a->said_second = second;
		a->n_said = 0;
	}
	if (a->n_said++ < LOG_LINES)
		log_info("not published: %s", text);
}

static void find_closed(struct autoports *a)
{
	struct published_rule r;
	size_t cursor = 0;

	memcpy(a->closed, a->excepted, sizeof(a->closed));
	while (published_next(a->env.published, &cursor, &r))
		if (!r.is_auto)
			set_bits(a->closed, &r.p);
}

static void open_port(struct autoports *a, const struct nsdports_entry *s, bool may_be_late)
{
	const int k = of(s->proto);
	const struct publish p = {
		.proto = s->proto, .host_port = s->port, .ctr_port = s->port, .count = 1};
	struct published_request q = {.list = &p, .n = 1, .local = a->env.local, .is_auto = true};
	struct err e = ERR_INIT;
	int r;

	if (s->families & NSDPORTS_V4)
		q.guest[FAM4] = a->env.guest[FAM4];
	if (s->families & NSDPORTS_V6)
		q.guest[FAM6] = a->env.guest[FAM6];
	if ((q.guest[FAM4].family == 0 && q.guest[FAM6].family == 0) ||
	    a->closed[k][s->port / 8] & 1u << s->port % 8)
		return;
	r = published_add(a->env.published, &q, &a->rule[k][s->port], &e);
	if (r == -EADDRINUSE && may_be_late && !published_is_settled(a->env.published)) {
		a->is_late[k][s->port] = true;
		a->n_late++;
	} else if (r < 0) {
		say(a, e.text);
	}
}

static void change(void *arg, uint8_t proto, uint16_t port, uint8_t was, uint8_t is)
{
	struct autoports *a = arg;
	uint32_t *rule = &a->rule[of(proto)][port];
	bool *is_late = &a->is_late[of(proto)][port];

	(void)was;
	a->n_late -= *is_late;
	*is_late = false;
	if (*rule)
		a->gone[a->n_gone++] = *rule;
	*rule = 0;
	if (is)
		a->new[a->n_new++] =
			(struct nsdports_entry){.proto = proto, .port = port, .families = is};
}

static void apply(struct autoports *a)
{
	if (a->n_gone > 0)
		published_remove_all(a->env.published, a->gone, a->n_gone);
	if (a->n_new > 0)
		find_closed(a);
	for (uint32_t i = 0; i < a->n_new; i++)
		open_port(a, &a->new[i], true);
	a->n_gone = a->n_new = 0;
}

int autoports_read(struct autoports *a, int ports_fd)
{
	for (int i = 0; i < READS; i++) {
		int sys = a->served.sys;
		int r = nsd_ports_read(ports_fd, &a->served, change, a);

		if (r == -EPROTO)
			continue;
		if (r != 1)
			return r == -EAGAIN;
		if (a->served.sys && a->served.sys != sys)
			say(a, "the kernel does not tell what is served inside");
		apply(a);
	}
	return 1;
}

void autoports_go_on(struct autoports *a)
{
	if (a->n_late == 0 || !published_is_settled(a->env.published))
		return;
	find_closed(a);
	for (uint32_t i = 0; i < a->served.n; i++) {
		bool *is_late = &a->is_late[of(a->served.list[i].proto)][a->served.list[i].port];

		if (*is_late)
			open_port(a, &a->served.list[i], false);
		*is_late = false;
	}
	a->n_late = 0;
}
