/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsdports: the ports that programs in the container serve, as one message from the process that
 * watches them (proc/nsd.h), and the difference of two. A message is the head of struct nsdports
 * and n entries, in ascending order of protocol and port, none twice. Who sends it is not trusted:
 * nsdports_decode checks all of it. Pure.
 */
#ifndef SLIRP_PROC_NSDPORTS_H
#define SLIRP_PROC_NSDPORTS_H

#include <stddef.h>
#include <stdint.h>

#define NSDPORTS_VERSION 1
#define NSDPORTS_MAX 8192

enum { NSDPORTS_V4 = 1 << 0, NSDPORTS_V6 = 1 << 1 };

struct nsdports_entry {
	uint16_t port;
	uint8_t proto;    /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t families; /* in which of them it is reached: NSDPORTS_V4, NSDPORTS_V6 */
};

struct nsdports {
	uint32_t version;
	int32_t sys; /* errno when the kernel did not tell them; the list is empty then */
	uint32_t n;
	uint32_t n_left_out; /* there were more than NSDPORTS_MAX */
	struct nsdports_entry list[NSDPORTS_MAX];
};

#define NSDPORTS_HEAD offsetof(struct nsdports, list)

size_t nsdports_size(const struct nsdports *p); /* of the message */
/* 0, or -EPROTO and *ret is as it was. */
int nsdports_decode(const void *data, size_t len, struct nsdports *ret);

/* was, is: families before and now, 0: not served. Ports that lose a family come first, so that who
 * closes and opens listeners by it never holds more than it must. */
typedef void nsdports_change(void *arg, uint8_t proto, uint16_t port, uint8_t was, uint8_t is);
void nsdports_diff(const struct nsdports *was, const struct nsdports *is, nsdports_change *fn,
		   void *arg);

#endif
