/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault: what a runtime is told when a command fails: a code, a message and details (CNI
 * specification 1.1, section "Error"). The engine's errors become faults by one table here, and
 * nowhere else. Lives on the stack, never allocates, is printed by result.c only.
 */
#ifndef CNI_PLUGIN_FAULT_H
#define CNI_PLUGIN_FAULT_H

#include "base/err.h"

enum fault_code {
	FAULT_VERSION = 1,     /* this version of the specification is not spoken */
	FAULT_UNSUPPORTED = 2, /* a field: the message has its key and value */
	FAULT_CONTAINER = 3,   /* the namespace is gone: the runtime need not call DEL */
	FAULT_ENV = 4,         /* the message names the variables */
	FAULT_IO = 5,
	FAULT_DECODE = 6, /* not JSON, or a value of the wrong JSON type */
	FAULT_CONFIG = 7, /* a value that makes no sense */
	FAULT_NETNS = 8,  /* CNI_NETNS is no network namespace, or the host's own */
	FAULT_AGAIN = 11,
	FAULT_UNAVAILABLE = 50, /* STATUS: an ADD would fail */
	FAULT_LIMITED = 51,     /* STATUS: existing containers are limited too */
	/* 100 and above are a plugin's own. */
	FAULT_PORT = 100,     /* host port taken; details name the owner */
	FAULT_POOL = 101,     /* no free address, or the asked one is taken */
	FAULT_IFACE = 102,    /* the interface exists */
	FAULT_MISMATCH = 103, /* CHECK: details list what differs */
	FAULT_QUOTA = 104,
	FAULT_DENIED = 105,
	FAULT_FIREWALL = 106, /* the rules belong to somebody else, or were refused */
	FAULT_INTERNAL = 999,
};

struct fault {
	int code; /* 0: none */
	char msg[640];
	char details[1600];
};

#define FAULT_INIT                                                                                 \
	{                                                                                          \
		.code = 0                                                                          \
	}

/* Sets *f (may be NULL) and returns -1, so that callers can `return fault_set(...)`. Texts are
 * cleaned: one line, well-formed UTF-8. */
int fault_set(struct fault *f, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int fault_details(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* From an error of the engine or the model. */
int fault_err(struct fault *f, const struct err *e);
/* The same with a code of the caller's choice. */
int fault_err_as(struct fault *f, int code, const struct err *e);

/* Teardown gathers: the first fault stays, later ones are appended to its details. */
void fault_gather(struct fault *into, const struct fault *from);

#endif
