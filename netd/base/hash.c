/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash: values that are written to disk and into interface names, so these functions never change.
 * FNV-1a as in RFC 9923, finished by the 64-bit avalanche step that spreads the last bytes over all
 * bits; CRC-32C as in RFC 3720 (reflected polynomial 0x82f63b78), four bits a step, or eight bytes
 * where the text is long enough to pay for the tables.
 */
#include "base/hash.h"

uint64_t hash64(const void *data, size_t len, uint64_t seed)
{
	const uint8_t *p = data;
	uint64_t h = 0xcbf29ce484222325u ^ seed;

	for (size_t i = 0; i < len; i++) {
		h ^= p[i];
		h *= 0x100000001b3u;
	}
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53u;
	h ^= h >> 33;
	return h;
}

#define LONG_BYTES 8192

/* Entry i: the register after shifting the four bits of i through it. */
static const uint32_t nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t shift_byte(uint32_t crc)
{
	crc = (crc >> 4) ^ nibble[crc & 15];
	return (crc >> 4) ^ nibble[crc & 15];
}

/* Takes whole groups of eight bytes; the number of bytes taken. */
static size_t crc_groups(const uint8_t *p, size_t len, uint32_t *crc)
{
	/* table[k][b]: the register after b and k bytes of zero. */
	static uint32_t table[8][256];
	size_t at = 0;

	for (unsigned int b = 0; table[0][255] == 0 && b < 256; b++) {
		uint32_t r = b;

		for (int k = 0; k < 8; k++)
			table[k][b] = r = shift_byte(r);
	}
	for (; len - at >= 8; at += 8) {
		const uint8_t *q = p + at;
		uint32_t c = *crc;

		*crc = table[7][(c & 255) ^ q[0]] ^ table[6][((c >> 8) & 255) ^ q[1]] ^
		       table[5][((c >> 16) & 255) ^ q[2]] ^ table[4][(c >> 24) ^ q[3]] ^
		       table[3][q[4]] ^ table[2][q[5]] ^ table[1][q[6]] ^ table[0][q[7]];
	}
	return at;
}

uint32_t crc32c(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = 0xffffffff;
	size_t at = len >= LONG_BYTES ? crc_groups(p, len, &crc) : 0;

	for (; at < len; at++)
		crc = shift_byte(crc ^ p[at]);
	return ~crc;
}
