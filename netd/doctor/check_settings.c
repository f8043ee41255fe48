/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_settings: PURE. Sysctls of the host that keep packets from being forwarded. */
#include <stdio.h>

#include "doctor/facts.h"
#include "doctor/finding.h"

#define KEY_LEN 128

/* netns-up opens what it needs, and only then: so this counts while something is up. */
static void check_forwarding(const struct facts *f, const struct facts_if *x, struct findings *out)
{
	for (int fam = 0; fam < N_FAM; fam++) {
		bool by_if = fam == FAM4 || x->has_ip6_force;
		char key[KEY_LEN];
		if (x->is_forwarding[fam] || !x->is_needed || (!x->is_inside && !x->is_uplink[fam]))
			continue;
		struct finding *to = findings_add(out, SEVERITY_ERROR, "forwarding");
		buf_printf(&to->what, "%s that comes in by %s is not forwarded",
			   fam == FAM4 ? "IPv4" : "IPv6", x->name);
		if (by_if)
			(void)snprintf(key, sizeof(key), "net/ipv%d/conf/%s/%s",
				       fam == FAM4 ? 4 : 6, x->name,
				       fam == FAM4 ? "forwarding" : "force_forwarding");
		else
			(void)snprintf(key, sizeof(key), "net/ipv6/conf/all/forwarding");
		buf_printf(&to->evidence, "/proc/sys/%s is 0, %zu containers are up", key,
			   f->n_attached);
		finding_sysctl(to, key, "1");
		if (!by_if)
			return;
	}
}

/* Strict reverse path: who comes in by an interface that is not the best way back is dropped. With
 * a second default route that is everybody from afar. */
static void check_rp_filter(const struct facts *f, const struct facts_if *x, struct findings *out)
{
	char key[KEY_LEN];

	if (x->is_inside || x->rp_filter != 1 || !x->has_default || x->is_uplink[FAM4] ||
	    !f->uplink[FAM4][0])
		return;
	struct finding *to = findings_add(out, SEVERITY_WARNING, "rp-filter");
	buf_printf(&to->what, "clients that come in by %s do not reach published ports", x->name);
	buf_printf(&to->evidence,
		   "a default route leads there, but %s is the best one, and rp_filter is strict",
		   f->uplink[FAM4]);
	(void)snprintf(key, sizeof(key), "net/ipv4/conf/%s/rp_filter", x->name);
	finding_sysctl(to, key, "2");
}

static void check_bridge_nf(const struct facts *f, struct findings *out)
{
	for (size_t i = 0; i < f->n_inside; i++) {
		const struct facts_inside *x = &f->inside[i];
		if (x->is_prefix || !x->is_isolated || x->is_internal ||
		    (f->bridge_nf[FAM4] != 1 && f->bridge_nf[FAM6] != 1))
			continue;
		struct finding *to = findings_add(out, SEVERITY_WARNING, "bridge-nf");
		buf_printf(&to->what,
			   "containers behind %s do not reach each other's published ports",
			   x->ifname);
		buf_printf(&to->evidence, "the network is isolated and br_netfilter is on "
					  "(net.bridge.bridge-nf-call-iptables)");
		buf_printf(&to->remedy, "sysctl -w net.bridge.bridge-nf-call-iptables=0 "
					"net.bridge.bridge-nf-call-ip6tables=0, unless another "
					"program (Kubernetes, Docker) needs them");
	}
}

static void check_conntrack(const struct facts *f, struct findings *out)
{
	if (f->conntrack_max <= 0 || f->conntrack_count < f->conntrack_max / 20 * 19)
		return;
	struct finding *to = findings_add(out, SEVERITY_ERROR, "conntrack-full");
	buf_printf(&to->what, "new connections are dropped: the table of connections is full");
	buf_printf(&to->evidence, "%d of %d entries are in use", f->conntrack_count,
		   f->conntrack_max);
	buf_printf(&to->remedy, "sysctl -w net.netfilter.nf_conntrack_max=%ld",
		   2L * f->conntrack_max);
}

void check_settings(const struct facts *f, struct findings *out)
{
	if (!f->has_settings)
		return;
	for (size_t i = 0; i < f->n_if; i++) {
		check_forwarding(f, &f->ifs[i], out);
		check_rp_filter(f, &f->ifs[i], out);
	}
	check_bridge_nf(f, out);
	check_conntrack(f, out);
}
