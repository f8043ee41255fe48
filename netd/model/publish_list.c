/* SPDX-License-Identifier: GPL-2.0-or-later */
/* publish_list: an array that grows by one; lists are as long as command lines. */
#include "model/publish_list.h"

#include <errno.h>
#include <stdlib.h>

void publish_list_clear(struct publish_list *l)
{
	free(l->p);
	*l = (struct publish_list){0};
}

int publish_list_add(struct publish_list *l, const struct publish *p, struct err *e)
{
	struct publish *more;

	if (l->n == PUBLISH_MAX)
		return err_set(e, ERR_QUOTA, E2BIG, "published ports: at most %d runs",
			       PUBLISH_MAX);
	more = realloc(l->p, (l->n + 1) * sizeof(*more));
	if (!more)
		return err_set(e, ERR_INTERNAL, ENOMEM, "published ports");
	more[l->n++] = *p;
	l->p = more;
	return 0;
}

/* [from, from + count) of p, counted from its first port. */
static struct publish part(const struct publish *p, uint32_t from, uint32_t count)
{
	struct publish q = *p;

	q.host_port = (uint16_t)(p->host_port + from);
	q.ctr_port = (uint16_t)(p->ctr_port + from);
	q.count = (uint16_t)count;
	return q;
}

int publish_list_except(struct publish_list *l, uint8_t proto, uint16_t first, uint16_t last,
			struct err *e)
{
	struct publish_list kept = {0};
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		const struct publish *p = &l->p[i];
		uint32_t end = p->host_port + (uint32_t)p->count, after = last + 1u;
		struct publish q;

		if (p->proto != proto || p->host_port == 0 || after <= p->host_port ||
		    first >= end) {
			r = publish_list_add(&kept, p, e);
			continue;
		}
		if (first > p->host_port) {
			q = part(p, 0, (uint32_t)first - p->host_port);
			r = publish_list_add(&kept, &q, e);
		}
		if (r == 0 && after < end) {
			q = part(p, after - p->host_port, end - after);
			r = publish_list_add(&kept, &q, e);
		}
	}
	if (r < 0) {
		publish_list_clear(&kept);
		return r;
	}
	publish_list_clear(l);
	*l = kept;
	return 0;
}
