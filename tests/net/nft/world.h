/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: network namespaces and real traffic between them, for tests that run in one process: the
 * process enters a namespace to run ip(8) or to open a socket there, and goes back. Needs root.
 */
#ifndef TESTS_NET_NFT_WORLD_H
#define TESTS_NET_NFT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "model/attachment.h"
#include "model/network.h"
#include "net/elem.h"

#define WORLD_CTRS 6

struct world {
	int host, out; /* namespaces */
	struct {
		int ns;
		struct attachment a;
	} ctr[WORLD_CTRS];
	unsigned int n_ctrs;
	struct elem_list elems; /* what the tables hold */
};

/* A host (198.51.100.1, 2001:db8:aaaa::1, forwarding) and an outside world (198.51.100.2,
 * 2001:db8:aaaa::2, also 203.0.113.5 and 2001:db8:bbbb::5) on its link up0, which routes 10/8 and
 * 2001:db8::/32 to the host. No tables yet. The process is in the host's namespace. */
void world_make(struct world *w);
void world_free(struct world *w);

/* The network's bridge with its gateway addresses; nothing in routed mode. Also its elements. */
void world_network(struct world *w, const struct network *n);
/* A container with the subnet's address k + 2, its link and its elements. Returns its index. */
unsigned int world_container(struct world *w, const struct network *n, unsigned int k);
/* Publishes: SPEC of publish_parse. */
void world_publish(struct world *w, unsigned int ctr, const char *spec);
/* Loads tables and all elements, anew. */
void world_load(struct world *w);
void world_unload(void);

/* Runs a shell script (sh -e) inside ns; the test fails when it does. */
void world_sh(int ns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_sysctl(int ns, const char *key, const char *value);
int world_enter(int ns); /* for symmetry: back is world_enter(w->host) */

/* A socket of that type made inside ns, bound to addr (NULL: any of family) and port, listening
 * when it is a stream. */
int world_socket(struct world *w, int ns, int family, int type, const char *addr, int port);
void world_sockaddr(const char *addr, int port, struct sockaddr_storage *ret, socklen_t *ret_len);
/* Is there something to read within ms? */
bool world_wait(int fd, int ms);

/* One exchange, there and back. */
struct exchange {
	int type;        /* SOCK_DGRAM, SOCK_STREAM */
	int from;        /* namespace of the client */
	const char *src; /* its address, or NULL */
	const char *dst; /* where it sends to */
	int port;
	int server; /* namespace of the server */
	int server_port;
};
/* The exchange takes place, and the server sees the client as seen_as (NULL: not looked at). */
void world_reach(struct world *w, const struct exchange *x, const char *seen_as);
/* Nothing arrives at the server. */
void world_no_reach(struct world *w, const struct exchange *x);

#endif
