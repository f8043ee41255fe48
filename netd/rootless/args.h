/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args: the command line of the slirp-lite that carries an attachment. */
#ifndef NETD_ROOTLESS_ARGS_H
#define NETD_ROOTLESS_ARGS_H

#include <stddef.h>

#include "model/attach.h"
#include "rootless/rootless.h"

#define ARGS_LOOPBACK_MAX 16

struct args {
	char *v[40 + 2 * ARGS_LOOPBACK_MAX];
	size_t n;
	char to[ATTACH_EGRESS_STRLEN], not_to[ATTACH_EGRESS_STRLEN];
	char rate_in[ATTACH_RATE_STRLEN], rate_out[ATTACH_RATE_STRLEN];
	char mtu[12], target[16], mac[MAC_STRLEN];
	char ip[N_FAM][IP_STRLEN];
};

/* Adds to *ret, which is all zero and holds the texts; some are q's and path's, the control
 * socket's. ERR_USAGE. */
int args_make(const struct rootless_request *q, const char *path, struct args *ret, struct err *e);

#endif
