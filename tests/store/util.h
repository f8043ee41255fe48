/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * util: the world of a store test. util_enter() moves the process into mount (and, without
 * privilege, user) namespaces of its own with a fresh tmpfs on /tmp, so nothing is left behind
 * whatever happens.
 */
#ifndef TESTS_STORE_UTIL_H
#define TESTS_STORE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/attachment.h"
#include "model/network.h"
#include "model/publish.h"
#include "store/store.h"

#define DIR_NAME "/tmp/state"
#define BOOT "0f4c6d0e-8a3c-4c52-9d3b-6b1f0c2f9a11"
#define BOOT2 "ffffffff-8a3c-4c52-9d3b-6b1f0c2f9a11"
#define COOKIE 4711

void util_enter(void);
/* cmocka setup: an empty /tmp. */
int util_fresh(void **state);

/* Fails the test with the error's text when r is not want. */
#define must(want, call)                                                                           \
	do {                                                                                       \
		struct err e_ = ERR_INIT;                                                          \
		struct err *e = &e_;                                                               \
		int got_ = (call);                                                                 \
		if (got_ != (want))                                                                \
			fail_msg("%s = %d, not %d: %s", #call, got_, (want), e_.text);             \
		(void)e;                                                                           \
	} while (0)

/* The call fails with this kind, and its text contains needle. */
#define must_fail(want_kind, needle, call)                                                         \
	do {                                                                                       \
		struct err e_ = ERR_INIT;                                                          \
		struct err *e = &e_;                                                               \
		int got_ = (call);                                                                 \
		if (got_ >= 0 || e_.kind != (want_kind) || !strstr(e_.text, (needle)))             \
			fail_msg("%s = %d, %s: %s", #call, got_, err_kind_name(e_.kind), e_.text); \
		(void)e;                                                                           \
	} while (0)

struct store *util_open(void);
struct ip util_ip(const char *s);
struct network util_network(const char *name, const char *subnet4, const char *subnet6);
/* A complete record of id@eth0; addr4 and publish specifications may be NULL. */
struct attachment *util_attachment(const char *id, const char *addr4, const char *spec);
/* Names below path, without directories and "lock"; -1 when path is absent. */
int util_count(const char *path);
/* Records, broken ones too. */
size_t util_records(struct store *s);
/* Overwrites path/name by raw bytes. */
void util_write(const char *path, const void *data, size_t len);
/* Runs fn(arg) in a child; its return value (0..100) is the exit status. */
pid_t util_fork(int (*fn)(void *arg), void *arg);
int util_wait(pid_t pid);

#endif
