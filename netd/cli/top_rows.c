/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_rows: counters that went back are those of another link of the same name. PURE. */
#include "cli/top_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "cli/style.h"

void top_rows_clear(struct top_rows *l)
{
	free(l->row);
	*l = (struct top_rows){0};
}

int top_rows_add(struct top_rows *l, const struct attachment *a, const struct engine_traffic *t)
{
	struct top_row *row;

	if (!GROW(l->row, l->n, l->cap))
		return -ENOMEM;
	row = &l->row[l->n++];
	*row = (struct top_row){.now = *t};
	memcpy(row->id, a->id, sizeof(row->id));
	memcpy(row->ifname, a->ifname, sizeof(row->ifname));
	memcpy(row->network, a->network, sizeof(row->network));
	return 0;
}

/* ---- compared ---- */

static int by_name(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;
	int order = strcmp(a->id, b->id);

	return order ? order : strcmp(a->ifname, b->ifname);
}

static int by_rate(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;
	double x = a->in + a->out, y = b->in + b->out;

	return x != y ? (x < y ? 1 : -1) : by_name(a, b);
}

static void compare_one(struct top_row *row, const struct engine_traffic *a, double seconds)
{
	const struct engine_traffic *b = &row->now;

	if (b->in_bytes < a->in_bytes || b->out_bytes < a->out_bytes ||
	    b->in_packets < a->in_packets || b->out_packets < a->out_packets)
		return;
	row->has_rate = true;
	row->in = 8 * (double)(b->in_bytes - a->in_bytes) / seconds;
	row->out = 8 * (double)(b->out_bytes - a->out_bytes) / seconds;
	row->in_packets = (double)(b->in_packets - a->in_packets) / seconds;
	row->out_packets = (double)(b->out_packets - a->out_packets) / seconds;
}

void top_rows_compare(struct top_rows *now, struct top_rows *before)
{
	double seconds = (double)(now->at_ms - before->at_ms) / 1000;

	if (before->n)
		qsort(before->row, before->n, sizeof(*before->row), by_name);
	for (size_t i = 0; i < now->n && before->n && seconds > 0; i++) {
		struct top_row *row = &now->row[i];
		const struct top_row *old =
			bsearch(row, before->row, before->n, sizeof(*row), by_name);

		if (old)
			compare_one(row, &old->now, seconds);
	}
	if (now->n)
		qsort(now->row, now->n, sizeof(*now->row), by_rate);
}

/* ---- shown ---- */

const char *top_amount(double v, char out[TOP_AMOUNT_STRLEN])
{
	static const char units[] = {0, 'k', 'M', 'G', 'T', 'P', 'E'};
	size_t i = 0;

	while (v >= 999.5 && i + 1 < sizeof(units)) {
		v /= 1000;
		i++;
	}
	(void)snprintf(out, TOP_AMOUNT_STRLEN, i ? "%.1f%c" : "%.0f", v, units[i]);
	return out;
}

static const char *rate(const struct top_row *row, double v, char out[TOP_AMOUNT_STRLEN])
{
	return row->has_rate ? top_amount(v, out) : "-";
}

static void put_row(struct buf *out, bool has_colour, const struct top_row *row, unsigned width)
{
	char a[6][TOP_AMOUNT_STRLEN];
	uint64_t dropped = row->now.in_dropped + row->now.out_dropped;

	style_put(out, has_colour, STYLE_NAME, row->id, width);
	buf_printf(out, "  %-10s", row->ifname);
	buf_printf(out, " %9s %9s %9s %9s %9s %9s ", rate(row, row->in, a[0]),
		   rate(row, row->out, a[1]), rate(row, row->in_packets, a[2]),
		   rate(row, row->out_packets, a[3]), top_amount((double)row->now.in_bytes, a[4]),
		   top_amount((double)row->now.out_bytes, a[5]));
	buf_printf(out, "%8" PRIu64 "  ", dropped);
	style_put(out, has_colour, STYLE_NETWORK, row->network, 0);
	buf_printf(out, "\n");
}

void top_rows_put(const struct top_rows *l, bool has_colour, unsigned lines, struct buf *out)
{
	unsigned width = 2;
	char head[ID_STRLEN + 160];

	for (size_t i = 0; i < l->n; i++)
		if (strlen(l->row[i].id) > width)
			width = (unsigned)strlen(l->row[i].id);
	(void)snprintf(head, sizeof(head), "%-*s  %-10s %9s %9s %9s %9s %9s %9s %8s  NETWORK",
		       (int)width, "ID", "INTERFACE", "IN bit/s", "OUT bit/s", "IN pkt/s",
		       "OUT pkt/s", "IN bytes", "OUT bytes", "DROPPED");
	style_put(out, has_colour, STYLE_HEAD, head, 0);
	buf_printf(out, "\n");
	for (size_t i = 0; i < l->n; i++) {
		if (lines && i + 3 >= lines && i + 1 < l->n) {
			buf_printf(out, "... and %zu more\n", l->n - i);
			break;
		}
		put_row(out, has_colour, &l->row[i], width);
	}
}

json_t *top_row_json(const struct top_row *row)
{
	json_t *o = json_pack(
		"{s:s,s:s,s:s,s:{s:I,s:I,s:I},s:{s:I,s:I,s:I}}", "id", row->id, "ifname",
		row->ifname, "network", row->network, "in", "bytes", (json_int_t)row->now.in_bytes,
		"packets", (json_int_t)row->now.in_packets, "dropped",
		(json_int_t)row->now.in_dropped, "out", "bytes", (json_int_t)row->now.out_bytes,
		"packets", (json_int_t)row->now.out_packets, "dropped",
		(json_int_t)row->now.out_dropped);

	if (o && row->has_rate &&
	    json_object_set_new(o, "rate",
				json_pack("{s:f,s:f,s:f,s:f}", "in_bits", row->in, "out_bits",
					  row->out, "in_packets", row->in_packets, "out_packets",
					  row->out_packets)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}
