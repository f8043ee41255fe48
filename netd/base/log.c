/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: one line, one write(2), so that lines of several processes on one terminal or pipe do not
 * mix. Foreign bytes pass through text_clean. A line too long is cut. A standard error that is full
 * or closed loses the line: a message is never a reason to fail or to wait twice. errno is kept.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

#define LINE_MAX_BYTES 1024

static const char *log_program = "netns-up";
static enum log_level log_max = LOG_LEVEL_INFO;

void log_setup(const char *program, enum log_level max)
{
	log_program = program;
	log_max = max;
}

static const char *level_prefix(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_WARN:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_ERROR:
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	int saved = errno;
	va_list ap;
	size_t len;
	int n;

	if (level > log_max)
		return;
	n = snprintf(line, sizeof(line), "%s: %s", log_program, level_prefix(level));
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		n = 0;
	len = (size_t)n;
	errno = saved; /* for %m */
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 1) /* the NUL's place is the newline's */
		len = sizeof(line) - 1;
	text_clean(line, len);
	line[len] = '\n';
	while (write(STDERR_FILENO, line, len + 1) < 0 && errno == EINTR)
		;
	errno = saved;
}
