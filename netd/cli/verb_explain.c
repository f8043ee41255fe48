/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_explain: the path of a packet to a container, one step a line. */
#include <jansson.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/user.h"
#include "doctor/explain.h"

static const struct opt opts[] = {CLI_OPT_JSON, CLI_OPT_STATE_DIR, {0}};

/* ---- without privilege: what the user's own containers publish ---- */

struct own {
	const struct explain_query *q;
	struct steps *out;
	bool has;
};

static bool has_port(const struct publish *p, const struct explain_query *q)
{
	return q->port && p->proto == q->proto && q->port >= p->host_port &&
	       q->port - p->host_port < p->count;
}

static int see_user(const struct rootless_state *s, void *arg)
{
	char run[PUBLISH_STRLEN], ip[IP_STRLEN];
	struct own *o = arg;

	for (size_t i = 0; i < s->n_publish; i++) {
		const struct publish *p = &s->publish[i];
		int fam = s->addr[FAM4].ip.family ? FAM4 : FAM6;
		if (!has_port(p, o->q))
			continue;
		o->has = true;
		steps_add(o->out, STEP_OK, "record: %s %s, carried by slirp-lite (pid %d)", s->id,
			  s->ifname, s->pid);
		steps_add(o->out, STEP_OK, "host: slirp-lite holds %s", publish_str(p, run));
		steps_add(o->out, STEP_OK, "inside: it connects to %s, port %u",
			  ip_str(&s->addr[fam].ip, ip), p->ctr_port + (o->q->port - p->host_port));
	}
	for (int fam = 0; fam < N_FAM; fam++)
		if (o->q->ip.family && ip_equal(&s->addr[fam].ip, &o->q->ip)) {
			o->has = true;
			steps_add(o->out, STEP_OK, "record: %s %s, carried by slirp-lite (pid %d)",
				  s->id, s->ifname, s->pid);
			steps_add(o->out, STEP_NOTE,
				  "the address is inside only: published ports alone are reached");
		}
	return 0;
}

static int see_netd(const struct attachment *a, void *arg)
{
	char run[PUBLISH_STRLEN];
	struct own *o = arg;
	bool is_its = o->q->ip.family && attachment_has_ip(a, &o->q->ip);

	for (size_t i = 0; i < a->n_publish; i++)
		if (has_port(&a->publish[i], o->q)) {
			is_its = true;
			steps_add(o->out, STEP_OK, "host: published as %s",
				  publish_str(&a->publish[i], run));
		}
	if (!is_its)
		return 0;
	o->has = true;
	steps_add(o->out, STEP_OK, "record: %s %s on network %s, carried by netd", a->id, a->ifname,
		  a->network);
	steps_add(o->out, STEP_NOTE, "the rules on its way are root's to look at");
	return 0;
}

static int explain_user(const struct cli_common *c, const struct explain_query *q,
			struct steps *out, struct err *e)
{
	struct own o = {.q = q, .out = out};
	int r = user_ls(c, see_user, see_netd, &o, e);

	if (r < 0)
		return r;
	if (!o.has)
		steps_add(out, STEP_MISSING,
			  "record: none of your containers has it; others' are root's to look at");
	steps_add(out, o.has ? STEP_OK : STEP_MISSING, "verdict: %s",
		  o.has ? "it reaches the container" : "it reaches none of your containers");
	return o.has ? 0 : 1;
}

/* ---- printing ---- */

static int print_json(const struct steps *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "state",
						      step_state_str(l->v[i].state), "step",
						      l->v[i].text.p));
	return cli_print_json(list);
}

static int print_steps(const struct cli_common *c, struct steps *l)
{
	/* Names of chains and processes are the host's. */
	for (size_t i = 0; i < l->n; i++)
		text_clean(l->v[i].text.p, l->v[i].text.len);
	if (c->json)
		return print_json(l);
	for (size_t i = 0; i < l->n; i++)
		printf("%-8s %s\n", step_state_str(l->v[i].state), l->v[i].text.p);
	return 0;
}

static int main_explain(const struct verb *v, int argc, char **argv)
{
	struct cli_common c = {0};
	CLEAN_STEPS struct steps l = {0};
	struct explain_query q;
	struct err e = ERR_INIT;
	const char *dir;
	size_t n;
	int r = cli_parse(v, argc, argv, &c, &n);

	if (r >= 0)
		return r;
	if (explain_parse(argv[1], &q, &e) < 0 || cli_state_dir(&c, &dir, &e) < 0)
		return cli_fail(&e);
	r = user_is_rootless() ? explain_user(&c, &q, &l, &e) : explain_run(dir, &q, &l, &e);
	if (r < 0)
		return cli_fail(&e);
	if (l.failed || print_steps(&c, &l) < 0)
		return EXIT_FAILED;
	return r == 1 ? EXIT_ABSENT : steps_missing(&l) ? EXIT_UNHEALTHY : EXIT_OK;
}

const struct verb verb_explain = {
	.v = {.name = "explain",
	      .operands = "PORT[/PROTO]|ADDRESS[:PORT]",
	      .summary = "show the path of a packet to a container",
	      .notes = "One step a line: ok, note or missing; the last one is the verdict. Exit "
		       "code 10 when\na step is missing, 3 when no container has the port or "
		       "address.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_explain,
};
