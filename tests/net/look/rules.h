/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules: netlink messages of rulesets as the kernel gives them, put together piece by piece. One at
 * a time; it is in rules_msg. */
#ifndef TESTS_NET_LOOK_RULES_H
#define TESTS_NET_LOOK_RULES_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#define NO_REG UINT32_MAX

extern struct nlmsghdr *rules_msg;

/* A message NFT_MSG_type of a family, without attributes. */
void rules_begin(uint16_t type, uint8_t family);
void rules_u32(uint16_t attr, uint32_t v);
void rules_text(uint16_t attr, const char *s);
void rules_bytes(uint16_t attr, const void *p, size_t len);
struct nlattr *rules_nest(uint16_t attr);
void rules_end(struct nlattr *nest);

/* Whole messages but for the expressions of the rule: rules_rule returns their list, to be ended.
 */
void rules_table(uint8_t family, const char *name);
void rules_chain(uint8_t family, const char *table, const char *name);
void rules_base_chain(uint8_t family, const char *table, const char *name, const char *type,
		      uint32_t hook, int32_t priority, uint32_t policy);
struct nlattr *rules_rule(uint8_t family, const char *table, const char *chain);

/* Expressions. */
void rules_meta(uint32_t key, uint32_t reg);
void rules_ct(uint32_t key, uint32_t reg);
void rules_payload(uint32_t base, uint32_t offset, uint32_t len, uint32_t reg);
/* xor NULL: none is said. */
void rules_bitwise(uint32_t sreg, uint32_t dreg, const void *mask, size_t len, const void * xor,
		   size_t xor_len);
void rules_cmp(uint32_t reg, uint32_t op, const void *value, size_t len);
void rules_verdict(int32_t code, const char *chain); /* chain NULL: none */
void rules_lookup(const char *set, uint32_t sreg, uint32_t dreg, uint32_t flags);
void rules_match(const char *name, uint32_t rev, const void *info, size_t len);
void rules_target(const char *name); /* NULL: none is said */
void rules_other(const char *name);

#endif
