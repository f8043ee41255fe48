/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * carrier_rig: clients of the host, servers in a box, and between them a process with a carrier
 * that is confined as a worker is; its filter kills at the first call that is not in the table.
 * Sockets inside come from a real nsd.
 */
#ifndef TESTS_SLIRP_PROC_CARRIER_RIG_H
#define TESTS_SLIRP_PROC_CARRIER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "box.h"
#include "proc/nsd.h"
#include "relay/carrier.h"

#define WAIT_S 60
#define PORT 8080   /* inside */
#define CLOSED 8081 /* inside; nobody there */
#define NUMBER 5    /* of the published port, for carrier_cut */

/* Listeners of the host. */
enum { TCP4, TCP6, TO_CLOSED, UDP4, N_LISTENERS };

struct rig_shared {
	long rss_before, rss_after; /* kB, of the worker, around carrier_new */
	bool is_ready;
	uint64_t n_in, n_out; /* what the carrier accounted for */
};

struct rig {
	struct box box;
	struct nsd nsd;
	pid_t worker;
	int control; /* one byte: 'g' asks for the gauges, another one cuts the port */
	int listeners[N_LISTENERS];
	uint16_t ports[N_LISTENERS];
	int server; /* the listener inside */
};

extern struct rig w;
extern struct rig_shared *shared;

void rig_prepare(void); /* first; becomes an ordinary user */
void rig_start(unsigned pipes);
void rig_serve(void (*fn)(int listener));
void rig_end(void); /* also checks that the worker ended well */
struct carrier_gauges rig_gauges(void);
int rig_client(int listener); /* connected */
long rig_rss_kb(pid_t pid);

/* Streams whose every byte is known. rig_receive: n bytes and then the end. */
bool rig_send(int fd, uint64_t seed, size_t n);
bool rig_receive(int fd, uint64_t seed, size_t n);
/* From a server to the test. */
void rig_tell(const char *what);
void rig_expect(const char *what);
void rig_reset(int fd);

#endif
