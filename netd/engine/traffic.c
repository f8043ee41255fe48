/* SPDX-License-Identifier: GPL-2.0-or-later */
/* traffic: the kernel's counters of links, told by attachment. It keeps nothing and changes
 * nothing. */
#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "engine/engine.h"
#include "engine/internal.h"
#include "net/link_stats.h"

struct counters {
	size_t n, cap;
	struct link_stats *list;
	int (*fn)(const struct attachment *a, const struct engine_traffic *t, void *arg);
	void *arg;
};

static int keep(const struct link_stats *s, void *arg)
{
	struct counters *c = arg;

	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		void *v = reallocarray(c->list, cap, sizeof(*c->list));

		if (!v)
			return -ENOMEM;
		c->list = v;
		c->cap = cap;
	}
	c->list[c->n++] = *s;
	return 0;
}

static int by_index(const void *left, const void *right)
{
	const struct link_stats *a = left, *b = right;

	return a->index < b->index ? -1 : a->index > b->index;
}

/* What the host sends into the link comes in to the container. */
static int tell(const struct attachment *a, void *arg)
{
	const struct counters *c = arg;
	const struct link_stats key = {.index = a->host_ifindex};
	const struct link_stats *s = c->n && a->host_ifindex
					     ? bsearch(&key, c->list, c->n, sizeof(key), by_index)
					     : NULL;
	struct engine_traffic t;

	if (!s)
		return 0;
	t = (struct engine_traffic){
		.in_bytes = s->tx_bytes,
		.in_packets = s->tx_packets,
		.in_dropped = s->tx_dropped,
		.out_bytes = s->rx_bytes,
		.out_packets = s->rx_packets,
		.out_dropped = s->rx_dropped,
	};
	return c->fn(a, &t, c->arg);
}

int engine_traffic_each(struct engine *g,
			int (*fn)(const struct attachment *a, const struct engine_traffic *t,
				  void *arg),
			void *arg, struct err *e)
{
	struct counters c = {.fn = fn, .arg = arg};
	int r = link_stats_each(g->host, keep, &c, e);

	if (r == -ENOMEM)
		r = err_set(e, ERR_INTERNAL, ENOMEM, "counters of the links");
	if (c.n)
		qsort(c.list, c.n, sizeof(*c.list), by_index);
	if (r >= 0)
		r = engine_each(g, tell, NULL, &c, e);
	free(c.list);
	return r;
}
