/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err: fills and combines error values. Texts are formatted aside first, so that arguments may
 * point into the value being changed, and pass through text_clean: names and words of callers end
 * up in them. A text that does not fit loses its end and closes with "...". Nothing here allocates
 * or logs.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const kind_names[] = {
	[ERR_NONE] = "none",         [ERR_USAGE] = "usage",
	[ERR_DENIED] = "denied",     [ERR_CONFLICT] = "conflict",
	[ERR_ABSENT] = "absent",     [ERR_BUSY] = "busy",
	[ERR_QUOTA] = "quota",       [ERR_UNSUPPORTED] = "unsupported",
	[ERR_KERNEL] = "kernel",     [ERR_IO] = "io",
	[ERR_PROTOCOL] = "protocol", [ERR_INTERNAL] = "internal",
};

/* A text under construction: n counts what was wanted, also beyond the end. */
struct draft {
	char s[sizeof(((struct err *)0)->text)];
	size_t n;
};

static void draft_add(struct draft *d, const char *s)
{
	size_t len = strlen(s);

	if (d->n < sizeof(d->s) - 1) {
		size_t room = sizeof(d->s) - 1 - d->n;

		memcpy(d->s + d->n, s, len < room ? len : room);
	}
	d->n += len;
}

static void draft_vprintf(struct draft *d, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void draft_vprintf(struct draft *d, const char *fmt, va_list ap)
{
	size_t room = d->n < sizeof(d->s) ? sizeof(d->s) - d->n : 0;
	int n = vsnprintf(room ? d->s + d->n : NULL, room, fmt, ap);

	if (n > 0)
		d->n += (size_t)n;
}

static void draft_sys(struct draft *d, int sys)
{
	char buf[128];

	if (sys == 0)
		return;
	draft_add(d, ": ");
	draft_add(d, strerror_r(sys, buf, sizeof(buf)));
}

static void draft_store(struct draft *d, struct err *e)
{
	static const char mark[] = "...";

	if (d->n >= sizeof(d->s)) {
		d->n = sizeof(d->s) - 1;
		memcpy(d->s + d->n - (sizeof(mark) - 1), mark, sizeof(mark) - 1);
	}
	text_clean(d->s, d->n);
	memcpy(e->text, d->s, d->n);
	e->text[d->n] = '\0';
	e->used = d->n;
}

static int set_v(struct err *e, enum err_kind kind, int sys, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

static int set_v(struct err *e, enum err_kind kind, int sys, const char *fmt, va_list ap)
{
	struct draft d;

	if (e) {
		d.n = 0;
		draft_vprintf(&d, fmt, ap);
		draft_sys(&d, sys);
		e->kind = kind;
		e->what = WHAT_NONE;
		e->sys = sys;
		draft_store(&d, e);
	}
	return sys ? -sys : -EIO;
}

int err_set(struct err *e, enum err_kind kind, int sys, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = set_v(e, kind, sys, fmt, ap);
	va_end(ap);
	return r;
}

static enum err_kind kind_of(int sys)
{
	switch (sys) {
	case EPERM:
	case EACCES:
		return ERR_DENIED;
	case ENOENT:
	case ENODEV:
	case ESRCH:
		return ERR_ABSENT;
	case EEXIST:
	case EADDRINUSE:
	case EBUSY:
		return ERR_CONFLICT;
	case EOPNOTSUPP:
	case ENOSYS:
	case EPROTONOSUPPORT:
	case EAFNOSUPPORT:
		return ERR_UNSUPPORTED;
	case ENOMEM:
		return ERR_INTERNAL;
	case ENOSPC:
	case EROFS:
	case EIO:
	case EMFILE:
	case ENFILE:
	case EFBIG:
	case EDQUOT:
		return ERR_IO;
	default:
		return ERR_KERNEL;
	}
}

int err_sys(struct err *e, int sys, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = set_v(e, kind_of(sys), sys, fmt, ap);
	va_end(ap);
	return r;
}

int err_invalid(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)set_v(e, kind, 0, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int err_ctx(struct err *e, int r, const char *fmt, ...)
{
	struct draft d;
	va_list ap;

	if (!e)
		return r;
	d.n = 0;
	va_start(ap, fmt);
	draft_vprintf(&d, fmt, ap);
	va_end(ap);
	if (e->kind == ERR_NONE && r < 0) {
		/* A callee that had only an errno to give: do not lose it. */
		e->kind = kind_of(-r);
		e->sys = -r;
		draft_sys(&d, -r);
	} else if (e->used > 0) {
		draft_add(&d, ": ");
		draft_add(&d, e->text);
	}
	draft_store(&d, e);
	return r;
}

int err_what(struct err *e, int r, enum err_what what)
{
	if (e && e->kind != ERR_NONE && e->what == WHAT_NONE)
		e->what = what;
	return r;
}

void err_gather(struct err *into, const struct err *from)
{
	struct draft d;

	if (!into || !from || into == from || from->kind == ERR_NONE)
		return;
	if (into->kind == ERR_NONE) {
		*into = *from;
		return;
	}
	d.n = 0;
	draft_add(&d, into->text);
	draft_add(&d, "; ");
	draft_add(&d, from->text);
	draft_store(&d, into);
}

void err_reset(struct err *e)
{
	if (!e)
		return;
	e->kind = ERR_NONE;
	e->what = WHAT_NONE;
	e->sys = 0;
	e->used = 0;
	e->text[0] = '\0';
}

const char *err_kind_name(enum err_kind kind)
{
	if ((size_t)kind >= sizeof(kind_names) / sizeof(kind_names[0]))
		return "unknown";
	return kind_names[kind];
}
