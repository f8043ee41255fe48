/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen: a terminal that is drawn on again and again, until somebody types q or ends the program:
 * keys come one by one and are not echoed meanwhile. The terminal is given back as it was.
 */
#ifndef NETD_CLI_SCREEN_H
#define NETD_CLI_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct screen {
	bool is_open, has_keys; /* keys: standard input is a terminal */
	struct termios before, raw;
	sigset_t signals; /* as they were */
};

/* From here on SIGINT, SIGTERM, SIGHUP and SIGQUIT are what screen_wait returns for. */
void screen_open(struct screen *s);
void screen_close(struct screen *s);
#define CLEAN_SCREEN __attribute__((cleanup(screen_close)))

/* Lines that there are, fallback where nobody knows. */
unsigned screen_lines(unsigned fallback);
/* Waits. True: it is to end. One that is not open waits only. */
bool screen_wait(struct screen *s, uint32_t seconds);

#endif
