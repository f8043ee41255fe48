/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * siphash: SipHash-2-4, a keyed hash of short inputs: who does not know the key can neither aim at
 * one bucket of a table nor foretell a sequence number. Pure. Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF" (2012).
 */
#ifndef SLIRP_FLOW_SIPHASH_H
#define SLIRP_FLOW_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint8_t b[16];
};

uint64_t siphash(const struct siphash_key *k, const void *p, size_t len);

#endif
