/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slirp_blast SECONDS FRAMES SEED OUR-MAC GATEWAY-MAC: what a hostile root in a container may write
 * into its tap0: well-formed frames with wild fields, mutations of them, and noise; plain and with
 * an offload header. For so many seconds, and longer where fewer than FRAMES were sent. The same
 * seed, the same frames. Prints how many.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANY(r, list) (list)[below(r, sizeof(list) / sizeof((list)[0]))]
enum { ROOM = 4096, BATCH = 64, VNET_LEN = 10 };

struct bytes {
	size_t len;
	uint8_t at[ROOM];
};

/* splitmix64. */
static uint64_t next(uint64_t *r)
{
	uint64_t z = *r += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(uint64_t *r, uint32_t n)
{
	return (uint32_t)((next(r) >> 32) * n >> 32);
}

static bool chance(uint64_t *r, uint32_t percent)
{
	return below(r, 100) < percent;
}

static void put(struct bytes *b, const void *data, size_t len)
{
	if (len > ROOM - b->len)
		abort(); /* the sizes below are ours: a mistake of this program */
	memcpy(b->at + b->len, data, len);
	b->len += len;
}

static void put8(struct bytes *b, uint32_t v)
{
	put(b, &(uint8_t){(uint8_t)v}, 1);
}

static void put16(struct bytes *b, uint32_t v)
{
	put(b, &(uint16_t){htons((uint16_t)v)}, 2);
}

static void put32(struct bytes *b, uint32_t v)
{
	put(b, &(uint32_t){htonl(v)}, 4);
}

static void put_noise(struct bytes *b, uint64_t *r, size_t len)
{
	for (; len >= 8; len -= 8)
		put(b, &(uint64_t){next(r)}, 8);
	put(b, &(uint64_t){next(r)}, len);
}

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (; len >= 2; p += 2, len -= 2)
		sum += (uint32_t)(p[0] << 8 | p[1]);
	return len ? sum + (uint32_t)(p[0] << 8) : sum;
}

static void set_checksum(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

static void put_wild4(struct bytes *b, uint64_t *r)
{
	static const uint32_t wild[] = {
		0x7f000001, 0x7f050505, 0,          0xffffffff, 0xe0000001, 0xf0010101, 0x0a000202,
		0x0a000203, 0x0a000264, 0x0a0002ff, 0x0a00024d, 0xc6336402, 0xc6336401, 0xcb007102,
	};

	put32(b, ANY(r, wild));
}

static void put_addr6(struct bytes *b, const char *text)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, text, &a) != 1)
		abort();
	put(b, &a, sizeof(a));
}

static void put_wild6(struct bytes *b, uint64_t *r)
{
	static const char *const wild[] = {
		"::",
		"::1",
		"::ffff:127.0.0.1",
		"::127.0.0.1",
		"fe80::1",
		"ff02::1",
		"ff02::2",
		"fd00::2",
		"fd00::3",
		"fd00::100",
		"2001:db8:1::2",
		"2001:db8:1::1",
		"64:ff9b::7f00:1",
	};

	put_addr6(b, ANY(r, wild));
}

static uint32_t port(uint64_t *r)
{
	static const uint16_t some[] = {0, 1, 53, 67, 547, 80, 5000, 7000, 65535};

	return chance(r, 10) ? below(r, 65536) : ANY(r, some);
}

static void put_tcp(struct bytes *b, uint64_t *r, size_t data)
{
	static const struct {
		uint8_t len, at[4];
	} options[] = {
		{0, {0}},          {4, {2, 4, 0, 0}}, {4, {2, 4, 255, 255}}, {4, {3, 3, 255, 0}},
		{4, {5, 2, 0, 0}}, {4, {1, 1, 1, 1}}};
	static const uint8_t flags[] = {2, 2, 2, 16, 18, 4, 1, 3, 0, 0xff, 0x18};
	static const uint16_t windows[] = {0, 1, 65535}, urgent[] = {0, 65535};
	uint32_t i = below(r, 7), words = i == 6 ? 2 : options[i].len / 4U;

	put16(b, port(r));
	put16(b, port(r));
	put32(b, (uint32_t)next(r));
	put32(b, (uint32_t)next(r));
	put8(b, (5 + words) << 4);
	put8(b, chance(r, 8) ? below(r, 256) : ANY(r, flags));
	put16(b, ANY(r, windows));
	put16(b, 0);
	put16(b, ANY(r, urgent));
	if (i == 6)
		put_noise(b, r, 8);
	else
		put(b, options[i].at, options[i].len);
	put_noise(b, r, data);
}

static void put_icmp(struct bytes *b, uint64_t *r, size_t data)
{
	static const uint8_t kinds[] = {8, 128, 3, 11, 5, 1, 2, 133, 134, 135, 136, 137, 130, 143},
			     codes[] = {0, 1, 4, 255};

	put8(b, chance(r, 7) ? below(r, 256) : ANY(r, kinds));
	put8(b, ANY(r, codes));
	put16(b, 0);
	put32(b, (uint32_t)next(r));
	put_noise(b, r, data);
}

/* What is in an IP packet, with a right checksum over it and the addresses given (none for ICMP);
 * its protocol. */
static uint32_t put_l4(struct bytes *b, uint64_t *r, const struct bytes *addresses)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 1, 58};
	static const uint16_t sizes[] = {0, 0, 1, 8, 100, 1400};
	uint32_t proto = chance(r, 14) ? below(r, 256) : ANY(r, protos), sum;
	size_t data = ANY(r, sizes), start = b->len, at = proto == 6 ? 16 : proto == 17 ? 6 : 2;

	if (proto == 6) {
		put_tcp(b, r, data);
	} else if (proto == 17) {
		put16(b, port(r));
		put16(b, port(r));
		put16(b, (uint32_t)(8 + data));
		put16(b, 0);
		put_noise(b, r, data);
	} else {
		put_icmp(b, r, data);
	}
	sum = proto == 1 ? 0
			 : sum16(addresses->at, addresses->len, proto + (uint32_t)(b->len - start));
	set_checksum(b->at + start + at, sum16(b->at + start, b->len - start, sum));
	return proto;
}

static void put_ip4(struct bytes *b, uint64_t *r)
{
	static const uint16_t frags[] = {0, 0, 0, 0x4000, 0x2000, 0x1fff};
	static const uint8_t ttls[] = {64, 1, 0, 255};
	static const struct {
		uint8_t len, at[8];
	} options[] = {
		{0, {0}}, {0, {0}}, {8, {0x83, 7, 4, 127, 0, 0, 1, 0}}, {4, {0x44, 4, 0, 0}}};
	struct bytes addresses, l4;
	uint32_t i = below(r, 5), len = i == 4 ? 8 : options[i].len, proto;
	size_t start = b->len;

	addresses.len = l4.len = 0;
	if (chance(r, 50))
		put32(&addresses, 0x0a000264);
	else
		put_wild4(&addresses, r);
	put_wild4(&addresses, r);
	proto = put_l4(&l4, r, &addresses);
	put8(b, 0x40 | (5 + len / 4));
	put8(b, 0);
	put16(b, (uint32_t)(20 + len + l4.len));
	put16(b, (uint32_t)next(r));
	put16(b, chance(r, 14) ? below(r, 65536) : ANY(r, frags));
	put8(b, ANY(r, ttls));
	put8(b, proto);
	put16(b, 0);
	put(b, addresses.at, addresses.len);
	if (i == 4)
		put_noise(b, r, 8);
	else
		put(b, options[i].at, len);
	set_checksum(b->at + start + 10, sum16(b->at + start, 20 + len, 0));
	put(b, l4.at, l4.len);
}

/* An extension header of kind `kind` before what is of kind `next_header`. */
static void put_extension(struct bytes *b, uint64_t *r, uint32_t kind, uint32_t next_header)
{
	static const uint16_t offsets[] = {0, 1, 8, 0xfff9};

	put8(b, next_header);
	if (kind == 44) {
		put8(b, 0);
		put16(b, ANY(r, offsets));
		put32(b, (uint32_t)next(r));
	} else if (kind == 51) {
		put8(b, chance(r, 50) ? 1 : 4);
		put_noise(b, r, 14);
	} else {
		put8(b, 0);
		put_noise(b, r, 6);
	}
}

static void put_ip6(struct bytes *b, uint64_t *r)
{
	static const uint8_t counts[] = {0, 0, 1, 2, 9}, kinds[] = {0, 43, 44, 60, 51, 59},
			     hops[] = {64, 1, 0, 255};
	struct bytes addresses, l4, extensions;
	uint32_t chain[10], n = ANY(r, counts), i;

	addresses.len = l4.len = extensions.len = 0;
	if (chance(r, 50))
		put_addr6(&addresses, "fd00::100");
	else
		put_wild6(&addresses, r);
	put_wild6(&addresses, r);
	chain[n] = put_l4(&l4, r, &addresses);
	for (i = 0; i < n; i++)
		chain[i] = ANY(r, kinds);
	for (i = 0; i < n; i++)
		put_extension(&extensions, r, chain[i], chain[i + 1]);
	put32(b, 6U << 28 | below(r, 1 << 20));
	put16(b, (uint32_t)(extensions.len + l4.len));
	put8(b, chain[0]);
	put8(b, ANY(r, hops));
	put(b, addresses.at, addresses.len);
	put(b, extensions.at, extensions.len);
	put(b, l4.at, l4.len);
}

static void put_eth(struct bytes *b, uint64_t *r, const uint8_t *gateway, const uint8_t *our)
{
	static const uint8_t groups[2][6] = {{255, 255, 255, 255, 255, 255},
					     {0x33, 0x33, 0, 0, 0, 1}};
	uint32_t to = below(r, 6);

	if (to < 3)
		put(b, gateway, 6);
	else if (to < 5)
		put(b, groups[to - 3], 6);
	else
		put_noise(b, r, 6);
	if (chance(r, 75))
		put(b, our, 6);
	else
		put_noise(b, r, 6);
}

static void put_frame(struct bytes *b, uint64_t *r, const uint8_t *gateway, const uint8_t *our)
{
	static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0};
	uint32_t what = below(r, 100);

	put_eth(b, r, gateway, our);
	if (what < 5) {
		put16(b, 0x0806);
		if (chance(r, 50))
			put(b, arp, sizeof(arp));
		else
			put_noise(b, r, sizeof(arp));
		put_noise(b, r, below(r, 40));
	} else if (what < 8) {
		put_noise(b, r, 2 + below(r, 100));
	} else if (what < 55) {
		put16(b, 0x0800);
		put_ip4(b, r);
	} else {
		put16(b, 0x86dd);
		put_ip6(b, r);
	}
}

/* From byte `first` on: bytes changed, cut off or added. No shorter than an Ethernet header. */
static void mutate(struct bytes *b, uint64_t *r, size_t first)
{
	static const uint8_t times[] = {1, 2, 5}, values[] = {0, 1, 127, 128, 255},
			     more[] = {1, 7, 100};
	uint32_t n = ANY(r, times), what;

	while (n-- > 0 && b->len > first) {
		what = below(r, 10);
		if (what < 6)
			b->at[first + below(r, (uint32_t)(b->len - first))] =
				chance(r, 16) ? (uint8_t)below(r, 256) : ANY(r, values);
		else if (what < 8)
			b->len = first + below(r, (uint32_t)(b->len - first));
		else
			put_noise(b, r, ANY(r, more));
	}
	while (b->len < first + 14)
		put8(b, 0);
}

/* struct virtio_net_hdr, as wild as the rest. */
static void put_offload(struct bytes *b, uint64_t *r)
{
	static const uint8_t kinds[] = {0, 1, 3, 4, 5, 0x81, 255};
	static const uint16_t starts[] = {0, 14, 34, 54, 65535},
			      sizes[] = {0, 1, 2, 100, 1400, 65535}, offsets[] = {0, 6, 16, 65535};
	const uint16_t fields[] = {ANY(r, starts), ANY(r, sizes), ANY(r, starts), ANY(r, offsets)};

	put8(b, below(r, 4));
	put8(b, ANY(r, kinds));
	put(b, fields, sizeof(fields));
}

static int tap(bool with_offload)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex("tap0")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    (with_offload &&
	     setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &(int){1}, sizeof(int)) < 0) ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("slirp_blast: tap0");
		exit(1);
	}
	return fd;
}

/* Sends what is there; a frame that the kernel refuses is passed over. How many went out. */
static uint32_t send_all(int fd, const struct bytes *frames, uint32_t n)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	uint32_t i, at = 0, sent = 0;

	for (i = 0; i < n; i++) {
		parts[i] = (struct iovec){(void *)frames[i].at, frames[i].len};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	while (at < n) {
		int done = sendmmsg(fd, messages + at, n - at, 0);

		sent += done > 0 ? (uint32_t)done : 0;
		at += done > 0 ? (uint32_t)done : 1;
	}
	return sent;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void parse_mac(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		   &mac[4], &mac[5]) != 6) {
		fprintf(stderr, "slirp_blast: no MAC: %s\n", text);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct bytes frames[2][BATCH]; /* plain; with an offload header */
	uint64_t r, sent = 0, made = 0, least;
	uint8_t our[6], gateway[6];
	int fds[2] = {tap(false), tap(true)};
	uint32_t n[2] = {0, 0};
	double end;

	if (argc != 6)
		return 2;
	end = now() + atof(argv[1]);
	least = strtoull(argv[2], NULL, 10);
	r = strtoull(argv[3], NULL, 10);
	parse_mac(argv[4], our);
	parse_mac(argv[5], gateway);
	while (sent < least || now() < end) {
		for (uint32_t i = 0; i < BATCH; i++, made++) {
			bool with_offload = chance(&r, 30);
			struct bytes *b = &frames[with_offload][n[with_offload]++];

			b->len = 0;
			if (with_offload)
				put_offload(b, &r);
			put_frame(b, &r, gateway, our);
			if (chance(&r, 40))
				mutate(b, &r, with_offload ? VNET_LEN : 0);
		}
		for (int i = 0; i < 2; i++) {
			sent += send_all(fds[i], frames[i], n[i]);
			n[i] = 0;
		}
	}
	printf("%" PRIu64 " frames %" PRIu64 " refused\n", sent, made - sent);
	return 0;
}
