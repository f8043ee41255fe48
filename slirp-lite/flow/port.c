/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port: whose address a client is shown under. What the container could reach by that address, were
 * there no egress policy, is what it can answer to, for an answer opens nothing, and what it looks
 * for on its link when it is found there. */
#include "flow/port.h"

#include <netinet/in.h>

static bool reaches(const struct policy *p, const struct port_spec *s, const struct ip *from)
{
	struct ip to;

	/* Any port but DNS's: the address is what is asked about. */
	return policy_map(p, s->proto, from, 1, &to) == POLICY_ALLOW && ip_equal(&to, from);
}

/* A UDP server that does not say from where it answers does so, to a link-local address, from one
 * of its own, of which the client knows nothing (RFC 6724 5, rule 2). A connection has both. */
static bool is_answered_from_elsewhere(const struct port_spec *s, const struct ip *from)
{
	return s->proto == IPPROTO_UDP && from->family == AF_INET6 && ip_is_link_local(from);
}

static enum port_shown own(const struct policy *p, const struct port_spec *s, const struct ip *from)
{
	if (ip_equal(from, &s->guest[ip_fam(from)]) || is_answered_from_elsewhere(s, from))
		return PORT_SHOWN_GATEWAY;
	if (policy_is_near(p, from))
		return PORT_SHOWN_NEAR;
	return !ip_is_link_local(from) && reaches(p, s, from) ? PORT_SHOWN_OWN : PORT_SHOWN_GATEWAY;
}

enum port_shown port_shown(const struct policy *p, const struct port_spec *s, const struct ip *from,
			   bool is_local, struct ip *ret_guest, struct ip *ret_peer)
{
	int fam = ip_fam(from);
	enum port_shown how = PORT_SHOWN_GATEWAY;

	if (s->guest[fam].family == 0)
		fam = fam == FAM4 ? FAM6 : FAM4;
	else if (!is_local && !ip_is_loopback(from))
		how = own(p, s, from);
	if (s->guest[fam].family == 0 ||
	    (how == PORT_SHOWN_GATEWAY && p->plan.gateway[fam].family == 0))
		return PORT_SHOWN_NOT;
	*ret_guest = s->guest[fam];
	*ret_peer = how == PORT_SHOWN_GATEWAY ? p->plan.gateway[fam] : *from;
	return how;
}
