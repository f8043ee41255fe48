/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete_zsh: a specification for _arguments for each verb. Read zshcompsys(1). */
#include <string.h>

#include "base/complete_int.h"

/* Inside single quotes; characters that mean something in a specification get a backslash. */
static void spec_text(struct buf *out, const char *s, const char *special)
{
	for (; *s; s++) {
		if (*s == '\'')
			buf_printf(out, "'\\''");
		else if (strchr(special, *s))
			buf_printf(out, "\\%c", *s);
		else
			buf_add(out, s, 1);
	}
}

static void spec_name(struct buf *out, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("[]:", name[i]))
			buf_add(out, name + i, 1);
		else if (name[i] == ':')
			buf_add(out, "\\:", 2);
}

/* What stands behind the second colon. */
static void action(const char *id, const struct complete_kind *k, struct buf *out)
{
	if (complete_kind_is_none(k)) {
		buf_printf(out, " ");
		return;
	}
	buf_printf(out, "{__%s_values", id);
	if (k->dirs)
		buf_printf(out, " -dirs");
	if (k->files)
		buf_printf(out, " -files");
	if (k->commands)
		buf_printf(out, " -commands");
	buf_printf(out, "%s", k->words);
	for (size_t i = 0; i < k->n_lists; i++)
		buf_printf(out, " -list __%s_list%zu", id, k->list[i] + 1);
	buf_printf(out, "}");
}

static void option(const struct complete *c, const char *id, const struct opt *o, struct buf *out)
{
	struct complete_kind k;

	for (int is_short = o->shrt ? 1 : 0; is_short >= 0; is_short--) {
		buf_printf(out, "\t\t'*-");
		if (is_short)
			buf_printf(out, "%c%s", o->shrt, o->value ? "+" : "");
		else
			buf_printf(out, "-%s%s", o->lng, o->value ? "=" : "");
		buf_printf(out, "[");
		spec_text(out, o->help, "[]\\");
		buf_printf(out, "]");
		if (o->value) {
			buf_printf(out, ":");
			spec_name(out, o->value, strlen(o->value));
			buf_printf(out, ":");
			complete_kind_of(c, o->value, strlen(o->value), o->lng, &k);
			action(id, &k, out);
		}
		buf_printf(out, "' \\\n");
	}
}

static void operands(const struct complete *c, const char *id, const struct opt_verb *v,
		     struct buf *out)
{
	struct complete_operand o = {0};

	if (v->stop_at_operand) {
		buf_printf(out, "\t\t'(-):command:_command_names -e' '*:: :_normal'\n");
		return;
	}
	while (complete_next_operand(c, v, &o)) {
		buf_printf(out, "\t\t'%s:", o.more ? "*" : "");
		spec_name(out, o.name, o.len);
		buf_printf(out, ":");
		action(id, &o.kind, out);
		buf_printf(out, "' \\\n");
	}
	buf_printf(out, "\t\t&& return\n");
}

static void verb(const struct complete *c, const char *id, const struct opt_verb *v,
		 struct buf *out)
{
	struct opt help = {complete_has_help(v, 'h') ? 0 : 'h', "help", NULL, "print this text",
			   NULL};

	buf_printf(out, "\t\t_arguments -s -S%s \\\n", v->stop_at_operand ? " -A '-*'" : "");
	for (const struct opt *o = v->opts; o && o->lng; o++)
		option(c, id, o, out);
	if (!complete_has_help(v, 0))
		option(c, id, &help, out);
	operands(c, id, v, out);
}

static void verb_list(const struct complete *c, const char *of, struct buf *out)
{
	buf_printf(out, "\t\tverbs=(\n");
	for (size_t j = 0, len; c->verbs[j]; j++) {
		const struct opt_verb *v = c->verbs[j];
		bool is_sub = complete_is_sub(v, &len);

		if (is_sub != (of != NULL) || (of && strncmp(v->name, of, len) != 0))
			continue;
		buf_printf(out, "\t\t\t'%s:", is_sub ? v->name + len + 1 : v->name);
		spec_text(out, v->summary, "");
		buf_printf(out, "'\n");
	}
	buf_printf(out, "\t\t)\n\t\t_describe verb verbs\n");
}

/* The words are shifted so that _arguments sees the verb in the program's place. */
static void dispatch(const struct complete *c, const char *id, struct buf *out)
{
	buf_printf(out, "\tif ((CURRENT == 2)); then\n");
	verb_list(c, NULL, out);
	buf_printf(out, "\t\tcompadd -- --help --version\n\t\treturn\n\tfi\n"
			"\tverb=$words[2]\n");
	if (c->number)
		buf_printf(out, "\t[[ $verb != [0-9]* ]] || verb=%s\n", c->number);
	buf_printf(out, "\t[[ $words[2] == [0-9]* ]] || { shift words; ((CURRENT--)); }\n"
			"\tcase $verb in\n");
	for (size_t j = 0, len; c->verbs[j]; j++) {
		const char *name = c->verbs[j]->name;

		if (complete_is_sub(c->verbs[j], &len))
			continue;
		buf_printf(out, "\t(%s)\n", name);
		if (!complete_has_subs(c, name)) {
			verb(c, id, c->verbs[j], out);
			buf_printf(out, "\t\t;;\n");
			continue;
		}
		buf_printf(out, "\t\tif ((CURRENT == 2)); then\n");
		verb_list(c, name, out);
		buf_printf(out, "\t\treturn\n\t\tfi\n\t\tverb=$words[2]\n\t\tshift words; "
				"((CURRENT--))\n\t\tcase $verb in\n");
		for (size_t s = 0; c->verbs[s]; s++) {
			if (!complete_is_sub(c->verbs[s], &len) || strlen(name) != len ||
			    strncmp(c->verbs[s]->name, name, len) != 0)
				continue;
			buf_printf(out, "\t\t(%s)\n", c->verbs[s]->name + len + 1);
			verb(c, id, c->verbs[s], out);
			buf_printf(out, "\t\t;;\n");
		}
		buf_printf(out, "\t\tesac\n\t\t;;\n");
	}
	buf_printf(out, "\tesac\n");
}

void complete_zsh(const struct complete *c, struct buf *out)
{
	char ident[64];
	const char *id = complete_ident(c->program, ident);

	buf_printf(out,
		   "#compdef %s\n# Completions of %s for zsh, made from its option tables.\n\n"
		   "__%s_values() {\n"
		   "\tlocal ret=1\n"
		   "\twhile (($#)); do\n"
		   "\t\tcase $1 in\n"
		   "\t\t(-dirs) _files -/ && ret=0 ;;\n"
		   "\t\t(-files) _files && ret=0 ;;\n"
		   "\t\t(-commands) _command_names -e && ret=0 ;;\n"
		   "\t\t(-list) shift; compadd -- ${(f)\"$($1)\"} && ret=0 ;;\n"
		   "\t\t(*) compadd -- $1 && ret=0 ;;\n"
		   "\t\tesac\n"
		   "\t\tshift\n"
		   "\tdone\n"
		   "\treturn ret\n"
		   "}\n",
		   c->program, c->program, id);
	for (size_t i = 0; c->sources && c->sources[i].name; i++)
		buf_printf(out, "__%s_list%zu() {\n\t%s\n}\n", id, i + 1, c->sources[i].command);
	buf_printf(out, "\n_%s() {\n\tlocal verb\n\tlocal -a verbs\n", id);
	if (complete_has_verbs(c))
		dispatch(c, id, out);
	else
		verb(c, id, c->verbs[0], out);
	/* Loaded by name on first use, it is the body of the function; else it is to be known. */
	buf_printf(out,
		   "}\n\nif [[ $funcstack[1] == _%s ]]; then\n\t_%s \"$@\"\nelse\n"
		   "\tcompdef _%s %s\nfi\n",
		   c->program, id, id, c->program);
}
