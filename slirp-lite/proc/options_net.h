/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options_net: the options that choose the guest's network and its address in it. */
#ifndef SLIRP_PROC_OPTIONS_NET_H
#define SLIRP_PROC_OPTIONS_NET_H

#include "base/err.h"
#include "proc/options.h"

/* Setters of the table of options: into is struct options. */
int options_set_cidr(void *into, const char *value, struct err *e);
int options_set_cidr6(void *into, const char *value, struct err *e);
int options_set_guest(void *into, const char *value, struct err *e);
int options_set_guest6(void *into, const char *value, struct err *e);

/* When all are read: fills in the networks that were not named, and checks that each address is one
 * for the guest. 0, or -EINVAL with ERR_USAGE: one line that names the option. */
int options_settle_net(struct options *o, struct err *e);

#endif
