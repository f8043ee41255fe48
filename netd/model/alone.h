/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alone: the addresses on the link of a container that is alone with slirp-lite: 10.0.2.100 in
 * 10.0.2.0/24 and fd00::100 in fd00::/64, or the one that was asked for in the /24 or /64 around
 * it. The gateway is number 2 of the network, the DNS server number 3; where the container itself
 * is that, number 1. Plain values, PURE.
 */
#ifndef NETD_MODEL_ALONE_H
#define NETD_MODEL_ALONE_H

#include "model/addr.h"

struct alone {
	struct prefix net;
	struct ip guest, gateway, dns;
};

/* The network of guest; family 0: the usual one. */
struct prefix alone_net(int fam, const struct ip *guest);
/* net is of at most 25 (IPv4) or 64 bits. guest of family 0: the usual one. */
struct alone alone_plan(const struct prefix *net, const struct ip *guest);
/* ERR_USAGE: guest is no address for a host, or none in net; the text begins with it. */
int alone_check(const struct prefix *net, const struct ip *guest, struct err *e);
/* Whether hosts may have addresses in net, by its own address. */
bool alone_is_for_hosts(const struct prefix *net);

#endif
