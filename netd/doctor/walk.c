/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk: PURE. Rules that are understood decide; others only leave a mark. Loops cannot be (the
 * kernel refuses them), but what is read from a table that changes may look like one, so depth and
 * number of steps have an end.
 */
#include "doctor/walk.h"

#include <netinet/in.h>
#include <string.h>

#define DEPTH_MAX 16
#define STEPS_MAX 200000

enum step { STEP_ON, STEP_RETURN, STEP_ACCEPT, STEP_DROP };

struct walk {
	const struct nftlook *l;
	const struct flow *f;
	unsigned steps;
	bool may_accept; /* before it is dropped */
	bool is_meant;   /* what drops it, or leads there, names our interface */
	bool is_lost;    /* too deep, or too long */
};

bool walk_sees(const struct nftlook_chain *c, const struct flow *f)
{
	return c->family == LOOK_INET || c->family == f->family;
}

static bool if_matches(const struct nftlook_if *want, const char *have)
{
	bool is;

	if (!want->name[0])
		return true;
	is = want->is_prefix ? strncmp(want->name, have, strlen(want->name)) == 0
			     : strcmp(want->name, have) == 0;
	return is != want->is_not;
}

static bool may_match(const struct nftlook_rule *x, const struct flow *f)
{
	return if_matches(&x->iif, f->iif) && if_matches(&x->oif, f->oif) &&
	       (!x->states || (x->states & f->state)) && (!x->is_dnat || f->is_dnat) &&
	       (!x->nfproto || x->nfproto == f->family) &&
	       (!x->l4proto || x->l4proto == IPPROTO_TCP);
}

static bool names(const struct nftlook_rule *x, const char *ifname)
{
	return ifname && ((x->iif.name[0] && !x->iif.is_not && if_matches(&x->iif, ifname)) ||
			  (x->oif.name[0] && !x->oif.is_not && if_matches(&x->oif, ifname)));
}

static bool find_target(const struct nftlook *l, const struct nftlook_rule *x, uint32_t *ret)
{
	const struct nftlook_chain *from = &l->chain[x->chain];

	for (size_t i = 0; i < l->n_chain; i++)
		if (l->chain[i].family == from->family &&
		    strcmp(l->chain[i].name, x->target) == 0 &&
		    strcmp(l->chain[i].table, from->table) == 0) {
			*ret = (uint32_t)i;
			return true;
		}
	return false;
}

static enum step walk_rules(struct walk *w, uint32_t chain, bool is_sure, unsigned depth);

/* What a rule that applies (is_sure) or may apply does. */
static enum step apply(struct walk *w, const struct nftlook_rule *x, bool is_sure, unsigned depth)
{
	uint32_t to = 0;
	enum step s;

	switch (x->verdict) {
	case LOOK_ACCEPT:
		w->may_accept = w->may_accept || !is_sure;
		return is_sure ? STEP_ACCEPT : STEP_ON;
	case LOOK_DROP:
		return is_sure ? STEP_DROP : STEP_ON;
	case LOOK_RETURN: /* past a drop that comes later */
		w->may_accept = w->may_accept || !is_sure;
		return is_sure ? STEP_RETURN : STEP_ON;
	case LOOK_UNKNOWN:
		w->may_accept = true;
		return STEP_ON;
	case LOOK_JUMP:
	case LOOK_GOTO:
		if (!find_target(w->l, x, &to)) {
			w->may_accept = true;
			return STEP_ON;
		}
		s = walk_rules(w, to, is_sure, depth + 1);
		if (s == STEP_ACCEPT || s == STEP_DROP)
			return s;
		return is_sure && x->verdict == LOOK_GOTO ? STEP_RETURN : STEP_ON;
	}
	return STEP_ON;
}

static enum step walk_rules(struct walk *w, uint32_t chain, bool is_sure, unsigned depth)
{
	enum step s = STEP_ON;

	if (depth > DEPTH_MAX)
		w->is_lost = true;
	for (size_t i = 0; s == STEP_ON && !w->is_lost && i < w->l->n_rule; i++) {
		const struct nftlook_rule *x = &w->l->rule[i];

		if (x->chain != chain)
			continue;
		if (++w->steps > STEPS_MAX)
			w->is_lost = true;
		else if (may_match(x, w->f))
			s = apply(w, x, is_sure && !x->is_condition, depth);
		if (s == STEP_DROP && names(x, w->f->ours))
			w->is_meant = true;
	}
	return s;
}

enum passage walk_chain(const struct nftlook *l, uint32_t chain, const struct flow *f,
			bool *ret_is_meant)
{
	struct walk w = {.l = l, .f = f};
	enum step s;

	if (chain >= l->n_chain)
		return PASSES;
	s = walk_rules(&w, chain, true, 0);
	if (s == STEP_ACCEPT || (s != STEP_DROP && !l->chain[chain].is_drop))
		return PASSES;
	if (ret_is_meant)
		*ret_is_meant = w.is_meant;
	return w.may_accept || w.is_lost || l->is_cut ? MAY_BE_DROPPED : IS_DROPPED;
}
