/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opt: options parsed from a table. One table drives parsing, --help and the completions, so they
 * cannot disagree. Accepts -x, -xVALUE, -x VALUE, --long, --long=VALUE, --long VALUE, `--`.
 * Options and operands may be mixed unless stop_at_operand is set (for `run -- CMD`).
 */
#ifndef NETD_BASE_OPT_H
#define NETD_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf;

struct opt {
	char shrt;         /* 0 when there is none */
	const char *lng;   /* without the dashes; NULL ends the table */
	const char *value; /* name of the value in --help; NULL for a flag */
	const char *help;  /* one line */
	/* Called for each occurrence; value is NULL for a flag. A negative return ends the parse;
	 * opt_parse prepends "--long: " (or "-x: ", as written), so the handler only says what is
	 * wrong with the value, which it names. */
	int (*set)(void *into, const char *value, struct err *e);
};

struct opt_verb {
	const char *name;     /* "up" */
	const char *operands; /* "TARGET" for the usage line */
	const char *summary;  /* one line */
	const char *notes;    /* more text for --help, may be NULL */
	const struct opt *opts;
	size_t min_operands, max_operands; /* (size_t)-1: no limit */
	bool stop_at_operand;
	/* Says that arg, as written, is no option (into is opt_parse's); returns negative. NULL: in
	 * the words of this file. */
	int (*unknown)(void *into, const char *arg, struct err *e);
};

/* Parses argv[1..]. Operands are gathered at the front of argv+1 in order; *ret_n is their number.
 * Returns 0, 1 when --help was asked for (nothing else is set then), or -EINVAL with ERR_USAGE that
 * names the argument and what was expected. */
int opt_parse(const struct opt_verb *v, int argc, char **argv, void *into, size_t *ret_n,
	      struct err *e);

/* For handlers: `expected a number MIN..MAX, found "VALUE"`. */
int opt_u32(const char *value, uint32_t min, uint32_t max, uint32_t *ret, struct err *e);
/* `expected a text that is not empty`. Borrowed. */
int opt_text(const char *value, const char **ret, struct err *e);

/* The text that opt_help prints. */
void opt_help_text(const char *program, const struct opt_verb *v, struct buf *out);

/* Prints usage and the option table to standard output. program is e.g. "netns-up". */
void opt_help(const char *program, const struct opt_verb *v);

#endif
