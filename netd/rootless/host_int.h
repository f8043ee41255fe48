/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_int: what host.c and hostports.c share. Private to this room. */
#ifndef NETD_ROOTLESS_HOST_INT_H
#define NETD_ROOTLESS_HOST_INT_H

#include "rootless/dir.h"
#include "rootless/host.h"
#include "rootless/keep.h"
#include "rootless/lookout.h"
#include "rootless/rootless.h"
#include "rootless/uplink.h"

#define UPLINK_ID "uplink"
#define UPLINK_IFNAME "uplink0"
#define HOST_STATE "net"

struct host {
	int base_fd, lock_fd; /* DIR and its lock */
	int fd;               /* DIR/host */
	struct keep keep;
	struct lookout lookout;
	struct rootless *uplink;
	struct uplink_record before;     /* of this call */
	bool is_changed;                 /* by this call: the record's engine */
	char path[ROOTLESS_DIR_MAX + 1]; /* of DIR/host */
	char state[ROOTLESS_DIR_MAX + sizeof("/" HOST_STATE)];
};

/* Publishes all that is on record anew. The number of attachments' ports that could not be had; e
 * tells which. */
int hostports_again(struct host *h, struct err *e);

#endif
