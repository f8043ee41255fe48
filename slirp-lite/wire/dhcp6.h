/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp6: DHCPv6 messages of clients in, of a server out (RFC 8415, RFC 3646). Pure. */
#ifndef SLIRP_WIRE_DHCP6_H
#define SLIRP_WIRE_DHCP6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

#define DHCP6_SERVER_PORT 547
#define DHCP6_CLIENT_PORT 546

enum {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE,
	DHCP6_REQUEST,
	DHCP6_CONFIRM,
	DHCP6_RENEW,
	DHCP6_REBIND,
	DHCP6_REPLY,
	DHCP6_RELEASE,
	DHCP6_DECLINE,
	DHCP6_INFORMATION = 11,
};

/* Status codes (RFC 8415 21.13). */
enum {
	DHCP6_SUCCESS = 0,
	DHCP6_NO_ADDRESS = 2,
	DHCP6_NOT_ON_LINK = 4,
};

#define DHCP6_DUID_MAX 130 /* RFC 8415 11.1: 128 and the type */
#define DHCP6_IA_MAX 4

struct dhcp6_duid {
	uint8_t len; /* 0: none */
	uint8_t b[DHCP6_DUID_MAX];
};

struct dhcp6 {
	uint8_t type;
	uint32_t xid; /* 24 bits */
	struct dhcp6_duid client, server;
	uint8_t n_ia; /* IA_NA; more than DHCP6_IA_MAX are not answered */
	struct {
		uint32_t id;
		struct ip address; /* the first it names; family 0: none */
	} ia[DHCP6_IA_MAX];
	bool is_rapid; /* rapid commit */
	bool wants_dns;
};

/* p, len: the UDP payload. 0, or -1: no message of a client, or malformed; identifiers as RFC 8415
 * 16 wants them for each type. */
int dhcp6_parse(const uint8_t *p, size_t len, struct dhcp6 *ret);

struct dhcp6_reply {
	uint8_t type;             /* ADVERTISE, REPLY */
	struct dhcp6_duid server; /* us */
	struct ip address;        /* for the first IA; family 0: it gets ia_status */
	uint16_t ia_status;       /* for IAs without an address */
	uint32_t lifetime_s;
	bool has_status;
	uint16_t status; /* of the whole message */
	struct ip dns;   /* family 0: none */
};

#define DHCP6_REPLY_MAX 512
size_t dhcp6_build(uint8_t *out, const struct dhcp6 *q, const struct dhcp6_reply *a);

#endif
