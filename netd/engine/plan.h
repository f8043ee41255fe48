/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: PURE. (network, attachment, observed kernel state) -> ordered list of operations. From this
 * one function come `--dry-run`, `check` (the plan of a healthy attachment is empty), repair and
 * the order that makes a failure harmless: filter before link, link before addresses, addresses
 * before DNAT, and nothing is switched to forwarding before the filter is in place.
 */
#ifndef NETD_ENGINE_PLAN_H
#define NETD_ENGINE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "model/attachment.h"
#include "model/network.h"

#define SYSCTL_KEYLEN 96
#define OBSERVED_SYSCTL_MAX 128

struct host_sysctl {
	char key[SYSCTL_KEYLEN];
	int now, want;
};

enum tables_state { TABLES_OK, TABLES_ABSENT, TABLES_OTHER };

/* What is there. Everything false / zero describes a host where nothing of ours exists. */
struct observed {
	/* host */
	enum tables_state tables;
	bool has_network;  /* the network's elements and, in bridge mode, its bridge with addresses,
			      up */
	bool has_resolver; /* names of the network's members are served */
	size_t n_sysctl;
	struct host_sysctl sysctl[OBSERVED_SYSCTL_MAX]; /* those that differ from what we need */
	/* attachment */
	bool has_guard, has_link, has_port, has_host_route, has_inside, has_reservation, has_dnat,
		has_tune, has_rate, has_vlan, has_names;
};

enum op_kind {
	OP_TABLES,       /* load the constant ruleset, and the elements of everything recorded */
	OP_NET_ELEMENTS, /* subnets of the network into the sets */
	OP_BRIDGE,       /* bridge, its sysctls, gateway addresses, up */
	OP_RESOLVER,     /* the names responder serves the network */
	OP_SYSCTL,       /* one value of the host, recorded before */
	OP_GUARD,        /* the endpoint's guard elements */
	OP_VETH,         /* the pair, inner end in place */
	OP_VLAN,         /* the bridge port's VLANs */
	OP_PORT,         /* bridge port flags, static FDB, neighbours */
	OP_HOST_ROUTE,   /* routed mode: /32 and /128, neighbours, forwarding */
	OP_INSIDE,       /* lo and interface up, addresses, routes, neighbours */
	OP_READY,        /* wait until the first packet will pass */
	OP_ANNOUNCE,     /* ARP and NA, where the MAC address does not follow from the address */
	OP_TUNE,         /* sysctls and settings inside */
	OP_RATE,         /* queueing disciplines, and the ifb for what comes from the container */
	OP_NAMES,        /* the container's names to the responder */
	OP_RESERVE,      /* sockets to the local forwarder */
	OP_DNAT,         /* published ports into the maps */
	OP_CONNTRACK,    /* forget flows that would bypass them */
	N_OPS,
};

struct op {
	enum op_kind kind;
	size_t sysctl; /* OP_SYSCTL: index into observed.sysctl */
};

#define PLAN_MAX (OBSERVED_SYSCTL_MAX + N_OPS)
struct plan {
	size_t n;
	struct op op[PLAN_MAX];
};

void plan_up(const struct attachment *a, const struct observed *o, struct plan *ret);
/* One line for each operation, as `up --dry-run` and `check` print it. */
void plan_text(const struct plan *p, const struct network *net, const struct attachment *a,
	       const struct observed *o, struct buf *out);

#endif
