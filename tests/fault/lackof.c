/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lackof: preloaded into a program, lets it run as on a kernel without the feature that LACK names.
 * It does not invent answers: a message that asks for the feature is changed so that it asks for
 * one that no kernel has (link type "vetx", an nfnetlink subsystem that nobody registers), and the
 * kernel refuses in its own words. Only socket() and dlopen() are refused here, as the kernel and
 * the loader would.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool is_lacking(const char *what)
{
	const char *lack = getenv("LACK");

	return lack && strcmp(lack, what) == 0;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* The attribute of this type with this text; some writers leave out its NUL. */
static void change_text(char *p, size_t len, uint16_t type, const char *kind)
{
	size_t n = strlen(kind);

	for (size_t i = 0; i + NLA_HDRLEN + n <= len; i += NLA_ALIGNTO) {
		struct nlattr a;

		memcpy(&a, p + i, sizeof(a));
		if (a.nla_type == type && a.nla_len >= NLA_HDRLEN + n &&
		    a.nla_len <= NLA_HDRLEN + n + 1 && memcmp(p + i + NLA_HDRLEN, kind, n) == 0)
			p[i + NLA_HDRLEN + n - 1] = 'x';
	}
}

/* All messages of one datagram; a subsystem number is the high byte of the type. */
static void change(char *p, size_t len, int protocol)
{
	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return;
		if (protocol == NETLINK_ROUTE && h.nlmsg_type == RTM_NEWLINK) {
			if (is_lacking("veth"))
				change_text(p, h.nlmsg_len, IFLA_INFO_KIND, "veth");
			if (is_lacking("bridge"))
				change_text(p, h.nlmsg_len, IFLA_INFO_KIND, "bridge");
		}
		if (protocol == NETLINK_NETFILTER) {
			int subsystem = h.nlmsg_type >> 8;
			bool is_batch = h.nlmsg_type == NFNL_MSG_BATCH_BEGIN;

			if (is_lacking("nat") && subsystem == NFNL_SUBSYS_NFTABLES &&
			    (h.nlmsg_type & 0xff) == NFT_MSG_NEWCHAIN)
				change_text(p, h.nlmsg_len, NFTA_CHAIN_TYPE, "nat");
			if (is_lacking("conntrack") && subsystem == NFNL_SUBSYS_CTNETLINK) {
				h.nlmsg_type = (uint16_t)((NFNL_SUBSYS_COUNT + 1) << 8 |
							  (h.nlmsg_type & 0xff));
				memcpy(p, &h, sizeof(h));
			}
			if (is_lacking("nf_tables") &&
			    (is_batch || subsystem == NFNL_SUBSYS_NFTABLES)) {
				struct nfgenmsg g;

				if (!is_batch)
					h.nlmsg_type = (uint16_t)((NFNL_SUBSYS_COUNT + 1) << 8 |
								  (h.nlmsg_type & 0xff));
				memcpy(p, &h, sizeof(h));
				if (is_batch && h.nlmsg_len >= NLMSG_LENGTH(sizeof(g))) {
					memcpy(&g, p + NLMSG_HDRLEN, sizeof(g));
					g.res_id = (uint16_t)((NFNL_SUBSYS_COUNT + 1) << 8);
					memcpy(p + NLMSG_HDRLEN, &g, sizeof(g));
				}
			}
		}
		size_t step = NLMSG_ALIGN(h.nlmsg_len);
		if (step >= len)
			return;
		p += step;
		len -= step;
	}
}

static int protocol_of(int fd)
{
	int domain = 0, protocol = -1;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != AF_NETLINK)
		return -1;
	len = sizeof(protocol);
	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) ? -1 : protocol;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t (*real)(int, const struct msghdr *, int) =
		(ssize_t(*)(int, const struct msghdr *, int))next("sendmsg");
	int protocol = protocol_of(fd);

	if (protocol >= 0)
		for (size_t i = 0; i < m->msg_iovlen; i++)
			change(m->msg_iov[i].iov_base, m->msg_iov[i].iov_len, protocol);
	return real(fd, m, flags);
}

ssize_t sendto(int fd, const void *p, size_t len, int flags, const struct sockaddr *to,
	       socklen_t to_len)
{
	ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
		(ssize_t(*)(int, const void *, size_t, int, const struct sockaddr *,
			    socklen_t))next("sendto");
	int protocol = protocol_of(fd);

	if (protocol >= 0)
		change((char *)p, len, protocol);
	return real(fd, p, len, flags, to, to_len);
}

ssize_t send(int fd, const void *p, size_t len, int flags)
{
	return sendto(fd, p, len, flags, NULL, 0);
}

int socket(int domain, int type, int protocol)
{
	int (*real)(int, int, int) = (int (*)(int, int, int))next("socket");

	if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER && is_lacking("nfnetlink")) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	return real(domain, type, protocol);
}

void *dlopen(const char *name, int flags)
{
	void *(*real)(const char *, int) = (void *(*)(const char *, int))next("dlopen");

	/* A name that is nowhere: the loader says the rest. */
	if (name && strstr(name, "libnftables") && is_lacking("libnftables"))
		return real("libnftables.so.1.absent", flags);
	return real(name, flags);
}
