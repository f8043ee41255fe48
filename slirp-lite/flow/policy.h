/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy: the one function that decides what the container may reach on the host's side. Every
 * connect() and every sendto() of the worker passes through it; nothing else maps an address. Pure.
 *
 * 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/4, 240.0.0.0/4, ::/128, ::1, ::ffff:0:0/96, ::/96, fe80::/10,
 * ff00::/8 are refused unless a rule maps them. The gateway's address maps to the host's loopback
 * only for the ports that a rule opens (all when the loopback is open), and only where it is ours:
 * a router of the host's is reached as itself. plan.loopback_at and plan.host_at are addresses that
 * somebody chose to lead to the host. The DNS server's address is port 53 only and is answered by
 * local/dns. With an egress policy the rest has to be allowed by it, too, by the address that the
 * container names: the gateway's own services, and what leads to the host, included.
 */
#ifndef SLIRP_FLOW_POLICY_H
#define SLIRP_FLOW_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/audit.h"
#include "flow/learned.h"
#include "flow/plan.h"
#include "model/addr.h"
#include "model/attach_egress.h"

struct policy_port {
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t first, last;
};

#define POLICY_PORTS_MAX 64
#define POLICY_OWN_MAX 64

struct policy {
	struct plan plan;
	bool is_loopback_open; /* the gateway's address is the host's loopback, all ports */
	size_t n_loopback;     /* else these ports of it */
	struct policy_port loopback[POLICY_PORTS_MAX];
	struct ip outbound[N_FAM]; /* source of what goes out; family 0: the kernel picks */
	bool is_tcp_off, is_udp_off, is_ping_off;
	struct attach_egress egress; /* n 0: everywhere */
	struct attach_names names;
	struct audit *audit; /* the worker's, who says what is forbidden; NULL: nobody */
	size_t n_own;        /* addresses of the host, which no name stands for */
	struct ip own[POLICY_OWN_MAX];
	struct learned
		*learned; /* the worker's, where there are names; NULL: they have no address */
};

enum policy_verdict {
	POLICY_ALLOW,   /* *ret is where to connect to */
	POLICY_DNS,     /* the DNS server of ours: the caller asks local/dns for a resolver */
	POLICY_GATEWAY, /* the gateway itself, port closed: RST or ICMP port unreachable */
	POLICY_REFUSE,  /* special or malformed destination: drop and count */
	POLICY_FORBID,  /* not by the egress policy: RST or ICMP administratively prohibited */
};

/* Where dst:port leads, whatever the egress policy says. proto ICMP and ICMPV6: port is 0. */
enum policy_verdict policy_map(const struct policy *p, uint8_t proto, const struct ip *dst,
			       uint16_t port, struct ip *ret);
/* What becomes of a flow of the container to dst:port. */
enum policy_verdict policy_check(const struct policy *p, uint8_t proto, const struct ip *dst,
				 uint16_t port, struct ip *ret);
/* Whether the container would look for ip on its own link, where nobody has it but us for a client
 * whose address it is on the host's side: of the network that is the guest's alone, or link-local.
 * Nothing of the container's is let through for that: it answers to such a client, and asks none.
 */
bool policy_is_near(const struct policy *p, const struct ip *ip);
/* Whether a frame with this source may open flows: unicast, not special, not ours. */
bool policy_source_ok(const struct policy *p, const struct ip *src);
/* The address that the container sees for an answer from host address `from`: undoes the mapping.
 * sent: where it sent to last; where several addresses lead to `from`, that is the one. */
struct ip policy_unmap(const struct policy *p, const struct ip *from, const struct ip *sent);
/* Whether from:port of the host's side may speak to `guest`, who sent to `sent` last: nobody may
 * whom the guest could not have asked. */
bool policy_answer_ok(const struct policy *p, uint8_t proto, const struct ip *from, uint16_t port,
		      const struct ip *guest, const struct ip *sent);

#endif
