/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opt: walks an argument vector by a table. It knows no option by name but --help (and -h, unless
 * the table gives -h another meaning), keeps no state between calls and prints nothing except in
 * opt_help. Conventions: POSIX utility syntax (XBD 12.2) with GNU long options, without
 * abbreviation.
 */
#include "base/opt.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"

/* Where the walk stands. The vector is compacted in place: operands move to argv[1..n]. */
struct walk {
	const struct opt_verb *v;
	int argc;
	char **argv;
	int i;       /* the argument being read */
	size_t n;    /* operands so far */
	bool is_dry; /* looks for --help only: sets nothing, moves nothing, refuses nothing */
	void *into;
};

/* Results of one step beside negative errors. */
enum { STEP_ON, STEP_HELP };

static const struct opt *find_long(const struct opt_verb *v, const char *name, size_t len)
{
	for (const struct opt *o = v->opts; o && o->lng; o++)
		if (strlen(o->lng) == len && memcmp(o->lng, name, len) == 0)
			return o;
	return NULL;
}

static const struct opt *find_short(const struct opt_verb *v, char c)
{
	for (const struct opt *o = v->opts; o && o->lng; o++)
		if (o->shrt == c)
			return o;
	return NULL;
}

/* Of a verb's name; a program without verbs has none. */
#define SEE "; see \"%s%s--help\""
#define SEE_ARGS(v) (v)->name, *(v)->name ? " " : ""

/* The one option that a long word is the beginning of, as --net is of --network; NULL when there is
 * none, or more than one. */
static const struct opt *meant(const struct opt_verb *v, const char *arg)
{
	const struct opt *found = NULL;
	size_t len = strncmp(arg, "--", 2) == 0 ? strcspn(arg + 2, "=") : 0;

	for (const struct opt *o = v->opts; len >= 2 && o && o->lng; o++) {
		if (strncmp(o->lng, arg + 2, len) != 0)
			continue;
		if (found)
			return NULL;
		found = o;
	}
	return found;
}

static int unknown(struct walk *w, const char *arg, struct err *e)
{
	const struct opt *o = meant(w->v, arg);

	if (w->is_dry)
		return STEP_ON;
	if (w->v->unknown)
		return w->v->unknown(w->into, arg, e);
	if (o)
		return err_invalid(e, ERR_USAGE, "%.80s: unknown option (--%s?)" SEE, arg, o->lng,
				   SEE_ARGS(w->v));
	return err_invalid(e, ERR_USAGE, "%.80s: unknown option" SEE, arg, SEE_ARGS(w->v));
}

/* name is the option as written, value what was attached to it or NULL. */
static int apply(struct walk *w, const struct opt *o, const char *name, const char *value,
		 struct err *e)
{
	int r;

	if (o->value && !value) {
		if (w->i + 1 >= w->argc) {
			if (w->is_dry)
				return STEP_ON;
			return err_invalid(e, ERR_USAGE, "%s: expected a value %s after it", name,
					   o->value);
		}
		value = w->argv[++w->i];
	}
	if (w->is_dry)
		return STEP_ON;
	r = o->set(w->into, value, e);
	if (r < 0)
		return err_ctx(e, r, "%s", name);
	return STEP_ON;
}

static int step_long(struct walk *w, const char *arg, struct err *e)
{
	const char *eq = strchr(arg + 2, '=');
	size_t len = eq ? (size_t)(eq - arg - 2) : strlen(arg + 2);
	const struct opt *o = find_long(w->v, arg + 2, len);
	char name[64];

	if (!o && strcmp(arg, "--help") == 0)
		return STEP_HELP;
	if (!o)
		return unknown(w, arg, e);
	snprintf(name, sizeof(name), "--%s", o->lng);
	if (eq && !o->value) {
		if (w->is_dry)
			return STEP_ON;
		return err_invalid(e, ERR_USAGE, "%s: expected no value, found \"%.80s\"", name,
				   eq + 1);
	}
	return apply(w, o, name, eq ? eq + 1 : NULL, e);
}

/* One argument of short options: flags may be bundled, the first that takes a value ends it. */
static int step_short(struct walk *w, const char *arg, struct err *e)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct opt *o = find_short(w->v, *p);
		char name[3] = {'-', *p};
		int r;

		if (!o && *p == 'h')
			return STEP_HELP;
		if (!o)
			return unknown(w, p == arg + 1 ? arg : name, e);
		if (o->value)
			return apply(w, o, name, p[1] ? p + 1 : NULL, e);
		r = apply(w, o, name, NULL, e);
		if (r != STEP_ON)
			return r;
	}
	return STEP_ON;
}

static void keep(struct walk *w, char *operand)
{
	/* n operands were read from n or more arguments: the slot was read before. */
	if (!w->is_dry)
		w->argv[1 + w->n] = operand;
	w->n++;
}

static int run(struct walk *w, struct err *e)
{
	bool only_operands = false;

	for (w->i = 1; w->i < w->argc; w->i++) {
		char *arg = w->argv[w->i];
		int r = STEP_ON;

		if (only_operands || arg[0] != '-' || arg[1] == '\0') {
			keep(w, arg);
			if (w->v->stop_at_operand)
				only_operands = true;
		} else if (strcmp(arg, "--") == 0) {
			only_operands = true;
		} else if (arg[1] == '-') {
			r = step_long(w, arg, e);
		} else {
			r = step_short(w, arg, e);
		}
		if (r != STEP_ON)
			return r;
	}
	return STEP_ON;
}

static int check_count(const struct opt_verb *v, char **argv, size_t n, struct err *e)
{
	if (n < v->min_operands)
		return err_invalid(e, ERR_USAGE, "%s: expected %s, found %s" SEE, v->name,
				   v->operands ? v->operands : "an operand",
				   n ? "fewer operands" : "no operand", SEE_ARGS(v));
	if (n > v->max_operands)
		return err_invalid(e, ERR_USAGE, "\"%.80s\": unexpected operand" SEE,
				   argv[1 + v->max_operands], SEE_ARGS(v));
	return 0;
}

int opt_parse(const struct opt_verb *v, int argc, char **argv, void *into, size_t *ret_n,
	      struct err *e)
{
	struct walk w = {.v = v, .argc = argc, .argv = argv, .is_dry = true, .into = into};
	int r;

	/* --help wins over everything, mistakes included, and must set nothing: look for it first.
	 */
	if (run(&w, e) == STEP_HELP)
		return 1;
	w.n = 0;
	w.is_dry = false;
	r = run(&w, e);
	if (r < 0)
		return r;
	r = check_count(v, argv, w.n, e);
	if (r < 0)
		return r;
	*ret_n = w.n;
	return 0;
}

int opt_u32(const char *value, uint32_t min, uint32_t max, uint32_t *ret, struct err *e)
{
	if (parse_u32(value, min, max, ret) < 0)
		return err_invalid(e, ERR_USAGE, "expected a number %u..%u, found \"%.80s\"", min,
				   max, value);
	return 0;
}

int opt_text(const char *value, const char **ret, struct err *e)
{
	if (!*value)
		return err_invalid(e, ERR_USAGE, "expected a text that is not empty");
	*ret = value;
	return 0;
}

static size_t spelling_len(const struct opt *o)
{
	return strlen(o->lng) + (o->value ? 1 + strlen(o->value) : 0);
}

static void print_opt(const struct opt *o, size_t width, struct buf *out)
{
	char shrt[] = "   ";

	if (o->shrt) {
		shrt[0] = '-';
		shrt[1] = o->shrt;
		shrt[2] = ',';
	}
	buf_printf(out, "  %s --%s%s%s%*s  %s\n", shrt, o->lng, o->value ? " " : "",
		   o->value ? o->value : "", (int)(width - spelling_len(o)), "", o->help);
}

void opt_help_text(const char *program, const struct opt_verb *v, struct buf *out)
{
	struct opt help = {find_short(v, 'h') ? 0 : 'h', "help", NULL, "print this text", NULL};
	bool has_operands = v->operands && *v->operands;
	size_t width = spelling_len(&help);

	for (const struct opt *o = v->opts; o && o->lng; o++)
		if (spelling_len(o) > width)
			width = spelling_len(o);
	buf_printf(out, "Usage: %s%s%s [OPTION]...%s%s\n", program, *v->name ? " " : "", v->name,
		   has_operands ? " " : "", has_operands ? v->operands : "");
	buf_printf(out, "%s\n\nOptions:\n", v->summary);
	for (const struct opt *o = v->opts; o && o->lng; o++)
		print_opt(o, width, out);
	if (!find_long(v, "help", 4))
		print_opt(&help, width, out);
	if (v->notes)
		buf_printf(out, "\n%s%s", v->notes,
			   *v->notes && v->notes[strlen(v->notes) - 1] == '\n' ? "" : "\n");
}

void opt_help(const char *program, const struct opt_verb *v)
{
	CLEAN_BUF struct buf out = BUF_INIT;

	opt_help_text(program, v, &out);
	if (out.p)
		fputs(out.p, stdout);
}
