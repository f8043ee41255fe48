/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_status: one attachment in full. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/user.h"
#include "model/codec.h"

static const struct opt opts[] = {CLI_OPT_JSON, CLI_OPT_STATE_DIR, {0}};

static void print_text(const struct attachment *a)
{
	char s[PUBLISH_STRLEN], when[32];
	time_t created = (time_t)a->created;
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&created, &tm));
	printf("%s %s\n", a->id, a->ifname);
	printf("  state      %s\n", a->phase == ATTACH_COMMITTED ? "up" : "half made");
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
		printf("  published  %s\n", publish_str(&a->publish[i], s));
}

struct status {
	struct cli_common common;
	json_t *json;
};

static int status_one(struct engine *g, const char *id, const char *ifname, void *arg,
		      struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct status *st = arg;
	int r = engine_get(g, id, ifname, &a, e);

	if (r == ENGINE_NOTHING)
		return err_set(e, ERR_ABSENT, 0, "there is no attachment %s/%s", id, ifname);
	if (r < 0)
		return r;
	if (!st->json)
		print_text(a);
	else if (json_array_append_new(st->json, codec_attachment(a)) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "status");
	return 0;
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
