/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: the engine's connections and their requests (model/fwdmsg.h). */
#ifndef SLIRP_LITE_FWD_CONTROL_H
#define SLIRP_LITE_FWD_CONTROL_H

#include <stdint.h>
#include <sys/types.h>

#include "fwd/ports.h"

#define CONTROL_MAX 1024 /* connections at once; more wait in the queue */
/* A connection that says nothing for so long is closed: it may not keep us from ending for ever. */
#define CONTROL_IDLE_MS 30000
#define CONTROL_REST_MS 100

struct control;

/* listen_fd stays the caller's; starter: the user whose connections are served beside root's. */
int control_new(int epoll_fd, int listen_fd, uid_t starter, struct ports *ports,
		struct control **ret);
/* Takes in waiting connections. */
void control_accept(struct control *c, uint64_t now_ms);
void control_event(struct control *c, uint32_t index, uint32_t gen, uint32_t events,
		   uint64_t now_ms);
/* Closes idle ones. Milliseconds until the next look is due, -1 when there is none. */
int control_expire(struct control *c, uint64_t now_ms);
uint32_t control_count(const struct control *c);
/* For a forwarder that cannot begin: tells the first connection why, in place of an answer. */
void control_refuse(int listen_fd, int sys, const char *step, int wait_ms);

#endif
