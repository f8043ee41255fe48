/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_graph: a drawing of what is up (graph.h). It gathers; the drawings are made elsewhere. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/graph.h"
#include "cli/style.h"
#include "cli/user.h"
#include "cli/usernet.h"

struct drawing {
	struct cli_common common;
	bool dot, svg;
	struct graph graph;
	struct host *host; /* of the user's networks, while they are read */
};

static int set_dot(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct drawing *)into)->dot = true;
	return 0;
}

static int set_svg(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct drawing *)into)->svg = true;
	return 0;
}

static const struct opt opts[] = {
	{0, "dot", NULL, "print DOT, for graphviz", set_dot},
	{0, "svg", NULL, "print SVG", set_svg},
	CLI_OPT_JSON,
	CLI_OPT_STATE_DIR,
	{0},
};

/* ---- gathered ---- */

static int see_network(const struct network *n, void *arg)
{
	graph_add_network(&((struct drawing *)arg)->graph, n);
	return 0;
}

static int see(const struct attachment *a, void *arg)
{
	struct drawing *d = arg;

	if (d->host)
		host_outer_ports(d->host, a);
	graph_add(&d->graph, a, GRAPH_ENGINE);
	return 0;
}

static int see_netd(const struct attachment *a, void *arg)
{
	graph_add(&((struct drawing *)arg)->graph, a, GRAPH_NETD);
	return 0;
}

static int see_slirp(const struct rootless_state *s, void *arg)
{
	struct attachment a = {.phase = ATTACH_COMMITTED,
			       .network = "user",
			       .n_publish = s->n_publish,
			       .publish = s->publish};

	memcpy(a.id, s->id, sizeof(a.id));
	memcpy(a.ifname, s->ifname, sizeof(a.ifname));
	memcpy(a.addr, s->addr, sizeof(a.addr));
	graph_add(&((struct drawing *)arg)->graph, &a, GRAPH_SLIRP);
	return 0;
}

static void see_broken(const char *name, const struct err *why, void *arg)
{
	(void)name;
	(void)arg;
	log_warn("%s; `netns-up gc` removes it", why->text);
}

static int gather_from(struct drawing *d, struct engine *g, struct err *e)
{
	int r = engine_network_each(g, see_network, d, e);

	return r < 0 ? r : engine_each(g, see, see_broken, d, e);
}

static int gather_user(struct drawing *d, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	int r = user_ls(&d->common, see_slirp, see_netd, d, e);

	if (r < 0)
		return r;
	r = usernet_open(&d->common, USERNET_LOOK, &u, e);
	if (r == 0)
		r = usernet_enter(&u, false, e);
	if (r != 0)
		return r < 0 ? r : 0;
	d->host = u.host;
	return gather_from(d, u.g, e);
}

static int gather(struct drawing *d, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	int r;

	if (user_is_rootless())
		return gather_user(d, e);
	r = cli_open(&d->common, true, &g, e);
	return r == 0 ? gather_from(d, g, e) : r < 0 ? r : 0;
}

/* ---- drawn ---- */

static int print_json(const struct graph *g, struct err *e)
{
	json_t *doc = graph_json(g);

	return doc && cli_print_json(doc) == 0 ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "graph");
}

static int draw(struct drawing *d, struct err *e)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	int r = gather(d, e);

	if (r < 0)
		return r;
	if (d->common.json && !d->graph.failed)
		return print_json(&d->graph, e);
	if (d->dot)
		graph_dot(&d->graph, &out);
	else if (d->svg)
		graph_svg(&d->graph, &out);
	else
		graph_text(&d->graph, style_has_colour(STDOUT_FILENO),
			   style_has_lines(STDOUT_FILENO), &out);
	if (d->graph.failed || out.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "graph");
	if (fwrite(out.p, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
		return err_sys(e, errno, "standard output");
	return 0;
}

static int main_graph(const struct verb *v, int argc, char **argv)
{
	struct drawing d = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &d, &n);

	if (r >= 0)
		return r;
	if (d.dot + d.svg + d.common.json > 1)
		r = err_set(&e, ERR_USAGE, 0, "graph: one of --dot, --svg and --json");
	else
		r = draw(&d, &e);
	graph_clear(&d.graph);
	return r < 0 ? cli_fail(&e) : EXIT_OK;
}

const struct verb verb_graph = {
	.v = {.name = "graph",
	      .operands = "",
	      .summary = "draw the networks, their containers and published ports",
	      .notes = "A tree; at a terminal with colours and lines.",
	      .opts = opts},
	.main = main_graph,
};
