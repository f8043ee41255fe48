/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftwatch: the kernel announces each part of a transaction, then the new generation with the name
 * of the program that it is from. A name is no proof, but who may write these tables needs none: it
 * only keeps our own work from being looked at as damage.
 */
#include "net/nftwatch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "base/fd.h"
#include "net/attr.h"
#include "net/nftmsg.h"
#include "net/ruleset.h"
#include "sys/sockopt.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define ROOM (4 << 20)
#define BYTES 65536
#define TABLE 1 /* in each kind of message the table's name is this attribute */

struct nftwatch {
	int fd;
	/* Of the transaction that is being announced. */
	bool has_part, has_element, has_kept;
	char data[BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static const char *const ours[] = {"netd", "netns-up", "netns-up-cni"};

int nftwatch_open(struct nftwatch **ret, struct err *e)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	struct nftwatch *w = calloc(1, sizeof(*w));
	int group = NFNLGRP_NFTABLES, room = ROOM, r = 0;

	if (!w)
		return err_set(e, ERR_INTERNAL, ENOMEM, "watching the tables");
	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&local, sizeof(local)) < 0 ||
	    setsockopt(w->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		r = err_sys(e, errno, "watching the tables");
	if (r < 0) {
		nftwatch_closep(&w);
		return r;
	}
	/* As much as may be: what does not fit is found by looking at everything. */
	if (setsockopt(w->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	*ret = w;
	return 0;
}

unsigned nftwatch_state(const struct nftwatch *w)
{
	return (w->has_part ? 1u : 0) | (w->has_element ? 2u : 0) | (w->has_kept ? 4u : 0);
}

int nftwatch_adopt(int fd, unsigned state, struct nftwatch **ret, struct err *e)
{
	struct nftwatch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, ERR_INTERNAL, ENOMEM, "watching the tables");
	if (sockopt_int(fd, SO_PROTOCOL) != NETLINK_NETFILTER) {
		free(w);
		return err_invalid(e, ERR_PROTOCOL, "descriptor %d does not watch the tables", fd);
	}
	w->fd = fd;
	w->has_part = state & 1;
	w->has_element = state & 2;
	w->has_kept = state & 4;
	*ret = w;
	return 0;
}

void nftwatch_closep(struct nftwatch **w)
{
	if (!*w)
		return;
	fd_closep(&(*w)->fd);
	free(*w);
	*w = NULL;
}

int nftwatch_fd(const struct nftwatch *w)
{
	return w->fd;
}

static bool is_by_us(const struct nlmsghdr *h)
{
	const struct nlattr *a = attr_top(h, NFTA_GEN_PROC_NAME);

	for (size_t i = 0; a && i < sizeof(ours) / sizeof(ours[0]); i++)
		if (mnl_attr_get_payload_len(a) == strlen(ours[i]) + 1 &&
		    memcmp(mnl_attr_get_payload(a), ours[i], strlen(ours[i]) + 1) == 0)
			return true;
	return false;
}

static bool is_ours(const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a = attr_top(h, TABLE);

	return (g->nfgen_family == NFPROTO_INET || g->nfgen_family == NFPROTO_BRIDGE) && a &&
	       mnl_attr_get_payload_len(a) == sizeof(RULESET_TABLE) &&
	       memcmp(mnl_attr_get_payload(a), RULESET_TABLE, sizeof(RULESET_TABLE)) == 0;
}

/* Elements of single interfaces, which routed containers have, are of no account. */
static bool is_kept(const struct nlmsghdr *h)
{
	const struct nlattr *a = attr_top(h, NFTA_SET_ELEM_LIST_SET);
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;

	for (unsigned i = 0; i < N_SETS; i++)
		if (elem_sets[i].is_kept && i != SET_INSIDE &&
		    len == strlen(elem_sets[i].name) + 1 &&
		    memcmp(mnl_attr_get_payload(a), elem_sets[i].name, len) == 0)
			return true;
	return false;
}

static int judge(const struct nftwatch *w, const struct nlmsghdr *gen)
{
	if (!w->has_part && !w->has_element)
		return 0;
	if (!is_by_us(gen))
		return NFTWATCH_FOREIGN;
	return (w->has_part ? NFTWATCH_MADE : 0) | (w->has_kept ? NFTWATCH_KEPT : 0);
}

static int take(struct nftwatch *w, const struct nlmsghdr *h)
{
	unsigned type = NFNL_MSG_TYPE(h->nlmsg_type);
	int what = 0;

	if (NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    h->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg))
		return 0;
	if (type == NFT_MSG_NEWGEN) {
		what = judge(w, h);
		w->has_part = w->has_element = w->has_kept = false;
	} else if (is_ours(h)) {
		if (type == NFT_MSG_NEWSETELEM || type == NFT_MSG_DELSETELEM) {
			w->has_element = true;
			w->has_kept = w->has_kept || is_kept(h);
		} else {
			w->has_part = true;
		}
	}
	return what;
}

int nftwatch_read(struct nftwatch *w, struct err *e)
{
	int what = 0;

	for (;;) {
		struct sockaddr_nl from = {.nl_family = AF_NETLINK};
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(w->fd, w->data, sizeof(w->data), MSG_DONTWAIT | MSG_TRUNC,
				     (struct sockaddr *)&from, &len);
		const struct nlmsghdr *h = (const void *)w->data;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return what;
		if ((n < 0 && errno == ENOBUFS) || n > (ssize_t)sizeof(w->data)) {
			what |= NFTWATCH_LOST;
			continue;
		}
		if (n < 0)
			return err_sys(e, errno, "watching the tables");
		for (; from.nl_pid == 0 && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			what |= take(w, h);
	}
}
