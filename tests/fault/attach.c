/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach NETNS: attaches the named namespace to a network that is described here, with everything
 * that leaves traces beside the link: several addresses, routes, sysctls, settings, rates both
 * ways, a published port. What the command line has no words for, for the sweeps.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"

static int describe(struct up_request *q, struct network *net, struct addr_set *sets,
		    struct attach_route *route, struct attach_sysctl *sysctl, struct publish *port,
		    struct err *e)
{
	int r = prefix_parse("198.51.100.128/26", &sets[0].r[0].subnet, e);

	sets[0].n = sets[1].n = 1;
	if (r >= 0)
		r = prefix_parse("2001:db8:8::/64", &sets[1].r[0].subnet, e);
	if (r >= 0)
		r = pool_complete(sets, 2, e);
	if (r >= 0)
		r = prefix_parse("192.0.2.0/24", &route->dst, e);
	if (r >= 0)
		r = attach_sysctl_parse("net.ipv4.conf.IFNAME.arp_notify", "1", q->ifname, sysctl,
					e);
	if (r >= 0)
		r = publish_parse("8080:80", port, e);
	strcpy(net->name, "swept");
	net->is_spec = net->is_gateway = net->masquerade = true;
	q->network = net->name;
	q->net_spec = net;
	q->set = sets;
	q->n_set = 2;
	q->route = route;
	q->n_route = 1;
	q->sysctl = sysctl;
	q->n_sysctl = 1;
	q->publish = port;
	q->n_publish = 1;
	q->is_default_route[FAM4] = q->is_default_route[FAM6] = true;
	q->tune = (struct attach_tune){.has_allmulti = true, .is_allmulti = true};
	q->rate = (struct attach_rate){.in_rate = 80000000, .out_rate = 80000000};
	return r;
}

int main(int argc, char **argv)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ENGINE struct engine *g = NULL;
	struct attach_sysctl sysctl;
	struct attach_route route = {0};
	struct addr_set sets[2] = {0};
	struct network net = {0};
	struct publish port;
	struct err e = ERR_INIT;
	char path[64];

	if (argc != 2)
		return 2;
	snprintf(path, sizeof(path), "/run/netns/%.40s", argv[1]);
	struct up_request q = {.id = argv[1],
			       .ifname = "eth0",
			       .netns_path = path,
			       .netns_fd = open(path, O_RDONLY | O_CLOEXEC)};
	int r = describe(&q, &net, sets, &route, &sysctl, &port, &e);
	if (r >= 0)
		r = engine_open(NULL, false, &g, &e);
	if (r >= 0)
		r = engine_up(g, &q, &a, &e);
	if (r < 0)
		fprintf(stderr, "attach: %s\n", e.text);
	return r < 0;
}
