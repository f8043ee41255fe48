/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash: a stable 64-bit hash for names (FNV-1a with a final avalanche; not for secrets) and
 * CRC-32C. */
#ifndef NETD_BASE_HASH_H
#define NETD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *data, size_t len, uint64_t seed);
uint32_t crc32c(const void *data, size_t len); /* RFC 3720 appendix B.4 */

#endif
