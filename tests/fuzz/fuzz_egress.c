/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_egress: two lists of destinations, what is allowed and what is not, one a line. What parses
 * prints and parses back to the same; without names it parses to the same where none are in it, and
 * is refused where some are; what is denied is denied.
 */
#include <stdlib.h>
#include <string.h>

#include "model/attach_egress.h"

#include "fuzz.h"

struct lists {
	struct attach_egress x;
	struct attach_names names;
};

static bool parse(const char *text, bool is_denied, struct lists *to)
{
	struct err e = ERR_INIT;
	size_t n = to->x.n;

	if (attach_egress_parse_list(text, is_denied, &to->x, &to->names, &e) < 0) {
		MUST((e.kind == ERR_USAGE || e.kind == ERR_QUOTA) && e.used == strlen(e.text));
		return false;
	}
	MUST(to->x.n > n && to->x.n <= ATTACH_DEST_MAX);
	return true;
}

static void check_names(const struct lists *l)
{
	for (size_t i = 0; i < l->x.n; i++) {
		const char *name = l->names.name[i];

		MUST((l->x.dest[i].to.ip.family == 0) == (name[0] != '\0'));
		if (!name[0])
			continue;
		MUST(!l->x.dest[i].is_denied || l->x.dest[i].low == 0);
		MUST(!l->x.dest[i].is_denied || name[0] == '*' ||
		     attach_names_deny(&l->x, &l->names, name));
		MUST(name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.*")] == '\0');
		MUST(strrchr(name, '*') == NULL || strrchr(name, '*') == name);
		MUST(attach_names_match(name, name[0] == '*' ? "x.y" : name) || name[0] == '*');
	}
}

static void check_again(const struct lists *l)
{
	char to[ATTACH_EGRESS_STRLEN], not_to[ATTACH_EGRESS_STRLEN];
	bool has_names = attach_egress_has_names(&l->x), has_allowed = false;
	struct lists again = {0};
	struct attach_egress bare = {0};

	for (size_t i = 0; i < l->x.n; i++)
		has_allowed = has_allowed || (l->names.name[i][0] && !l->x.dest[i].is_denied);
	attach_egress_str(&l->x, &l->names, false, to);
	attach_egress_str(&l->x, &l->names, true, not_to);
	MUST(!*to || parse(to, false, &again));
	MUST(!*not_to || parse(not_to, true, &again));
	MUST(attach_egress_equal(&l->x, &again.x));
	MUST(memcmp(&l->names, &again.names, sizeof(again.names)) == 0);
	MUST(!*to || (attach_egress_parse_list(to, false, &bare, NULL, NULL) < 0) == has_allowed);
	MUST(has_names || attach_egress_check(&l->x, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *second;
	struct lists l = {0};

	MUST(text);
	memcpy(text, data, size);
	text[size] = '\0';
	second = strchr(text, '\n');
	if (second)
		*second++ = '\0';
	if (parse(text, false, &l) && (!second || parse(second, true, &l))) {
		check_names(&l);
		check_again(&l);
		for (size_t i = 0; i < l.x.n; i++) {
			const struct attach_dest *d = &l.x.dest[i];
			bool is_ok = attach_egress_allows(&l.x, &d->to.ip, d->low, 1u << i);

			MUST(!is_ok || !d->is_denied);
			MUST(is_ok || second);
		}
	}
	free(text);
	return 0;
}
