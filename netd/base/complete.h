/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete: completions for bash, zsh and fish, made from the tables that parse and that --help
 * prints. A program prints its own when its only argument is --completion=SHELL, which is for its
 * build and not in --help.
 *
 * What a value or an operand can be follows from its name in the table: DIR a directory, PATH and
 * FILE a file, CMD a command, words in small letters themselves, the rest what a source says, else
 * nothing.
 */
#ifndef NETD_BASE_COMPLETE_H
#define NETD_BASE_COMPLETE_H

#include "base/err.h"
#include "base/opt.h"

struct buf;

/* Where the values of a name come from. */
struct complete_source {
	const char *name;    /* as in the table: "ID"; NULL ends the list */
	const char *where;   /* of this option (its long name) or verb alone; NULL: everywhere */
	const char *command; /* prints one a line; it has to mean the same to all three shells */
};

struct complete {
	const char *program;
	/* Ends with NULL. A name with a space is a verb of a verb ("network create"); a single
	 * table without a name is of a program that has no verbs. */
	const struct opt_verb *const *verbs;
	const char *number; /* the verb that a number in its place means, or NULL */
	const struct complete_source *sources;
};

/* The whole script. 0, or -EINVAL with ERR_USAGE for a shell that is not one of the three. */
int complete_text(const struct complete *c, const char *shell, struct buf *out, struct err *e);

/* For mains: 1 when argv asks for completions, which were printed to standard output; 0 when it
 * does not; negative errors. */
int complete_main(const struct complete *c, int argc, char **argv, struct err *e);

#endif
