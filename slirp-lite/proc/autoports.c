/* SPDX-License-Identifier: GPL-2.0-or-later */
/* autoports: a rule for each port that is followed, found by its number. */
#include "proc/autoports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/log.h"
#include "proc/nsd.h"

struct autoports {
	struct autoports_env env;
	struct nsdports served;
	uint32_t rule[2][UINT16_MAX + 1]; /* of TCP, UDP; pages that are not used cost nothing */
};

int autoports_new(const struct autoports_env *env, struct autoports **ret, struct err *e)
{
	struct autoports *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(e, ERR_INTERNAL, ENOMEM, "--publish-auto");
	a->env = *env;
	*ret = a;
	return 0;
}

void autoports_free(struct autoports *a)
{
	free(a);
}

static bool is_excepted(const struct autoports *a, const struct publish *p)
{
	for (size_t i = 0; i < a->env.except->n; i++)
		if (publish_overlaps(&a->env.except->p[i], p))
			return true;
	return false;
}

static bool is_published(const struct autoports *a, const struct publish *p)
{
	struct published_rule r;
	size_t cursor = 0;

	while (published_next(a->env.published, &cursor, &r))
		if (publish_overlaps(&r.p, p))
			return true;
	return false;
}

static void change(void *arg, uint8_t proto, uint16_t port, uint8_t was, uint8_t is)
{
	struct autoports *a = arg;
	uint32_t *rule = &a->rule[proto == IPPROTO_UDP][port];
	const struct publish p = {.proto = proto, .host_port = port, .ctr_port = port, .count = 1};
	struct published_request q = {.list = &p, .n = 1, .local = a->env.local, .is_auto = true};
	struct err e = ERR_INIT;

	(void)was;
	if (*rule)
		(void)published_remove(a->env.published, *rule);
	*rule = 0;
	if (is & NSDPORTS_V4)
		q.guest[FAM4] = a->env.guest[FAM4];
	if (is & NSDPORTS_V6)
		q.guest[FAM6] = a->env.guest[FAM6];
	if ((q.guest[FAM4].family == 0 && q.guest[FAM6].family == 0) || is_excepted(a, &p) ||
	    is_published(a, &p))
		return;
	if (published_add(a->env.published, &q, rule, &e) < 0)
		log_info("not published: %s", e.text);
}

int autoports_read(struct autoports *a, int ports_fd)
{
	int r;

	do
		r = nsd_ports_read(ports_fd, &a->served, change, a);
	while (r == 1 || r == -EPROTO);
	return r == -EAGAIN;
}
