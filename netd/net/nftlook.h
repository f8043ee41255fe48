/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftlook: every table and chain of this network namespace, whoever made them, and of every rule
 * what can be understood without knowing the whole language: which interfaces it asks for, which
 * state of a connection, and what it decides. Read by netlink dumps; changes nothing. What is not
 * understood is marked as such and never guessed.
 */
#ifndef NETD_NET_NFTLOOK_H
#define NETD_NET_NFTLOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/name.h"

/* Longer names are cut: such a chain can be shown, but is not found by its name. */
#define NFTLOOK_NAME 128
/* Tables, chains and rules that are kept; what comes after is left out (is_cut). */
#define NFTLOOK_TABLES 256
#define NFTLOOK_CHAINS 8192
#define NFTLOOK_RULES 32768
/* Sets that are read, and elements of one: larger ones are conditions that are not understood. */
#define NFTLOOK_SETS 256
#define NFTLOOK_ELEMENTS 64

/* Families as in struct nfgenmsg. */
enum nftlook_family {
	LOOK_INET = 1,
	LOOK_IP = 2,
	LOOK_ARP = 3,
	LOOK_NETDEV = 5,
	LOOK_BRIDGE = 7,
	LOOK_IP6 = 10,
};
/* Hooks of all families but netdev. */
enum nftlook_hook {
	LOOK_PREROUTING,
	LOOK_INPUT,
	LOOK_FORWARD,
	LOOK_OUTPUT,
	LOOK_POSTROUTING,
};

struct nftlook_table {
	uint8_t family;
	char name[NFTLOOK_NAME];
	char comment[64];
	bool is_dormant; /* its chains are not called */
	bool is_owned;   /* only the program that made it can change it */
};

struct nftlook_chain {
	uint8_t family;
	char table[NFTLOOK_NAME], name[NFTLOOK_NAME];
	bool is_base;   /* the kernel calls it: the following fields count */
	bool is_filter; /* type filter: nat and route chains do not filter */
	bool is_drop;   /* policy */
	uint32_t hook;
	int32_t priority;
};

enum nftlook_verdict {
	LOOK_ACCEPT,
	LOOK_DROP, /* reject too */
	LOOK_JUMP,
	LOOK_GOTO,
	LOOK_RETURN,
	LOOK_UNKNOWN, /* may be any of them */
};

/* "" any; name with is_prefix: all that begin so. */
struct nftlook_if {
	char name[IFNAME_STRLEN];
	bool is_prefix, is_not;
};

/* Bits of a connection's state (enum ip_conntrack_info as nft counts it). */
enum { LOOK_INVALID = 1, LOOK_ESTABLISHED = 2, LOOK_RELATED = 4, LOOK_NEW = 8 };

/* What a rule looks up in a set or map of one field. */
enum nftlook_lookup { LOOK_NO_SET, LOOK_IIF, LOOK_OIF, LOOK_STATE };

/* A rule that decides something; others are not kept. In the order of the kernel. A look-up that is
 * understood becomes one rule for each element. */
struct nftlook_rule {
	uint32_t chain; /* index */
	enum nftlook_verdict verdict;
	char target[NFTLOOK_NAME]; /* of a jump */
	struct nftlook_if iif, oif;
	uint8_t nfproto;   /* LOOK_IP, LOOK_IP6, 0: any */
	uint8_t l4proto;   /* IPPROTO_*, 0: any */
	uint32_t states;   /* one of these; 0: any */
	bool is_dnat;      /* only translated destinations */
	bool is_condition; /* there are conditions that are not understood */
	/* Until the set has been read. */
	enum nftlook_lookup lookup;
	bool is_map; /* the elements have the verdicts */
	char set[NFTLOOK_NAME];
};

struct nftlook {
	struct nftlook_table *table;
	struct nftlook_chain *chain;
	struct nftlook_rule *rule;
	size_t n_table, n_chain, n_rule;
	size_t cap_table, cap_chain, cap_rule;
	bool is_cut;
};

void nftlook_clear(struct nftlook *l);
#define CLEAN_NFTLOOK __attribute__((cleanup(nftlook_clear)))
/* ERR_DENIED without CAP_NET_ADMIN over the namespace. */
int nftlook_read(struct nftlook *ret, struct err *e);

/* Takes one run of netlink messages, for tests: chains before their rules. -ENOMEM. */
int nftlook_take(struct nftlook *l, const void *data, size_t len, struct err *e);

const char *nftlook_family_str(uint8_t family); /* "inet" */
const char *nftlook_hook_str(uint32_t hook);    /* "forward" */

#endif
