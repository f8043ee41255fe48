/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ndp: the gateway as an IPv6 router: answers solicitations for its own addresses (those of
 * duplicate address detection too, so that nobody takes them), advertises itself to who asks and
 * then every few hours, learns where guests are. Advertisements for its own addresses, routers
 * besides it and redirects change nothing. MLD is heard and ignored: there is one link.
 * RFC 4861 6.2, 7.2; RFC 4862 5.4; RFC 8106; RFC 8319 (lifetimes).
 */
#include <netinet/in.h>

#include "local/inside.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ndp.h"

#define ROUTER_LIFETIME_S 65535 /* the most there is (RFC 8319 4) */
#define RA_INTERVAL_MS 20000000 /* a third of it */

static const struct ip all_nodes = {.family = AF_INET6, .b = {0xff, 2, [15] = 1}};

static void send_icmp6(struct local *l, const struct ip *src, const struct ip *dst, const void *msg,
		       size_t len)
{
	const struct emit_ip h = {.src = *src,
				  .dst = *dst,
				  .proto = IPPROTO_ICMPV6,
				  .ttl = NDP_HOP_LIMIT,
				  .csum_offset = 2};
	const struct iovec iov = {(uint8_t *)msg + ICMP_HDR_LEN, len - ICMP_HDR_LEN};

	emit_packet(l->env.emit, &h, msg, ICMP_HDR_LEN, &iov, 1);
}

/* RFC 4861 7.2.4; to all nodes when the asker has no address yet. */
static void advertise_neighbour(struct local *l, const struct ip *target, const struct ip *asker)
{
	bool is_solicited = !ip_is_any(asker);
	uint8_t out[NDP_NA_LEN];

	ndp_build_na(out, target, &l->env.plan->our_mac, is_solicited);
	send_icmp6(l, target, is_solicited ? asker : &all_nodes, out, sizeof(out));
}

static void advertise_router(struct local *l, const struct ip *dst)
{
	const struct plan *plan = l->env.plan;
	struct prefix net = plan->net[FAM6];
	struct ndp_ra ra = {.mac = plan->our_mac,
			    .is_managed = plan->is_dhcp[FAM6] && net.len != 64,
			    .is_other = plan->is_dhcp[FAM6],
			    .lifetime = ROUTER_LIFETIME_S,
			    .mtu = plan->mtu,
			    .prefix = net,
			    .is_autonomous = net.len == 64,
			    .dns = local_told_dns(l, FAM6)};
	uint8_t out[NDP_RA_MAX];

	send_icmp6(l, &l->link_local, dst, out, ndp_build_ra(out, &ra));
}

/* What was advertised runs out: the guest's default route with it. */
static void ra_due(struct timer *t, uint64_t now)
{
	struct local *l = OWNER(t, struct local, ra_timer);

	advertise_router(l, &all_nodes);
	timer_set(l->env.wheel, t, now + RA_INTERVAL_MS);
}

static void on_solicitation(struct local *l, const struct ip_packet *k, const struct ndp *n)
{
	if (n->has_mac)
		emit_learn(l->env.emit, &k->src, &n->mac);
	if (local_is_ours(l, &n->target) || local_is_neighbour(l, &n->target, &k->src))
		advertise_neighbour(l, &n->target, &k->src);
}

static void on_router_solicitation(struct local *l, const struct ip_packet *k, const struct ndp *n,
				   uint64_t now)
{
	if (n->has_mac)
		emit_learn(l->env.emit, &k->src, &n->mac);
	if (!l->env.plan->is_ra)
		return;
	advertise_router(l, ip_is_any(&k->src) ? &all_nodes : &k->src);
	l->ra_timer.fn = ra_due;
	timer_set(l->env.wheel, &l->ra_timer, now + RA_INTERVAL_MS);
}

static bool is_mld(uint8_t type)
{
	return type == ICMP_V6_MLD_QUERY || type == ICMP_V6_MLD_REPORT ||
	       type == ICMP_V6_MLD_DONE || type == ICMP_V6_MLD2_REPORT;
}

/* Whether the sender may be heard: somebody of the link, or nobody yet. */
static bool is_heard(const struct local *l, const struct ip_packet *k, const struct ndp *n)
{
	if (n->has_mac && eth_equal(&n->mac, &l->env.plan->our_mac))
		return false;
	return ip_is_any(&k->src) || local_is_guest(l, &k->src);
}

bool local_ndp(struct local *l, const struct ip_packet *k, bool is_sum_ok, uint64_t now)
{
	struct icmp_v m;
	struct ndp n;

	if (icmp_parse(k->payload, k->len, &m) < 0)
		return false;
	if (is_mld(m.type))
		return true;
	if (m.type < ICMP_V6_RS || m.type > ICMP_V6_REDIRECT)
		return false;
	if (l->env.plan->net[FAM6].ip.family == 0 || l->env.plan->is_ndp_off ||
	    ndp_parse(k, &n) < 0 || !is_heard(l, k, &n)) {
		local_count(l, STAT_DROP_NDP);
		return true;
	}
	if (!is_sum_ok && !ip_sum_ok(k)) {
		local_count(l, STAT_DROP_CHECKSUM);
		return true;
	}
	switch (n.type) {
	case ICMP_V6_NS:
		on_solicitation(l, k, &n);
		break;
	case ICMP_V6_RS:
		on_router_solicitation(l, k, &n, now);
		break;
	default:
		if (!local_is_guest(l, &n.target))
			local_count(l, STAT_DROP_NDP);
		else if (n.has_mac)
			emit_learn(l->env.emit, &n.target, &n.mac);
		break;
	}
	return true;
}
