/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe: one table of the optional kernel features, with the release that brought each. What can be
 * tried without effect is tried; what cannot (a conntrack flush) goes by the release number. Never
 * switches a feature on that the kernel lacks: NETNS_UP_WITHOUT can only take away.
 */
#include "sys/probe.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "sys/pidfs.h"
#include "sys/sandbox.h"

static bool try_force_forwarding(void);
static bool try_pidfd_get_netns(void);
static bool try_pidfd_open(void);
static bool try_landlock(void);
static bool try_landlock_net(void);
static bool try_landlock_scope(void);

static const struct {
	const char *name;
	unsigned major, minor; /* the first release that has it */
	bool (*try)(void);     /* NULL: by the running kernel's release */
	bool per_netns;        /* the answer may differ between namespaces: not remembered */
} probes[N_PROBES] = {
	[PROBE_IPV6_FORCE_FORWARDING] = {"ipv6-force-forwarding", 6, 17, try_force_forwarding,
					 true},
	[PROBE_PIDFD_GET_NETNS] = {"pidfd-get-netns", 6, 11, try_pidfd_get_netns, false},
	[PROBE_PIDFD_OPEN] = {"pidfd-open", 5, 3, try_pidfd_open, false},
	[PROBE_CT_FILTER_FLUSH] = {"ct-filter-flush", 6, 11, NULL, false},
	[PROBE_LANDLOCK] = {"landlock", 5, 13, try_landlock, false},
	[PROBE_LANDLOCK_NET] = {"landlock-net", 6, 7, try_landlock_net, false},
	[PROBE_LANDLOCK_SCOPE] = {"landlock-scope", 6, 12, try_landlock_scope, false},
	[PROBE_TUN_OFFLOAD] = {"tun-offload", 2, 6, NULL, false},
	/* Tried by net/nftbatch.h, which also knows whether it may. */
	[PROBE_NFT_OWNER] = {"nft-owner-persist", 6, 9, NULL, false},
	/* Tried by loading them: engine/hostops.c. */
	[PROBE_NFT_BOUNDS] = {"nft-bounds", 5, 7, NULL, false},
	[PROBE_NFT_COUNTERS] = {"nft-counters", 5, 7, NULL, false},
	[PROBE_NFT_LOG] = {"nft-log", 3, 17, NULL, false},
	[PROBE_NFT_KEEP] = {"nft-owner", 5, 12, NULL, false},
	/* Only the kernel's configuration says: net/link_vlan.h asks it. */
	[PROBE_BRIDGE_VLAN] = {"bridge-vlan", 3, 9, NULL, false},
	/* Only a table that is loaded tells: proc/transparent.c of slirp-lite does. */
	[PROBE_TPROXY] = {"tproxy", 4, 19, NULL, false},
	/* Only a rule that is added tells: the same file adds them. */
	[PROBE_POLICY_ROUTING] = {"policy-routing", 2, 6, NULL, false},
	[PROBE_TUN_USO] = {"tun-uso", 6, 2, NULL, false},
	/* Whether it may be used is found out by using it. */
	[PROBE_RING_SOCKET] = {"ring-socket", 5, 19, NULL, false},
};

#define DIGITS "0123456789"
#define RELEASE_MAX 999

/* "6.1", "6.1.0-18-amd64"; what follows the minor number does not count. */
static bool parse_release(const char *s, unsigned *ret_major, unsigned *ret_minor)
{
	size_t a = strspn(s, DIGITS), b = s[a] == '.' ? strspn(s + a + 1, DIGITS) : 0;
	uint64_t major, minor;

	if (parse_u64_n(s, a, 0, RELEASE_MAX, &major) < 0 ||
	    parse_u64_n(s + a + 1, b, 0, RELEASE_MAX, &minor) < 0)
		return false;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return true;
}

static bool is_newer(enum probe p, unsigned major, unsigned minor)
{
	return probes[p].major > major || (probes[p].major == major && probes[p].minor > minor);
}

static bool try_force_forwarding(void)
{
	return access("/proc/sys/net/ipv6/conf/all/force_forwarding", F_OK) == 0;
}

static bool try_pidfd_open(void)
{
	CLEAN_FD int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return fd >= 0;
}

static bool try_pidfd_get_netns(void)
{
	CLEAN_FD int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	CLEAN_FD int net = pidfd < 0 ? -1 : ioctl(pidfd, PIDFS_GET_NET_NAMESPACE, 0);

	return net >= 0;
}

static bool try_landlock(void)
{
	return sandbox_landlock_abi() >= 1;
}

static bool try_landlock_net(void)
{
	return sandbox_landlock_abi() >= SANDBOX_LANDLOCK_NET;
}

static bool try_landlock_scope(void)
{
	return sandbox_landlock_abi() >= SANDBOX_LANDLOCK_SCOPE;
}

bool probe_release(unsigned *ret_major, unsigned *ret_minor)
{
	struct utsname u;

	return uname(&u) == 0 && parse_release(u.release, ret_major, ret_minor);
}

static bool by_release(enum probe p)
{
	unsigned major, minor;

	return probe_release(&major, &minor) && !is_newer(p, major, minor);
}

const char *probe_name(enum probe p)
{
	return (unsigned)p < N_PROBES ? probes[p].name : "unknown";
}

bool probe_allowed(enum probe p)
{
	const char *s = getenv("NETNS_UP_WITHOUT");

	while (s && *s) {
		size_t n = strcspn(s, ",");
		unsigned major, minor;

		if (n == strlen(probes[p].name) && strncmp(s, probes[p].name, n) == 0)
			return false;
		if (strncmp(s, "linux-", 6) == 0 && parse_release(s + 6, &major, &minor) &&
		    is_newer(p, major, minor))
			return false;
		s += n + (s[n] == ',');
	}
	return true;
}

bool probe_has(enum probe p)
{
	static signed char known[N_PROBES]; /* 0 not tried yet, 1 yes, -1 no */
	bool yes;

	if (!probe_allowed(p))
		return false;
	if (known[p])
		return known[p] > 0;
	yes = probes[p].try ? probes[p].try() : by_release(p);
	if (!probes[p].per_netns)
		known[p] = yes ? 1 : -1;
	return yes;
}
