/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top_links: rates of each container, from two looks at the kernel's counters of its link. The
 * busiest first. In and out are the container's.
 */
#include "cli/top.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cli/screen.h"
#include "cli/style.h"

struct row {
	char id[ID_STRLEN], ifname[IFNAME_STRLEN], network[NETNAME_STRLEN];
	struct engine_traffic now;
	bool has_rate;
	double in, out, in_packets, out_packets; /* a second; bits, packets */
};

struct look {
	uint64_t at_ms;
	size_t n, cap, n_named;
	struct row *row;
	struct attach_name *named; /* NULL: all */
	bool failed;
};

static void look_clear(struct look *l)
{
	for (size_t i = 0; i < l->n_named; i++) {
		free((void *)(uintptr_t)l->named[i].id);
		free((void *)(uintptr_t)l->named[i].ifname);
	}
	free(l->named);
	free(l->row);
	*l = (struct look){0};
}

/* ---- looked at ---- */

static int name_one(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e)
{
	struct look *l = arg;
	void *v = reallocarray(l->named, l->n_named + 1, sizeof(*l->named));
	struct attach_name *to = v;

	(void)g;
	if (!v)
		return err_set(e, ERR_INTERNAL, ENOMEM, "top");
	l->named = v;
	to += l->n_named++;
	*to = (struct attach_name){.id = strdup(id), .ifname = strdup(ifname)};
	return to->id && to->ifname ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "top");
}

static bool is_named(const struct look *l, const struct attachment *a)
{
	for (size_t i = 0; i < l->n_named; i++)
		if (strcmp(l->named[i].id, a->id) == 0 &&
		    strcmp(l->named[i].ifname, a->ifname) == 0)
			return true;
	return false;
}

static int see(const struct attachment *a, const struct engine_traffic *t, void *arg)
{
	struct look *l = arg;
	struct row *row;

	if (l->named && !is_named(l, a))
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 32;
		void *v = reallocarray(l->row, cap, sizeof(*l->row));

		if (!v) {
			l->failed = true;
			return 0;
		}
		l->row = v;
		l->cap = cap;
	}
	row = &l->row[l->n++];
	*row = (struct row){.now = *t};
	memcpy(row->id, a->id, sizeof(row->id));
	memcpy(row->ifname, a->ifname, sizeof(row->ifname));
	memcpy(row->network, a->network, sizeof(row->network));
	return 0;
}

static int by_name(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = strcmp(a->id, b->id);

	return order ? order : strcmp(a->ifname, b->ifname);
}

/* Opened each time: the state may come and go meanwhile. */
static int look(const struct top_how *how, const char *target, struct look *ret, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	int n = 0, r = cli_open(&how->common, true, &g, e);

	if (r == 0 && target)
		n = target_each(g, target, NULL, name_one, ret, e);
	if (r < 0 || n < 0)
		return r < 0 ? r : n;
	if (target && n == 0)
		return err_set(e, ERR_ABSENT, 0, "%s has no network from us", target);
	if (r == 0)
		r = engine_traffic_each(g, see, ret, e);
	ret->at_ms = clock_ms();
	if (r >= 0 && ret->failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "top");
	if (ret->n)
		qsort(ret->row, ret->n, sizeof(*ret->row), by_name);
	return r < 0 ? r : 0;
}

/* ---- compared ---- */

/* Counters that went back are those of another link of the same name. */
static void compare(struct look *now, const struct look *before)
{
	double seconds = (double)(now->at_ms - before->at_ms) / 1000;

	for (size_t i = 0; i < now->n && before->n && seconds > 0; i++) {
		struct row *row = &now->row[i];
		const struct row *old = bsearch(row, before->row, before->n, sizeof(*row), by_name);
		const struct engine_traffic *a = old ? &old->now : NULL, *b = &row->now;

		if (!a || b->in_bytes < a->in_bytes || b->out_bytes < a->out_bytes ||
		    b->in_packets < a->in_packets || b->out_packets < a->out_packets)
			continue;
		row->has_rate = true;
		row->in = 8 * (double)(b->in_bytes - a->in_bytes) / seconds;
		row->out = 8 * (double)(b->out_bytes - a->out_bytes) / seconds;
		row->in_packets = (double)(b->in_packets - a->in_packets) / seconds;
		row->out_packets = (double)(b->out_packets - a->out_packets) / seconds;
	}
}

static int by_rate(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	double x = a->in + a->out, y = b->in + b->out;

	return x != y ? (x < y ? 1 : -1) : by_name(a, b);
}

/* ---- shown ---- */

#define AMOUNT_STRLEN 16

/* "0", "999", "1.5k", "12.3G" */
static const char *amount(double v, char out[AMOUNT_STRLEN])
{
	static const char units[] = {0, 'k', 'M', 'G', 'T', 'P', 'E'};
	size_t i = 0;

	while (v >= 999.5 && i + 1 < sizeof(units)) {
		v /= 1000;
		i++;
	}
	(void)snprintf(out, AMOUNT_STRLEN, i ? "%.1f%c" : "%.0f", v, units[i]);
	return out;
}

static const char *rate(const struct row *row, double v, char out[AMOUNT_STRLEN])
{
	return row->has_rate ? amount(v, out) : "-";
}

static void put_row(struct buf *out, bool has_colour, const struct row *row, unsigned width)
{
	char a[6][AMOUNT_STRLEN];
	uint64_t dropped = row->now.in_dropped + row->now.out_dropped;

	style_put(out, has_colour, STYLE_NAME, row->id, width);
	buf_printf(out, "  %-10s", row->ifname);
	buf_printf(out, " %9s %9s %9s %9s %9s %9s ", rate(row, row->in, a[0]),
		   rate(row, row->out, a[1]), rate(row, row->in_packets, a[2]),
		   rate(row, row->out_packets, a[3]), amount((double)row->now.in_bytes, a[4]),
		   amount((double)row->now.out_bytes, a[5]));
	buf_printf(out, "%8" PRIu64 "  ", dropped);
	style_put(out, has_colour, STYLE_NETWORK, row->network, 0);
	buf_printf(out, "\n");
}

static int show_table(const struct top_how *how, const struct look *l, struct err *e)
{
	bool has_colour = style_has_colour(STDOUT_FILENO);
	CLEAN_BUF struct buf out = BUF_INIT;
	unsigned width = 2, room = how->is_screen ? screen_lines(24) : 0;
	char head[ID_STRLEN + 160];

	for (size_t i = 0; i < l->n; i++)
		if (strlen(l->row[i].id) > width)
			width = (unsigned)strlen(l->row[i].id);
	buf_printf(&out, "%s", how->is_screen ? TOP_CLEAR : "");
	(void)snprintf(head, sizeof(head), "%-*s  %-10s %9s %9s %9s %9s %9s %9s %8s  NETWORK",
		       (int)width, "ID", "INTERFACE", "IN bit/s", "OUT bit/s", "IN pkt/s",
		       "OUT pkt/s", "IN bytes", "OUT bytes", "DROPPED");
	style_put(&out, has_colour, STYLE_HEAD, head, 0);
	buf_printf(&out, "\n");
	for (size_t i = 0; i < l->n; i++) {
		if (how->is_screen && i + 3 >= room && i + 1 < l->n) {
			buf_printf(&out, "... and %zu more\n", l->n - i);
			break;
		}
		put_row(&out, has_colour, &l->row[i], width);
	}
	if (out.failed || !out.p)
		return err_set(e, ERR_INTERNAL, ENOMEM, "top");
	if (fputs(out.p, stdout) < 0 || fflush(stdout) != 0)
		return err_sys(e, errno, "standard output");
	return 0;
}

static json_t *row_json(const struct row *row)
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

static int show_json(const struct look *l, struct err *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++)
		if (json_array_append_new(list, row_json(&l->row[i])) < 0) {
			json_decref(list);
			return err_set(e, ERR_INTERNAL, ENOMEM, "top");
		}
	if (cli_print_json(list) < 0 || fflush(stdout) != 0)
		return err_set(e, ERR_IO, 0, "standard output: it cannot be written");
	return 0;
}

static int show(const struct top_how *how, struct look *l, struct err *e)
{
	int r;

	if (l->n)
		qsort(l->row, l->n, sizeof(*l->row), by_rate);
	r = how->common.json ? show_json(l, e) : show_table(how, l, e);
	if (l->n) /* as it is looked for the next time */
		qsort(l->row, l->n, sizeof(*l->row), by_name);
	return r;
}

int top_links(const struct top_how *how, const char *target, struct err *e)
{
	CLEAN_SCREEN struct screen screen = {0};
	struct look before = {0}, now = {0};
	int r = look(how, target, &before, e);

	if (r >= 0 && how->is_screen) {
		screen_open(&screen);
		r = show(how, &before, e);
	}
	for (uint32_t i = 0; r >= 0 && (how->rounds == 0 || i < how->rounds); i++) {
		if (screen_wait(&screen, how->interval_s))
			break;
		r = look(how, target, &now, e);
		if (r < 0)
			break;
		compare(&now, &before);
		r = show(how, &now, e);
		look_clear(&before);
		before = now;
		now = (struct look){0};
	}
	look_clear(&before);
	look_clear(&now);
	return r;
}
