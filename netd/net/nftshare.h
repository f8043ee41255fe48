/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftshare: one netlink socket that several processes write through. A table with the flag `owner`
 * belongs to the socket that made it, and the kernel refuses everybody else; so whoever holds our
 * tables hands that very socket to who asks at its door and is root. What is written through it is
 * written under a lock, so that answers find whom they are for.
 */
#ifndef NETD_NET_NFTSHARE_H
#define NETD_NET_NFTSHARE_H

#include <stdint.h>

#include "base/err.h"

struct nftshare;

/* A new socket, and its lock. */
int nftshare_make(struct nftshare **ret, struct err *e);
/* One that a former program of this process has made; the descriptors stay the caller's on an
 * error.
 */
int nftshare_adopt(int fd, int lock_fd, struct nftshare **ret, struct err *e);
/* The one that is handed out at `door`. is_like: a netlink socket of ours, of the namespace that it
 * must be of too. 1: nobody is there. Waits for a moment at most. */
int nftshare_fetch(const char *door, int is_like, struct nftshare **ret, struct err *e);
void nftshare_closep(struct nftshare **s);

int nftshare_fd(const struct nftshare *s);
int nftshare_lock_fd(const struct nftshare *s);
uint32_t nftshare_port(const struct nftshare *s); /* its number, by which a table knows its owner */

/* From here to the end nobody else writes or reads, and nothing is left to be read. ERR_BUSY when
 * others do not let go. *ret_seq: a sequence number that nobody has used lately. Inherited by a
 * fork, it locks out the parent and its other children too. */
int nftshare_begin(struct nftshare *s, uint32_t *ret_seq, struct err *e);
/* next_seq: the first that was not used. */
void nftshare_end(struct nftshare *s, uint32_t next_seq);

/* The door: a socket at that path for root alone; what a dead one left there is replaced. */
int nftshare_listen(const char *door, int *ret_fd, struct err *e);
/* Serves whoever waits there, and returns at once; strangers get nothing. s NULL: all are sent
 * away. */
void nftshare_serve(int door_fd, const struct nftshare *s);

#endif
