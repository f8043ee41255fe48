/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config: what a worker is told at its start, as plain values: no file, no name to be looked up, no
 * pointer that is set. Made by the options (proc/options.c), passed on by the supervisor, also to a
 * worker that takes the place of one that died.
 */
#ifndef SLIRP_STACK_CONFIG_H
#define SLIRP_STACK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/plan.h"
#include "flow/policy.h"

#define RESOLVERS_MAX 8

struct resolvers {
	size_t n;
	struct ip ip[RESOLVERS_MAX]; /* IPv6 link-local ones: scope in the same place of scope[] */
	uint32_t scope[RESOLVERS_MAX];
};

/* Bits a second of TCP and UDP, to the container and from it; 0: no limit. */
struct rates {
	uint64_t in, out;
};
#define RATE_LEAST 8000 /* of a limit */

struct worker_config {
	struct policy policy; /* holds the plan */
	struct resolvers resolvers;
	uint32_t tcp_max, udp_max,
		ping_max;     /* flows: 65,536; 16,384; 256, lowered to RLIMIT_NOFILE */
	size_t memory_max;    /* of all payload held: 64 MiB */
	uint32_t local_max;   /* connections of clients on the host, each two descriptors; as many
				 flows of UDP, one each */
	uint32_t through_max; /* connections by the kernel's own TCP on both sides, two
				 descriptors each; 0: none */
	struct rates rates;
	uint32_t udp_once_s, udp_stream_s; /* RFC 4787: 30, 120 */
	bool is_raw_link;                  /* plain frames on a socket: tests, bess */
	bool is_pcap;                      /* frames are copied to fds.pcap */
};

/* Descriptors a worker starts with; nothing else is open in it. -1: absent. */
struct worker_fds {
	int link;    /* the tap */
	int control; /* SOCK_SEQPACKET to the supervisor (stack/ctlmsg.h) */
	int log;     /* pipe: lines of text */
	int pcap;
	int inside;        /* to whoever makes sockets in the container's namespace (proc/nsd.h) */
	int listen[N_FAM]; /* transparent listeners there (through/through.h) */
	int kept;          /* memory file that connections are in; closed when it is mapped */
};

#endif
