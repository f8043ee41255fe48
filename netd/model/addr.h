/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: IP addresses, prefixes and MAC addresses as plain values, their text forms (RFC 4291,
 * RFC 5952) and the arithmetic on them. No I/O. An IPv4-mapped IPv6 text is refused by the parsers.
 */
#ifndef NETD_MODEL_ADDR_H
#define NETD_MODEL_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/* Index of per-family arrays: [FAM4] and [FAM6]. */
enum { FAM4, FAM6, N_FAM };

struct ip {
	uint8_t family; /* AF_INET, AF_INET6, or 0: none */
	uint8_t b[16];  /* network order; 4 or 16 bytes used, the rest 0 */
};

struct prefix {
	struct ip ip;
	uint8_t len;
};

struct mac {
	uint8_t b[6];
};

#define IP_STRLEN 46
#define PREFIX_STRLEN 50
#define MAC_STRLEN 18

/* Parsers: 0 or -EINVAL with ERR_USAGE naming the text. ip_parse takes both families. */
int ip_parse(const char *s, struct ip *ret, struct err *e);
int prefix_parse(const char *s, struct prefix *ret,
		 struct err *e);                              /* ADDR/LEN; host bits allowed */
int mac_parse(const char *s, struct mac *ret, struct err *e); /* unicast, not all zero */

/* Printers write into the caller's array and return it. */
const char *ip_str(const struct ip *ip, char out[IP_STRLEN]);
const char *prefix_str(const struct prefix *p, char out[PREFIX_STRLEN]);
const char *mac_str(const struct mac *m, char out[MAC_STRLEN]);

size_t ip_size(const struct ip *ip); /* 4, 16, or 0 for none */
int ip_fam(const struct ip *ip);     /* FAM4 or FAM6 */
bool ip_equal(const struct ip *a, const struct ip *b);
int ip_cmp(const struct ip *a, const struct ip *b);
bool ip_is_any(const struct ip *ip); /* 0.0.0.0 or :: */
bool ip_is_loopback(const struct ip *ip);
bool ip_is_multicast(const struct ip *ip);
bool ip_is_link_local(const struct ip *ip);

struct prefix prefix_network(const struct prefix *p); /* host bits cleared */
struct ip prefix_last(const struct prefix *p);        /* highest address of the prefix */
bool prefix_contains(const struct prefix *p, const struct ip *ip);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/* Number of addresses, saturated at UINT64_MAX. */
uint64_t prefix_size(const struct prefix *p);
/* network address + n; -ERANGE when outside the prefix. */
int prefix_nth(const struct prefix *p, uint64_t n, struct ip *ret);
/* ip - network address, saturated at UINT64_MAX; the caller has checked prefix_contains. */
uint64_t prefix_index(const struct prefix *p, const struct ip *ip);

/* Locally administered unicast MAC that depends on the address only, so that an address used again
 * by another container keeps its MAC and no neighbour cache goes stale. */
struct mac mac_from_ip(const struct ip *ip);
/* Modified EUI-64 link-local address of a MAC (RFC 4291 appendix A). */
struct ip ip_link_local_from_mac(const struct mac *m);
/* ff02::1:ffXX:XXXX of an IPv6 address (RFC 4291 2.7.1). */
struct ip ip_solicited_node(const struct ip *ip);

#endif
