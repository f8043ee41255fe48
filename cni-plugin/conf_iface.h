/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_iface: the configuration of the plugins that make an interface (netd, bridge, ptp) as the
 * engine's request. Pure: nothing is opened but the allow-list of sysctls.
 */
#ifndef CNI_PLUGIN_CONF_IFACE_H
#define CNI_PLUGIN_CONF_IFACE_H

#include "cni-plugin/call.h"
#include "cni-plugin/ipam.h"

struct conf_iface {
	struct network net;
	bool is_default_gateway;
	struct publish *publish;      /* owned */
	struct attach_sysctl *sysctl; /* owned */
	const char *alias[ATTACH_ALIAS_MAX];
	struct result_dns dns; /* owned */
	struct up_request req; /* points into this, the call and the ipam */
};

#define CONF_IFACE_INIT                                                                            \
	{                                                                                          \
		.is_default_gateway = false                                                        \
	}

void conf_iface_clear(struct conf_iface *i);
#define CLEAN_CONF_IFACE __attribute__((cleanup(conf_iface_clear)))

/* Everything that the input says; ret is CONF_IFACE_INIT. Also refuses what the asked version
 * cannot say. */
int conf_iface_parse(const struct call *c, const struct ipam *ipam, struct conf_iface *ret,
		     struct fault *f);
/* Completes the request when the addresses of ipam are known (those of another plugin come late).
 * The namespace is the caller's to set. */
int conf_iface_complete(const struct call *c, struct ipam *ipam, struct conf_iface *i,
			struct fault *f);

extern const char *const conf_iface_keys[];

#endif
