/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp: DHCPv4 messages of clients in, of a server out (RFC 2131, RFC 2132, RFC 6842). Pure. */
#ifndef SLIRP_WIRE_DHCP_H
#define SLIRP_WIRE_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

enum {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

#define DHCP_CLIENT_ID_MAX 64

struct dhcp {
	uint8_t type;
	uint32_t xid;
	bool is_broadcast; /* the client wants broadcast answers */
	struct ip client;  /* ciaddr; 0.0.0.0: it has none */
	struct mac mac;
	struct ip requested, server; /* family 0: not said */
	uint8_t n_id;                /* client identifier; 0: none, or longer than the array */
	uint8_t id[DHCP_CLIENT_ID_MAX];
};

/* p, len: the UDP payload. 0, or -1: no request of an Ethernet client, no message type of a client,
 * relayed (giaddr), or malformed. */
int dhcp_parse(const uint8_t *p, size_t len, struct dhcp *ret);

struct dhcp_reply {
	uint8_t type;     /* OFFER, ACK, NAK */
	struct ip client; /* ciaddr; family 0: 0.0.0.0 */
	struct ip yours;  /* yiaddr; family 0: 0.0.0.0 (NAK, answer to INFORM) */
	struct ip server; /* us; router and server id */
	uint8_t prefix_len;
	struct ip broadcast;
	struct ip dns;    /* family 0: none */
	uint32_t lease_s; /* 0: none (answer to INFORM) */
	uint16_t mtu;
};

#define DHCP_REPLY_MAX 400
/* The answer to q; at least 300 bytes, as old clients and relays want (RFC 1542 2.1). Returns the
 * length. */
size_t dhcp_build(uint8_t *out, const struct dhcp *q, const struct dhcp_reply *a);

#endif
