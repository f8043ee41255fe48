/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name: validation of every name that reaches the kernel, a path or nft text, and the names we
 * derive. All accepted names consist of [A-Za-z0-9_.-] and begin with [A-Za-z0-9], so they need no
 * quoting anywhere; "." and ".." cannot occur.
 */
#ifndef NETD_MODEL_NAME_H
#define NETD_MODEL_NAME_H

#include <stdint.h>

#include "base/err.h"

/* "ID/IFNAME" must fit nft's element comment of 128 bytes with its NUL. */
#define ID_MAX 100
#define IFNAME_MAX 15
#define NETNAME_MAX 64
#define ALIAS_MAX 253 /* of a name in DNS, as text */
#define ID_STRLEN (ID_MAX + 1)
#define IFNAME_STRLEN (IFNAME_MAX + 1)
#define NETNAME_STRLEN (NETNAME_MAX + 1)
#define ALIAS_STRLEN (ALIAS_MAX + 1)
/* "ID@IFNAME" with NUL: the key of an attachment, its record's file name and its claims' owner */
#define KEY_STRLEN (ID_MAX + 1 + IFNAME_MAX + 1)

/* what: how the text is called in the error ("container id", "network name"). ERR_USAGE. */
int name_check_id(const char *s, const char *what, struct err *e);
/* Nor one of: all, default, lo. */
int name_check_ifname(const char *s, const char *what, struct err *e);
int name_check_network(const char *s, const char *what, struct err *e);
/* A name that a container is to be found by; it may have dots. */
int name_check_alias(const char *s, const char *what, struct err *e);

/* A path that is kept for people to read: 1..NAME_PATH_MAX bytes of printable ASCII, without quotes
 * and backslash, so that it can stand in any text. ERR_USAGE. */
#define NAME_PATH_MAX 255
int name_check_path(const char *s, const char *what, struct err *e);

/* "ID@IFNAME" into out; both parts are valid names. */
void name_key(const char *id, const char *ifname, char out[KEY_STRLEN]);
/* Splits and checks a key (a file name found in the records directory). */
int name_parse_key(const char *key, char ret_id[ID_STRLEN], char ret_ifname[IFNAME_STRLEN]);

/* Host end of the veth: "nu" + 13 hex digits of a hash of the key: found again by the same call. */
void name_host_ifname(const char *id, const char *ifname, char out[IFNAME_STRLEN]);
/* The ifb of an attachment's rate limit: "ni" + 13 hex digits. */
void name_ifb(const char *id, const char *ifname, char out[IFNAME_STRLEN]);
/* Bridge of a network: "nb-NAME" when it fits in 15 bytes, else "nb-" + 12 hex digits of a hash. */
void name_bridge(const char *network, char out[IFNAME_STRLEN]);

#endif
