/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listing: reads what nft(8) prints; what is ours is told by nothing but the name of the table. */
#include "listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/ruleset.h"

/* A table that somebody holds is listed like any other: without the line of its flags, the empty
 * line that they bring with them, and the mark of its owner. */
static void add_table(FILE *from, struct buf *out)
{
	static const char flags[] = "\tflags ";
	bool has_more = false, is_first = true;
	char *line = NULL;
	size_t cap = 0;

	for (; getline(&line, &cap, from) > 0; is_first = false) {
		char *mark = is_first ? strstr(line, " # progname ") : NULL;

		if (mark)
			memcpy(mark, "\n", 2);
		if (strncmp(line, flags, sizeof(flags) - 1) == 0)
			has_more = true;
		else if (has_more && line[0] == '\n')
			has_more = false;
		else
			buf_add(out, line, strlen(line));
	}
	free(line);
}

void listing(struct buf *out)
{
	static const char *const families[] = {"inet", "bridge"};

	out->len = 0;
	for (size_t i = 0; i < 2; i++) {
		char command[128];
		FILE *from;

		snprintf(command, sizeof(command),
			 "nft list tables | grep -q 'table %s %s' || exit 0; nft -s list table %s "
			 "%s",
			 families[i], RULESET_TABLE, families[i], RULESET_TABLE);
		from = popen(command, "r");
		assert_non_null(from);
		add_table(from, out);
		assert_int_equal(pclose(from), 0);
	}
	assert_false(out->failed);
}
