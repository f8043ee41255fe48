/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * style: colours, for people alone: only a terminal gets them, and only one that is not called
 * "dumb" and whose user has not set NO_COLOR. What goes into a file or a pipe is plain text.
 */
#ifndef NETD_CLI_STYLE_H
#define NETD_CLI_STYLE_H

#include <stdbool.h>

struct buf;

enum style {
	STYLE_PLAIN,
	STYLE_HEAD,    /* of a table */
	STYLE_NAME,    /* of a container */
	STYLE_NETWORK, /* its name */
	STYLE_PORT,    /* published */
	STYLE_FAINT,   /* lines, details */
	STYLE_BAD,     /* what is not as it should be */
};

/* A terminal that knows more than to print one line after another. */
bool style_is_terminal(int fd);
/* What is written to fd may be coloured. */
bool style_has_colour(int fd);
/* It is for a terminal that draws lines: the locale's characters are UTF-8. */
bool style_has_lines(int fd);

/* Appends text, which is clean, padded to width; without colour it is text alone. */
void style_put(struct buf *out, bool has_colour, enum style s, const char *text, unsigned width);

#endif
