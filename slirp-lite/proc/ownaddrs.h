/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ownaddrs: the addresses of the host, read once, in the caller's namespace. */
#ifndef SLIRP_PROC_OWNADDRS_H
#define SLIRP_PROC_OWNADDRS_H

#include "base/err.h"
#include "flow/policy.h"

/* Into p->own, as many as there is room for. */
int ownaddrs_read(struct policy *p, struct err *e);

#endif
