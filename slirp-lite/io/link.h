/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: frames to and from the container: a tap with a virtio_net_hdr and offloads, a tap without,
 * or a socketpair (tests, bess). One frame a read and a write. Knows no protocol.
 */
#ifndef SLIRP_IO_LINK_H
#define SLIRP_IO_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

#define LINK_FRAME_MAX 65600 /* one super-segment with its headers */

enum link_gso { LINK_GSO_NONE, LINK_GSO_TCP4, LINK_GSO_TCP6, LINK_GSO_UDP };

struct link_caps {
	bool has_vnet_hdr; /* every frame begins with struct virtio_net_hdr */
	bool has_csum;     /* partial checksums pass both ways */
	bool has_tso;      /* TCP super-segments pass both ways, both families */
	bool has_uso;      /* UDP ones (Linux 6.2) */
};

/* What comes beside a frame's bytes. */
struct link_meta {
	bool is_partial;      /* the L4 checksum is not computed: csum_start, csum_offset */
	bool is_valid;        /* incoming: its checksum needs no check */
	uint16_t csum_start;  /* from the start of the frame */
	uint16_t csum_offset; /* from csum_start */
	enum link_gso gso;
	uint16_t gso_size; /* payload bytes of each segment */
	uint16_t hdr_len;  /* all headers up to the payload */
};

struct link {
	int fd; /* not owned */
	bool is_raw;
	struct link_caps caps;
};

/* Asks a tap descriptor what it can do and switches on what the program uses; fd is O_NONBLOCK
 * afterwards. NETNS_UP_WITHOUT (sys/probe) forces offloads off. is_raw: a socket with plain frames
 * (SOCK_SEQPACKET or SOCK_DGRAM; frames above the MTU do not pass it).
 */
int link_init(struct link *l, int fd, bool is_raw, struct err *e);
/* The next frame into buf (size >= LINK_FRAME_MAX). Its length; 0: none now; -errno: the link is
 * gone. *ret_frame points to the frame within buf. A meta that makes no sense is -EBADMSG (drop).
 */
ssize_t link_read(struct link *l, uint8_t *buf, size_t size, const uint8_t **ret_frame,
		  struct link_meta *ret);
/* Writes one frame, gathered from at most 40 pieces. 0, -EAGAIN (dropped, count it), or -errno: the
 * link is gone. m NULL: plain. */
int link_write(struct link *l, const struct link_meta *m, const struct iovec *iov, int n_iov);

#endif
