/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iptlegacy: what iptables of the old kind, not over nf_tables, does with forwarded packets. */
#ifndef NETD_NET_IPTLEGACY_H
#define NETD_NET_IPTLEGACY_H

#include <stdbool.h>
#include <stddef.h>

/* fam: FAM4 or FAM6. True: its filter table is in use here and FORWARD's policy is DROP. Loads no
 * module and makes no table. False also when it cannot be told. */
bool iptlegacy_drops(int fam);

/* PURE: the policy in what the kernel hands out: entries of len bytes, the policy's entry at
 * offset `at`. 1: DROP, 0: ACCEPT, -EPROTO: the bytes break their format. */
int iptlegacy_policy(const void *entries, size_t len, size_t at, int fam);

#endif
