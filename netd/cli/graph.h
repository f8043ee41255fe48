/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * graph: networks, their containers, addresses and published ports as one value, and its drawings:
 * a tree for the terminal, DOT, SVG, JSON. No I/O. Names are checked before they get here; the
 * drawings escape them all the same.
 */
#ifndef NETD_CLI_GRAPH_H
#define NETD_CLI_GRAPH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/attachment.h"
#include "model/network.h"

struct buf;

enum graph_by {
	GRAPH_ENGINE, /* the caller's own links */
	GRAPH_NETD,   /* the daemon's, for the caller */
	GRAPH_SLIRP,  /* a slirp-lite for each container, which is alone */
};

struct graph_container {
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	enum attach_phase phase;
	enum attach_kind kind;
	size_t n_addr;
	struct ip addr[ATTACH_IP_MAX];
	size_t n_publish;
	struct publish *publish; /* owned */
};

struct graph_network {
	char name[NETNAME_STRLEN];
	enum graph_by by;
	enum net_mode mode;
	char bridge[IFNAME_STRLEN];
	bool internal, isolate;
	size_t n_subnet;
	struct prefix subnet[NETWORK_SUBNET_MAX]; /* none when only its containers are known */
	size_t n, cap;
	struct graph_container *container; /* owned */
};

struct graph {
	size_t n, cap;
	struct graph_network *network; /* owned */
	bool failed;                   /* out of memory */
};

/* Networks before their containers; a container of a network that was not added makes it. */
void graph_add_network(struct graph *g, const struct network *n);
void graph_add(struct graph *g, const struct attachment *a, enum graph_by by);
void graph_clear(struct graph *g);
#define CLEAN_GRAPH __attribute__((cleanup(graph_clear)))

/* Ports of one container that a drawing shows; the rest is told as a number. JSON has all. */
#define GRAPH_PORTS 12

void graph_text(const struct graph *g, bool has_colour, bool has_lines, struct buf *out);
void graph_dot(const struct graph *g, struct buf *out);
void graph_svg(const struct graph *g, struct buf *out);
/* A new reference, NULL: out of memory. */
json_t *graph_json(const struct graph *g);

/* ---- of the drawings ---- */

/* What it is: "bridge nb-web, internal". */
void graph_about(const struct graph_network *n, struct buf *out);
/* What it is beside up, "" otherwise. */
const char *graph_note(const struct graph_container *c);
size_t graph_ports_shown(const struct graph_container *c);
/* Appends text; what is not printable ASCII is a '?'. escape: the text for a character, or NULL. */
void graph_put(struct buf *out, const char *text, const char *(*escape)(char c));

#endif
