/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_metrics: counters for a monitor: a user's own, all of the host for root. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "broker/ask.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/metrics.h"
#include "cli/top_flows.h"
#include "cli/user.h"
#include "cli/usernet_seen.h"
#include "model/codec.h"

static const struct opt opts[] = {CLI_OPT_STATE_DIR, {0}};

struct gather {
	struct engine *g;
	struct metrics m;
	int failed;
};

static int add(struct gather *t, const struct attachment *a, const uint64_t *flows)
{
	int r = metrics_add(&t->m, a, flows);

	t->failed = r < 0 ? r : t->failed;
	return r;
}

static int see_netd(const struct attachment *a, const uint64_t *flows, void *arg, struct err *e)
{
	return add(arg, a, flows) < 0 ? err_set(e, ERR_INTERNAL, ENOMEM, "metrics") : 0;
}

/* One that is half made, or going, is there all the same; what cannot be counted is left out. */
static int see_record(const struct attachment *a, void *arg)
{
	CLEAN_FREE uint64_t *flows = calloc(a->n_publish + 1, sizeof(*flows));
	struct gather *t = arg;
	struct err why = ERR_INIT;

	if (!flows) {
		t->failed = -ENOMEM;
		return -ENOMEM;
	}
	if (engine_flows(t->g, a, flows, &why) < 0) {
		log_warn("%s/%s: connections are not counted: %s", a->id, a->ifname, why.text);
		for (size_t i = 0; i < a->n_publish; i++)
			flows[i] = FLOWS_UNKNOWN;
	}
	return add(t, a, flows);
}

static void see_broken(const char *name, const struct err *why, void *arg)
{
	(void)name;
	(void)arg;
	log_warn("%s; `netns-up gc` removes it", why->text);
}

static int see_traffic(const struct attachment *a, const struct engine_traffic *c, void *arg)
{
	struct gather *t = arg;

	if (metrics_add_traffic(&t->m, a, c) < 0)
		t->failed = -ENOMEM;
	return t->failed;
}

static int of_host(const struct cli_common *c, struct gather *t, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	int r = cli_open(c, true, &g, e);

	t->g = g;
	if (r == 0)
		r = engine_each(g, see_record, see_broken, t, e);
	if (r == 0)
		r = engine_traffic_each(g, see_traffic, t, e);
	return r < 0 ? r : 0;
}

/* ---- without root ---- */

static int see_alone(struct rootless *r, const struct rootless_state *s, void *arg, struct err *e)
{
	struct gather *t = arg;

	(void)r;
	return metrics_add_slirp(&t->m, s->id, s->ifname, s->doc) < 0
		       ? err_set(e, ERR_INTERNAL, ENOMEM, "metrics")
		       : 0;
}

/* Published ports are the way out's, and so is what they have had. */
static int see_member(struct gather *t, const struct usernet_one *one, json_t *uplink)
{
	struct attachment *a = one->a;
	CLEAN_FREE uint64_t *flows = calloc(a->n_publish + 1, sizeof(*flows));
	int r = flows ? 0 : -ENOMEM;

	a->uid = getuid();
	for (size_t i = 0; r == 0 && i < a->n_publish; i++) {
		struct top_tally tally;

		flows[i] = FLOWS_UNKNOWN;
		if (!top_tally_of(json_object_get(uplink, "ports"), &a->publish[i], &tally))
			continue;
		flows[i] = tally.flows;
		r = metrics_add_port_bytes(&t->m, a, &a->publish[i], tally.in, tally.out);
	}
	if (r == 0)
		r = add(t, a, flows);
	return r == 0 && one->has_traffic ? metrics_add_traffic(&t->m, a, &one->traffic) : r;
}

static int of_networks(const struct cli_common *c, struct gather *t, struct err *e)
{
	CLEAN_USERNET_SEEN struct usernet_seen seen = {0};
	int w = 0, r = usernet_see_all(c, NULL, &seen, e);

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; w == 0 && i < seen.n; i++)
		w = see_member(t, &seen.one[i], seen.uplink);
	if (w == 0 && seen.uplink)
		w = metrics_add_slirp(&t->m, NULL, NULL, seen.uplink);
	return w < 0 ? err_set(e, ERR_INTERNAL, ENOMEM, "metrics") : 0;
}

static int of_user(const struct cli_common *c, struct gather *t, struct err *e)
{
	int r = daemon_flows(NULL, NULL, see_netd, t, e);

	if (r >= 0)
		r = user_visit(c, NULL, see_alone, t, e);
	return r < 0 ? r : of_networks(c, t, e);
}

static int metrics(const struct cli_common *c, struct gather *t, struct err *e)
{
	CLEAN_FREE char *daemon = NULL;
	CLEAN_BUF struct buf out = BUF_INIT;
	struct err why = ERR_INIT;
	int r = ask_metrics(&daemon, &why);

	/* One that was started before it could count says nothing of itself. */
	if (r < 0 && why.kind == ERR_UNSUPPORTED)
		daemon = strdup("");
	else if (r < 0)
		log_warn("%s", why.text);
	r = user_is_rootless() ? of_user(c, t, e) : of_host(c, t, e);
	if (r < 0)
		return r;
	metrics_print(&t->m, daemon, &out);
	if (t->failed || out.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "metrics");
	fputs(out.p, stdout);
	return 0;
}

static int main_metrics(const struct verb *v, int argc, char **argv)
{
	struct gather t = {0};
	struct cli_common c = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &c, &n);

	if (r >= 0)
		return r;
	r = metrics(&c, &t, &e) < 0 ? cli_fail(&e) : EXIT_OK;
	metrics_clear(&t.m);
	return r;
}

const struct verb verb_metrics = {
	.v = {.name = "metrics",
	      .operands = "",
	      .summary = "print counters for a monitor",
	      .notes = "In the Prometheus text format: for root of all attachments and of netd, "
		       "for\n"
		       "others of their own, by netd, on their networks and alone.",
	      .opts = opts},
	.main = main_metrics,
};
