/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach: the parts that an attachment can have beside its link and its first addresses: further
 * addresses, routes, sysctls, settings, rate limits. Plain values and their rules.
 */
#ifndef NETD_MODEL_ATTACH_H
#define NETD_MODEL_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/attach_egress.h"

#define ATTACH_ROUTE_MAX 256
#define ATTACH_SYSCTL_MAX 64

struct attach_ip {
	struct prefix addr;
	struct ip gateway; /* family 0: none */
};

/* A route inside. */
struct attach_route {
	struct prefix dst;
	struct ip gw; /* family 0: the gateway of the family's first address, unless scope is link
		       */
	uint32_t mtu, advmss, priority; /* 0: not said */
	uint32_t table;                 /* 0: main */
	int scope;                      /* rtnetlink's number; 0: universe, 253: link (no gateway),
					 * 254: host */
};

/* A value under /proc/sys/net of the namespace inside. */
#define ATTACH_SYSCTL_KEYLEN 128
#define ATTACH_SYSCTL_VALUELEN 128
struct attach_sysctl {
	char key[ATTACH_SYSCTL_KEYLEN]; /* "net/ipv4/conf/eth0/rp_filter" */
	char value[ATTACH_SYSCTL_VALUELEN];
};

/* What bandwidth limits. A rate of 0: no limit that way; a burst of 0: one that fits the rate. */
struct attach_rate {
	uint64_t in_rate, out_rate;   /* bits a second; in: towards the container */
	uint64_t in_burst, out_burst; /* bits */
};

/* What the host takes from it, and lets in to it, at most; 0: no limit. */
struct attach_cap {
	uint32_t conns;       /* connections that it opened, at once */
	uint32_t conn_rate;   /* and anew a second */
	uint32_t packet_rate; /* packets a second */
	uint32_t in_conns;    /* connections that others opened to each of its addresses, at once */
	uint32_t in_conn_rate; /* and anew a second */
	bool is_usual; /* nobody has named a number: a kernel that has not got them does without */
};

/* Settings of the interface inside that are made after it is there. */
struct attach_tune {
	bool has_promisc, is_promisc;
	bool has_allmulti, is_allmulti;
	bool has_tx_queue_len;
	uint32_t tx_queue_len;
	uint32_t mtu;   /* 0: as it is */
	struct mac mac; /* all zero: as it is */
};

/* VLANs of a bridge port. All zero: none is set, the port has the bridge's default. */
#define VLAN_MIN 1
#define VLAN_MAX 4094
#define ATTACH_TRUNK_MAX 64
struct attach_vlan_range {
	uint16_t min, max;
};
struct attach_vlan {
	uint16_t pvid; /* untagged frames are of this one, both ways; 0: of the bridge's default */
	bool is_alone; /* the bridge's default VLAN is taken off the port */
	uint16_t n_trunk;
	struct attach_vlan_range trunk[ATTACH_TRUNK_MAX]; /* tagged; ascending, no overlap */
};

/* A unicast address that an interface can have, and a gateway of its family. ERR_USAGE. */
int attach_ip_check(const struct attach_ip *ip, struct err *e);
bool attach_rate_is_set(const struct attach_rate *r);
bool attach_cap_is_set(const struct attach_cap *c);
/* The same numbers. */
bool attach_cap_equal(const struct attach_cap *a, const struct attach_cap *b);
bool attach_tune_is_set(const struct attach_tune *t);
bool attach_vlan_is_set(const struct attach_vlan *v);
/* Numbers in their range, the trunk in its order. ERR_USAGE. */
int attach_vlan_check(const struct attach_vlan *v, struct err *e);
/* Adds a range of tagged VLANs, joined with what it overlaps or touches. ERR_USAGE, ERR_QUOTA. */
int attach_vlan_add_trunk(struct attach_vlan *v, uint16_t min, uint16_t max, struct err *e);
/* The VLAN is one of the trunk's. */
bool attach_vlan_has(const struct attach_vlan *v, uint16_t vid);

/* Checks and spells out a sysctl as a configuration has it: "net.ipv4.conf.IFNAME.rp_filter" or
 * with slashes; the first of the two that occurs separates, the other one is part of names. IFNAME
 * stands for ifname. Under net/ only; values are printable ASCII. ERR_USAGE. */
int attach_sysctl_parse(const char *key, const char *value, const char *ifname,
			struct attach_sysctl *ret, struct err *e);
/* "net/..." of components that are names. */
int attach_sysctl_check(const struct attach_sysctl *s, struct err *e);
/* One family, prefix without host bits, a scope that the kernel has, limits. */
int attach_route_check(const struct attach_route *r, struct err *e);
/* 0 or 8000 bits a second and more; bursts fit the kernel's 32-bit bytes. */
int attach_rate_check(const struct attach_rate *r, struct err *e);
/* "250mbit": a whole number and bit, kbit, mbit or gbit (powers of 1000), in bits a second; "none"
 * is 0. ERR_USAGE; the limits of attach_rate_check for a rate. */
int attach_rate_parse(const char *s, uint64_t *ret_bits, struct err *e);
/* The same back, with the largest unit that leaves a whole number. */
#define ATTACH_RATE_STRLEN 32
const char *attach_rate_str(uint64_t bits, char out[ATTACH_RATE_STRLEN]);

#endif
