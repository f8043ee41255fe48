/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules: see rules.h. */
#include "rules.h"

#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

static char room[65536] __attribute__((aligned(8)));
struct nlmsghdr *rules_msg;

void rules_begin(uint16_t type, uint8_t family)
{
	struct nfgenmsg *g;

	memset(room, 0, sizeof(room));
	rules_msg = mnl_nlmsg_put_header(room);
	rules_msg->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	g = mnl_nlmsg_put_extra_header(rules_msg, sizeof(*g));
	g->nfgen_family = family;
}

void rules_u32(uint16_t attr, uint32_t v)
{
	mnl_attr_put_u32(rules_msg, attr, htonl(v));
}

void rules_text(uint16_t attr, const char *s)
{
	mnl_attr_put_strz(rules_msg, attr, s);
}

void rules_bytes(uint16_t attr, const void *p, size_t len)
{
	mnl_attr_put(rules_msg, attr, len, p);
}

struct nlattr *rules_nest(uint16_t attr)
{
	return mnl_attr_nest_start(rules_msg, attr);
}

void rules_end(struct nlattr *nest)
{
	mnl_attr_nest_end(rules_msg, nest);
}

void rules_table(uint8_t family, const char *name)
{
	rules_begin(NFT_MSG_NEWTABLE, family);
	rules_text(NFTA_TABLE_NAME, name);
}

void rules_chain(uint8_t family, const char *table, const char *name)
{
	rules_begin(NFT_MSG_NEWCHAIN, family);
	rules_text(NFTA_CHAIN_TABLE, table);
	rules_text(NFTA_CHAIN_NAME, name);
}

void rules_base_chain(uint8_t family, const char *table, const char *name, const char *type,
		      uint32_t hook, int32_t priority, uint32_t policy)
{
	struct nlattr *nest;

	rules_chain(family, table, name);
	nest = rules_nest(NFTA_CHAIN_HOOK);
	rules_u32(NFTA_HOOK_HOOKNUM, hook);
	rules_u32(NFTA_HOOK_PRIORITY, (uint32_t)priority);
	rules_end(nest);
	rules_u32(NFTA_CHAIN_POLICY, policy);
	rules_text(NFTA_CHAIN_TYPE, type);
}

struct nlattr *rules_rule(uint8_t family, const char *table, const char *chain)
{
	rules_begin(NFT_MSG_NEWRULE, family);
	rules_text(NFTA_RULE_TABLE, table);
	rules_text(NFTA_RULE_CHAIN, chain);
	return rules_nest(NFTA_RULE_EXPRESSIONS);
}

/* ---- expressions ---- */

static struct nlattr *outer, *inner;

static void begin(const char *name)
{
	outer = rules_nest(NFTA_LIST_ELEM);
	rules_text(NFTA_EXPR_NAME, name);
	inner = rules_nest(NFTA_EXPR_DATA);
}

static void end(void)
{
	rules_end(inner);
	rules_end(outer);
}

static void value(uint16_t attr, const void *p, size_t len)
{
	struct nlattr *nest = rules_nest(attr);

	rules_bytes(NFTA_DATA_VALUE, p, len);
	rules_end(nest);
}

void rules_meta(uint32_t key, uint32_t reg)
{
	begin("meta");
	rules_u32(NFTA_META_KEY, key);
	rules_u32(NFTA_META_DREG, reg);
	end();
}

void rules_ct(uint32_t key, uint32_t reg)
{
	begin("ct");
	rules_u32(NFTA_CT_KEY, key);
	rules_u32(NFTA_CT_DREG, reg);
	end();
}

void rules_payload(uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	begin("payload");
	rules_u32(NFTA_PAYLOAD_BASE, base);
	rules_u32(NFTA_PAYLOAD_OFFSET, offset);
	rules_u32(NFTA_PAYLOAD_LEN, len);
	rules_u32(NFTA_PAYLOAD_DREG, reg);
	end();
}

void rules_bitwise(uint32_t sreg, uint32_t dreg, const void *mask, size_t len, const void * xor,
		   size_t xor_len)
{
	begin("bitwise");
	rules_u32(NFTA_BITWISE_SREG, sreg);
	rules_u32(NFTA_BITWISE_DREG, dreg);
	value(NFTA_BITWISE_MASK, mask, len);
	if (xor)
		value(NFTA_BITWISE_XOR, xor, xor_len);
	end();
}

void rules_cmp(uint32_t reg, uint32_t op, const void *p, size_t len)
{
	begin("cmp");
	rules_u32(NFTA_CMP_SREG, reg);
	rules_u32(NFTA_CMP_OP, op);
	value(NFTA_CMP_DATA, p, len);
	end();
}

void rules_verdict(int32_t code, const char *chain)
{
	struct nlattr *data, *verdict;

	begin("immediate");
	rules_u32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = rules_nest(NFTA_IMMEDIATE_DATA);
	verdict = rules_nest(NFTA_DATA_VERDICT);
	rules_u32(NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		rules_text(NFTA_VERDICT_CHAIN, chain);
	rules_end(verdict);
	rules_end(data);
	end();
}

void rules_lookup(const char *set, uint32_t sreg, uint32_t dreg, uint32_t flags)
{
	begin("lookup");
	if (set)
		rules_text(NFTA_LOOKUP_SET, set);
	rules_u32(NFTA_LOOKUP_SREG, sreg);
	if (dreg != NO_REG)
		rules_u32(NFTA_LOOKUP_DREG, dreg);
	if (flags)
		rules_u32(NFTA_LOOKUP_FLAGS, flags);
	end();
}

void rules_match(const char *name, uint32_t rev, const void *info, size_t len)
{
	begin("match");
	if (name)
		rules_text(NFTA_MATCH_NAME, name);
	rules_u32(NFTA_MATCH_REV, rev);
	if (info)
		rules_bytes(NFTA_MATCH_INFO, info, len);
	end();
}

void rules_target(const char *name)
{
	begin("target");
	if (name)
		rules_text(NFTA_TARGET_NAME, name);
	end();
}

void rules_other(const char *name)
{
	begin(name);
	end();
}
