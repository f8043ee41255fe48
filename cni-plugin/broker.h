/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker: the verbs of a caller without privilege over his network: the resident daemon does what
 * its policy allows him. Nothing is made here. The network is one of the host's, by the name in the
 * configuration, and its settings are not the caller's: what would be another network, or is more
 * than the daemon does for users, is refused.
 */
#ifndef CNI_PLUGIN_BROKER_H
#define CNI_PLUGIN_BROKER_H

#include "cni-plugin/call.h"

/* Every command of every plugin but VERSION, which asks nothing, and `loopback`. */
int broker_run(struct call *c, struct result *ret, struct fault *f);

#endif
