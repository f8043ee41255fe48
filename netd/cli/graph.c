/* SPDX-License-Identifier: GPL-2.0-or-later */
/* graph: how the value grows, its JSON, and words that all drawings use. */
#include "cli/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Room for one more behind the n-th, zeroed; NULL: out of memory. */
static void *grow(void **list, size_t n, size_t *cap, size_t size)
{
	if (n == *cap) {
		size_t more = *cap ? 2 * *cap : 16;
		void *v = reallocarray(*list, more, size);

		if (!v)
			return NULL;
		*list = v;
		*cap = more;
	}
	return memset((char *)*list + n * size, 0, size);
}

static struct graph_network *find(struct graph *g, const char *name, enum graph_by by)
{
	for (size_t i = g->n; i > 0; i--) /* what came last is asked for next */
		if (g->network[i - 1].by == by && strcmp(g->network[i - 1].name, name) == 0)
			return &g->network[i - 1];
	return NULL;
}

static struct graph_network *add(struct graph *g, const char *name, enum graph_by by)
{
	struct graph_network *n = grow((void **)&g->network, g->n, &g->cap, sizeof(*g->network));

	if (!n) {
		g->failed = true;
		return NULL;
	}
	g->n++;
	memccpy(n->name, name, 0, sizeof(n->name) - 1);
	n->by = by;
	return n;
}

void graph_add_network(struct graph *g, const struct network *n)
{
	struct net_subnet list[NETWORK_SUBNET_MAX];
	struct graph_network *to = add(g, n->name, GRAPH_ENGINE);

	if (!to)
		return;
	to->mode = n->mode;
	memcpy(to->bridge, n->bridge, sizeof(to->bridge));
	to->internal = n->internal;
	to->isolate = n->isolate;
	to->n_subnet = network_subnets(n, list);
	for (size_t i = 0; i < to->n_subnet; i++)
		to->subnet[i] = list[i].subnet;
}

static struct graph_network *network_of(struct graph *g, const struct attachment *a,
					enum graph_by by)
{
	struct graph_network *n = find(g, a->network, by);

	if (n)
		return n;
	n = add(g, a->network, by);
	if (n) {
		n->mode = a->mode;
		memcpy(n->bridge, a->bridge, sizeof(n->bridge));
		n->internal = a->internal;
		n->isolate = a->isolate;
	}
	return n;
}

void graph_add(struct graph *g, const struct attachment *a, enum graph_by by)
{
	struct attach_ip ip[ATTACH_IP_MAX];
	struct graph_network *n = network_of(g, a, by);
	struct graph_container *c =
		n ? grow((void **)&n->container, n->n, &n->cap, sizeof(*n->container)) : NULL;

	if (c && a->n_publish)
		c->publish = reallocarray(NULL, a->n_publish, sizeof(*c->publish));
	if (!c || (a->n_publish && !c->publish)) {
		g->failed = true;
		return;
	}
	n->n++;
	memcpy(c->id, a->id, sizeof(c->id));
	memcpy(c->ifname, a->ifname, sizeof(c->ifname));
	c->phase = a->phase;
	c->kind = a->kind;
	c->n_addr = attachment_ips(a, ip);
	for (size_t i = 0; i < c->n_addr; i++)
		c->addr[i] = ip[i].addr.ip;
	c->n_publish = a->n_publish;
	if (a->n_publish)
		memcpy(c->publish, a->publish, a->n_publish * sizeof(*c->publish));
}

void graph_clear(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		for (size_t k = 0; k < g->network[i].n; k++)
			free(g->network[i].container[k].publish);
		free(g->network[i].container);
	}
	free(g->network);
	*g = (struct graph){0};
}

/* ---- words ---- */

static const char *by_str(enum graph_by by)
{
	static const char *const names[] = {
		[GRAPH_ENGINE] = "engine", [GRAPH_NETD] = "netd", [GRAPH_SLIRP] = "slirp-lite"};

	return names[by];
}

void graph_about(const struct graph_network *n, struct buf *out)
{
	if (n->by == GRAPH_SLIRP)
		buf_printf(out, "slirp-lite, each alone");
	else
		buf_printf(out, "%s%s%s%s", net_mode_str(n->mode), n->bridge[0] ? " " : "",
			   n->bridge, n->by == GRAPH_NETD ? ", by netd" : "");
	buf_printf(out, "%s%s", n->internal ? ", internal" : "", n->isolate ? ", isolated" : "");
}

const char *graph_note(const struct graph_container *c)
{
	if (c->phase != ATTACH_COMMITTED)
		return attach_phase_str(c->phase);
	if (c->kind == ATTACH_FOREIGN)
		return "interface of another's";
	return c->kind == ATTACH_LEASE ? "addresses only" : "";
}

size_t graph_ports_shown(const struct graph_container *c)
{
	/* "and 1 more" would take the place of the one. */
	return c->n_publish <= GRAPH_PORTS + 1 ? c->n_publish : GRAPH_PORTS;
}

void graph_put(struct buf *out, const char *text, const char *(*escape)(char c))
{
	for (; *text; text++) {
		char c = *text >= 0x20 && *text < 0x7f ? *text : '?';
		const char *as = escape ? escape(c) : NULL;

		if (as)
			buf_printf(out, "%s", as);
		else
			buf_add(out, &c, 1);
	}
}

/* ---- JSON ---- */

static bool put_clean(json_t *o, const char *key, const char *text)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	graph_put(&b, text, NULL);
	return !b.failed && json_object_set_new(o, key, json_string(b.p ? b.p : "")) == 0;
}

static json_t *container_json(const struct graph_container *c)
{
	json_t *o = json_object(), *addr = json_array(), *ports = json_array();
	bool is_good = o && put_clean(o, "id", c->id) && put_clean(o, "ifname", c->ifname);
	char text[PUBLISH_STRLEN];

	for (size_t i = 0; i < c->n_addr; i++)
		is_good &= json_array_append_new(addr, json_string(ip_str(&c->addr[i], text))) == 0;
	for (size_t i = 0; i < c->n_publish; i++)
		is_good &= json_array_append_new(
				   ports, json_string(publish_str(&c->publish[i], text))) == 0;
	if (graph_note(c)[0])
		is_good &= put_clean(o, "note", graph_note(c));
	is_good &= json_object_set_new(o, "addresses", addr) == 0;
	is_good &= json_object_set_new(o, "published", ports) == 0;
	if (is_good)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *network_json(const struct graph_network *n)
{
	json_t *o = json_object(), *subnets = json_array(), *list = json_array();
	bool is_good = o && put_clean(o, "name", n->name) && put_clean(o, "by", by_str(n->by));
	char text[PREFIX_STRLEN];

	if (n->by != GRAPH_SLIRP)
		is_good &= put_clean(o, "mode", net_mode_str(n->mode));
	if (n->bridge[0])
		is_good &= put_clean(o, "bridge", n->bridge);
	is_good &= json_object_set_new(o, "internal", json_boolean(n->internal)) == 0;
	is_good &= json_object_set_new(o, "isolate", json_boolean(n->isolate)) == 0;
	for (size_t i = 0; i < n->n_subnet; i++)
		is_good &= json_array_append_new(subnets,
						 json_string(prefix_str(&n->subnet[i], text))) == 0;
	for (size_t i = 0; i < n->n; i++)
		is_good &= json_array_append_new(list, container_json(&n->container[i])) == 0;
	is_good &= json_object_set_new(o, "subnets", subnets) == 0;
	is_good &= json_object_set_new(o, "containers", list) == 0;
	if (is_good)
		return o;
	json_decref(o);
	return NULL;
}

json_t *graph_json(const struct graph *g)
{
	json_t *list = json_array(), *o;

	for (size_t i = 0; i < g->n; i++)
		if (json_array_append_new(list, network_json(&g->network[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	o = json_object();
	if (json_object_set_new(o, "networks", list) == 0)
		return o;
	json_decref(o);
	return NULL;
}
