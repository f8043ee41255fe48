/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsdscan: which ports are served in the network namespace of a socket: TCP sockets that listen,
 * UDP sockets that are bound and not connected, as the kernel tells them (NETLINK_SOCK_DIAG, dumps
 * filtered by state in the kernel, sock_diag(7)). Left out: what is reached from inside only
 * (loopback, link-local and multicast addresses, sockets bound to the loopback device), and UDP
 * ports of the ephemeral range, which are clients.
 */
#ifndef SLIRP_PROC_NSDSCAN_H
#define SLIRP_PROC_NSDSCAN_H

#include <stddef.h>
#include <stdint.h>

#include "proc/nsdports.h"

struct nsdscan_range {
	uint16_t first, last;
};

enum { NSDSCAN_TCP4, NSDSCAN_TCP6, NSDSCAN_UDP4, NSDSCAN_UDP6, NSDSCAN_SETS };

/* A bit for each port. */
struct nsdscan_sets {
	uint64_t bits[NSDSCAN_SETS][65536 / 64];
};

/* In the namespace that is to be watched, before the sandbox. 0 or -errno. */
int nsdscan_open(int *ret_fd);
struct nsdscan_range nsdscan_ephemeral(void);
/* Asks the kernel: four dumps. 0 or -errno. */
int nsdscan_run(int fd, const struct nsdscan_range *ephemeral, struct nsdscan_sets *ret);
/* Pure: one datagram of a dump with this sequence number. 1: that was all, 0: more comes, -errno:
 * the kernel's answer, -EPROTO: it makes no sense. */
int nsdscan_feed(const void *data, size_t len, uint32_t seq, uint8_t proto,
		 const struct nsdscan_range *ephemeral, struct nsdscan_sets *sets);
/* Pure: as a message. */
void nsdscan_list(const struct nsdscan_sets *sets, struct nsdports *ret);

#endif
