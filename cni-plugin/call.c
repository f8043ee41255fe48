/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call: opening what a call names, and the codes of what can go wrong with it. */
#include "cni-plugin/call.h"

#include <string.h>
#include <sys/stat.h>

#include "sys/netns.h"

const struct plugin *plugin_find(const char *name)
{
	static const struct plugin *const all[] = {
		&plugin_netd,      &plugin_bridge,   &plugin_ptp,
		&plugin_portmap,   &plugin_firewall, &plugin_hostlocal,
		&plugin_bandwidth, &plugin_tuning,   &plugin_loopback,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(name, all[i]->name) == 0)
			return all[i];
	return NULL;
}

/* Both are open or mounted now, so equal numbers are one namespace. */
static bool is_own(int fd)
{
	struct stat it, own;

	return fstat(fd, &it) == 0 && stat("/proc/self/ns/net", &own) == 0 &&
	       it.st_dev == own.st_dev && it.st_ino == own.st_ino;
}

int call_netns(struct call *c, int *ret_fd, struct fault *f)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;

	if (netns_open_path(c->env.netns, &fd, &e) < 0) {
		int code = e.kind == ERR_ABSENT   ? FAULT_CONTAINER
			   : e.kind == ERR_USAGE  ? FAULT_NETNS
			   : e.kind == ERR_DENIED ? FAULT_DENIED
						  : FAULT_IO;
		err_ctx(&e, -1, "CNI_NETNS");
		return fault_err_as(f, code, &e);
	}
	c->is_own_netns = is_own(fd);
	if (c->is_own_netns && !c->env.may_be_own)
		return fault_set(f, FAULT_NETNS, "CNI_NETNS is the plugin's own network namespace");
	*ret_fd = fd_take(&fd);
	return 0;
}

int call_engine(const struct call *c, bool read_only, struct engine **ret, struct fault *f)
{
	struct err e = ERR_INIT;
	int r = engine_open(c->state_dir, read_only, ret, &e);

	/* What is wrong with the state directory has many errnos and one meaning. */
	if (r < 0 && (e.kind == ERR_KERNEL || e.kind == ERR_PROTOCOL))
		return fault_err_as(f, FAULT_IO, &e);
	return r < 0 ? call_fault(&e, f) : r;
}

int call_engine_del(const struct call *c, struct engine **ret, struct fault *f)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;

	if (call_engine(c, false, ret, f) < 0)
		return -1;
	return engine_get(*ret, c->env.id, c->env.ifname, &a, NULL) == 0 &&
	       strcmp(a->network, c->conf.name) != 0;
}

int call_fault(const struct err *e, struct fault *f)
{
	int code = 0;

	switch (e->what) {
	case WHAT_PORT:
		code = e->kind == ERR_CONFLICT ? FAULT_PORT : 0;
		break;
	case WHAT_POOL:
		code = FAULT_POOL;
		break;
	case WHAT_ADDRESS:
		code = e->kind == ERR_CONFLICT ? FAULT_POOL : 0;
		break;
	case WHAT_INTERFACE:
		code = e->kind == ERR_CONFLICT ? FAULT_IFACE : 0;
		break;
	case WHAT_NETNS:
		code = e->kind == ERR_ABSENT  ? FAULT_CONTAINER
		       : e->kind == ERR_USAGE ? FAULT_NETNS
					      : 0;
		break;
	case WHAT_TABLE:
		code = FAULT_FIREWALL;
		break;
	default:
		break;
	}
	return code ? fault_err_as(f, code, e) : fault_err(f, e);
}

int call_take_prev(struct call *c, struct result *ret, struct fault *f)
{
	if (!c->conf.has_prev)
		return fault_set(f, FAULT_CONFIG,
				 "no prevResult: %s works on what another plugin made",
				 c->plugin->name);
	*ret = c->conf.prev;
	c->conf.prev = (struct result)RESULT_INIT;
	return 0;
}
