/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outside_ring: an io_uring that opens sockets with the credentials of whoever made it. Private to
 * this room. */
#ifndef NETD_SYS_OUTSIDE_RING_H
#define NETD_SYS_OUTSIDE_RING_H

struct outside_ring {
	int fd;          /* -1: there is none */
	int personality; /* the credentials' number */
	unsigned sq_array, sq_tail, cqes;
	unsigned n_sq, n_cq;
};

/* 0 or -errno. */
int outside_ring_open(struct outside_ring *r);
void outside_ring_close(struct outside_ring *r);
/* The socket, in the network namespace of the caller, or -errno. */
int outside_ring_socket(const struct outside_ring *r, int domain, int type, int protocol);

#endif
