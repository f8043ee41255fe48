/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * requests: a table of verbs. Who asks for counters or flows waits for one gathering, and all who
 * asked for the same before it began share it. Who changed published ports is answered when the
 * worker has heard of it, so that a port is served, or free, when its client reads so.
 */
#include "proc/requests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "proc/gather.h"
#include "proc/hostfwd.h"
#include "proc/metrics.h"

#define SETTLE_MS 2000
#define N_WAITING CTL_CLIENTS

typedef void answer_fn(struct requests *q, uint64_t id, const struct gathered *g);

struct waiting {
	uint64_t id;
	unsigned need;
	answer_fn *answer;
	bool is_served; /* by the gathering under way */
};

struct settling {
	uint64_t id;
	char *text;
};

struct requests {
	struct requests_env env;
	struct ctl *ctl;
	struct gather *gather;
	struct waiting waiting[N_WAITING];
	size_t n_waiting;
	struct settling settling[N_WAITING];
	size_t n_settling;
	uint64_t settle_by;
	bool is_stopping; /* answers wait until it is over */
};

void requests_guest(const struct plan *plan, bool is_configured, struct ip ret[N_FAM])
{
	ret[FAM4] = plan->guest[FAM4];
	/* One that configures itself chooses its own. */
	ret[FAM6] = is_configured ? plan->guest[FAM6] : (struct ip){0};
}

/* ---- answers ---- */

static void answer_json(struct requests *q, uint64_t id, json_t *o)
{
	CLEAN_JSON json_t *doc = o;
	CLEAN_FREE char *text = json_print(doc);

	ctl_answer(q->ctl, id,
		   text ? text : "{\"error\":{\"desc\":\"bad request: out of memory\"}}");
}

static const char *kind_name(enum err_kind kind)
{
	switch (kind) {
	case ERR_USAGE:
	case ERR_PROTOCOL: /* JSON of another shape than is asked for */
		return "usage";
	case ERR_CONFLICT:
		return "conflict";
	case ERR_DENIED:
		return "denied";
	case ERR_QUOTA:
		return "quota";
	case ERR_ABSENT:
		return "absent";
	case ERR_UNSUPPORTED:
		return "unsupported";
	default:
		return "failed";
	}
}

/* text: what clients know; e: our own words beside it, or NULL. */
static void refuse(struct requests *q, uint64_t id, const char *text, const struct err *e)
{
	json_t *o = json_object();
	char spec[PUBLISH_STRLEN];
	struct publish p;

	(void)json_object_set_new(o, "desc", json_string(text));
	if (e && e->used > 0)
		(void)json_object_set_new(o, "detail", json_string(e->text));
	if (e && e->sys)
		(void)json_object_set_new(o, "errno", json_integer(e->sys));
	if (e && e->kind != ERR_NONE)
		(void)json_object_set_new(o, "kind", json_string(kind_name(e->kind)));
	if (e && e->kind == ERR_CONFLICT && published_taken(q->env.published, &p))
		(void)json_object_set_new(o, "port", json_string(publish_str(&p, spec)));
	answer_json(q, id, json_pack("{s:o}", "error", o));
}

static void answer_settled(struct requests *q)
{
	for (size_t i = 0; i < q->n_settling; i++) {
		ctl_answer(q->ctl, q->settling[i].id, q->settling[i].text);
		free(q->settling[i].text);
	}
	q->n_settling = 0;
}

/* When the worker has heard of it. */
static void answer_later(struct requests *q, uint64_t id, json_t *o)
{
	char *text = json_print(o);

	if (!text || q->n_settling == N_WAITING) {
		free(text);
		answer_json(q, id, o);
		return;
	}
	json_decref(o);
	q->settle_by = clock_ms() + SETTLE_MS;
	q->settling[q->n_settling++] = (struct settling){.id = id, .text = text};
}

/* ---- what the worker knows ---- */

static void start_gathering(struct requests *q, uint64_t now)
{
	unsigned need = 0;

	if (q->n_waiting == 0 || gather_is_under_way(q->gather))
		return;
	for (size_t i = 0; i < q->n_waiting; i++) {
		q->waiting[i].is_served = true;
		need |= q->waiting[i].need;
	}
	gather_start(q->gather, need, now);
}

static void gathering_done(void *arg, const struct gathered *g)
{
	struct requests *q = arg;
	size_t n = q->n_waiting, kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (q->waiting[i].is_served)
			q->waiting[i].answer(q, q->waiting[i].id, g);
		else
			q->waiting[kept++] = q->waiting[i];
	}
	q->n_waiting = kept;
}

static void wait_for(struct requests *q, uint64_t id, unsigned need, answer_fn *answer)
{
	if (published_count(q->env.published) == 0)
		need &= ~(unsigned)GATHER_PORTS;
	if (q->n_waiting == N_WAITING) { /* more than there are clients: some are gone */
		memmove(q->waiting, q->waiting + 1, (N_WAITING - 1) * sizeof(q->waiting[0]));
		q->n_waiting--;
	}
	q->waiting[q->n_waiting++] = (struct waiting){.id = id, .need = need, .answer = answer};
	start_gathering(q, clock_ms());
}

static json_t *list_rules(struct requests *q, json_t *(*print)(const struct published_rule *r))
{
	json_t *list = json_array();
	struct published_rule r;
	size_t cursor = 0;

	while (published_next(q->env.published, &cursor, &r))
		(void)json_array_append_new(list, print(&r));
	return list;
}

static void answer_status(struct requests *q, uint64_t id, const struct gathered *g)
{
	struct status st = {0};

	q->env.describe(q->env.arg, &st);
	st.stats = g->has_stats ? &g->stats : NULL;
	st.gauges = g->has_stats ? &g->gauges : NULL;
	st.is_silent = !g->is_whole;
	st.ports = list_rules(q, hostfwd_rule);
	answer_json(q, id, json_pack("{s:o}", "return", status_json(&st)));
}

static void answer_flows(struct requests *q, uint64_t id, const struct gathered *g)
{
	answer_json(q, id,
		    json_pack("{s:{s:O,s:b,s:b}}", "return", "flows", g->flows, "complete",
			      (int)(g->is_whole && !g->is_cut), "answered", (int)g->is_whole));
}

static void answer_metrics(struct requests *q, uint64_t id, const struct gathered *g)
{
	struct status st = {0};
	CLEAN_BUF struct buf out = BUF_INIT;

	q->env.describe(q->env.arg, &st);
	st.stats = g->has_stats ? &g->stats : NULL;
	st.gauges = g->has_stats ? &g->gauges : NULL;
	metrics_print(&st, q->env.published, &out);
	ctl_answer_text(q->ctl, id, out.p && !out.failed ? out.p : "");
}

static void do_status(struct requests *q, uint64_t id, json_t *arguments)
{
	(void)arguments;
	wait_for(q, id, GATHER_STATS | GATHER_PORTS, answer_status);
}

static void do_flows(struct requests *q, uint64_t id, json_t *arguments)
{
	(void)arguments;
	wait_for(q, id, GATHER_FLOWS, answer_flows);
}

static void do_metrics(struct requests *q, uint64_t id, json_t *arguments)
{
	(void)arguments;
	wait_for(q, id, GATHER_STATS | GATHER_PORTS, answer_metrics);
}

static void do_stop(struct requests *q, uint64_t id, json_t *arguments)
{
	(void)arguments;
	q->is_stopping = true;
	answer_later(q, id, json_pack("{s:{}}", "return"));
	q->env.stop(q->env.arg);
}

/* ---- published ports ---- */

static void do_list_hostfwd(struct requests *q, uint64_t id, json_t *arguments)
{
	CLEAN_JSON json_t *list = list_rules(q, hostfwd_entry);

	(void)arguments;
	/* The manual has it within "return", the program beside it: clients of both exist. */
	answer_json(q, id, json_pack("{s:{s:O},s:O}", "return", "entries", list, "entries", list));
}

static void do_add_hostfwd(struct requests *q, uint64_t id, json_t *arguments)
{
	struct published_request req = {.n = 1, .local = q->env.local};
	struct err e = ERR_INIT;
	char text[64] = "bad request: add_hostfwd: bad arguments.";
	struct publish p;
	struct ip guest;
	uint32_t rule;
	const char *bad = hostfwd_parse(arguments, q->env.plan, &p, &guest, &e);

	if (bad) {
		strncat(text, bad, sizeof(text) - strlen(text) - 1);
		refuse(q, id, text, &e);
		return;
	}
	req.list = &p;
	req.guest[ip_fam(&guest)] = guest;
	if (published_add(q->env.published, &req, &rule, &e) < 0)
		refuse(q, id, "bad request: add_hostfwd: slirp_add_hostfwd failed", &e);
	else
		answer_later(q, id, json_pack("{s:{s:I}}", "return", "id", (json_int_t)rule));
}

static void do_remove_hostfwd(struct requests *q, uint64_t id, json_t *arguments)
{
	struct err e = ERR_INIT;
	uint64_t n = 0;

	if (!hostfwd_whole(json_object_get(arguments, "id"), 1, UINT32_MAX, &n) ||
	    published_remove(q->env.published, (uint32_t)n) < 0) {
		if (n > 0)
			(void)err_set(&e, ERR_ABSENT, ENOENT, "there is no %" PRIu64, n);
		refuse(q, id, "bad request: remove_hostfwd: bad arguments.id", &e);
	} else {
		answer_later(q, id, json_pack("{s:{}}", "return"));
	}
}

/* The last n rules, as they came to be. */
static json_t *rules_from(struct requests *q, uint32_t first)
{
	json_t *list = json_array();
	struct published_rule r;
	size_t cursor = 0;

	while (published_next(q->env.published, &cursor, &r))
		if (r.id >= first)
			(void)json_array_append_new(list, hostfwd_rule(&r));
	return list;
}

static void do_publish(struct requests *q, uint64_t id, json_t *arguments)
{
	CLEAN_PUBLISH_LIST struct publish_list list = {0};
	struct published_request req = {.local = q->env.local};
	struct err e = ERR_INIT;
	uint32_t first;

	requests_guest(q->env.plan, q->env.is_configured, req.guest);
	if (hostfwd_parse_list(arguments, &list, &e) < 0) {
		refuse(q, id, "bad request: publish: bad arguments.ports", &e);
		return;
	}
	req.list = list.p;
	req.n = list.n;
	if (published_add(q->env.published, &req, &first, &e) < 0)
		refuse(q, id, "publish failed", &e);
	else
		answer_later(q, id,
			     json_pack("{s:{s:o}}", "return", "ports", rules_from(q, first)));
}

static void do_unpublish(struct requests *q, uint64_t id, json_t *arguments)
{
	CLEAN_PUBLISH_LIST struct publish_list list = {0};
	CLEAN_FREE uint32_t *ids = NULL;
	struct err e = ERR_INIT;
	char text[PUBLISH_STRLEN];

	if (hostfwd_parse_list(arguments, &list, &e) < 0) {
		refuse(q, id, "bad request: unpublish: bad arguments.ports", &e);
		return;
	}
	ids = calloc(list.n, sizeof(*ids));
	if (!ids)
		(void)err_sys(&e, ENOMEM, "unpublish");
	for (size_t i = 0; i < list.n && e.kind == ERR_NONE; i++) {
		ids[i] = published_find(q->env.published, &list.p[i]);
		if (ids[i] == 0)
			(void)err_set(&e, ERR_ABSENT, ENOENT, "%s is not published",
				      publish_str(&list.p[i], text));
	}
	if (e.kind != ERR_NONE) {
		refuse(q, id, "unpublish failed", &e);
		return;
	}
	published_remove_all(q->env.published, ids, list.n);
	answer_later(q, id, json_pack("{s:{}}", "return"));
}

/* ---- limits ---- */

static json_t *rate_or_null(uint64_t bits)
{
	return bits ? json_integer((json_int_t)bits) : json_null();
}

/* The worker has answered another question meanwhile, so it has heard of them. */
static void answer_limit(struct requests *q, uint64_t id, const struct gathered *g)
{
	struct rates r;

	(void)g;
	q->env.get_rates(q->env.arg, &r);
	answer_json(q, id,
		    json_pack("{s:{s:o,s:o}}", "return", "in", rate_or_null(r.in), "out",
			      rate_or_null(r.out)));
}

/* "in": bits a second, null: no limit. False: neither that nor absent. */
static bool read_rate(json_t *arguments, const char *key, uint64_t *bits)
{
	json_t *v = json_object_get(arguments, key);

	if (json_is_null(v))
		*bits = 0;
	return !v || json_is_null(v) || hostfwd_whole(v, RATE_LEAST, (uint64_t)1 << 53, bits);
}

static void do_limit(struct requests *q, uint64_t id, json_t *arguments)
{
	struct err e = ERR_INIT;
	struct rates r;
	int w;

	q->env.get_rates(q->env.arg, &r);
	if (!read_rate(arguments, "in", &r.in) || !read_rate(arguments, "out", &r.out) ||
	    (!json_object_get(arguments, "in") && !json_object_get(arguments, "out"))) {
		(void)err_set(&e, ERR_USAGE, 0,
			      "expected in or out, each a number of bits a second, %d at least, "
			      "or null",
			      RATE_LEAST);
		refuse(q, id, "bad request: limit: bad arguments", &e);
		return;
	}
	if (!q->env.is_tap_alone) {
		(void)err_set(&e, ERR_UNSUPPORTED, 0,
			      "limits are the tap engine's: what is behind the namespace is "
			      "limited on its own links");
		refuse(q, id, "limit failed", &e);
		return;
	}
	w = q->env.set_rates(q->env.arg, &r);
	if (w < 0) {
		(void)err_sys(&e, -w, "the worker does not take it");
		refuse(q, id, "limit failed", &e);
		return;
	}
	wait_for(q, id, GATHER_STATS, answer_limit);
}

/* ---- the table ---- */

static const struct {
	const char *name;
	void (*run)(struct requests *q, uint64_t id, json_t *arguments);
} verbs[] = {
	{"status", do_status},
	{"flows", do_flows},
	{"metrics", do_metrics},
	{"stop", do_stop},
	{"publish", do_publish},
	{"unpublish", do_unpublish},
	{"limit", do_limit},
	{"add_hostfwd", do_add_hostfwd},
	{"list_hostfwd", do_list_hostfwd},
	{"remove_hostfwd", do_remove_hostfwd},
};

static bool on_request(void *arg, uint64_t id, const char *verb, json_t *arguments)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verb, verbs[i].name) == 0) {
			verbs[i].run(arg, id, arguments);
			return true;
		}
	return false;
}

int requests_new(const struct requests_env *env, int listen_fd, struct requests **ret,
		 struct err *e)
{
	struct requests *q = calloc(1, sizeof(*q));
	struct gather_env g = {.published = env->published,
			       .tell = env->tell,
			       .tell_arg = env->arg,
			       .done = gathering_done};
	struct ctl_ops ops = {.request = on_request};
	int r;

	if (!q)
		return err_set(e, ERR_INTERNAL, ENOMEM, "control socket");
	q->env = *env;
	ops.arg = q;
	r = ctl_new(listen_fd, &ops, &q->ctl, e);
	g.arg = q;
	if (r == 0)
		r = gather_new(&g, &q->gather, e);
	if (r < 0) {
		requests_free(q);
		return r;
	}
	*ret = q;
	return 0;
}

void requests_free(struct requests *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < q->n_settling; i++)
		free(q->settling[i].text);
	ctl_free(q->ctl);
	gather_free(q->gather);
	free(q);
}

uint64_t requests_poll(struct requests *q, struct pollfd p[CTL_N_POLL])
{
	uint64_t until = ctl_poll(q->ctl, p), by = gather_deadline(q->gather);

	if (by < until)
		until = by;
	if (q->n_settling > 0 && q->settle_by < until)
		until = q->settle_by;
	return until;
}

void requests_serve(struct requests *q, const struct pollfd p[CTL_N_POLL], uint64_t now)
{
	ctl_serve(q->ctl, p, now);
	if (q->n_settling > 0 && !q->is_stopping &&
	    (published_is_settled(q->env.published) || now >= q->settle_by))
		answer_settled(q);
	if (now >= gather_deadline(q->gather))
		gather_end(q->gather);
	start_gathering(q, now);
}

void requests_message(struct requests *q, const struct ctlmsg *m, uint64_t now)
{
	gather_message(q->gather, m, now);
}

void requests_forget_worker(struct requests *q)
{
	gather_end(q->gather);
}

void requests_flush(struct requests *q, int timeout_ms)
{
	gather_end(q->gather);
	answer_settled(q);
	ctl_flush(q->ctl, timeout_ms);
}
