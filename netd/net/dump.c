/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump: collects the items of a dump; see the header for what happens when it is interrupted. The
 * union is needed because every link that comes or goes anywhere in the namespace interrupts the
 * dumps of links and addresses, and a busy host makes a thousand a second. One dump may then miss
 * an item (older kernels count positions in hash chains), five in a row will not.
 */
#include "net/dump.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

/* An item as stored: the number of the dump it was seen in, then the item. */
struct cell {
	uint64_t round;
	char item[];
};

struct dump {
	const struct dump_spec *s;
	char *cells;
	size_t n, cap, stride;
	uint64_t round;
	bool is_out_of_memory;
};

static struct cell *cell_at(const struct dump *d, size_t i)
{
	return (struct cell *)(void *)(d->cells + i * d->stride);
}

static void on_reply(struct nlmsghdr *h, void *arg)
{
	struct dump *d = arg;
	struct cell *c;

	if (d->is_out_of_memory)
		return;
	if (!grow_list(&d->cells, d->n, &d->cap, d->stride)) {
		d->is_out_of_memory = true;
		return;
	}
	c = cell_at(d, d->n);
	memset(c, 0, d->stride);
	c->round = d->round;
	if (d->s->parse(h, c->item))
		d->n++;
}

static void restart(void *arg)
{
	struct dump *d = arg;

	d->round++;
}

static int by_key_newest_first(const void *a, const void *b, void *arg)
{
	const struct cell *x = a, *y = b;
	const struct dump *d = arg;
	int c = memcmp(x->item, y->item, d->s->key_size);

	if (c != 0)
		return c;
	return x->round > y->round ? -1 : x->round < y->round;
}

static int hand_out(struct dump *d, bool is_union, int (*fn)(const void *item, void *arg),
		    void *arg)
{
	const struct cell *last = NULL;
	size_t i;
	int r;

	if (is_union && d->n > 0)
		qsort_r(d->cells, d->n, d->stride, by_key_newest_first, d);
	for (i = 0; i < d->n; i++) {
		const struct cell *c = cell_at(d, i);

		if (!is_union && c->round != d->round)
			continue;
		if (is_union && last && memcmp(last->item, c->item, d->s->key_size) == 0)
			continue;
		last = c;
		r = fn(c->item, arg);
		if (r != 0)
			return r;
	}
	return 0;
}

int dump_run(struct rtnl *r, struct nl_msg *m, const struct dump_spec *s,
	     int (*fn)(const void *item, void *arg), void *arg, struct err *e)
{
	struct dump d = {.s = s};
	struct err busy = ERR_INIT;
	bool is_union;
	int w;

	d.stride = (sizeof(struct cell) + s->size + 7) & ~(size_t)7;
	w = rtnl_call(r, m, on_reply, restart, &d, s->what, &busy);
	is_union = w == -EAGAIN && busy.kind == ERR_BUSY;
	if (d.is_out_of_memory)
		w = err_sys(e, ENOMEM, "%s", s->what);
	else if (is_union || w == 0)
		w = hand_out(&d, is_union, fn, arg);
	else if (e)
		*e = busy;
	free(d.cells);
	return w;
}
