/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pesto: publishes ports at a running pasta, and takes them back, over its control socket (-c):
 *     pesto --add|--delete {-t|-u} SPEC... SOCKET
 * SPEC is that of pasta's -t without none and auto. All or nothing; 0, or 1 after one line.
 */
#ifndef SLIRP_PROC_PESTO_H
#define SLIRP_PROC_PESTO_H

#include <stdbool.h>

#include "base/err.h"
#include "model/publish_list.h"

struct pesto {
	const char *verb; /* "publish", "unpublish"; NULL: not said */
	struct publish_list ports;
	const char *socket;
	bool is_help, is_version, has_tcp, has_udp;
};

bool pesto_is_name(const char *argv0);
int pesto_main(int argc, char **argv);

/* For tests. ret->ports goes to publish_list_clear. */
int pesto_parse(int argc, char **argv, struct pesto *ret, struct err *e);
/* The request as JSON, malloc'd; NULL: no memory. */
char *pesto_request(const struct pesto *p);
/* The answer: 0, or ERR_PROTOCOL, ERR_CONFLICT with what the other end says. */
int pesto_answer(const char *text, size_t len, struct err *e);

#endif
