/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dnsaddr: the addresses that an answer gives for the name that was asked for: those of the name at
 * the end of its chain of aliases, with the least of the times to live on the way (RFC 1034 3.6.2,
 * 5.2.2, RFC 2181 8). Only the answer section is read. Pure.
 */
#ifndef SLIRP_WIRE_DNSADDR_H
#define SLIRP_WIRE_DNSADDR_H

#include <stddef.h>
#include <stdint.h>

#include "model/addr.h"
#include "wire/dns.h"

#define DNSADDR_MAX 64      /* addresses of one answer; more are left out */
#define DNSADDR_RECORDS 256 /* records of one answer that are looked at */
#define DNSADDR_ALIASES 16

struct dnsaddr {
	char name[DNS_NAME_MAX]; /* that was asked for: lower case, no dot at the end */
	size_t n;
	struct ip ip[DNSADDR_MAX];
	uint32_t ttl_s[DNSADDR_MAX];
};

/* 0, with none where the answer has none; -1: it is no good answer to one question, it is
 * malformed, or the name has other characters than letters, digits, `-` and `_`. */
int dnsaddr_read(const uint8_t *message, size_t len, struct dnsaddr *ret);

#endif
