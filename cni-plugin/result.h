/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * result: what an ADD answers, as one typed value for all versions of the specification, read from
 * and printed in the shape of any of them. Also the versions themselves and the error document.
 * Values of other plugins' results (names of their interfaces, name servers) are text that is
 * passed on and never used.
 */
#ifndef CNI_PLUGIN_RESULT_H
#define CNI_PLUGIN_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cni-plugin/fault.h"
#include "model/addr.h"

enum cni_version { V010, V020, V030, V031, V040, V100, V110, N_VERSIONS };

const char *version_str(enum cni_version v);
/* Exact text; "" is 0.1.0. -1: not one of them. */
int version_parse(const char *s, enum cni_version *ret);
/* "0.1.0, 0.2.0, ..." */
const char *version_list(void);

struct result_iface {
	char *name, *mac, *sandbox, *socket_path, *pci_id; /* owned; NULL: none */
	uint32_t mtu;                                      /* 0: not said */
};

struct result_ip {
	struct prefix addr;
	struct ip gateway; /* family 0: none */
	int iface;         /* index, -1: none */
};

struct result_route {
	struct prefix dst;
	struct ip gw; /* family 0: none */
	bool has_table, has_scope;
	int64_t mtu, advmss, priority, table, scope; /* 0: not said, but for the two above */
};

struct result_dns {
	json_t *nameservers, *search, *options; /* arrays of strings, owned; NULL: none */
	char *domain;                           /* owned; NULL: none */
};

struct result {
	size_t n_ifaces, n_ips, n_routes;
	struct result_iface *iface;
	struct result_ip *ip;
	struct result_route *route;
	struct result_dns dns;
};

#define RESULT_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}
#define RESULT_LIST_MAX 4096 /* entries of each list that are read */

void result_clear(struct result *r);
void result_dns_clear(struct result_dns *d);
#define CLEAN_RESULT __attribute__((cleanup(result_clear)))

/* Append; -1 and FAULT_INTERNAL without memory. Texts are copied; NULL and "" are none. */
int result_add_iface(struct result *r, const char *name, const char *mac, uint32_t mtu,
		     const char *sandbox, struct fault *f);
int result_add_ip(struct result *r, const struct result_ip *ip, struct fault *f);
int result_add_route(struct result *r, const struct result_route *route, struct fault *f);

/* doc: a result in the version that it names itself, else in fallback. path is its place in the
 * input, for texts. *ret is an empty result, and is half filled on failure. */
int result_parse(json_t *doc, const char *path, enum cni_version fallback, struct result *ret,
		 struct fault *f);
/* obj NULL: nothing. */
int result_parse_dns(json_t *obj, const char *path, struct result_dns *ret, struct fault *f);
/* One route of a configuration or a result. */
int result_parse_route(json_t *v, const char *path, struct result_route *ret, struct fault *f);
bool result_dns_is_empty(const struct result_dns *d);

/* Whether the shape of v can say it: 0.1.0 and 0.2.0 need an address. */
int result_fits(const struct result *r, enum cni_version v, struct fault *f);
/* New reference; NULL: no memory. */
/* dns as a result has it; NULL without memory. */
json_t *result_dns_json(const struct result_dns *d);
json_t *result_json(const struct result *r, enum cni_version v);
json_t *result_fault_json(const struct fault *f, enum cni_version v);
/* The answer to VERSION; says is what cniVersion it names. */
json_t *result_version_json(enum cni_version says);

#endif
