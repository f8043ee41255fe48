/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine: the front door. Every program that plumbs (the CLI, the CNI plugin, the daemon) goes
 * through these calls and no others. Each call is a transaction: it takes the locks it needs,
 * records before it creates, undoes what it did when it fails, and is safe against the same call
 * made at the same time or killed at any instruction.
 *
 * Names and addresses in requests are typed values that the caller has validated (model/). Results
 * are owned by the caller. Expected outcomes are the positive returns named here.
 */
#ifndef NETD_ENGINE_ENGINE_H
#define NETD_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/attachment.h"
#include "model/network.h"
#include "model/pool.h"
#include "model/publish.h"
#include "model/refusal.h"

struct engine;

/* Opens the state and the kernel sockets in the caller's network namespace ("the host").
 * state_dir NULL: /run/netd. read_only: no state directory is made; 1 and *ret NULL when there is
 * none. ERR_DENIED says which privilege is missing and what would help. */
int engine_open(const char *state_dir, bool read_only, struct engine **ret, struct err *e);
void engine_closep(struct engine **g);
#define CLEAN_ENGINE __attribute__((cleanup(engine_closep)))

/* Long work (a gc, the ports of one call) is told to fn: i of n are done of what ("containers",
 * "ports"). It is called for each, with locks held: it must not wait. NULL: no more. */
void engine_on_progress(struct engine *g,
			void (*fn)(const char *what, size_t i, size_t n, void *arg), void *arg);

struct up_request {
	const char *id, *ifname, *network;
	int netns_fd;           /* borrowed */
	const char *netns_path; /* "" when there is none */
	struct ip ip[N_FAM];    /* family 0: pick */
	struct mac mac;         /* all zero: derive from the address */
	uint32_t mtu;           /* 0: the network's */
	size_t n_publish;
	const struct publish *publish;
	struct attach_rate rate; /* all zero: no limits, or those that it has already */
	/* Neither is a part of what makes a request another one. egress NULL: everywhere. A usual
	 * cap is left out where the kernel has none. */
	struct attach_cap cap;
	const struct attach_egress *egress;
	const struct attach_names *names; /* of egress; NULL: it has none */
	/* By whom a daemon with privilege was asked, 0: by nobody. It is on record with what is
	 * made, and what another user has made by that name is ERR_CONFLICT. */
	uint32_t uid;
	bool is_until_logout; /* is on record with it: the daemon sees to it */
	bool is_apart;        /* of a bridge: reaches no other container that is so */
	/* Names beside the id that the other members find the container by. */
	size_t n_alias;
	const char *const *alias;

	/* From here on for callers that describe the network themselves, as a CNI configuration
	 * does. All zero: the network is one that `network create` made, or `default`. Pointers are
	 * borrowed; values have passed the model's checks.
	 *
	 * net_spec: the network, with is_spec set and its name in `network`; network_complete has
	 * seen it. Absent on record: made from it, and gone with its last member. On record with
	 * other settings: ERR_CONFLICT (WHAT_NETWORK) that names them. Its bridge may be a link
	 * that somebody else made: then it is used as it is, gets missing gateway addresses, and is
	 * never deleted; a link of that name that is no bridge, or (unless is_force_address) has
	 * another IPv4 subnet, is ERR_USAGE (WHAT_NETWORK). */
	const struct network *net_spec;
	bool is_force_address; /* other gateway addresses are replaced */
	/* One address from each set, in that order; pool_complete has seen them. ERR_QUOTA
	 * (WHAT_POOL) when a set is used up. */
	size_t n_set;
	const struct addr_set *set;
	/* Addresses that are asked for from the sets (instead of ip[]). In no set: ERR_USAGE
	 * (WHAT_ADDRESS); taken: ERR_CONFLICT (WHAT_ADDRESS). */
	size_t n_want;
	const struct ip *want;
	/* Addresses that somebody else decided on (another IPAM); they come after those of the
	 * sets. Claimed, so that nobody else of ours gets them. Their subnets are added to the
	 * network. */
	size_t n_given;
	const struct attach_ip *given;
	bool is_l2; /* no address: link only, guarded by its MAC address alone */
	/* Routes inside. A default route of a family only where one is listed, or
	 * is_default_route[f]: through the gateway of the family's first address. */
	size_t n_route;
	const struct attach_route *route;
	bool is_default_route[N_FAM];
	bool is_hairpin, is_promisc, is_unguarded, is_port_isolated, is_dad;
	bool is_own_netns; /* netns_fd may be the host's own namespace: both ends are there */
	bool is_down;      /* the interface inside is made but not set up; no addresses */
	/* Of the bridge's port. net_spec has is_filtering, and the same VLAN as pvid. Where the
	 * kernel has no CONFIG_BRIDGE_VLAN_FILTERING: ERR_UNSUPPORTED. */
	struct attach_vlan vlan;
	size_t n_sysctl;
	const struct attach_sysctl *sysctl;
	struct attach_tune tune;
	/* Kept in the record: a text of the caller's own, which is no part of what makes a request
	 * another one. */
	const char *note; /* NULL: none */

	/* ATTACH_FOREIGN: the interface `ifname` inside is somebody else's, with the addresses
	 * given[]: nothing but ports, rates (on host_ifname), sysctls and tune is made. Of net_spec
	 * only masquerade is looked at (the given addresses are masqueraded). An attachment of ours
	 * or a lease of that name is ERR_CONFLICT (WHAT_INTERFACE): see engine_get, engine_publish,
	 * engine_adjust; a lease of the same addresses becomes part of it. */
	enum attach_kind kind;
	const char *host_ifname; /* NULL: unknown */
};

enum { ENGINE_DONE = 0, ENGINE_NOTHING = 1 };

/* Attaches. ENGINE_DONE: made; ENGINE_NOTHING: the same attachment was up already (parts of it that
 * were missing have been put back). *ret describes it either way. The name is taken by an
 * attachment with other settings, or the interface exists inside: ERR_CONFLICT, WHAT_INTERFACE. */
int engine_up(struct engine *g, const struct up_request *req, struct attachment **ret,
	      struct err *e);
/* Appends the operations that engine_up would perform, one a line; changes nothing. */
int engine_up_plan(struct engine *g, const struct up_request *req, struct buf *out, struct err *e);

/* Detaches and removes every trace; needs neither the namespace nor the network's configuration.
 * ENGINE_NOTHING: there was none. Goes on after errors and reports them together. */
int engine_down(struct engine *g, const char *id, const char *ifname, struct err *e);

/* 0 and the record, ENGINE_NOTHING when there is none. */
int engine_get(struct engine *g, const char *id, const char *ifname, struct attachment **ret,
	       struct err *e);
/* Every attachment in name order. fn returns non-zero to stop. on_broken: see store.h. */
int engine_each(struct engine *g, int (*fn)(const struct attachment *a, void *arg),
		void (*on_broken)(const char *name, const struct err *why, void *arg), void *arg,
		struct err *e);
/* Only the names, which needs no reading of records; those that begin so (of a name_key, "ID@": of
 * that container), or NULL: all. What a killed process left without a record is among them. */
int engine_each_name(struct engine *g, const char *begin,
		     int (*fn)(const char *id, const char *ifname, void *arg), void *arg,
		     struct err *e);
/* Cookie of a namespace, to find attachments by namespace (attachment.netns_cookie). */
int engine_cookie(int netns_fd, uint64_t *ret, struct err *e);

/* Adds or removes published ports of an attachment; all or nothing. Ports published already are
 * left alone (unpublish of one that is not: ERR_ABSENT). *ret: the attachment afterwards. */
int engine_publish(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		   size_t n, struct attachment **ret, struct err *e);
int engine_unpublish(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		     size_t n, struct attachment **ret, struct err *e);

/* Changes an attachment that is up, whatever its kind. What is NULL or zero stays as it is; rate:
 * all zero takes the limits off. Recorded before it is made; down takes it away. */
struct adjust_request {
	const char *id, *ifname;
	int netns_fd; /* needed for sysctls and tune; for rates of a foreign one it tells whether
		       * host_ifname is its other end; -1: unknown */
	const char *host_ifname; /* for rates of a foreign one; NULL: as recorded */
	const struct attach_rate *rate;
	size_t n_sysctl;
	const struct attach_sysctl *sysctl;
	const struct attach_tune *tune;
	/* In the place of those that it has. What of them changes counts from 0: connections that
	 * are there already are not against the new number. */
	const struct attach_cap *cap;
};
int engine_adjust(struct engine *g, const struct adjust_request *req, struct attachment **ret,
		  struct err *e);
/* Takes one part off a foreign attachment (or off one of ours): its ports, its rates, its sysctls
 * and settings (which stay as they are, but are no longer looked after). When a foreign one has no
 * part left, it is gone. ENGINE_NOTHING: there was none. */
enum engine_part { PART_PORTS = 1, PART_RATES = 2, PART_TUNE = 4, PART_LEASE = 8 };
int engine_take_off(struct engine *g, const char *id, const char *ifname, unsigned int parts,
		    struct err *e);

/* Addresses without an interface. An attachment of kind ATTACH_LEASE whose addresses are one of
 * each set; ENGINE_NOTHING and the same when there is one from these sets already. Errors as for
 * engine_up. Taken back by engine_release (engine_take_off of PART_LEASE), engine_down, gc. */
struct lease_request {
	const char *id, *ifname, *network;
	int netns_fd;           /* -1: unknown; then only engine_release and gc_network end it */
	const char *netns_path; /* "" */
	size_t n_set;
	const struct addr_set *set;
	size_t n_want;
	const struct ip *want;
};
int engine_lease(struct engine *g, const struct lease_request *req, struct attachment **ret,
		 struct err *e);
int engine_release(struct engine *g, const char *id, const char *ifname, struct err *e);
/* Makes leases of the files that host-local keeps in dir (one a address, named by it; first line
 * the container's id, second its interface), for `network`. Files that are something else are
 * passed over, addresses that others have are gathered into e. *ret_n: the number of leases. */
int engine_import_host_local(struct engine *g, const char *dir, const char *network, size_t *ret_n,
			     struct err *e);

/* Compares the record with the kernel. 0: healthy; 1: the operations that would mend it are
 * appended to out, one a line. netns_fd -1: the namespace is looked up through netns_path and the
 * cookie. */
int engine_check(struct engine *g, const char *id, const char *ifname, int netns_fd,
		 struct buf *out, struct err *e);

struct gc_result {
	size_t n_attachments; /* dead or half made ones removed */
	size_t n_broken;      /* unreadable records removed */
	size_t n_links;       /* links of ours without a record */
	size_t n_claims;
	size_t n_repaired; /* living ones that had lost something */
};
/* Removes everything whose namespace or record is gone, and puts back what living attachments lost.
 */
int engine_gc(struct engine *g, struct gc_result *ret, struct err *e);
/* The same for a caller who answers for some containers only: a record that cannot be read may be
 * somebody's living one, so while there is one it is left, with all that nobody claims, and told.
 */
int engine_gc_gentle(struct engine *g, struct gc_result *ret, struct err *e);

/* Removes every attachment of one network that is not in keep, but those made since started_at
 * (clock_boot_ns; 0: since the call began), of any kind. Goes on after errors and
 * reports them together. Also takes away what killed processes left of them. */
struct attach_name {
	const char *id, *ifname;
};
int engine_gc_network(struct engine *g, const char *network, const struct attach_name *keep,
		      size_t n_keep, uint64_t started_at, struct gc_result *ret, struct err *e);

/* Would an attachment with addresses of these sets succeed, as far as can be told without changing
 * or dumping anything in the kernel? Opens by itself what it needs; there need be no state yet.
 * ERR_QUOTA, WHAT_POOL: a set is used up. ERR_CONFLICT, WHAT_TABLE: our tables are somebody else's.
 */
int engine_status(const char *state_dir, const struct addr_set *set, size_t n_set, struct err *e);

/* What has passed an attachment's link since it was made; in and out are the container's. */
struct engine_traffic {
	uint64_t in_bytes, in_packets, in_dropped;
	uint64_t out_bytes, out_packets, out_dropped;
};
/* Each attachment whose link is known and there, with counters of one look at the kernel. fn
 * returns non-zero to stop. */
int engine_traffic_each(struct engine *g,
			int (*fn)(const struct attachment *a, const struct engine_traffic *t,
				  void *arg),
			void *arg, struct err *e);

/* How many connections, or flows of UDP, have come in by each published run of a->publish since it
 * was published, or the tables were loaded. FLOWS_UNKNOWN (model/codec.h): nobody counts them: runs
 * on loopback addresses alone, or the kernel does not. What local clients open on loopback
 * addresses is the local forwarder's and is not in it. */
int engine_flows(struct engine *g, const struct attachment *a, uint64_t *ret, struct err *e);

/* For a caller that stays: which links of the host go away (host_ifindex of attachments). Needs no
 * state. The descriptor is readable when there is something to read. read: 0; 1: announcements were
 * lost, ask for each. has: 1 or 0. */
struct engine_watch;
int engine_watch_open(struct engine_watch **ret, struct err *e);
void engine_watch_closep(struct engine_watch **w);
int engine_watch_fd(const struct engine_watch *w);
int engine_watch_read(struct engine_watch *w, void (*gone)(uint32_t ifindex, void *arg), void *arg,
		      struct err *e);
int engine_watch_has(struct engine_watch *w, uint32_t ifindex, struct err *e);
/* Whether of what was read since the last time something told of a link of ours. */
bool engine_watch_came(struct engine_watch *w);
/* Whether those that come are to be told of, as they are at first; else those that go alone. */
void engine_watch_want(struct engine_watch *w, bool is_coming);
/* For a caller that stays: our tables, kept. Where the kernel has tables that outlive their owner
 * they are held by a socket, which root's other programs get from us; else they are watched, and
 * where it has tables that go with their owner, one of those stands in for them while they are
 * gone: nothing passes then that they would not let pass.
 *
 * open: 0; 1: watched only, and why is in e. keeps: they have a stand-in; else 0 and why. fd:
 * readable when somebody changed them; read: what is to be looked at (HOLD_*, 0: nothing), then.
 * door (-1: none): readable when a writer waits, for serve. Both return at once. use: this
 * program's own engines write through it, those of its children too (NULL: not any more).
 *
 * look: mends and takes up the tables, as far as anything is on record; may wait for locks, so it
 * is for a child. */
struct engine_hold;
enum {
	HOLD_MADE = 1,    /* a program of ours has loaded them */
	HOLD_SUSPECT = 2, /* somebody else has changed them */
	HOLD_UNKNOWN = 4, /* anything may have happened */
	HOLD_SHARED = 8,  /* a program of ours has changed what containers share */
	HOLD_ALL = 15,    /* these bits, and no other */
};
struct hold_result {
	bool is_mended; /* they were damaged, and loaded from the records */
	bool is_held;   /* by us */
	bool is_taken;  /* by a socket that is not ours: somebody's who is ending */
	bool is_other;  /* of another version, which is left alone */
};
int engine_hold_open(const char *state_dir, struct engine_hold **ret, struct err *e);
/* The same descriptors for the next program of this process: what it holds it never lets go. hand:
 * what there is (-1: not that), which stays open and as it is. take: returns as open does; what was
 * not there is made. On an error nothing is closed or removed. */
struct hold_fds {
	int watch, door, socket, lock;
	bool has_made_dir;
	unsigned watched; /* below HOLD_WATCHED: what has been read of a change, and not told yet */
};
#define HOLD_WATCHED 8
void engine_hold_hand(const struct engine_hold *h, struct hold_fds *ret);
int engine_hold_take(const char *state_dir, const struct hold_fds *from, struct engine_hold **ret,
		     struct err *e);
void engine_hold_closep(struct engine_hold **h);
int engine_hold_keeps(const struct engine_hold *h, struct err *why);
int engine_hold_fd(const struct engine_hold *h);
int engine_hold_door(const struct engine_hold *h);
int engine_hold_read(struct engine_hold *h, struct err *e);
void engine_hold_serve(const struct engine_hold *h);
void engine_hold_use(struct engine_hold *h);
/* What a child must not close that uses it; -1 where there is none. h may be NULL. */
#define ENGINE_HOLD_FDS 2
void engine_hold_fds(const struct engine_hold *h, int ret[ENGINE_HOLD_FDS]);
int engine_hold_look(struct engine_hold *h, unsigned what, struct hold_result *ret, struct err *e);

/* For a resident caller: packets that the destinations of attachments with a uid have refused, one
 * a second and address at most (ten at once). ret_fd: readable when there are some; ERR_BUSY:
 * somebody else listens. read: 0 when there are no more for now. */
int engine_refusals_open(int *ret_fd, struct err *e);
int engine_refusals_read(int fd, void (*fn)(const struct refusal *r, void *arg), void *arg,
			 struct err *e);

/* From now on the inside of namespaces is configured with the power of their owners only, by
 * sockets that a process in the owner's user namespace has opened. For the whole program. */
void engine_as_owner(bool always);
/* From now on what the engine starts ends when the other end of the pipe end_fd (borrowed) is
 * closed, for a namespace that others keep must not be held by it; and names that no container has
 * are asked of these resolvers, not of those in resolv.conf. For the whole program. */
void engine_live_with(int end_fd, const struct ip resolver[N_FAM]);
/* Before a host is entered that is a namespace within a machine, this one: no destination that is a
 * name leads to an address of the machine's. For the whole program; once more is nothing. */
void engine_within(void);
/* For who looks after the process that answers names: it is *ret. ENGINE_NOTHING: no container has
 * names, none is needed. 2: there are some, and none answers. */
int engine_names_who(struct engine *g, int32_t *ret, struct err *e);
/* The same for a resident caller: one that is missing is started, and told all; is_doubtful: one
 * that is there too, of what it does not know. ret_pidfd is for the caller to close;
 * ENGINE_NOTHING: none is needed. */
int engine_names_keep(struct engine *g, bool is_doubtful, int *ret_pidfd, bool *ret_started,
		      struct err *e);

/* From now on subnets are chosen that are none of what the calling thread's network namespace has
 * addresses in or routes to, while there are others: for who then enters a namespace that has its
 * way out there. What is left out by that and overlaps *p, NULL: nothing. For the whole program. */
int engine_avoid_here(struct err *e);
const struct prefix *engine_avoided(const struct prefix *p);

/* Networks. `default` exists without having been made. ERR_CONFLICT when the name is taken with
 * other settings; ENGINE_NOTHING when it exists with the same. Fields left zero are chosen: a
 * subnet that collides with no route, address or network of the host. */
int engine_network_create(struct engine *g, struct network *n, struct err *e);
/* The default network as it is before its first use: its subnets are chosen then. */
void engine_network_default(struct network *ret);
int engine_network_get(struct engine *g, const char *name, struct network *ret, struct err *e);
int engine_network_each(struct engine *g, int (*fn)(const struct network *n, void *arg), void *arg,
			struct err *e);
/* From now on only published ports of a described network are reached from elsewhere, whatever its
 * descriptions say of is_open. ERR_ABSENT (WHAT_NETWORK) when there is none. */
int engine_network_close(struct engine *g, const char *name, struct err *e);
/* ERR_BUSY (and the members' names) while it has attachments; ENGINE_NOTHING when there is none. */
int engine_network_remove(struct engine *g, const char *name, struct err *e);

#endif
