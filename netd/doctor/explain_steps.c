/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain_steps: the list of steps, and what a person asks for. Pure. */
#include "doctor/explain.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/parse.h"
#include "model/publish.h"

void steps_clear(struct steps *l)
{
	for (size_t i = 0; i < l->n; i++)
		buf_free(&l->v[i].text);
	free(l->v);
	*l = (struct steps){0};
}

void steps_add(struct steps *l, enum step_state s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!GROW(l->v, l->n, l->cap)) {
		l->failed = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	struct step *to = &l->v[l->n++];
	*to = (struct step){.state = s};
	buf_printf(&to->text, "%s", text);
	l->failed = l->failed || to->text.failed;
}

size_t steps_missing(const struct steps *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].state == STEP_MISSING;
	return n;
}

const char *step_state_str(enum step_state s)
{
	static const char *const names[] = {
		[STEP_OK] = "ok",
		[STEP_NOTE] = "note",
		[STEP_MISSING] = "missing",
	};

	return names[s];
}

static int usage(const char *s, struct err *e)
{
	return err_invalid(e, ERR_USAGE,
			   "expected PORT[/PROTO], ADDRESS or ADDRESS:PORT[/PROTO], found \"%s\"",
			   s);
}

/* "PORT[/PROTO]" */
static int parse_port(const char *whole, const char *s, struct explain_query *ret, struct err *e)
{
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	uint64_t port;

	if (parse_u64_n(s, len, 1, 65535, &port) < 0)
		return usage(whole, e);
	ret->port = (uint16_t)port;
	ret->proto = IPPROTO_TCP;
	return slash ? proto_parse(slash + 1, &ret->proto, e) : 0;
}

int explain_parse(const char *s, struct explain_query *ret, struct err *e)
{
	struct explain_query q = {.proto = IPPROTO_TCP};
	char ip[IP_STRLEN];
	bool is_bracket = s[0] == '[';
	const char *begin = is_bracket ? s + 1 : s;
	const char *end = is_bracket ? strchr(s, ']') : NULL;
	const char *port = NULL;
	int r;

	/* An IPv6 address without brackets has no port. */
	if (!is_bracket && (!strchr(s, ':') || strchr(s, ':') == strrchr(s, ':')) && strchr(s, ':'))
		end = strchr(s, ':');
	if (is_bracket && !end)
		return usage(s, e);
	if (end && end[is_bracket ? 1 : 0])
		port = end + (is_bracket ? 2 : 1);
	if (is_bracket && end[1] && end[1] != ':')
		return usage(s, e);
	if (!end && strspn(s, "0123456789") > 0 && !strpbrk(s, ".:"))
		r = parse_port(s, s, &q, e);
	else {
		size_t len = end ? (size_t)(end - begin) : strlen(begin);
		if (len == 0 || len >= sizeof(ip))
			return usage(s, e);
		memcpy(ip, begin, len);
		ip[len] = '\0';
		r = ip_parse(ip, &q.ip, NULL) < 0 ? usage(s, e) : 0;
		if (r == 0 && port)
			r = parse_port(s, port, &q, e);
	}
	if (r == 0)
		*ret = q;
	return r < 0 ? r : 0;
}
