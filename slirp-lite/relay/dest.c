/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dest: values only, no sockets. IPv4 clients of a dual-stack socket show up with v4-mapped
 * addresses (RFC 4291 2.5.5.2); everything here sees them as what they are.
 */
#include "relay/dest.h"

#include <netinet/in.h>
#include <string.h>

socklen_t dest_pick(const struct dest *d, int family, struct sockaddr_storage *ret)
{
	const struct ip *same = &d->target[family == AF_INET ? FAM4 : FAM6];
	const struct ip *other = &d->target[family == AF_INET ? FAM6 : FAM4];
	const struct ip *to = same->family ? same : other;

	memset(ret, 0, sizeof(*ret));
	if (to->family == AF_INET) {
		struct sockaddr_in *four = (struct sockaddr_in *)ret;
		four->sin_family = AF_INET;
		four->sin_port = htons(d->port);
		memcpy(&four->sin_addr, to->b, 4);
		return sizeof(*four);
	}
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(d->port);
	memcpy(&six->sin6_addr, to->b, 16);
	return sizeof(*six);
}

struct ip dest_ip(const struct sockaddr_storage *ss)
{
	struct ip ip = {0};

	if (ss->ss_family == AF_INET) {
		ip.family = AF_INET;
		memcpy(ip.b, &((const struct sockaddr_in *)ss)->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)ss)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(a)) {
			ip.family = AF_INET;
			memcpy(ip.b, a->s6_addr + 12, 4);
		} else {
			ip.family = AF_INET6;
			memcpy(ip.b, a, 16);
		}
	}
	return ip;
}

uint16_t dest_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET ? ((const struct sockaddr_in *)ss)->sin_port
					      : ((const struct sockaddr_in6 *)ss)->sin6_port);
}

bool dest_is_local(const struct ip *peer, const struct ip *local)
{
	return peer->family && (ip_is_loopback(peer) || ip_equal(peer, local));
}
