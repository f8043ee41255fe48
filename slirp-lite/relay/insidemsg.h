/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insidemsg: the messages between the worker and the process that makes sockets inside the
 * container's network namespace, over a SOCK_SEQPACKET pair. Fixed layout; both ends are the same
 * program, forked. A request is answered by one message with n_fds descriptors; fewer than were
 * asked for, with errno in sys, when the system is out of something. What is no sound request is
 * not answered.
 */
#ifndef SLIRP_LITE_RELAY_INSIDEMSG_H
#define SLIRP_LITE_RELAY_INSIDEMSG_H

#include <stdint.h>

#include "model/addr.h"
#include "sys/fdpass.h"

#define INSIDEMSG_MAX FDPASS_MAX /* sockets a request */

struct insidemsg_ask {
	uint32_t id;     /* the worker's choice, repeated in the answer */
	uint16_t family; /* AF_INET, AF_INET6 */
	uint16_t type;   /* SOCK_STREAM, SOCK_DGRAM */
	uint32_t n;      /* 1 to INSIDEMSG_MAX */
	/* Family 0: nobody's. Else one of SOCK_STREAM that is bound to this address, which is not
	 * the namespace's own (IP_TRANSPARENT). */
	struct ip from;
	uint16_t from_port;
};

struct insidemsg_answer {
	uint32_t id;
	uint32_t n_fds;
	int32_t sys; /* 0 when there are as many as were asked for */
};

#endif
