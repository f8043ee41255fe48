/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin_loopback: `loopback` by name: lo of the namespace is up. The kernel gives it its
 * addresses; nothing is recorded, and DEL has nothing to take away that the namespace does not take
 * with it. */

#include "cni-plugin/call.h"
#include "cni-plugin/iface.h"
#include "sys/netns.h"

static int set_up(void *arg, struct err *e)
{
	int r = iface_set_up("lo", e);

	return r < 0 ? r : iface_get("lo", arg, e);
}

static int look(void *arg, struct err *e)
{
	return iface_get("lo", arg, e);
}

static int add(struct call *c, struct result *ret, struct fault *f)
{
	static const char *const addrs[] = {"127.0.0.1/8", "::1/128"};
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;
	struct iface lo;

	if (call_netns(c, &fd, f) < 0)
		return -1;
	if (netns_call(fd, set_up, &lo, &e) != 0)
		return fault_err(f, &e);
	if (c->conf.has_prev)
		return call_take_prev(c, ret, f);
	if (result_add_iface(ret, "lo", "00:00:00:00:00:00", 0, c->env.netns, f) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		struct result_ip ip = {.iface = 0};
		if (prefix_parse(addrs[i], &ip.addr, NULL) < 0 || result_add_ip(ret, &ip, f) < 0)
			return -1;
	}
	return 0;
}

static int check(struct call *c, struct fault *f)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;
	struct iface lo;

	if (call_netns(c, &fd, f) < 0)
		return -1;
	if (netns_call(fd, look, &lo, &e) != 0)
		return fault_err(f, &e);
	return lo.is_up ? 0 : fault_set(f, FAULT_MISMATCH, "lo is down");
}

const struct plugin plugin_loopback = {
	.name = "loopback",
	.add = add,
	.check = check,
};
