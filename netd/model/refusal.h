/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal: where a packet wanted to go that was refused, from its first bytes. PURE. */
#ifndef NETD_MODEL_REFUSAL_H
#define NETD_MODEL_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"

struct refusal {
	struct ip from, to;
	uint8_t proto; /* the number in the IP header: of IPv6, of what comes next */
	uint16_t port; /* of TCP and UDP, its destination's; 0: none, or not in these bytes */
};

/* packet: an IP header and what follows, as far as it is there. -EBADMSG. */
int refusal_parse(const uint8_t *packet, size_t len, struct refusal *ret);
/* "tcp 192.0.2.7:443", "icmp 192.0.2.7", "udp [2001:db8::7]:53", "proto-47 192.0.2.7" */
#define REFUSAL_STRLEN (IP_STRLEN + 24)
const char *refusal_str(const struct refusal *r, char out[REFUSAL_STRLEN]);

#endif
