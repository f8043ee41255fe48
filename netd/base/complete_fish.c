/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete_fish: one `complete` command for each option and operand, under a condition that tells
 * the verb and the number of operands before the cursor. */
#include <string.h>

#include "base/complete_int.h"

static void choices(const char *id, const struct complete_kind *k, struct buf *out)
{
	if (k->files)
		buf_printf(out, " -F");
	if (!k->dirs && !k->commands && !k->words[0] && !k->n_lists)
		return;
	buf_printf(out, " -a '");
	if (k->dirs)
		buf_printf(out, "(__fish_complete_directories)");
	if (k->commands)
		buf_printf(out, "(__fish_complete_command)");
	if (k->words[0])
		buf_printf(out, "%s", k->words + 1);
	for (size_t i = 0; i < k->n_lists; i++)
		buf_printf(out, " (__%s_list%zu)", id, k->list[i] + 1);
	buf_printf(out, "'");
}

static void condition(const struct complete *c, const char *id, const char *verb, struct buf *out)
{
	buf_printf(out, "complete -c %s", c->program);
	if (complete_has_verbs(c))
		buf_printf(out, " -n '__%s_at \"%s\"'", id, verb);
}

static void option(const struct complete *c, const char *id, const struct opt_verb *v,
		   const struct opt *o, struct buf *out)
{
	struct complete_kind k;

	condition(c, id, v->name, out);
	if (o->shrt)
		buf_printf(out, " -s %c", o->shrt);
	buf_printf(out, " -l %s", o->lng);
	if (o->value) {
		complete_kind_of(c, o->value, strlen(o->value), o->lng, &k);
		buf_printf(out, k.files ? " -r" : " -x");
		choices(id, &k, out);
	}
	buf_printf(out, " -d ");
	complete_quote_fish(out, o->help);
	buf_printf(out, "\n");
}

static void operands(const struct complete *c, const char *id, const struct opt_verb *v,
		     struct buf *out)
{
	struct complete_operand o = {0};

	while (complete_next_operand(c, v, &o)) {
		if (complete_kind_is_none(&o.kind) || o.kind.rest)
			continue;
		buf_printf(out, "complete -c %s -n '__%s_operand \"%s\" %zu%s'", c->program, id,
			   v->name, o.i, o.more ? " more" : "");
		choices(id, &o.kind, out);
		buf_printf(out, "\n");
	}
	if (v->stop_at_operand)
		buf_printf(out,
			   "complete -c %s -n '__%s_operand \"%s\" 1 more' -a "
			   "'(__fish_complete_subcommand --commandline (__%s_rest))'\n",
			   c->program, id, v->name, id);
}

static void verb(const struct complete *c, const char *id, const struct opt_verb *v,
		 struct buf *out)
{
	struct opt help = {complete_has_help(v, 'h') ? 0 : 'h', "help", NULL, "print this text",
			   NULL};
	size_t len;

	if (*v->name) {
		bool is_sub = complete_is_sub(v, &len);

		buf_printf(out, "complete -c %s -n '__%s_at \"%.*s\"' -a '%s' -d ", c->program, id,
			   is_sub ? (int)len : 0, v->name, is_sub ? v->name + len + 1 : v->name);
		complete_quote_fish(out, v->summary);
		buf_printf(out, "\n");
	}
	if (complete_has_subs(c, v->name))
		return;
	for (const struct opt *o = v->opts; o && o->lng; o++)
		option(c, id, v, o, out);
	if (!complete_has_help(v, 0))
		option(c, id, v, &help, out);
	operands(c, id, v, out);
}

/* Sets __ID_verb and __ID_words, the words behind the verb; what stands before the cursor counts.
 */
static void split(const struct complete *c, const char *id, struct buf *out)
{
	buf_printf(out,
		   "function __%s_split\n"
		   "    set -g __%s_words (commandline -opc)\n"
		   "    set -e __%s_words[1]\n"
		   "    set -g __%s_verb ''\n",
		   id, id, id, id);
	if (complete_has_verbs(c)) {
		buf_printf(out,
			   "    set -q __%s_words[1]; or return\n"
			   "    set __%s_verb $__%s_words[1]\n"
			   "    switch $__%s_verb\n",
			   id, id, id, id);
		for (size_t j = 0; c->verbs[j]; j++)
			if (complete_has_subs(c, c->verbs[j]->name))
				buf_printf(out,
					   "    case %s\n"
					   "        set -q __%s_words[2]; and set __%s_verb \"%s "
					   "$__%s_words[2]\"\n"
					   "        set -e __%s_words[1]\n",
					   c->verbs[j]->name, id, id, c->verbs[j]->name, id, id);
		buf_printf(out, "    end\n");
		if (c->number)
			buf_printf(out,
				   "    if string match -qr '^[0-9]' -- $__%s_verb\n"
				   "        set __%s_verb %s\n"
				   "        return\n"
				   "    end\n",
				   id, id, c->number);
		buf_printf(out, "    set -e __%s_words[1]\n", id);
	}
	buf_printf(out, "end\n");
}

static void valued(const struct complete *c, const char *id, struct buf *out)
{
	buf_printf(out, "function __%s_takes\n    switch \"$__%s_verb $argv[1]\"\n", id, id);
	for (size_t j = 0; c->verbs[j]; j++)
		for (const struct opt *o = c->verbs[j]->opts; o && o->lng; o++) {
			if (!o->value)
				continue;
			buf_printf(out, "    case '%s --%s'", c->verbs[j]->name, o->lng);
			if (o->shrt)
				buf_printf(out, " '%s -%c'", c->verbs[j]->name, o->shrt);
			buf_printf(out, "\n        return 0\n");
		}
	buf_printf(out, "    end\n    return 1\nend\n");
}

static void functions(const struct complete *c, const char *id, struct buf *out)
{
	split(c, id, out);
	valued(c, id, out);
	buf_printf(out,
		   "function __%s_at\n"
		   "    __%s_split\n"
		   "    test \"$__%s_verb\" = \"$argv[1]\"\n"
		   "end\n"
		   "function __%s_operand\n"
		   "    __%s_at $argv[1]; or return 1\n"
		   "    set -l n 0\n"
		   "    set -l skip 0\n"
		   "    set -g __%s_rest\n"
		   "    for w in $__%s_words\n"
		   "        if test $skip = 1\n"
		   "            set skip 0\n"
		   "        else if test $n -gt 0; and test \"$argv[3]\" = more\n"
		   "            set -a __%s_rest $w\n"
		   "        else if string match -qr '^-.' -- $w\n"
		   "            __%s_takes $w; and set skip 1\n"
		   "        else\n"
		   "            set n (math $n + 1)\n"
		   "            set -a __%s_rest $w\n"
		   "        end\n"
		   "    end\n"
		   "    test $n = $argv[2]; or test \"$argv[3]\" = more -a $n -ge $argv[2]\n"
		   "end\n"
		   "function __%s_rest\n"
		   "    string join ' ' -- $__%s_rest (commandline -ct)\n"
		   "end\n",
		   id, id, id, id, id, id, id, id, id, id, id, id);
	for (size_t i = 0; c->sources && c->sources[i].name; i++)
		buf_printf(out, "function __%s_list%zu\n    %s\nend\n", id, i + 1,
			   c->sources[i].command);
}

void complete_fish(const struct complete *c, struct buf *out)
{
	char ident[64];
	const char *id = complete_ident(c->program, ident);

	buf_printf(out, "# Completions of %s for fish, made from its option tables.\n\n",
		   c->program);
	functions(c, id, out);
	buf_printf(out, "\ncomplete -c %s -f\n", c->program);
	if (complete_has_verbs(c))
		buf_printf(out,
			   "complete -c %s -n '__%s_at \"\"' -s h -l help -d 'print help'\n"
			   "complete -c %s -n '__%s_at \"\"' -s V -l version -d 'print the "
			   "version'\n",
			   c->program, id, c->program, id);
	for (size_t j = 0; c->verbs[j]; j++)
		verb(c, id, c->verbs[j], out);
}
