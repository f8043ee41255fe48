/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_top: what passes, live. With root it is what the kernel's links count (top_links.c).
 * Without, what passes through slirp-lite: conversations with the busiest first, published ports,
 * reasons why packets were dropped. On a terminal the screen is drawn again and again; else one
 * round is printed. What slirp-lite says is checked before it is printed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/screen.h"
#include "cli/top.h"
#include "cli/user.h"

#define FLOWS_SHOWN 20 /* where there is no terminal to say */
#define COUNTERS_MAX 128

struct top {
	struct top_how how;
	bool once;
	unsigned lines;
	struct buf out;
	json_t *before, *now; /* counters by attachment: of the last round and of this one */
	json_t *docs;         /* --json */
	unsigned n;
};

static int set_interval(void *into, const char *value, struct err *e)
{
	return opt_u32(value, 1, 3600, &((struct top *)into)->how.interval_s, e);
}

static int set_rounds(void *into, const char *value, struct err *e)
{
	return opt_u32(value, 1, 1000000, &((struct top *)into)->how.rounds, e);
}

static int set_once(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct top *)into)->once = true;
	return 0;
}

static const struct opt opts[] = {
	{'i', "interval", "SECONDS", "between two rounds (1)", set_interval},
	{'n', "rounds", "N", "end after so many (a terminal: never; else 1)", set_rounds},
	{0, "once", NULL, "one round, plain, also at a terminal", set_once},
	CLI_OPT_JSON,
	CLI_OPT_STATE_DIR,
	{0},
};

static uint64_t number(json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

/* ---- flows ---- */

struct flow {
	char proto[4], guest[IP_STRLEN + 8], peer[IP_STRLEN + 8], state[16];
	bool is_inward;
	uint64_t rtt_us, idle_ms, queued, blocked, timeouts;
};

static bool read_end(json_t *o, const char *addr, const char *port, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(o, addr));
	char name[IP_STRLEN];
	struct ip ip;

	if (!text || ip_parse(text, &ip, NULL) < 0)
		return false;
	(void)snprintf(out, size, ip.family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip_str(&ip, name),
		       (unsigned)(uint16_t)number(o, port));
	return true;
}

static bool read_flow(json_t *o, struct flow *ret)
{
	const char *proto = json_string_value(json_object_get(o, "proto"));
	const char *state = json_string_value(json_object_get(o, "state"));
	struct flow f = {
		.is_inward = json_is_true(json_object_get(o, "inward")),
		.rtt_us = number(o, "rtt_us"),
		.idle_ms = number(o, "idle_ms"),
		.queued = number(o, "queued"),
		.blocked = number(o, "blocked"),
		.timeouts = number(o, "timeouts"),
	};

	if (!proto || (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0))
		return false;
	memcpy(f.proto, proto, 4);
	if (!state || strspn(state, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-12") != strlen(state))
		state = "-";
	(void)snprintf(f.state, sizeof(f.state), "%s", state);
	if (!read_end(o, "guest", "guest_port", f.guest, sizeof(f.guest)) ||
	    !read_end(o, "peer", "peer_port", f.peer, sizeof(f.peer)))
		return false;
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

static void print_flow(struct buf *out, const struct flow *f)
{
	char rtt[16] = "-";

	if (f->rtt_us)
		(void)snprintf(rtt, sizeof(rtt), "%.1f", (double)f->rtt_us / 1000);
	buf_printf(out, "%-4s %-3s %-24s %-28s %-12s %7s %8.1f %8" PRIu64 " %8" PRIu64 " %s\n",
		   f->proto, f->is_inward ? "in" : "out", f->guest, f->peer, f->state, rtt,
		   (double)f->idle_ms / 1000, f->queued, f->blocked, f->timeouts ? "stalled" : "");
}

static void print_flows(struct top *t, json_t *list, unsigned room)
{
	size_t n = json_array_size(list), used = 0, i;
	CLEAN_FREE struct flow *flow = calloc(n ? n : 1, sizeof(*flow));
	json_t *o;

	if (!flow)
		return;
	json_array_foreach(list, i, o) used += read_flow(o, &flow[used]);
	qsort(flow, used, sizeof(*flow), by_interest);
	buf_printf(&t->out, "%-4s %-3s %-24s %-28s %-12s %7s %8s %8s %8s\n", "", "", "container",
		   "peer", "state", "rtt ms", "idle s", "to send", "to host");
	for (i = 0; i < used && i < room; i++)
		print_flow(&t->out, &flow[i]);
	if (used > i)
		buf_printf(&t->out, "... and %zu more\n", used - i);
}

/* ---- ports and drops ---- */

static void print_ports(struct top *t, json_t *list)
{
	struct publish p;
	char text[PUBLISH_STRLEN];
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o)
	{
		const char *spec = json_string_value(json_object_get(o, "spec"));

		if (!spec || publish_parse(spec, &p, NULL) < 0)
			continue;
		buf_printf(&t->out,
			   "published %-28s %8" PRIu64 " flows %12" PRIu64 " bytes in %12" PRIu64
			   " out\n",
			   publish_str(&p, text), number(o, "flows"), number(o, "bytes_in"),
			   number(o, "bytes_out"));
	}
}

/* Counters that say why something was lost, and by how much they grew. */
static void print_drops(struct top *t, const char *who, json_t *counters)
{
	json_t *before = json_object_get(t->before, who);
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach(counters, name, value)
	{
		uint64_t now = (uint64_t)json_integer_value(value), then = number(before, name);

		if (strncmp(name, "drop_", 5) != 0 ||
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name) ||
		    n++ == COUNTERS_MAX)
			continue;
		buf_printf(&t->out, "%s %" PRIu64, name, now);
		if (before && now > then)
			buf_printf(&t->out, " (+%" PRIu64 ")", now - then);
		buf_printf(&t->out, "\n");
	}
	(void)json_object_set(t->now, who, counters ? counters : json_null());
}

/* ---- rounds ---- */

static int one(struct rootless *r, const struct rootless_state *s, void *arg, struct err *e)
{
	struct top *t = arg;
	CLEAN_JSON json_t *answer = NULL;
	char who[ID_STRLEN + IFNAME_STRLEN + 2];
	int w = rootless_ask(r, s->id, s->ifname, "flows", &answer, e);

	if (w < 0)
		return w;
	t->n++;
	if (t->how.common.json) {
		(void)json_object_set(s->doc, "flows", json_object_get(answer, "flows"));
		return json_array_append(t->docs, s->doc) < 0
			       ? err_set(e, ERR_INTERNAL, ENOMEM, "top")
			       : 0;
	}
	(void)snprintf(who, sizeof(who), "%s %s", s->id, s->ifname);
	buf_printf(&t->out,
		   "%s: %" PRIu64 " TCP, %" PRIu64 " UDP, %" PRIu64 " ping; %" PRIu64
		   " KiB held; %" PRIu64 " restarts%s\n",
		   who, number(s->doc, "tcp_flows"), number(s->doc, "udp_flows"),
		   number(s->doc, "ping_flows"), number(s->doc, "memory") / 1024,
		   number(s->doc, "restarts"),
		   json_is_true(json_object_get(s->doc, "silent")) ? "; it does not answer" : "");
	print_ports(t, json_object_get(s->doc, "ports"));
	print_drops(t, who, json_object_get(s->doc, "counters"));
	print_flows(t, json_object_get(answer, "flows"), t->lines);
	buf_printf(&t->out, "\n");
	return 0;
}

static void look_at_terminal(struct top *t)
{
	unsigned lines = t->how.is_screen ? screen_lines(0) : 0;

	t->lines = lines > 12 ? lines - 10 : FLOWS_SHOWN;
}

static int draw(struct top *t, const char *target, struct err *e)
{
	int w;

	look_at_terminal(t);
	t->n = 0;
	t->now = json_object();
	t->docs = t->how.common.json ? json_array() : NULL;
	w = user_visit(&t->how.common, target, one, t, e);
	if (w >= 0 && t->n == 0)
		w = target ? err_set(e, ERR_ABSENT, 0, "%s has no network from us", target) : 0;
	if (w >= 0 && t->docs)
		cli_print_json(json_incref(t->docs));
	else if (w >= 0)
		/* Home, the text with each line's rest cleared by what follows, the rest of the
		 * screen. */
		printf("%s%s", t->how.is_screen ? TOP_CLEAR : "", t->out.p ? t->out.p : "");
	(void)fflush(stdout);
	buf_free(&t->out);
	json_decref(t->docs);
	json_decref(t->before);
	t->before = t->now;
	t->now = NULL;
	return w < 0 ? w : 0;
}

static int run(struct top *t, const char *target, struct err *e)
{
	CLEAN_SCREEN struct screen screen = {0};
	int r = 0;

	if (t->how.is_screen)
		screen_open(&screen);
	for (uint32_t i = 0; r == 0 && (t->how.rounds == 0 || i < t->how.rounds); i++) {
		if (i > 0 && screen_wait(&screen, t->how.interval_s))
			break;
		r = draw(t, target, e);
	}
	return r;
}

static int main_top(const struct verb *v, int argc, char **argv)
{
	struct top t = {.how.interval_s = 1};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &t, &n);

	if (r >= 0)
		return r;
	if (t.once)
		t.how.rounds = 1;
	t.how.is_screen = !t.once && !t.how.common.json && isatty(STDOUT_FILENO) == 1;
	if (t.how.rounds == 0 && !t.how.is_screen)
		t.how.rounds = 1;
	if (user_is_rootless())
		r = run(&t, n > 0 ? argv[1] : NULL, &e);
	else
		r = top_links(&t.how, n > 0 ? argv[1] : NULL, &e);
	json_decref(t.before);
	return r < 0 ? cli_fail(&e) : EXIT_OK;
}

const struct verb verb_top = {
	.v = {.name = "top",
	      .operands = "[TARGET|ID]",
	      .summary = "show what passes, live",
	      .notes = "With root: rates of each container, the busiest first, from the counters "
		       "of its "
		       "link;\nin and out are the container's. Without: conversations, published "
		       "ports, and why "
		       "packets\nwere dropped. q or Ctrl-C ends it.",
	      .opts = opts,
	      .max_operands = 1},
	.main = main_top,
};
