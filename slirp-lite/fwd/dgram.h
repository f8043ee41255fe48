/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dgram: UDP of clients on this host, carried on to the container; one flow for each client socket.
 */
#ifndef SLIRP_LITE_FWD_DGRAM_H
#define SLIRP_LITE_FWD_DGRAM_H

#include <stdint.h>

#include "fwd/dest.h"

#define DGRAM_MAX 16384 /* flows at once; one more takes the place of the one unused longest */
/* RFC 4787 REQ-5: two minutes at least for a flow in use; a question and its answer need less. */
#define DGRAM_ONE_SHOT_MS 30000
#define DGRAM_STREAM_MS 120000

struct dgram;

/* Allocates all it will ever need. 0 or -errno. */
int dgram_new(int epoll_fd, struct dgram **ret);
/* Reads what clients sent to a published socket, a bounded number. */
void dgram_receive(struct dgram *d, int port_fd, uint32_t port, const struct dest *to,
		   uint64_t now_ms);
/* A flow has answers, or an error. Events of flows that are gone are ignored. */
void dgram_event(struct dgram *d, uint32_t index, uint32_t gen, uint64_t now_ms);
/* Ends flows that are over. Milliseconds until the next is, -1 when there is none. */
int dgram_expire(struct dgram *d, uint64_t now_ms);
/* Ends every flow of this port. */
void dgram_cut(struct dgram *d, uint32_t port);

#endif
