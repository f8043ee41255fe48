/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elem_int: what the files of elem share. Private to elem*.c. */
#ifndef NETD_NET_ELEM_INT_H
#define NETD_NET_ELEM_INT_H

#include "net/elem.h"

/* The next element, zeroed but for set and comment; NULL without memory. */
struct elem *elem_append(struct elem_list *l, enum set_id set, const char *comment);
/* A change of MAC address is under way, or was when the process was killed. */
bool elem_changes_mac(const struct attachment *a);
/* elem_policy.c: what a policy adds to an attachment. -ENOMEM. */
int elem_append_policy(const struct attachment *a, const char *comment, struct elem_list *out);

#endif
