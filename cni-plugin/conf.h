/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf: the configuration on standard input: what all plugins share, and the getters of the
 * capabilities. Strings and values point into doc. Parts that only some plugins have are read by
 * conf_iface.c (interfaces), ipam.c (addresses) and plugin_*.c.
 */
#ifndef CNI_PLUGIN_CONF_H
#define CNI_PLUGIN_CONF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cni-plugin/env.h"
#include "cni-plugin/fault.h"
#include "cni-plugin/result.h"
#include "model/attachment.h"
#include "model/publish.h"

#define CONF_SIZE_MAX ((size_t)8 * 1024 * 1024)
#define CONF_TIMEOUT_S 30 /* of a delegated plugin, unless delegateTimeout says otherwise */
#define CONF_MAPPINGS_MAX 65536

struct conf {
	char *text; /* as it came, for delegated plugins; owned */
	size_t len;
	json_t *doc; /* owned */
	enum cni_version version;
	bool has_version;      /* version is what the input says */
	const char *name;      /* a checked network name; NULL before conf_parse is through */
	const char *type;      /* "" when there is none */
	json_t *runtime;       /* runtimeConfig, NULL: none */
	json_t *args;          /* args.cni, NULL: none */
	json_t *ipam;          /* NULL: none */
	const char *ipam_type; /* "" when there is none */
	bool has_prev;
	struct result prev;
	int timeout_ms; /* for delegated plugins */
	bool is_strict; /* unknown keys are refused */
};

#define CONF_INIT                                                                                  \
	{                                                                                          \
		.version = V110, .ipam_type = "", .type = ""                                       \
	}

void conf_clear(struct conf *c);
#define CLEAN_CONF __attribute__((cleanup(conf_clear)))

/* Takes text over. ret is CONF_INIT; what was understood stays in it when it fails, so that the
 * error document has the right version. */
int conf_parse(char *text, size_t len, struct conf *ret, struct fault *f);
/* prevResult, for the commands that need it: a broken one must not keep DEL from its work. */
int conf_parse_prev(struct conf *c, struct fault *f);
/* FAULT_UNSUPPORTED with key and value when a key of obj is none of keys (NULL-terminated). */
int conf_refuse_unknown(json_t *obj, const char *path, const char *const *keys, struct fault *f);
/* The same with the number of "subnets" when one of these keys (NULL-terminated) has a list that
 * is not empty. */
int conf_refuse_lists(const struct conf *c, const char *const *keys, const char *what,
		      struct fault *f);

/* portMappings, in canonical order, without repetitions, runs of ports joined up to
 * PUBLISH_EXPLODE_MAX. New array in *ret. A port that is asked for twice with different targets is
 * FAULT_PORT. */
int conf_publish(const struct conf *c, struct publish **ret, size_t *ret_n, struct fault *f);
/* Keeps those that an attachment with addresses of these families can have: a host address of
 * another family is of no use to it, as the reference portmap sees it. Returns the number. */
size_t conf_publish_fitting(struct publish *p, size_t n, const bool has[N_FAM]);
/* bandwidth: of the runtime, else the plain keys of the configuration. */
int conf_rate(const struct conf *c, struct attach_rate *ret, struct fault *f);
/* Of the runtime, else args.cni.mac, else CNI_ARGS, else key `mac`. 0, 1: none. */
int conf_mac(const struct conf *c, const struct env *env, struct mac *ret, struct fault *f);
/* Asked addresses: of the runtime, else args.cni.ips, else CNI_ARGS. len ENV_NO_LEN: none said. */
int conf_ips(const struct conf *c, const struct env *env, struct prefix ret[ENV_IPS_MAX],
	     size_t *ret_n, struct fault *f);
/* dns of the configuration, replaced by that of the runtime, if any. */
int conf_dns(const struct conf *c, struct result_dns *ret, struct fault *f);
/* aliases: names for the container, kept on record; resolved where the network has names. They
 * point into the configuration. */
int conf_aliases(const struct conf *c, const char *ret[ATTACH_ALIAS_MAX], size_t *ret_n,
		 struct fault *f);

/* A list of prefixes without host bits; *ret_n <= max. */
int conf_prefixes(json_t *obj, const char *path, const char *key, struct prefix *ret, size_t max,
		  size_t *ret_n, struct fault *f);

#endif
