/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dispatch: where a frame goes: Ethernet, IP, reassembly, what the gateway serves itself, the check
 * of the source, the transports. Everything that nobody wants is counted with its reason. The one
 * file that knows all protocols; it holds no state of its own.
 */
#include <netinet/in.h>

#include "stack/internal.h"
#include "wire/eth.h"
#include "wire/icmp.h"

#define DHCP4_SERVER 67
#define DHCP6_SERVER 547

/* A packet and where it came from. m: of its frame; NULL when it was put together from fragments.
 */
struct arrival {
	const struct mac *from;
	const struct link_meta *m;
	bool is_sum_ok; /* its transport checksum needs no look */
};

static void drop(struct worker *w, enum stat_id why)
{
	w->stats.n[why]++;
}

static const struct ip no_ip;

/* DHCP comes without an address, so before the source is judged. True: dealt with. */
static bool input_dhcp(struct worker *w, const struct ip_packet *k, const struct arrival *a,
		       uint64_t now)
{
	const uint16_t port = k->src.family == AF_INET ? DHCP4_SERVER : DHCP6_SERVER;
	struct udphdr_v u;

	if (k->proto != IPPROTO_UDP || udphdr_parse(k->payload, k->len, &u) < 0 || u.dport != port)
		return false;
	if (!a->is_sum_ok && !udphdr_sum_ok(k, &u)) {
		drop(w, STAT_DROP_CHECKSUM);
		return true;
	}
	return local_dhcp(w->local, k, &u, now);
}

/* RFC 4291 2.5.6: what has a link-local source stays on the link, whose only other end we are. */
static bool is_source_ok(const struct worker *w, const struct ip_packet *k)
{
	if (!policy_source_ok(&w->conf.policy, &k->src))
		return false;
	return k->src.family == AF_INET || !ip_is_link_local(&k->src) ||
	       ip_is_link_local(&k->dst) || ip_is_multicast(&k->dst);
}

static void input_unknown(struct worker *w, const struct ip_packet *k, uint64_t now)
{
	drop(w, STAT_DROP_PROTO);
	if (k->src.family == AF_INET)
		emit_icmp_error(w->emit, &no_ip, ICMP_V4_UNREACH, ICMP_V4_UNREACH_PROTO, 0,
				k->start, k->total, now);
	else
		emit_icmp_error(w->emit, &no_ip, ICMP_V6_PARAM, ICMP_V6_PARAM_NEXT, k->proto_at,
				k->start, k->total, now);
}

/* Where the sender is, unless the address it seems to have is a damaged one: that would push
 * another out of the table. IPv4 has a checksum of its own, in IPv6 it is the transport's. */
static void learn(struct worker *w, const struct ip_packet *k, const struct arrival *a)
{
	if (emit_knows(w->emit, &k->src, a->from))
		return;
	if (k->src.family == AF_INET || a->is_sum_ok || ip_sum_ok(k))
		emit_learn(w->emit, &k->src, a->from);
}

static void input_packet(struct worker *w, const struct ip_packet *k, const struct arrival *a,
			 uint64_t now)
{
	const uint8_t icmp = k->src.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	/* RFC 6980 5: neighbour discovery never comes in fragments. */
	if (k->proto == IPPROTO_ICMPV6 && icmp == IPPROTO_ICMPV6 && a->m &&
	    local_ndp(w->local, k, a->is_sum_ok, now))
		return;
	if (input_dhcp(w, k, a, now))
		return;
	if (!is_source_ok(w, k)) {
		drop(w, STAT_DROP_SOURCE);
		return;
	}
	learn(w, k, a);
	if (k->proto == IPPROTO_TCP) {
		if (a->is_sum_ok || ip_sum_ok(k))
			w->is_held = tcp_input(w->tcp, k, a->m != NULL, now);
		else
			drop(w, STAT_DROP_CHECKSUM);
	} else if (k->proto == IPPROTO_UDP) {
		udp_input(w->udp, k, a->m, now);
	} else if (k->proto == icmp) {
		ping_input(w->ping, k, a->m != NULL, now);
	} else {
		input_unknown(w, k, now);
	}
}

static enum ip_verdict parse(const uint8_t *p, size_t len, bool is_v4, struct ip_packet *ret,
			     struct ip_problem *ret_problem)
{
	return is_v4 ? ip_parse4(p, len, ret) : ip_parse6(p, len, ret, ret_problem);
}

static void set_reass_timer(struct worker *w)
{
	uint64_t due = reass_deadline(w->reass);

	if (due == UINT64_MAX)
		timer_clear(w->wheel, &w->reass_timer);
	else
		timer_set(w->wheel, &w->reass_timer, due);
}

/* A fragment of a source that may not speak is not worth memory. */
static void input_fragment(struct worker *w, const struct ip_packet *k, const struct mac *from,
			   uint64_t now)
{
	const struct arrival a = {.from = from};
	struct ip_packet whole;
	struct ip_problem problem;
	const uint8_t *p;
	size_t len;

	if (!is_source_ok(w, k)) {
		drop(w, STAT_DROP_SOURCE);
		return;
	}
	switch (reass_input(w->reass, k, now, &p, &len)) {
	case REASS_HELD:
		break;
	case REASS_DROP:
		drop(w, STAT_DROP_FRAGMENT);
		break;
	case REASS_WHOLE:
		if (parse(p, len, k->src.family == AF_INET, &whole, &problem) == IP_OK &&
		    !whole.is_fragment)
			input_packet(w, &whole, &a, now);
		else
			drop(w, STAT_DROP_IP);
		break;
	}
	set_reass_timer(w);
}

void dispatch_expire(struct worker *w, uint64_t now)
{
	const uint8_t *cause;
	size_t len;

	while (reass_expire(w->reass, now, &cause, &len)) {
		bool is_v6 = cause && len > 0 && cause[0] >> 4 == 6;

		drop(w, STAT_DROP_FRAGMENT);
		if (cause)
			emit_icmp_error(w->emit, &no_ip, is_v6 ? ICMP_V6_TIME : ICMP_V4_TIME,
					is_v6 ? ICMP_V6_TIME_REASSEMBLY : ICMP_V4_TIME_REASSEMBLY,
					0, cause, len, now);
	}
	set_reass_timer(w);
}

static void input_ip(struct worker *w, const struct eth_frame *f, const struct link_meta *m,
		     uint64_t now)
{
	const bool is_v4 = f->type == ETH_TYPE_IP4;
	struct arrival a = {.from = &f->src, .m = m, .is_sum_ok = m->is_partial || m->is_valid};
	struct ip_problem problem = {0};
	struct ip_packet k;

	switch (parse(f->payload, f->len, is_v4, &k, &problem)) {
	case IP_OK:
		break;
	case IP_BAD:
		drop(w, STAT_DROP_IP);
		return;
	case IP_BAD_CHECKSUM:
		drop(w, STAT_DROP_CHECKSUM);
		return;
	case IP_BAD_HEADER:
		drop(w, STAT_DROP_IP);
		emit_icmp_error(w->emit, &no_ip, ICMP_V6_PARAM, problem.code, problem.pointer,
				f->payload, f->len, now);
		return;
	case IP_NO_PAYLOAD:
		return;
	}
	if (w->conf.policy.plan.net[is_v4 ? FAM4 : FAM6].ip.family == 0) {
		drop(w, STAT_DROP_IP);
		return;
	}
	if (k.is_fragment)
		input_fragment(w, &k, &f->src, now);
	else
		input_packet(w, &k, &a, now);
}

void dispatch_frame(struct worker *w, const uint8_t *frame, size_t len, const struct link_meta *m,
		    uint64_t now)
{
	struct eth_frame f;

	w->is_held = false;
	w->stats.n[STAT_FRAMES_IN]++;
	w->stats.n[STAT_BYTES_IN] += len;
	if (eth_parse(frame, len, &f) < 0 ||
	    !(eth_equal(&f.dst, &w->conf.policy.plan.our_mac) || eth_is_group(&f.dst))) {
		drop(w, STAT_DROP_ETH);
		return;
	}
	emit_saw(w->emit, &f.src);
	switch (f.type) {
	case ETH_TYPE_IP4:
	case ETH_TYPE_IP6:
		input_ip(w, &f, m, now);
		break;
	case ETH_TYPE_ARP:
		local_arp(w->local, f.payload, f.len);
		break;
	default:
		drop(w, STAT_DROP_ETH);
	}
}
