/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin_iface: the names of the plugins that make an interface. They differ in defaults only: see
 * conf_iface.c. */
#include "cni-plugin/conf_iface.h"
#include "cni-plugin/verb_add.h"

#define VERBS                                                                                      \
	.add = verb_add, .del = verb_del, .check = verb_check, .gc = verb_gc,                      \
	.status = verb_status, .keys = conf_iface_keys

const struct plugin plugin_netd = {.name = "netd", VERBS};
const struct plugin plugin_bridge = {.name = "bridge", .bridge = "cni0", VERBS};
const struct plugin plugin_ptp = {.name = "ptp", .is_routed = true, VERBS};
