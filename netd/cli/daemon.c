/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon: command lines to what the daemon is asked, its answers to what is shown. */
#include "cli/daemon.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "broker/ask.h"

/* What slirp-lite would do no better, or would only hide. */
static bool is_final(const struct err *e)
{
	return e->kind == ERR_CONFLICT || e->kind == ERR_USAGE;
}

int daemon_up(const struct attach_opts *o, const struct target *t, int32_t pid, struct err *why,
	      struct err *e)
{
	CLEAN_FD int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	const struct ask_attach q = {.id = o->name ? o->name : t->id,
				     .ifname = o->ifname ? o->ifname : "eth0",
				     .network = o->network ? o->network : NETWORK_DEFAULT,
				     .netns_fd = t->fd,
				     .pidfd = pidfd,
				     .ip = {o->ip[FAM4], o->ip[FAM6]},
				     .mac = o->mac,
				     .mtu = o->mtu,
				     .rate_in = o->rate.in_rate,
				     .rate_out = o->rate.out_rate,
				     .n_publish = o->n_publish,
				     .publish = o->publish,
				     .n_alias = o->n_alias,
				     .alias = o->alias};
	int r;

	if (o->n_loopback) {
		err_set(why, ERR_UNSUPPORTED, 0, "--host-loopback is not netd's");
		return 1;
	}
	if (o->engine) {
		err_set(why, ERR_UNSUPPORTED, 0, "--engine is not netd's");
		return 1;
	}
	if (o->egress.n) {
		err_set(why, ERR_UNSUPPORTED, 0, "--to, --not-to are not netd's");
		return 1;
	}
	r = ask_attach(&q, &a, why);
	if (r == 1)
		err_set(why, ERR_ABSENT, 0, "netd does not run");
	if (r == 0)
		return cli_print(&o->common, a);
	if (r > 0 || !is_final(why))
		return 1;
	*e = *why;
	return r;
}

struct visit {
	const char *id, *ifname;
	int (*fn)(const struct attachment *a, void *arg, struct err *e);
	int (*counted)(const struct attachment *a, const uint64_t *flows, void *arg, struct err *e);
	void *arg;
	int n;
};

static int see_counted(const struct attachment *a, const uint64_t *flows, void *arg, struct err *e)
{
	struct visit *v = arg;
	int r;

	if ((v->id && strcmp(a->id, v->id) != 0) ||
	    (v->ifname && strcmp(a->ifname, v->ifname) != 0))
		return 0;
	r = v->counted ? v->counted(a, flows, v->arg, e) : v->fn(a, v->arg, e);
	v->n += r >= 0;
	return r;
}

static int see(const struct attachment *a, void *arg, struct err *e)
{
	return see_counted(a, NULL, arg, e);
}

int daemon_each(const char *id, const char *ifname,
		int (*fn)(const struct attachment *a, void *arg, struct err *e), void *arg,
		struct err *e)
{
	struct visit v = {.id = id, .ifname = ifname, .fn = fn, .arg = arg};
	int r = ask_list(see, &v, e);

	return r < 0 ? r : v.n;
}

int daemon_flows(const char *id, const char *ifname,
		 int (*fn)(const struct attachment *a, const uint64_t *flows, void *arg,
			   struct err *e),
		 void *arg, struct err *e)
{
	struct visit v = {.id = id, .ifname = ifname, .counted = fn, .arg = arg};
	int r = ask_flows(see_counted, &v, e);

	return r < 0 ? r : v.n;
}

int daemon_down(const char *id, const char *ifname, struct err *e)
{
	bool was = false;
	int r = ask_detach(id, ifname, &was, e);

	return r != 0 ? r : !was;
}

int daemon_ports(const char *id, const char *ifname, bool is_off, const struct publish *p, size_t n,
		 struct attachment **ret, struct err *e)
{
	struct err why = ERR_INIT;
	int r = ask_publish(id, ifname, is_off, p, n, ret, &why);

	if (r == 1 || (r < 0 && why.kind == ERR_ABSENT))
		return 1;
	if (r < 0)
		*e = why;
	return r;
}

int daemon_limit(const char *id, const char *ifname, const uint64_t *rate_in,
		 const uint64_t *rate_out, struct attachment **ret, struct err *e)
{
	struct err why = ERR_INIT;
	int r = ask_limit(id, ifname, rate_in, rate_out, ret, &why);

	if (r == 1 || (r < 0 && why.kind == ERR_ABSENT))
		return 1;
	if (r < 0)
		*e = why;
	return r;
}
