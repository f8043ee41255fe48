/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port: whose address a client is shown under. What policy_check would let the container reach by
 * that address is what it can answer to. */
#include "flow/port.h"

#include <netinet/in.h>

enum port_shown port_shown(const struct policy *p, const struct port_spec *s, const struct ip *from,
			   bool is_local, struct ip *ret_guest, struct ip *ret_peer)
{
	int fam = ip_fam(from);
	bool is_own = !is_local && !ip_is_loopback(from) && !ip_is_link_local(from);
	struct ip to;

	if (s->guest[fam].family == 0) {
		fam = fam == FAM4 ? FAM6 : FAM4;
		is_own = false;
	}
	if (s->guest[fam].family == 0)
		return PORT_SHOWN_NOT;
	/* Any port but DNS's: the address is what is asked about. */
	is_own = is_own && policy_check(p, s->proto, from, 1, &to) == POLICY_ALLOW &&
		 ip_equal(&to, from) && !ip_equal(from, &s->guest[fam]);
	if (!is_own && p->plan.gateway[fam].family == 0)
		return PORT_SHOWN_NOT;
	*ret_guest = s->guest[fam];
	*ret_peer = is_own ? *from : p->plan.gateway[fam];
	return is_own ? PORT_SHOWN_OWN : PORT_SHOWN_GATEWAY;
}
