/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_doctor: prints what stops traffic, one finding a line, and with --fix mends what it may. */
#include <jansson.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/cli.h"
#include "doctor/doctor.h"

struct doctor {
	struct cli_common common;
	bool is_fix;
};

static int set_fix(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct doctor *)into)->is_fix = true;
	return 0;
}

static const struct opt opts[] = {
	{0, "fix", NULL, "apply the remedies that are safe to apply", set_fix},
	CLI_OPT_JSON,
	CLI_OPT_QUIET,
	CLI_OPT_STATE_DIR,
	{0},
};

/* Names of tables and interfaces are the host's: nothing but plain text goes out. */
static const char *plain(struct buf *b)
{
	if (!b->p)
		return "";
	text_clean(b->p, b->len);
	return b->p;
}

static void print_finding(struct finding *f)
{
	printf("%s: %s (%s); remedy: %s\n", severity_str(f->severity), plain(&f->what),
	       plain(&f->evidence), plain(&f->remedy));
}

static json_t *finding_json(struct finding *f)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "severity", severity_str(f->severity),
			 "id", f->id, "what", plain(&f->what), "evidence", plain(&f->evidence),
			 "remedy", plain(&f->remedy), "fixable", f->fix.kind != FIX_NONE);
}

static void fix_one(const struct doctor *d, const char *dir, struct finding *f, json_t *log)
{
	struct err e = ERR_INIT;
	int r = f->severity == SEVERITY_NOTE ? 1 : doctor_fix(f, dir, &e);
	json_t *one = log && r <= 0 ? finding_json(f) : NULL;

	if (one && r < 0)
		json_object_set_new(one, "error", json_string(e.text));
	if (one)
		json_array_append_new(log, one);
	if (log || d->common.quiet || r > 0)
		return;
	if (r == 0)
		printf("fixed: %s: %s\n", plain(&f->what), plain(&f->remedy));
	else
		printf("not fixed: %s: %s\n", plain(&f->what), e.text);
}

static int print_all(const struct doctor *d, struct findings *l, bool is_whole, json_t *log)
{
	json_t *list = d->common.json ? json_array() : NULL;

	for (size_t i = 0; i < l->n && !d->common.quiet; i++) {
		if (d->common.json)
			json_array_append_new(list, finding_json(&l->v[i]));
		else
			print_finding(&l->v[i]);
	}
	if (d->common.json)
		return cli_print_json(json_pack("{s:o, s:b, s:o*}", "findings", list,
						"ruleset_seen", is_whole, "applied", log));
	if (!d->common.quiet && findings_count(l) == 0)
		printf("nothing found%s\n",
		       is_whole ? "" : " (firewall rules were not looked at: they are root's)");
	return 0;
}

static int main_doctor(const struct verb *v, int argc, char **argv)
{
	struct doctor d = {.is_fix = false};
	CLEAN_FINDINGS struct findings l = {0};
	struct err e = ERR_INIT;
	json_t *log = NULL;
	const char *dir;
	bool is_whole;
	size_t n;
	int r = cli_parse(v, argc, argv, &d, &n);

	if (r >= 0)
		return r;
	if (cli_state_dir(&d.common, &dir, &e) < 0 || doctor_look(dir, &l, &is_whole, &e) < 0)
		return cli_fail(&e);
	if (d.is_fix) {
		log = d.common.json ? json_array() : NULL;
		for (size_t i = 0; i < l.n; i++)
			fix_one(&d, dir, &l.v[i], log);
		findings_clear(&l);
		if (doctor_look(dir, &l, &is_whole, &e) < 0) {
			json_decref(log);
			return cli_fail(&e);
		}
	}
	if (print_all(&d, &l, is_whole, log) < 0)
		return EXIT_FAILED;
	return findings_count(&l) ? EXIT_UNHEALTHY : EXIT_OK;
}

const struct verb verb_doctor = {
	.v = {.name = "doctor",
	      .operands = "",
	      .summary = "find what stops traffic, and what mends it",
	      .notes = "One finding a line: severity, what, evidence, remedy. Exit code 10 when an "
		       "error or a warning is left.\n"
		       "--fix asks nothing and says what it did; settings and rules last until "
		       "the next boot or reload.",
	      .opts = opts,
	      .min_operands = 0,
	      .max_operands = 0},
	.main = main_doctor,
};
