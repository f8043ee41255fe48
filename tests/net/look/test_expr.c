/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftexpr: rules as the kernel gives them. What is understood has its value; everything beside it
 * (another comparison, a register that was overwritten, a value of another length, a second
 * condition on the same thing) is a condition that is not understood, and never a guess.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

#include "net/nftexpr.h"
#include "rules.h"

static struct nlattr *list;
static struct nftlook_rule rule;

static void begin(void)
{
	list = rules_rule(LOOK_IP, "t", "c");
}

/* Ends the rule and reads it into `rule`. */
static bool read_as(uint8_t family)
{
	rules_end(list);
	rule = (struct nftlook_rule){0};
	return nftexpr_rule(list, family, &rule);
}

/* With a verdict at its end, without which it decides nothing. */
static void drop_as(uint8_t family)
{
	rules_verdict(NF_DROP, NULL);
	assert_true(read_as(family));
	assert_int_equal(rule.verdict, LOOK_DROP);
}

static void drop(void)
{
	drop_as(LOOK_IP);
}

static void cmp_name(uint32_t reg, const char *name)
{
	char room[16] = "";

	strncpy(room, name, sizeof(room) - 1);
	rules_cmp(reg, NFT_CMP_EQ, room, sizeof(room));
}

static void cmp_byte(uint32_t reg, uint32_t op, uint8_t v)
{
	rules_cmp(reg, op, &v, sizeof(v));
}

/* "ct state (or status) v" in register 1 */
static void any_of(uint32_t key, uint32_t v)
{
	const uint32_t zero = 0;

	rules_ct(key, 1);
	rules_bitwise(1, 1, &v, sizeof(v), &zero, sizeof(zero));
	rules_cmp(1, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void test_verdicts(void **state)
{
	static const struct {
		int32_t code;
		const char *chain;
		enum nftlook_verdict v;
	} table[] = {
		{NF_ACCEPT, NULL, LOOK_ACCEPT},  {NF_DROP, NULL, LOOK_DROP},
		{NFT_RETURN, NULL, LOOK_RETURN}, {NFT_JUMP, "next", LOOK_JUMP},
		{NFT_GOTO, "next", LOOK_GOTO},   {NFT_JUMP, NULL, LOOK_UNKNOWN},
		{NFT_GOTO, NULL, LOOK_UNKNOWN},  {NFT_JUMP, "", LOOK_UNKNOWN},
		{NF_QUEUE, NULL, LOOK_UNKNOWN},  {NFT_BREAK, NULL, LOOK_UNKNOWN},
		{INT32_MIN, NULL, LOOK_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		begin();
		rules_verdict(table[i].code, table[i].chain);
		assert_true(read_as(LOOK_IP));
		assert_int_equal(rule.verdict, table[i].v);
		assert_false(rule.is_condition);
		assert_string_equal(rule.target,
				    rule.verdict == LOOK_JUMP || rule.verdict == LOOK_GOTO
					    ? table[i].chain
					    : "");
	}
	/* These decide nothing. */
	begin();
	rules_verdict(NFT_CONTINUE, NULL);
	assert_false(read_as(LOOK_IP));
	begin();
	assert_false(read_as(LOOK_IP));
	begin();
	rules_other("counter");
	assert_false(read_as(LOOK_IP));
	assert_false(rule.is_condition);
}

static void test_interfaces(void **state)
{
	static const char wild[] = {'v', 'e'};

	(void)state;
	begin();
	rules_meta(NFT_META_IIFNAME, 1);
	cmp_name(1, "eth0");
	rules_meta(NFT_META_OIFNAME, NFT_REG32_00);
	rules_cmp(NFT_REG32_00, NFT_CMP_NEQ, wild, sizeof(wild));
	drop();
	assert_false(rule.is_condition);
	assert_string_equal(rule.iif.name, "eth0");
	assert_false(rule.iif.is_prefix || rule.iif.is_not);
	assert_string_equal(rule.oif.name, "ve");
	assert_true(rule.oif.is_prefix && rule.oif.is_not);
	/* Two of a kind, none, one that is too long, another comparison. */
	begin();
	rules_meta(NFT_META_IIFNAME, 1);
	cmp_name(1, "eth0");
	cmp_name(1, "eth1");
	drop();
	assert_true(rule.is_condition);
	assert_string_equal(rule.iif.name, "eth0");
	begin();
	rules_meta(NFT_META_IIFNAME, 1);
	rules_cmp(1, NFT_CMP_EQ, "", 0);
	drop();
	assert_true(rule.is_condition);
	begin();
	rules_meta(NFT_META_IIFNAME, 1);
	rules_cmp(1, NFT_CMP_EQ, "sixteen-letters1", 16);
	drop();
	assert_true(rule.is_condition && !rule.iif.name[0]);
	begin();
	rules_meta(NFT_META_IIFNAME, 1);
	rules_cmp(1, NFT_CMP_LT, "eth0", 5);
	drop();
	assert_true(rule.is_condition && !rule.iif.name[0]);
}

static void test_protocols(void **state)
{
	static const struct {
		uint8_t family;
		uint32_t base, offset, len;
		bool is_protocol;
	} table[] = {
		{LOOK_IP, NFT_PAYLOAD_NETWORK_HEADER, 9, 1, true},
		{LOOK_IP6, NFT_PAYLOAD_NETWORK_HEADER, 6, 1, true},
		{LOOK_IP, NFT_PAYLOAD_NETWORK_HEADER, 6, 1, false},
		{LOOK_IP6, NFT_PAYLOAD_NETWORK_HEADER, 9, 1, false},
		{LOOK_INET, NFT_PAYLOAD_NETWORK_HEADER, 9, 1, false},
		{LOOK_BRIDGE, NFT_PAYLOAD_NETWORK_HEADER, 6, 1, false},
		{LOOK_IP, NFT_PAYLOAD_NETWORK_HEADER, 9, 2, false},
		{LOOK_IP, NFT_PAYLOAD_TRANSPORT_HEADER, 9, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		begin();
		rules_payload(table[i].base, table[i].offset, table[i].len, 1);
		cmp_byte(1, NFT_CMP_EQ, IPPROTO_TCP);
		drop_as(table[i].family);
		assert_int_equal(rule.l4proto, table[i].is_protocol ? IPPROTO_TCP : 0);
		assert_int_equal(rule.is_condition, !table[i].is_protocol);
	}
	begin();
	rules_meta(NFT_META_NFPROTO, 1);
	cmp_byte(1, NFT_CMP_EQ, LOOK_IP6);
	rules_meta(NFT_META_L4PROTO, 1);
	cmp_byte(1, NFT_CMP_EQ, IPPROTO_UDP);
	drop();
	assert_false(rule.is_condition);
	assert_int_equal(rule.nfproto, LOOK_IP6);
	assert_int_equal(rule.l4proto, IPPROTO_UDP);
	for (int key = 0; key < 2; key++)
		for (int wrong = 0; wrong < 4; wrong++) {
			begin();
			rules_meta(key ? NFT_META_NFPROTO : NFT_META_L4PROTO, 1);
			if (wrong == 0)
				cmp_byte(1, NFT_CMP_NEQ, LOOK_IP);
			else if (wrong == 1)
				rules_cmp(1, NFT_CMP_EQ, "\2\2", 2);
			else if (wrong == 2)
				cmp_byte(1, NFT_CMP_EQ, 0);
			else
				for (int twice = 0; twice < 2; twice++)
					cmp_byte(1, NFT_CMP_EQ, LOOK_IP);
			drop();
			assert_true(rule.is_condition);
		}
	/* Of a family that forwarding does not have. */
	begin();
	rules_meta(NFT_META_NFPROTO, 1);
	cmp_byte(1, NFT_CMP_EQ, LOOK_ARP);
	drop();
	assert_true(rule.is_condition);
}

static void test_states(void **state)
{
	const uint32_t established = LOOK_ESTABLISHED | LOOK_RELATED, zero = 0, one = 1;

	(void)state;
	begin();
	any_of(NFT_CT_STATE, established);
	any_of(NFT_CT_STATUS, IPS_DST_NAT);
	drop();
	assert_false(rule.is_condition);
	assert_int_equal(rule.states, established);
	assert_true(rule.is_dnat);
	begin();
	any_of(NFT_CT_STATE, established);
	any_of(NFT_CT_STATE, LOOK_NEW);
	drop();
	assert_true(rule.is_condition);
	assert_int_equal(rule.states, established);
	begin();
	any_of(NFT_CT_STATE, 0);
	drop();
	assert_true(rule.is_condition);
	begin();
	any_of(NFT_CT_STATUS, IPS_SRC_NAT);
	drop();
	assert_true(rule.is_condition && !rule.is_dnat);
	begin();
	any_of(NFT_CT_MARK, 1);
	drop();
	assert_true(rule.is_condition);
	/* Without the mask; equal; to something else than 0; of another length. */
	for (int i = 0; i < 4; i++) {
		begin();
		rules_ct(NFT_CT_STATE, 1);
		if (i > 0)
			rules_bitwise(1, 1, &established, 4, NULL, 0);
		rules_cmp(1, i == 1 ? NFT_CMP_EQ : NFT_CMP_NEQ, i == 2 ? &one : &zero,
			  i == 3 ? 2 : 4);
		drop();
		assert_true(rule.is_condition && !rule.states);
	}
	/* The same, and nothing wrong with it. */
	begin();
	rules_ct(NFT_CT_STATE, 1);
	rules_bitwise(1, 2, &established, 4, NULL, 0);
	rules_cmp(2, NFT_CMP_NEQ, &zero, 4);
	drop();
	assert_false(rule.is_condition);
	assert_int_equal(rule.states, established);
}

static void test_masks(void **state)
{
	const uint32_t mask = LOOK_NEW, zero = 0, one = 1;
	const uint64_t wide = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		begin();
		if (i == 4)
			rules_meta(NFT_META_L4PROTO, 1);
		else
			rules_ct(NFT_CT_STATE, 1);
		if (i == 0) /* a mask of a mask */
			rules_bitwise(1, 1, &mask, 4, NULL, 0);
		if (i == 1) /* something is turned round */
			rules_bitwise(1, 1, &mask, 4, &one, 4);
		else if (i == 2)
			rules_bitwise(1, 1, &mask, 4, &wide, 8);
		else if (i == 3)
			rules_bitwise(1, 1, &wide, 8, NULL, 0);
		else if (i == 5) /* from a register that nobody has */
			rules_bitwise(99, 1, &mask, 4, NULL, 0);
		else
			rules_bitwise(1, 1, &mask, 4, NULL, 0);
		rules_cmp(1, NFT_CMP_NEQ, &zero, 4);
		drop();
		assert_true(rule.is_condition && !rule.states);
	}
	/* To a register that nobody has: the one it came from is as it was. */
	begin();
	rules_meta(NFT_META_IIFNAME, 1);
	rules_bitwise(1, 99, &mask, 4, NULL, 0);
	cmp_name(1, "eth0");
	drop();
	assert_false(rule.is_condition);
}

static void test_registers(void **state)
{
	struct nlattr *outer, *inner;

	(void)state;
	/* Loaded with something else, by an immediate value or by what nobody follows. */
	for (int i = 0; i < 3; i++) {
		begin();
		rules_meta(NFT_META_IIFNAME, 1);
		if (i == 0)
			rules_meta(NFT_META_MARK, 1);
		if (i == 1)
			rules_other("fib");
		if (i == 2) {
			outer = rules_nest(NFTA_LIST_ELEM);
			rules_text(NFTA_EXPR_NAME, "immediate");
			inner = rules_nest(NFTA_EXPR_DATA);
			rules_u32(NFTA_IMMEDIATE_DREG, 1);
			rules_end(inner);
			rules_end(outer);
		}
		cmp_name(1, "eth0");
		drop();
		assert_true(rule.is_condition && !rule.iif.name[0]);
	}
	/* There is no such register: 0 is the verdict's. */
	for (uint32_t reg = 0; reg < 64; reg += 24) {
		begin();
		rules_meta(NFT_META_IIFNAME, reg);
		cmp_name(reg, "eth0");
		drop();
		assert_true(rule.is_condition && !rule.iif.name[0]);
	}
	/* A number of two bytes is none. */
	begin();
	outer = rules_nest(NFTA_LIST_ELEM);
	rules_text(NFTA_EXPR_NAME, "meta");
	inner = rules_nest(NFTA_EXPR_DATA);
	rules_bytes(NFTA_META_KEY, "\0\6", 2);
	rules_u32(NFTA_META_DREG, 1);
	rules_end(inner);
	rules_end(outer);
	cmp_name(1, "eth0");
	drop();
	assert_true(rule.is_condition);
}

static void test_others(void **state)
{
	static const char *const silent[] = {"counter", "log", "notrack", "nat",  "masq",
					     "dup",     "fwd", "objref",  "redir"},
				 *const loads[] = {"fib",    "rt",   "socket",
						   "exthdr", "hash", "numgen"},
				 *const conditions[] = {"limit", "quota", "connlimit", "x"};
	struct nlattr *outer;

	(void)state;
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		begin();
		rules_other(silent[i]);
		drop();
		assert_false(rule.is_condition);
	}
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		begin();
		rules_other(loads[i]);
		drop();
		assert_false(rule.is_condition);
		begin();
		rules_other(loads[i]);
		rules_cmp(1, NFT_CMP_EQ, "x", 1);
		drop();
		assert_true(rule.is_condition);
	}
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		begin();
		rules_other(conditions[i]);
		drop();
		assert_true(rule.is_condition);
	}
	begin();
	rules_other("reject");
	assert_true(read_as(LOOK_IP));
	assert_int_equal(rule.verdict, LOOK_DROP);
	/* No name, one that is too long; what is no expression is passed over. */
	begin();
	outer = rules_nest(NFTA_LIST_ELEM);
	rules_end(outer);
	drop();
	assert_true(rule.is_condition);
	begin();
	rules_other("a-name-that-is-longer-than-any-expression-has");
	drop();
	assert_true(rule.is_condition);
	begin();
	outer = rules_nest(NFTA_LIST_ELEM + 1);
	rules_end(outer);
	drop();
	assert_false(rule.is_condition);
}

static void test_xtables(void **state)
{
	struct xt_conntrack_mtinfo3 c = {.match_flags = XT_CONNTRACK_STATE,
					 .state_mask = LOOK_ESTABLISHED | LOOK_RELATED};
	struct xt_conntrack_mtinfo3 dnat = {.match_flags = XT_CONNTRACK_STATE,
					    .state_mask = XT_CONNTRACK_STATE_DNAT};
	struct xt_state_info s = {.statemask = LOOK_NEW};
	size_t two = offsetof(struct xt_conntrack_mtinfo3, origsrc_port_high);

	(void)state;
	begin();
	rules_match("comment", 0, "x", 1);
	rules_match("conntrack", 2, &c, two);
	rules_match("conntrack", 3, &dnat, sizeof(dnat));
	drop();
	assert_false(rule.is_condition);
	assert_int_equal(rule.states, LOOK_ESTABLISHED | LOOK_RELATED);
	assert_true(rule.is_dnat);
	begin();
	rules_match("state", 0, &s, sizeof(s));
	drop();
	assert_false(rule.is_condition);
	assert_int_equal(rule.states, LOOK_NEW);
	for (int i = 0; i < 11; i++) {
		struct xt_conntrack_mtinfo3 bad = c;

		begin();
		if (i == 0) { /* a second one */
			rules_match("state", 0, &s, sizeof(s));
			rules_match("state", 0, &s, sizeof(s));
		} else if (i == 1) {
			rules_match("conntrack", 3, &dnat, sizeof(dnat));
			rules_match("conntrack", 3, &dnat, sizeof(dnat));
		} else if (i == 2) {
			rules_match("state", 0, &s, sizeof(s) - 1);
		} else if (i == 3) {
			rules_match("conntrack", 3, &c, two - 1);
		} else if (i == 4) {
			rules_match("conntrack", 1, &c, sizeof(c));
		} else if (i == 5) {
			rules_match("state", 0, NULL, 0);
		} else if (i == 6) {
			rules_match(NULL, 0, &s, sizeof(s));
		} else if (i == 7) {
			rules_match("tcp", 0, &s, sizeof(s));
		} else {
			bad.match_flags = i == 8 ? XT_CONNTRACK_STATE | XT_CONNTRACK_PROTO
						 : XT_CONNTRACK_STATE;
			bad.invert_flags = i == 9 ? XT_CONNTRACK_STATE : 0;
			bad.state_mask = i == 10 ? XT_CONNTRACK_STATE_SNAT : c.state_mask;
			rules_match("conntrack", 3, &bad, sizeof(bad));
		}
		drop();
		if (!rule.is_condition)
			fail_msg("match %d is understood", i);
	}
	begin();
	rules_target("REJECT");
	assert_true(read_as(LOOK_IP));
	assert_int_equal(rule.verdict, LOOK_DROP);
	begin();
	rules_target("MARK");
	assert_false(read_as(LOOK_IP));
	begin();
	rules_target(NULL);
	assert_true(read_as(LOOK_IP));
	assert_int_equal(rule.verdict, LOOK_UNKNOWN);
}

static void test_lookups(void **state)
{
	static const struct {
		bool is_ct;
		uint32_t key;
		enum nftlook_lookup k;
	} table[] = {
		{false, NFT_META_IIFNAME, LOOK_IIF}, {false, NFT_META_OIFNAME, LOOK_OIF},
		{true, NFT_CT_STATE, LOOK_STATE},    {true, NFT_CT_STATUS, LOOK_NO_SET},
		{false, NFT_META_MARK, LOOK_NO_SET},
	};
	const uint32_t mask = LOOK_NEW;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		/* Plainly; of a map of verdicts; turned round; of a map of other things. */
		for (int how = 0; how < 4; how++) {
			begin();
			if (table[i].is_ct)
				rules_ct(table[i].key, 1);
			else
				rules_meta(table[i].key, 1);
			rules_lookup("s", 1,
				     how == 1   ? NFT_REG_VERDICT
				     : how == 3 ? 2
						: NO_REG,
				     how == 2 ? NFT_LOOKUP_F_INV : 0);
			if (how == 1)
				assert_true(read_as(LOOK_IP));
			else
				drop();
			if (how > 1 || table[i].k == LOOK_NO_SET) {
				assert_true(rule.is_condition);
				assert_int_equal(rule.lookup, LOOK_NO_SET);
				continue;
			}
			assert_false(rule.is_condition);
			assert_int_equal(rule.lookup, table[i].k);
			assert_int_equal(rule.is_map, how == 1);
			assert_string_equal(rule.set, "s");
			if (how == 1)
				assert_int_equal(rule.verdict, LOOK_UNKNOWN);
		}
	}
	for (int i = 0; i < 7; i++) {
		begin();
		rules_meta(i == 2 ? NFT_META_OIFNAME : NFT_META_IIFNAME, 1);
		rules_ct(NFT_CT_STATE, 2);
		if (i == 0) { /* of nothing that was loaded, or that is */
			rules_lookup("s", 99, NO_REG, 0);
		} else if (i < 3) { /* what is compared already */
			cmp_name(1, "eth0");
			rules_lookup("s", 1, NO_REG, 0);
		} else if (i == 3) {
			any_of(NFT_CT_STATE, LOOK_NEW);
			rules_lookup("s", 2, NO_REG, 0);
		} else if (i == 4) {
			rules_bitwise(2, 2, &mask, 4, NULL, 0);
			rules_lookup("s", 2, NO_REG, 0);
		} else if (i == 5) { /* no set */
			rules_lookup(NULL, 1, NO_REG, 0);
		} else { /* a second one */
			rules_lookup("s", 1, NO_REG, 0);
			rules_lookup("s", 2, NO_REG, 0);
		}
		drop();
		if (!rule.is_condition)
			fail_msg("look-up %d is understood", i);
	}
}

/* An element with a key, and what else there is. */
static struct nlattr *element(const void *key, size_t len)
{
	struct nlattr *one, *nest;

	rules_begin(NFT_MSG_NEWSETELEM, LOOK_IP);
	one = rules_nest(NFTA_LIST_ELEM);
	if (key) {
		nest = rules_nest(NFTA_SET_ELEM_KEY);
		rules_bytes(NFTA_DATA_VALUE, key, len);
		rules_end(nest);
	}
	return one;
}

static bool is_understood(struct nlattr *one, enum nftlook_lookup k, bool is_map)
{
	struct nftlook_rule from = {.lookup = k, .is_map = is_map, .verdict = LOOK_DROP};

	rules_end(one);
	rule = (struct nftlook_rule){0};
	return nftexpr_element(one, &from, &rule);
}

static void test_elements(void **state)
{
	const uint32_t new = LOOK_NEW, zero = 0;
	struct nlattr *one, *data, *verdict;

	(void)state;
	assert_true(is_understood(element("eth0", 5), LOOK_IIF, false));
	assert_string_equal(rule.iif.name, "eth0");
	assert_int_equal(rule.verdict, LOOK_DROP);
	assert_int_equal(rule.lookup, LOOK_NO_SET);
	assert_true(is_understood(element("ve", 2), LOOK_OIF, false));
	assert_true(rule.oif.is_prefix);
	assert_true(is_understood(element(&new, 4), LOOK_STATE, false));
	assert_int_equal(rule.states, LOOK_NEW);
	assert_false(is_understood(element(&new, 2), LOOK_STATE, false));
	assert_false(is_understood(element(&zero, 4), LOOK_STATE, false));
	assert_false(is_understood(element("", 1), LOOK_IIF, false));
	assert_false(is_understood(element(NULL, 0), LOOK_IIF, false));
	one = element("eth0", 5);
	rules_u32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	assert_false(is_understood(one, LOOK_IIF, false));
	one = element("eth0", 5);
	data = rules_nest(NFTA_SET_ELEM_KEY_END);
	rules_end(data);
	assert_false(is_understood(one, LOOK_IIF, false));
	/* Of a map: its verdict, of which "go on" is none. */
	for (int i = 0; i < 3; i++) {
		one = element("eth0", 5);
		data = rules_nest(NFTA_SET_ELEM_DATA);
		verdict = rules_nest(NFTA_DATA_VERDICT);
		if (i < 2)
			rules_u32(NFTA_VERDICT_CODE,
				  i == 0 ? NF_ACCEPT : (uint32_t)(int32_t)NFT_CONTINUE);
		rules_end(verdict);
		rules_end(data);
		assert_int_equal(is_understood(one, LOOK_IIF, true), i != 1);
		if (i != 1)
			assert_int_equal(rule.verdict, i == 0 ? LOOK_ACCEPT : LOOK_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),  cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_protocols), cmocka_unit_test(test_states),
		cmocka_unit_test(test_masks),     cmocka_unit_test(test_registers),
		cmocka_unit_test(test_others),    cmocka_unit_test(test_xtables),
		cmocka_unit_test(test_lookups),   cmocka_unit_test(test_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
