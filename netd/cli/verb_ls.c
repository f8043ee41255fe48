/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_ls: every attachment, one a line, or all of them as a JSON array. */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/style.h"
#include "cli/user.h"
#include "cli/usernet.h"
#include "model/codec.h"

static const struct opt opts[] = {CLI_OPT_JSON, CLI_OPT_STATE_DIR, {0}};

struct table {
	size_t n, cap;
	const char *(*row)[5];
	size_t width[5];
	json_t *json;
	bool failed;
};

static void add_row(struct table *t, const char *cell[5])
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 32;
		void *v = reallocarray(t->row, cap, sizeof(*t->row));
		if (!v) {
			t->failed = true;
			return;
		}
		t->row = v;
		t->cap = cap;
	}
	memcpy(t->row[t->n++], cell, 5 * sizeof(*cell));
	for (int i = 0; i < 5; i++)
		if (strlen(cell[i]) > t->width[i])
			t->width[i] = strlen(cell[i]);
}

/* Takes the cells over. */
static void take_row(struct table *t, struct buf cell[5])
{
	const char *text[5];

	for (int i = 0; i < 5; i++) {
		t->failed = t->failed || cell[i].failed;
		text[i] = cell[i].p;
	}
	if (!t->failed)
		add_row(t, text);
	for (int i = 0; t->failed && i < 5; i++)
		buf_free(&cell[i]);
}

static int see(const struct attachment *a, void *arg)
{
	struct table *t = arg;
	struct buf cell[5] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
	char s[PUBLISH_STRLEN];

	if (t->json) {
		t->failed = json_array_append_new(t->json, codec_attachment(a)) < 0 || t->failed;
		return 0;
	}
	buf_printf(&cell[0], "%s", a->id);
	buf_printf(&cell[1], "%s", a->ifname);
	buf_printf(&cell[2], "%s", a->network);
	if (a->phase != ATTACH_COMMITTED)
		buf_printf(&cell[2], " (%s)", attach_phase_str(a->phase));
	for (int f = 0; f < N_FAM; f++)
		if (a->addr[f].ip.family)
			buf_printf(&cell[3], "%s%s", cell[3].len ? " " : "",
				   ip_str(&a->addr[f].ip, s));
	for (size_t i = 0; i < a->n_publish; i++)
		buf_printf(&cell[4], "%s%s", i ? " " : "", publish_str(&a->publish[i], s));
	buf_printf(&cell[4], "%s", a->n_publish ? "" : "-");
	take_row(t, cell);
	return 0;
}

static int see_user(const struct rootless_state *s, void *arg)
{
	struct table *t = arg;
	struct buf cell[5] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
	char text[IP_STRLEN];

	if (t->json) {
		t->failed = json_array_append(t->json, s->doc) < 0 || t->failed;
		return 0;
	}
	buf_printf(&cell[0], "%s", s->id);
	buf_printf(&cell[1], "%s", s->ifname);
	buf_printf(&cell[2], "user");
	for (int f = 0; f < N_FAM; f++)
		if (s->addr[f].ip.family)
			buf_printf(&cell[3], "%s%s", cell[3].len ? " " : "",
				   ip_str(&s->addr[f].ip, text));
	buf_printf(&cell[4], "-");
	take_row(t, cell);
	return 0;
}

static void see_broken(const char *name, const struct err *why, void *arg)
{
	(void)name;
	(void)arg;
	log_warn("%s; `netns-up gc` removes it", why->text);
}

static enum style style_of(const struct table *t, size_t row, int column)
{
	static const enum style column_style[5] = {STYLE_NAME, STYLE_PLAIN, STYLE_NETWORK,
						   STYLE_PLAIN, STYLE_PORT};

	if (row == 0)
		return STYLE_HEAD;
	if (column == 2 && strchr(t->row[row][2], ' ')) /* a note: a name has no space */
		return STYLE_BAD;
	return column_style[column];
}

static int print(const struct table *t, struct err *e)
{
	bool has_colour = style_has_colour(STDOUT_FILENO);
	CLEAN_BUF struct buf out = BUF_INIT;

	for (size_t i = 0; i < t->n; i++)
		for (int k = 0; k < 5; k++) {
			style_put(&out, has_colour, style_of(t, i, k), t->row[i][k],
				  k < 4 ? (unsigned)t->width[k] : 0);
			buf_printf(&out, k < 4 ? "  " : "\n");
		}
	if (out.failed || !out.p)
		return err_set(e, ERR_INTERNAL, ENOMEM, "list");
	fputs(out.p, stdout);
	return 0;
}

static void table_clear(struct table *t)
{
	for (size_t i = 1; i < t->n; i++) /* the first is the heading */
		for (int k = 0; k < 5; k++)
			free((void *)(uintptr_t)t->row[i][k]);
	free(t->row);
	json_decref(t->json);
}

static int list(const struct cli_common *c, struct table *t, struct err *e)
{
	static const char *head[5] = {"ID", "INTERFACE", "NETWORK", "ADDRESSES", "PORTS"};
	CLEAN_ENGINE struct engine *g = NULL;
	bool is_rootless = user_is_rootless();
	int r = is_rootless ? 0 : cli_open(c, true, &g, e);

	if (r < 0)
		return r;
	add_row(t, head);
	if (is_rootless)
		r = user_ls(c, see_user, see, t, e);
	if (is_rootless && r >= 0)
		r = usernet_ls(c, see, t, e);
	else if (r == 0)
		r = engine_each(g, see, see_broken, t, e);
	if (r >= 0 && t->failed)
		r = err_set(e, ERR_INTERNAL, ENOMEM, "list");
	if (r < 0)
		return r;
	if (c->json)
		return cli_print_json(json_incref(t->json));
	return print(t, e);
}

static int main_ls(const struct verb *v, int argc, char **argv)
{
	struct cli_common c = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &c, &n);

	if (r >= 0)
		return r;
	struct table t = {.json = c.json ? json_array() : NULL};
	r = list(&c, &t, &e) < 0 ? cli_fail(&e) : EXIT_OK;
	table_clear(&t);
	return r;
}

const struct verb verb_ls = {
	.v = {.name = "ls", .operands = "", .summary = "list the attachments", .opts = opts},
	.main = main_ls,
};
