/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy: special addresses (RFC 6890, RFC 4291), the mapping of the gateway to the host's
 * loopback, the ports that are open there. */
#include "flow/policy.h"

#include <netinet/in.h>
#include <string.h>

static const struct ip loopback[N_FAM] = {
	[FAM4] = {.family = AF_INET, .b = {127, 0, 0, 1}},
	[FAM6] = {.family = AF_INET6, .b = {[15] = 1}},
};

static bool is_special4(const uint8_t *b)
{
	return b[0] == 0 || b[0] == 127 || b[0] >= 224;
}

/* ::/96 holds ::, ::1 and the v4-compatible addresses. */
static bool is_special6(const uint8_t *b)
{
	static const uint8_t zero[10];

	if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
		return true;
	if (memcmp(b, zero, sizeof(zero)) != 0)
		return false;
	return (b[10] == 0 && b[11] == 0) || (b[10] == 0xff && b[11] == 0xff);
}

static bool is_special(const struct ip *ip)
{
	return ip->family == AF_INET ? is_special4(ip->b) : is_special6(ip->b);
}

/* Not configured is no address: it equals none. */
static bool is_same(const struct ip *ours, const struct ip *ip)
{
	return ours->family != 0 && ip_equal(ours, ip);
}

static bool is_our_link_local(const struct policy *p, const struct ip *ip)
{
	struct ip ours = ip_link_local_from_mac(&p->plan.our_mac);

	return ip->family == AF_INET6 && ip_equal(&ours, ip);
}

static bool is_open(const struct policy *p, uint8_t proto, uint16_t port)
{
	if (p->is_loopback_open)
		return true;
	for (size_t i = 0; i < p->n_loopback; i++) {
		const struct policy_port *o = &p->loopback[i];

		if (o->proto == proto && o->first <= port && port <= o->last)
			return true;
	}
	return false;
}

enum policy_verdict policy_check(const struct policy *p, uint8_t proto, const struct ip *dst,
				 uint16_t port, struct ip *ret)
{
	const struct plan *plan = &p->plan;
	bool has_ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP;
	int fam;

	if (dst->family != AF_INET && dst->family != AF_INET6)
		return POLICY_REFUSE;
	fam = ip_fam(dst);
	if (plan->net[fam].ip.family == 0 || (has_ports && port == 0))
		return POLICY_REFUSE;
	if (is_same(&plan->dns[fam], dst) && has_ports && port == 53)
		return POLICY_DNS;
	if (is_same(&plan->gateway[fam], dst)) {
		if (!has_ports || !is_open(p, proto, port))
			return POLICY_GATEWAY;
		*ret = loopback[fam];
		return POLICY_ALLOW;
	}
	if (is_same(&plan->dns[fam], dst) || is_our_link_local(p, dst))
		return POLICY_GATEWAY;
	/* Nobody but the guest lives in its network, and it does not reach itself through us. */
	if (is_special(dst) || prefix_contains(&plan->net[fam], dst))
		return POLICY_REFUSE;
	*ret = *dst;
	return POLICY_ALLOW;
}

bool policy_source_ok(const struct policy *p, const struct ip *src)
{
	int fam;

	if (src->family != AF_INET && src->family != AF_INET6)
		return false;
	fam = ip_fam(src);
	if (p->plan.net[fam].ip.family == 0 || is_same(&p->plan.gateway[fam], src) ||
	    is_same(&p->plan.dns[fam], src) || is_our_link_local(p, src))
		return false;
	/* A link-local source is good for the gateway's link-local address. */
	return !is_special(src) || (fam == FAM6 && ip_is_link_local(src));
}

struct ip policy_unmap(const struct policy *p, const struct ip *from)
{
	const struct ip *gateway = &p->plan.gateway[ip_fam(from)];

	return ip_is_loopback(from) && gateway->family != 0 ? *gateway : *from;
}
