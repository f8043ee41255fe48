/* SPDX-License-Identifier: GPL-2.0-or-later */
/* env: reads and checks the environment of one call. Opens nothing and changes nothing. */
#include "cni-plugin/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "model/name.h"

enum need { NEED_ID = 1, NEED_NETNS = 2, NEED_IFNAME = 4, NEED_PATH = 8 };

static const struct {
	const char *name;
	int need;
} commands[N_CMDS] = {
	[CMD_ADD] = {"ADD", NEED_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH},
	[CMD_DEL] = {"DEL", NEED_ID | NEED_IFNAME | NEED_PATH},
	[CMD_CHECK] = {"CHECK", NEED_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH},
	[CMD_GC] = {"GC", NEED_PATH},
	[CMD_STATUS] = {"STATUS", NEED_PATH},
	[CMD_VERSION] = {"VERSION", 0},
};

const char *env_command_str(enum cni_command c)
{
	return commands[c].name;
}

static const char *get(const char *name)
{
	const char *v = getenv(name);

	return v ? v : "";
}

static int missing(const struct env *v, int need, struct fault *f)
{
	const struct {
		int need;
		const char *name, *value;
	} vars[] = {
		{NEED_ID, "CNI_CONTAINERID", v->id},
		{NEED_NETNS, "CNI_NETNS", v->netns},
		{NEED_IFNAME, "CNI_IFNAME", v->ifname},
		{NEED_PATH, "CNI_PATH", v->path},
	};
	char list[128];
	size_t used = 0;

	for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++)
		if ((need & vars[i].need) && !vars[i].value[0])
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 used ? "," : "", vars[i].name);
	if (!used)
		return 0;
	return fault_set(f, FAULT_ENV, "required env variables [%s] missing", list);
}

static bool is_utf8(const char *s)
{
	CLEAN_JSON json_t *v = json_string(s);

	return v != NULL;
}

static int check_names(const struct env *v, int need, bool is_loopback, struct fault *f)
{
	struct err e = ERR_INIT;

	if ((need & NEED_ID) && name_check_id(v->id, "CNI_CONTAINERID", &e) < 0)
		return fault_err_as(f, FAULT_ENV, &e);
	if ((need & NEED_NETNS) && !is_utf8(v->netns))
		return fault_set(f, FAULT_ENV, "CNI_NETNS: not UTF-8, so no result could name it");
	if (!(need & NEED_IFNAME) || (is_loopback && strcmp(v->ifname, "lo") == 0))
		return 0;
	/* DEL of what can never have been made is still asked for by its real name. */
	if (strcmp(v->ifname, "lo") == 0)
		return fault_set(f, FAULT_CONFIG, "CNI_IFNAME: lo exists in every namespace");
	if (name_check_ifname(v->ifname, "CNI_IFNAME", &e) < 0)
		return fault_err_as(f, FAULT_ENV, &e);
	return 0;
}

/* Go's UnmarshallableBool. */
static int parse_bool(const char *s, bool *ret)
{
	if (strcmp(s, "1") == 0 || strcasecmp(s, "true") == 0)
		*ret = true;
	else if (strcmp(s, "0") == 0 || strcasecmp(s, "false") == 0)
		*ret = false;
	else
		return -EINVAL;
	return 0;
}

int env_parse_ip(const char *s, struct prefix *ret, struct err *e)
{
	struct prefix p = {.len = ENV_NO_LEN};
	int r = strchr(s, '/') ? prefix_parse(s, &p, e) : ip_parse(s, &p.ip, e);

	if (r < 0)
		return r;
	*ret = p;
	return 0;
}

static int parse_ips(char *list, struct env *v, struct fault *f)
{
	struct err e = ERR_INIT;
	char *save = NULL;

	for (char *s = strtok_r(list, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		if (v->n_ips == ENV_IPS_MAX)
			return fault_set(f, FAULT_ENV, "CNI_ARGS: IP: more than %d addresses",
					 ENV_IPS_MAX);
		if (env_parse_ip(s, &v->ips[v->n_ips], &e) < 0) {
			err_ctx(&e, -1, "CNI_ARGS: IP");
			return fault_err_as(f, FAULT_ENV, &e);
		}
		v->n_ips++;
	}
	return 0;
}

/* value is a copy that may be cut up. 1: the key is not known. */
static int parse_arg(const char *key, char *value, struct env *v, bool *ignore, struct fault *f)
{
	struct err e = ERR_INIT;

	if (strcmp(key, "IgnoreUnknown") == 0) {
		if (parse_bool(value, ignore) < 0)
			return fault_set(f, FAULT_ENV,
					 "CNI_ARGS: IgnoreUnknown: expected true or false");
		return 0;
	}
	if (strcmp(key, "IP") == 0)
		return parse_ips(value, v, f);
	if (strcmp(key, "MAC") == 0 && *value) {
		if (mac_parse(value, &v->mac, &e) < 0) {
			err_ctx(&e, -1, "CNI_ARGS: MAC");
			return fault_err_as(f, FAULT_ENV, &e);
		}
		v->has_mac = true;
		return 0;
	}
	if (strcmp(key, "GATEWAY") == 0 && *value) {
		if (ip_parse(value, &v->gateway, &e) < 0) {
			err_ctx(&e, -1, "CNI_ARGS: GATEWAY");
			return fault_err_as(f, FAULT_ENV, &e);
		}
		return 0;
	}
	return strcmp(key, "MAC") == 0 || strcmp(key, "GATEWAY") == 0 ? 0 : 1;
}

int env_parse_args(const char *args, struct env *ret, struct fault *f)
{
	char *copy, *save = NULL, unknown[64] = "";
	bool ignore = false;
	int r = 0;

	if (!args || !*args)
		return 0;
	copy = strdup(args);
	if (!copy)
		return fault_set(f, FAULT_INTERNAL, "no memory for CNI_ARGS");
	for (char *s = strtok_r(copy, ";", &save); s && r >= 0; s = strtok_r(NULL, ";", &save)) {
		char *eq = strchr(s, '=');
		if (!eq) {
			r = fault_set(f, FAULT_ENV, "CNI_ARGS: expected KEY=VALUE, found \"%.64s\"",
				      s);
			break;
		}
		*eq = 0;
		r = parse_arg(s, eq + 1, ret, &ignore, f);
		if (r == 1 && !unknown[0])
			snprintf(unknown, sizeof(unknown), "%s", *s ? s : "=");
	}
	free(copy);
	if (r < 0)
		return r;
	if (unknown[0] && !ignore)
		return fault_set(f, FAULT_ENV,
				 "CNI_ARGS: unknown key \"%s\", and IgnoreUnknown is not set",
				 unknown);
	return 0;
}

int env_read(bool is_loopback, struct env *ret, struct fault *f)
{
	const char *command = get("CNI_COMMAND"), *own = get("CNI_NETNS_OVERRIDE");
	struct env v = {
		.id = get("CNI_CONTAINERID"),
		.ifname = get("CNI_IFNAME"),
		.netns = get("CNI_NETNS"),
		.path = get("CNI_PATH"),
	};
	int c = 0, need;

	if (!command[0])
		return 1;
	while (c < N_CMDS && strcmp(command, commands[c].name) != 0)
		c++;
	if (c == N_CMDS)
		return fault_set(f, FAULT_ENV, "unknown CNI_COMMAND: %.64s", command);
	v.command = (enum cni_command)c;
	need = commands[c].need;
	if (parse_bool(own, &v.may_be_own) < 0)
		v.may_be_own = false;
	if (missing(&v, need, f) < 0 || check_names(&v, need, is_loopback, f) < 0)
		return -1;
	if ((need & NEED_ID) && env_parse_args(getenv("CNI_ARGS"), &v, f) < 0)
		return -1;
	*ret = v;
	return 0;
}

const char *env_netns_path(const struct env *v)
{
	return name_check_path(v->netns, "CNI_NETNS", NULL) < 0 ? "" : v->netns;
}
