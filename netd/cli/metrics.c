/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics: label values are of our own grammar: no quote, backslash or newline can be in them. */
#include "cli/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "model/codec.h"

void metrics_clear(struct metrics *m)
{
	free(m->owner);
	buf_free(&m->flows);
	*m = (struct metrics){0};
}

static struct metrics_owner *owner_of(struct metrics *m, const struct attachment *a)
{
	struct metrics_owner *o;

	for (size_t i = 0; i < m->n_owner; i++)
		if (m->owner[i].uid == a->uid && strcmp(m->owner[i].network, a->network) == 0)
			return &m->owner[i];
	if (!GROW(m->owner, m->n_owner, m->cap_owner))
		return NULL;
	o = &m->owner[m->n_owner++];
	*o = (struct metrics_owner){.uid = a->uid};
	memcpy(o->network, a->network, sizeof(o->network));
	return o;
}

int metrics_add(struct metrics *m, const struct attachment *a, const uint64_t *flows)
{
	struct metrics_owner *o = owner_of(m, a);
	char s[PUBLISH_STRLEN];

	if (!o)
		return -ENOMEM;
	o->n++;
	for (size_t i = 0; i < a->n_publish; i++) {
		o->n_ports += a->publish[i].count;
		if (flows[i] == FLOWS_UNKNOWN)
			continue;
		buf_printf(&m->flows,
			   "netd_port_flows_total{uid=\"%u\",id=\"%s\",ifname=\"%s\",port=\"%s\"} "
			   "%" PRIu64 "\n",
			   a->uid, a->id, a->ifname, publish_str(&a->publish[i], s), flows[i]);
	}
	return m->flows.failed ? -ENOMEM : 0;
}

static int by_owner(const void *a, const void *b)
{
	const struct metrics_owner *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return strcmp(x->network, y->network);
}

void metrics_print(const struct metrics *m, const char *daemon, struct buf *out)
{
	buf_printf(out, "# TYPE netd_up gauge\nnetd_up %d\n%s", daemon != NULL,
		   daemon ? daemon : "");
	if (m->n_owner)
		qsort(m->owner, m->n_owner, sizeof(*m->owner), by_owner);
	buf_printf(out, "# TYPE netd_attachments gauge\n");
	for (size_t i = 0; i < m->n_owner; i++)
		buf_printf(out, "netd_attachments{uid=\"%u\",network=\"%s\"} %" PRIu64 "\n",
			   m->owner[i].uid, m->owner[i].network, m->owner[i].n);
	buf_printf(out, "# TYPE netd_ports gauge\n");
	for (size_t i = 0; i < m->n_owner; i++)
		buf_printf(out, "netd_ports{uid=\"%u\",network=\"%s\"} %" PRIu64 "\n",
			   m->owner[i].uid, m->owner[i].network, m->owner[i].n_ports);
	buf_printf(out, "# TYPE netd_port_flows_total counter\n%s", m->flows.p ? m->flows.p : "");
}
