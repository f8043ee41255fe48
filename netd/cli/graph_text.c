/* SPDX-License-Identifier: GPL-2.0-or-later */
/* graph_text: a tree for the terminal, and DOT. */
#include <stdio.h>

#include "base/buf.h"
#include "cli/graph.h"
#include "cli/style.h"

/* ---- the tree ---- */

struct tree {
	struct buf *out;
	bool has_colour, has_lines;
	const char *stem[2]; /* of the branches above */
};

static void put(const struct tree *t, enum style s, const char *before, const char *text)
{
	CLEAN_BUF struct buf clean = BUF_INIT;

	graph_put(&clean, text, NULL);
	t->out->failed |= clean.failed;
	if (clean.len) {
		buf_printf(t->out, "%s", before);
		style_put(t->out, t->has_colour, s, clean.p, 0);
	}
}

/* Begins a line of a branch at that depth. What is below gets its stem. */
static void branch(struct tree *t, unsigned depth, bool is_last)
{
	const char *line =
		is_last ? (t->has_lines ? "└─ " : "`- ") : (t->has_lines ? "├─ " : "|- ");
	CLEAN_BUF struct buf all = BUF_INIT;

	for (unsigned i = 0; i < depth; i++)
		buf_printf(&all, "%s", t->stem[i]);
	buf_printf(&all, "%s", line);
	t->out->failed |= all.failed;
	style_put(t->out, t->has_colour, STYLE_FAINT, all.p ? all.p : "", 0);
	if (depth < 2)
		t->stem[depth] = is_last ? "   " : (t->has_lines ? "│  " : "|  ");
}

static void tree_ports(struct tree *t, const struct graph_container *c)
{
	size_t shown = graph_ports_shown(c);
	char text[PUBLISH_STRLEN];

	for (size_t i = 0; i < shown; i++) {
		branch(t, 2, i + 1 == c->n_publish);
		put(t, STYLE_PORT, "", publish_str(&c->publish[i], text));
		buf_printf(t->out, "\n");
	}
	if (shown < c->n_publish) {
		branch(t, 2, true);
		buf_printf(t->out, "... and %zu more\n", c->n_publish - shown);
	}
}

static void tree_container(struct tree *t, const struct graph_container *c, bool is_last)
{
	char text[IP_STRLEN];

	branch(t, 1, is_last);
	put(t, STYLE_NAME, "", c->id);
	put(t, STYLE_PLAIN, " ", c->ifname);
	for (size_t i = 0; i < c->n_addr; i++)
		put(t, STYLE_PLAIN, i ? " " : "  ", ip_str(&c->addr[i], text));
	put(t, STYLE_BAD, "  ", graph_note(c));
	buf_printf(t->out, "\n");
	tree_ports(t, c);
}

void graph_text(const struct graph *g, bool has_colour, bool has_lines, struct buf *out)
{
	struct tree t = {.out = out, .has_colour = has_colour, .has_lines = has_lines};
	char text[PREFIX_STRLEN];

	buf_printf(out, "host\n");
	for (size_t i = 0; i < g->n; i++) {
		const struct graph_network *n = &g->network[i];
		CLEAN_BUF struct buf about = BUF_INIT;

		branch(&t, 0, i + 1 == g->n);
		put(&t, STYLE_NETWORK, "", n->name);
		graph_about(n, &about);
		put(&t, STYLE_FAINT, "  ", about.p ? about.p : "");
		for (size_t k = 0; k < n->n_subnet; k++)
			put(&t, STYLE_PLAIN, k ? " " : "  ", prefix_str(&n->subnet[k], text));
		buf_printf(out, "\n");
		for (size_t k = 0; k < n->n; k++)
			tree_container(&t, &n->container[k], k + 1 == n->n);
	}
}

/* ---- DOT ---- */

static const char *dot_escape(char c)
{
	return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
}

static void dot_put(struct buf *out, const char *before, const char *text)
{
	buf_printf(out, "%s", before);
	graph_put(out, text, dot_escape);
}

static void dot_container(const struct graph_container *c, size_t net, size_t i, struct buf *out)
{
	char text[IP_STRLEN];

	buf_printf(out, "\t\tn%zuc%zu [label=\"", net, i);
	dot_put(out, "", c->id);
	dot_put(out, " ", c->ifname);
	for (size_t k = 0; k < c->n_addr; k++)
		dot_put(out, "\\n", ip_str(&c->addr[k], text));
	if (graph_note(c)[0])
		dot_put(out, "\\n", graph_note(c));
	buf_printf(out, "\"];\n");
}

static void dot_ports(const struct graph_container *c, size_t net, size_t i, struct buf *out)
{
	size_t shown = graph_ports_shown(c);
	char text[PUBLISH_STRLEN];

	if (!c->n_publish)
		return;
	/* A node: labels of edges lie on each other. */
	buf_printf(out, "\tn%zuc%zup [shape=plaintext, label=\"", net, i);
	for (size_t k = 0; k < shown; k++)
		dot_put(out, k ? "\\n" : "", publish_str(&c->publish[k], text));
	if (shown < c->n_publish)
		buf_printf(out, "\\n... and %zu more", c->n_publish - shown);
	buf_printf(out, "\"];\n\thost -> n%zuc%zup [dir=none];\n\tn%zuc%zup -> n%zuc%zu;\n", net, i,
		   net, i, net, i);
}

static void dot_network(const struct graph_network *n, size_t net, struct buf *out)
{
	CLEAN_BUF struct buf about = BUF_INIT;
	char text[PREFIX_STRLEN];

	graph_about(n, &about);
	buf_printf(out, "\tsubgraph cluster_%zu {\n\t\tlabel=\"", net);
	dot_put(out, "", n->name);
	dot_put(out, "\\n", about.p ? about.p : "");
	buf_printf(out, "\";\n\t\tn%zu [shape=ellipse, label=\"", net);
	dot_put(out, "", n->bridge[0] ? n->bridge : n->name);
	for (size_t k = 0; k < n->n_subnet; k++)
		dot_put(out, "\\n", prefix_str(&n->subnet[k], text));
	buf_printf(out, "\"];\n");
	for (size_t i = 0; i < n->n; i++)
		dot_container(&n->container[i], net, i, out);
	buf_printf(out, "\t}\n\thost -> n%zu [dir=none%s];\n", net,
		   n->internal ? ", style=dotted" : "");
	for (size_t i = 0; i < n->n; i++) {
		buf_printf(out, "\tn%zu -> n%zuc%zu [dir=none];\n", net, net, i);
		dot_ports(&n->container[i], net, i, out);
	}
	out->failed |= about.failed;
}

void graph_dot(const struct graph *g, struct buf *out)
{
	buf_printf(out, "digraph \"netns-up\" {\n"
			"\trankdir=LR;\n"
			"\tnode [shape=box, style=rounded, fontname=\"monospace\"];\n"
			"\tgraph [fontname=\"monospace\"];\n"
			"\thost [label=\"host\", style=bold];\n");
	for (size_t i = 0; i < g->n; i++)
		dot_network(&g->network[i], i, out);
	buf_printf(out, "}\n");
}
