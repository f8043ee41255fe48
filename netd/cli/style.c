/* SPDX-License-Identifier: GPL-2.0-or-later */
/* style: who gets colours, and what they are. */
#include "cli/style.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && value[0];
}

bool style_is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) == 1 && !(term && strcmp(term, "dumb") == 0);
}

bool style_has_colour(int fd)
{
	return style_is_terminal(fd) && !is_set("NO_COLOR");
}

bool style_has_lines(int fd)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	if (!style_is_terminal(fd))
		return false;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_set(names[i])) /* the first one counts */
			return strcasestr(getenv(names[i]), "utf-8") ||
			       strcasestr(getenv(names[i]), "utf8");
	return false;
}

void style_put(struct buf *out, bool has_colour, enum style s, const char *text, unsigned width)
{
	static const char *const codes[] = {
		[STYLE_PLAIN] = "",     [STYLE_HEAD] = "1",  [STYLE_NAME] = "1;36",
		[STYLE_NETWORK] = "35", [STYLE_PORT] = "32", [STYLE_FAINT] = "2",
		[STYLE_BAD] = "31",
	};
	size_t len = strlen(text);

	if (has_colour && codes[s][0] && len)
		buf_printf(out, "\033[%sm%s\033[0m", codes[s], text);
	else
		buf_printf(out, "%s", text);
	if (len < width)
		buf_printf(out, "%*s", (int)(width - len), "");
}
