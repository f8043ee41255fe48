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

static bool is_off(const struct policy *p, uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return p->is_tcp_off;
	case IPPROTO_UDP:
		return p->is_udp_off;
	default:
		return p->is_ping_off;
	}
}

/* Whether ip is the gateway's address and that is ours. */
static bool policy_is_gateway(const struct plan *plan, const struct ip *ip)
{
	int fam = ip_fam(ip);

	return is_same(&plan->gateway[fam], ip) && !plan->is_router[fam];
}

/* An address that means everybody of a network. */
static bool is_everybody(const struct prefix *net, const struct ip *ip)
{
	const struct ip last = prefix_last(net);

	return ip->family == AF_INET && net->len < 31 &&
	       (ip_equal(&net->ip, ip) || ip_equal(&last, ip));
}

/* In the guest's network, and yet nobody to connect to: where nobody but the guest lives in it, all
 * of it; else the guest itself and the addresses that mean everybody. */
static bool is_nobody(const struct plan *plan, int fam, const struct ip *dst)
{
	const struct prefix *net = &plan->net[fam];

	if (is_same(&plan->guest[fam], dst))
		return true;
	return prefix_contains(net, dst) && (!plan->is_shared[fam] || is_everybody(net, dst));
}

/* An address that leads to the host because somebody chose so. */
static const struct ip *mapped_to(const struct plan *plan, int fam, const struct ip *dst)
{
	if (is_same(&plan->loopback_at[fam], dst))
		return &loopback[fam];
	return is_same(&plan->host_at[fam], dst) ? &plan->host[fam] : NULL;
}

enum policy_verdict policy_map(const struct policy *p, uint8_t proto, const struct ip *dst,
			       uint16_t port, struct ip *ret)
{
	const struct plan *plan = &p->plan;
	bool has_ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP;
	const struct ip *to;
	int fam;

	if (dst->family != AF_INET && dst->family != AF_INET6)
		return POLICY_REFUSE;
	fam = ip_fam(dst);
	if (plan->net[fam].ip.family == 0 || (has_ports && port == 0) || is_off(p, proto))
		return POLICY_REFUSE;
	if (is_same(&plan->dns[fam], dst) && has_ports && port == 53)
		return POLICY_DNS;
	to = mapped_to(plan, fam, dst);
	if (to) {
		if (!has_ports || to->family == 0)
			return POLICY_GATEWAY;
		*ret = *to;
		return POLICY_ALLOW;
	}
	if (policy_is_gateway(plan, dst)) {
		if (!has_ports || !is_open(p, proto, port))
			return POLICY_GATEWAY;
		*ret = loopback[fam];
		return POLICY_ALLOW;
	}
	if (is_same(&plan->dns[fam], dst) || is_our_link_local(p, dst))
		return POLICY_GATEWAY;
	if (is_special(dst) || is_nobody(plan, fam, dst))
		return POLICY_REFUSE;
	*ret = *dst;
	return POLICY_ALLOW;
}

enum policy_verdict policy_check(const struct policy *p, uint8_t proto, const struct ip *dst,
				 uint16_t port, struct ip *ret)
{
	struct ip to = {0};
	enum policy_verdict v = policy_map(p, proto, dst, port, &to);

	if (v != POLICY_ALLOW && v != POLICY_GATEWAY)
		return v;
	if (p->egress.n > 0 &&
	    !attach_egress_allows(&p->egress, dst, port,
				  p->learned ? learned_names(p->learned, dst) : 0))
		return POLICY_FORBID;
	if (v == POLICY_ALLOW)
		*ret = to;
	return v;
}

/* An address that we have on the container's link, or that leads to the host. */
static bool is_ours(const struct policy *p, int fam, const struct ip *ip)
{
	return is_same(&p->plan.gateway[fam], ip) || is_same(&p->plan.dns[fam], ip) ||
	       mapped_to(&p->plan, fam, ip) || is_our_link_local(p, ip);
}

bool policy_is_near(const struct policy *p, const struct ip *ip)
{
	const struct plan *plan = &p->plan;
	const int fam = ip_fam(ip);
	const struct prefix *net = &plan->net[fam];

	if (net->ip.family == 0 || (fam == FAM6 && plan->is_ndp_off) || is_ours(p, fam, ip) ||
	    is_same(&plan->guest[fam], ip))
		return false;
	if (prefix_contains(net, ip) && is_everybody(net, ip))
		return false;
	if (ip_is_link_local(ip))
		return fam == FAM4 || !plan->is_forwarding; /* RFC 4291 2.5.6: none is forwarded */
	return !is_special(ip) && !plan->is_shared[fam] && prefix_contains(net, ip);
}

bool policy_source_ok(const struct policy *p, const struct ip *src)
{
	int fam;

	if (src->family != AF_INET && src->family != AF_INET6)
		return false;
	fam = ip_fam(src);
	if (p->plan.net[fam].ip.family == 0 || is_ours(p, fam, src))
		return false;
	/* A link-local source is good for the gateway's link-local address. */
	return !is_special(src) || (fam == FAM6 && ip_is_link_local(src));
}

struct ip policy_unmap(const struct policy *p, const struct ip *from, const struct ip *sent)
{
	const struct plan *plan = &p->plan;
	const int fam = ip_fam(from);

	if (ip_is_loopback(from)) {
		if (is_same(&plan->loopback_at[fam], sent) || policy_is_gateway(plan, sent))
			return *sent;
		if (plan->loopback_at[fam].family)
			return plan->loopback_at[fam];
		return policy_is_gateway(plan, &plan->gateway[fam]) ? plan->gateway[fam] : *from;
	}
	if (is_same(&plan->host[fam], from) && plan->host_at[fam].family && !ip_equal(from, sent))
		return plan->host_at[fam];
	return *from;
}

bool policy_answer_ok(const struct policy *p, uint8_t proto, const struct ip *from, uint16_t port,
		      const struct ip *guest, const struct ip *sent)
{
	struct ip seen, to;

	if (from->family != guest->family)
		return false;
	seen = policy_unmap(p, from, sent);
	return policy_check(p, proto, &seen, port, &to) == POLICY_ALLOW && ip_equal(&to, from) &&
	       !ip_equal(&seen, guest);
}
