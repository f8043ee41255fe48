/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tune: reads the keys of tuning. A host's administrator may list what sysctls a configuration can
 * set: one extended regular expression a line; without the file everything under net/ of the
 * namespace may be set.
 */
#include "cni-plugin/tune.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "cni-plugin/gojson.h"

#define ALLOW_LIST_MAX ((size_t)64 * 1024)
#define MTU_MIN 68

/* 1: it matches. */
static int match_line(const char *line, const char *key, struct fault *f)
{
	regex_t re;
	int r = regcomp(&re, line, REG_EXTENDED | REG_NOSUB);

	if (r != 0)
		return fault_set(f, FAULT_CONFIG, "%s: \"%.100s\" is no regular expression",
				 TUNE_ALLOW_LIST, line);
	r = regexec(&re, key, 0, NULL, 0);
	regfree(&re);
	return r == 0;
}

static int check_key(const char *text, const char *key, struct fault *f)
{
	CLEAN_FREE char *copy = strdup(text);
	char *save = NULL;
	int r = 0;

	if (!copy)
		return fault_set(f, FAULT_INTERNAL, "no memory for the allow-list");
	for (char *line = strtok_r(copy, "\r\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\r\n", &save))
		r = *line ? match_line(line, key, f) : 0;
	if (r == 0)
		return fault_set(f, FAULT_CONFIG, "sysctl %.128s is not in %s", key,
				 TUNE_ALLOW_LIST);
	return r < 0 ? r : 0;
}

int tune_check_allowed(const char *text, json_t *sysctl, struct fault *f)
{
	const char *key;
	json_t *v;

	json_object_foreach(sysctl, key, v)
	{
		if (check_key(text, key, f) < 0)
			return -1;
	}
	return 0;
}

static int check_allow_list(json_t *sysctl, struct fault *f)
{
	CLEAN_FREE char *text = NULL;
	struct err e = ERR_INIT;
	size_t len;
	int r = fd_read_file(AT_FDCWD, TUNE_ALLOW_LIST, ALLOW_LIST_MAX, &text, &len, &e);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? fault_err_as(f, FAULT_IO, &e) : tune_check_allowed(text, sysctl, f);
}

static int parse_sysctls(const struct conf *c, const char *ifname, struct attach_sysctl **ret,
			 size_t *ret_n, struct fault *f)
{
	struct attach_sysctl *list;
	struct err e = ERR_INIT;
	json_t *o = NULL, *v;
	const char *key;
	size_t n = 0;

	if (gojson_obj(c->doc, "", "sysctl", &o, f) < 0)
		return -1;
	if (json_object_size(o) == 0)
		return 0;
	if (json_object_size(o) > ATTACH_SYSCTL_MAX)
		return fault_set(f, FAULT_QUOTA, "sysctl: more than %d", ATTACH_SYSCTL_MAX);
	if (check_allow_list(o, f) < 0)
		return -1;
	list = calloc(json_object_size(o), sizeof(*list));
	if (!list)
		return fault_set(f, FAULT_INTERNAL, "no memory for sysctls");
	json_object_foreach(o, key, v)
	{
		if (!json_is_string(v)) {
			free(list);
			return gojson_wrong("sysctl", "strings", v, f);
		}
		if (attach_sysctl_parse(key, json_string_value(v), ifname, &list[n], &e) < 0) {
			free(list);
			return fault_err_as(f, FAULT_CONFIG, &e);
		}
		n++;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

int tune_mtu(const struct conf *c, uint32_t *ret, struct fault *f)
{
	int64_t n = 0;

	if (gojson_int(c->doc, "", "mtu", &n, f) < 0)
		return -1;
	if (n != 0 && (n < MTU_MIN || n > 65535))
		return fault_set(f, FAULT_CONFIG, "mtu: expected %d..65535, found %lld", MTU_MIN,
				 (long long)n);
	*ret = (uint32_t)n;
	return 0;
}

int tune_parse(const struct conf *c, const char *ifname, struct attach_tune *ret,
	       struct attach_sysctl **ret_sysctl, size_t *ret_n, struct fault *f)
{
	struct attach_tune t = {0};
	int64_t len = 0;
	int r;

	r = gojson_bool(c->doc, "", "promisc", &t.is_promisc, f);
	if (r < 0)
		return r;
	/* Only what a configuration says true is set: false is what an interface is made with. */
	t.has_promisc = r == 0 && t.is_promisc;
	r = gojson_bool(c->doc, "", "allmulti", &t.is_allmulti, f);
	if (r < 0)
		return r;
	t.has_allmulti = r == 0;
	r = gojson_range(c->doc, "", "txQLen", 0, INT32_MAX, &len, f);
	if (r < 0)
		return r;
	t.has_tx_queue_len = r == 0;
	t.tx_queue_len = (uint32_t)len;
	if (parse_sysctls(c, ifname, ret_sysctl, ret_n, f) < 0)
		return -1;
	*ret = t;
	return 0;
}
