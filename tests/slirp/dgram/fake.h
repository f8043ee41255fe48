/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake: a host, a loop and a link made of tables, so that the datagram room is tested alone: what
 * it sends is written down, what it is told is said by the test, and the clock is the test's.
 */
#ifndef TESTS_SLIRP_DGRAM_FAKE_H
#define TESTS_SLIRP_DGRAM_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "dgram/ping.h"
#include "dgram/udp.h"
#include "flow/policy.h"
#include "wire/bytes.h"
#include "wire/icmp.h"

#ifndef FAKE_SOCKETS /* few where a fuzzer empties them for each input */
#define FAKE_SOCKETS 80
#endif
#define FAKE_SENT 600
#define FAKE_FRAMES 600
#ifndef FAKE_QUEUE
#define FAKE_QUEUE 64
#endif

struct fake_option {
	int level, name, value;
};

struct fake_error {
	bool is_local;
	uint32_t sys;
	uint8_t type, code;
	uint32_t info;
	struct ip from, dst;
	uint16_t port;
	size_t len;
	uint8_t data[128];
};

struct fake_datagram {
	struct ip from;
	uint16_t port;
	size_t len;
	const uint8_t *data;
	uint16_t seg; /* 0: none */
	int tos;
	struct ip local; /* that it was sent to; family 0: not said */
};

struct fake_socket {
	bool is_open;
	int family;
	enum host_kind kind;
	struct source *source;
	struct ip bound;
	struct fake_option option[32];
	int n_option;
	unsigned n_setsockopt;
	struct fake_error error[FAKE_QUEUE];
	unsigned n_error;
	int sys; /* what the next call fails with */
	struct fake_datagram in[FAKE_QUEUE];
	unsigned n_in;
};

/* One message to the host. */
struct fake_sent {
	int fd;
	enum host_kind kind;
	struct ip to;
	uint16_t port, seg;
	size_t len;
	uint8_t *data;
	int ttl, tos, df;
	struct ip from; /* family 0: the kernel picks */
};

/* One packet to the container. */
struct fake_frame {
	bool is_error; /* emit_icmp_error */
	struct emit_ip h;
	uint8_t l4[EMIT_L4_MAX];
	size_t l4_len, len;
	uint8_t *data;
	struct ip from;
	uint8_t type, code;
	uint32_t info;
};

struct fake {
	struct stats stats;
	struct link_caps caps;
	struct policy policy;
	struct wheel *wheel;
	uint64_t now;
	struct fake_socket socket[FAKE_SOCKETS];
	unsigned n_open, socket_max; /* above it: EMFILE */
	int socket_sys;              /* what socket() fails with */
	int gso_sys;                 /* what a message with UDP_SEGMENT fails with */
	size_t mtu;                  /* above it DF fails with EMSGSIZE and an entry; 0: none */
	int send_sys;                /* what every send fails with */
	uint32_t reject_code;        /* send_sys also queues this ICMP code; 0: none */
	unsigned send_calls;
	struct fake_sent sent[FAKE_SENT];
	unsigned n_sent;
	struct fake_frame frame[FAKE_FRAMES];
	unsigned n_frame;
	struct ip near; /* whom emit holds, n_near times */
	unsigned n_near;
	bool is_near_refused;
	unsigned n_dns;
	struct udphdr_v dns;
};

extern struct fake fake;
extern const struct host_ops fake_host;

#define FAKE_EMIT ((struct emit *)&fake)
#define FAKE_LOOP ((struct loop *)&fake)

/* Empties everything: 10.0.2.0/24 and fd00::/64, MTU 1500, a link with super-frames. */
int fake_setup(void **state);
int fake_teardown(void **state);
void fake_forget(void); /* what was sent and emitted */
/* The socket's error as its kernel would leave it: an entry and the next call's errno. */
void fake_fail(int fd, const struct fake_error *e);
void fake_arrive(int fd, const struct fake_datagram *d);
/* Calls the socket's source with what is pending. */
void fake_poll(int fd);
void fake_time(uint64_t ms);                  /* so much later; timers run */
int fake_option(int fd, int level, int name); /* -1: never set */

struct ip ip_of(const char *s);

/* A packet of the container, in a buffer of the next call. */
struct packet {
	const char *src, *dst;
	uint16_t sport, dport; /* echo: id, seq */
	const void *data;
	size_t len;
	uint8_t ttl, tos; /* 0: 64 */
	bool is_df;
	uint16_t id;
	bool has_no_csum, has_bad_csum;
};
const struct ip_packet *packet_udp(const struct packet *p);
const struct ip_packet *packet_echo(const struct packet *p);

#endif
