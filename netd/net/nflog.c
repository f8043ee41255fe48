/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nflog: read linux/netfilter/nfnetlink_log.h. */
#include "net/nflog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "base/fd.h"

#define PACKET_BYTES 128 /* of each that are copied */
#define RECV_BYTES 16384
#define MESSAGES_A_TURN 64

static struct nlmsghdr *begin(char *buf, uint16_t group)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(group);
	return h;
}

/* 0 or -errno. The kernel answers while it is asked. */
static int ask(int fd, const struct nlmsghdr *h)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK}, from = {0};
	char buf[RECV_BYTES] __attribute__((aligned(8)));
	socklen_t from_len = sizeof(from);
	const struct nlmsghdr *a = (const void *)buf;
	const struct nlmsgerr *err;
	ssize_t n;

	if (sendto(fd, h, h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	if (n < 0)
		return -errno;
	if (from.nl_pid != 0 || !mnl_nlmsg_ok(a, (int)n) || a->nlmsg_type != NLMSG_ERROR ||
	    mnl_nlmsg_get_payload_len(a) < sizeof(*err))
		return -EPROTO;
	err = mnl_nlmsg_get_payload(a);
	return err->error;
}

static int bind_group(int fd, uint16_t group)
{
	struct nfulnl_msg_config_cmd cmd = {.command = NFULNL_CFG_CMD_BIND};
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, group);

	mnl_attr_put(h, NFULA_CFG_CMD, sizeof(cmd), &cmd);
	return ask(fd, h);
}

/* Each at once, its headers alone. */
static int set_up(int fd, uint16_t group)
{
	struct nfulnl_msg_config_mode mode = {.copy_range = htonl(PACKET_BYTES),
					      .copy_mode = NFULNL_COPY_PACKET};
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, group);

	mnl_attr_put(h, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(1));
	return ask(fd, h);
}

int nflog_open(uint16_t group, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	int r;

	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return err_sys(e, errno, "netfilter socket (CONFIG_NETFILTER_NETLINK)");
	r = bind_group(fd, group);
	/* The kernel has the same words for both. */
	if (r == -EPERM || r == -EBUSY || r == -EEXIST)
		return err_set(e, ERR_BUSY, 0,
			       "somebody else listens to netfilter log group %u, or CAP_NET_ADMIN "
			       "is missing",
			       group);
	if (r == 0)
		r = set_up(fd, group);
	if (r < 0)
		return err_sys(e, -r, "netfilter log (CONFIG_NETFILTER_NETLINK_LOG)");
	*ret_fd = fd_take(&fd);
	return 0;
}

static void take(const struct nlmsghdr *h, void (*fn)(const uint8_t *packet, size_t len, void *arg),
		 void *arg)
{
	const struct nlattr *a;

	if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(struct nfgenmsg))
		return;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFULA_PAYLOAD)
			fn(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), arg);
	}
}

int nflog_read(int fd, void (*fn)(const uint8_t *packet, size_t len, void *arg), void *arg,
	       struct err *e)
{
	char buf[RECV_BYTES] __attribute__((aligned(8)));

	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &from_len);
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)n;

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return err_sys(e, errno, "netfilter log");
		if (n < 0 || from.nl_pid != 0)
			continue;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take(h, fn, arg);
	}
	return 0;
}
