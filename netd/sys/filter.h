/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter: system call filters from tables (seccomp(2), libseccomp). A rule is a call and what its
 * arguments must be; several rules for a call are alternatives. What no rule names gives EPERM, for
 * the C library may try a call on an error path; what no honest path has kills the process, as do
 * foreign instruction sets (i386, x32).
 */
#ifndef NETD_SYS_FILTER_H
#define NETD_SYS_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum filter_op {
	FILTER_EQ = 1, /* low 32 bits equal to value */
	FILTER_WITHIN, /* no bit set but those of value (low 32 bits) */
	FILTER_HAS,    /* every bit of value is set */
	FILTER_MOST,   /* unsigned, at most value */
};

struct filter_cmp {
	uint8_t arg; /* 0..5 */
	uint8_t op;  /* of enum filter_op; 0 ends the list */
	uint32_t value;
};

struct filter_rule {
	int nr; /* SCMP_SYS(name) */
	struct filter_cmp cmp[3];
};

struct filter_list {
	const struct filter_rule *rules;
	size_t n;
};

#define FILTER_LIST(a)                                                                             \
	{                                                                                          \
		(a), sizeof(a) / sizeof((a)[0])                                                    \
	}

/* Words of a table, for who includes seccomp.h and what the arguments are of. */
#define FILTER_ANY(call)                                                                           \
	{                                                                                          \
		.nr = SCMP_SYS(call)                                                               \
	}
#define FILTER_FLAGS(call, at, flags)                                                              \
	{                                                                                          \
		SCMP_SYS(call),                                                                    \
		{                                                                                  \
			{                                                                          \
				(at), FILTER_WITHIN, (uint32_t)(flags)                             \
			}                                                                          \
		}                                                                                  \
	}
#define FILTER_SOCKET(family, type, proto)                                                         \
	{                                                                                          \
		SCMP_SYS(socket),                                                                  \
		{                                                                                  \
			{0, FILTER_EQ, (family)},                                                  \
				{1, FILTER_EQ, (type) | SOCK_NONBLOCK | SOCK_CLOEXEC},             \
			{                                                                          \
				2, FILTER_EQ, (proto)                                              \
			}                                                                          \
		}                                                                                  \
	}
#define FILTER_OPTION(call, level, name)                                                           \
	{                                                                                          \
		SCMP_SYS(call),                                                                    \
		{                                                                                  \
			{1, FILTER_EQ, (level)},                                                   \
			{                                                                          \
				2, FILTER_EQ, (name)                                               \
			}                                                                          \
		}                                                                                  \
	}
#define FILTER_SET(level, name) FILTER_OPTION(setsockopt, level, name)
#define FILTER_GET(level, name) FILTER_OPTION(getsockopt, level, name)

/* Closing, the clock, the end. */
extern const struct filter_list filter_always;
/* TCP and UDP sockets of both families, no other, not even MPTCP. */
extern const struct filter_list filter_inet;
/* Files that are opened to be read, with what the C library does around it, and watched; and an
 * interface's index. Landlock says which files. */
extern const struct filter_list filter_look;
/* The allocator's, but for what asks for memory. */
extern const struct filter_list filter_memory;
/* What kills: new programs, processes, namespaces, mounts, code. */
extern const struct filter_list filter_deadly;
/* The same: other processes' memory and descriptors, kernel interfaces beyond ours. */
extern const struct filter_list filter_alien;

#define FILTER_LISTS 5
struct filter_spec {
	struct filter_list allow[FILTER_LISTS];
	struct filter_list kill[2];
	bool is_open; /* what no rule names is allowed; for processes that do too much for a list */
};

/* A program for the kernel. code is allocated; struct sock_filter of linux/filter.h. */
struct filter {
	struct sock_filter *code;
	uint16_t n;
};

int filter_compile(const struct filter_spec *s, struct filter *ret, struct err *e);
void filter_free(struct filter *f);
/* Puts the calling thread under it, for good; needs no-new-privs. Calls that are refused or kill
 * are reported to the kernel's log. 0 or -errno. */
int filter_load(const struct filter *f);

#endif
