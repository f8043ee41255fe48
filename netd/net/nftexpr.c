/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftexpr: a rule is a list of expressions that load registers, compare them and set a verdict.
 * What a register holds is followed for the few things we look at; a comparison of anything else is
 * a condition that is not understood. iptables' programs over nf_tables use the kernel's xtables
 * matches and targets for some of it: two of them are read. Read linux/netfilter/nf_tables.h.
 */
#include "net/nftexpr.h"

#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

#include <libmnl/libmnl.h>

#include "net/attr.h"

/* Registers are numbered in two ways: 1..4 of 16 bytes, 8..23 of 4. */
#define N_REG 24

enum holds {
	HOLDS_OTHER,
	HOLDS_IIF,
	HOLDS_OIF,
	HOLDS_NFPROTO,
	HOLDS_L4PROTO,
	HOLDS_STATE,
	HOLDS_STATUS
};

struct reg {
	enum holds what;
	bool is_masked;
	uint32_t mask;
};

struct reading {
	struct nftlook_rule *rule;
	uint8_t family;
	struct reg reg[N_REG];
	bool has_verdict;
};

static bool get_u32(const struct nlattr *nest, uint16_t type, uint32_t *ret)
{
	const struct nlattr *a = attr_below(nest, type);

	if (!a || mnl_attr_get_payload_len(a) < sizeof(uint32_t))
		return false;
	*ret = ntohl(mnl_attr_get_u32(a));
	return true;
}

static bool get_text(const struct nlattr *a, char *out, size_t size)
{
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;
	size_t n = len ? strnlen(mnl_attr_get_payload(a), len) : 0;

	if (n == 0 || n >= size)
		return false;
	memcpy(out, mnl_attr_get_payload(a), n);
	out[n] = '\0';
	return true;
}

/* NULL when there is no such register. */
static struct reg *reg_of(struct reading *r, const struct nlattr *data, uint16_t type)
{
	uint32_t n;

	return get_u32(data, type, &n) && n > NFT_REG_VERDICT && n < N_REG ? &r->reg[n] : NULL;
}

static void load(struct reading *r, const struct nlattr *data, uint16_t type, enum holds what)
{
	struct reg *to = reg_of(r, data, type);

	if (to)
		*to = (struct reg){.what = what};
}

static void take_meta(struct reading *r, const struct nlattr *data)
{
	uint32_t key = UINT32_MAX;

	get_u32(data, NFTA_META_KEY, &key);
	load(r, data, NFTA_META_DREG,
	     key == NFT_META_IIFNAME   ? HOLDS_IIF
	     : key == NFT_META_OIFNAME ? HOLDS_OIF
	     : key == NFT_META_NFPROTO ? HOLDS_NFPROTO
	     : key == NFT_META_L4PROTO ? HOLDS_L4PROTO
				       : HOLDS_OTHER);
}

/* The protocol in the network header: of IPv4 (in a table that sees nothing else) and IPv6. */
static void take_payload(struct reading *r, const struct nlattr *data)
{
	uint32_t base = UINT32_MAX, offset = UINT32_MAX, len = 0;
	bool is_proto;

	get_u32(data, NFTA_PAYLOAD_BASE, &base);
	get_u32(data, NFTA_PAYLOAD_OFFSET, &offset);
	get_u32(data, NFTA_PAYLOAD_LEN, &len);
	is_proto =
		base == NFT_PAYLOAD_NETWORK_HEADER && len == 1 &&
		((offset == 9 && r->family == LOOK_IP) || (offset == 6 && r->family == LOOK_IP6));
	load(r, data, NFTA_PAYLOAD_DREG, is_proto ? HOLDS_L4PROTO : HOLDS_OTHER);
}

static void take_ct(struct reading *r, const struct nlattr *data)
{
	uint32_t key = UINT32_MAX;

	get_u32(data, NFTA_CT_KEY, &key);
	load(r, data, NFTA_CT_DREG,
	     key == NFT_CT_STATE    ? HOLDS_STATE
	     : key == NFT_CT_STATUS ? HOLDS_STATUS
				    : HOLDS_OTHER);
}

/* The value of a NFTA_DATA_VALUE below nest; its length, 0 for none. */
static size_t value_of(const struct nlattr *nest, const void **ret)
{
	const struct nlattr *a = attr_below(nest, NFTA_DATA_VALUE);

	*ret = a ? mnl_attr_get_payload(a) : NULL;
	return a ? mnl_attr_get_payload_len(a) : 0;
}

static void take_bitwise(struct reading *r, const struct nlattr *data)
{
	struct reg *from = reg_of(r, data, NFTA_BITWISE_SREG);
	struct reg *to = reg_of(r, data, NFTA_BITWISE_DREG);
	struct reg now = {.what = HOLDS_OTHER};
	const void *mask, *xor;
	size_t len = value_of(attr_below(data, NFTA_BITWISE_MASK), &mask);
	size_t xor_len = value_of(attr_below(data, NFTA_BITWISE_XOR), &xor);
	uint32_t zero = 0;

	if (from && !from->is_masked && len == sizeof(uint32_t) &&
	    (from->what == HOLDS_STATE || from->what == HOLDS_STATUS) &&
	    (xor_len == 0 || (xor_len == sizeof(zero) && memcmp(xor, &zero, sizeof(zero)) == 0))) {
		now = *from;
		now.is_masked = true;
		memcpy(&now.mask, mask, sizeof(now.mask));
	}
	if (to)
		*to = now;
}

/* A second condition on the same thing, or one that does not fit, is not understood. */
static bool take_if(struct nftlook_if *to, const void *value, size_t len, bool is_not)
{
	size_t n = len ? strnlen(value, len) : 0;

	if (to->name[0] || n == 0 || n >= sizeof(to->name))
		return false;
	memcpy(to->name, value, n);
	to->name[n] = '\0';
	/* A whole name is compared with its NUL. */
	to->is_prefix = n == len;
	to->is_not = is_not;
	return true;
}

static bool compare(struct reading *r, const struct reg *g, uint32_t op, const void *value,
		    size_t len)
{
	struct nftlook_rule *x = r->rule;
	bool is_not = op == NFT_CMP_NEQ;
	uint32_t word;

	if (op != NFT_CMP_EQ && op != NFT_CMP_NEQ)
		return false;
	if (g->what == HOLDS_IIF || g->what == HOLDS_OIF)
		return take_if(g->what == HOLDS_IIF ? &x->iif : &x->oif, value, len, is_not);
	if (g->what == HOLDS_NFPROTO && !is_not && len == 1 && !x->nfproto) {
		x->nfproto = *(const uint8_t *)value;
		return x->nfproto == LOOK_IP || x->nfproto == LOOK_IP6;
	}
	if (g->what == HOLDS_L4PROTO && !is_not && len == 1 && !x->l4proto) {
		x->l4proto = *(const uint8_t *)value;
		return x->l4proto != 0;
	}
	if (len != sizeof(word) || !g->is_masked || !is_not)
		return false;
	memcpy(&word, value, sizeof(word));
	if (word != 0)
		return false;
	/* "any of these bits" */
	if (g->what == HOLDS_STATE && !x->states) {
		x->states = g->mask;
		return g->mask != 0;
	}
	if (g->what == HOLDS_STATUS && g->mask == IPS_DST_NAT) {
		x->is_dnat = true;
		return true;
	}
	return false;
}

static void take_cmp(struct reading *r, const struct nlattr *data)
{
	const struct reg *g = reg_of(r, data, NFTA_CMP_SREG);
	uint32_t op = UINT32_MAX;
	const void *value;
	size_t len = value_of(attr_below(data, NFTA_CMP_DATA), &value);

	get_u32(data, NFTA_CMP_OP, &op);
	if (!g || !compare(r, g, op, value, len))
		r->rule->is_condition = true;
}

static void decide(struct reading *r, enum nftlook_verdict v)
{
	r->rule->verdict = v;
	r->has_verdict = true;
}

/* False: it does not end the rule. */
static bool verdict_of(const struct nlattr *verdict, struct nftlook_rule *x)
{
	uint32_t code = 0;

	x->verdict = LOOK_UNKNOWN; /* queue and what may come */
	if (!get_u32(verdict, NFTA_VERDICT_CODE, &code))
		return true;
	switch ((int32_t)code) {
	case NF_ACCEPT:
		x->verdict = LOOK_ACCEPT;
		break;
	case NF_DROP:
		x->verdict = LOOK_DROP;
		break;
	case NFT_RETURN:
		x->verdict = LOOK_RETURN;
		break;
	case NFT_JUMP:
	case NFT_GOTO:
		if (get_text(attr_below(verdict, NFTA_VERDICT_CHAIN), x->target, sizeof(x->target)))
			x->verdict = (int32_t)code == NFT_JUMP ? LOOK_JUMP : LOOK_GOTO;
		break;
	case NFT_CONTINUE:
		return false;
	default:
		break;
	}
	return true;
}

static void take_immediate(struct reading *r, const struct nlattr *data)
{
	const struct nlattr *verdict =
		attr_below(attr_below(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
	uint32_t to = UINT32_MAX;

	if (!get_u32(data, NFTA_IMMEDIATE_DREG, &to) || to != NFT_REG_VERDICT)
		load(r, data, NFTA_IMMEDIATE_DREG, HOLDS_OTHER);
	else if (verdict_of(verdict, r->rule))
		r->has_verdict = true;
}

static enum nftlook_lookup lookup_of(const struct nftlook_rule *x, const struct reg *g)
{
	if (!g || g->is_masked || x->lookup != LOOK_NO_SET)
		return LOOK_NO_SET;
	if (g->what == HOLDS_IIF && !x->iif.name[0])
		return LOOK_IIF;
	if (g->what == HOLDS_OIF && !x->oif.name[0])
		return LOOK_OIF;
	return g->what == HOLDS_STATE && !x->states ? LOOK_STATE : LOOK_NO_SET;
}

/* Maps of verdicts, and sets. */
static void take_lookup(struct reading *r, const struct nlattr *data)
{
	struct nftlook_rule *x = r->rule;
	enum nftlook_lookup k = lookup_of(x, reg_of(r, data, NFTA_LOOKUP_SREG));
	uint32_t to = UINT32_MAX, flags = 0;
	bool has_to = get_u32(data, NFTA_LOOKUP_DREG, &to);

	get_u32(data, NFTA_LOOKUP_FLAGS, &flags);
	if (has_to && to == NFT_REG_VERDICT)
		decide(r, LOOK_UNKNOWN);
	else if (has_to)
		load(r, data, NFTA_LOOKUP_DREG, HOLDS_OTHER);
	if (k == LOOK_NO_SET || flags || (has_to && to != NFT_REG_VERDICT) ||
	    !get_text(attr_below(data, NFTA_LOOKUP_SET), x->set, sizeof(x->set))) {
		x->is_condition = true;
		return;
	}
	x->lookup = k;
	x->is_map = has_to;
}

bool nftexpr_element(const struct nlattr *one, const struct nftlook_rule *from,
		     struct nftlook_rule *ret)
{
	const struct nlattr *data = attr_below(one, NFTA_SET_ELEM_DATA);
	struct nftlook_rule x = *from;
	uint32_t flags = 0;
	const void *key;
	size_t len = value_of(attr_below(one, NFTA_SET_ELEM_KEY), &key);

	get_u32(one, NFTA_SET_ELEM_FLAGS, &flags);
	if (flags || len == 0 || attr_below(one, NFTA_SET_ELEM_KEY_END))
		return false;
	if (from->lookup == LOOK_STATE) {
		if (len != sizeof(x.states))
			return false;
		memcpy(&x.states, key, sizeof(x.states));
		if (!x.states)
			return false;
	} else if (!take_if(from->lookup == LOOK_IIF ? &x.iif : &x.oif, key, len, false)) {
		return false;
	}
	if (from->is_map && !verdict_of(attr_below(data, NFTA_DATA_VERDICT), &x))
		return false;
	x.lookup = LOOK_NO_SET;
	*ret = x;
	return true;
}

/* xtables' matches of connection states. */
static bool match_states(struct nftlook_rule *x, uint32_t states)
{
	const uint32_t all = LOOK_INVALID | LOOK_ESTABLISHED | LOOK_RELATED | LOOK_NEW;

	if (states == XT_CONNTRACK_STATE_DNAT && !x->is_dnat) {
		x->is_dnat = true;
		return true;
	}
	if (!states || (states & ~all) || x->states)
		return false;
	x->states = states;
	return true;
}

static bool match_known(struct nftlook_rule *x, const char *name, uint32_t rev, const void *info,
			size_t len)
{
	struct xt_conntrack_mtinfo3 c = {0};
	struct xt_state_info s;
	/* The second revision is this much of the third. */
	size_t want = offsetof(struct xt_conntrack_mtinfo3, origsrc_port_high);

	if (strcmp(name, "comment") == 0)
		return true;
	if (strcmp(name, "state") == 0 && len >= sizeof(s)) {
		memcpy(&s, info, sizeof(s));
		return match_states(x, s.statemask);
	}
	if (strcmp(name, "conntrack") != 0 || rev < 2 || len < want)
		return false;
	memcpy(&c, info, want);
	return c.match_flags == XT_CONNTRACK_STATE && c.invert_flags == 0 &&
	       match_states(x, c.state_mask);
}

static void take_match(struct reading *r, const struct nlattr *data)
{
	const struct nlattr *info = attr_below(data, NFTA_MATCH_INFO);
	char name[32];
	uint32_t rev = 0;

	get_u32(data, NFTA_MATCH_REV, &rev);
	if (!info || !get_text(attr_below(data, NFTA_MATCH_NAME), name, sizeof(name)) ||
	    !match_known(r->rule, name, rev, mnl_attr_get_payload(info),
			 mnl_attr_get_payload_len(info)))
		r->rule->is_condition = true;
}

static void take_target(struct reading *r, const struct nlattr *data)
{
	char name[32];

	if (!get_text(attr_below(data, NFTA_TARGET_NAME), name, sizeof(name)))
		decide(r, LOOK_UNKNOWN);
	else if (strcmp(name, "REJECT") == 0)
		decide(r, LOOK_DROP);
	/* Others mark, log or translate. */
}

static void take_other(struct reading *r, const struct nlattr *data, const char *name)
{
	static const char *const silent[] = {"counter", "log", "notrack",      "nat",    "masq",
					     "dup",     "fwd", "flow_offload", "objref", "redir"};

	(void)data;
	if (strcmp(name, "reject") == 0) {
		decide(r, LOOK_DROP);
		return;
	}
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		if (strcmp(name, silent[i]) == 0)
			return;
	/* What loads a register that nobody follows, and what is a condition itself. */
	if (strcmp(name, "fib") != 0 && strcmp(name, "rt") != 0 && strcmp(name, "socket") != 0 &&
	    strcmp(name, "exthdr") != 0 && strcmp(name, "hash") != 0 && strcmp(name, "numgen") != 0)
		r->rule->is_condition = true;
	for (int i = 0; i < N_REG; i++)
		if (r->reg[i].what != HOLDS_OTHER)
			r->reg[i] = (struct reg){.what = HOLDS_OTHER};
}

static void take(struct reading *r, const char *name, const struct nlattr *data)
{
	static const struct {
		const char *name;
		void (*take)(struct reading *r, const struct nlattr *data);
	} known[] = {
		{"meta", take_meta},           {"ct", take_ct},       {"payload", take_payload},
		{"bitwise", take_bitwise},     {"cmp", take_cmp},     {"lookup", take_lookup},
		{"immediate", take_immediate}, {"match", take_match}, {"target", take_target},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0) {
			known[i].take(r, data);
			return;
		}
	take_other(r, data, name);
}

bool nftexpr_rule(const struct nlattr *list, uint8_t family, struct nftlook_rule *ret)
{
	struct reading r = {.rule = ret, .family = family};
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, list)
	{
		char name[32];

		if (mnl_attr_get_type(a) != NFTA_LIST_ELEM)
			continue;
		if (get_text(attr_below(a, NFTA_EXPR_NAME), name, sizeof(name)))
			take(&r, name, attr_below(a, NFTA_EXPR_DATA));
		else
			ret->is_condition = true;
	}
	return r.has_verdict;
}
