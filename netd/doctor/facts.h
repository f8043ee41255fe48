/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * facts: what was seen of the host, as a plain value. look_*.c fill it in and decide nothing;
 * check_*.c decide and look at nothing else. Zeroed: nothing was looked at, nothing is wrong.
 */
#ifndef NETD_DOCTOR_FACTS_H
#define NETD_DOCTOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"
#include "model/name.h"
#include "net/nftlook.h"

/* An interface of the host that containers are behind: a bridge, or (is_prefix) all routed veths.
 */
struct facts_inside {
	char ifname[IFNAME_STRLEN];
	bool is_prefix;
	bool has[N_FAM];
	bool is_internal, is_isolated;
};

struct facts_if {
	char name[IFNAME_STRLEN];
	bool is_inside; /* else to the outside */
	bool is_needed; /* traffic of containers that are up comes in by it */
	bool is_uplink[N_FAM];
	bool has_default; /* an IPv4 default route leads there, be it not the best */
	bool is_forwarding[N_FAM];
	bool has_ip6_force; /* the kernel forwards IPv6 by interface */
	int rp_filter;      /* 0, 1: strict, 2: loose */
};

/* What the kernel must have. */
enum facts_feature {
	FEATURE_NETNS,
	FEATURE_VETH,
	FEATURE_BRIDGE,
	FEATURE_NFT_INET,
	FEATURE_NFT_BRIDGE,
	FEATURE_NFT_NAT,
	FEATURE_NFT_MASQ,
	FEATURE_NFT_FIB,
	FEATURE_NFT_CT,
	FEATURE_TUN,
	FEATURE_USERNS,
	FEATURE_IPV6,
	N_FEATURES,
};

enum facts_tables { TABLES_UNSEEN, TABLES_OK, TABLES_ABSENT, TABLES_OTHER };
enum facts_tun { TUN_UNSEEN, TUN_OK, TUN_ABSENT, TUN_DENIED };

#define FACTS_INSIDE_MAX 64
#define FACTS_IF_MAX 128
#define FACTS_GID_MAX 64

struct facts {
	/* Who looks. */
	uint32_t uid;
	bool is_powerful;       /* over this network: CAP_NET_ADMIN, CAP_SYS_ADMIN */
	bool is_nested;         /* in a user namespace below the first */
	bool is_proc_read_only; /* is_powerful, but /proc/sys/net cannot be written */

	/* The ruleset. */
	bool has_rules;
	struct nftlook rules;       /* owned */
	bool is_legacy_drop[N_FAM]; /* iptables of the old kind, in use, too */

	/* Networks and what is up. */
	size_t n_inside;
	struct facts_inside inside[FACTS_INSIDE_MAX];
	char uplink[N_FAM][IFNAME_STRLEN]; /* "": none */
	size_t n_attached;
	enum facts_tables tables;
	bool is_elsewhere;   /* the tables are somebody else's */
	char elsewhere[512]; /* as the engine says it */

	/* Settings; -1: there is no such thing. */
	size_t n_if;
	struct facts_if ifs[FACTS_IF_MAX];
	bool has_settings;
	int bridge_nf[N_FAM];
	int conntrack_count, conntrack_max;

	/* Ordinary users. */
	bool has_user;
	uint32_t ping_low, ping_high;
	size_t n_gid;
	uint32_t gid[FACTS_GID_MAX]; /* of the caller */
	enum facts_tun tun;
	unsigned tun_mode;
	int max_userns;      /* user.max_user_namespaces */
	int userns_clone;    /* kernel.unprivileged_userns_clone */
	int apparmor_userns; /* kernel.apparmor_restrict_unprivileged_userns */
	bool has_profile;    /* ours is loaded */
	bool has_subuid, has_subgid, has_newuidmap, has_newgidmap;
	char user[64]; /* "": without a name */

	/* Tried in a namespace of a child's own. */
	bool is_tried[N_FEATURES];
	int missing[N_FEATURES]; /* errno, 0: it is there */
};

void facts_clear(struct facts *f);

#endif
