/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy: the judge. PURE: rules, a subject and a wish in, a verdict out, with the rules that
 * decided. policy_parse.c reads rules, policy_dir.c finds the texts.
 */
#include "broker/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_VERBS 5
static const char *const verb_name[N_VERBS] = {"attach", "publish", "address", "mac", "shape"};

void policy_clear(struct policy *p)
{
	free(p->rule);
	free(p->file);
	*p = (struct policy){0};
}

static bool is_subject(const struct policy_rule *r, const struct policy_subject *s)
{
	if (r->kind == SUBJECT_ANY)
		return true;
	if (r->kind == SUBJECT_UID)
		return s->uid >= r->low && s->uid <= r->high;
	for (size_t i = 0; i < s->n_gid; i++)
		if (s->gid[i] >= r->low && s->gid[i] <= r->high)
			return true;
	return false;
}

static bool is_about(const struct policy_rule *r, const char *network, unsigned verb)
{
	return (r->verbs & verb) &&
	       (strcmp(r->network, "*") == 0 || strcmp(r->network, network) == 0);
}

static const struct policy_rule *find(const struct policy *p, const struct policy_subject *s,
				      const char *network, unsigned verb)
{
	for (size_t i = 0; i < p->n_rule; i++) {
		const struct policy_rule *r = &p->rule[i];

		if (is_about(r, network, verb) && is_subject(r, s))
			return r;
	}
	return NULL;
}

static void say_denied(const struct policy *p, const char *verb, const char *network,
		       const struct policy_rule *r, struct policy_verdict *v)
{
	v->result = POLICY_DENIED;
	if (!r)
		snprintf(v->why, sizeof(v->why), "%s on %s: no rule allows it", verb, network);
	else
		snprintf(v->why, sizeof(v->why), "%s on %s: denied by %.128s:%u%s", verb, network,
			 p->file[r->file].name, r->line,
			 r->is_broken ? " (a file with an error denies everything)" : "");
}

static bool has_range(const struct policy_limits *l, const struct publish *p, uint16_t first_free)
{
	uint32_t last = (uint32_t)p->host_port + p->count - 1;

	/* 0: a free one is picked, and those that are picked need no privilege. */
	if (p->host_port == 0)
		return l->n_range == 0;
	if (l->n_range == 0)
		return p->host_port >= first_free;
	for (size_t i = 0; i < l->n_range; i++)
		if (p->host_port >= l->range[i].low && last <= l->range[i].high)
			return true;
	return false;
}

static bool has_host(const struct policy_limits *l, const struct publish *p)
{
	for (size_t i = 0; i < l->n_host; i++)
		if (ip_equal(&l->host[i], &p->host_ip))
			return true;
	return l->n_host == 0;
}

static bool is_published(const struct policy_want *w, const struct policy_limits *l,
			 struct policy_verdict *v)
{
	uint64_t n = w->ports_held;
	char s[PUBLISH_STRLEN];

	for (size_t i = 0; i < w->n_publish; i++) {
		const struct publish *p = &w->publish[i];
		bool in_range = has_range(l, p, w->first_free_port);

		n += p->count;
		if (in_range && has_host(l, p))
			continue;
		v->result = POLICY_DENIED;
		snprintf(v->why, sizeof(v->why), "publish %s: %s is not allowed", publish_str(p, s),
			 in_range ? "that address" : "that port");
		return false;
	}
	if (n <= l->ports)
		return true;
	v->result = POLICY_OVER;
	snprintf(v->why, sizeof(v->why), "more than %u published ports", l->ports);
	return false;
}

uint64_t policy_bandwidth(uint64_t wish, uint64_t limit)
{
	return limit && (!wish || wish > limit) ? limit : wish;
}

static void judge_bandwidth(const struct policy_want *w, struct policy_verdict *v)
{
	const struct attach_rate *most = &v->limits.bandwidth;
	char s[ATTACH_RATE_STRLEN];

	if (most->in_rate && w->bandwidth.in_rate > most->in_rate) {
		v->result = POLICY_OVER;
		snprintf(v->why, sizeof(v->why), "more than %s to an interface",
			 attach_rate_str(most->in_rate, s));
	} else if (most->out_rate && w->bandwidth.out_rate > most->out_rate) {
		v->result = POLICY_OVER;
		snprintf(v->why, sizeof(v->why), "more than %s from an interface",
			 attach_rate_str(most->out_rate, s));
	}
}

void policy_judge(const struct policy *p, const struct policy_subject *s,
		  const struct policy_want *w, struct policy_verdict *ret)
{
	*ret = (struct policy_verdict){.result = POLICY_GRANTED};
	for (unsigned i = 0; i < N_VERBS; i++) {
		if (!(w->verbs & 1u << i))
			continue;
		ret->rule[i] = find(p, s, w->network, 1u << i);
		if (ret->result == POLICY_GRANTED && (!ret->rule[i] || !ret->rule[i]->is_allow))
			say_denied(p, verb_name[i], w->network, ret->rule[i], ret);
	}
	if (ret->rule[0] && ret->rule[0]->is_allow)
		ret->limits = ret->rule[0]->limits;
	if (ret->result != POLICY_GRANTED)
		return;
	if (w->is_new && ret->rule[0] && w->nics_held >= ret->limits.nics) {
		ret->result = POLICY_OVER;
		snprintf(ret->why, sizeof(ret->why), "more than %u interfaces", ret->limits.nics);
		return;
	}
	if (w->is_new && ret->limits.is_until_logout && !w->is_logged_in) {
		ret->result = POLICY_DENIED;
		snprintf(ret->why, sizeof(ret->why), "uid %u is not logged in", s->uid);
		return;
	}
	if (ret->rule[4])
		judge_bandwidth(w, ret);
	if (ret->result == POLICY_GRANTED && ret->rule[1])
		is_published(w, &ret->rule[1]->limits, ret);
}

int policy_limits_of(const struct policy *p, const struct policy_subject *s, bool has_groups,
		     const char *network, struct policy_limits *ret)
{
	for (size_t i = 0; i < p->n_rule; i++) {
		const struct policy_rule *r = &p->rule[i];

		if (!is_about(r, network, POLICY_ATTACH))
			continue;
		if (r->kind == SUBJECT_GID && !has_groups)
			return 1;
		if (!is_subject(r, s))
			continue;
		if (r->is_allow)
			*ret = r->limits;
		return !r->is_allow;
	}
	return 1;
}

static void explain_bandwidth(const char *before, const struct attach_rate *r, struct buf *out)
{
	char s[ATTACH_RATE_STRLEN];

	if (r->in_rate)
		buf_printf(out, "%s rate-in=%s", before, attach_rate_str(r->in_rate, s));
	if (r->out_rate)
		buf_printf(out, "%s rate-out=%s", r->in_rate ? "" : before,
			   attach_rate_str(r->out_rate, s));
}

static void explain_caps(const struct attach_cap *c, struct buf *out)
{
	if (c->conns)
		buf_printf(out, " conns=%u", c->conns);
	if (c->conn_rate)
		buf_printf(out, " conn-rate=%u", c->conn_rate);
	if (c->packet_rate)
		buf_printf(out, " packet-rate=%u", c->packet_rate);
	if (c->in_conns)
		buf_printf(out, " in-conns=%u", c->in_conns);
	if (c->in_conn_rate)
		buf_printf(out, " in-conn-rate=%u", c->in_conn_rate);
}

static void explain_egress(const struct policy_limits *l, bool is_denied, struct buf *out)
{
	const struct attach_egress *x = &l->egress;
	char s[ATTACH_DEST_STRLEN];
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		if (x->dest[i].is_denied == is_denied)
			buf_printf(out, "%s%s",
				   n++         ? ","
				   : is_denied ? " not-to="
					       : " to=",
				   attach_dest_str(x, &l->names, i, s));
}

static void explain_limits(const struct policy_verdict *v, struct buf *out)
{
	const struct policy_limits *p = v->rule[1] ? &v->rule[1]->limits : NULL;
	char s[IP_STRLEN];

	if (!v->rule[0] || !v->rule[0]->is_allow)
		return;
	buf_printf(out, "limits: nics=%u rate=%u", v->limits.nics, v->limits.rate);
	explain_bandwidth("", &v->limits.bandwidth, out);
	explain_caps(&v->limits.cap, out);
	explain_egress(&v->limits, false, out);
	explain_egress(&v->limits, true, out);
	if (v->limits.is_until_logout)
		buf_printf(out, " lifetime=login");
	if (p && v->rule[1]->is_allow) {
		buf_printf(out, " ports=%u", p->ports);
		for (size_t i = 0; i < p->n_range; i++)
			buf_printf(out, "%s%u-%u", i ? "," : " range=", p->range[i].low,
				   p->range[i].high);
		for (size_t i = 0; i < p->n_host; i++)
			buf_printf(out, "%s%s", i ? "," : " host=", ip_str(&p->host[i], s));
	}
	buf_printf(out, "\n");
}

void policy_explain(const struct policy *p, const struct policy_want *w,
		    const struct policy_verdict *v, struct buf *out)
{
	for (size_t i = 0; i < p->n_file; i++)
		if (p->file[i].wrong.kind != ERR_NONE)
			buf_printf(out, "error: %s: %s: everything is denied from here on\n",
				   p->file[i].name, p->file[i].wrong.text);
	for (unsigned i = 0; i < N_VERBS; i++) {
		const struct policy_rule *r = v->rule[i];

		if (!(w->verbs & 1u << i))
			continue;
		buf_printf(out, "%s on %s: ", verb_name[i], w->network);
		if (r)
			buf_printf(out, "%s by %s:%u\n", r->is_allow ? "allowed" : "denied",
				   p->file[r->file].name, r->line);
		else
			buf_printf(out, "denied, no rule allows it\n");
	}
	explain_limits(v, out);
	if (v->result == POLICY_GRANTED) {
		const struct attach_rate *most = &v->limits.bandwidth, *wish = &w->bandwidth;
		const struct attach_rate gets = {
			.in_rate = policy_bandwidth(wish->in_rate, most->in_rate),
			.out_rate = policy_bandwidth(wish->out_rate, most->out_rate)};

		buf_printf(out, "granted");
		explain_bandwidth(" with", &gets, out);
		buf_printf(out, "\n");
	} else {
		buf_printf(out, "refused: %s\n", v->why);
	}
}
