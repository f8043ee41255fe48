/* SPDX-License-Identifier: GPL-2.0-or-later */
/* announce: tells the neighbours on a bridge which MAC address an address has now. */
#ifndef NETD_NET_ANNOUNCE_H
#define NETD_NET_ANNOUNCE_H

#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"

/* Sends, out of the bridge itself, an ARP announcement (RFC 5227 section 3) for addr[FAM4] and an
 * unsolicited neighbour advertisement (RFC 4861 section 7.2.6) for addr[FAM6]; family 0: none. */
int announce_send(uint32_t bridge, const struct ip addr[N_FAM], const struct mac *mac,
		  struct err *e);

#endif
