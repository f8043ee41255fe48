/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment: one interface of one container on one network: the content of a record, and the
 * result that callers see. A plain value but for the publish array, which it owns.
 */
#ifndef NETD_MODEL_ATTACHMENT_H
#define NETD_MODEL_ATTACHMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"
#include "model/attach.h"
#include "model/name.h"
#include "model/network.h"
#include "model/publish.h"

enum attach_phase {
	ATTACH_INTENT, /* written before anything is created: everything in it may or may not exist
			*/
	ATTACH_COMMITTED, /* everything in it exists */
	ATTACH_LEAVING, /* committed once, and on its way out: what it lists may be others' already
			 */
};

/* "half made", "up", "leaving": for people. */
const char *attach_phase_str(enum attach_phase phase);

enum attach_kind {
	ATTACH_VETH,    /* a veth of ours */
	ATTACH_FOREIGN, /* an interface that somebody else made: only ports, rates, sysctls are ours
			 */
	ATTACH_LEASE,   /* addresses only, for an interface of somebody else's */
};

/* Addresses of one attachment, all families together. */
#define ATTACH_IP_MAX 16
#define ATTACH_EXTRA_MAX (ATTACH_IP_MAX - N_FAM)

#define BOOT_ID_STRLEN 37
#define NETNS_PATH_MAX NAME_PATH_MAX

struct attachment {
	enum attach_phase phase;
	char id[ID_STRLEN];
	char ifname[IFNAME_STRLEN]; /* inside */
	char network[NETNAME_STRLEN];
	enum net_mode mode; /* of the network when made: teardown needs no network */
	char bridge[IFNAME_STRLEN];
	bool internal, isolate;
	char host_ifname[IFNAME_STRLEN];
	uint32_t host_ifindex; /* 0 until created */
	uint32_t ctr_ifindex;
	struct mac mac, host_mac;  /* inside, outside */
	struct prefix addr[N_FAM]; /* inside; len is the subnet's (bridge) or 32 / 128 (routed) */
	struct ip gateway[N_FAM];
	struct ip resolver[N_FAM]; /* of the network's names; family 0: none */
	uint32_t mtu;
	uint64_t netns_cookie; /* SO_NETNS_COOKIE: never used twice in one boot */
	char boot_id[BOOT_ID_STRLEN];
	char netns_path[NETNS_PATH_MAX + 1]; /* as given (name_check_path), "" when there is
					      * none. A hint for check, which opens it and
					      * believes the cookie only */
	int64_t created;                     /* seconds since the epoch */
	size_t n_publish;
	struct publish *publish; /* host ports resolved; owned */

	uint32_t uid;         /* of the user that a daemon made it for; 0: none */
	bool is_until_logout; /* ends when that user logs out */

	/* What follows is all zero for an attachment of a network made by `network create`, but for
	 * is_port_isolated of those with a uid. */
	enum attach_kind kind;
	uint64_t made_at;        /* clock_boot_ns, of the boot in boot_id; 0: unknown */
	uint64_t request;        /* hash of the description it was made from; 0: none */
	uint8_t position[N_FAM]; /* of addr[] among all addresses, see attachment_ips */
	size_t n_extra;
	struct attach_ip extra[ATTACH_EXTRA_MAX]; /* further addresses */
	bool is_leased;                           /* foreign: the addresses are claims of ours */
	bool is_l2;                               /* without addresses */
	bool is_down;                             /* the interface inside is not set up */
	bool has_routes; /* all routes are route[], every gateway spelled out, and default routes
			  * through gateway[f] where is_default_route[f]; else default routes as
			  * the network has them */
	bool is_default_route[N_FAM];
	size_t n_route;
	struct attach_route *route; /* owned */
	size_t n_sysctl;
	struct attach_sysctl *sysctl; /* owned */
	struct attach_tune tune;
	struct attach_rate rate; /* all zero: unlimited */
	struct attach_cap cap;
	struct attach_egress egress;
	struct attach_names names; /* of egress */
	bool is_hairpin;           /* bridge port reflects */
	bool is_promisc;           /* the bridge is promiscuous */
	bool is_unguarded;         /* may send from any address */
	bool is_port_isolated;
	bool is_dad; /* IPv6 addresses are checked for duplicates before use */
	struct attach_vlan vlan;
	size_t n_alias;
	char (*alias)[ALIAS_STRLEN]; /* further names of the container; owned */
	char *note; /* the front door's own, given back as it is; NULL: none; owned */
};

/* All addresses with their gateways, in the order in which they were asked for: addr[f] has
 * position[f] (IPv4 first where that does not tell), extra[] fills the rest. Returns the number. */
size_t attachment_ips(const struct attachment *a, struct attach_ip ret[ATTACH_IP_MAX]);
bool attachment_has_ip(const struct attachment *a, const struct ip *ip);
/* Appends an address: the first of its family becomes addr[f]. ERR_QUOTA above ATTACH_IP_MAX. */
int attachment_add_ip(struct attachment *a, const struct attach_ip *ip, struct err *e);
int attachment_set_routes(struct attachment *a, const struct attach_route *r, size_t n,
			  struct err *e);
/* Adds, or replaces values of keys that are there. */
int attachment_add_sysctls(struct attachment *a, const struct attach_sysctl *s, size_t n,
			   struct err *e);
#define ATTACH_ALIAS_MAX 64
#define ATTACH_NOTE_MAX 16384
/* Is to be found by its names. */
bool attachment_has_names(const struct attachment *a);
/* In place of those that are there. ERR_USAGE, ERR_QUOTA. */
int attachment_set_aliases(struct attachment *a, const char *const *alias, size_t n, struct err *e);
/* UTF-8; NULL: none. */
int attachment_set_note(struct attachment *a, const char *note, struct err *e);
/* Zeroes and frees what it owns. Accepts NULL and half-built values. */
void attachment_clear(struct attachment *a);
void attachment_free(struct attachment *a); /* clear + free */
/* Appends n runs. -ENOMEM, or ERR_QUOTA above PUBLISH_MAX. */
int attachment_add_publish(struct attachment *a, const struct publish *p, size_t n, struct err *e);

void attachment_freep(struct attachment **a);
#define CLEAN_ATTACHMENT __attribute__((cleanup(attachment_freep)))

#endif
