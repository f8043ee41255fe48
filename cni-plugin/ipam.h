/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipam: where the addresses come from: nowhere, range sets (host-local's grammar, done here), a
 * fixed list (static's grammar, done here), or another plugin (delegate.c), whose result is taken
 * over. Values only: nothing is claimed or executed here.
 */
#ifndef CNI_PLUGIN_IPAM_H
#define CNI_PLUGIN_IPAM_H

#include "cni-plugin/conf.h"
#include "model/attachment.h"
#include "model/pool.h"

enum ipam_kind { IPAM_NONE, IPAM_LOCAL, IPAM_STATIC, IPAM_OTHER };

struct ipam {
	enum ipam_kind kind;
	size_t n_set, n_want, n_given, n_route;
	struct addr_set *set; /* owned */
	struct ip want[ENV_IPS_MAX];
	struct attach_ip given[ATTACH_IP_MAX];
	struct attach_route *route; /* owned */
	struct result_dns dns;
};

#define IPAM_INIT                                                                                  \
	{                                                                                          \
		.kind = IPAM_NONE                                                                  \
	}

void ipam_clear(struct ipam *i);
#define CLEAN_IPAM __attribute__((cleanup(ipam_clear)))

enum ipam_kind ipam_kind(const struct conf *c);
/* ret is IPAM_INIT. env NULL: no address is asked for (STATUS, GC). */
int ipam_parse(const struct conf *c, const struct env *env, struct ipam *ret, struct fault *f);
/* The addresses, routes and name servers of another plugin's result. */
int ipam_take_result(const struct result *r, struct ipam *ret, struct fault *f);
/* A route as results have it. */
struct result_route ipam_result_route(const struct attach_route *from);

#endif
