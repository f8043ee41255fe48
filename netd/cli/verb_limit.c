/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_limit: the rates of an attachment that is up. */
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/user.h"
#include "cli/usernet.h"
#include "model/name.h"

struct limit_opts {
	struct cli_common common;
	const char *ifname;
	struct attach_rate rate;
	bool has_in, has_out;
};

static int set_ifname(void *into, const char *value, struct err *e)
{
	((struct limit_opts *)into)->ifname = value;
	return name_check_ifname(value, "interface name", e);
}

static int set_in(void *into, const char *value, struct err *e)
{
	struct limit_opts *o = into;

	o->has_in = true;
	return attach_rate_parse(value, &o->rate.in_rate, e);
}

static int set_out(void *into, const char *value, struct err *e)
{
	struct limit_opts *o = into;

	o->has_out = true;
	return attach_rate_parse(value, &o->rate.out_rate, e);
}

static const struct opt opts[] = {
	{0, "rate-in", "RATE", "limit towards the container, as 250mbit; none: no limit", set_in},
	{0, "rate-out", "RATE", "limit from the container; none: no limit", set_out},
	{0, "ifname", "NAME", "interface inside (default: eth0)", set_ifname},
	CLI_OPT_JSON,
	CLI_OPT_QUIET,
	CLI_OPT_STATE_DIR,
	{0},
};

static int adjust(struct engine *g, const struct limit_opts *o, const char *id,
		  struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *was = NULL;
	struct attach_rate rate = o->rate;
	struct adjust_request req = {.netns_fd = -1, .id = id, .ifname = o->ifname, .rate = &rate};
	int r = engine_get(g, id, o->ifname, &was, e);

	if (r == ENGINE_NOTHING)
		return err_set(e, ERR_ABSENT, 0, "there is no attachment %s/%s", id, o->ifname);
	if (r < 0)
		return r;
	/* A burst goes with the rate that it was chosen for. */
	if (!o->has_in) {
		rate.in_rate = was->rate.in_rate;
		rate.in_burst = was->rate.in_burst;
	}
	if (!o->has_out) {
		rate.out_rate = was->rate.out_rate;
		rate.out_burst = was->rate.out_burst;
	}
	return engine_adjust(g, &req, ret, e);
}

static int limit_in_usernet(const struct limit_opts *o, const char *id, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	int r = usernet_open(&o->common, USERNET_USE, &u, e);

	if (r == 0)
		r = usernet_enter(&u, false, e);
	if (r == 0)
		r = adjust(u.g, o, id, &a, e);
	if (r >= 0 && !a)
		return err_set(e, ERR_ABSENT, 0, "there is no attachment %s/%s", id, o->ifname);
	if (r < 0)
		return r;
	host_outer_ports(u.host, a);
	return cli_print(&o->common, a);
}

static int limit_of_user(const struct limit_opts *o, const char *id, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	const uint64_t *in = o->has_in ? &o->rate.in_rate : NULL;
	const uint64_t *out = o->has_out ? &o->rate.out_rate : NULL;
	int r = daemon_limit(id, o->ifname, in, out, &a, e);

	if (r <= 0)
		return r < 0 ? r : cli_print(&o->common, a);
	if (usernet_has_attachment(&o->common, id, o->ifname))
		return limit_in_usernet(o, id, e);
	return user_limit(&o->common, id, o->ifname, in, out, e);
}

static int limit(const struct limit_opts *o, const char *target, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	int r;

	if (!o->has_in && !o->has_out)
		return err_set(e, ERR_USAGE, 0, "limit: --rate-in or --rate-out is needed");
	r = target_id(target, &t, e);
	if (r >= 0 && user_is_rootless())
		return limit_of_user(o, t.id, e);
	if (r >= 0)
		r = cli_open(&o->common, false, &g, e);
	if (r >= 0)
		r = adjust(g, o, t.id, &a, e);
	return r < 0 ? r : cli_print(&o->common, a);
}

static int main_limit(const struct verb *v, int argc, char **argv)
{
	struct limit_opts o = {.ifname = "eth0"};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &o, &n);

	if (r < 0)
		r = limit(&o, argv[1], &e) < 0 ? cli_fail(&e) : EXIT_OK;
	return r;
}

const struct verb verb_limit = {
	.v = {.name = "limit",
	      .operands = "TARGET|ID",
	      .summary = "limit the rates of an attachment",
	      .notes = "RATE is a whole number and bit, kbit, mbit or gbit a second. A direction "
		       "that is\n"
		       "not named stays as it is.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_limit,
};
