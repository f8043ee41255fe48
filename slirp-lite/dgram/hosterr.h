/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hosterr: what the host says about datagrams that did not arrive, as the ICMP error that the
 * container gets: entries of the socket's error queue (IP_RECVERR of ip(7), IPV6_RECVERR of
 * ipv6(7)) with type, code, MTU and router as they were, and plain errnos of a call. The packet
 * inside the error is the one the container sent: its addresses, its ports, its id (RFC 792, RFC
 * 4443 2.4 (c), RFC 5508 REQ-3, REQ-4).
 */
#ifndef SLIRP_DGRAM_HOSTERR_H
#define SLIRP_DGRAM_HOSTERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dgram/mapping.h"
#include "emit/emit.h"

#define HOSTERR_DATA 1280

struct hosterr {
	uint8_t type, code; /* of the container's family */
	uint32_t info;      /* second word of the message */
	bool is_icmp;       /* false: nothing to be told (source quench, a local ENOBUFS) */
	bool is_local;      /* said by the host's own kernel before anything was sent */
	struct ip from;     /* who said so; family 0: us */
	struct ip dst;      /* where it was sent to on the host's side; family 0: not known */
	uint16_t port;
	size_t len; /* bytes of the datagram that are known, behind its UDP header */
	uint8_t data[HOSTERR_DATA];
};

/* The oldest entry of the error queue; true: *ret is filled in. Mends a socket whose error has no
 * entry (SO_ERROR). */
bool hosterr_next(const struct host_ops *host, int fd, int family, struct hosterr *ret);
/* What a call failed with; only type, code, info, is_icmp and is_local are set. */
void hosterr_of_errno(int family, int sys, struct hosterr *ret);
/* Whether a failed send may only have fetched an older error of the socket: it is worth a second
 * try. */
bool hosterr_may_be_old(int sys);

/* Sends it to m's address about what m sent: s says what is known of that packet; l4 is its
 * transport header, whose data is e->data. */
void hosterr_emit(struct emit *x, const struct policy *p, const struct mapping *m, uint8_t proto,
		  const struct hosterr *e, const struct sent *s, const void *l4, size_t l4_len,
		  uint64_t now);

#endif
