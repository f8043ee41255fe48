/* SPDX-License-Identifier: GPL-2.0-or-later */
/* finding: lists of findings. Pure. */
#include "doctor/finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "doctor/facts.h"

static struct finding unseen;

static void clear_one(struct finding *f)
{
	buf_free(&f->what);
	buf_free(&f->evidence);
	buf_free(&f->remedy);
	buf_free(&f->fix.text);
	*f = (struct finding){0};
}

void findings_clear(struct findings *l)
{
	for (size_t i = 0; i < l->n; i++)
		clear_one(&l->v[i]);
	free(l->v);
	clear_one(&unseen);
	*l = (struct findings){0};
}

struct finding *findings_add(struct findings *l, enum severity s, const char *id)
{
	struct finding *f = &unseen;

	if (GROW(l->v, l->n, l->cap))
		f = &l->v[l->n++];
	else
		l->failed = true;
	if (f == &unseen)
		clear_one(f);
	*f = (struct finding){.severity = s, .id = id};
	return f;
}

/* A value of several words is one argument. */
void finding_sysctl(struct finding *f, const char *key, const char *value)
{
	const char *quote = strpbrk(value, " \t") ? "'" : "";
	const char *k = key;

	f->fix.kind = FIX_SYSCTL;
	(void)snprintf(f->fix.key, sizeof(f->fix.key), "%s", key);
	(void)snprintf(f->fix.value, sizeof(f->fix.value), "%s", value);
	/* With slashes: names of interfaces may have dots. */
	buf_printf(&f->remedy, "sysctl -w ");
	for (; *k; k++)
		buf_add(&f->remedy, strchr(key, '.') ? k : *k == '/' ? "." : k, 1);
	buf_printf(&f->remedy, "=%s%s%s", quote, value, quote);
}

size_t findings_count(const struct findings *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].severity != SEVERITY_NOTE;
	return n;
}

const char *severity_str(enum severity s)
{
	static const char *const names[] = {
		[SEVERITY_NOTE] = "note",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_ERROR] = "error",
	};

	return names[s];
}

void findings_of(const struct facts *f, struct findings *out)
{
	check_who(f, out);
	check_kernel(f, out);
	check_state(f, out);
	check_settings(f, out);
	check_rules(f, out);
	check_user(f, out);
}

void facts_clear(struct facts *f)
{
	nftlook_clear(&f->rules);
}
