/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env: the CNI_* variables and CNI_ARGS as checked values. Which are needed depends on the command;
 * those that are not needed are not looked at (runtimes send dummies). Values are never logged.
 */
#ifndef CNI_PLUGIN_ENV_H
#define CNI_PLUGIN_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "cni-plugin/fault.h"
#include "model/addr.h"

enum cni_command { CMD_ADD, CMD_DEL, CMD_CHECK, CMD_GC, CMD_STATUS, CMD_VERSION, N_CMDS };

#define ENV_IPS_MAX 16

struct env {
	enum cni_command command;
	/* Borrowed from the environment; "" where not set or not needed. */
	const char *id, *ifname, *netns, *path;
	bool may_be_own; /* CNI_NETNS_OVERRIDE: the plugin's own namespace is meant */
	/* CNI_ARGS */
	size_t n_ips;
	struct prefix ips[ENV_IPS_MAX]; /* len 255: none was said */
	struct ip gateway;              /* family 0: none */
	bool has_mac;
	struct mac mac;
};

#define ENV_NO_LEN 255

/* 1: CNI_COMMAND is not set at all (a person asks what this is). The `loopback` plugin alone may be
 * asked for the interface lo. */
int env_read(bool is_loopback, struct env *ret, struct fault *f);
const char *env_command_str(enum cni_command c);
/* Only CNI_ARGS; args may be NULL. */
int env_parse_args(const char *args, struct env *ret, struct fault *f);
/* "ADDR" or "ADDR/LEN". 0 or -1 and *e. */
int env_parse_ip(const char *s, struct prefix *ret, struct err *e);

/* CNI_NETNS as it can be written down in a record, else "". */
const char *env_netns_path(const struct env *v);

#endif
