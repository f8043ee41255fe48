/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_flows: documents of slirp-lite to lines. */
#include "cli/top_flows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "model/name.h"

#define COUNTERS_MAX 128

/* ---- flows ---- */

struct flow {
	char proto[4], guest[ID_STRLEN + 8], peer[IP_STRLEN + 8], state[16];
	bool is_inward;
	uint64_t rtt_us, idle_ms, queued, blocked, timeouts;
};

static bool read_ip(json_t *o, const char *key, struct ip *ret)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text && ip_parse(text, ret, NULL) == 0;
}

static void print_end(const struct ip *ip, const char *name, uint64_t port, char *out, size_t size)
{
	char text[IP_STRLEN];
	bool is_bare = name || ip->family == AF_INET;

	(void)snprintf(out, size, "%s%s%s:%u", is_bare ? "" : "[", name ? name : ip_str(ip, text),
		       is_bare ? "" : "]", (unsigned)(uint16_t)port);
}

static bool read_flow(json_t *o, top_whose *whose, const void *arg, struct flow *ret)
{
	const char *proto = json_string_value(json_object_get(o, "proto"));
	const char *state = json_string_value(json_object_get(o, "state"));
	const char *name = NULL;
	struct ip guest, peer;
	struct flow f = {
		.is_inward = json_is_true(json_object_get(o, "inward")),
		.rtt_us = json_count(o, "rtt_us"),
		.idle_ms = json_count(o, "idle_ms"),
		.queued = json_count(o, "queued"),
		.blocked = json_count(o, "blocked"),
		.timeouts = json_count(o, "timeouts"),
	};

	if (!proto || (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0))
		return false;
	memcpy(f.proto, proto, 4);
	if (!state || strspn(state, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-12") != strlen(state))
		state = "-";
	(void)snprintf(f.state, sizeof(f.state), "%s", state);
	if (!read_ip(o, "guest", &guest) || !read_ip(o, "peer", &peer) ||
	    (whose && !whose(arg, &guest, &name)))
		return false;
	print_end(&guest, name, json_count(o, "guest_port"), f.guest, sizeof(f.guest));
	print_end(&peer, NULL, json_count(o, "peer_port"), f.peer, sizeof(f.peer));
	*ret = f;
	return true;
}

/* Those in trouble, then those that moved last. */
static int by_interest(const void *left, const void *right)
{
	const struct flow *a = left, *b = right;

	if (a->timeouts != b->timeouts)
		return a->timeouts < b->timeouts ? 1 : -1;
	return a->idle_ms < b->idle_ms ? -1 : a->idle_ms > b->idle_ms;
}

static void put_flow(struct buf *out, const struct flow *f)
{
	char rtt[16] = "-";

	if (f->rtt_us)
		(void)snprintf(rtt, sizeof(rtt), "%.1f", (double)f->rtt_us / 1000);
	buf_printf(out, "%-4s %-3s %-24s %-28s %-12s %7s %8.1f %8" PRIu64 " %8" PRIu64 " %s\n",
		   f->proto, f->is_inward ? "in" : "out", f->guest, f->peer, f->state, rtt,
		   (double)f->idle_ms / 1000, f->queued, f->blocked, f->timeouts ? "stalled" : "");
}

void top_flows_put(json_t *flows, top_whose *whose, const void *arg, unsigned lines,
		   struct buf *out)
{
	size_t n = json_array_size(flows), used = 0, i;
	CLEAN_FREE struct flow *flow = calloc(n ? n : 1, sizeof(*flow));
	json_t *o;

	if (!flow) {
		out->failed = true;
		return;
	}
	json_array_foreach(flows, i, o) used += read_flow(o, whose, arg, &flow[used]);
	qsort(flow, used, sizeof(*flow), by_interest);
	buf_printf(out, "%-4s %-3s %-24s %-28s %-12s %7s %8s %8s %8s\n", "", "", "container",
		   "peer", "state", "rtt ms", "idle s", "to send", "to host");
	for (i = 0; i < used && i < lines; i++)
		put_flow(out, &flow[i]);
	if (used > i)
		buf_printf(out, "... and %zu more\n", used - i);
}

json_t *top_flows_pick(json_t *flows, top_whose *whose, const void *arg)
{
	json_t *list = json_array(), *o;
	struct flow f;
	size_t i;

	json_array_foreach(flows, i, o)
	{
		if (read_flow(o, whose, arg, &f) && json_array_append(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* ---- ports and drops ---- */

static bool is_same_side(const struct publish *a, const struct publish *b)
{
	return a->proto == b->proto && a->host_port == b->host_port && a->count == b->count &&
	       a->host_ip.family == b->host_ip.family &&
	       (a->host_ip.family == 0 || ip_equal(&a->host_ip, &b->host_ip));
}

bool top_tally_of(json_t *ports, const struct publish *p, struct top_tally *ret)
{
	struct publish one;
	size_t i;
	json_t *o;

	json_array_foreach(ports, i, o)
	{
		const char *spec = json_string_value(json_object_get(o, "spec"));

		if (!spec || publish_parse(spec, &one, NULL) < 0 || !is_same_side(&one, p))
			continue;
		*ret = (struct top_tally){.flows = json_count(o, "flows"),
					  .in = json_count(o, "bytes_in"),
					  .out = json_count(o, "bytes_out")};
		return true;
	}
	return false;
}

void top_port_put(const struct publish *p, const struct top_tally *t, const char *who,
		  struct buf *out)
{
	char text[PUBLISH_STRLEN];

	buf_printf(out,
		   "published %-28s %8" PRIu64 " flows %12" PRIu64 " bytes in %12" PRIu64
		   " out%s%s\n",
		   publish_str(p, text), t->flows, t->in, t->out, who ? "  " : "", who ? who : "");
}

void top_drops_put(json_t *counters, json_t *before, struct buf *out)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach(counters, name, value)
	{
		uint64_t now = json_count(counters, name), then = json_count(before, name);

		if (strncmp(name, "drop_", 5) != 0 ||
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name) ||
		    n++ == COUNTERS_MAX)
			continue;
		buf_printf(out, "%s %" PRIu64, name, now);
		if (before && now > then)
			buf_printf(out, " (+%" PRIu64 ")", now - then);
		buf_printf(out, "\n");
	}
}
