/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iface: what a result says of an interface of the namespace the caller is in, and setting lo up
 * (for the loopback plugin). By ioctl(2) (netdevice(7)): everything else is the engine's. */
#ifndef CNI_PLUGIN_IFACE_H
#define CNI_PLUGIN_IFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"

struct iface {
	struct mac mac;
	uint32_t mtu;
	bool is_up;
};

/* 0, 1: there is none. name is a checked one. */
int iface_get(const char *name, struct iface *ret, struct err *e);
int iface_set_up(const char *name, struct err *e);
/* The name is a bridge in the namespace the caller is in. */
bool iface_is_bridge(const char *name);

#endif
