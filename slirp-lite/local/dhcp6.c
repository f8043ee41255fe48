/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp6: a DHCPv6 server of one network: one address a client, the DNS server's address for who
 * asks for nothing else. Clients speak with link-local addresses and are answered there. RFC 8415
 * 18.3.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/hash.h"
#include "local/inside.h"
#include "wire/dhcp6.h"

static const struct ip all_servers = {.family = AF_INET6,
				      .b = {0xff, 2, [13] = 1, [14] = 0, [15] = 2}};

static uint64_t client_of(const struct dhcp6 *d)
{
	return hash64(d->client.b, d->client.len, 0);
}

/* DUID-LL (RFC 8415 11.4) of our MAC address. */
static struct dhcp6_duid our_duid(const struct local *l)
{
	struct dhcp6_duid id = {.len = 10, .b = {0, 3, 0, 1}};

	memcpy(id.b + 4, l->env.plan->our_mac.b, 6);
	return id;
}

static void give_address(struct local *l, const struct dhcp6 *d, uint64_t now,
			 struct dhcp6_reply *a)
{
	struct ip ip;

	if (d->n_ia > 0 && lease_take(&l->leases[FAM6], l->env.plan, FAM6, client_of(d), now, &ip))
		a->address = ip;
}

/* RFC 8415 18.3.3; -1: it names no address, and there is nothing to confirm. */
static int confirm(struct local *l, const struct dhcp6 *d, struct dhcp6_reply *a)
{
	bool has_any = false;

	a->has_status = true;
	a->status = DHCP6_SUCCESS;
	for (size_t i = 0; i < d->n_ia; i++) {
		if (!d->ia[i].address.family)
			continue;
		has_any = true;
		if (!prefix_contains(&l->env.plan->net[FAM6], &d->ia[i].address))
			a->status = DHCP6_NOT_ON_LINK;
	}
	return has_any ? 0 : -1;
}

/* What is answered; -1: nothing. */
static int decide(struct local *l, const struct dhcp6 *d, uint64_t now, struct dhcp6_reply *a)
{
	switch (d->type) {
	case DHCP6_SOLICIT:
		if (!d->is_rapid)
			a->type = DHCP6_ADVERTISE;
		give_address(l, d, now, a);
		return 0;
	case DHCP6_REQUEST:
	case DHCP6_RENEW:
	case DHCP6_REBIND:
		give_address(l, d, now, a);
		return 0;
	case DHCP6_CONFIRM:
		return confirm(l, d, a);
	case DHCP6_RELEASE:
		lease_release(&l->leases[FAM6], client_of(d));
		break;
	case DHCP6_DECLINE:
		lease_decline(&l->leases[FAM6], client_of(d), now);
		break;
	default: /* information request */
		return 0;
	}
	/* 18.3.7, 18.3.8: success for the message; nothing more is said of its addresses. */
	a->has_status = true;
	a->status = DHCP6_SUCCESS;
	a->dns.family = 0;
	return 0;
}

bool dhcp6_input(struct local *l, const struct ip_packet *k, const struct udphdr_v *u, uint64_t now)
{
	struct dhcp6_reply a = {.type = DHCP6_REPLY,
				.server = our_duid(l),
				.ia_status = DHCP6_NO_ADDRESS,
				.lifetime_s = LEASE_S,
				.dns = local_told_dns(l, FAM6)};
	uint8_t out[DHCP6_REPLY_MAX];
	struct dhcp6 d;

	if (!ip_equal(&k->dst, &all_servers) && !local_is_ours(l, &k->dst))
		return false;
	if (!ip_is_link_local(&k->src) || !local_is_guest(l, &k->src) ||
	    dhcp6_parse(u->payload, u->len, &d) < 0) {
		local_count(l, STAT_DROP_DHCP);
		return true;
	}
	if (d.server.len &&
	    (d.server.len != a.server.len || memcmp(d.server.b, a.server.b, a.server.len) != 0))
		return true; /* it speaks to another server */
	if (decide(l, &d, now, &a) < 0)
		return true;
	if (d.type == DHCP6_RELEASE || d.type == DHCP6_DECLINE)
		d.n_ia = 0;
	local_send_udp(l, &l->link_local, DHCP6_SERVER_PORT, &k->src, DHCP6_CLIENT_PORT, out,
		       dhcp6_build(out, &d, &a));
	return true;
}
