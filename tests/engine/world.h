/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world: a host of their own for the tests of the engine, and short ways to say what a container
 * wants and what should be so. */
#ifndef TESTS_ENGINE_WORLD_H
#define TESTS_ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"

#define N_CTR 8

/* cmocka setup: the process moves into new network and mount namespaces with an empty /run; the
 * containers' namespaces are named c0.. for `ip -n`. */
int host_enter(void **state);
/* cmocka teardown of each test: nothing of ours is left on the host, nor in /run. */
int host_is_clean(void **state);
int ctr_fd(unsigned int i);
/* A fresh namespace in its place, and the former one gone. */
void ctr_renew(unsigned int i);

/* True when the shell command succeeds; its output goes to standard error. */
bool sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define MUST(...) assert_true(sh(__VA_ARGS__))
#define MUST_NOT(...) assert_false(sh(__VA_ARGS__))

extern struct err err;
#define OK(expr)                                                                                   \
	do {                                                                                       \
		err_reset(&err);                                                                   \
		int r_ = (expr);                                                                   \
		if (r_ != 0)                                                                       \
			fail_msg("%s: %d: %s", #expr, r_, err.text);                               \
	} while (0)
#define NOTHING(expr)                                                                              \
	do {                                                                                       \
		err_reset(&err);                                                                   \
		int r_ = (expr);                                                                   \
		if (r_ != ENGINE_NOTHING)                                                          \
			fail_msg("%s: %d: %s", #expr, r_, err.text);                               \
	} while (0)
#define FAILS(k, w, expr)                                                                          \
	do {                                                                                       \
		err_reset(&err);                                                                   \
		int r_ = (expr);                                                                   \
		if (r_ >= 0 || err.kind != (k) || err.what != (w))                                 \
			fail_msg("%s: %d, kind %s, what %d: %s", #expr, r_,                        \
				 err_kind_name(err.kind), err.what, err.text);                     \
	} while (0)

/* Everything that a request points to. */
struct want {
	struct network net;
	struct addr_set set[4];
	struct attach_ip given[4];
	struct ip asked[4];
	struct attach_route route[4];
	struct attach_sysctl sysctl[4];
	struct publish publish[4];
	char id[8];
	struct up_request req;
};
/* Container i wants eth0 on the network "web", a bridge with gateway and masquerading, default
 * routes where it has addresses. */
void want_init(struct want *w, unsigned int i);
void want_set(struct want *w, const char *subnet); /* one range more */
void want_given(struct want *w, const char *addr, const char *gateway);
void want_ip(struct want *w, const char *ip);
struct attach_route *want_route(struct want *w, const char *dst, const char *gw);
void want_sysctl(struct want *w, const char *key, const char *value);
void want_publish(struct want *w, const char *spec);

struct engine *open_engine(void);
/* Opens, attaches, closes; *ret may be NULL. */
int up(const struct want *w, struct attachment **ret);
int down(unsigned int i);
int check(unsigned int i);
/* The i-th address of the attachment as text. */
const char *addr_of(const struct attachment *a, size_t i);

#endif
