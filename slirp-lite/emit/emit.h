/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emit: every frame that goes to the container passes here: Ethernet addressing (neighbours learned
 * from what the container sends), IP headers, fragmentation of datagrams above the MTU, checksums
 * or their offload. The caller brings the transport header with its checksum field zero.
 */
#ifndef SLIRP_EMIT_EMIT_H
#define SLIRP_EMIT_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "flow/plan.h"
#include "flow/stats.h"
#include "io/link.h"

struct emit;

/* plan, link and stats are borrowed and outlive it. */
int emit_new(const struct plan *plan, struct link *link, struct stats *stats, struct emit **ret,
	     struct err *e);
void emit_free(struct emit *x);
const struct link_caps *emit_caps(const struct emit *x);

/* Sees every frame that is about to be written, without the link's own header (pcap). */
typedef void emit_tap_fn(void *arg, const struct iovec *iov, int n);
void emit_set_tap(struct emit *x, emit_tap_fn *fn, void *arg);

/* What the stack saw: ip is at mac (called for frames with an acceptable source, which is what it
 * was when it was sent: a damaged one may push another out of the table). */
bool emit_knows(const struct emit *x, const struct ip *ip, const struct mac *mac);
void emit_learn(struct emit *x, const struct ip *ip, const struct mac *mac);

/* Somebody on the link is at mac: who is asked for an address that nobody has been seen with. */
void emit_saw(struct emit *x, const struct mac *mac);

/* Whether somebody on the link has been seen with ip. */
bool emit_has(const struct emit *x, const struct ip *ip);

/* near.c: clients on the host's side whose addresses the container looks for on its link
 * (policy_is_near). While one is held, as often as it was released less, it is found at our MAC
 * address; but what somebody on the link has been seen with is his. hold: false when that is so, or
 * too many are held; emit_near_ok says it before. */
bool emit_near_ok(const struct emit *x, const struct ip *ip);
bool emit_near_hold(struct emit *x, const struct ip *ip);
void emit_near_release(struct emit *x, const struct ip *ip);
bool emit_is_near(const struct emit *x, const struct ip *ip);

struct emit_ip {
	struct ip src, dst;
	uint8_t proto;
	uint8_t ttl; /* 0: 64 (255 where the caller says so: ND) */
	uint8_t tos;
	bool is_df;           /* IPv4 don't fragment */
	uint16_t csum_offset; /* of the checksum in l4: TCP 16, UDP 6, ICMP 2 */
	uint16_t gso_size;    /* 0: one packet; else data is cut into segments of this size: by the
			       * kernel where the link can, here where it cannot (TCP: sequence
			       * numbers and flags are adjusted as the kernel would) */
	const struct mac *from; /* Ethernet source; NULL: ours */
};

#define EMIT_L4_MAX 60
#define EMIT_IOV_MAX 32

/* One packet (or super-segment): l4 is the transport header, data follows. 0 or -errno; losses are
 * counted. UDP without a checksum is never sent. */
int emit_packet(struct emit *x, const struct emit_ip *h, const void *l4, size_t l4_len,
		const struct iovec *data, int n_data);
/* ICMP error about the packet `cause` (an IP packet of the container, headers and some payload):
 * type and code of its family; info is the second word (MTU, pointer). Source: `from`, family 0:
 * the gateway. Limited in rate (RFC 1812 4.3.2.8, RFC 4443 2.4 (f)); never about an ICMP error, a
 * fragment other than the first, or a broadcast (RFC 1122 3.2.2). */
int emit_icmp_error(struct emit *x, const struct ip *from, uint8_t type, uint8_t code,
		    uint32_t info, const uint8_t *cause, size_t cause_len, uint64_t now);
/* A frame that is no IP packet (ARP): ethertype in host order. */
int emit_frame(struct emit *x, const struct mac *dst, uint16_t ethertype, const void *data,
	       size_t len);
/* The MAC of ip as learned, else of the guest, else of who sent last, else broadcast. */
struct mac emit_mac_of(const struct emit *x, const struct ip *ip);

#endif
