/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe: which kernel features are there. Each is found out by trying it where that is cheap, and
 * can be forced off by NETNS_UP_WITHOUT="name,name" or "linux-6.1" (everything newer than that
 * kernel), so that each fallback is tested on any machine. Forcing off is the only thing the
 * variable can do.
 */
#ifndef NETD_SYS_PROBE_H
#define NETD_SYS_PROBE_H

#include <stdbool.h>

enum probe {
	PROBE_IPV6_FORCE_FORWARDING, /* net.ipv6.conf.IF.force_forwarding, Linux 6.17 */
	PROBE_PIDFD_GET_NETNS,       /* ioctl PIDFD_GET_NET_NAMESPACE, Linux 6.11 */
	PROBE_PIDFD_OPEN,            /* Linux 5.3 */
	PROBE_CT_FILTER_FLUSH,       /* conntrack delete with CTA_FILTER */
	PROBE_LANDLOCK,              /* Linux 5.13, where it is switched on */
	PROBE_LANDLOCK_NET,          /* TCP ports in it, Linux 6.7 */
	PROBE_LANDLOCK_SCOPE,        /* signals and abstract sockets in it, Linux 6.12 */
	PROBE_TUN_OFFLOAD,           /* checksums and TCP super-segments over a tap */
	PROBE_TUN_USO,               /* UDP ones (TUN_F_USO4), Linux 6.2 */
	PROBE_NFT_OWNER,             /* tables that outlive their owner, Linux 6.9 */
	PROBE_NFT_KEEP,              /* tables that their owner takes along, Linux 5.12 */
	PROBE_BRIDGE_VLAN,           /* CONFIG_BRIDGE_VLAN_FILTERING */
	PROBE_RING_SOCKET,           /* sockets by io_uring, Linux 5.19 */
	PROBE_TPROXY,                /* transparent proxying by nftables' tproxy and socket */
	PROBE_POLICY_ROUTING,        /* routing rules (CONFIG_IP_MULTIPLE_TABLES) */
	PROBE_NFT_BOUNDS,            /* limits in elements of sets, Linux 5.7 */
	PROBE_NFT_COUNTERS,          /* counters in elements of maps, Linux 5.7 */
	PROBE_NFT_LOG,               /* packets to who listens, by rules */
	N_PROBES,
};

/* The name as used in NETNS_UP_WITHOUT and in messages ("ipv6-force-forwarding"). */
const char *probe_name(enum probe p);
/* True unless the environment forces it off. A caller still handles the kernel's own no. */
bool probe_allowed(enum probe p);
/* Allowed, and the kernel in fact has it (tests the sysctl file, or the system call once). */
bool probe_has(enum probe p);
/* The running kernel's release, whatever the environment says. */
bool probe_release(unsigned *ret_major, unsigned *ret_minor);

#endif
