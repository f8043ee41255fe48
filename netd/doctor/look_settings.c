/* SPDX-License-Identifier: GPL-2.0-or-later */
/* look_settings: sysctls of the host, of the interfaces that matter. Reads only. */
#include <stdio.h>
#include <string.h>

#include "doctor/look.h"
#include "net/link.h"
#include "net/route.h"
#include "sys/sysctl.h"

#define KEY_LEN 128

static int get(int fam, const char *ifname, const char *leaf, int otherwise)
{
	char key[KEY_LEN];
	int v;

	(void)snprintf(key, sizeof(key), "net/ipv%d/conf/%s/%s", fam == FAM4 ? 4 : 6, ifname, leaf);
	return sysctl_get_int(key, &v, NULL) == 0 ? v : otherwise;
}

static struct facts_if *find_if(struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_if; i++)
		if (strcmp(f->ifs[i].name, name) == 0)
			return &f->ifs[i];
	if (f->n_if == FACTS_IF_MAX)
		return NULL;
	struct facts_if *x = &f->ifs[f->n_if++];
	(void)snprintf(x->name, sizeof(x->name), "%s", name);
	return x;
}

struct defaults {
	uint32_t index[FACTS_IF_MAX];
	size_t n;
};

static int see_route(const struct route_spec *s, void *arg)
{
	struct defaults *d = arg;

	if (s->dst.len == 0 && s->dst.ip.family == AF_INET && s->ifindex && d->n < FACTS_IF_MAX)
		d->index[d->n++] = s->ifindex;
	return 0;
}

static void look_defaults(struct facts *f)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct defaults d = {.n = 0};
	struct link_info l;

	if (rtnl_open(&r, NULL) < 0 || route_each(r, see_route, &d, NULL) < 0)
		return;
	for (size_t i = 0; i < d.n; i++) {
		struct facts_if *x =
			link_get_index(r, d.index[i], &l, NULL) == 0 ? find_if(f, l.name) : NULL;
		if (x)
			x->has_default = true;
	}
}

static void look_if(struct facts_if *x)
{
	int all = get(FAM4, "all", "rp_filter", 0), own = get(FAM4, x->name, "rp_filter", 0);
	int force = get(FAM6, x->name, "force_forwarding", -1);

	x->rp_filter = all > own ? all : own;
	x->is_forwarding[FAM4] = get(FAM4, x->name, "forwarding", 1) != 0;
	x->has_ip6_force = force >= 0;
	/* Without IPv6 there is nothing to forward. */
	x->is_forwarding[FAM6] = get(FAM6, "all", "forwarding", 1) != 0 || force > 0;
}

void look_settings(struct facts *f)
{
	static const char *const bridge_nf[] = {[FAM4] = "net/bridge/bridge-nf-call-iptables",
						[FAM6] = "net/bridge/bridge-nf-call-ip6tables"};

	for (int fam = 0; fam < N_FAM; fam++) {
		struct facts_if *x = f->uplink[fam][0] ? find_if(f, f->uplink[fam]) : NULL;
		sysctl_get_int(bridge_nf[fam], &f->bridge_nf[fam], NULL);
		if (!x)
			continue;
		x->is_uplink[fam] = true;
		x->is_needed = x->is_needed || f->n_attached > 0;
	}
	look_defaults(f);
	for (size_t i = 0; i < f->n_if; i++)
		look_if(&f->ifs[i]);
	sysctl_get_int("net/netfilter/nf_conntrack_count", &f->conntrack_count, NULL);
	sysctl_get_int("net/netfilter/nf_conntrack_max", &f->conntrack_max, NULL);
	f->has_settings = true;
}
