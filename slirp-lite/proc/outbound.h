/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbound: the source address that --outbound-addr names, by itself or by its interface. */
#ifndef SLIRP_PROC_OUTBOUND_H
#define SLIRP_PROC_OUTBOUND_H

#include "base/err.h"
#include "model/addr.h"

/* value is an address of the family or the name of an interface that has one (the first that is not
 * link-local). The address must be one of this host's. */
int outbound_find(const char *value, int fam, struct ip *ret, struct err *e);

#endif
