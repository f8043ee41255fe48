/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top_user: what passes, of a user without privilege: of each container that is alone, what its
 * slirp-lite says; of those on networks, the counters of their links, and what the slirp-lite says
 * that is the way out of all of them. On a terminal the screen is drawn again and again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "cli/screen.h"
#include "cli/style.h"
#include "cli/top.h"
#include "cli/top_flows.h"
#include "cli/top_rows.h"
#include "cli/user.h"
#include "cli/usernet_seen.h"

#define FLOWS_SHOWN 20 /* where there is no terminal to say */
#define UPLINK "your networks"
#define AT "at_ms" /* beside the counters of a look */

struct top {
	const struct top_how *how;
	const char *target;
	bool is_silent; /* a look for the next one to be compared with */
	unsigned lines;
	struct buf out;
	json_t *before, *now;  /* counters by slirp-lite: of the last round and of this one */
	struct top_rows links; /* those of the last round */
	json_t *docs;          /* --json */
	unsigned n;
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_INTERNAL, ENOMEM, "top");
}

/* ---- one slirp-lite ---- */

/* What slirp-lite counts comes from the container or goes to it. */
struct rate {
	bool has;
	double in, out; /* bits a second, of the container */
};

static struct rate rate_of(json_t *now, json_t *before)
{
	uint64_t in = json_count(now, "bytes_out"), was_in = json_count(before, "bytes_out");
	uint64_t out = json_count(now, "bytes_in"), was_out = json_count(before, "bytes_in");
	double seconds = (double)(json_count(now, AT) - json_count(before, AT)) / 1000;

	/* Those of another worker go back. */
	if (!before || seconds <= 0 || in < was_in || out < was_out)
		return (struct rate){0};
	return (struct rate){.has = true,
			     .in = 8 * (double)(in - was_in) / seconds,
			     .out = 8 * (double)(out - was_out) / seconds};
}

/* Counters of this look, kept for the next one, and those of the last. */
static json_t *keep(struct top *t, const char *who, json_t *doc, json_t **ret_before)
{
	json_t *counters = json_copy(json_object_get(doc, "counters"));

	if (!counters)
		counters = json_object();
	(void)json_object_set_new(counters, AT, json_integer((json_int_t)clock_ms()));
	(void)json_object_set_new(t->now, who, counters);
	*ret_before = json_object_get(t->before, who);
	return counters;
}

/* rate NULL: what its containers' links count tells more. */
static void put_head(struct top *t, const char *who, json_t *doc, const struct rate *rate)
{
	char in[TOP_AMOUNT_STRLEN], out[TOP_AMOUNT_STRLEN];

	buf_printf(&t->out,
		   "%s: %" PRIu64 " TCP, %" PRIu64 " UDP, %" PRIu64 " ping; %" PRIu64
		   " KiB held; %" PRIu64 " restarts",
		   who, json_count(doc, "tcp_flows") + json_count(doc, "through_flows"),
		   json_count(doc, "udp_flows"), json_count(doc, "ping_flows"),
		   json_count(doc, "memory") / 1024, json_count(doc, "restarts"));
	if (rate && rate->has)
		buf_printf(&t->out, "; by the tap %s bit/s in, %s out", top_amount(rate->in, in),
			   top_amount(rate->out, out));
	buf_printf(&t->out, "%s\n",
		   json_is_true(json_object_get(doc, "silent")) ? "; it does not answer" : "");
}

static int set_json(json_t *doc, const char *key, json_t *value, struct err *e)
{
	return json_object_set_new(doc, key, value) < 0 ? no_memory(e) : 0;
}

static int add_json(struct top *t, json_t *doc, const struct rate *rate, struct err *e)
{
	int r = rate && rate->has ? set_json(doc, "rate",
					     json_pack("{s:f,s:f}", "in_bits", rate->in, "out_bits",
						       rate->out),
					     e)
				  : 0;

	return r < 0 || json_array_append(t->docs, doc) < 0 ? no_memory(e) : 0;
}

static int one(struct rootless *r, const struct rootless_state *s, void *arg, struct err *e)
{
	struct top *t = arg;
	CLEAN_JSON json_t *answer = NULL;
	char who[ID_STRLEN + IFNAME_STRLEN + 2];
	json_t *counters, *before;
	struct rate rate;
	int w = rootless_ask(r, s->id, s->ifname, "flows", &answer, e);

	if (w < 0)
		return w;
	t->n++;
	(void)snprintf(who, sizeof(who), "%s %s", s->id, s->ifname);
	counters = keep(t, who, s->doc, &before);
	rate = rate_of(counters, before);
	if (t->docs) {
		(void)json_object_set(s->doc, "flows", json_object_get(answer, "flows"));
		return add_json(t, s->doc, &rate, e);
	}
	put_head(t, who, s->doc, &rate);
	for (size_t i = 0; i < s->n_publish; i++) {
		struct top_tally tally;

		if (top_tally_of(json_object_get(s->doc, "ports"), &s->publish[i], &tally))
			top_port_put(&s->publish[i], &tally, NULL, &t->out);
	}
	top_drops_put(counters, before, &t->out);
	top_flows_put(json_object_get(answer, "flows"), NULL, NULL, t->lines, &t->out);
	buf_printf(&t->out, "\n");
	return 0;
}

/* ---- networks ---- */

struct members {
	const struct top *t;
	const struct usernet_seen *seen;
	const struct attachment *only; /* NULL: all that are meant */
};

/* What nobody has is the host's own, and is shown when nobody is asked for. */
static bool whose(const void *arg, const struct ip *guest, const char **ret_name)
{
	const struct members *m = arg;

	for (size_t i = 0; i < m->seen->n; i++) {
		const struct attachment *a = m->seen->one[i].a;

		if (!attachment_has_ip(a, guest))
			continue;
		*ret_name = a->id;
		return m->only ? m->only == a : m->seen->one[i].is_meant;
	}
	return !m->only && !m->t->target;
}

static json_t *ports_json(json_t *uplink, const struct attachment *a)
{
	json_t *list = json_array();
	char text[PUBLISH_STRLEN];

	for (size_t i = 0; i < a->n_publish; i++) {
		struct top_tally tally = {0};

		(void)top_tally_of(json_object_get(uplink, "ports"), &a->publish[i], &tally);
		if (json_array_append_new(list, json_pack("{s:s,s:I,s:I,s:I}", "spec",
							  publish_str(&a->publish[i], text),
							  "flows", (json_int_t)tally.flows,
							  "bytes_in", (json_int_t)tally.in,
							  "bytes_out", (json_int_t)tally.out)) <
		    0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static const struct attachment *find(const struct usernet_seen *seen, const struct top_row *row)
{
	for (size_t i = 0; i < seen->n; i++)
		if (strcmp(seen->one[i].a->id, row->id) == 0 &&
		    strcmp(seen->one[i].a->ifname, row->ifname) == 0)
			return seen->one[i].a;
	return NULL;
}

static int nets_json(struct top *t, const struct usernet_seen *seen, const struct top_rows *rows,
		     struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		const struct attachment *a = find(seen, &rows->row[i]);
		const struct members m = {.t = t, .seen = seen, .only = a};
		json_t *doc;

		if (!a)
			continue;
		doc = top_row_json(&rows->row[i]);
		if (json_array_append_new(t->docs, doc) < 0)
			return no_memory(e);
		r = set_json(doc, "ports", ports_json(seen->uplink, a), e);
		if (r == 0)
			r = set_json(
				doc, "flows",
				top_flows_pick(json_object_get(seen->uplink, "flows"), whose, &m),
				e);
	}
	return r == 0 && seen->uplink && !t->target ? add_json(t, seen->uplink, NULL, e) : r;
}

static void put_nets(struct top *t, const struct usernet_seen *seen, const struct top_rows *rows,
		     json_t *before)
{
	const struct members m = {.t = t, .seen = seen};

	top_rows_put(rows, style_has_colour(STDOUT_FILENO),
		     t->how->is_screen ? t->lines / 2 + 3 : 0, &t->out);
	if (!seen->uplink) {
		buf_printf(&t->out, UPLINK ": there is no way out now\n");
		return;
	}
	put_head(t, UPLINK, seen->uplink, NULL);
	for (size_t i = 0; i < seen->n; i++) {
		const struct attachment *a = seen->one[i].a;

		for (size_t k = 0; seen->one[i].is_meant && k < a->n_publish; k++) {
			struct top_tally tally;

			if (top_tally_of(json_object_get(seen->uplink, "ports"), &a->publish[k],
					 &tally))
				top_port_put(&a->publish[k], &tally, a->id, &t->out);
		}
	}
	top_drops_put(json_object_get(seen->uplink, "counters"), before, &t->out);
	top_flows_put(json_object_get(seen->uplink, "flows"), whose, &m, t->lines, &t->out);
}

static int show_nets(struct top *t, const struct usernet_seen *seen, struct top_rows *rows,
		     struct err *e)
{
	json_t *before = NULL;

	for (size_t i = 0; i < seen->n; i++) {
		const struct usernet_one *o = &seen->one[i];

		t->n += o->is_meant;
		if (o->has_traffic && o->is_meant && top_rows_add(rows, o->a, &o->traffic) < 0)
			return no_memory(e);
	}
	rows->at_ms = seen->at_ms;
	top_rows_compare(rows, &t->links);
	if (seen->uplink)
		(void)keep(t, "", seen->uplink, &before);
	if (t->target && t->n == 0)
		return 0;
	if (t->docs)
		return nets_json(t, seen, rows, e);
	put_nets(t, seen, rows, before);
	return 0;
}

static int nets(struct top *t, struct err *e)
{
	CLEAN_USERNET_SEEN struct usernet_seen seen = {0};
	struct top_rows rows = {0};
	int r = usernet_see_all(&t->how->common, t->target, &seen, e);

	if (r == 0)
		r = show_nets(t, &seen, &rows, e);
	top_rows_clear(&t->links);
	t->links = rows;
	return r < 0 ? r : 0;
}

/* ---- rounds ---- */

static void look_at_terminal(struct top *t)
{
	unsigned lines = t->how->is_screen ? screen_lines(0) : 0;

	t->lines = lines > 12 ? lines - 10 : FLOWS_SHOWN;
}

static int print(struct top *t, struct err *e)
{
	if (t->is_silent)
		return 0;
	if (t->docs)
		return cli_print_json(json_incref(t->docs)) < 0 || fflush(stdout) != 0
			       ? err_set(e, ERR_IO, 0, "standard output: it cannot be written")
			       : 0;
	if (t->out.failed)
		return no_memory(e);
	printf("%s%s", t->how->is_screen ? TOP_CLEAR : "", t->out.p ? t->out.p : "");
	return fflush(stdout) != 0 ? err_sys(e, errno, "standard output") : 0;
}

static int draw(struct top *t, struct err *e)
{
	int w;

	look_at_terminal(t);
	t->n = 0;
	t->now = json_object();
	t->docs = t->how->common.json ? json_array() : NULL;
	w = user_visit(&t->how->common, t->target, one, t, e);
	if (w >= 0 && (!t->target || t->n == 0))
		w = nets(t, e);
	if (w >= 0 && t->target && t->n == 0)
		w = err_set(e, ERR_ABSENT, 0, "%s has no network from us", t->target);
	if (w >= 0)
		w = print(t, e);
	buf_free(&t->out);
	json_decref(t->docs);
	t->docs = NULL;
	json_decref(t->before);
	t->before = t->now;
	t->now = NULL;
	return w < 0 ? w : 0;
}

static int run(struct top *t, struct err *e)
{
	CLEAN_SCREEN struct screen screen = {0};
	int r = 0;

	if (t->how->is_screen) {
		screen_open(&screen);
	} else {
		t->is_silent = true;
		r = draw(t, e);
		t->is_silent = false;
		/* Where nothing is up there is nothing to wait for. */
		if (r == 0 && t->n > 0 && screen_wait(&screen, t->how->interval_s))
			return 0;
	}
	for (uint32_t i = 0; r == 0 && (t->how->rounds == 0 || i < t->how->rounds); i++) {
		if (i > 0 && screen_wait(&screen, t->how->interval_s))
			break;
		r = draw(t, e);
	}
	return r;
}

int top_user(const struct top_how *how, const char *target, struct err *e)
{
	struct top t = {.how = how, .target = target};
	int r = run(&t, e);

	json_decref(t.before);
	top_rows_clear(&t.links);
	return r;
}
