/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network: what `network create` describes. A plain value. */
#ifndef NETD_MODEL_NETWORK_H
#define NETD_MODEL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/name.h"

enum net_mode {
	NET_BRIDGE, /* containers share a bridge that holds the gateway addresses */
	NET_ROUTED, /* one veth each, /32 and /128, no layer 2 between containers */
};

#define NETWORK_NOMASQ_MAX 32
#define NETWORK_DEFAULT "default"

/* Beside the first of each family. */
#define NETWORK_MORE_MAX 14

struct net_subnet {
	struct prefix subnet;
	struct ip gateway; /* family 0: none */
	bool is_member;    /* came with an address that a member was given, not described */
	bool is_own;       /* we put the gateway address on a bridge of somebody else's */
};

struct network {
	char name[NETNAME_STRLEN];
	enum net_mode mode;
	char bridge[IFNAME_STRLEN];  /* bridge mode only, else "" */
	struct prefix subnet[N_FAM]; /* network addresses; ip.family 0: family absent */
	struct ip gateway[N_FAM]; /* bridge: the first address; routed: 169.254.1.1 and fe80::1 */
	bool internal;            /* no way out, nothing published */
	bool isolate;             /* containers of this network do not reach each other */
	bool masquerade;          /* of both families; default true */
	bool implicit;            /* made by itself (default), not by `network create` */
	uint32_t mtu;             /* 0: that of the default route's link */
	/* Members are found by their names: a responder listens at network_resolver, on names_port,
	 * where queries for port 53 are sent. 0 before the first time. */
	bool names;
	uint16_t names_port;
	size_t n_nomasq;
	struct prefix
		nomasq[NETWORK_NOMASQ_MAX]; /* destinations that see the containers' addresses;
					     * 0.0.0.0/0, ::/0: no masquerading of that family */

	/* Networks that are described at each use (is_spec): nothing is chosen for them, they may
	 * have no subnet at all, and their gateways and bridge are as given. All zero for others.
	 */
	bool is_spec;
	bool is_gateway;   /* the bridge has the gateway addresses */
	bool is_open;      /* new connections from everywhere reach the addresses, not only
			    * published ports */
	bool has_policy;   /* somebody else decided on is_open: a description does not change it */
	bool is_filtering; /* members have VLANs of their own: the bridge tells them apart */
	uint16_t vlan;     /* that members and the gateway are in; 0: the bridge's default */
	bool is_adopted;   /* the bridge was there before: it is not deleted. Set by the engine */
	/* As in struct net_subnet, for subnet[f]. */
	bool is_member[N_FAM], is_own[N_FAM];
	size_t n_more;
	struct net_subnet more[NETWORK_MORE_MAX];
};

#define NETWORK_SUBNET_MAX (N_FAM + NETWORK_MORE_MAX)
/* All subnets: subnet[FAM4], subnet[FAM6] where present, then more[]. Returns the number. */
size_t network_subnets(const struct network *n, struct net_subnet ret[NETWORK_SUBNET_MAX]);
/* Notes is_own of the subnet that equals *s. */
void network_set_own(struct network *n, const struct prefix *subnet, bool is_own);
/* Where members find the names responder: in bridge mode the gateway's address, in routed mode the
 * subnet's first. False: nowhere in that family. */
bool network_resolver(const struct network *n, int fam, struct ip *ret);
/* The subnet that holds ip; false: none. */
bool network_find_subnet(const struct network *n, const struct ip *ip, struct net_subnet *ret);
/* Appends a subnet: the first of its family becomes subnet[f]. ERR_QUOTA when there are too many,
 * ERR_USAGE when it overlaps another. */
int network_add_subnet(struct network *n, const struct net_subnet *s, struct err *e);

const char *net_mode_str(enum net_mode m); /* "bridge", "routed" */
int net_mode_parse(const char *s, enum net_mode *ret, struct err *e);
/* What network_complete checks, part by part, for readers that name the place of an error. */
int network_check_subnet(const struct prefix *p, struct err *e);
/* The gateway is the one that network_complete gives. */
int network_check_gateway(enum net_mode mode, const struct prefix *subnet, const struct ip *gw,
			  struct err *e);
/* No host bits, and no overlap: an interval set holds no two elements that overlap. */
int network_check_nomasq(const struct prefix *list, size_t n, struct err *e);
/* The gateway of a subnet: bridge: its first address; routed: one constant a family. */
struct ip network_gateway(enum net_mode mode, const struct prefix *subnet);
/* In a range that no network may use: this host's, loopback, link-local, multicast, reserved. */
bool network_is_special(const struct ip *ip);

/* Fills name, bridge and gateway from name, mode and subnet; checks sizes (v4 /8../30, v6
 * /48../126, at least one family, network address, no loopback / multicast / link-local). */
int network_complete(struct network *n, struct err *e);

#endif
