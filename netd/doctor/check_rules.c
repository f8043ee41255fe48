/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_rules: PURE. Which chains of others stop what should pass. In nftables an accept is final
 * for its own chain only, a drop is for all: so every base chain of every table has to let our
 * packets pass, whatever our own table says. The remedy is an accept for our interfaces at the head
 * of that chain, in the words of the program that made it; what may pass in the end is still
 * decided by our own table.
 */
#include <stdio.h>
#include <string.h>

#include "doctor/facts.h"
#include "doctor/finding.h"
#include "doctor/walk.h"
#include "net/ruleset.h"

enum side { SIDE_NONE, SIDE_INSIDE, SIDE_OUTSIDE, SIDE_LO };
enum owner { OWNER_NFT, OWNER_IPTABLES, OWNER_DOCKER, OWNER_UFW, OWNER_FIREWALLD };

/* What should pass, and what it is when it does not. */
static const struct trial {
	uint32_t hook;
	enum side iif, oif;
	uint32_t state;
	bool is_dnat;
	bool is_among; /* between containers: by routing, or with br_netfilter */
	enum severity severity;
	const char *what;
} trials[] = {
	{LOOK_FORWARD, SIDE_INSIDE, SIDE_OUTSIDE, LOOK_NEW, false, false, SEVERITY_ERROR,
	 "what containers send out"},
	{LOOK_FORWARD, SIDE_OUTSIDE, SIDE_INSIDE, LOOK_ESTABLISHED, false, false, SEVERITY_ERROR,
	 "replies to containers"},
	{LOOK_FORWARD, SIDE_OUTSIDE, SIDE_INSIDE, LOOK_NEW, true, false, SEVERITY_ERROR,
	 "published ports"},
	{LOOK_FORWARD, SIDE_INSIDE, SIDE_INSIDE, LOOK_NEW, false, true, SEVERITY_ERROR,
	 "traffic between containers"},
	{LOOK_PREROUTING, SIDE_INSIDE, SIDE_NONE, LOOK_NEW, false, false, SEVERITY_ERROR,
	 "what containers send"},
	{LOOK_PREROUTING, SIDE_OUTSIDE, SIDE_NONE, LOOK_NEW, false, false, SEVERITY_ERROR,
	 "published ports"},
	{LOOK_POSTROUTING, SIDE_NONE, SIDE_OUTSIDE, LOOK_NEW, false, false, SEVERITY_ERROR,
	 "what containers send out"},
	{LOOK_POSTROUTING, SIDE_NONE, SIDE_INSIDE, LOOK_NEW, true, false, SEVERITY_ERROR,
	 "published ports"},
	{LOOK_INPUT, SIDE_LO, SIDE_NONE, LOOK_NEW, false, false, SEVERITY_ERROR,
	 "published ports on 127.0.0.1 and ::1"},
	{LOOK_INPUT, SIDE_INSIDE, SIDE_NONE, LOOK_ESTABLISHED, false, false, SEVERITY_WARNING,
	 "what containers answer to the host itself"},
	{LOOK_INPUT, SIDE_INSIDE, SIDE_NONE, LOOK_NEW, false, false, SEVERITY_NOTE,
	 "containers that connect to the host itself"},
	{LOOK_INPUT, SIDE_OUTSIDE, SIDE_NONE, LOOK_NEW, false, false, SEVERITY_NOTE,
	 "ports that ordinary users publish"},
	{LOOK_OUTPUT, SIDE_NONE, SIDE_OUTSIDE, LOOK_NEW, false, false, SEVERITY_ERROR,
	 "what slirp-lite sends for ordinary users"},
	{LOOK_OUTPUT, SIDE_NONE, SIDE_INSIDE, LOOK_NEW, false, false, SEVERITY_WARNING,
	 "the host's own connections to containers"},
};
#define N_TRIALS (sizeof(trials) / sizeof(trials[0]))

/* What a chain stops. One bit a trial, one an interface that containers are behind. */
struct stopped {
	uint32_t trials;
	uint64_t inside[3]; /* SIDE_INSIDE: by which side of the trial: [1] iif, [2] oif */
	bool is_sure;       /* at least one for certain */
	bool is_unsure;     /* at least one only perhaps */
	bool is_meant;      /* a rule that names our interface does it */
	bool by_bridge_nf;
	enum severity severity;
};

_Static_assert(N_TRIALS <= 32, "bits of stopped.trials");
_Static_assert(FACTS_INSIDE_MAX <= 64, "bits of stopped.inside");

static bool is_ours(const struct nftlook_chain *c)
{
	return (strcmp(c->table, RULESET_TABLE) == 0 &&
		(c->family == LOOK_INET || c->family == LOOK_BRIDGE)) ||
	       (strcmp(c->table, RULESET_KEEP) == 0 && c->family == LOOK_INET);
}

static const struct nftlook_table *table_of(const struct facts *f, const struct nftlook_chain *c)
{
	for (size_t i = 0; i < f->rules.n_table; i++)
		if (f->rules.table[i].family == c->family &&
		    strcmp(f->rules.table[i].name, c->table) == 0)
			return &f->rules.table[i];
	return NULL;
}

static bool has_chain(const struct facts *f, const struct nftlook_chain *beside, const char *begin)
{
	for (size_t i = 0; i < f->rules.n_chain; i++)
		if (f->rules.chain[i].family == beside->family &&
		    strcmp(f->rules.chain[i].table, beside->table) == 0 &&
		    strncmp(f->rules.chain[i].name, begin, strlen(begin)) == 0)
			return true;
	return false;
}

static enum owner owner_of(const struct facts *f, const struct nftlook_chain *c)
{
	if (strcmp(c->table, "firewalld") == 0)
		return OWNER_FIREWALLD;
	if ((c->family != LOOK_IP && c->family != LOOK_IP6) || strcmp(c->table, "filter") != 0)
		return OWNER_NFT;
	if (strcmp(c->name, "FORWARD") == 0 && has_chain(f, c, "DOCKER-USER"))
		return OWNER_DOCKER;
	if (has_chain(f, c, "ufw-") || has_chain(f, c, "ufw6-"))
		return OWNER_UFW;
	return c->name[0] >= 'A' && c->name[0] <= 'Z' ? OWNER_IPTABLES : OWNER_NFT;
}

/* ---- trying ---- */

/* An interface as a packet shows it. Frames show ports of the bridge. */
static const char *name_of(const struct facts *f, enum side s, const struct facts_inside *x,
			   int fam, bool is_bridge_family)
{
	switch (s) {
	case SIDE_INSIDE:
		return x->is_prefix || is_bridge_family ? "nu0" : x->ifname;
	case SIDE_OUTSIDE:
		return f->uplink[fam];
	case SIDE_LO:
		return "lo";
	case SIDE_NONE:
		break;
	}
	return "";
}

static bool applies(const struct facts *f, const struct trial *t, const struct facts_inside *x,
		    int fam, const struct nftlook_chain *c)
{
	bool is_out = t->iif == SIDE_OUTSIDE || t->oif == SIDE_OUTSIDE;

	if (t->hook != c->hook || !x->has[fam] || (is_out && !f->uplink[fam][0]))
		return false;
	if (c->family == LOOK_BRIDGE) /* ports of the bridge alone */
		return !is_out && t->iif != SIDE_LO && !x->is_prefix &&
		       (!t->is_among || !x->is_isolated);
	if (x->is_internal && (is_out || t->is_dnat))
		return false;
	return !t->is_among || (!x->is_isolated && (x->is_prefix || f->bridge_nf[fam] == 1));
}

static void try_one(const struct facts *f, uint32_t chain, size_t k, size_t i, int fam,
		    struct stopped *s)
{
	const struct nftlook_chain *c = &f->rules.chain[chain];
	const struct facts_inside *x = &f->inside[i];
	const struct trial *t = &trials[k];
	bool is_bridge = c->family == LOOK_BRIDGE;
	struct flow w = {.family = fam == FAM4 ? LOOK_IP : LOOK_IP6,
			 .iif = name_of(f, t->iif, x, fam, is_bridge),
			 .oif = name_of(f, t->oif, x, fam, is_bridge),
			 .state = t->state,
			 .is_dnat = t->is_dnat};
	enum severity sev = t->severity;
	bool is_meant = false;

	if (!applies(f, t, x, fam, c) || (!is_bridge && !walk_sees(c, &w)))
		return;
	if (t->iif == SIDE_INSIDE || t->oif == SIDE_INSIDE)
		w.ours = name_of(f, SIDE_INSIDE, x, fam, is_bridge);
	enum passage p = walk_chain(&f->rules, chain, &w, &is_meant);
	if (p == PASSES || (p == MAY_BE_DROPPED && t->severity == SEVERITY_NOTE))
		return;
	if (p == MAY_BE_DROPPED)
		sev = SEVERITY_WARNING;
	s->is_sure = s->is_sure || p == IS_DROPPED;
	s->is_unsure = s->is_unsure || p == MAY_BE_DROPPED;
	s->is_meant = s->is_meant || is_meant;
	s->trials |= 1u << k;
	s->by_bridge_nf = s->by_bridge_nf || (t->is_among && !x->is_prefix && !is_bridge);
	if (sev > s->severity)
		s->severity = sev;
	if (sev == SEVERITY_NOTE && t->iif != SIDE_INSIDE)
		return;
	if (t->iif == SIDE_INSIDE)
		s->inside[1] |= 1ull << i;
	if (t->oif == SIDE_INSIDE)
		s->inside[2] |= 1ull << i;
}

static void try_chain(const struct facts *f, uint32_t chain, struct stopped *s)
{
	for (size_t k = 0; k < N_TRIALS; k++)
		for (size_t i = 0; i < f->n_inside; i++)
			for (int fam = 0; fam < N_FAM; fam++)
				try_one(f, chain, k, i, fam, s);
}

/* ---- telling ---- */

static void say_what(enum owner o, const struct stopped *s, struct finding *to)
{
	static const char *const names[] = {
		[OWNER_NFT] = "a firewall",      [OWNER_IPTABLES] = "the iptables firewall",
		[OWNER_DOCKER] = "Docker",       [OWNER_UFW] = "ufw",
		[OWNER_FIREWALLD] = "firewalld",
	};
	const char *sep = " ";

	buf_printf(&to->what, "%s %s", names[o], s->is_sure ? "drops" : "may drop");
	for (size_t k = 0; k < N_TRIALS; k++) {
		if (!(s->trials & (1u << k)))
			continue;
		buf_printf(&to->what, "%s%s", sep, trials[k].what);
		sep = ", ";
	}
}

/* One accept: on the way in (side 1) or out (side 2) by an interface. */
struct accept {
	const struct nftlook_chain *c;
	enum owner owner;
	int side;
	const char *name;
	bool is_prefix;
};

static void say_nft(const struct accept *a, const char *chain, struct buf *out)
{
	buf_printf(out, "insert rule %s %s %s %s \"%s%s\" accept", nftlook_family_str(a->c->family),
		   a->c->table, chain, a->side == 1 ? "iifname" : "oifname", a->name,
		   a->is_prefix ? "*" : "");
}

static void say_accept(const struct accept *a, struct buf *out)
{
	const char *tool = a->c->family == LOOK_IP6 ? "ip6tables" : "iptables";
	const char *any = a->is_prefix ? "+" : "";
	const char *way = a->side == 1 ? "in" : "out";

	buf_printf(out, "%s", out->len ? " && " : "");
	switch (a->owner) {
	case OWNER_DOCKER:
	case OWNER_IPTABLES:
		buf_printf(out, "%s -I %s -%c %s%s -j ACCEPT", tool,
			   a->owner == OWNER_DOCKER ? "DOCKER-USER" : a->c->name, way[0], a->name,
			   any);
		break;
	case OWNER_UFW:
		buf_printf(out, "ufw %sallow %s on %s%s",
			   a->c->hook == LOOK_FORWARD ? "route " : "", way, a->name, any);
		break;
	case OWNER_FIREWALLD:
		buf_printf(out, "firewall-cmd --permanent --zone=trusted --add-interface=%s%s",
			   a->name, any);
		break;
	case OWNER_NFT:
		buf_printf(out, "nft '");
		say_nft(a, a->c->name, out);
		buf_printf(out, "'");
		break;
	}
}

/* Names that nft reads as such, without quotes. */
static bool is_plain(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	return *s && strchr(letters, *s) &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
			   "0123456789.-/")] == '\0';
}

static bool can_fix(const struct facts *f, const struct nftlook_chain *c)
{
	const struct nftlook_table *t = table_of(f, c);

	return f->is_powerful && t && !t->is_owned && is_plain(c->table) && is_plain(c->name);
}

/* is_safe: it is ours to allow: our own interfaces and the host's talk with itself, where a policy
 * or the last rule of all drops them and not somebody's wish. */
static void add_accept(const struct facts *f, struct accept a, bool is_safe, struct finding *to)
{
	/* A zone has an interface once, whatever the side. */
	if (a.owner != OWNER_FIREWALLD || a.side == 1 || !to->remedy.len)
		say_accept(&a, &to->remedy);
	if (!is_safe || to->severity == SEVERITY_NOTE || !can_fix(f, a.c))
		return;
	to->fix.kind = FIX_NFT;
	say_nft(&a, a.owner == OWNER_DOCKER ? "DOCKER-USER" : a.c->name, &to->fix.text);
	buf_printf(&to->fix.text, "\n");
}

static void say_remedy(const struct facts *f, const struct nftlook_chain *c, enum owner o,
		       const struct stopped *s, struct finding *to)
{
	struct accept a = {.c = c, .owner = o};
	bool is_strict = false, is_safe = !s->is_unsure && !s->is_meant;

	for (a.side = 1; a.side <= 2; a.side++)
		for (size_t i = 0; i < f->n_inside; i++) {
			const struct facts_inside *x = &f->inside[i];
			bool is_port = c->family == LOOK_BRIDGE;
			if (!(s->inside[a.side] & (1ull << i)))
				continue;
			a.name = is_port ? "nu" : x->ifname;
			a.is_prefix = is_port || x->is_prefix;
			add_accept(f, a, is_safe, to);
			if (is_port)
				break;
		}
	for (size_t k = 0; k < N_TRIALS; k++) {
		const struct trial *t = &trials[k];
		bool has_out = t->iif == SIDE_OUTSIDE || t->oif == SIDE_OUTSIDE;
		if (!(s->trials & (1u << k)))
			continue;
		is_strict = is_strict || (t->is_dnat && t->iif == SIDE_OUTSIDE);
		if (t->iif == SIDE_INSIDE || t->oif == SIDE_INSIDE)
			continue;
		a.side = t->iif != SIDE_NONE ? 1 : 2;
		a.name = has_out ? f->uplink[f->uplink[FAM4][0] ? FAM4 : FAM6] : "lo";
		a.is_prefix = false;
		add_accept(f, a, is_safe && !has_out, to);
	}
	if (o != OWNER_FIREWALLD)
		return;
	if (is_strict)
		buf_printf(&to->remedy,
			   " && sed -i s/^StrictForwardPorts=.*/StrictForwardPorts=no/ "
			   "/etc/firewalld/firewalld.conf");
	buf_printf(&to->remedy, " && firewall-cmd --reload");
}

static void tell(const struct facts *f, const struct nftlook_chain *c, const struct stopped *s,
		 struct findings *out)
{
	static const char *const ids[] = {
		[LOOK_PREROUTING] = "prerouting-chain",   [LOOK_INPUT] = "input-chain",
		[LOOK_FORWARD] = "forward-chain",         [LOOK_OUTPUT] = "output-chain",
		[LOOK_POSTROUTING] = "postrouting-chain",
	};
	enum owner o = owner_of(f, c);
	struct finding *to = findings_add(out, s->severity, ids[c->hook]);

	say_what(o, s, to);
	buf_printf(&to->evidence, "table %s %s, chain %s, hook %s, policy %s%s",
		   nftlook_family_str(c->family), c->table, c->name, nftlook_hook_str(c->hook),
		   c->is_drop ? "drop" : "accept but a rule drops",
		   s->by_bridge_nf ? "; br_netfilter is on" : "");
	if (s->is_unsure)
		buf_printf(&to->evidence, "; some of its rules could not be judged");
	if (s->is_meant)
		buf_printf(&to->evidence, "; a rule names our interface");
	say_remedy(f, c, o, s, to);
}

/* The programs of old iptables keep their chains elsewhere. */
static void check_legacy(const struct facts *f, struct findings *out)
{
	for (int fam = 0; fam < N_FAM; fam++) {
		const char *sep = "";
		if (!f->is_legacy_drop[fam])
			continue;
		struct finding *to = findings_add(out, SEVERITY_WARNING, "legacy-forward-policy");
		buf_printf(&to->what, "the iptables-legacy firewall may drop what is forwarded");
		buf_printf(&to->evidence, "%s: policy of FORWARD is DROP",
			   fam == FAM4 ? "ip_tables" : "ip6_tables");
		for (size_t i = 0; i < f->n_inside; i++) {
			const struct facts_inside *x = &f->inside[i];
			for (int side = 0; side < 2; side++, sep = " && ")
				buf_printf(&to->remedy, "%s%s -I FORWARD -%c %s%s -j ACCEPT", sep,
					   fam == FAM4 ? "iptables-legacy" : "ip6tables-legacy",
					   side ? 'o' : 'i', x->ifname, x->is_prefix ? "+" : "");
		}
	}
}

void check_rules(const struct facts *f, struct findings *out)
{
	for (uint32_t i = 0; f->has_rules && i < f->rules.n_chain; i++) {
		const struct nftlook_chain *c = &f->rules.chain[i];
		const struct nftlook_table *t = table_of(f, c);
		struct stopped s = {0};

		if (!c->is_base || !c->is_filter || c->hook > LOOK_POSTROUTING || is_ours(c) ||
		    c->family == LOOK_NETDEV || c->family == LOOK_ARP || (t && t->is_dormant))
			continue;
		try_chain(f, i, &s);
		if (s.trials)
			tell(f, c, &s, out);
	}
	check_legacy(f, out);
}
