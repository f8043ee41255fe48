/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port: one published socket of the host as the worker knows it, and under which address the
 * container sees the clients that come by it: their own wherever that can be. Plain values, pure.
 */
#ifndef SLIRP_FLOW_PORT_H
#define SLIRP_FLOW_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/policy.h"
#include "model/addr.h"

/* Sockets at once; slots of them are numbered from 0. */
#define PORTS_MAX 16384

/* What becomes of clients on this host itself, whose addresses mean nothing in the container. */
enum port_local {
	PORT_LOCAL_GATEWAY, /* through the tap, as the gateway */
	PORT_LOCAL_SPLICE,  /* TCP: by a socket inside, as the container itself; else as before */
};

struct port_spec {
	uint32_t slot;
	uint8_t proto;          /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t family;         /* of the socket; TCP of AF_INET6 may have clients of both */
	uint8_t local;          /* enum port_local */
	bool is_wild;           /* bound to no one address: answers must say theirs */
	uint16_t port;          /* of the container, host order */
	struct ip guest[N_FAM]; /* whom it leads to; family 0: not by this family */
};

/* What has passed a port. Bytes are payload. */
struct port_tally {
	uint64_t flows; /* connections; clients of UDP */
	uint64_t in, out;
};

enum port_shown {
	PORT_SHOWN_NOT,     /* nobody it could lead to */
	PORT_SHOWN_OWN,     /* *ret_peer is the client's own address, its port is its own */
	PORT_SHOWN_NEAR,    /* the same, while it is found at our MAC address (emit_near_hold) */
	PORT_SHOWN_GATEWAY, /* *ret_peer is the gateway; the port is one that is free there */
};

/* How the container sees a client at `from`, a plain address; is_local: it is on this host. The
 * other family's gateway stands for a client whose family the container has not. An address that
 * the container would not answer to (its own, one of ours, special; UDP: a link-local one of IPv6)
 * is shown as the gateway too. */
enum port_shown port_shown(const struct policy *p, const struct port_spec *s, const struct ip *from,
			   bool is_local, struct ip *ret_guest, struct ip *ret_peer);

#endif
