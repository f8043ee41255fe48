/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_status: one attachment in full. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/user.h"
#include "model/codec.h"

static const struct opt opts[] = {CLI_OPT_JSON, CLI_OPT_STATE_DIR, {0}};

static void print_port(const struct publish *p, uint64_t flows)
{
	char s[PUBLISH_STRLEN];

	printf("  published  %s", publish_str(p, s));
	if (flows != FLOWS_UNKNOWN)
		printf("  %" PRIu64 " %s%s", flows, p->proto == IPPROTO_UDP ? "flow" : "connection",
		       flows == 1 ? "" : "s");
	putchar('\n');
}

/* None of those is counted that the kernel would count. */
static bool is_uncounted(const struct attachment *a, const uint64_t *flows)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_publish; i++) {
		if (flows[i] != FLOWS_UNKNOWN)
			return false;
		n += !ip_is_loopback(&a->publish[i].host_ip);
	}
	return n > 0;
}

/* flows: as of engine_flows; NULL: nobody counts them. */
static void print_text(const struct attachment *a, const uint64_t *flows)
{
	char s[PUBLISH_STRLEN], when[32];
	time_t created = (time_t)a->created;
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&created, &tm));
	printf("%s %s\n", a->id, a->ifname);
	printf("  state      %s\n", attach_phase_str(a->phase));
	printf("  network    %s (%s%s%s)\n", a->network, net_mode_str(a->mode),
	       a->internal ? ", internal" : "", a->isolate ? ", isolated" : "");
	for (int f = 0; f < N_FAM; f++)
		if (a->addr[f].ip.family) {
			printf("  address    %s", prefix_str(&a->addr[f], s));
			printf(" gateway %s\n", ip_str(&a->gateway[f], s));
		}
	for (int f = 0; f < N_FAM; f++)
		if (a->resolver[f].family)
			printf("  resolver   %s\n", ip_str(&a->resolver[f], s));
	for (size_t i = 0; i < a->n_alias; i++)
		printf("  alias      %s\n", a->alias[i]);
	printf("  mac        %s\n", mac_str(&a->mac, s));
	printf("  mtu        %u\n", a->mtu);
	printf("  host link  %s%s%s\n", a->host_ifname, a->bridge[0] ? " on " : "", a->bridge);
	if (a->netns_path[0])
		printf("  namespace  %s\n", a->netns_path);
	printf("  since      %s\n", when);
	if (a->rate.in_rate)
		printf("  rate in    %s\n", attach_rate_str(a->rate.in_rate, s));
	if (a->rate.out_rate)
		printf("  rate out   %s\n", attach_rate_str(a->rate.out_rate, s));
	for (size_t i = 0; i < a->n_publish; i++)
		print_port(&a->publish[i], flows ? flows[i] : FLOWS_UNKNOWN);
	if (flows && is_uncounted(a, flows))
		printf("  counted    no: this kernel has no counters in maps\n");
}

struct status {
	struct cli_common common;
	json_t *json;
};

static int status_one(struct engine *g, const char *id, const char *ifname, void *arg,
		      struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_FREE uint64_t *flows = NULL;
	CLEAN_JSON json_t *doc = NULL;
	struct err why = ERR_INIT;
	struct status *st = arg;
	int r = engine_get(g, id, ifname, &a, e);

	if (r == ENGINE_NOTHING)
		return err_set(e, ERR_ABSENT, 0, "there is no attachment %s/%s", id, ifname);
	if (r < 0)
		return r;
	flows = calloc(a->n_publish + 1, sizeof(*flows));
	if (!flows)
		return err_set(e, ERR_INTERNAL, ENOMEM, "status");
	/* All else is to be had all the same. */
	if (engine_flows(g, a, flows, &why) < 0) {
		log_warn("%s/%s: connections are not counted: %s", id, ifname, why.text);
		for (size_t i = 0; i < a->n_publish; i++)
			flows[i] = FLOWS_UNKNOWN;
	}
	if (!st->json) {
		print_text(a, flows);
		return 0;
	}
	doc = codec_attachment(a);
	if (doc && codec_put_flows(doc, flows, a->n_publish) == 0 &&
	    json_array_append(st->json, doc) == 0)
		return 0;
	return err_set(e, ERR_INTERNAL, ENOMEM, "status");
}

static int status(struct status *st, const char *target, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	int r = cli_open(&st->common, true, &g, e);
	int n = 0;

	if (r == 0)
		n = target_each(g, target, NULL, status_one, st, e);
	if (r < 0 || n < 0)
		return r < 0 ? r : n;
	if (n == 0)
		return err_set(e, ERR_ABSENT, 0, "%s has no network from us", target);
	return 0;
}

static int main_status(const struct verb *v, int argc, char **argv)
{
	struct status st = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &st, &n);

	if (r >= 0)
		return r;
	if (user_is_rootless())
		return user_status(&st.common, argv[1], print_text, &e) < 0 ? cli_fail(&e)
									    : EXIT_OK;
	st.json = st.common.json ? json_array() : NULL;
	r = status(&st, argv[1], &e) < 0 ? cli_fail(&e) : EXIT_OK;
	if (r == EXIT_OK && st.json)
		cli_print_json(st.json);
	else
		json_decref(st.json);
	return r;
}

const struct verb verb_status = {
	.v = {.name = "status",
	      .operands = "TARGET|ID",
	      .summary = "show an attachment in full",
	      .notes = "With --json: an array with one object for each interface.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_status,
};
