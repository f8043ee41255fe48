/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elem: PURE. What a network or an attachment puts into the sets and maps of the constant ruleset,
 * as typed values. The text printer (ruleset) and the libmnl encoder (nftbatch) both read these, so
 * that both ways give the same ruleset.
 */
#ifndef NETD_NET_ELEM_H
#define NETD_NET_ELEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/attachment.h"
#include "model/network.h"

enum field_type { FIELD_PROTO, FIELD_IP4, FIELD_IP6, FIELD_PORT, FIELD_IFNAME, FIELD_ETHER };

/* Elements of a set may carry an expression of their own, with a number of their own: the set
 * matches when the number is exceeded, or (BOUND_UNDER) while it is not. */
enum elem_bound {
	BOUND_NONE,
	BOUND_RATE,  /* packets a second */
	BOUND_CONNS, /* connections */
	BOUND_UNDER, /* packets a second */
};

enum elem_verdict { VERDICT_NONE, VERDICT_ACCEPT, VERDICT_DROP };

union field_value {
	uint8_t proto;
	struct ip ip;
	uint16_t port;
	char ifname[IFNAME_STRLEN];
	struct mac mac;
};

#define ELEM_KEY_MAX 3
#define ELEM_DATA_MAX 2
#define ELEM_COMMENT_STRLEN (ID_MAX + 1 + IFNAME_MAX + 1)

enum set_id {
	SET_FWD4_HOST,
	SET_FWD4_ANY,
	SET_FWD4_RANGE,
	SET_FWD4_RANGE_HOST,
	SET_FWD6_HOST,
	SET_FWD6_ANY,
	SET_FWD6_RANGE,
	SET_FWD6_RANGE_HOST,
	SET_INSIDE, /* host-side interfaces of containers: bridges, routed veths */
	SET_NETS4,
	SET_NETS6, /* subnets */
	SET_SAME4,
	SET_SAME6, /* subnet . subnet : accept, or drop for an isolated network */
	SET_OPEN4,
	SET_OPEN6, /* subnets and addresses that everybody may connect to */
	SET_INTERNAL4,
	SET_INTERNAL6,
	SET_HAIRPIN4,
	SET_HAIRPIN6, /* subnet . subnet of bridge networks */
	SET_SELF4,
	SET_SELF6, /* address . address of routed containers */
	SET_MASQ4,
	SET_MASQ6,
	SET_NOMASQ4,
	SET_NOMASQ6, /* subnet . destination */
	SET_OPENED4,
	SET_OPENED6, /* interfaces of the host where forwarding was switched on for us */
	SET_RGUARD,  /* guarded interfaces: routed, and ports of bridges (without address) */
	SET_REP4,
	SET_REP6, /* routed: interface . address */
	SET_EGRESS4,
	SET_EGRESS6, /* addresses of containers that may not go everywhere */
	SET_TO4,
	SET_TO6, /* address . where it may go */
	SET_TO_PORT4,
	SET_TO_PORT6,
	SET_NOT4,
	SET_NOT6, /* address . where it may not */
	SET_NOT_PORT4,
	SET_NOT_PORT6,
	SET_ASK4,
	SET_ASK6, /* address . resolver that tells it where the names lead to which it may go */
	SET_NAMED4,
	SET_NAMED6, /* address . where such a name led just now: each with an end of its own */
	SET_NAMED_PORT4,
	SET_NAMED_PORT6,
	SET_CONN_RATE_PORT,
	SET_CONN_RATE_LINK,
	SET_CONNS_PORT, /* bridge . MAC: caps of who is behind a port of it */
	SET_CONNS_LINK, /* routed: interface */
	SET_IN_RATE4,
	SET_IN_RATE6,
	SET_IN_CONNS4,
	SET_IN_CONNS6, /* address of a container: caps of what comes to it */
	SET_LOUD4,
	SET_LOUD6, /* address of a container: how often a second a refusal is told */
	SET_PACKETS_LINK,
	SET_GUARDED,
	SET_MACONLY, /* guarded ports without addresses */
	SET_EPMAC,
	SET_EP4,
	SET_EP6,  /* bridge table */
	SET_EPT6, /* interface . ND target it may speak for */
	SET_EGRESS_PORT,
	SET_PACKETS_PORT,
	N_SETS,
};

struct set_desc {
	const char *name;
	bool in_bridge_table; /* table bridge netd, else table inet netd */
	bool interval;
	bool is_kept;          /* in the stand-in (ruleset_keep) too */
	uint8_t n_key, n_data; /* n_data 0 and !verdict_map: a set */
	bool verdict_map;
	bool is_counted; /* each element counts the packets that it matched */
	enum elem_bound bound;
	bool is_sudden; /* a whole second's worth may come at once, not a tenth of it */
	bool is_timed;  /* its elements end by themselves, each after a time of its own */
	enum field_type key[ELEM_KEY_MAX], data[ELEM_DATA_MAX];
	/* The nft text of the key type where a list of types cannot say it: the ND target is a raw
	 * payload for nft 1.0.6, hence an integer in its texts. NULL elsewhere. */
	const char *typeof_key;
};
extern const struct set_desc elem_sets[N_SETS];

struct elem {
	enum set_id set;
	union field_value key[ELEM_KEY_MAX];
	union field_value
		key_end[ELEM_KEY_MAX]; /* interval sets only: equal to key for a single value */
	union field_value data[ELEM_DATA_MAX];
	enum elem_verdict verdict;
	uint32_t bound;                    /* of a set with bounds */
	uint32_t timeout_s;                /* of a timed set; 0: it does not end */
	char comment[ELEM_COMMENT_STRLEN]; /* "" for none; "network NAME" or "ID/IFNAME" */
};

/* Elements of a timed set, at most; one more is refused. */
#define ELEM_TIMED_MAX 65536

/* How many packets may come at once where so many a second may, at least BURST_MIN. */
#define ELEM_BURST_MIN 10u
static inline uint32_t elem_burst(const struct elem *x)
{
	uint32_t n = elem_sets[x->set].is_sudden ? x->bound : x->bound / 10;

	return n > ELEM_BURST_MIN ? n : ELEM_BURST_MIN;
}

struct elem_list {
	struct elem *v;
	size_t n, cap;
};
void elem_list_free(struct elem_list *l);
#define CLEAN_ELEMS __attribute__((cleanup(elem_list_free)))

/* Each appends. -ENOMEM only. */
int elem_of_network(const struct network *n, struct elem_list *out, struct err *e);
/* Those of them that lead to the names responder. */
int elem_of_resolver(const struct network *n, struct elem_list *out, struct err *e);
/* Port guard (bridge mode) or source guard, inside, self (routed mode); what the MAC address in
 * a->tune adds to it. Of a foreign interface: its addresses, which everybody may connect to. */
int elem_of_endpoint(const struct attachment *a, struct elem_list *out, struct err *e);
/* An interface of the host on which forwarding of a family was switched on for containers. */
int elem_of_opened(int fam, const char *ifname, struct elem_list *out, struct err *e);
/* DNAT entries of n publish runs of a (usually a->publish). */
int elem_of_publish(const struct attachment *a, const struct publish *p, size_t n,
		    struct elem_list *out, struct err *e);

/* Destination i of a, which is a name, as ip that it leads to, for timeout_s: one element for each
 * address of a's of that family. */
int elem_of_named(const struct attachment *a, size_t i, const struct ip *ip, uint32_t timeout_s,
		  struct elem_list *out, struct err *e);

/* Whether both are the same element of the same set, whatever they map to. */
bool elem_same_key(const struct elem *a, const struct elem *b);

#endif
