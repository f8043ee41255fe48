/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uplink: the record of the way out of a user's host: which engine was asked for, which process it
 * is; and which one answers names there. Private to this room. */
#ifndef NETD_ROOTLESS_UPLINK_H
#define NETD_ROOTLESS_UPLINK_H

#include <stdint.h>

#include "base/err.h"

#define UPLINK_FILE "uplink"
#define UPLINK_ENGINE_STRLEN 8

struct uplink_record {
	char engine[UPLINK_ENGINE_STRLEN]; /* "": none was asked for */
	int32_t pid;                       /* 0: none yet */
	uint64_t start;                    /* of the process, in the kernel's ticks since boot */
	int32_t names_pid;                 /* 0: none is needed */
	uint64_t names_start;
};

/* 0; 1: there is none, and *ret is empty. */
int uplink_load(int dir_fd, struct uplink_record *ret, struct err *e);
int uplink_save(int dir_fd, const struct uplink_record *u, struct err *e);

#endif
