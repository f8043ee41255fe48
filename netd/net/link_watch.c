/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_watch: the kernel's announcements of links that go. It keeps nothing: what an index meant is
 * the caller's to know, and so is a look at everything after announcements were lost.
 *
 * Of one attachment there are a dozen announcements, and each that is let through wakes the caller
 * on a processor that somebody needs for making it. So what nobody here would look at is left out
 * by a filter of the socket (socket(7), SO_ATTACH_FILTER); without, it is read and costs time
 * alone.
 */
#include "net/link_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/link.h"
#include "net/rtnl.h"
#include "net/rtnl_wire.h"

#define ROOM (1 << 20)
#define BYTES 32768
#define NONE UINT32_MAX /* no type of 16 bits */

struct link_watch {
	struct rtnl *r;
	bool has_come;
	bool has_filter, is_coming; /* what it leaves in */
	char data[BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* All messages of the group have the header of a link. Numbers are the host's, and a filter reads
 * them as the network's. */
void link_watch_want(struct link_watch *w, bool is_coming)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
			 NLMSG_HDRLEN + offsetof(struct ifinfomsg, ifi_family)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 2, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, is_coming ? NONE : htons(RTM_NEWLINK), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (w->has_filter && w->is_coming == is_coming)
		return;
	w->has_filter = setsockopt(rtnl_fd(w->r), SOL_SOCKET, SO_ATTACH_FILTER, &program,
				   sizeof(program)) == 0;
	w->is_coming = is_coming;
}

int link_watch_open(struct link_watch **ret, struct err *e)
{
	struct link_watch *w = calloc(1, sizeof(*w));
	int group = RTNLGRP_LINK, room = ROOM, r;

	if (!w)
		return err_set(e, ERR_INTERNAL, ENOMEM, "watching links");
	r = rtnl_open(&w->r, e);
	if (r >= 0)
		link_watch_want(w, true);
	if (r >= 0 && setsockopt(rtnl_fd(w->r), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
				 sizeof(group)) < 0)
		r = err_sys(e, errno, "watching links");
	if (r < 0) {
		link_watch_closep(&w);
		return r;
	}
	/* As much as may be: what does not fit is found by looking at everything. */
	if (setsockopt(rtnl_fd(w->r), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(rtnl_fd(w->r), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	*ret = w;
	return 0;
}

void link_watch_closep(struct link_watch **w)
{
	if (!*w)
		return;
	rtnl_close((*w)->r);
	free(*w);
	*w = NULL;
}

int link_watch_fd(const struct link_watch *w)
{
	return rtnl_fd(w->r);
}

static bool is_ours(struct nlmsghdr *h)
{
	const struct nlattr *group = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_GROUP);

	return group && nla_len(group) >= (int)sizeof(uint32_t) &&
	       nla_get_u32(group) == LINK_GROUP_VETH;
}

static void take(struct link_watch *w, struct nlmsghdr *h, int left,
		 void (*gone)(uint32_t index, void *arg), void *arg)
{
	for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
		const struct ifinfomsg *i = nlmsg_data(h);

		/* A port that leaves its bridge is announced likewise, as of the bridge's family.
		 */
		if (h->nlmsg_type == RTM_DELLINK && nlmsg_datalen(h) >= (int)sizeof(*i) &&
		    i->ifi_family == AF_UNSPEC && i->ifi_index > 0)
			gone((uint32_t)i->ifi_index, arg);
		else if (h->nlmsg_type == RTM_NEWLINK)
			w->has_come = w->has_come || is_ours(h);
	}
}

int link_watch_read(struct link_watch *w, void (*gone)(uint32_t index, void *arg), void *arg,
		    struct err *e)
{
	bool is_lost = false;

	for (;;) {
		struct sockaddr_nl from = {.nl_family = AF_NETLINK};
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(rtnl_fd(w->r), w->data, sizeof(w->data),
				     MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			is_lost = true;
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return is_lost;
		if (n < 0)
			return err_sys(e, errno, "watching links");
		if ((size_t)n > sizeof(w->data))
			is_lost = true;
		else if (from.nl_pid == 0)
			take(w, (struct nlmsghdr *)(void *)w->data, (int)n, gone, arg);
	}
}

bool link_watch_came(struct link_watch *w)
{
	bool has_come = w->has_come;

	w->has_come = false;
	return has_come;
}
