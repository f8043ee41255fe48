/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tun: tap devices (TUNSETIFF, tuntap.rst in the kernel's documentation). A tap that we make lives
 * as long as its descriptor; one that was made before (persistent) stays when we leave.
 */
#ifndef NETD_SYS_TUN_H
#define NETD_SYS_TUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TUN_NAME_STRLEN 16

/* Opens the tap `name` of the caller's network namespace, whether it is there or not yet, for whole
 * Ethernet frames behind a virtio_net_hdr (IFF_VNET_HDR). Needs CAP_NET_ADMIN over the namespace
 * unless the tap was made for this user. *ret_fd is O_NONBLOCK. 0 when it was made, 1 when it was
 * there; ERR_CONFLICT: it is there and somebody reads it, or it is no tap. */
int tun_open(const char *name, int *ret_fd, struct err *e);

/* Whether the caller may open taps at all. ERR_DENIED or ERR_UNSUPPORTED says what would help. */
int tun_may_open(struct err *e);

/* Of a descriptor that somebody handed us: checks that it is a tap with frames that carry
 * no packet information, and reads its name. ERR_USAGE when it is not. */
int tun_check(int fd, char ret_name[TUN_NAME_STRLEN], struct err *e);

#endif
