/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_links: rates of each container, from two looks at the kernel's counters of its link. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/grow.h"
#include "cli/screen.h"
#include "cli/style.h"
#include "cli/top.h"
#include "cli/top_rows.h"

struct look {
	struct top_rows rows;
	size_t n_named, cap_named;
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
	top_rows_clear(&l->rows);
	*l = (struct look){0};
}

static int name_one(struct engine *g, const char *id, const char *ifname, void *arg, struct err *e)
{
	struct look *l = arg;
	struct attach_name *to;

	(void)g;
	if (!GROW(l->named, l->n_named, l->cap_named))
		return err_set(e, ERR_INTERNAL, ENOMEM, "top");
	to = &l->named[l->n_named++];
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

	if ((!l->named || is_named(l, a)) && top_rows_add(&l->rows, a, t) < 0)
		l->failed = true;
	return 0;
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
	ret->rows.at_ms = clock_ms();
	if (r >= 0 && ret->failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "top");
	return r < 0 ? r : 0;
}

static int show_table(const struct top_how *how, const struct top_rows *l, struct err *e)
{
	CLEAN_BUF struct buf out = BUF_INIT;

	buf_printf(&out, "%s", how->is_screen ? TOP_CLEAR : "");
	top_rows_put(l, style_has_colour(STDOUT_FILENO), how->is_screen ? screen_lines(24) : 0,
		     &out);
	if (out.failed || !out.p)
		return err_set(e, ERR_INTERNAL, ENOMEM, "top");
	if (fputs(out.p, stdout) < 0 || fflush(stdout) != 0)
		return err_sys(e, errno, "standard output");
	return 0;
}

static int show_json(const struct top_rows *l, struct err *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++)
		if (json_array_append_new(list, top_row_json(&l->row[i])) < 0) {
			json_decref(list);
			return err_set(e, ERR_INTERNAL, ENOMEM, "top");
		}
	if (cli_print_json(list) < 0 || fflush(stdout) != 0)
		return err_set(e, ERR_IO, 0, "standard output: it cannot be written");
	return 0;
}

static int show(const struct top_how *how, struct look *now, struct look *before, struct err *e)
{
	top_rows_compare(&now->rows, &before->rows);
	return how->common.json ? show_json(&now->rows, e) : show_table(how, &now->rows, e);
}

int top_links(const struct top_how *how, const char *target, struct err *e)
{
	CLEAN_SCREEN struct screen screen = {0};
	struct look before = {0}, now = {0}, none = {0};
	int r = look(how, target, &before, e);

	if (r >= 0 && how->is_screen) {
		screen_open(&screen);
		r = show(how, &before, &none, e);
	}
	for (uint32_t i = 0; r >= 0 && (how->rounds == 0 || i < how->rounds); i++) {
		if (screen_wait(&screen, how->interval_s))
			break;
		r = look(how, target, &now, e);
		if (r < 0)
			break;
		r = show(how, &now, &before, e);
		look_clear(&before);
		before = now;
		now = (struct look){0};
	}
	look_clear(&before);
	look_clear(&now);
	return r;
}
