/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftdump: one question at a time, to a socket that may have other answers under way: only those
 * with our sequence number, from the kernel, count. Read netlink(7).
 */
#include "net/nftdump.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "base/clock.h"
#include "net/attr.h"
#include "net/nftmsg.h"
#include "net/ruleset.h"

#define ANSWER_MS 5000
#define ROOM 256 /* of a question */
#define TABLE 1  /* in each kind of message the table's name is this attribute */

/* A part of the named table; what belongs to no table counts as one. */
static bool is_wanted(const struct nlmsghdr *h, const char *table)
{
	const char *its;

	if (h->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg))
		return false;
	if (!table)
		return true;
	its = attr_text(attr_top(h, TABLE));
	return its && strcmp(its, table) == 0;
}

static void keep(const struct nlmsghdr *h, struct buf *out)
{
	static const char zero[MNL_ALIGNTO];

	buf_add(out, h, h->nlmsg_len);
	buf_add(out, zero, MNL_ALIGN(h->nlmsg_len) - h->nlmsg_len);
}

/* 1: that was all; 0: there is more; negative: refused. */
static int take(struct nftdump *rd, size_t len, bool is_dump, const char *table, struct buf *out)
{
	const struct nlmsghdr *h = (const void *)rd->data;

	for (int left = (int)len; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != rd->seq)
			continue;
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);

			if (mnl_nlmsg_get_payload_len(h) < sizeof(*err))
				return -EPROTO;
			return err->error ? err->error : 1;
		}
		if (is_wanted(h, table))
			keep(h, out);
		if (!is_dump)
			return 1;
	}
	return 0;
}

static int receive(struct nftdump *rd, bool is_dump, const char *table, struct buf *out)
{
	uint64_t deadline = clock_ms() + ANSWER_MS;

	for (;;) {
		struct pollfd p = {.fd = rd->fd, .events = POLLIN};
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		int left = clock_left(deadline), r;
		ssize_t n;

		if (left == 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return -errno;
		n = recvfrom(rd->fd, rd->data, NFTDUMP_BYTES, MSG_DONTWAIT,
			     (struct sockaddr *)&from, &from_len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return errno == ENOBUFS ? -EAGAIN : -errno;
		if (from.nl_pid != 0)
			continue;
		r = take(rd, (size_t)n, is_dump, table, out);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

int nftdump_ask(struct nftdump *rd, uint16_t type, uint8_t family, const char *table,
		const char *set, struct buf *out, struct err *e)
{
	bool is_dump = type != NFT_MSG_GETGEN;
	CLEAN_NFTMSG struct nftmsg m = {.seq = ++rd->seq};
	struct nlmsghdr *h = nftmsg_open(&m, type, is_dump ? NLM_F_DUMP : 0, family, ROOM);
	int r = -ENOMEM;

	if (h && table && type != NFT_MSG_GETTABLE)
		mnl_attr_put_strz(h, TABLE, table);
	if (h && set)
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	if (h) {
		nftmsg_close(&m, h);
		r = send(rd->fd, m.p, m.len, 0) < 0 ? -errno : receive(rd, is_dump, table, out);
	}
	if (r == 0 && out->failed)
		r = -ENOMEM;
	if (r == -ENOENT)
		r = -EAGAIN;
	return r < 0 ? err_sys(e, -r, "reading the tables " RULESET_TABLE) : 0;
}

const struct nlmsghdr *nftdump_next(const struct buf *b, const struct nlmsghdr *h)
{
	size_t at = h ? (size_t)((const char *)h - b->p) + MNL_ALIGN(h->nlmsg_len) : 0;
	const struct nlmsghdr *next = (const void *)(b->p + at);

	return b->p && at < b->len && mnl_nlmsg_ok(next, (int)(b->len - at)) ? next : NULL;
}
