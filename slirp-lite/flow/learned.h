/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * learned: which addresses the names of the egress policy stand for just now, each for as long as
 * the answer said, within bounds. Who fills it in has judged the addresses. All memory is mapped at
 * the start and untouched until it is used.
 */
#ifndef SLIRP_FLOW_LEARNED_H
#define SLIRP_FLOW_LEARNED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/attach_egress.h"

#define LEARNED_MAX 4096 /* addresses; one more is not learned until another's time is over */
#define LEARNED_TTL_MIN_S ATTACH_NAME_TTL_MIN_S
#define LEARNED_TTL_MAX_S ATTACH_NAME_TTL_MAX_S

struct learned;

int learned_new(struct learned **ret, struct err *e);
void learned_free(struct learned *l); /* accepts NULL */
/* names: a bit for each of the policy's names whose address ip is, for ttl_s from now on; a longer
 * time that was said before stays. False: there is no room. */
bool learned_add(struct learned *l, const struct ip *ip, uint32_t names, uint32_t ttl_s,
		 uint64_t now);
/* The names whose address ip is. */
uint32_t learned_names(const struct learned *l, const struct ip *ip);
/* Forgets those whose time is over; true: there are others. It is to be called every second. */
bool learned_expire(struct learned *l, uint64_t now);

#endif
