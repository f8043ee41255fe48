/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name: the one gate between names of callers and the kernel, paths and nft text. A name that
 * passed needs no quoting anywhere. Derived interface names are hashes of the key: the same call
 * finds the same link again, whatever was lost in between. The kernel's own rule for interface
 * names is dev_valid_name in net/core/dev.c; ours is narrower.
 */
#include "model/name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name(const char *s, size_t len, size_t max)
{
	if (len == 0 || len > max || !is_alnum(s[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-')
			return false;
	return true;
}

/* Names that the kernel uses for directories of all interfaces, or that every namespace has. */
static bool is_reserved_ifname(const char *s)
{
	return strcmp(s, "all") == 0 || strcmp(s, "default") == 0 || strcmp(s, "lo") == 0;
}

static int check(const char *s, size_t max, const char *what, struct err *e)
{
	if (is_name(s, strlen(s), max))
		return 0;
	return err_invalid(e, ERR_USAGE,
			   "%s: expected 1..%zu of A-Z a-z 0-9 _ . - beginning with a letter or "
			   "digit, found \"%.160s\"",
			   what, max, s);
}

int name_check_id(const char *s, const char *what, struct err *e)
{
	return check(s, ID_MAX, what, e);
}

int name_check_ifname(const char *s, const char *what, struct err *e)
{
	int r = check(s, IFNAME_MAX, what, e);

	if (r < 0)
		return r;
	if (is_reserved_ifname(s))
		return err_invalid(e, ERR_USAGE, "%s: \"%s\" is a reserved interface name", what,
				   s);
	return 0;
}

int name_check_network(const char *s, const char *what, struct err *e)
{
	return check(s, NETNAME_MAX, what, e);
}

int name_check_alias(const char *s, const char *what, struct err *e)
{
	return check(s, ALIAS_MAX, what, e);
}

int name_check_path(const char *s, const char *what, struct err *e)
{
	size_t len = strlen(s);
	bool is_good = len > 0 && len <= NAME_PATH_MAX;

	for (size_t i = 0; i < len && is_good; i++)
		is_good = s[i] >= 0x20 && s[i] < 0x7f && !strchr("\"'`\\", s[i]);
	if (is_good)
		return 0;
	return err_invalid(e, ERR_USAGE,
			   "%s: expected a path of 1..%d printable ASCII characters without quotes "
			   "and backslash, found \"%.160s\"",
			   what, NAME_PATH_MAX, s);
}

void name_key(const char *id, const char *ifname, char out[KEY_STRLEN])
{
	snprintf(out, KEY_STRLEN, "%.*s@%.*s", ID_MAX, id, IFNAME_MAX, ifname);
}

int name_parse_key(const char *key, char ret_id[ID_STRLEN], char ret_ifname[IFNAME_STRLEN])
{
	const char *at = strchr(key, '@');
	size_t id_len, if_len;

	if (!at)
		return -EINVAL;
	id_len = (size_t)(at - key);
	if_len = strlen(at + 1);
	if (!is_name(key, id_len, ID_MAX) || !is_name(at + 1, if_len, IFNAME_MAX) ||
	    is_reserved_ifname(at + 1))
		return -EINVAL;
	memcpy(ret_id, key, id_len);
	ret_id[id_len] = '\0';
	memcpy(ret_ifname, at + 1, if_len + 1);
	return 0;
}

void name_host_ifname(const char *id, const char *ifname, char out[IFNAME_STRLEN])
{
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	snprintf(out, IFNAME_STRLEN, "nu%013" PRIx64, hash64(key, strlen(key), 0) >> 12);
}

void name_ifb(const char *id, const char *ifname, char out[IFNAME_STRLEN])
{
	char key[KEY_STRLEN];

	name_key(id, ifname, key);
	snprintf(out, IFNAME_STRLEN, "ni%013" PRIx64, hash64(key, strlen(key), 0) >> 12);
}

void name_bridge(const char *network, char out[IFNAME_STRLEN])
{
	size_t len = strlen(network);

	if (len <= IFNAME_MAX - 3)
		snprintf(out, IFNAME_STRLEN, "nb-%s", network);
	else
		snprintf(out, IFNAME_STRLEN, "nb-%012" PRIx64, hash64(network, len, 0) >> 16);
}
