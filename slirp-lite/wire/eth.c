/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * eth: the fourteen bytes in front of every frame. Knows nothing of what is behind them.
 * IEEE 802.3 3.2, RFC 894, RFC 2464.
 */
#include "wire/eth.h"

#include <string.h>

#include "wire/bytes.h"

const struct mac eth_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

bool eth_is_group(const struct mac *m)
{
	return m->b[0] & 1;
}

bool eth_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int eth_parse(const uint8_t *p, size_t len, struct eth_frame *ret)
{
	struct bytes b = bytes_of(p, len);
	struct eth_frame f = {0};

	bytes_copy(&b, f.dst.b, sizeof(f.dst.b));
	bytes_copy(&b, f.src.b, sizeof(f.src.b));
	f.type = bytes_u16(&b);
	if (b.is_short || eth_is_group(&f.src))
		return -1;
	f.payload = b.p;
	f.len = b.len;
	*ret = f;
	return 0;
}

void eth_build(uint8_t *out, const struct mac *dst, const struct mac *src, uint16_t type)
{
	struct out o = out_of(out, ETH_HDR_LEN);

	out_copy(&o, dst->b, sizeof(dst->b));
	out_copy(&o, src->b, sizeof(src->b));
	out_u16(&o, type);
}

struct mac eth_of_group(const struct ip *ip)
{
	if (ip->family == AF_INET6)
		return (struct mac){{0x33, 0x33, ip->b[12], ip->b[13], ip->b[14], ip->b[15]}};
	return (struct mac){{0x01, 0x00, 0x5e, ip->b[1] & 0x7f, ip->b[2], ip->b[3]}};
}
