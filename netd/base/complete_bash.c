/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete_bash: one function that finds the verb, counts the operands before the cursor, and looks
 * up what comes next. It needs nothing of the package bash-completion but, for a command line
 * within the command line, its _command_offset where that is loaded. Words are as bash splits
 * them: at '=' and ':' too.
 */
#include <string.h>

#include "base/complete_int.h"

static void spellings(const struct opt_verb *v, bool only_valued, struct buf *out)
{
	for (const struct opt *o = v->opts; o && o->lng; o++) {
		if (only_valued && !o->value)
			continue;
		buf_printf(out, " --%s", o->lng);
		if (o->shrt)
			buf_printf(out, " -%c", o->shrt);
	}
	if (only_valued)
		return;
	if (!complete_has_help(v, 0))
		buf_printf(out, " --help");
	if (!complete_has_help(v, 'h'))
		buf_printf(out, " -h");
}

/* Commands that put what k can be into COMPREPLY. */
static void reply(const char *id, const struct complete_kind *k, struct buf *out)
{
	if (k->dirs)
		buf_printf(out, " _%s_files -d;", id);
	if (k->files)
		buf_printf(out, " _%s_files -f;", id);
	if (k->commands)
		buf_printf(out, " _%s_add -c;", id);
	if (k->words[0]) {
		buf_printf(out, " _%s_add -W ", id);
		complete_quote(out, k->words + 1);
		buf_printf(out, ";");
	}
	for (size_t i = 0; i < k->n_lists; i++)
		buf_printf(out, " _%s_names _%s_list%zu;", id, id, k->list[i] + 1);
}

static void values(const struct complete *c, const char *id, const struct opt_verb *v,
		   struct buf *out)
{
	struct complete_kind k;

	for (const struct opt *o = v->opts; o && o->lng; o++) {
		if (!o->value)
			continue;
		complete_kind_of(c, o->value, strlen(o->value), o->lng, &k);
		if (complete_kind_is_none(&k))
			continue;
		buf_printf(out, "\t\t'%s'\\ --%s", v->name, o->lng);
		if (o->shrt)
			buf_printf(out, " | '%s'\\ -%c", v->name, o->shrt);
		buf_printf(out, ")");
		reply(id, &k, out);
		buf_printf(out, ";\n");
	}
}

static void operands(const struct complete *c, const char *id, const struct opt_verb *v,
		     struct buf *out)
{
	struct complete_operand o = {0};

	while (complete_next_operand(c, v, &o)) {
		if (complete_kind_is_none(&o.kind) || o.kind.rest)
			continue;
		if (o.more)
			buf_printf(out, "\t'%s'\\ *)", v->name);
		else
			buf_printf(out, "\t'%s'\\ %zu)", v->name, o.i);
		reply(id, &o.kind, out);
		buf_printf(out, ";\n");
	}
}

static void find_verb(const struct complete *c, struct buf *out)
{
	if (!complete_has_verbs(c))
		return;
	buf_printf(out, "\tverb=${COMP_WORDS[1]} i=2\n\tcase $verb in\n");
	for (size_t j = 0; c->verbs[j]; j++)
		if (complete_has_subs(c, c->verbs[j]->name))
			buf_printf(out, "\t%s) verb=\"$verb ${COMP_WORDS[2]}\" i=3 ;;\n",
				   c->verbs[j]->name);
	if (c->number)
		buf_printf(out, "\t[0-9]*) verb=%s i=1 ;;\n", c->number);
	buf_printf(out, "\tesac\n\tif [ $COMP_CWORD -lt $i ]; then\n\t\tcase $COMP_CWORD in\n"
			"\t\t1) COMPREPLY=($(compgen -W '--help --version");
	for (size_t j = 0, len; c->verbs[j]; j++)
		if (!complete_is_sub(c->verbs[j], &len))
			buf_printf(out, " %s", c->verbs[j]->name);
	buf_printf(out, "' -- \"$cur\")) ;;\n");
	buf_printf(out, "\t\t*) case ${COMP_WORDS[1]} in\n");
	for (size_t j = 0; c->verbs[j]; j++) {
		if (!complete_has_subs(c, c->verbs[j]->name))
			continue;
		buf_printf(out, "\t\t\t%s) COMPREPLY=($(compgen -W '--help", c->verbs[j]->name);
		for (size_t s = 0, len; c->verbs[s]; s++)
			if (complete_is_sub(c->verbs[s], &len) &&
			    strncmp(c->verbs[s]->name, c->verbs[j]->name, len) == 0)
				buf_printf(out, "%s", c->verbs[s]->name + len);
		buf_printf(out, "' -- \"$cur\")) ;;\n");
	}
	buf_printf(out, "\t\t\tesac ;;\n\t\tesac\n\t\treturn\n\tfi\n");
}

static void tables(const struct complete *c, struct buf *out)
{
	buf_printf(out, "\tcase $verb in\n");
	for (size_t j = 0; c->verbs[j]; j++) {
		const struct opt_verb *v = c->verbs[j];

		if (complete_has_subs(c, v->name))
			continue;
		buf_printf(out, "\t'%s')\n\t\topts='", v->name);
		spellings(v, false, out);
		buf_printf(out, " '\n\t\ttakes='");
		spellings(v, true, out);
		buf_printf(out, " '%s ;;\n", v->stop_at_operand ? "\n\t\tstops=1" : "");
	}
	buf_printf(out, "\t*) return ;;\n\tesac\n");
}

static void helpers(const struct complete *c, const char *id, struct buf *out)
{
	buf_printf(out,
		   "# Completions of %s for bash, made from its option tables.\n\n"
		   "_%s_add() {\n"
		   "\tlocal more\n"
		   "\tmapfile -t more < <(compgen \"$@\" -- \"$cur\")\n"
		   "\tCOMPREPLY+=(\"${more[@]}\")\n"
		   "}\n"
		   "# Not compgen -W, which would expand what a name has in it.\n"
		   "_%s_names() {\n"
		   "\tlocal name\n"
		   "\twhile read -r name; do\n"
		   "\t\t[[ $name != \"$cur\"* ]] || COMPREPLY+=(\"$(printf %%q \"$name\")\")\n"
		   "\tdone < <(\"$1\")\n"
		   "}\n"
		   "_%s_files() {\n"
		   "\tcompopt -o filenames 2>/dev/null\n"
		   "\t_%s_add \"$@\"\n"
		   "}\n",
		   c->program, id, id, id, id);
	for (size_t i = 0; c->sources && c->sources[i].name; i++)
		buf_printf(out, "_%s_list%zu() {\n\t%s\n}\n", id, i + 1, c->sources[i].command);
	buf_printf(out,
		   "\n_%s() {\n"
		   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		   "\tlocal verb='' opts='' takes='' stops='' only='' i=1 n=0\n"
		   "\tCOMPREPLY=()\n"
		   "\tif [ \"$cur\" = = ]; then\n"
		   "\t\tcur=''\n"
		   "\telif [ \"$prev\" = = ]; then\n"
		   "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
		   "\tfi\n",
		   id);
}

void complete_bash(const struct complete *c, struct buf *out)
{
	char ident[64];
	const char *id = complete_ident(c->program, ident);

	helpers(c, id, out);
	find_verb(c, out);
	tables(c, out);
	/* A value may be a word of its own, or follow a word "="; "8080:80" is three words. */
	buf_printf(out, "\tfor (( ; i < COMP_CWORD; i++)); do\n"
			"\t\tcase ${COMP_WORDS[i]} in\n"
			"\t\t[=:]*) ((i++)) ;;\n"
			"\t\t--) only=1 ;;\n"
			"\t\t-?*)\n"
			"\t\t\tif [ \"$only\" ]; then\n"
			"\t\t\t\t((n++))\n"
			"\t\t\telif [[ $takes == *\" ${COMP_WORDS[i]} \"* ]]; then\n"
			"\t\t\t\t[ \"${COMP_WORDS[i + 1]}\" != = ] || ((i++))\n"
			"\t\t\t\t((i++))\n"
			"\t\t\tfi ;;\n"
			"\t\t*)\n"
			"\t\t\tif [ \"$stops\" ]; then\n"
			"\t\t\t\t! declare -F _command_offset >/dev/null || _command_offset $i\n"
			"\t\t\t\treturn\n"
			"\t\t\tfi\n"
			"\t\t\t((n++)) ;;\n"
			"\t\tesac\n"
			"\tdone\n"
			"\tif [[ ! $only && $takes == *\" $prev \"* ]]; then\n"
			"\t\tcase $verb\\ $prev in\n");
	for (size_t j = 0; c->verbs[j]; j++)
		values(c, id, c->verbs[j], out);
	buf_printf(out,
		   "\t\tesac\n"
		   "\t\treturn\n"
		   "\tfi\n"
		   "\tif [[ ! $only && $cur == -* ]]; then\n"
		   "\t\t_%s_add -W \"$opts\"\n"
		   "\t\treturn\n"
		   "\tfi\n"
		   "\tcase $verb\\ $n in\n",
		   id);
	for (size_t j = 0; c->verbs[j]; j++)
		if (!complete_has_subs(c, c->verbs[j]->name))
			operands(c, id, c->verbs[j], out);
	buf_printf(out, "\tesac\n}\ncomplete -F _%s %s\n", id, c->program);
}
