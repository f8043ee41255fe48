/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress: one write a line, and none while the terminal takes nothing: locks may be held. */
#include "cli/progress.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/style.h"

static bool put(const char *text)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) &&
	       write(STDERR_FILENO, text, strlen(text)) > 0;
}

/* Is a line due? Notes it. */
static bool is_due(struct progress *p, uint64_t now_ms)
{
	if (p->next_ms == 0)
		p->next_ms = now_ms + PROGRESS_AFTER_MS;
	if (now_ms < p->next_ms)
		return false;
	p->next_ms = now_ms + PROGRESS_EVERY_MS;
	return true;
}

static void tell(const char *what, size_t i, size_t n, void *arg)
{
	struct progress *p = arg;
	char line[80];

	if (!is_due(p, clock_ms()))
		return;
	(void)snprintf(line, sizeof(line), "\r\033[K%s: %zu of %zu", what, i, n);
	p->is_shown |= put(line);
}

void progress_open(struct progress *p, const struct cli_common *c, struct engine *g)
{
	*p = (struct progress){.is_on = !c->quiet && style_is_terminal(STDERR_FILENO), .g = g};
	if (p->is_on)
		engine_on_progress(g, tell, p);
}

void progress_close(struct progress *p)
{
	if (p->is_on)
		engine_on_progress(p->g, NULL, NULL);
	if (p->is_shown)
		(void)put("\r\033[K");
	p->is_on = p->is_shown = false;
}
