/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports: the published sockets and what each of them leads to. */
#ifndef SLIRP_LITE_FWD_PORTS_H
#define SLIRP_LITE_FWD_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/dgram.h"
#include "relay/relay.h"
#include "model/fwdmsg.h"

#define PORTS_MAX 65536
/* How long a listener rests when the system is out of descriptors or memory. */
#define PORTS_REST_MS 100

struct ports;

/* Allocates all it will ever need. relay and dgram stay the caller's. 0 or -errno. */
int ports_new(int epoll_fd, struct relay *relay, struct dgram *dgram, struct ports **ret);
/* Serves fd as m says; owns it from then on, and on success only. 0 or -errno. */
int ports_add(struct ports *p, const struct fwdmsg *m, int fd);
void ports_remove(struct ports *p, const struct fwdmsg *m);
/* The first socket of key ("": of any) at or after *at, which is moved past it; false at the end.
 */
bool ports_list(const struct ports *p, const char *key, uint32_t *at, struct fwdmsg *ret);
void ports_event(struct ports *p, uint32_t index, uint32_t gen, uint64_t now_ms);
/* Wakes listeners that have rested. Milliseconds until the next is due, -1 when none rests. */
int ports_wake(struct ports *p, uint64_t now_ms);
uint32_t ports_count(const struct ports *p);

#endif
