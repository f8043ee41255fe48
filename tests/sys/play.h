/* SPDX-License-Identifier: GPL-2.0-or-later */
/* play: the tests of sys/unshare.h: a driver process in the role of netns-up, its command, its
 * output. */
#ifndef TESTS_SYS_PLAY_H
#define TESTS_SYS_PLAY_H

#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "sys/unshare.h"

#define NOBODY 1500
#define LONG_MS 60000
#define FAILED 99 /* a driver's status when start, go or wait failed */

extern char *self; /* this program, which is also a command */

/* What a driver, the process in the role of netns-up, does. */
struct play {
	struct run_spec spec;
	const char *words[4]; /* the command, unless spec has one */
	uid_t uid;
	int (*before_go)(struct run_child *c); /* not 0: the driver ends with it */
	void (*early)(void);                   /* before unshare_start */
};

/* What the last command printed. */
extern char text[65536];

/* The driver's work, in this process. */
int drive(const struct play *p);
/* Starts a driver with its standard output on a pipe. */
pid_t start(const struct play *p, int *ret_out);
/* Appends to text until the end, or until word has come when that is not NULL. */
void read_until(int fd, const char *word);
/* The driver's exit status. */
int finish(pid_t pid);
/* All of it: start, read to the end, finish. */
int play(const struct play *p);

struct play sh(unsigned flags, const char *script);
struct play own(unsigned flags, const char *word); /* this program as the command */

#define PLAY(p)                                                                                    \
	__extension__({                                                                            \
		struct play play_ = (p);                                                           \
		play(&play_);                                                                      \
	})

/* Group set-up: own network and mount namespaces, empty /run and /etc, self; orphans come to us. */
int make_world(void **state);

#endif
