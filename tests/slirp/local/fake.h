/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake: a container and a host made of memory for the gateway's services: what they emit and learn
 * is kept, host sockets are entries of a table, time is a number. Stands in for emit, io/loop and
 * io/host; timers are the real ones.
 */
#ifndef TESTS_SLIRP_LOCAL_FAKE_H
#define TESTS_SLIRP_LOCAL_FAKE_H

#include "local/local.h"

struct fake_frame {
	uint16_t ethertype; /* 0: an IP packet */
	struct mac dst;     /* of emit_frame */
	struct emit_ip h;
	uint8_t data[4096]; /* transport header and payload, or the frame's payload */
	size_t len;
};

struct fake_learned {
	struct ip ip;
	struct mac mac;
};

struct fake_socket {
	bool is_open, is_connected;
	int family;
	struct sockaddr_storage to;
	uint8_t sent[2048];
	size_t n_sent; /* bytes of the last message */
	struct source *source;
	const uint8_t *inbox; /* one message, or an error */
	size_t inbox_len;
	int inbox_error;
};

#ifndef FAKE_SOCKETS
#define FAKE_SOCKETS 4096
#endif

struct fake {
	struct plan plan;
	struct stats stats;
	struct wheel *wheel;
	struct local *local;
	uint64_t now;
	size_t n_frames;
	struct fake_learned learned[16];
	size_t n_learned;
	struct ip near; /* emit_is_near */
	size_t n_sockets, n_open;
	int socket_error;
	struct ip unreachable; /* connect() to it fails */
	struct ip own; /* the host's; others are spoken to as 198.51.100.200 or 2001:db8:9::1 */
	struct policy policy;
	/* What follows is not cleared by fake_setup. */
	struct fake_frame frames[64];             /* the last ones */
	struct fake_socket sockets[FAKE_SOCKETS]; /* fd 1000 + index */
};

extern struct fake fake;

int fake_setup(void **state);       /* the usual plan, a local; for cmocka */
int fake_teardown(void **state);    /* fails when a socket was left open */
void fake_advance(uint64_t ms);     /* runs timers on the way */
struct fake_frame *fake_last(void); /* frame, and forgets it; NULL: none */
void fake_receive(struct fake_socket *s, const uint8_t *message, size_t len);
void fake_fail(struct fake_socket *s, int error);
struct fake_socket *fake_socket_at(size_t i); /* in the order they were made */
/* Feeds a datagram of the container: whole path from bytes. */
void fake_udp(const char *src, uint16_t sport, const char *dst, uint16_t dport, const uint8_t *data,
	      size_t len);

#endif
