/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame: see the header. RFC 826, RFC 791, RFC 8200, RFC 768, RFC 4443, RFC 1071 for the checksum.
 */
#include "frame.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

static void put8(struct frame *f, unsigned int v)
{
	uint8_t b = (uint8_t)v;

	frame_bytes(f, &b, 1);
}

static void put16(struct frame *f, unsigned int v)
{
	put8(f, v >> 8);
	put8(f, v & 0xff);
}

void frame_bytes(struct frame *f, const void *p, size_t len)
{
	assert(f->len + len <= sizeof(f->b));
	if (len)
		memcpy(f->b + f->len, p, len);
	f->len += len;
}

void frame_eth(struct frame *f, const struct mac *dst, const struct mac *src, uint16_t type)
{
	f->len = 0;
	frame_bytes(f, dst->b, 6);
	frame_bytes(f, src->b, 6);
	put16(f, type);
}

void frame_vlan(struct frame *f, const struct mac *dst, const struct mac *src, uint16_t tpid,
		uint16_t vid, uint16_t type)
{
	frame_eth(f, dst, src, tpid);
	put16(f, vid);
	put16(f, type);
}

void frame_arp(struct frame *f, uint16_t htype, uint16_t op, const struct mac *sha,
	       const struct ip *spa, const struct ip *tpa)
{
	put16(f, htype);
	put16(f, 0x0800);
	put8(f, 6);
	put8(f, 4);
	put16(f, op);
	frame_bytes(f, sha->b, 6);
	frame_bytes(f, spa->b, 4);
	frame_bytes(f, (uint8_t[6]){0}, 6);
	frame_bytes(f, tpa->b, 4);
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return s;
}

static void store_sum(uint8_t *at, uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	s = ~s & 0xffff;
	at[0] = (uint8_t)(s >> 8);
	at[1] = (uint8_t)s;
}

/* The network header for len bytes to come. */
static void put_ip(struct frame *f, const struct ip *src, const struct ip *dst, uint8_t next,
		   size_t len)
{
	size_t at = f->len;

	if (src->family == AF_INET) {
		put16(f, 0x4500);
		put16(f, (unsigned int)(20 + len));
		put16(f, 0);
		put16(f, 0);
		put8(f, 64);
		put8(f, next);
		put16(f, 0);
		frame_bytes(f, src->b, 4);
		frame_bytes(f, dst->b, 4);
		store_sum(f->b + at + 10, sum(f->b + at, 20, 0));
		return;
	}
	put16(f, 0x6000);
	put16(f, 0);
	put16(f, (unsigned int)len);
	put8(f, next);
	put8(f, 255);
	frame_bytes(f, src->b, 16);
	frame_bytes(f, dst->b, 16);
}

static uint32_t pseudo(const struct ip *src, const struct ip *dst, uint8_t proto, size_t len)
{
	return sum(src->b, ip_size(src), sum(dst->b, ip_size(dst), (uint32_t)(proto + len)));
}

void frame_udp(struct frame *f, const struct ip *src, const struct ip *dst, uint16_t sport,
	       uint16_t dport, const void *payload, size_t len)
{
	size_t at;

	put_ip(f, src, dst, IPPROTO_UDP, 8 + len);
	at = f->len;
	put16(f, sport);
	put16(f, dport);
	put16(f, (unsigned int)(8 + len));
	put16(f, 0);
	frame_bytes(f, payload, len);
	store_sum(f->b + at + 6, sum(f->b + at, 8 + len, pseudo(src, dst, IPPROTO_UDP, 8 + len)));
}

static void put_icmp(struct frame *f, const struct ip *src, const struct ip *dst, uint8_t type,
		     uint8_t code, const void *rest, size_t len)
{
	size_t at = f->len;
	uint32_t s = 0;

	put8(f, type);
	put8(f, code);
	put16(f, 0);
	frame_bytes(f, rest, len);
	if (src->family == AF_INET6)
		s = pseudo(src, dst, IPPROTO_ICMPV6, 4 + len);
	store_sum(f->b + at + 2, sum(f->b + at, 4 + len, s));
}

void frame_icmp(struct frame *f, const struct ip *src, const struct ip *dst, uint8_t type,
		uint8_t code, const void *rest, size_t len)
{
	put_ip(f, src, dst, src->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, 4 + len);
	put_icmp(f, src, dst, type, code, rest, len);
}

void frame_icmp_fragment(struct frame *f, const struct ip *src, const struct ip *dst, uint8_t type,
			 const void *rest, size_t len)
{
	put_ip(f, src, dst, IPPROTO_FRAGMENT, 8 + 4 + len);
	put8(f, IPPROTO_ICMPV6);
	put8(f, 0);
	put16(f, 1); /* offset 0, more fragments */
	put16(f, 0);
	put16(f, 42);
	put_icmp(f, src, dst, type, 0, rest, len);
}
