/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete: what does not depend on the shell: names of values to kinds, operands, quoting. Knows
 * no program and no option by name but --help.
 */
#include "base/complete.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/complete_int.h"

#define ASKS "--completion="

static bool is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

static void add_sources(const struct complete *c, const char *s, size_t len, const char *where,
			struct complete_kind *k)
{
	for (size_t i = 0; c->sources && c->sources[i].name; i++) {
		const struct complete_source *src = &c->sources[i];

		if (!is_word(s, len, src->name) || k->n_lists == COMPLETE_LISTS_MAX)
			continue;
		if (!src->where || (where && strcmp(src->where, where) == 0))
			k->list[k->n_lists++] = i;
	}
}

static void add_alternative(const struct complete *c, const char *s, size_t len, const char *where,
			    struct complete_kind *k)
{
	size_t used = strlen(k->words);

	if (is_word(s, len, "DIR"))
		k->dirs = true;
	else if (is_word(s, len, "PATH") || is_word(s, len, "FILE"))
		k->files = true;
	else if (is_word(s, len, "CMD"))
		k->commands = true;
	else if (is_word(s, len, "ARG"))
		k->rest = true;
	else if (len > 0 && islower((unsigned char)*s) && used + len + 2 < sizeof(k->words))
		(void)snprintf(k->words + used, sizeof(k->words) - used, " %.*s", (int)len, s);
	add_sources(c, s, len, where, k);
}

void complete_kind_of(const struct complete *c, const char *name, size_t len, const char *where,
		      struct complete_kind *ret)
{
	const char *end = name + len;

	memset(ret, 0, sizeof(*ret));
	while (name < end) {
		size_t n = 0, skip = strspn(name, "[]|.");

		name += skip;
		while (name + n < end && !strchr("[]|.", name[n]))
			n++;
		if (name >= end)
			break;
		add_alternative(c, name, n, where, ret);
		name += n;
	}
}

bool complete_kind_is_none(const struct complete_kind *k)
{
	return !k->dirs && !k->files && !k->commands && !k->rest && !k->n_lists && !k->words[0];
}

bool complete_next_operand(const struct complete *c, const struct opt_verb *v,
			   struct complete_operand *o)
{
	const char *p = o->name ? o->rest : v->operands ? v->operands : "";
	size_t n = strcspn(p, " ");

	if (is_word(p, n, "--")) {
		p += n + strspn(p + n, " ");
		n = strcspn(p, " ");
	}
	if (n == 0 || o->more)
		return false;
	o->i += o->name ? 1 : 0;
	o->name = p;
	o->len = n;
	o->more = memmem(p, n, "...", 3);
	o->rest = p + n + strspn(p + n, " ");
	complete_kind_of(c, p, n, v->name, &o->kind);
	return true;
}

const char *complete_ident(const char *program, char out[64])
{
	size_t n = strlen(program) < 63 ? strlen(program) : 63;

	for (size_t i = 0; i < n; i++)
		out[i] = isalnum((unsigned char)program[i]) ? program[i] : '_';
	out[n] = '\0';
	return out;
}

bool complete_is_sub(const struct opt_verb *v, size_t *ret_len)
{
	*ret_len = strcspn(v->name, " ");
	return v->name[*ret_len] != '\0';
}

bool complete_has_subs(const struct complete *c, const char *verb)
{
	size_t len;

	for (size_t i = 0; c->verbs[i]; i++)
		if (complete_is_sub(c->verbs[i], &len) && is_word(c->verbs[i]->name, len, verb))
			return true;
	return false;
}

bool complete_has_verbs(const struct complete *c)
{
	return c->verbs[0] && *c->verbs[0]->name;
}

bool complete_has_help(const struct opt_verb *v, char shrt)
{
	for (const struct opt *o = v->opts; o && o->lng; o++)
		if (shrt ? o->shrt == shrt : strcmp(o->lng, "help") == 0)
			return true;
	return false;
}

void complete_quote(struct buf *out, const char *s)
{
	buf_add(out, "'", 1);
	for (; *s; s++)
		if (*s == '\'')
			buf_printf(out, "'\\''");
		else
			buf_add(out, s, 1);
	buf_add(out, "'", 1);
}

/* A backslash means itself there, but for one before a quote or another one. */
void complete_quote_fish(struct buf *out, const char *s)
{
	buf_add(out, "'", 1);
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, s, 1);
	}
	buf_add(out, "'", 1);
}

int complete_text(const struct complete *c, const char *shell, struct buf *out, struct err *e)
{
	static const struct {
		const char *name;
		void (*make)(const struct complete *c, struct buf *out);
	} shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(shell, shells[i].name) != 0)
			continue;
		shells[i].make(c, out);
		return out->failed ? err_set(e, ERR_INTERNAL, ENOMEM, "completions") : 0;
	}
	return err_invalid(e, ERR_USAGE, ASKS "%.40s: expected bash, zsh or fish", shell);
}

int complete_main(const struct complete *c, int argc, char **argv, struct err *e)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	int r;

	if (argc != 2 || strncmp(argv[1], ASKS, sizeof(ASKS) - 1) != 0)
		return 0;
	r = complete_text(c, argv[1] + sizeof(ASKS) - 1, &out, e);
	if (r == 0 && (fputs(out.p, stdout) == EOF || fflush(stdout) == EOF))
		r = err_sys(e, errno, "standard output");
	return r < 0 ? r : 1;
}
