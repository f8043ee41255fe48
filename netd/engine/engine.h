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
#include "model/publish.h"

struct engine;

/* Opens the state and the kernel sockets in the caller's network namespace ("the host").
 * state_dir NULL: /run/netd. read_only: no state directory is made; 1 and *ret NULL when there is
 * none. ERR_DENIED says which privilege is missing and what would help. */
int engine_open(const char *state_dir, bool read_only, struct engine **ret, struct err *e);
void engine_closep(struct engine **g);
#define CLEAN_ENGINE __attribute__((cleanup(engine_closep)))

struct up_request {
	const char *id, *ifname, *network;
	int netns_fd;           /* borrowed */
	const char *netns_path; /* "" when there is none */
	struct ip ip[N_FAM];    /* family 0: pick */
	struct mac mac;         /* all zero: derive from the address */
	uint32_t mtu;           /* 0: the network's */
	size_t n_publish;
	const struct publish *publish;
};

enum { ENGINE_DONE = 0, ENGINE_NOTHING = 1 };

/* Attaches. ENGINE_DONE: made; ENGINE_NOTHING: the same attachment was up already (parts of it that
 * were missing have been put back). *ret describes it either way. */
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
/* Only the names, which needs no reading of records. */
int engine_each_name(struct engine *g, int (*fn)(const char *id, const char *ifname, void *arg),
		     void *arg, struct err *e);
/* Cookie of a namespace, to find attachments by namespace (attachment.netns_cookie). */
int engine_cookie(int netns_fd, uint64_t *ret, struct err *e);

/* Adds or removes published ports of an attachment; all or nothing. Ports published already are
 * left alone (unpublish of one that is not: ERR_ABSENT). *ret: the attachment afterwards. */
int engine_publish(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		   size_t n, struct attachment **ret, struct err *e);
int engine_unpublish(struct engine *g, const char *id, const char *ifname, const struct publish *p,
		     size_t n, struct attachment **ret, struct err *e);

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

/* Networks. `default` exists without having been made. ERR_CONFLICT when the name is taken with
 * other settings; ENGINE_NOTHING when it exists with the same. Fields left zero are chosen: a
 * subnet that collides with no route, address or network of the host. */
int engine_network_create(struct engine *g, struct network *n, struct err *e);
/* The default network as it is before its first use: its subnets are chosen then. */
void engine_network_default(struct network *ret);
int engine_network_get(struct engine *g, const char *name, struct network *ret, struct err *e);
int engine_network_each(struct engine *g, int (*fn)(const struct network *n, void *arg), void *arg,
			struct err *e);
/* ERR_BUSY (and the members' names) while it has attachments; ENGINE_NOTHING when there is none. */
int engine_network_remove(struct engine *g, const char *name, struct err *e);

#endif
