/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbound: looked up once at start, as slirp4netns does; an address that leaves the host later
 * makes connections fail, which is what was asked for. It changes nothing. Read getifaddrs(3),
 * ip(7).
 */
#include "proc/outbound.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

static bool from_sockaddr(const struct sockaddr *sa, int family, struct ip *ret)
{
	struct ip ip = {.family = (uint8_t)family};

	if (!sa || sa->sa_family != family)
		return false;
	if (family == AF_INET)
		memcpy(ip.b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else
		memcpy(ip.b, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	*ret = ip;
	return !ip_is_link_local(&ip);
}

static int of_interface(const char *name, int family, struct ip *ret, struct err *e)
{
	struct ifaddrs *all, *a;
	bool is_there = false;

	if (getifaddrs(&all) < 0)
		return err_sys(e, errno, "addresses of %s", name);
	for (a = all; a; a = a->ifa_next) {
		if (strcmp(a->ifa_name, name) != 0)
			continue;
		is_there = true;
		if (from_sockaddr(a->ifa_addr, family, ret))
			break;
	}
	freeifaddrs(all);
	if (a)
		return 0;
	if (!is_there)
		return err_set(e, ERR_ABSENT, ENODEV, "%s", name);
	return err_set(e, ERR_ABSENT, EADDRNOTAVAIL, "%s has no IPv%d address", name,
		       family == AF_INET ? 4 : 6);
}

static int check(const struct ip *ip, const char *value, struct err *e)
{
	struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6};
	struct sockaddr_in sa4 = {.sin_family = AF_INET};
	CLEAN_FD int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "%s", value);
	memcpy(&sa4.sin_addr, ip->b, 4);
	memcpy(&sa6.sin6_addr, ip->b, 16);
	if (ip->family == AF_INET)
		r = bind(fd, (struct sockaddr *)&sa4, sizeof(sa4));
	else
		r = bind(fd, (struct sockaddr *)&sa6, sizeof(sa6));
	return r < 0 ? err_sys(e, errno, "%s", value) : 0;
}

int outbound_find(const char *value, int fam, struct ip *ret, struct err *e)
{
	int family = fam == FAM4 ? AF_INET : AF_INET6;
	struct ip ip;
	int r = 0;

	if (ip_parse(value, &ip, NULL) < 0)
		r = of_interface(value, family, &ip, e);
	if (r == 0)
		r = check(&ip, value, e);
	if (r == 0)
		*ret = ip;
	return r;
}
