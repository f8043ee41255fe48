/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attr: netlink attributes of netfilter's messages, found by their type: the first of that type,
 * NULL when there is none. What is inside is the reader's to check. Read netlink(7),
 * linux/netlink.h.
 */
#ifndef NETD_NET_ATTR_H
#define NETD_NET_ATTR_H

#include <stdint.h>

struct nlattr;
struct nlmsghdr;

/* Of a message, behind its struct nfgenmsg. */
const struct nlattr *attr_top(const struct nlmsghdr *h, uint16_t type);
/* Of another one; NULL below NULL. */
const struct nlattr *attr_below(const struct nlattr *nest, uint16_t type);
/* Its text; NULL: it is none, or a is NULL. */
const char *attr_text(const struct nlattr *a);
/* Its number, which is in network order there; 0: likewise. */
uint32_t attr_number(const struct nlattr *a);

#endif
