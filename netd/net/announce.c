/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * announce: two frames. They are needed only where an address gets a MAC address that does not
 * follow from it, for otherwise whoever had the address before had the same one and no cache is
 * stale. They leave by the bridge, as if it had forwarded them: the container need not be entered,
 * and the guard of its port is not asked.
 */
#include "net/announce.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

#define ETH_LEN 14
#define ARP_LEN 28
#define IP6_LEN 40
#define NA_LEN 32 /* header, target, target link-layer address option */
#define FRAME_MAX (ETH_LEN + IP6_LEN + NA_LEN)

static size_t put(uint8_t *f, size_t at, const void *data, size_t len)
{
	memcpy(f + at, data, len);
	return at + len;
}

static size_t put16(uint8_t *f, size_t at, unsigned v)
{
	f[at] = (uint8_t)(v >> 8);
	f[at + 1] = (uint8_t)v;
	return at + 2;
}

static size_t put_eth(uint8_t *f, const uint8_t dst[6], const struct mac *src, unsigned type)
{
	size_t at = put(f, 0, dst, 6);

	at = put(f, at, src->b, 6);
	return put16(f, at, type);
}

/* RFC 826: a request whose sender and target protocol addresses are equal. */
static size_t arp_frame(uint8_t *f, const struct ip *ip, const struct mac *mac)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
	size_t at = put_eth(f, all, mac, ETHERTYPE_ARP);

	at = put16(f, at, 1); /* hardware: Ethernet */
	at = put16(f, at, ETHERTYPE_IP);
	at = put16(f, at, 6 << 8 | 4); /* address lengths */
	at = put16(f, at, 1);          /* request */
	at = put(f, at, mac->b, 6);
	at = put(f, at, ip->b, 4);
	at = put(f, at, none, 6);
	return put(f, at, ip->b, 4);
}

/* RFC 8200 section 8.1: over the pseudo header and the message. */
static unsigned checksum6(const uint8_t *ip6, const uint8_t *msg, size_t len)
{
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	for (size_t i = 8; i < IP6_LEN; i += 2)
		sum += (uint32_t)(ip6[i] << 8 | ip6[i + 1]);
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(msg[i] << 8 | msg[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static size_t na_frame(uint8_t *f, const struct ip *ip, const struct mac *mac)
{
	static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t head[6] = {0x60};
	static const uint8_t na[8] = {136, 0, 0, 0, 0x20}; /* override */
	size_t ip6 = put_eth(f, group, mac, ETHERTYPE_IPV6), at = put(f, ip6, head, 4);

	at = put16(f, at, NA_LEN);
	at = put16(f, at, IPPROTO_ICMPV6 << 8 | 255); /* hop limit: RFC 4861 section 7.1.2 */
	at = put(f, at, ip->b, 16);
	at = put(f, at, all_nodes, 16);
	size_t msg = at;
	at = put(f, at, na, 8);
	at = put(f, at, ip->b, 16);
	at = put16(f, at, 2 << 8 | 1); /* target link-layer address, one unit of 8 bytes */
	at = put(f, at, mac->b, 6);
	put16(f, msg + 2, checksum6(f + ip6, f + msg, NA_LEN));
	return at;
}

static int send_frame(int fd, uint32_t bridge, const uint8_t *f, size_t len, struct err *e)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)bridge, .sll_halen = 6};

	memcpy(to.sll_addr, f, 6);
	if (sendto(fd, f, len, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return err_sys(e, errno, "announcing an address");
	return 0;
}

int announce_send(uint32_t bridge, const struct ip addr[N_FAM], const struct mac *mac,
		  struct err *e)
{
	uint8_t frame[FRAME_MAX] = {0};
	CLEAN_FD int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return err_sys(e, errno, "packet socket");
	if (addr[FAM4].family)
		r = send_frame(fd, bridge, frame, arp_frame(frame, &addr[FAM4], mac), e);
	if (r == 0 && addr[FAM6].family)
		r = send_frame(fd, bridge, frame, na_frame(frame, &addr[FAM6], mac), e);
	return r;
}
