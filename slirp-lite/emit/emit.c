/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emit: one frame is headers in a small buffer and the caller's pieces of payload, written at once.
 * What the link cannot do is done here: whole checksums, segmentation (as Linux does it for a
 * device without TSO). Datagrams above the MTU are cut by the rules of RFC 791 and RFC 8200 4.5.
 */
#include "emit/emit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "emit/internal.h"
#include "wire/cksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcphdr.h"

/* ICMP errors a second, and at once. */
#define ERRORS_RATE 1000u
#define ERRORS_BURST 1000u

int emit_new(const struct plan *plan, struct link *link, struct stats *stats, struct emit **ret,
	     struct err *e)
{
	struct emit *x = calloc(1, sizeof(*x));

	if (!x)
		return err_set(e, ERR_INTERNAL, ENOMEM, "frames to the container");
	x->plan = plan;
	x->link = link;
	x->stats = stats;
	x->tokens = ERRORS_BURST;
	*ret = x;
	return 0;
}

void emit_free(struct emit *x)
{
	free(x);
}

const struct link_caps *emit_caps(const struct emit *x)
{
	return &x->link->caps;
}

void emit_set_tap(struct emit *x, emit_tap_fn *fn, void *arg)
{
	x->tap = fn;
	x->tap_arg = arg;
}

static unsigned neighbour_index(const struct ip *ip)
{
	const uint8_t *b = ip->b + (ip_size(ip) == 4 ? 0 : 12);

	return (b[3] ^ b[2] * 3u ^ b[1] * 7u ^ (ip->family == AF_INET6 ? 0x55u : 0)) % NEIGHBOURS;
}

struct neighbour *emit_neighbour(struct emit *x, const struct ip *ip)
{
	return &x->neighbours[neighbour_index(ip)];
}

void emit_saw(struct emit *x, const struct mac *mac)
{
	x->last = *mac;
}

bool emit_knows(const struct emit *x, const struct ip *ip, const struct mac *mac)
{
	const struct neighbour *n = &x->neighbours[neighbour_index(ip)];

	return ip_equal(&n->ip, ip) && eth_equal(&n->mac, mac);
}

bool emit_has(const struct emit *x, const struct ip *ip)
{
	return ip_equal(&x->neighbours[neighbour_index(ip)].ip, ip);
}

void emit_learn(struct emit *x, const struct ip *ip, const struct mac *mac)
{
	struct neighbour *n = emit_neighbour(x, ip);

	n->ip = *ip;
	n->mac = *mac;
	n->n_asked = 0;
}

struct mac emit_mac_of(const struct emit *x, const struct ip *ip)
{
	static const struct mac none;
	const struct neighbour *n = &x->neighbours[neighbour_index(ip)];

	if (ip_equal(&n->ip, ip))
		return n->mac;
	if (ip_is_multicast(ip))
		return eth_of_group(ip);
	if (!eth_equal(&x->plan->guest_mac, &none))
		return x->plan->guest_mac;
	return eth_equal(&x->last, &none) || emit_is_broadcast(ip) ? eth_broadcast : x->last;
}

static int write_frame(struct emit *x, const struct link_meta *m, const struct iovec *iov, int n,
		       size_t len)
{
	int r;

	if (x->tap)
		x->tap(x->tap_arg, iov, n);
	r = link_write(x->link, m, iov, n);
	if (r < 0) {
		x->stats->n[STAT_DROP_LINK]++;
		return r;
	}
	x->stats->n[STAT_FRAMES_OUT]++;
	x->stats->n[STAT_BYTES_OUT] += len;
	return 0;
}

/* The pieces of [skip, skip + len) of iov; returns their number (at most n). */
static int slice(const struct iovec *iov, int n, size_t skip, size_t len, struct iovec *out)
{
	int k = 0;

	for (int i = 0; i < n && len > 0; i++) {
		size_t left = iov[i].iov_len;

		if (skip >= left) {
			skip -= left;
			continue;
		}
		left -= skip;
		if (left > len)
			left = len;
		out[k++] = (struct iovec){(uint8_t *)iov[i].iov_base + skip, left};
		len -= left;
		skip = 0;
	}
	return k;
}

static size_t total_of(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool has_pseudo(const struct emit_ip *h)
{
	return h->proto != IPPROTO_ICMP;
}

/* The whole checksum of l4 and data into l4. */
static void set_checksum(const struct emit_ip *h, uint8_t *l4, size_t l4_len,
			 const struct iovec *data, int n, size_t len)
{
	uint32_t sum = has_pseudo(h) ? ip_pseudo_sum(&h->src, &h->dst, h->proto, l4_len + len) : 0;
	uint16_t folded;

	put16(l4 + h->csum_offset, 0);
	sum = cksum_add(sum, l4, l4_len);
	folded = cksum_fold(cksum_add_iov(sum, data, n));
	/* RFC 768: zero means none. In TCP and ICMP both forms are the same number. */
	put16(l4 + h->csum_offset, folded == 0 && h->proto == IPPROTO_UDP ? 0xffff : folded);
}

/* Ethernet and IP headers for payload_len bytes behind them; returns their length. */
static size_t put_headers(struct emit *x, const struct emit_ip *h, const struct ip_build *b,
			  size_t payload_len, uint8_t *out)
{
	struct mac dst = emit_mac_of(x, &h->dst);
	bool is_v4 = h->dst.family == AF_INET;

	eth_build(out, &dst, h->from ? h->from : &x->plan->our_mac,
		  is_v4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
	if (is_v4) {
		ip_build4(out + ETH_HDR_LEN, b, payload_len);
		return ETH_HDR_LEN + IP4_HDR_LEN;
	}
	ip_build6(out + ETH_HDR_LEN, b, payload_len);
	return ETH_HDR_LEN + IP6_HDR_LEN;
}

static struct ip_build ip_of(struct emit *x, const struct emit_ip *h)
{
	return (struct ip_build){
		.src = h->src,
		.dst = h->dst,
		.proto = h->proto,
		.ttl = h->ttl ? h->ttl : 64,
		.tos = h->tos,
		.is_df = h->is_df,
		.id = h->dst.family == AF_INET ? x->id++ : 0,
	};
}

/* One frame with the L4 header l4, which is changed (its checksum). */
static int send_one(struct emit *x, const struct emit_ip *h, uint8_t *l4, size_t l4_len,
		    const struct iovec *data, int n, size_t len, enum link_gso gso)
{
	uint8_t head[ETH_HDR_LEN + IP6_HDR_LEN + EMIT_L4_MAX];
	struct iovec iov[EMIT_IOV_MAX + 1];
	struct link_meta m = {.gso = gso, .gso_size = gso == LINK_GSO_NONE ? 0 : h->gso_size};
	struct ip_build b = ip_of(x, h);
	size_t at = put_headers(x, h, &b, l4_len + len, head);

	if (x->link->caps.has_csum && has_pseudo(h) && h->proto != IPPROTO_ICMPV6) {
		m.is_partial = true;
		m.csum_start = (uint16_t)at;
		m.csum_offset = h->csum_offset;
		put16(l4 + h->csum_offset,
		      cksum_fold_partial(ip_pseudo_sum(&h->src, &h->dst, h->proto, l4_len + len)));
	} else {
		set_checksum(h, l4, l4_len, data, n, len);
		m.is_valid = true;
	}
	memcpy(head + at, l4, l4_len);
	m.hdr_len = (uint16_t)(at + l4_len);
	if (h->gso_size != 0 && h->dst.family == AF_INET)
		x->id = (uint16_t)(x->id + len / h->gso_size);
	iov[0] = (struct iovec){head, at + l4_len};
	if (n > 0)
		memcpy(iov + 1, data, (size_t)n * sizeof(*data));
	return write_frame(x, &m, iov, n + 1, at + l4_len + len);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The header of the segment at offset `at` out of a super-segment's. */
static void segment_header(const struct emit_ip *h, uint8_t *l4, const uint8_t *super,
			   size_t l4_len, size_t at, size_t n, bool is_last)
{
	memcpy(l4, super, l4_len);
	if (h->proto == IPPROTO_UDP) {
		put16(l4 + 4, (uint16_t)(l4_len + n));
		return;
	}
	uint32_t seq = get32(super + 4) + (uint32_t)at;

	put16(l4 + 4, (uint16_t)(seq >> 16));
	put16(l4 + 6, (uint16_t)seq);
	if (!is_last)
		l4[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (at > 0)
		l4[13] &= (uint8_t)~TCP_CWR;
}

static int send_segments(struct emit *x, struct emit_ip *h, const uint8_t *super, size_t l4_len,
			 const struct iovec *data, int n_data, size_t len)
{
	const size_t size = h->gso_size;
	int worst = 0;

	h->gso_size = 0;
	for (size_t at = 0; at < len; at += size) {
		struct iovec part[EMIT_IOV_MAX];
		uint8_t l4[EMIT_L4_MAX];
		size_t n = len - at < size ? len - at : size;
		int k = slice(data, n_data, at, n, part), r;

		segment_header(h, l4, super, l4_len, at, n, at + n == len);
		r = send_one(x, h, l4, l4_len, part, k, n, LINK_GSO_NONE);
		if (r < 0)
			worst = r;
	}
	return worst;
}

static int send_fragments(struct emit *x, const struct emit_ip *h, uint8_t *l4, size_t l4_len,
			  const struct iovec *data, int n_data, size_t len)
{
	struct iovec whole[EMIT_IOV_MAX + 1], iov[EMIT_IOV_MAX + 2];
	uint8_t head[ETH_HDR_LEN + IP6_HDR_LEN + IP6_FRAG_LEN];
	const bool is_v4 = h->dst.family == AF_INET;
	const size_t room =
		(x->plan->mtu - (is_v4 ? IP4_HDR_LEN : IP6_HDR_LEN + IP6_FRAG_LEN)) & ~(size_t)7;
	const size_t end = l4_len + len;
	struct ip_build b = ip_of(x, h);
	uint32_t id6 = x->frag_id++;
	int r = 0;

	set_checksum(h, l4, l4_len, data, n_data, len);
	whole[0] = (struct iovec){l4, l4_len};
	memcpy(whole + 1, data, (size_t)n_data * sizeof(*data));
	b.is_df = false;
	if (!is_v4)
		b.proto = IPPROTO_FRAGMENT;
	/* One that is lost loses the datagram: the rest is not sent. */
	for (size_t off = 0; off < end && r == 0; off += room) {
		const struct link_meta m = {.is_valid = false};
		size_t n = end - off < room ? end - off : room, at;

		if (is_v4) {
			b.frag_offset = (uint16_t)off;
			b.is_more = off + n < end;
			at = put_headers(x, h, &b, n, head);
		} else {
			at = put_headers(x, h, &b, IP6_FRAG_LEN + n, head);
			ip_build6_frag(head + at, h->proto, (uint32_t)off, off + n < end, id6);
			at += IP6_FRAG_LEN;
		}
		iov[0] = (struct iovec){head, at};
		r = write_frame(x, &m, iov, 1 + slice(whole, n_data + 1, off, n, iov + 1), at + n);
	}
	return r;
}

static enum link_gso gso_of(const struct emit *x, const struct emit_ip *h)
{
	const struct link_caps *c = &x->link->caps;

	if (h->proto == IPPROTO_UDP)
		return c->has_uso ? LINK_GSO_UDP : LINK_GSO_NONE;
	if (!c->has_tso)
		return LINK_GSO_NONE;
	return h->dst.family == AF_INET ? LINK_GSO_TCP4 : LINK_GSO_TCP6;
}

int emit_packet(struct emit *x, const struct emit_ip *h, const void *l4, size_t l4_len,
		const struct iovec *data, int n_data)
{
	const size_t ip_len = h->dst.family == AF_INET ? IP4_HDR_LEN : IP6_HDR_LEN;
	const size_t len = total_of(data, n_data);
	uint8_t own[EMIT_L4_MAX];
	struct emit_ip one = *h;
	enum link_gso gso;

	if (l4_len > EMIT_L4_MAX || n_data > EMIT_IOV_MAX || h->csum_offset + 2u > l4_len ||
	    h->src.family != h->dst.family)
		return -EINVAL;
	if (l4_len + len > 65535 - (h->dst.family == AF_INET ? IP4_HDR_LEN : 0))
		return -EMSGSIZE;
	emit_ask(x, &h->dst);
	memcpy(own, l4, l4_len);
	if (h->gso_size != 0 && len > h->gso_size) {
		gso = gso_of(x, h);
		if (gso == LINK_GSO_NONE)
			return send_segments(x, &one, own, l4_len, data, n_data, len);
		return send_one(x, &one, own, l4_len, data, n_data, len, gso);
	}
	one.gso_size = 0;
	if (ip_len + l4_len + len > x->plan->mtu && h->proto != IPPROTO_TCP)
		return send_fragments(x, &one, own, l4_len, data, n_data, len);
	return send_one(x, &one, own, l4_len, data, n_data, len, LINK_GSO_NONE);
}

static bool may_send_error(struct emit *x, uint64_t now)
{
	uint64_t passed = now - x->tokens_at;

	if (passed > 1000)
		passed = 1000;
	x->tokens += (uint32_t)passed * ERRORS_RATE / 1000;
	if (x->tokens > ERRORS_BURST)
		x->tokens = ERRORS_BURST;
	x->tokens_at = now;
	if (x->tokens == 0)
		return false;
	x->tokens--;
	return true;
}

static bool is_broadcast(const struct emit *x, const struct ip *ip)
{
	const struct prefix *net = &x->plan->net[FAM4];
	struct ip last;

	if (ip->family != AF_INET || net->ip.family == 0)
		return false;
	last = prefix_last(net);
	return (ip->b[0] & ip->b[1] & ip->b[2] & ip->b[3]) == 255 || ip_equal(&last, ip);
}

int emit_icmp_error(struct emit *x, const struct ip *from, uint8_t type, uint8_t code,
		    uint32_t info, const uint8_t *cause, size_t cause_len, uint64_t now)
{
	const int family = cause_len > 0 && cause[0] >> 4 == 6 ? AF_INET6 : AF_INET;
	struct iovec data = {(void *)(uintptr_t)cause, cause_len};
	struct emit_ip h = {.csum_offset = 2};
	struct icmp_cause c;
	uint8_t l4[ICMP_HDR_LEN];

	if (icmp_parse_cause(family, cause, cause_len, &c) < 0 || c.is_fragment)
		return -EINVAL;
	if (ip_is_multicast(&c.dst) || is_broadcast(x, &c.dst) || ip_is_any(&c.src) ||
	    ip_is_multicast(&c.src) || is_broadcast(x, &c.src))
		return -EINVAL;
	h.proto = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	if (c.proto == h.proto && icmp_is_error(family, c.icmp_type))
		return -EINVAL;
	h.src = from->family != 0 ? *from : x->plan->gateway[ip_fam(&c.src)];
	if (h.src.family != family)
		return -EINVAL;
	if (!may_send_error(x, now))
		return -EAGAIN;
	h.dst = c.src;
	if (data.iov_len > icmp_cause_max(family))
		data.iov_len = icmp_cause_max(family);
	icmp_build(l4, type, code, info);
	return emit_packet(x, &h, l4, sizeof(l4), &data, 1);
}

int emit_frame(struct emit *x, const struct mac *dst, uint16_t ethertype, const void *data,
	       size_t len)
{
	const struct link_meta m = {.is_valid = false};
	uint8_t head[ETH_HDR_LEN];
	struct iovec iov[2] = {{head, sizeof(head)}, {(void *)(uintptr_t)data, len}};

	eth_build(head, dst, &x->plan->our_mac, ethertype);
	return write_frame(x, &m, iov, 2, sizeof(head) + len);
}
