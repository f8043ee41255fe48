/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user_ip: the addresses of a container without root that is alone. Nobody else is on its link, so
 * any address would work there; but one that is somebody's in the world hides that one from the
 * container. Read getifaddrs(3).
 */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "cli/user.h"
#include "engine/engine.h"
#include "model/alone.h"
#include "sys/resolv.h"

static const char *const options[N_FAM] = {"--ip", "--ip6"};

const char *user_resolv_conf(const struct attach_opts *o, char out[USER_RESOLV_STRLEN])
{
	size_t n = 0;

	for (int f = 0; f < N_FAM; f++) {
		const struct prefix net = alone_net(f, &o->ip[f]);
		const struct alone a = alone_plan(&net, &o->ip[f]);
		char s[IP_STRLEN];

		n += (size_t)snprintf(out + n, USER_RESOLV_STRLEN - n, "nameserver %s\n",
				      ip_str(&a.dns, s));
	}
	return out;
}

static bool is_at(const struct sockaddr *sa, const struct ip *ip)
{
	if (!sa || sa->sa_family != ip->family)
		return false;
	if (ip->family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, ip->b,
			      4) == 0;
	return memcmp(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, ip->b, 16) == 0;
}

static int check_own(const struct ip *ip, struct err *e)
{
	struct ifaddrs *all, *a;
	char s[IP_STRLEN];
	int r = 0;

	if (getifaddrs(&all) < 0)
		return err_sys(e, errno, "addresses of this machine");
	for (a = all; a && !is_at(a->ifa_addr, ip); a = a->ifa_next)
		;
	if (a)
		r = err_set(e, ERR_CONFLICT, 0, "%s is an address of this machine's own, on %s",
			    ip_str(ip, s), a->ifa_name);
	freeifaddrs(all);
	return r;
}

static int check_resolvers(const char *text, const struct ip *ip, struct err *e)
{
	char s[IP_STRLEN];

	while (*text) {
		const size_t len = strcspn(text, "\n");
		struct ip other = {0};
		char one[IP_STRLEN];

		if (sscanf(text, "nameserver %45s", one) == 1 && ip_parse(one, &other, NULL) == 0 &&
		    ip_equal(&other, ip))
			return err_set(e, ERR_CONFLICT, 0, "%s is a resolver of this machine's",
				       ip_str(ip, s));
		text += len + (text[len] == '\n');
	}
	return 0;
}

static void warn_hidden(const char *option, const struct prefix *net)
{
	const struct prefix *by = engine_avoided(net);
	char s[PREFIX_STRLEN], t[PREFIX_STRLEN];

	if (by)
		log_warn("%s: its network %s overlaps %s, which this machine has: the container "
			 "does not reach who has such an address there",
			 option, prefix_str(net, s), prefix_str(by, t));
}

int user_check_ip(const struct attach_opts *o, struct err *e)
{
	CLEAN_BUF struct buf resolv = BUF_INIT;
	int r = 0;

	if (!o->ip[FAM4].family && !o->ip[FAM6].family)
		return 0;
	for (int f = 0; f < N_FAM && r == 0; f++) {
		const struct prefix net = alone_net(f, &o->ip[f]);

		if (o->ip[f].family)
			r = err_ctx(e, alone_check(&net, &o->ip[f], e), "%s", options[f]);
	}
	/* A machine without resolvers has none that could be hidden. */
	if (r == 0)
		(void)resolv_load(RESOLV_ETC, RESOLV_SYSTEMD, &resolv, NULL);
	for (int f = 0; f < N_FAM && r == 0; f++) {
		if (!o->ip[f].family)
			continue;
		r = check_own(&o->ip[f], e);
		if (r == 0 && resolv.p)
			r = check_resolvers(resolv.p, &o->ip[f], e);
		r = err_ctx(e, r, "%s", options[f]);
	}
	if (r == 0)
		r = engine_avoid_here(e);
	for (int f = 0; f < N_FAM && r == 0 && !o->common.quiet; f++) {
		const struct prefix net = alone_net(f, &o->ip[f]);

		if (o->ip[f].family)
			warn_hidden(options[f], &net);
	}
	return r;
}
