/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctmsg: the wire form of conntrack (linux/netfilter/nfnetlink_conntrack.h).
 *
 * A filtered delete always carries an incomplete original tuple, never none: kernels that do not
 * know the filter refuse such a tuple (EINVAL), while a delete without any would empty the whole
 * table.
 */
#include "net/ctmsg.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <libmnl/libmnl.h>

#include "net/attr.h"

/* Bits of CTA_FILTER_*_FLAGS (net/netfilter/nf_conntrack_netlink.c; not in the kernel's headers).
 */
enum {
	FILTER_IP_SRC = 1 << 0,
	FILTER_IP_DST = 1 << 1,
	FILTER_PROTO_NUM = 1 << 3,
	FILTER_PROTO_SRC_PORT = 1 << 4,
	FILTER_PROTO_DST_PORT = 1 << 5,
};

static struct nlmsghdr *message(char *buf, uint32_t seq, uint16_t type, uint16_t flags,
				uint8_t family)
{
	struct nlmsghdr *h;
	struct nfgenmsg *g;

	memset(buf, 0, CTMSG_MAX);
	h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

/* ---- requests ---- */

size_t ctmsg_dump(char *buf, uint32_t seq, uint8_t family)
{
	return MNL_ALIGN(message(buf, seq, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family)->nlmsg_len);
}

static void put_ip4(struct nlmsghdr *h, uint16_t type, const struct ip *ip)
{
	struct nlattr *nest = mnl_attr_nest_start(h, CTA_TUPLE_IP);

	mnl_attr_put(h, type, 4, ip->b);
	mnl_attr_nest_end(h, nest);
}

static void put_proto(struct nlmsghdr *h, uint8_t num, uint16_t type, uint16_t port)
{
	struct nlattr *nest = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(h, CTA_PROTO_NUM, num);
	mnl_attr_put_u16(h, type, htons(port));
	mnl_attr_nest_end(h, nest);
}

static uint32_t put_orig(struct nlmsghdr *h, const struct ctmsg_filter *f)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG);
	uint32_t flags = FILTER_PROTO_NUM | FILTER_PROTO_DST_PORT;

	if (f->orig_dst.family == AF_INET) {
		put_ip4(h, CTA_IP_V4_DST, &f->orig_dst);
		flags |= FILTER_IP_DST;
	}
	put_proto(h, f->proto, CTA_PROTO_DST_PORT, f->orig_dport);
	mnl_attr_nest_end(h, tuple);
	return flags;
}

static uint32_t put_reply(struct nlmsghdr *h, const struct ctmsg_filter *f)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, CTA_TUPLE_REPLY);
	uint32_t flags = 0;

	if (f->reply_src.family == AF_INET) {
		put_ip4(h, CTA_IP_V4_SRC, &f->reply_src);
		flags |= FILTER_IP_SRC;
	}
	if (f->reply_sport) {
		put_proto(h, f->proto, CTA_PROTO_SRC_PORT, f->reply_sport);
		flags |= FILTER_PROTO_NUM | FILTER_PROTO_SRC_PORT;
	}
	mnl_attr_nest_end(h, tuple);
	return flags;
}

size_t ctmsg_delete_filtered(char *buf, uint32_t seq, const struct ctmsg_filter *f)
{
	struct nlmsghdr *h = message(buf, seq, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, f->family);
	uint32_t orig = put_orig(h, f), reply = 0;
	struct nlattr *filter;

	if (f->reply_src.family || f->reply_sport)
		reply = put_reply(h, f);
	filter = mnl_attr_nest_start(h, CTA_FILTER);
	mnl_attr_put_u32(h, CTA_FILTER_ORIG_FLAGS, orig);
	mnl_attr_put_u32(h, CTA_FILTER_REPLY_FLAGS, reply);
	mnl_attr_nest_end(h, filter);
	if (f->status_mask) {
		mnl_attr_put_u32(h, CTA_STATUS, htonl(f->status));
		mnl_attr_put_u32(h, CTA_STATUS_MASK, htonl(f->status_mask));
	}
	return MNL_ALIGN(h->nlmsg_len);
}

size_t ctmsg_delete(char *buf, uint32_t seq, const struct ctmsg_entry *x)
{
	struct nlmsghdr *h;

	if (x->tuple_len > CTMSG_MAX / 2)
		return 0;
	h = message(buf, seq, IPCTNL_MSG_CT_DELETE, 0, x->orig_dst.family);
	mnl_attr_put(h, NLA_F_NESTED | CTA_TUPLE_ORIG, x->tuple_len, x->tuple);
	mnl_attr_put_u32(h, CTA_ID, htonl(x->id));
	if (x->zone)
		mnl_attr_put_u16(h, CTA_ZONE, x->zone);
	return MNL_ALIGN(h->nlmsg_len);
}

/* ---- entries ---- */

static bool get_ip(const struct nlattr *tuple, uint16_t type4, uint16_t type6, struct ip *ret)
{
	const struct nlattr *ips = attr_below(tuple, CTA_TUPLE_IP);
	const struct nlattr *a4 = attr_below(ips, type4), *a6 = attr_below(ips, type6);
	const struct nlattr *a = a4 ? a4 : a6;
	struct ip ip = {.family = a4 ? AF_INET : AF_INET6};

	if (!a || mnl_attr_get_payload_len(a) != ip_size(&ip))
		return false;
	memcpy(ip.b, mnl_attr_get_payload(a), ip_size(&ip));
	*ret = ip;
	return true;
}

static uint32_t get_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= 4 ? ntohl(mnl_attr_get_u32(a)) : 0;
}

static uint16_t get_u16(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= 2 ? mnl_attr_get_u16(a) : 0;
}

bool ctmsg_parse(const struct nlmsghdr *h, struct ctmsg_entry *ret)
{
	const struct nlattr *a, *orig = NULL, *reply = NULL, *proto, *num;
	struct ctmsg_entry x = {0};

	if (mnl_nlmsg_get_payload_len(h) < sizeof(struct nfgenmsg))
		return false;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(a)) {
		case CTA_TUPLE_ORIG:
			orig = a;
			break;
		case CTA_TUPLE_REPLY:
			reply = a;
			break;
		case CTA_STATUS:
			x.status = get_u32(a);
			break;
		case CTA_ID:
			x.id = get_u32(a);
			break;
		case CTA_ZONE:
			x.zone = get_u16(a);
			break;
		}
	}
	proto = attr_below(orig, CTA_TUPLE_PROTO);
	num = attr_below(proto, CTA_PROTO_NUM);
	if (!num || mnl_attr_get_payload_len(num) < 1 ||
	    !get_ip(orig, CTA_IP_V4_DST, CTA_IP_V6_DST, &x.orig_dst) ||
	    !get_ip(reply, CTA_IP_V4_SRC, CTA_IP_V6_SRC, &x.reply_src))
		return false;
	x.proto = mnl_attr_get_u8(num);
	x.orig_dport = ntohs(get_u16(attr_below(proto, CTA_PROTO_DST_PORT)));
	x.tuple = mnl_attr_get_payload(orig);
	x.tuple_len = mnl_attr_get_payload_len(orig);
	*ret = x;
	return true;
}
