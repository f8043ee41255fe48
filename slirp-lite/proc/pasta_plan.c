/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pasta_plan: who is who on the tap's network when the namespace is given a copy of the host's
 * network, or addresses of its own, or when there is nothing to copy. What is not said comes from
 * the template. Where the host has no router for the namespace to copy, the gateway is an address
 * of ours that nobody else uses (RFC 3927 2.1 leaves these to the link).
 */
#include <netinet/in.h>
#include <string.h>

#include "proc/options.h"
#include "proc/pasta.h"
#include "proc/template.h"

#define MTU_NO_HOST 1500
#define MTU_MIN 576
#define MTU_MIN6 1280
#define MTU_MAX 65520

static const struct ip local_guest = {.family = AF_INET, .b = {169, 254, 2, 1}};
static const struct ip local_gateway = {.family = AF_INET, .b = {169, 254, 2, 2}};
#define LOCAL_LEN 16

static bool is_on(const struct pasta *p, const struct template *t, int f)
{
	return !p->is_only[f == FAM4 ? FAM6 : FAM4] && (p->addr[f].family || t->addr[f].ip.family);
}

static uint8_t length_of(const struct pasta *p, const struct template *t, int f)
{
	if (p->len[f])
		return p->len[f];
	if (!p->addr[f].family)
		return t->addr[f].len;
	return t->own_len[f] ? t->own_len[f] : template_default_len(&p->addr[f]);
}

static void fill_family(const struct pasta *p, const struct template *t, int f, struct plan *plan)
{
	bool is_copied = !p->addr[f].family;
	struct prefix addr = {is_copied ? t->addr[f].ip : p->addr[f], length_of(p, t, f)};
	const struct ip *gateway = p->gateway[f].family ? &p->gateway[f] : &t->gateway[f];

	plan->guest[f] = addr.ip;
	plan->net[f] = prefix_network(&addr);
	plan->is_shared[f] = is_copied || t->is_own[f];
	plan->host[f] = t->addr[f].ip;
	plan->gateway[f] = *gateway;
	/* A router's link-local address means nothing behind another link: there it is ours. */
	plan->is_router[f] = gateway->family && (plan->is_shared[f] || !p->gateway[f].family) &&
			     !(f == FAM6 && ip_is_link_local(gateway));
	if (!gateway->family)
		plan->gateway[f] =
			f == FAM4 ? local_gateway : ip_link_local_from_mac(&plan->our_mac);
}

static void fill_services(const struct pasta *p, int f, struct plan *plan)
{
	plan->dns[f] = p->dns[f];
	plan->host_at[f] = p->host_at[f];
	plan->loopback_at[f] = p->loopback_at[f];
	if (p->is_gateway_mapped && !plan->loopback_at[f].family)
		plan->loopback_at[f] = plan->gateway[f];
	plan->is_dhcp[f] = f == FAM4 ? !p->no_dhcp : !p->no_dhcpv6;
}

/* Addresses of ours that are the guest's too would never be seen by us. */
static int check_apart(const struct plan *plan, struct err *e)
{
	static const char *const names[] = {"--gateway", "--dns-forward", "--map-host-loopback",
					    "--map-guest-addr"};
	char text[IP_STRLEN];

	for (int f = 0; f < N_FAM; f++) {
		const struct ip *ours[] = {&plan->gateway[f], &plan->dns[f], &plan->loopback_at[f],
					   &plan->host_at[f]};

		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			if (plan->guest[f].family && ip_equal(ours[i], &plan->guest[f]))
				return err_invalid(e, ERR_USAGE,
						   "%s: %s is the address of the namespace itself",
						   names[i], ip_str(ours[i], text));
	}
	return 0;
}

static int fill_mtu(const struct pasta *p, const struct template *t, struct plan *plan,
		    struct err *e)
{
	uint32_t min = plan->net[FAM6].ip.family ? MTU_MIN6 : MTU_MIN;
	uint32_t mtu = t->mtu ? t->mtu : MTU_NO_HOST;

	if (p->mtu && p->mtu < min)
		return err_invalid(e, ERR_USAGE, "--mtu: %u is too small for IPv6 (%u)", p->mtu,
				   min);
	if (p->mtu)
		mtu = p->mtu;
	plan->mtu = mtu < min ? min : mtu > MTU_MAX ? MTU_MAX : mtu;
	return 0;
}

static struct mac choose_mac(const struct pasta *p, const struct template *t)
{
	static const struct ip nobody = {.family = AF_INET6, .b = {0xfe, 0x80, [15] = 1}};

	if (p->has_gateway_mac)
		return p->gateway_mac;
	if (p->gateway[FAM4].family)
		return mac_from_ip(&p->gateway[FAM4]);
	return mac_from_ip(t->gateway[FAM4].family ? &t->gateway[FAM4] : &nobody);
}

static void choose_name(struct options *o, const struct template *t)
{
	if (!o->pasta.has_tap && name_check_ifname(t->ifname, "interface", NULL) == 0)
		memcpy(o->tap, t->ifname, sizeof(o->tap));
}

int pasta_config(struct options *o, const struct template *t, struct worker_config *ret,
		 struct err *e)
{
	const struct pasta *p = &o->pasta;
	struct worker_config c;
	struct plan *plan = &c.policy.plan;
	int r;

	options_limits(o, &c);
	plan->our_mac = choose_mac(p, t);
	for (int f = 0; f < N_FAM; f++)
		if (is_on(p, t, f))
			fill_family(p, t, f, plan);
	if (!plan->net[FAM4].ip.family && !plan->net[FAM6].ip.family) {
		struct prefix addr = {local_guest, LOCAL_LEN};

		if (p->is_only[FAM6])
			return err_invalid(e, ERR_ABSENT,
					   "--ipv6-only: the host has no IPv6 address and route to "
					   "copy; give --address and --gateway");
		plan->guest[FAM4] = local_guest;
		plan->net[FAM4] = prefix_network(&addr);
		plan->gateway[FAM4] = p->gateway[FAM4].family ? p->gateway[FAM4] : local_gateway;
	}
	for (int f = 0; f < N_FAM; f++)
		if (plan->net[f].ip.family)
			fill_services(p, f, plan);
	r = check_apart(plan, e);
	if (r == 0)
		r = fill_mtu(p, t, plan, e);
	if (r < 0)
		return r;
	if (o->is_configured)
		plan->guest_mac =
			o->has_mac ? o->mac
				   : mac_from_ip(plan->guest[FAM4].family ? &plan->guest[FAM4]
									  : &plan->guest[FAM6]);
	plan->is_ra = !p->no_ra && !o->is_configured;
	plan->is_ndp_off = p->no_ndp;
	plan->is_dns_untold = !p->is_dns_told;
	c.policy.is_tcp_off = p->no_tcp;
	c.policy.is_udp_off = p->no_udp;
	c.policy.is_ping_off = p->no_icmp;
	choose_name(o, t);
	o->is_ipv6 = plan->net[FAM6].ip.family != 0;
	o->mtu = plan->mtu;
	*ret = c;
	return 0;
}
