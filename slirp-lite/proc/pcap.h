/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcap: the capture file of --pcap, made and headed here; the worker appends the frames. */
#ifndef SLIRP_PROC_PCAP_H
#define SLIRP_PROC_PCAP_H

#include "base/err.h"

#define PCAP_SNAPLEN 65600

/* Makes or empties path (mode 0600) and writes the file header: microseconds, Ethernet, host order.
 */
int pcap_create(const char *path, int *ret_fd, struct err *e);

#endif
