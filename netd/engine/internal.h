/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal: what the files of the engine share. struct engine holds the sockets and the state of
 * one program run; struct work is one transaction on one attachment. Nothing outside engine/
 * includes it.
 */
#ifndef NETD_ENGINE_INTERNAL_H
#define NETD_ENGINE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "net/elem.h"
#include "net/link.h"
#include "net/nameslink.h"
#include "net/nftbatch.h"
#include "net/nftshare.h"
#include "net/reserve.h"
#include "net/route.h"
#include "net/rtnl.h"
#include "store/member.h"
#include "store/store.h"

struct engine {
	struct store *store;
	struct rtnl *host;
	struct nftbatch *nft;
	uint64_t cookie; /* of the host's namespace */
	char boot_id[BOOT_ID_STRLEN];
	uint32_t owner; /* of the tables: the state directory's number */
	bool deep; /* check, gc: look at what no `up` looks at too, the rules (once) among it */
	bool has_rules;   /* they were looked at and found intact, or loaded anew */
	bool fwd_started; /* by this run: what the others published may be served by nobody */
	struct nameslink names;
	char *state_dir;
	bool tidy;                    /* nothing may be left: look when closing */
	char network[NETNAME_STRLEN]; /* that the last one taken away was of; "": none */
	void (*progress)(const char *what, size_t i, size_t n, void *arg); /* NULL: nobody asks */
	void *progress_arg;
};
void engine_progress(struct engine *g, const char *what, size_t i, size_t n);

struct work {
	struct engine *g;
	struct network net;
	struct attachment *a;      /* borrowed */
	int netns_fd;              /* borrowed; -1: the inside cannot be reached */
	struct rtnl *inside;       /* opened on demand */
	struct route_watch *watch; /* opened where the first look finds nothing */
	struct reserve *res;
	struct names *names; /* what the responder is told */
	struct observed obs;
	struct plan plan;
	enum member_first first;
	struct link_info seen_bridge; /* looked at a moment ago, under the same lock */
	bool has_seen_bridge;
	struct link_info seen_uplink; /* of IPv4, likewise */
	bool has_seen_uplink;
	uint32_t bridge_index;
	struct mac bridge_mac; /* as it is */
	uint32_t bridge_mtu;
	bool is_bridge_up;
	bool is_bridge_strange; /* not the one that we make for this network */
	bool is_new_network;    /* implicit, and not on record yet, or not as it is now */
	struct network old_net; /* what is on record, where that is something else */
	bool has_old_net;
	bool is_force_address;
	bool is_fresh_inside;        /* the addresses inside were made by this transaction */
	bool is_fresh_link;          /* made by this transaction, as a port of the bridge, up */
	struct link_info fresh_link; /* then: as it was made */
	bool has_force_forwarding;   /* the kernel has it: it was seen at an interface */
	uint64_t generation;         /* of the tables when the transaction began */
};
uint32_t engine_owner(const char *state_dir); /* number of a state directory; NULL: the usual */
void work_clear(struct work *w);
#define CLEAN_WORK __attribute__((cleanup(work_clear)))
int work_inside(struct work *w, struct err *e); /* opens w->inside */

/* observe.c. Host part: global lock held. */
int observe_host(struct work *w, struct err *e);
int observe_attachment(struct work *w, struct err *e);

/* bridge.c: bridges, ours and those of others that networks were told to use. Global lock held. */
/* Looks at the network's bridge: fills w->bridge_*. 1: there is none. A link that cannot be it is
 * an error. */
int bridge_observe(struct work *w, struct err *e);
/* Makes or completes it. */
int bridge_make(struct work *w, struct err *e);
/* 1: the bridge has the gateway addresses that it should have, 0: it has not. */
int bridge_has_gateways(struct work *w, struct err *e);
/* The last member is gone: what we made goes. Gathers. */
void bridge_gone(struct engine *g, const struct network *n, struct err *all);

/* inside.c: the interface inside, from link to routes. */
int inside_make(struct work *w, struct err *e);
/* The gateways' entries once more, where nobody would answer for them: the kernel forgets them when
 * the interface's MAC address changes. */
int inside_neighbours(struct work *w, uint32_t index, struct err *e);

/* rate.c. Limits as a->rate says; a direction without a rate is freed. netns_fd -1: that the link
 * is the attachment's is not looked at. */
int rate_make(struct engine *g, const struct attachment *a, int netns_fd, struct err *e);
/* Takes away everything that may exist of them. Gathers. fast: as for teardown. */
int rate_remove(struct engine *g, const struct attachment *a, bool fast, struct err *e);
/* What does not go with the link of the attachment. */
int rate_remove_ifb(struct engine *g, const struct attachment *a, bool fast, struct err *e);
int rate_observe(struct work *w, struct err *e);

/* vlan.c. ERR_UNSUPPORTED where the kernel cannot. */
int vlan_check_kernel(struct engine *g, struct err *e);
/* Queues what the network's bridge needs; a bridge of somebody else's has to have it. */
int vlan_bridge_make(struct work *w, struct rtnl_batch *b, struct err *e);
/* 1: the bridge is as the network's VLAN needs it, 0: it is not. */
int vlan_bridge_observe(struct work *w, struct err *e);
int vlan_port_make(struct work *w, struct err *e);
int vlan_port_observe(struct work *w, struct err *e);

/* tune.c: sysctls and settings inside. */
int tune_make(struct work *w, struct err *e);
int tune_observe(struct work *w, struct err *e);

/* request.c: PURE. */
bool request_is_described(const struct up_request *req);
bool request_is_same(const struct up_request *req, const struct attachment *have);
uint64_t request_hash(const struct up_request *req); /* never 0 */

/* spec.c. Finds or makes the network that the request describes, in w->net. Global lock held. */
int spec_find(struct work *w, const struct up_request *req, struct err *e);
/* Is the interface the bridge of a network on record? */
bool spec_is_bridge(struct engine *g, const char *ifname);
/* The elements of a network, without those that are another network's too. */
int spec_own_elements(struct engine *g, const struct network *n, struct elem_list *l,
		      struct err *e);

/* addrs.c. Global lock held. */
int addrs_claim(struct work *w, const struct up_request *req, const char *key, struct err *e);
int addrs_from_sets(struct work *w, const struct addr_set *set, size_t n_set, const struct ip *want,
		    size_t n_want, const char *key, struct err *e);
/* Gathers. */
void addrs_drop(struct engine *g, const struct attachment *a, struct err *all);
/* A given address as it will be inside: on a routed link, or with the gateway that follows. */
struct attach_ip addrs_given(const struct network *net, const struct attach_ip *given);
/* Fills a->route[] with every gateway spelled out. */
int addrs_routes(struct attachment *a, const struct up_request *req, struct err *e);

/* rules.c. 1: the rules of our tables are what we load, 0: they are not. */
int rules_intact(struct engine *g, struct err *e);
/* What fn writes to `to`, in a child of its own, which ends when fn returns. */
int rules_child(void (*fn)(int to, const void *arg), const void *arg, struct buf *out,
		struct err *e);

/* keep.c: the stand-in. 1 and why: the kernel has no such tables. */
int keep_open(struct nftshare **ret, struct err *e);
struct kept {
	struct buf text; /* none: there is to be no stand-in */
	char comment[RULESET_COMMENT_STRLEN];
	struct publish *ports; /* of all */
	size_t n_ports;
};
void keep_clear(struct kept *k);
#define CLEAN_KEEP __attribute__((cleanup(keep_clear)))
/* What it is to be. Global lock held. */
int keep_look(struct engine *g, struct kept *k, struct err *e);
/* Makes it that, or lets there be none. They need no lock. */
int keep_put(struct engine *g, const struct kept *k, struct nftshare *share, struct err *e);
int keep_drop(struct nftshare *share, struct err *e);
/* Ports whose flows may have begun without translation, and those flows. */
int keep_note_ports(struct engine *g, struct kept *k, struct err *e);
int keep_forget_flows(struct engine *g, const struct kept *k, struct err *e);

#define ENGINE_STATE_DIR "/run/netd"
/* hold.c: n writes through the socket that holds the tables, where somebody does. */
#define HOLD_DOOR "nft.sock" /* in the state directory */
int hold_writer(struct nftbatch *n, const char *state_dir, struct err *e);
/* ERR_CONFLICT, WHAT_TABLE: the tables are held by somebody whose socket is not to be had. */
int hold_check(struct nftbatch *n, const char *state_dir, struct err *e);

/* apply.c. Host operations: global lock held. Both stop at the first error; apply_endpoint undoes
 * what it did when undo is set. Answers of other processes are waited for last. */
int apply_host(struct work *w, struct err *e);
int apply_endpoint(struct work *w, bool undo, struct err *e);
/* Elements that a reload of the tables during the transaction may have lost. */
int apply_elements_again(struct work *w, struct err *e);

/* hostops.c: operations on what the containers share. */
int hostop_tables(struct work *w, struct err *e);
/* Our tables anew, with these elements (NULL: none); lock_fd as for nft_run_locked. -ENOENT,
 * -EOPNOTSUPP: the kernel lacks a part.
 */
int hostop_load(uint32_t owner, const struct elem_list *l, int lock_fd, struct err *e);
/* Elements on record: those of networks and of the host, which containers share; all. */
int hostop_shared_elements(struct engine *g, struct elem_list *l, struct err *e);
int hostop_elements(struct engine *g, struct elem_list *l, struct err *e);
/* ERR_CONFLICT when the tables belong to another state directory, else as nftbatch_tables. */
int hostop_owner(struct engine *g, struct err *e);
/* Deletes links that a lost state left behind: they carry names and subnets that are about to be
 * used. Only while nothing is on record. */
int hostop_purge(struct engine *g, struct err *e);
int hostop_net_elements(struct work *w, struct err *e);
int hostop_sysctl(struct work *w, const struct host_sysctl *s, struct err *e);
/* The last member left: network (and with FIRST_OF_HOST everything) goes. Gathers. Lock held. */
int hostop_network_gone(struct engine *g, const struct network *n, enum member_first left,
			struct err *e);
/* Host side of an attachment's network from its record, when the network's own record is gone. */
void hostop_network_of(const struct attachment *a, struct network *ret);
/* The network's record, else the above. */
void hostop_network(struct engine *g, const struct attachment *a, struct network *ret);

/* prepare.c: claims and the record. Global lock held. */
int prepare_claim(struct work *w, const struct up_request *req, struct err *e);
/* Finds the same values but keeps no claim and records nothing. */
int prepare_preview(struct work *w, const struct up_request *req, struct err *e);
/* Drops claims, record and membership; with the last member the network goes too. Gathers. */
int prepare_release(struct engine *g, const struct attachment *a, struct err *e);
/* Takes key, which has no record, out of every network that it had joined, with its claims. The
 * number of networks. */
int prepare_leave(struct engine *g, const char *key, struct err *e);
/* prepare_ports.c. Closes the sockets that are bound and not handed over: before their claims are
 * given back, or who claims the ports next would find them taken. */
void prepare_unbind(struct work *w);
/* have: the attachment that the ports are added to, NULL when it is being made. */
int prepare_claim_ports(struct work *w, const struct attachment *have, struct publish *p, size_t n,
			struct err *e);
int prepare_drop_ports(struct engine *g, const struct attachment *a, const struct publish *p,
		       size_t n, struct err *e);

/* Lets the forwarder drop what belongs to no record. The number of such attachments. */
int prepare_sweep_ports(struct engine *g, struct reserve *res, struct err *e);

/* teardown.c: removes what exists of an attachment in the kernel and the forwarder, then
 * prepare_release under the lock. Gathers. fast: links go by the echo way (the caller ends soon).
 * Attachment lock held. */
int teardown_all(struct engine *g, const struct attachment *a, bool fast, struct err *e);

/* names.c: what the names responder is told. A responder that is gone is no error to taking away.
 */
/* Looks whether the network is served as it should be. Global lock held. */
int names_observe_network(struct work *w, struct err *e);
/* Lets it be served: starts the responder where there is none, hands over sockets, records the port
 * before the elements lead there. Global lock held. */
int names_serve(struct work *w, struct err *e);
/* Whether the attachment is known by its addresses and as many names as it has. */
int names_observe(struct work *w, struct err *e);
/* Tells them. names_ask only sends, names_put waits for the answers and does what else it takes. */
int names_ask(struct work *w, struct err *e);
int names_put(struct work *w, struct err *e);
/* Likewise: names_ask_remove only sends. */
void names_ask_remove(struct engine *g, const struct attachment *a);
int names_remove(struct engine *g, const struct attachment *a, struct err *e);
/* The network is not served any more; NULL: none is. */
int names_drop(struct engine *g, const char *network, struct err *e);
/* What no record knows. Global lock held. */
int names_sweep(struct engine *g, struct err *e);
/* After a call that started the responder: all others are told once more. No lock held. */
void names_revive(struct engine *g);
void names_fill(const struct network *n, struct attachment *a); /* the record's resolver[] */

/* learn.c: destinations that are names. */
#define LEARN_EACH 256     /* addresses that names lead to, of one container */
#define LEARN_MEMBERS 1024 /* containers for which there are some just now */
/* Of a that is to be made: its destinations, and that somebody tells where their names lead. */
int learn_check(struct work *w, const struct attachment *a, struct err *e);
/* Takes away what was learned for it. */
int learn_forget(struct engine *g, const struct attachment *a, struct err *e);
struct learner;
struct namesmsg_learn;
struct learner *learner_new(struct engine *g); /* NULL: no memory */
/* Of who is not believed. 0: the container reaches it, or need not; else -errno. */
int learner_take(struct learner *l, const struct namesmsg_learn *m);
/* By which it asks the machine around (engine_within); -1: there is none, or no machine. */
int learn_machine_fd(void);
/* nameskeep.c. Starts the keeper; the responder is there. On return they know of each other. */
int nameskeep_start(struct engine *g, struct err *e);

/* network.c. Finds a network; describes the default one when it is asked for (1: it is not on
 * record yet). Lock held. */
int network_find(struct engine *g, const char *name, struct network *ret, struct err *e);

/* gc.c. Removes the record of that name, which cannot be read, its link, membership and claims. The
 * tables come first: they are loaded anew from what can be read, before the name is forgotten.
 * Takes the global lock. */
int gc_one_broken(struct engine *g, const char *name, struct gc_result *ret, struct err *e);

/* ports.c. Binds and hands over those ports of a that the last reserve_count saw served by nobody.
 * Goes on after errors and gathers them. Attachment lock held. */
int ports_reserve(struct reserve *res, const struct attachment *a, struct err *e);
/* After a call that started the forwarder: the ports of all others are handed over again. No lock
 * held. What fails is left for check and gc to tell. */
void ports_revive(struct engine *g);

/* Takes the ports of part, which are some of a's, off a: from the kernel, then from the record. */
int ports_withdraw(struct engine *g, struct attachment *a, const struct attachment *part,
		   struct err *e);
/* A copy of a without what it owns: a transaction's own share. */
int ports_start_part(const struct attachment *a, struct attachment **ret, struct err *e);

/* up.c. Plan and apply for a recorded attachment whose parts may be missing. */
int up_repair(struct work *w, struct err *e);
/* Appends to out what w->a, which is on record as committed, lacks. 0: nothing; 1: something.
 * Changes nothing. */
int check_observed(struct work *w, struct buf *out, struct err *e);
/* Writes a record anew, under the global lock: one that is renamed into its place while gc reads
 * the directory could be missed. */
int up_record(struct engine *g, const struct attachment *a, struct err *e);

/* "net/ipv4/conf/IFNAME/LEAF" (FAM4) or "net/ipv6/..." */
void conf_key(char out[SYSCTL_KEYLEN], int fam, const char *ifname, const char *leaf);

/* A descriptor of the attachment's namespace if its recorded path still leads to it; -1. */
int attachment_netns(const struct attachment *a);
/* 1: its link is there; of a foreign one or a lease, its namespace. 0: gone. */
#define ALIVE_UNKNOWN 2 /* nobody can tell */
int attachment_is_alive(struct engine *g, const struct attachment *a, struct err *e);

/* A container's families: has[f] when it has an address of f. */
void attachment_families(const struct attachment *a, bool has[N_FAM]);

#endif
