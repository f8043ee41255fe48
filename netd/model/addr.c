/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: addresses as bytes in network order, and nothing else: no socket addresses, no scopes, no
 * names. Unused bytes of an IPv4 address stay 0, so that values compare as memory. Text forms: RFC
 * 4291 2.2 in, RFC 5952 out; IPv4-mapped texts are refused because one address would have two forms
 * that sets and maps of the kernel keep apart.
 */
#include "model/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/parse.h"

static bool is_mapped(const struct ip *ip)
{
	static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};

	return ip->family == AF_INET6 && memcmp(ip->b, head, sizeof(head)) == 0;
}

int ip_parse(const char *s, struct ip *ret, struct err *e)
{
	struct ip ip = {0};

	if (inet_pton(AF_INET, s, ip.b) == 1) {
		ip.family = AF_INET;
	} else if (inet_pton(AF_INET6, s, ip.b) == 1) {
		ip.family = AF_INET6;
		if (is_mapped(&ip))
			return err_invalid(e, ERR_USAGE,
					   "\"%s\" is an IPv4-mapped address: write it as IPv4", s);
	} else {
		return err_invalid(e, ERR_USAGE, "\"%.80s\" is not an IP address%s", s,
				   strchr(s, '/') ? " (it has no /LENGTH here)" : "");
	}
	*ret = ip;
	return 0;
}

int prefix_parse(const char *s, struct prefix *ret, struct err *e)
{
	const char *slash = strchr(s, '/');
	char text[IP_STRLEN];
	struct prefix p = {0};
	uint32_t len;
	int r;

	if (!slash || (size_t)(slash - s) >= sizeof(text))
		return err_invalid(e, ERR_USAGE, "\"%.80s\" is not of the form ADDRESS/LENGTH", s);
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	r = ip_parse(text, &p.ip, e);
	if (r < 0)
		return r;
	if (parse_u32(slash + 1, 0, p.ip.family == AF_INET ? 32 : 128, &len) < 0)
		return err_invalid(e, ERR_USAGE, "\"%.80s\": expected a prefix length 0..%d", s,
				   p.ip.family == AF_INET ? 32 : 128);
	p.len = (uint8_t)len;
	*ret = p;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *s, struct mac *ret, struct err *e)
{
	static const struct mac zero;
	struct mac m;

	if (strlen(s) != MAC_STRLEN - 1)
		goto malformed;
	for (size_t i = 0; i < sizeof(m.b); i++) {
		int hi = hex_digit(s[3 * i]), lo = hex_digit(s[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i + 1 < sizeof(m.b) && s[3 * i + 2] != ':'))
			goto malformed;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	if (m.b[0] & 1)
		return err_invalid(e, ERR_USAGE, "\"%s\" is a multicast MAC address", s);
	if (memcmp(&m, &zero, sizeof(m)) == 0)
		return err_invalid(e, ERR_USAGE, "\"%s\" is the all-zero MAC address", s);
	*ret = m;
	return 0;
malformed:
	return err_invalid(e, ERR_USAGE, "\"%.80s\" is not a MAC address (aa:bb:cc:dd:ee:ff)", s);
}

/* Addresses are printed dozens of times for each attachment: by hand, a tenth of printf's work. */
static const char digits[] = "0123456789abcdef";

/* At most 255. The end of what is written. */
static char *put_decimal(char *at, unsigned int v)
{
	if (v >= 100)
		*at++ = digits[v / 100];
	if (v >= 10)
		*at++ = digits[v / 10 % 10];
	*at++ = digits[v % 10];
	return at;
}

/* At most 0xffff, without leading zeroes. */
static char *put_hex(char *at, unsigned int v)
{
	for (int shift = 12; shift > 0; shift -= 4)
		if (v >> shift)
			*at++ = digits[v >> shift & 15];
	*at++ = digits[v & 15];
	return at;
}

static char *put_ip4(const uint8_t b[4], char *at)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_decimal(at, b[i]);
	}
	return at;
}

/* RFC 5952 section 4: the longest run of two or more zero groups, the first of equals, is "::". */
static char *put_ip6(const uint8_t b[16], char *at)
{
	int best = -1, best_len = 1;

	for (int i = 0; i < 8; i++) {
		int len = 0;

		while (i + len < 8 && b[2 * (i + len)] == 0 && b[2 * (i + len) + 1] == 0)
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
		if (len > 0)
			i += len - 1;
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			*at++ = ':';
			*at++ = ':';
			i += best_len - 1;
			continue;
		}
		if (i != 0 && i != best + best_len)
			*at++ = ':';
		at = put_hex(at, (unsigned int)b[2 * i] << 8 | b[2 * i + 1]);
	}
	return at;
}

static char *put_ip(const struct ip *ip, char *at)
{
	if (ip->family == AF_INET)
		return put_ip4(ip->b, at);
	return ip->family == AF_INET6 ? put_ip6(ip->b, at) : at;
}

const char *ip_str(const struct ip *ip, char out[IP_STRLEN])
{
	*put_ip(ip, out) = '\0';
	return out;
}

const char *prefix_str(const struct prefix *p, char out[PREFIX_STRLEN])
{
	char *at = out;

	if (p->ip.family != 0) {
		at = put_ip(&p->ip, at);
		*at++ = '/';
		at = put_decimal(at, p->len);
	}
	*at = '\0';
	return out;
}

const char *mac_str(const struct mac *m, char out[MAC_STRLEN])
{
	for (size_t i = 0; i < sizeof(m->b); i++) {
		out[3 * i] = digits[m->b[i] >> 4];
		out[3 * i + 1] = digits[m->b[i] & 15];
		out[3 * i + 2] = i + 1 < sizeof(m->b) ? ':' : '\0';
	}
	return out;
}

size_t ip_size(const struct ip *ip)
{
	if (ip->family == AF_INET)
		return 4;
	return ip->family == AF_INET6 ? 16 : 0;
}

int ip_fam(const struct ip *ip)
{
	return ip->family == AF_INET6 ? FAM6 : FAM4;
}

int ip_cmp(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, ip_size(a));
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return ip_cmp(a, b) == 0;
}

bool ip_is_any(const struct ip *ip)
{
	static const uint8_t zero[16];

	return ip->family != 0 && memcmp(ip->b, zero, ip_size(ip)) == 0;
}

bool ip_is_loopback(const struct ip *ip)
{
	static const uint8_t one[16] = {[15] = 1};

	if (ip->family == AF_INET)
		return ip->b[0] == 127;
	return ip->family == AF_INET6 && memcmp(ip->b, one, 16) == 0;
}

bool ip_is_multicast(const struct ip *ip)
{
	if (ip->family == AF_INET)
		return (ip->b[0] & 0xf0) == 0xe0;
	return ip->family == AF_INET6 && ip->b[0] == 0xff;
}

bool ip_is_link_local(const struct ip *ip)
{
	if (ip->family == AF_INET)
		return ip->b[0] == 169 && ip->b[1] == 254;
	return ip->family == AF_INET6 && ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* The bits of byte i that belong to the host part of a prefix of len bits. */
static uint8_t host_bits(size_t i, uint8_t len)
{
	if (len >= 8 * (i + 1))
		return 0;
	if (len <= 8 * i)
		return 0xff;
	return (uint8_t)(0xff >> (len - 8 * i));
}

struct prefix prefix_network(const struct prefix *p)
{
	struct prefix r = *p;

	for (size_t i = 0; i < ip_size(&r.ip); i++)
		r.ip.b[i] &= (uint8_t)~host_bits(i, p->len);
	return r;
}

struct ip prefix_last(const struct prefix *p)
{
	struct ip r = p->ip;

	for (size_t i = 0; i < ip_size(&r); i++)
		r.b[i] |= host_bits(i, p->len);
	return r;
}

bool prefix_contains(const struct prefix *p, const struct ip *ip)
{
	if (p->ip.family != ip->family || ip->family == 0)
		return false;
	for (size_t i = 0; i < ip_size(ip); i++)
		if ((p->ip.b[i] ^ ip->b[i]) & (uint8_t)~host_bits(i, p->len))
			return false;
	return true;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->len <= b->len ? prefix_contains(a, &b->ip) : prefix_contains(b, &a->ip);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && ip_equal(&a->ip, &b->ip);
}

uint64_t prefix_size(const struct prefix *p)
{
	size_t bits = 8 * ip_size(&p->ip);

	if (bits == 0)
		return 0;
	bits -= p->len;
	return bits >= 64 ? UINT64_MAX : (uint64_t)1 << bits;
}

/* The low 64 bits of an address as a number (all 32 of IPv4). */
static uint64_t low_bits(const struct ip *ip)
{
	size_t size = ip_size(ip);
	uint64_t v = 0;

	for (size_t i = size > 8 ? size - 8 : 0; i < size; i++)
		v = v << 8 | ip->b[i];
	return v;
}

int prefix_nth(const struct prefix *p, uint64_t n, struct ip *ret)
{
	struct prefix net = prefix_network(p);
	size_t bits = 8 * ip_size(&p->ip), size = ip_size(&p->ip);
	uint64_t low;

	if (size == 0 || (bits - p->len < 64 && n >> (bits - p->len) != 0))
		return -ERANGE;
	/* The host bits of the network are 0 and n fits in them: nothing is carried upwards. */
	low = low_bits(&net.ip) | n;
	for (size_t i = 0; i < size && i < 8; i++)
		net.ip.b[size - 1 - i] = (uint8_t)(low >> (8 * i));
	*ret = net.ip;
	return 0;
}

uint64_t prefix_index(const struct prefix *p, const struct ip *ip)
{
	struct prefix net = prefix_network(p);

	if (ip->family == AF_INET6 && memcmp(net.ip.b, ip->b, 8) != 0)
		return UINT64_MAX;
	return low_bits(ip) - low_bits(&net.ip);
}

struct mac mac_from_ip(const struct ip *ip)
{
	/* Second-lowest bit set: locally administered; lowest clear: unicast. */
	struct mac m = {.b = {0x72, 0x6e}};

	if (ip->family == AF_INET6) {
		/* Neighbours in one subnet differ in the low 40 bits, which stay distinct; the
		 * upper bits only shift them as a whole, so that subnets differ too. */
		uint64_t upper = hash64(ip->b, 11, 0);

		m.b[0] = 0x62;
		for (size_t i = 1; i < 6; i++)
			m.b[i] = ip->b[10 + i] ^ (uint8_t)(upper >> (8 * i));
	} else {
		memcpy(m.b + 2, ip->b, 4);
	}
	return m;
}

struct ip ip_link_local_from_mac(const struct mac *m)
{
	return (struct ip){
		.family = AF_INET6,
		.b = {0xfe, 0x80, [8] = m->b[0] ^ 2, m->b[1], m->b[2], 0xff, 0xfe, m->b[3], m->b[4],
		      m->b[5]},
	};
}

struct ip ip_solicited_node(const struct ip *ip)
{
	return (struct ip){
		.family = AF_INET6,
		.b = {0xff, 0x02, [11] = 0x01, 0xff, ip->b[13], ip->b[14], ip->b[15]},
	};
}
