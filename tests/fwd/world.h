/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: a host of our own for the forwarder's tests: a fresh network namespace (and user namespace
 * without root), servers that stand for containers, clients, and the forwarder as a child to watch.
 */
#ifndef TESTS_FWD_WORLD_H
#define TESTS_FWD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "model/addr.h"
#include "net/reserve.h"

#define WORLD_WAIT_MS 30000

/* Enters it; also makes this process the reaper of orphans, so that a forwarder becomes its child.
 */
void world_enter(void);
/* The address of a text and a port. */
socklen_t world_address(const char *ip, uint16_t port, struct sockaddr_storage *ret);
/* A server in a process of its own: for SOCK_STREAM handler gets each connection in one more
 * process, for SOCK_DGRAM it gets the bound socket. Ready when the call returns. */
pid_t world_serve(const char *ip, uint16_t port, int type, void (*handler)(int fd));
void world_stop(pid_t *server);
/* Connected socket with a time limit on each call, or -errno. */
int world_connect(const char *ip, uint16_t port, int type);
/* Binds and commits one port under key "c1@eth0" for a container at 127.0.0.5 (and ::1 with six).
 */
void world_publish(uint8_t proto, uint16_t host_port, uint16_t ctr_port, bool six);
void world_release(const char *key);
/* The forwarder that runs, 0: none. */
pid_t world_forwarder(void);
/* Waits until it is gone; its wait status. */
int world_reap(pid_t pid);
/* Waits until there is no child at all, a forwarder that has yet to come up included. True when all
 * of them ended well. Not with servers running. */
bool world_reap_all(void);
void world_nap(unsigned int ms);

/* Bytes that can be told apart at any place: a generator, to write and to compare. */
struct stream {
	uint64_t state;
	uint8_t left[8];
	size_t n_left;
};
void stream_fill(struct stream *s, uint8_t *to, size_t n);
/* Sends n bytes of the stream seed, in uneven pieces. False on error. */
bool stream_send(int fd, uint64_t seed, size_t n);
/* Receives until the end of the stream; true when it was exactly n bytes of the stream seed. */
bool stream_receive(int fd, uint64_t seed, size_t n);

#endif
