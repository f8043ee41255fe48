/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec_in: typed getters for the reading half of the schema: each names the place of what is wrong
 * and lets the model judge values. Private to the codec.
 */
#ifndef NETD_MODEL_CODEC_IN_H
#define NETD_MODEL_CODEC_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "model/addr.h"
#include "model/attachment.h"
#include "model/network.h"

#define PATH_STRLEN 40 /* "noMasquerade[31]" and the like */

/* An object being read: its place in the document, and where errors go. */
struct in {
	json_t *obj;
	const char *path;
	struct err *e;
};

/* All return 0, 1 when an optional key is absent, or -EINVAL. */

/* A checker of the model found the value of key wrong: its text gets the place in front of it. */
int in_wrong(const struct in *in, const char *key);
int in_bad(const struct in *in, const char *key, const char *what);
int in_str(const struct in *in, const char *key, enum json_need need, const char **ret);
int in_u32(const struct in *in, const char *key, uint32_t min, uint32_t max, uint32_t *ret);
int in_opt_u32(const struct in *in, const char *key, uint32_t min, uint32_t max, uint32_t *ret);
int in_opt_u64(const struct in *in, const char *key, uint64_t *ret); /* up to INT64_MAX */
int in_bool(const struct in *in, const char *key, bool *ret);
int in_opt_bool(const struct in *in, const char *key, bool *ret);
/* A name that one of the name_check functions accepts, into an array of its size. */
int in_name(const struct in *in, const char *key, enum json_need need,
	    int (*check)(const char *, const char *, struct err *), char *ret, size_t size);
int in_mac(const struct in *in, const char *key, enum json_need need, struct mac *ret);
int in_ip(const struct in *in, const char *key, enum json_need need, struct ip *ret);
int in_prefix(const struct in *in, const char *key, struct prefix *ret);
int in_version(const struct in *in);
/* The mode, and the bridge that goes with it: present in bridge mode and only there. */
int in_mode(const struct in *in, enum net_mode *ret_mode, char ret_bridge[IFNAME_STRLEN]);
/* The i-th object of an array: sets the place and checks that it is one. */
int in_item(const struct in *in, json_t *arr, const char *key, size_t i, char path[PATH_STRLEN],
	    struct in *ret);
/* An optional array; *ret_n is 0 when there is none. */
int in_opt_arr(const struct in *in, const char *key, size_t max, json_t **ret, size_t *ret_n);

/* codec_part.c: what of an attachment goes beyond its link, addresses and ports. */
int in_parts(const struct in *in, struct attachment *a);

#endif
