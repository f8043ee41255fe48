/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reass: fragments of IPv4 and IPv6 datagrams are put together in memory that is set aside at
 * start: 64 datagrams, 1 MiB with everything. Any overlap ends the datagram (RFC 8200 4.5, RFC
 * 5722; for IPv4 alike); an exact copy of a fragment is ignored. When slots or memory run out, the
 * oldest datagram goes. No clock, no I/O.
 */
#ifndef SLIRP_WIRE_REASS_H
#define SLIRP_WIRE_REASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/ip.h"

#define REASS_DATAGRAMS 64
#define REASS_MEMORY (1024u * 1024)
#define REASS_TIMEOUT_MS 60000 /* RFC 8200 4.5, RFC 1122 3.3.2 */

struct reass;

int reass_new(struct reass **ret, struct err *e);
void reass_free(struct reass *r); /* accepts NULL */

enum reass_verdict {
	REASS_HELD,  /* kept; more is missing */
	REASS_WHOLE, /* *ret is the datagram: an IP packet without options, extension headers in
		      * front of the fragment header and fragment fields, to be parsed again; valid
		      * until the next call. Its transport checksum was never checked. */
	REASS_DROP,  /* overlap or contradiction: the datagram is gone. Count it. */
};

/* k: what ip_parse4 or ip_parse6 found, with is_fragment. */
enum reass_verdict reass_input(struct reass *r, const struct ip_packet *k, uint64_t now,
			       const uint8_t **ret, size_t *ret_len);
/* Ends one datagram whose time is over; false: there is none. *ret_cause is its first fragment,
 * which ICMP time exceeded (code: reassembly) is about, valid until the next call; NULL when the
 * first one never came, and nothing is to be said. */
bool reass_expire(struct reass *r, uint64_t now, const uint8_t **ret_cause, size_t *ret_len);
/* When to call reass_expire next; UINT64_MAX: nothing is held. */
uint64_t reass_deadline(const struct reass *r);

/* For tests alone. */
size_t reass_n_held(const struct reass *r);   /* datagrams */
uint64_t reass_n_lost(const struct reass *r); /* datagrams that went to make room, ever */

#endif
