/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cksum: the Internet checksum (RFC 1071), 64 bits at a time. Pure. */
#ifndef SLIRP_WIRE_CKSUM_H
#define SLIRP_WIRE_CKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Goes on with sum (0 at first) over len bytes; every part but the last has an even length. */
uint32_t cksum_add(uint32_t sum, const void *p, size_t len);
/* The same over iovecs, whose lengths may be odd. */
uint32_t cksum_add_iov(uint32_t sum, const struct iovec *iov, int n);
uint16_t cksum_fold(uint32_t sum); /* one's complement, host order value to be put by out_u16 */
uint16_t cksum_fold_partial(uint32_t sum); /* folded, not complemented (for offload) */

#endif
