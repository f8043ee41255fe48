/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics: label values are of our own grammar: no quote, backslash or newline can be in them. */
#include "cli/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/json.h"
#include "model/codec.h"

void metrics_clear(struct metrics *m)
{
	free(m->owner);
	buf_free(&m->flows);
	buf_free(&m->bytes);
	buf_free(&m->packets);
	buf_free(&m->dropped);
	for (int i = 0; i < N_METRICS_SLIRP; i++)
		buf_free(&m->slirp[i]);
	*m = (struct metrics){0};
}

static struct metrics_owner *owner_of(struct metrics *m, const struct attachment *a)
{
	struct metrics_owner *o;

	for (size_t i = 0; i < m->n_owner; i++)
		if (m->owner[i].uid == a->uid && strcmp(m->owner[i].network, a->network) == 0)
			return &m->owner[i];
	if (!GROW(m->owner, m->n_owner, m->cap_owner))
		return NULL;
	o = &m->owner[m->n_owner++];
	*o = (struct metrics_owner){.uid = a->uid};
	memcpy(o->network, a->network, sizeof(o->network));
	return o;
}

int metrics_add(struct metrics *m, const struct attachment *a, const uint64_t *flows)
{
	struct metrics_owner *o = owner_of(m, a);
	char s[PUBLISH_STRLEN];

	if (!o)
		return -ENOMEM;
	o->n++;
	for (size_t i = 0; i < a->n_publish; i++) {
		o->n_ports += a->publish[i].count;
		if (flows[i] == FLOWS_UNKNOWN)
			continue;
		buf_printf(&m->flows,
			   "netd_port_flows_total{uid=\"%u\",id=\"%s\",ifname=\"%s\",port=\"%s\"} "
			   "%" PRIu64 "\n",
			   a->uid, a->id, a->ifname, publish_str(&a->publish[i], s), flows[i]);
	}
	return m->flows.failed ? -ENOMEM : 0;
}

/* ---- links ---- */

static void put_both(struct buf *out, const char *name, const struct attachment *a, uint64_t in,
		     uint64_t o)
{
	const char *const direction[] = {"in", "out"};
	const uint64_t value[] = {in, o};

	for (int i = 0; i < 2; i++)
		buf_printf(out,
			   "netd_%s_total{uid=\"%u\",id=\"%s\",ifname=\"%s\",direction=\"%s\"} "
			   "%" PRIu64 "\n",
			   name, a->uid, a->id, a->ifname, direction[i], value[i]);
}

int metrics_add_traffic(struct metrics *m, const struct attachment *a,
			const struct engine_traffic *t)
{
	put_both(&m->bytes, "bytes", a, t->in_bytes, t->out_bytes);
	put_both(&m->packets, "packets", a, t->in_packets, t->out_packets);
	put_both(&m->dropped, "dropped", a, t->in_dropped, t->out_dropped);
	return m->bytes.failed || m->packets.failed || m->dropped.failed ? -ENOMEM : 0;
}

/* ---- slirp-lite ---- */

static const struct {
	const char *name, *type;
} slirp[N_METRICS_SLIRP] = {
	[SLIRP_UPTIME] = {"slirp_uptime_seconds", "gauge"},
	[SLIRP_RESTARTS] = {"slirp_worker_restarts_total", "counter"},
	[SLIRP_READY] = {"slirp_ready", "gauge"},
	[SLIRP_EVENTS] = {"slirp_events_total", "counter"},
	[SLIRP_FLOWS] = {"slirp_flows", "gauge"},
	[SLIRP_HELD] = {"slirp_held_bytes", "gauge"},
	[SLIRP_PORT_FLOWS] = {"slirp_port_flows_total", "counter"},
	[SLIRP_PORT_BYTES] = {"slirp_port_bytes_total", "counter"},
};

#define WHO_STRLEN (ID_STRLEN + IFNAME_STRLEN + 32)
#define EVENTS_MAX 128

/* more: further labels, "" for none */
static void put_slirp(struct metrics *m, enum metrics_slirp which, const char *who,
		      const char *more, uint64_t value)
{
	bool is_both = *who && *more;

	buf_printf(&m->slirp[which], "%s{%s%s%s} %" PRIu64 "\n", slirp[which].name, who,
		   is_both ? "," : "", more, value);
}

static void put_events(struct metrics *m, const char *who, json_t *counters)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach(counters, name, value)
	{
		char label[80];
		size_t len = strlen(name);

		if (len > 48 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len ||
		    n++ == EVENTS_MAX)
			continue;
		(void)snprintf(label, sizeof(label), "event=\"%s\"", name);
		put_slirp(m, SLIRP_EVENTS, who, label, json_count(counters, name));
	}
}

static void put_port_bytes(struct metrics *m, const char *who, const struct publish *p, uint64_t in,
			   uint64_t out)
{
	char text[PUBLISH_STRLEN], label[PUBLISH_STRLEN + 40];

	(void)snprintf(label, sizeof(label), "port=\"%s\",direction=\"in\"", publish_str(p, text));
	put_slirp(m, SLIRP_PORT_BYTES, who, label, in);
	(void)snprintf(label, sizeof(label), "port=\"%s\",direction=\"out\"", text);
	put_slirp(m, SLIRP_PORT_BYTES, who, label, out);
}

static void put_ports(struct metrics *m, const char *who, json_t *list)
{
	char text[PUBLISH_STRLEN], label[PUBLISH_STRLEN + 16];
	struct publish p;
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *spec = json_string_value(json_object_get(o, "spec"));

		if (!spec || publish_parse(spec, &p, NULL) < 0)
			continue;
		(void)snprintf(label, sizeof(label), "port=\"%s\"", publish_str(&p, text));
		put_slirp(m, SLIRP_PORT_FLOWS, who, label, json_count(o, "flows"));
		put_port_bytes(m, who, &p, json_count(o, "bytes_in"), json_count(o, "bytes_out"));
	}
}

static int slirp_failed(const struct metrics *m)
{
	for (int i = 0; i < N_METRICS_SLIRP; i++)
		if (m->slirp[i].failed)
			return -ENOMEM;
	return 0;
}

static const char *label_who(const char *id, const char *ifname, char out[WHO_STRLEN])
{
	(void)snprintf(out, WHO_STRLEN, "id=\"%s\",ifname=\"%s\"", id, ifname);
	return out;
}

int metrics_add_slirp(struct metrics *m, const char *id, const char *ifname, json_t *doc)
{
	char text[WHO_STRLEN];
	const char *who = id ? label_who(id, ifname, text) : "of=\"networks\"";

	put_slirp(m, SLIRP_UPTIME, who, "", json_count(doc, "uptime_ms") / 1000);
	put_slirp(m, SLIRP_RESTARTS, who, "", json_count(doc, "restarts"));
	put_slirp(m, SLIRP_READY, who, "", json_is_true(json_object_get(doc, "ready")));
	put_slirp(m, SLIRP_FLOWS, who, "proto=\"tcp\"",
		  json_count(doc, "tcp_flows") + json_count(doc, "through_flows"));
	put_slirp(m, SLIRP_FLOWS, who, "proto=\"udp\"", json_count(doc, "udp_flows"));
	put_slirp(m, SLIRP_FLOWS, who, "proto=\"icmp\"", json_count(doc, "ping_flows"));
	put_slirp(m, SLIRP_HELD, who, "", json_count(doc, "memory"));
	put_events(m, who, json_object_get(doc, "counters"));
	if (id)
		put_ports(m, who, json_object_get(doc, "ports"));
	return slirp_failed(m);
}

int metrics_add_port_bytes(struct metrics *m, const struct attachment *a, const struct publish *p,
			   uint64_t in, uint64_t out)
{
	char text[WHO_STRLEN];

	put_port_bytes(m, label_who(a->id, a->ifname, text), p, in, out);
	return slirp_failed(m);
}

/* ---- printed ---- */

static int by_owner(const void *a, const void *b)
{
	const struct metrics_owner *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return strcmp(x->network, y->network);
}

static void print_list(const char *name, const char *type, const struct buf *list, struct buf *out)
{
	if (list->p)
		buf_printf(out, "# TYPE %s %s\n%s", name, type, list->p);
}

static void print_more(const struct metrics *m, struct buf *out)
{
	print_list("netd_bytes_total", "counter", &m->bytes, out);
	print_list("netd_packets_total", "counter", &m->packets, out);
	print_list("netd_dropped_total", "counter", &m->dropped, out);
	for (int i = 0; i < N_METRICS_SLIRP; i++)
		print_list(slirp[i].name, slirp[i].type, &m->slirp[i], out);
}

void metrics_print(const struct metrics *m, const char *daemon, struct buf *out)
{
	buf_printf(out, "# TYPE netd_up gauge\nnetd_up %d\n%s", daemon != NULL,
		   daemon ? daemon : "");
	if (m->n_owner)
		qsort(m->owner, m->n_owner, sizeof(*m->owner), by_owner);
	buf_printf(out, "# TYPE netd_attachments gauge\n");
	for (size_t i = 0; i < m->n_owner; i++)
		buf_printf(out, "netd_attachments{uid=\"%u\",network=\"%s\"} %" PRIu64 "\n",
			   m->owner[i].uid, m->owner[i].network, m->owner[i].n);
	buf_printf(out, "# TYPE netd_ports gauge\n");
	for (size_t i = 0; i < m->n_owner; i++)
		buf_printf(out, "netd_ports{uid=\"%u\",network=\"%s\"} %" PRIu64 "\n",
			   m->owner[i].uid, m->owner[i].network, m->owner[i].n_ports);
	buf_printf(out, "# TYPE netd_port_flows_total counter\n%s", m->flows.p ? m->flows.p : "");
	print_more(m, out);
}
