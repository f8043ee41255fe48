/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hosterr: struct sock_extended_err and the offender's address come from the host's kernel; they
 * are copied out of the control message, whose length is checked all the same.
 */
#include "dgram/hosterr.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h> /* linux/errqueue.h needs it */
#include <linux/errqueue.h>

#include "wire/bytes.h"
#include "wire/icmp.h"
#include "wire/ip.h"

static bool is_type_told(int family, uint8_t type)
{
	return icmp_is_error(family, type) &&
	       !(family == AF_INET && (type == ICMP_V4_QUENCH || type == ICMP_V4_REDIRECT));
}

static void told(struct hosterr *ret, uint8_t type, uint8_t code, uint32_t info)
{
	ret->type = type;
	ret->code = code;
	ret->info = info;
	ret->is_icmp = true;
}

static void told_too_big(int family, uint32_t mtu, struct hosterr *ret)
{
	if (family == AF_INET)
		told(ret, ICMP_V4_UNREACH, ICMP_V4_UNREACH_FRAG, mtu & 0xffff);
	else
		told(ret, ICMP_V6_TOO_BIG, 0, mtu);
}

/* What a message with this errno may have come from, the other way round than the kernel's own
 * table. EPERM is a firewall's drop on the way out. */
void hosterr_of_errno(int family, int sys, struct hosterr *ret)
{
	const bool is_v4 = family == AF_INET;

	ret->is_icmp = false;
	ret->is_local = true;
	switch (sys) {
	case ENETUNREACH:
	case EAFNOSUPPORT:
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case ENODEV:
		told(ret, is_v4 ? ICMP_V4_UNREACH : ICMP_V6_UNREACH,
		     is_v4 ? ICMP_V4_UNREACH_NET : ICMP_V6_UNREACH_ROUTE, 0);
		break;
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case EINVAL: /* a route of type blackhole, an address nobody can send to */
		told(ret, is_v4 ? ICMP_V4_UNREACH : ICMP_V6_UNREACH,
		     is_v4 ? ICMP_V4_UNREACH_HOST : ICMP_V6_UNREACH_ADDR, 0);
		break;
	case EACCES:
	case EPERM:
	case EMFILE:
	case ENFILE:
		told(ret, is_v4 ? ICMP_V4_UNREACH : ICMP_V6_UNREACH,
		     is_v4 ? ICMP_V4_UNREACH_ADMIN : ICMP_V6_UNREACH_ADMIN, 0);
		break;
	case ECONNREFUSED:
		told(ret, is_v4 ? ICMP_V4_UNREACH : ICMP_V6_UNREACH,
		     is_v4 ? ICMP_V4_UNREACH_PORT : ICMP_V6_UNREACH_PORT, 0);
		break;
	default:
		break;
	}
}

bool hosterr_may_be_old(int sys)
{
	switch (sys) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENONET:
	case ENOPROTOOPT:
	case ECONNREFUSED:
	case EOPNOTSUPP:
	case EMSGSIZE:
	case EACCES:
	case EPROTO:
		return true;
	default:
		return false;
	}
}

static void read_ee(int family, const struct sock_extended_err *ee, struct hosterr *ret)
{
	const bool is_v4 = family == AF_INET;

	if (ee->ee_origin == SO_EE_ORIGIN_LOCAL) {
		ret->is_local = true;
		if (ee->ee_errno == EMSGSIZE)
			told_too_big(family, ee->ee_info, ret);
		else
			hosterr_of_errno(family, (int)ee->ee_errno, ret);
		return;
	}
	if (ee->ee_origin != (is_v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6) ||
	    !is_type_told(family, ee->ee_type))
		return;
	/* The kernel hands over the pointer of a parameter problem as a number (ip_icmp.h). */
	told(ret, ee->ee_type, ee->ee_code,
	     is_v4 && ee->ee_type == ICMP_V4_PARAM ? ee->ee_info << 24 : ee->ee_info);
	if (is_v4 && ee->ee_type != ICMP_V4_PARAM &&
	    !(ee->ee_type == ICMP_V4_UNREACH && ee->ee_code == ICMP_V4_UNREACH_FRAG))
		ret->info = 0;
}

static void read_cmsg(int family, const struct cmsghdr *c, struct hosterr *ret)
{
	const bool is_v4 = family == AF_INET;
	const size_t len = c->cmsg_len - CMSG_LEN(0);
	struct sock_extended_err ee;
	struct sockaddr_storage ss = {0};
	uint16_t port;

	if (c->cmsg_level != (is_v4 ? IPPROTO_IP : IPPROTO_IPV6) ||
	    c->cmsg_type != (is_v4 ? IP_RECVERR : IPV6_RECVERR) || len < sizeof(ee))
		return;
	memcpy(&ee, CMSG_DATA(c), sizeof(ee));
	read_ee(family, &ee, ret);
	if (ret->is_local)
		return;

	const size_t left = len - sizeof(ee);

	memcpy(&ss, CMSG_DATA(c) + sizeof(ee), left < sizeof(ss) ? left : sizeof(ss));
	if (host_from_sockaddr(&ss, (socklen_t)(left < sizeof(ss) ? left : sizeof(ss)), &ret->from,
			       &port) < 0)
		ret->from = (struct ip){0};
}

bool hosterr_next(const struct host_ops *host, int fd, int family, struct hosterr *ret)
{
	_Alignas(struct cmsghdr) uint8_t control[512];
	struct sockaddr_storage name = {0};
	struct iovec iov = {ret->data, sizeof(ret->data)};
	struct msghdr h = {
		.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = host->recvmsg(fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (n < 0) {
		/* The queue had no room for the last error, or it was no datagram's. */
		host_error(host, fd);
		return false;
	}
	ret->is_icmp = ret->is_local = false;
	ret->from = ret->dst = (struct ip){0};
	ret->port = 0;
	ret->len = (size_t)n;
	if (h.msg_namelen && host_from_sockaddr(&name, h.msg_namelen, &ret->dst, &ret->port) < 0)
		ret->dst = (struct ip){0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		read_cmsg(family, c, ret);
	return true;
}

/* The error's source as the container may see it: a router's own link-local address, or the
 * host's loopback, mean nothing there. */
static struct ip source_of(const struct policy *p, const struct mapping *m, const struct ip *from)
{
	struct ip seen = {0};

	if (from->family == m->in.family && !ip_is_any(from) &&
	    !(from->family == AF_INET6 && ip_is_link_local(from)))
		seen = policy_unmap(p, from, &m->sent.dst);
	if (ip_is_loopback(&seen) || ip_is_multicast(&seen) || ip_equal(&seen, &m->in))
		seen = (struct ip){0};
	return seen;
}

void hosterr_emit(struct emit *x, const struct policy *p, const struct mapping *m, uint8_t proto,
		  const struct hosterr *e, const struct sent *s, const void *l4, size_t l4_len,
		  uint64_t now)
{
	uint8_t cause[IP6_HDR_LEN + EMIT_L4_MAX + HOSTERR_DATA];
	const struct ip_build b = {
		.src = m->in,
		.dst = s->dst,
		.proto = proto,
		.ttl = s->ttl ? s->ttl : 64,
		.tos = s->tos,
		.is_df = s->is_df,
		.id = s->id,
	};
	struct out o = out_of(cause, sizeof(cause));
	const struct ip from = source_of(p, m, &e->from);
	size_t data = s->len > l4_len ? s->len - l4_len : 0;

	if (m->in.family == AF_INET) {
		ip_build4(cause, &b, s->len);
		o.len = IP4_HDR_LEN;
	} else {
		ip_build6(cause, &b, s->len);
		o.len = IP6_HDR_LEN;
	}
	out_copy(&o, l4, l4_len);
	if (data > e->len)
		data = e->len;
	if (data > icmp_cause_max(m->in.family) - o.len)
		data = icmp_cause_max(m->in.family) - o.len;
	out_copy(&o, e->data, data);
	emit_icmp_error(x, &from, e->type, e->code, e->info, cause, o.len, now);
}
