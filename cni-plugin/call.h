/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call: one run of the program: environment, configuration, and the plugin whose name it was called
 * by. What the verbs of all plugins share.
 */
#ifndef CNI_PLUGIN_CALL_H
#define CNI_PLUGIN_CALL_H

#include "base/fd.h"
#include "cni-plugin/conf.h"
#include "cni-plugin/env.h"
#include "cni-plugin/fault.h"
#include "cni-plugin/result.h"
#include "engine/engine.h"

#define CALL_PROGRAM "netns-up-cni"

struct call;

/* One name that the program answers to. A verb that is NULL has nothing to do. Returns 0 or -1;
 * only add fills *ret, which is empty before. Changes of the host are undone when add fails. */
struct plugin {
	const char *name;
	bool is_chained;    /* it works on prevResult */
	bool is_routed;     /* its interfaces have no bridge unless `mode` says so */
	const char *bridge; /* its bridge when the configuration names none; NULL: the network's */
	int (*add)(struct call *c, struct result *ret, struct fault *f);
	int (*del)(struct call *c, struct fault *f);
	int (*check)(struct call *c, struct fault *f);
	int (*gc)(struct call *c, struct fault *f);
	int (*status)(struct call *c, struct fault *f);
	const char *const *keys; /* of its configuration, for the strict mode; NULL-terminated */
};

struct call {
	const struct plugin *plugin;
	const char *state_dir; /* NULL: the engine's own */
	uint64_t started_at;   /* clock_boot_ns */
	struct env env;
	struct conf conf;
	bool is_own_netns; /* call_netns opened the namespace that the plugin runs in */
};

extern const struct plugin plugin_netd, plugin_bridge, plugin_ptp, plugin_portmap, plugin_firewall,
	plugin_hostlocal, plugin_bandwidth, plugin_tuning, plugin_loopback;

/* The plugin of that name, NULL: none. */
const struct plugin *plugin_find(const char *name);

/* CNI_NETNS as a descriptor. FAULT_CONTAINER: it is gone; FAULT_NETNS: it is something else, or the
 * plugin's own without CNI_NETNS_OVERRIDE. */
int call_netns(struct call *c, int *ret_fd, struct fault *f);
/* As engine_open; 1 only when read_only. */
int call_engine(const struct call *c, bool read_only, struct engine **ret, struct fault *f);
/* The same for taking away; 1: the attachment is of another network, which is not what the caller
 * means. A broken record has no network. */
int call_engine_del(const struct call *c, struct engine **ret, struct fault *f);
/* An error of the engine on the way to make or change an attachment. */
int call_fault(const struct err *e, struct fault *f);
/* The previous result, moved into *ret. FAULT_CONFIG without one. */
int call_take_prev(struct call *c, struct result *ret, struct fault *f);

#endif
