/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bootid: /proc/sys/kernel/random/boot_id, checked to be a UUID. out has 37 bytes. */
#ifndef NETD_SYS_BOOTID_H
#define NETD_SYS_BOOTID_H

#include "base/err.h"

int bootid_get(char out[37], struct err *e);

#endif
