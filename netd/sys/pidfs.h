/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidfs: ioctl numbers of <linux/pidfd.h> (Linux 6.11) and socket options that the headers of the
 * oldest supported distribution do not have. Private to this room. */
#ifndef NETD_SYS_PIDFS_H
#define NETD_SYS_PIDFS_H

#include <sys/ioctl.h>
#include <sys/socket.h>

#define PIDFS_GET_NET_NAMESPACE _IO(0xFF, 4)

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

#endif
