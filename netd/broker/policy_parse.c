/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_parse: rules from text. PURE. Printable ASCII, tabs and newlines only; `#` begins a
 * comment; every word is checked, and nothing that is not understood is passed over.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "broker/policy.h"

#define WORDS 19
#define CAP_MAX 100000000
#define UNSAID UINT32_MAX

static int find_number(const char *s, bool is_group, const struct policy_names *names,
		       uint32_t *ret)
{
	/* The last number means "no change" to the kernel and is nobody's. */
	if (parse_u32(s, 0, UINT32_MAX - 1, ret) == 0)
		return 0;
	if (s[0] >= '0' && s[0] <= '9')
		return -EINVAL;
	return names->find(s, is_group, ret, names->arg);
}

static int parse_subject(char *s, const struct policy_names *names, struct policy_rule *r,
			 struct err *e)
{
	bool is_group = s[0] == '@';
	char *name = s + is_group, *dash = strchr(name, '-');

	if (strcmp(s, "*") == 0) {
		r->kind = SUBJECT_ANY;
		return 0;
	}
	r->kind = is_group ? SUBJECT_GID : SUBJECT_UID;
	if (name[0] >= '0' && name[0] <= '9' && dash) {
		*dash = '\0';
		if (parse_u32(name, 0, UINT32_MAX - 1, &r->low) == 0 &&
		    parse_u32(dash + 1, r->low, UINT32_MAX - 1, &r->high) == 0)
			return 0;
		*dash = '-';
		return err_invalid(e, ERR_PROTOCOL, "\"%s\" is no range of numbers", s);
	}
	if (!*name || find_number(name, is_group, names, &r->low) < 0)
		return err_invalid(e, ERR_PROTOCOL, "\"%s\": there is no such %s", s,
				   is_group ? "group" : "user");
	r->high = r->low;
	return 0;
}

static int parse_network(const char *s, struct policy_rule *r, struct err *e)
{
	if (strcmp(s, "*") != 0 && name_check_network(s, "network name", e) < 0)
		return -EINVAL;
	snprintf(r->network, sizeof(r->network), "%s", s);
	return 0;
}

/* Takes the next item off a list with commas; NULL at its end. "": an empty item. */
static char *next_item(char **rest)
{
	char *item = *rest, *comma;

	if (!item)
		return NULL;
	comma = strchr(item, ',');
	if (comma)
		*comma++ = '\0';
	*rest = comma;
	return item;
}

static int parse_verbs(char *s, struct policy_rule *r, struct err *e)
{
	static const struct {
		const char *name;
		unsigned verb;
	} known[] = {{"attach", POLICY_ATTACH},   {"publish", POLICY_PUBLISH},
		     {"address", POLICY_ADDRESS}, {"mac", POLICY_MAC},
		     {"shape", POLICY_SHAPE},     {"all", POLICY_ALL}};

	for (char *v = next_item(&s); v; v = next_item(&s)) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i].name, v) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return err_invalid(e, ERR_PROTOCOL,
					   "\"%s\": expected attach, publish, address, mac, "
					   "shape or all",
					   v);
		r->verbs |= known[i].verb;
	}
	return 0;
}

static int parse_ranges(char *s, struct policy_limits *l, struct err *e)
{
	for (char *v = next_item(&s); v; v = next_item(&s)) {
		char *dash = strchr(v, '-');
		uint32_t low, high;

		if (l->n_range == POLICY_RANGES)
			return err_invalid(e, ERR_PROTOCOL, "range: more than %d", POLICY_RANGES);
		if (dash)
			*dash = '\0';
		if (parse_u32(v, 1, UINT16_MAX, &low) < 0 ||
		    parse_u32(dash ? dash + 1 : v, low, UINT16_MAX, &high) < 0)
			return err_invalid(e, ERR_PROTOCOL,
					   "range: expected PORT or LOW-HIGH, found \"%s%s%s\"", v,
					   dash ? "-" : "", dash ? dash + 1 : "");
		l->range[l->n_range].low = (uint16_t)low;
		l->range[l->n_range++].high = (uint16_t)high;
	}
	return 0;
}

static int parse_hosts(char *s, struct policy_limits *l, struct err *e)
{
	for (char *v = next_item(&s); v; v = next_item(&s)) {
		if (l->n_host == POLICY_HOSTS)
			return err_invalid(e, ERR_PROTOCOL, "host: more than %d", POLICY_HOSTS);
		if (ip_parse(v, &l->host[l->n_host], e) < 0 ||
		    publish_check_host_ip(&l->host[l->n_host], e) < 0)
			return err_ctx(e, -EINVAL, "host");
		l->n_host++;
	}
	return 0;
}

static int parse_to(char *s, struct policy_limits *l, struct err *e)
{
	int r = attach_egress_parse_list(s, false, &l->egress, &l->names, e);

	return r < 0 ? r : attach_egress_check(&l->egress, e);
}

static int parse_not_to(char *s, struct policy_limits *l, struct err *e)
{
	return attach_egress_parse_list(s, true, &l->egress, &l->names, e);
}

static int parse_lifetime(char *s, struct policy_limits *l, struct err *e)
{
	l->is_until_logout = strcmp(s, "login") == 0;
	if (l->is_until_logout || strcmp(s, "namespace") == 0)
		return 0;
	return err_invalid(e, ERR_PROTOCOL, "lifetime: expected namespace or login, found \"%s\"",
			   s);
}

static int parse_rate_in(char *s, struct policy_limits *l, struct err *e)
{
	int r = attach_rate_parse(s, &l->bandwidth.in_rate, e);

	return r < 0 ? err_ctx(e, r, "rate-in") : 0;
}

static int parse_rate_out(char *s, struct policy_limits *l, struct err *e)
{
	int r = attach_rate_parse(s, &l->bandwidth.out_rate, e);

	return r < 0 ? err_ctx(e, r, "rate-out") : 0;
}

static int parse_limit(char *word, unsigned *seen, struct policy_limits *l, struct err *e)
{
	const struct {
		const char *name;
		uint32_t max, *to;
		int (*list)(char *s, struct policy_limits *l, struct err *e);
	} known[] = {{"nics", 1024, &l->nics, NULL},
		     {"ports", 65535, &l->ports, NULL},
		     {"rate", 100000, &l->rate, NULL},
		     {"range", 0, NULL, parse_ranges},
		     {"to", 0, NULL, parse_to},
		     {"not-to", 0, NULL, parse_not_to},
		     {"lifetime", 0, NULL, parse_lifetime},
		     {"conns", CAP_MAX, &l->cap.conns, NULL},
		     {"conn-rate", CAP_MAX, &l->cap.conn_rate, NULL},
		     {"packet-rate", CAP_MAX, &l->cap.packet_rate, NULL},
		     {"in-conns", CAP_MAX, &l->cap.in_conns, NULL},
		     {"in-conn-rate", CAP_MAX, &l->cap.in_conn_rate, NULL},
		     {"host", 0, NULL, parse_hosts},
		     {"rate-in", 0, NULL, parse_rate_in},
		     {"rate-out", 0, NULL, parse_rate_out}};
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (unsigned i = 0; value && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, word) != 0)
			continue;
		if (*seen & 1u << i)
			return err_invalid(e, ERR_PROTOCOL, "%s: given twice", word);
		*seen |= 1u << i;
		if (known[i].list)
			return known[i].list(value, l, e);
		if (parse_u32(value, 0, known[i].max, known[i].to) < 0)
			return err_invalid(e, ERR_PROTOCOL,
					   "%s: expected a number 0..%u, found \"%s\"", word,
					   known[i].max, value);
		return 0;
	}
	return err_invalid(
		e, ERR_PROTOCOL,
		"\"%s\": expected nics=, ports=, rate=, range=, host=, rate-in=, rate-out=, "
		"conns=, conn-rate=, packet-rate=, in-conns=, in-conn-rate=, to=, not-to= or "
		"lifetime=",
		word);
}

/* Who counts connections is never without a limit of their rate; who says that they are not counted
 * has none of it either, unless he says so. */
static void complete_pair(uint32_t *conns, uint32_t *rate, uint32_t usual, uint32_t usual_rate)
{
	if (*conns == UNSAID)
		*conns = usual;
	if (*rate == UNSAID)
		*rate = 0;
	if (*conns && !*rate)
		*rate = usual_rate;
}

static void complete_cap(struct attach_cap *c)
{
	c->is_usual = c->conns == UNSAID && c->conn_rate == UNSAID && c->packet_rate == UNSAID &&
		      c->in_conns == UNSAID && c->in_conn_rate == UNSAID;
	complete_pair(&c->conns, &c->conn_rate, POLICY_CONNS, POLICY_CONN_RATE);
	complete_pair(&c->in_conns, &c->in_conn_rate, POLICY_IN_CONNS, POLICY_IN_CONN_RATE);
	if (c->packet_rate == UNSAID)
		c->packet_rate = 0;
}

static int parse_words(char **word, size_t n, const struct policy_names *names,
		       struct policy_rule *r, struct err *e)
{
	unsigned seen = 0;
	int w;

	if (n < 4)
		return err_invalid(e, ERR_PROTOCOL,
				   "expected allow or deny, a subject, a network and verbs");
	r->is_allow = strcmp(word[0], "allow") == 0;
	if (!r->is_allow && strcmp(word[0], "deny") != 0)
		return err_invalid(e, ERR_PROTOCOL, "\"%s\": expected allow or deny", word[0]);
	if (!r->is_allow && n > 4)
		return err_invalid(e, ERR_PROTOCOL, "limits are for what is allowed");
	r->limits = (struct policy_limits){.nics = POLICY_NICS,
					   .ports = POLICY_PORTS,
					   .rate = POLICY_RATE,
					   .cap = {UNSAID, UNSAID, UNSAID, UNSAID, UNSAID}};
	w = parse_subject(word[1], names, r, e);
	if (w >= 0)
		w = parse_network(word[2], r, e);
	if (w >= 0)
		w = parse_verbs(word[3], r, e);
	for (size_t i = 4; w >= 0 && i < n; i++)
		w = parse_limit(word[i], &seen, &r->limits, e);
	complete_cap(&r->limits.cap);
	return w;
}

/* 1: nothing on it. */
static int parse_line(const char *text, size_t len, const struct policy_names *names,
		      struct policy_rule *r, struct err *e)
{
	char line[POLICY_LINE], *word[WORDS], *save = NULL;
	size_t n = 0;

	if (len >= sizeof(line))
		return err_invalid(e, ERR_PROTOCOL, "more than %d bytes", POLICY_LINE - 1);
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\t' && (text[i] < ' ' || text[i] > '~'))
			return err_invalid(e, ERR_PROTOCOL, "a character that is not ASCII text");
	memcpy(line, text, len);
	line[len] = '\0';
	line[strcspn(line, "#")] = '\0';
	for (char *w = strtok_r(line, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == WORDS)
			return err_invalid(e, ERR_PROTOCOL, "more than %d words", WORDS);
		word[n++] = w;
	}
	return n == 0 ? 1 : parse_words(word, n, names, r, e);
}

static int add_rule(struct policy *p, const struct policy_rule *r, struct err *e)
{
	struct policy_rule *more = reallocarray(p->rule, p->n_rule + 1, sizeof(*more));

	if (!more)
		return err_set(e, ERR_INTERNAL, ENOMEM, "policy");
	p->rule = more;
	p->rule[p->n_rule++] = *r;
	return 0;
}

static int add_file(struct policy *p, const char *name, struct err *e)
{
	struct policy_file *more;

	if (p->n_file == POLICY_FILES + 1)
		return err_set(e, ERR_QUOTA, 0, "more than %d policy files", POLICY_FILES);
	more = reallocarray(p->file, p->n_file + 1, sizeof(*more));
	if (!more)
		return err_set(e, ERR_INTERNAL, ENOMEM, "policy");
	p->file = more;
	p->file[p->n_file] = (struct policy_file){.name = {0}};
	snprintf(p->file[p->n_file++].name, sizeof(p->file[0].name), "%s", name);
	return 0;
}

/* Every rule of the file that was read so far goes: an error may be in what was meant. */
static int spoil(struct policy *p, size_t first_rule, unsigned line, const struct err *why,
		 struct err *e)
{
	struct policy_rule deny = {.is_broken = true,
				   .network = "*",
				   .verbs = POLICY_ALL,
				   .file = (unsigned)p->n_file - 1,
				   .line = line};

	p->file[p->n_file - 1].wrong = *why;
	p->n_rule = first_rule;
	return add_rule(p, &deny, e);
}

int policy_add_text(struct policy *p, const char *name, const char *text, size_t len,
		    const struct policy_names *names, struct err *e)
{
	size_t first = p->n_rule;
	unsigned line = 0;
	int r = add_file(p, name, e);

	for (size_t at = 0; r >= 0 && at < len; line++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - (text + at)) : len - at;
		struct policy_rule rule = {.file = (unsigned)p->n_file - 1, .line = line + 1};
		struct err why = ERR_INIT;

		r = parse_line(text + at, n, names, &rule, &why);
		if (r == 0 && p->n_rule == POLICY_RULES)
			r = err_invalid(&why, ERR_QUOTA, "more than %d rules", POLICY_RULES);
		if (r < 0) {
			err_ctx(&why, r, "line %u", line + 1);
			return spoil(p, first, line + 1, &why, e);
		}
		if (r == 0)
			r = add_rule(p, &rule, e);
		at += n + 1;
	}
	return r < 0 ? r : 0;
}

int policy_add_wrong(struct policy *p, const char *name, const struct err *why, struct err *e)
{
	int r = add_file(p, name, e);

	return r < 0 ? r : spoil(p, p->n_rule, 0, why, e);
}

/* ---- passwd(5), group(5) ---- */

/* Cuts the next line off the text, and the line into fields; the last one has the rest of it.
 * False: there is no line left. What is not there has length 0. */
struct field {
	const char *p;
	size_t len;
};
#define FIELDS 4

static bool next_line(const char **at, const char *text_end, struct field field[FIELDS])
{
	const char *end;

	memset(field, 0, FIELDS * sizeof(*field));
	if (*at >= text_end)
		return false;
	end = memchr(*at, '\n', (size_t)(text_end - *at));
	end = end ? end : text_end;
	for (size_t i = 0; i < FIELDS; i++) {
		const char *colon = memchr(*at, ':', (size_t)(end - *at));
		const char *stop = colon && i < FIELDS - 1 ? colon : end;

		field[i] = (struct field){*at, (size_t)(stop - *at)};
		if (stop == end)
			break;
		*at = stop + 1;
	}
	*at = end < text_end ? end + 1 : text_end;
	return true;
}

static bool is_text(const struct field *f, const char *s, size_t len)
{
	return len && f->len == len && memcmp(f->p, s, len) == 0;
}

/* The number up to the end of the field, or to a colon in it. */
static int number_of(const struct field *f, uint32_t *ret)
{
	const char *stop = f->p ? memchr(f->p, ':', f->len) : NULL;
	size_t len = stop ? (size_t)(stop - f->p) : f->len;
	uint64_t v;

	if (len == 0 || parse_u64_n(f->p, len, 0, UINT32_MAX - 1, &v) < 0)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

int policy_find_id(const char *text, size_t len, const char *name, uint32_t *ret)
{
	const char *at = text;
	struct field f[FIELDS];

	/* A line without what follows the number is none. */
	while (next_line(&at, text + len, f))
		if (is_text(&f[0], name, strlen(name)) && f[3].p && number_of(&f[2], ret) == 0)
			return 0;
	return -ENOENT;
}

static bool is_member(const struct field *list, const struct field *name)
{
	const char *at = list->p, *end = list->p ? list->p + list->len : NULL;

	while (at && at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const struct field one = {at, (size_t)((comma ? comma : end) - at)};

		if (is_text(&one, name->p, name->len))
			return true;
		at += one.len + 1;
	}
	return false;
}

int policy_find_groups(const struct policy_text *passwd, const struct policy_text *group,
		       struct policy_subject *s)
{
	const char *at = passwd->p;
	struct field f[FIELDS], name = {0};
	uint32_t id;

	s->n_gid = 0;
	while (s->n_gid == 0 && next_line(&at, passwd->p + passwd->len, f)) {
		if (f[0].len == 0 || number_of(&f[2], &id) < 0 || id != s->uid)
			continue;
		name = f[0];
		if (number_of(&f[3], &id) == 0)
			s->gid[s->n_gid++] = id;
	}
	if (s->n_gid == 0)
		return -ENOENT;
	for (at = group->p; next_line(&at, group->p + group->len, f);) {
		if (number_of(&f[2], &id) < 0 || !is_member(&f[3], &name))
			continue;
		if (s->n_gid == POLICY_GROUPS)
			return -E2BIG;
		s->gid[s->n_gid++] = id;
	}
	return 0;
}
