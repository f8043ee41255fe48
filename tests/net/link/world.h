/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: the namespaces in which the tests of links and routes live, and readers of kernel state
 * that the code under test has no reason to read.
 */
#ifndef TESTS_NET_LINK_WORLD_H
#define TESTS_NET_LINK_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "model/addr.h"
#include "net/link.h"
#include "net/rtnl.h"

/* cmocka setup: the process moves into new network and mount namespaces with an empty /run. */
int world_enter(void **state);
/* A new network namespace without a process, as a descriptor. */
int world_new_netns(void);
void world_in(int netns_fd);
int world_self(void);

#define OK(expr)                                                                                   \
	do {                                                                                       \
		struct err *e_ = &world_err;                                                       \
		int r_;                                                                            \
		err_reset(e_);                                                                     \
		r_ = (expr);                                                                       \
		if (r_ != 0)                                                                       \
			fail_msg("%s: %d: %s", #expr, r_, e_->text);                               \
	} while (0)
extern struct err world_err;

struct ip ip_of(const char *s);
struct prefix prefix_of(const char *s);
struct mac mac_of(const char *s);

struct port_flags {
	bool isolated, hairpin, flood, mcast_flood, learning, guard, protect;
};
void world_port_flags(struct rtnl *r, uint32_t index, struct port_flags *ret);
/* IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES, IFLA_INET6_ADDR_GEN_MODE */
void world_link_extra(struct rtnl *r, uint32_t index, uint32_t *ret_tx, uint32_t *ret_rx,
		      uint8_t *ret_addrgen);
struct bridge_flags {
	uint32_t forward_delay, stp;
	uint8_t snooping, querier;
	uint64_t response_interval;
};
void world_bridge_flags(struct rtnl *r, uint32_t index, struct bridge_flags *ret);
/* ndm_state and ndm_flags of an entry of the forwarding database; false when there is none. */
bool world_fdb(struct rtnl *r, uint32_t port, const struct mac *m, uint16_t *ret_state,
	       uint8_t *ret_flags);
/* NUD state and MAC of a neighbour; false when there is none. */
bool world_neigh(struct rtnl *r, uint32_t ifindex, const struct ip *ip, uint16_t *ret_state,
		 struct mac *ret_mac);
/* IFA_FLAGS of an address; false when there is none. */
bool world_addr(struct rtnl *r, uint32_t ifindex, const struct prefix *p, uint32_t *ret_flags);

double world_ms(void);
/* Sorts v and prints median, 99th percentile and maximum. */
void world_print(const char *what, double *v, unsigned int n);

#endif
