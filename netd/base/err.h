/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err: the one error value of the project. It lives on the caller's stack, is the last argument,
 * never allocates, and gathers context as it travels up: the innermost text comes last.
 *
 * Texts are cut at the end of text[] and cleaned: one line, no control bytes, well-formed UTF-8.
 *
 * kind is what callers branch on; each program maps it to its own code (exit status, CNI code)
 * in one table. sys is the errno where one exists, else 0.
 */
#ifndef NETD_BASE_ERR_H
#define NETD_BASE_ERR_H

#include <stddef.h>

enum err_kind {
	ERR_NONE,
	ERR_USAGE,       /* the caller's words are wrong: argument, name, configuration */
	ERR_DENIED,      /* no privilege, or policy says no */
	ERR_CONFLICT,    /* taken by somebody else: port, address, interface, name */
	ERR_ABSENT,      /* the named thing does not exist */
	ERR_BUSY,        /* lock or daemon busy: the same call may work later */
	ERR_QUOTA,       /* a pool or limit is exhausted */
	ERR_UNSUPPORTED, /* the kernel or the build lacks a feature, which is named */
	ERR_KERNEL,      /* the kernel refused */
	ERR_IO,          /* file, directory or socket trouble */
	ERR_PROTOCOL,    /* bytes from a peer or a file break their format */
	ERR_INTERNAL,    /* a bug of ours, or no memory */
};

/* What the error is about, for callers that must tell several conflicts (or absences) apart. */
enum err_what {
	WHAT_NONE,
	WHAT_PORT,      /* a host port */
	WHAT_POOL,      /* the addresses of a range set are all in use */
	WHAT_ADDRESS,   /* one address */
	WHAT_INTERFACE, /* an interface inside, or the attachment of that name */
	WHAT_NETNS,     /* the target namespace */
	WHAT_NETWORK,   /* the network's settings, its bridge among them */
	WHAT_TABLE,     /* our tables belong to somebody else */
	WHAT_LOCK,      /* a lock of the state directory */
};

struct err {
	enum err_kind kind;
	enum err_what what;
	int sys;
	size_t used;
	char text[512];
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.kind = ERR_NONE                                                                   \
	}

/* Sets *e (e may be NULL). Returns -sys, or -EIO when sys is 0, so that callers can
 * `return err_set(...)`. When sys is not 0, ": strerror(sys)" is appended to the text. */
int err_set(struct err *e, enum err_kind kind, int sys, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Like err_set with the kind chosen from errno: EPERM/EACCES denied, ENOENT/ENODEV/ESRCH absent,
 * EEXIST/EADDRINUSE/EBUSY conflict, EOPNOTSUPP/ENOSYS/EPROTONOSUPPORT/EAFNOSUPPORT unsupported,
 * ENOMEM internal, ENOSPC/EROFS/EIO/EMFILE/ENFILE/EFBIG/EDQUOT io, anything else kernel. */
int err_sys(struct err *e, int sys, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Like err_set for words and bytes that break a rule: nothing is appended, sys is 0, and -EINVAL is
 * returned, which is what the parsers promise. */
int err_invalid(struct err *e, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prepends "context: " to the text and returns r unchanged. On an empty *e and a negative r, the
 * kind and the text come from the errno -r, so that a callee without an err loses nothing. */
int err_ctx(struct err *e, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Says what the error is about; what was said before stays. Does nothing when e is NULL or empty.
 * Returns r. */
int err_what(struct err *e, int r, enum err_what what);

/* Teardown gathers: appends "; text of from" to into (takes kind and sys when into was empty).
 * Does nothing when from holds no error. */
void err_gather(struct err *into, const struct err *from);

void err_reset(struct err *e);
const char *err_kind_name(enum err_kind kind);

#endif
