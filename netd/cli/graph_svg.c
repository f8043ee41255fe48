/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * graph_svg: one drawing without scripts, links or anything from elsewhere: each network a frame
 * with its containers one below the other, published ports as arrows that come in from the left.
 */
#include <string.h>

#include "base/buf.h"
#include "cli/graph.h"

enum {
	CHAR = 8,  /* width of a character of 13 pixels, monospaced */
	LINE = 18, /* from one line of text to the next */
	PAD = 12,
	ARROW = 48, /* from a port to its container, at least */
};

struct sheet {
	struct buf *out;
	unsigned ports; /* width of the longest port; 0: there is none */
	unsigned left;  /* of the frames */
	unsigned box;   /* width of a container */
	unsigned frame; /* width of a network */
	unsigned y;
};

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static unsigned width_of(const char *text)
{
	return (unsigned)strlen(text) * CHAR;
}

/* ---- what it measures ---- */

static unsigned lines_of(const struct graph_container *c)
{
	size_t shown = graph_ports_shown(c);
	unsigned own = 1 + (unsigned)c->n_addr + (graph_note(c)[0] != 0);

	return larger(own, (unsigned)shown + (shown < c->n_publish));
}

static unsigned height_of(const struct graph_container *c)
{
	return lines_of(c) * LINE + PAD;
}

static unsigned header_of(const struct graph_network *n)
{
	return (2 + (n->n_subnet > 0)) * LINE;
}

static unsigned frame_height(const struct graph_network *n)
{
	unsigned h = header_of(n) + PAD;

	for (size_t i = 0; i < n->n; i++)
		h += height_of(&n->container[i]) + PAD;
	return h;
}

static void measure_container(struct sheet *s, const struct graph_container *c)
{
	char text[PUBLISH_STRLEN];

	s->box = larger(s->box, width_of(c->id) + CHAR + width_of(c->ifname) + 2 * PAD);
	s->box = larger(s->box, width_of(graph_note(c)) + 2 * PAD);
	for (size_t i = 0; i < c->n_addr; i++)
		s->box = larger(s->box, width_of(ip_str(&c->addr[i], text)) + 2 * PAD);
	for (size_t i = 0; i < graph_ports_shown(c); i++)
		s->ports = larger(s->ports, width_of(publish_str(&c->publish[i], text)));
	if (graph_ports_shown(c) < c->n_publish)
		s->ports = larger(s->ports, width_of("... and 65535 more"));
}

static void subnets(const struct graph_network *n, struct buf *out)
{
	char text[PREFIX_STRLEN];

	for (size_t i = 0; i < n->n_subnet; i++)
		buf_printf(out, "%s%s", i ? " " : "", prefix_str(&n->subnet[i], text));
}

static unsigned measure(struct sheet *s, const struct graph *g)
{
	unsigned height = 2 * PAD;

	for (size_t i = 0; i < g->n; i++) {
		CLEAN_BUF struct buf about = BUF_INIT, nets = BUF_INIT;
		const struct graph_network *n = &g->network[i];

		graph_about(n, &about);
		subnets(n, &nets);
		s->frame = larger(s->frame, width_of(n->name) + 2 * PAD);
		s->frame = larger(s->frame, (unsigned)about.len * CHAR + 2 * PAD);
		s->frame = larger(s->frame, (unsigned)nets.len * CHAR + 2 * PAD);
		for (size_t k = 0; k < n->n; k++)
			measure_container(s, &n->container[k]);
		height += frame_height(n) + PAD;
	}
	s->left = PAD + (s->ports ? s->ports + ARROW : 0);
	s->frame = larger(s->frame, s->box + 2 * PAD);
	return g->n ? height : height + LINE;
}

/* ---- what is drawn ---- */

static const char *svg_escape(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

static void put_text(struct sheet *s, unsigned x, unsigned y, const char *class, const char *text)
{
	buf_printf(s->out, "<text x=\"%u\" y=\"%u\" class=\"%s\">", x, y, class);
	graph_put(s->out, text, svg_escape);
	buf_printf(s->out, "</text>\n");
}

static void put_box(struct sheet *s, unsigned x, unsigned w, unsigned h, const char *class)
{
	buf_printf(s->out,
		   "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"6\" class=\"%s\"/>\n",
		   x, s->y, w, h, class);
}

static void put_ports(struct sheet *s, const struct graph_container *c)
{
	size_t shown = graph_ports_shown(c);
	unsigned y = s->y + LINE, end = s->left + PAD;
	char text[PUBLISH_STRLEN];

	for (size_t i = 0; i < shown; i++, y += LINE) {
		publish_str(&c->publish[i], text);
		put_text(s, PAD, y, "port", text);
		buf_printf(s->out,
			   "<path d=\"M%u %uH%u\" class=\"arrow\" marker-end=\"url(#tip)\"/>\n",
			   PAD + width_of(text) + CHAR, y - 4, end - 2);
	}
	if (shown < c->n_publish) {
		CLEAN_BUF struct buf more = BUF_INIT;

		buf_printf(&more, "... and %zu more", c->n_publish - shown);
		put_text(s, PAD, y, "port", more.p ? more.p : "");
	}
}

static void put_container(struct sheet *s, const struct graph_container *c)
{
	unsigned x = s->left + PAD, y = s->y + LINE;
	CLEAN_BUF struct buf head = BUF_INIT;
	char text[IP_STRLEN];

	put_box(s, x, s->box, height_of(c), "box");
	buf_printf(&head, "%s %s", c->id, c->ifname);
	put_text(s, x + PAD, y, "name", head.p ? head.p : "");
	for (size_t i = 0; i < c->n_addr; i++)
		put_text(s, x + PAD, y += LINE, "plain", ip_str(&c->addr[i], text));
	if (graph_note(c)[0])
		put_text(s, x + PAD, y + LINE, "bad", graph_note(c));
	put_ports(s, c);
	s->y += height_of(c) + PAD;
	s->out->failed |= head.failed;
}

static void put_network(struct sheet *s, const struct graph_network *n)
{
	CLEAN_BUF struct buf about = BUF_INIT, nets = BUF_INIT;
	unsigned x = s->left + PAD;

	graph_about(n, &about);
	subnets(n, &nets);
	put_box(s, s->left, s->frame, frame_height(n), n->internal ? "frame closed" : "frame");
	put_text(s, x, s->y + LINE, "net", n->name);
	put_text(s, x, s->y + 2 * LINE, "faint", about.p ? about.p : "");
	if (n->n_subnet)
		put_text(s, x, s->y + 3 * LINE, "plain", nets.p ? nets.p : "");
	s->y += header_of(n) + PAD;
	for (size_t i = 0; i < n->n; i++)
		put_container(s, &n->container[i]);
	s->y += PAD;
	s->out->failed |= about.failed || nets.failed;
}

void graph_svg(const struct graph *g, struct buf *out)
{
	struct sheet s = {.out = out, .y = PAD, .frame = 30 * CHAR};
	unsigned height = measure(&s, g), width = s.left + s.frame + PAD;

	buf_printf(out,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		   "viewBox=\"0 0 %u %u\" role=\"img\">\n<title>Networks, containers and published "
		   "ports</title>\n",
		   width, height, width, height);
	buf_printf(out, "<style>\n"
			"text { font: 13px monospace; fill: #222 }\n"
			"rect.sheet { fill: #fff }\n"
			"rect.frame { fill: #f3f6fa; stroke: #5b7da8 }\n"
			"rect.closed { stroke-dasharray: 5 4 }\n"
			"rect.box { fill: #fff; stroke: #888 }\n"
			"path.arrow { stroke: #2d7d46; fill: none }\n"
			"text.net, text.name { font-weight: bold }\n"
			"text.port { fill: #2d7d46 }\n"
			"text.faint { fill: #666 }\n"
			"text.bad { fill: #b3261e }\n"
			"</style>\n");
	buf_printf(out, "<defs><marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"6\" "
			"refY=\"4\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#2d7d46\"/>"
			"</marker></defs>\n");
	buf_printf(out, "<rect width=\"%u\" height=\"%u\" class=\"sheet\"/>\n", width, height);
	for (size_t i = 0; i < g->n; i++)
		put_network(&s, &g->network[i]);
	if (!g->n)
		put_text(&s, PAD, PAD + LINE, "faint", "no networks");
	buf_printf(out, "</svg>\n");
}
