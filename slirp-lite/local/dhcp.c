/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp: a DHCPv4 server of one network, for guests that ask. Answers go to who asked: broadcast
 * while it has no address, so that nothing must be known of it. Search domains are never told: the
 * host's are not the guest's business. RFC 2131 4.3, table 4.
 */
#include <netinet/in.h>

#include "local/inside.h"
#include "wire/dhcp.h"

static const struct ip broadcast = {.family = AF_INET, .b = {255, 255, 255, 255}};

static uint64_t client_of(const struct dhcp *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(d->mac.b); i++)
		n = n << 8 | d->mac.b[i];
	return n;
}

static void answer(struct local *l, const struct dhcp *d, uint8_t type, const struct ip *yours)
{
	const struct plan *plan = l->env.plan;
	struct dhcp_reply a = {.type = type,
			       .server = plan->gateway[FAM4],
			       .prefix_len = plan->net[FAM4].len,
			       .broadcast = prefix_last(&plan->net[FAM4]),
			       .dns = local_told_dns(l, FAM4),
			       .mtu = (uint16_t)plan->mtu};
	bool has_address = type == DHCP_ACK && !ip_is_any(&d->client);
	uint8_t out[DHCP_REPLY_MAX];

	if (yours) {
		a.yours = *yours;
		a.lease_s = LEASE_S;
	}
	if (type == DHCP_ACK)
		a.client = d->client;
	local_send_udp(l, &a.server, DHCP_SERVER_PORT, has_address ? &d->client : &broadcast,
		       DHCP_CLIENT_PORT, out, dhcp_build(out, d, &a));
}

/* RFC 2131 4.3.2: SELECTING names us, INIT-REBOOT and RENEWING name the address. */
static void on_request(struct local *l, const struct dhcp *d, uint64_t now)
{
	const struct ip *wanted = d->requested.family ? &d->requested : &d->client;
	struct ip yours;

	if (d->server.family && !ip_equal(&d->server, &l->env.plan->gateway[FAM4])) {
		lease_release(&l->leases[FAM4], client_of(d)); /* it took another's offer */
		return;
	}
	if (lease_take(&l->leases[FAM4], l->env.plan, FAM4, client_of(d), now, &yours) &&
	    ip_equal(&yours, wanted))
		answer(l, d, DHCP_ACK, &yours);
	else
		answer(l, d, DHCP_NAK, NULL);
}

static void on_message(struct local *l, const struct dhcp *d, uint64_t now)
{
	struct ip yours;

	switch (d->type) {
	case DHCP_DISCOVER:
		if (lease_take(&l->leases[FAM4], l->env.plan, FAM4, client_of(d), now, &yours))
			answer(l, d, DHCP_OFFER, &yours);
		else
			local_count(l, STAT_DROP_DHCP);
		break;
	case DHCP_REQUEST:
		on_request(l, d, now);
		break;
	case DHCP_INFORM:
		if (local_is_guest(l, &d->client))
			answer(l, d, DHCP_ACK, NULL);
		else
			local_count(l, STAT_DROP_DHCP);
		break;
	case DHCP_RELEASE:
		lease_release(&l->leases[FAM4], client_of(d));
		break;
	default:
		lease_decline(&l->leases[FAM4], client_of(d), now);
		break;
	}
}

/* A server elsewhere is somebody else: datagrams to it go their way. */
bool dhcp4_input(struct local *l, const struct ip_packet *k, const struct udphdr_v *u, uint64_t now)
{
	const struct plan *plan = l->env.plan;
	struct ip last = prefix_last(&plan->net[FAM4]);
	struct dhcp d;

	if (!ip_equal(&k->dst, &broadcast) && !ip_equal(&k->dst, &last) &&
	    !ip_equal(&k->dst, &plan->gateway[FAM4]))
		return false;
	if (dhcp_parse(u->payload, u->len, &d) < 0)
		local_count(l, STAT_DROP_DHCP);
	else
		on_message(l, &d, now);
	return true;
}
