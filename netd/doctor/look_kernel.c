/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * look_kernel: what the kernel has is found out by using it, in a network namespace of a child's
 * own that goes with the child: a configuration file does not say which modules are there to be
 * loaded. What the caller may not try (as an ordinary user where user namespaces are closed) stays
 * untried; check_user says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "doctor/look.h"
#include "net/link.h"
#include "net/nft.h"
#include "sys/netns.h"
#include "sys/tun.h"

#define TRIAL_MS 10000

struct trial {
	bool is_tried[N_FEATURES];
	int missing[N_FEATURES];
};

/* Of a refusal: is it for want of the feature? Anything else says nothing. */
static void note(struct trial *t, enum facts_feature k, int r)
{
	static const int lacks[] = {EOPNOTSUPP,   ENOENT, ENODEV, EPROTONOSUPPORT,
				    EAFNOSUPPORT, ENOSYS, ENXIO};

	if (r >= 0) {
		t->is_tried[k] = true;
		return;
	}
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
		if (r == -lacks[i]) {
			t->is_tried[k] = true;
			t->missing[k] = -r;
		}
}

static void try_links(struct trial *t)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct veth_spec v = {.host_ifname = "tryout0",
			      .ctr_ifname = "tryout1",
			      .host_mac = {{2, 0, 0, 0, 0, 1}},
			      .ctr_mac = {{2, 0, 0, 0, 0, 2}},
			      .mtu = 1500};
	struct bridge_spec b = {
		.name = "tryout2", .mac = {{2, 0, 0, 0, 0, 3}}, .mtu = 1500, .keep_down = true};
	CLEAN_FD int self = -1;
	uint32_t host, ctr;

	if (rtnl_open(&r, NULL) < 0 || netns_open_self(&self, NULL) < 0)
		return;
	v.ctr_netns_fd = self;
	note(t, FEATURE_VETH, link_veth_add(r, &v, &host, &ctr, NULL));
	note(t, FEATURE_BRIDGE, link_bridge_add(r, &b, &host, NULL));
}

static void try_rules(struct trial *t)
{
	static const struct {
		enum facts_feature k;
		const char *text;
	} rules[] = {
		{FEATURE_NFT_INET, "add table inet t\n"
				   "add chain inet t c { type filter hook forward priority 0; }\n"},
		{FEATURE_NFT_BRIDGE, "add table bridge t\nadd chain bridge t c "
				     "{ type filter hook prerouting priority -300; }\n"},
		{FEATURE_NFT_FIB, "add rule inet t c fib daddr type local drop\n"},
		{FEATURE_NFT_CT, "add rule inet t c ct status dnat accept\n"},
		{FEATURE_NFT_NAT,
		 "add chain inet t n { type nat hook prerouting priority dstnat; }\n"
		 "add rule inet t n meta nfproto ipv4 tcp dport 1 dnat ip to 192.0.2.1\n"},
		{FEATURE_NFT_MASQ,
		 "add chain inet t m { type nat hook postrouting priority srcnat; }\n"
		 "add rule inet t m masquerade\n"},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		/* In what is not there no rule can be tried. */
		if (i > 1 && (!t->is_tried[FEATURE_NFT_INET] || t->missing[FEATURE_NFT_INET]))
			return;
		note(t, rules[i].k, nft_run(rules[i].text, NULL));
	}
}

static void try_sockets(struct trial *t)
{
	CLEAN_FD int v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CLEAN_FD int tap = -1;
	struct err e = ERR_INIT;
	int r;

	note(t, FEATURE_IPV6, v6 < 0 ? -errno : 0);
	/* A device that is not there or closed is another matter. */
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return;
	r = tun_open("tryout3", &tap, &e);
	note(t, FEATURE_TUN, r < 0 && e.sys ? -e.sys : r);
}

static _Noreturn void child(const struct facts *f, int to)
{
	struct trial t = {.is_tried = {false}};
	int flags = CLONE_NEWNET | (f->is_powerful ? 0 : CLONE_NEWUSER);

	if (unshare(flags) < 0) {
		/* EINVAL: the kernel knows no such flag. */
		if (errno == EINVAL) {
			enum facts_feature k = f->is_powerful ? FEATURE_NETNS : FEATURE_USERNS;
			t.is_tried[k] = true;
			t.missing[k] = EINVAL;
		}
	} else {
		nft_use_child(true);
		t.is_tried[FEATURE_NETNS] = true;
		try_links(&t);
		if (f->is_powerful)
			try_rules(&t);
		try_sockets(&t);
		if (f->is_powerful && access("/proc/self/ns/user", F_OK) < 0 && errno == ENOENT) {
			t.is_tried[FEATURE_USERNS] = access("/proc/self/ns/net", F_OK) == 0;
			t.missing[FEATURE_USERNS] = EINVAL;
		}
	}
	(void)fd_write_all(to, &t, sizeof(t), NULL);
	_exit(0);
}

/* The answer; false when there is none in time. */
static bool receive(int fd, struct trial *ret)
{
	uint64_t deadline = clock_ms() + TRIAL_MS;
	size_t n = 0;

	while (n < sizeof(*ret)) {
		int r = fd_await(fd, POLLIN, deadline);
		ssize_t k = r > 0 ? read(fd, (char *)ret + n, sizeof(*ret) - n) : 0;

		if (k <= 0)
			return false;
		n += (size_t)k;
	}
	return true;
}

void look_kernel(struct facts *f)
{
	CLEAN_FD int from = -1;
	struct trial t = {.is_tried = {false}};
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	from = fds[0];
	pid = fork();
	if (pid == 0)
		child(f, fds[1]);
	close(fds[1]);
	if (pid < 0)
		return;
	bool has = receive(from, &t);
	if (!has)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!has)
		return;
	memcpy(f->is_tried, t.is_tried, sizeof(f->is_tried));
	memcpy(f->missing, t.missing, sizeof(f->missing));
}
