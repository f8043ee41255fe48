/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tune: the keys of the tuning plugin, which `netd` takes too: sysctls (within the host's
 * allow-list), MAC address, MTU, promiscuity, queue length. Values only. */
#ifndef CNI_PLUGIN_TUNE_H
#define CNI_PLUGIN_TUNE_H

#include "cni-plugin/conf.h"
#include "model/attachment.h"

#define TUNE_ALLOW_LIST "/etc/cni/tuning/allowlist.conf"

/* New array in *ret_sysctl. mac and mtu are left to the caller. */
int tune_parse(const struct conf *c, const char *ifname, struct attach_tune *ret,
	       struct attach_sysctl **ret_sysctl, size_t *ret_n, struct fault *f);
/* text: lines of extended regular expressions; a key must match one of them. */
int tune_check_allowed(const char *text, json_t *sysctl, struct fault *f);
/* 0 or 68..65535. */
int tune_mtu(const struct conf *c, uint32_t *ret, struct fault *f);

#endif
