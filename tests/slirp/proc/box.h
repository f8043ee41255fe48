/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * box: a container for the tests of what is done inside one: a process that is root of a user
 * namespace and a network namespace of its own, whose loopback is up, and does what it is told.
 */
#ifndef TESTS_SLIRP_PROC_BOX_H
#define TESTS_SLIRP_PROC_BOX_H

#include <stdint.h>
#include <sys/types.h>

#define BOX_USER 1500

struct box {
	pid_t pid;
	int channel;
	int netns_fd, userns_fd;
};

/* Becomes BOX_USER when it is root; before everything else. */
void box_become_user(void);
void box_start(struct box *b);
void box_end(struct box *b);

/* Each: >= 0 or -errno. Handles are the box's own descriptors. */
int box_listen(const struct box *b, const char *ip, uint16_t port);
int box_listen_v6only(const struct box *b, uint16_t port);        /* on :: */
int box_bind(const struct box *b, const char *ip, uint16_t port); /* UDP */
/* UDP, bound and connected to ip. */
int box_bind_connected(const struct box *b, const char *ip, uint16_t port);
int box_close(const struct box *b, int handle);
/* n ports from first on, TCP; handles are not kept. */
int box_listen_many(const struct box *b, uint16_t first, uint16_t n);
/* Echoes what one client of the listener sends until it ends; returns the number of bytes. */
int box_echo(const struct box *b, int handle);
/* Receives one datagram and sends it back; its length. */
int box_echo_datagram(const struct box *b, int handle);
/* fn(handle) in one more process of the container; its pid. It goes with the box. */
int box_run(const struct box *b, int handle, void (*fn)(int fd));
/* As the root that it is, on any process: ptrace(2); its memory in two other ways; a signal. */
int box_trace(const struct box *b, pid_t pid);
int box_read_memory(const struct box *b, pid_t pid);
int box_open_memory(const struct box *b, pid_t pid);
/* The same on a process of its own, which must go. */
int box_trace_own(const struct box *b);

#endif
