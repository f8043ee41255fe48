/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args: one option after another. */
#include "rootless/args.h"

#include <stdio.h>
#include <string.h>

#include "rootless/start.h"

static void arg(struct args *a, const char *text)
{
	a->v[a->n++] = (char *)text;
}

static void arg_pair(struct args *a, const char *option, const char *value)
{
	arg(a, option);
	arg(a, value);
}

int args_make(const struct rootless_request *q, const char *path, struct args *ret, struct err *e)
{
	static const struct mac none;
	struct args *a = ret;

	if (q->n_loopback > ARGS_LOOPBACK_MAX)
		return err_set(e, ERR_USAGE, 0, "--host-loopback: at most %d", ARGS_LOOPBACK_MAX);
	arg_pair(a, "--background", "--configure");
	arg(a, "--enable-ipv6");
	arg_pair(a, "--log-level", "warn");
	arg_pair(a, "--name", q->id);
	arg_pair(a, "--api-socket", path);
	if (q->mtu) {
		(void)snprintf(a->mtu, sizeof(a->mtu), "%u", q->mtu);
		arg_pair(a, "--mtu", a->mtu);
	}
	if (memcmp(&q->mac, &none, sizeof(none)) != 0)
		arg_pair(a, "--macaddress", mac_str(&q->mac, a->mac));
	if (q->ip[FAM4].family)
		arg_pair(a, "--guest-addr", ip_str(&q->ip[FAM4], a->ip[FAM4]));
	if (q->ip[FAM6].family)
		arg_pair(a, "--guest-addr6", ip_str(&q->ip[FAM6], a->ip[FAM6]));
	for (size_t i = 0; i < q->n_loopback; i++)
		arg_pair(a, "--host-loopback", q->loopback[i]);
	if (q->engine)
		arg_pair(a, "--engine", q->engine);
	if (q->egress && *attach_egress_str(q->egress, q->names, false, a->to))
		arg_pair(a, "--to", a->to);
	if (q->egress && *attach_egress_str(q->egress, q->names, true, a->not_to))
		arg_pair(a, "--not-to", a->not_to);
	if (q->rate_in)
		arg_pair(a, "--rate-in", attach_rate_str(q->rate_in, a->rate_in));
	if (q->rate_out)
		arg_pair(a, "--rate-out", attach_rate_str(q->rate_out, a->rate_out));
	if (q->end_fd > 0) {
		arg_pair(a, "--exit-fd", START_FD);
		arg(a, "--netns-kept");
		arg(a, "--for-network");
	}
	if (q->flows_fd > 0)
		arg_pair(a, "--flows-fd", START_FD_2);
	(void)snprintf(a->target, sizeof(a->target), "%d", q->pid);
	arg_pair(a, "--netns-type", q->pid > 0 ? "pid" : "path");
	arg_pair(a, q->pid > 0 ? a->target : q->path, q->ifname);
	return 0;
}
