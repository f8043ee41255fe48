/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cksum: one's complement sums. The sum of 16-bit words does not depend on byte order (RFC 1071 2),
 * so bytes are added as the machine loads them, 32 bits into 64-bit lanes, and only the folded
 * result is turned. Nothing here offloads; it is the path for links that cannot. RFC 1071, RFC
 * 1624.
 */
#include "wire/cksum.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

/* Two lanes, as wide as the smallest vector unit of the machines this runs on. */
typedef uint64_t lanes __attribute__((vector_size(16)));

#define BLOCK (4 * sizeof(lanes))

static inline lanes lanes_load(const uint8_t *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* A lane takes halves of 32 bits: 2^32 of them fit, which no length here comes near. Written out:
 * the lanes stay in registers, and two chains of additions run side by side. */
static uint64_t add_blocks(const uint8_t *p, size_t n_blocks)
{
	const lanes low = {UINT32_MAX, UINT32_MAX};
	lanes a = {0}, b = {0}, c = {0}, d = {0};

	for (; n_blocks > 0; n_blocks--, p += BLOCK) {
		lanes v0 = lanes_load(p), v1 = lanes_load(p + sizeof(lanes));
		lanes v2 = lanes_load(p + 2 * sizeof(lanes)),
		      v3 = lanes_load(p + 3 * sizeof(lanes));

		a += (v0 & low) + (v1 & low);
		b += (v0 >> 32) + (v1 >> 32);
		c += (v2 & low) + (v3 & low);
		d += (v2 >> 32) + (v3 >> 32);
	}
	a += b + c + d;
	/* Folded once before they meet: their sum may not fit otherwise. */
	return (a[0] & UINT32_MAX) + (a[0] >> 32) + (a[1] & UINT32_MAX) + (a[1] >> 32);
}

static uint16_t fold64(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

/* The folded sum of len bytes in network order; an odd last byte is the high half of a word. */
static uint16_t sum_bytes(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint32_t w;
	uint16_t h = 0;

	if (len >= BLOCK) {
		size_t n = len / BLOCK;

		sum = add_blocks(p, n);
		sum = (sum & UINT32_MAX) + (sum >> 32);
		p += n * BLOCK;
		len -= n * BLOCK;
	}
	for (; len >= sizeof(w); len -= sizeof(w), p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		sum += w;
	}
	if (len >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		sum += h;
		len -= sizeof(h);
		p += sizeof(h);
	}
	if (len > 0) {
		h = 0;
		memcpy(&h, p, 1);
		sum += h;
	}
	return be16toh(fold64(sum));
}

static uint32_t add_carry(uint32_t sum, uint32_t n)
{
	uint32_t r = sum + n;

	return r + (r < n);
}

uint32_t cksum_add(uint32_t sum, const void *p, size_t len)
{
	return len > 0 ? add_carry(sum, sum_bytes(p, len)) : sum;
}

uint32_t cksum_add_iov(uint32_t sum, const struct iovec *iov, int n)
{
	bool is_odd = false;

	for (int i = 0; i < n; i++) {
		uint16_t part = 0;

		if (iov[i].iov_len > 0)
			part = sum_bytes(iov[i].iov_base, iov[i].iov_len);
		/* What begins in the middle of a word has its bytes in the other halves. */
		if (is_odd)
			part = (uint16_t)(part << 8 | part >> 8);
		is_odd ^= iov[i].iov_len & 1;
		sum = add_carry(sum, part);
	}
	return sum;
}

uint16_t cksum_fold_partial(uint32_t sum)
{
	return fold64(sum);
}

uint16_t cksum_fold(uint32_t sum)
{
	return (uint16_t)~fold64(sum);
}
