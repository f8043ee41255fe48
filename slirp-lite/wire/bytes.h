/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bytes: the only way in which bytes of the network are read: a cursor over a pointer and a length.
 * A read past the end sets is_short and gives zero, so a parser may read a whole header and check
 * once. Writers fill a bounded buffer in the same way.
 */
#ifndef SLIRP_WIRE_BYTES_H
#define SLIRP_WIRE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *p;
	size_t len; /* left */
	bool is_short;
};

static inline struct bytes bytes_of(const void *p, size_t len)
{
	return (struct bytes){.p = p, .len = len};
}

static inline const uint8_t *bytes_take(struct bytes *b, size_t n)
{
	const uint8_t *p = b->p;

	if (n > b->len) {
		b->is_short = true;
		b->len = 0;
		return NULL;
	}
	b->p += n;
	b->len -= n;
	return p;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 1);

	return p ? p[0] : 0;
}

static inline uint16_t bytes_u16(struct bytes *b) /* network order on the wire */
{
	const uint8_t *p = bytes_take(b, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t bytes_u32(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline bool bytes_copy(struct bytes *b, void *to, size_t n)
{
	const uint8_t *p = bytes_take(b, n);

	if (!p)
		return false;
	memcpy(to, p, n);
	return true;
}

struct out {
	uint8_t *p;
	size_t len, size;
	bool is_full;
};

static inline struct out out_of(void *p, size_t size)
{
	return (struct out){.p = p, .size = size};
}

static inline void out_copy(struct out *o, const void *from, size_t n)
{
	if (n > o->size - o->len) {
		o->is_full = true;
		return;
	}
	memcpy(o->p + o->len, from, n);
	o->len += n;
}

static inline void out_u8(struct out *o, uint8_t v)
{
	out_copy(o, &v, 1);
}

static inline void out_u16(struct out *o, uint16_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	out_copy(o, b, 2);
}

static inline void out_u32(struct out *o, uint32_t v)
{
	const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			      (uint8_t)v};

	out_copy(o, b, 4);
}

#endif
