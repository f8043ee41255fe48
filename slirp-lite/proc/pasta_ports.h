/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pasta_ports: the port specifications of pasta's -t and -u, as runs of published ports:
 *     none | auto | [ADDR/]A[-B][:C[-D]][,...][,~A[-B]...]
 * ADDR is bare or in brackets; ~ takes ports out of what the same specification names. Pure.
 */
#ifndef SLIRP_PROC_PASTA_PORTS_H
#define SLIRP_PROC_PASTA_PORTS_H

#include <stdint.h>

#include "base/err.h"
#include "model/publish_list.h"

enum pasta_ports { PASTA_PORTS_NONE, PASTA_PORTS_AUTO, PASTA_PORTS_RUNS };

/* Adds the runs to list (when it fails: some of them, perhaps). 0, or -EINVAL with ERR_USAGE, or
 * ERR_UNSUPPORTED for what pasta knows and we do not. */
int pasta_ports_parse(const char *spec, uint8_t proto, struct publish_list *list,
		      enum pasta_ports *ret, struct err *e);

#endif
