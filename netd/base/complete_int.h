/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete_int: what the three shells' files share; nobody else includes it. */
#ifndef NETD_BASE_COMPLETE_INT_H
#define NETD_BASE_COMPLETE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/complete.h"

void complete_bash(const struct complete *c, struct buf *out);
void complete_zsh(const struct complete *c, struct buf *out);
void complete_fish(const struct complete *c, struct buf *out);

#define COMPLETE_LISTS_MAX 4

/* What a value or an operand can be. */
struct complete_kind {
	bool dirs, files, commands, rest; /* rest: a command line of its own */
	size_t n_lists;
	size_t list[COMPLETE_LISTS_MAX]; /* indices of sources */
	char words[128];                 /* with a space before each */
};

/* name: e.g. "PATH|NAME", "[TARGET|ID]", "SPEC..."; where: the option or the verb it is of. */
void complete_kind_of(const struct complete *c, const char *name, size_t len, const char *where,
		      struct complete_kind *ret);
bool complete_kind_is_none(const struct complete_kind *k);

/* The operands of a verb in turn, in the verb's own text: "--" is none. Begins with {0}. */
struct complete_operand {
	const char *name; /* len characters */
	size_t len;
	size_t i;
	bool more; /* "...": each that follows is one too, and none comes after it */
	struct complete_kind kind;
	const char *rest;
};
bool complete_next_operand(const struct complete *c, const struct opt_verb *v,
			   struct complete_operand *o);

/* A name that is one of functions too: every character that is no letter or digit becomes '_'. */
const char *complete_ident(const char *program, char out[64]);

/* True for a verb of a verb; its first word is that long. */
bool complete_is_sub(const struct opt_verb *v, size_t *ret_len);
bool complete_has_subs(const struct complete *c, const char *verb);
bool complete_has_verbs(const struct complete *c);
bool complete_has_help(const struct opt_verb *v, char shrt);

/* In single quotes: for bash and zsh, and for fish. */
void complete_quote(struct buf *out, const char *s);
void complete_quote_fish(struct buf *out, const char *s);

#endif
