/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kept: mappings of a memory file that outlives the process. It is as long as it may become from
 * the start, and its pages become memory when they are first written to. That may fail where memory
 * is promised to nobody (vm.overcommit_memory = 2), and then the writer would be killed (SIGBUS).
 */
#ifndef SLIRP_FLOW_KEPT_H
#define SLIRP_FLOW_KEPT_H

#include <stdbool.h>
#include <stddef.h>

/* Before anything up to `end` is written: the first *there bytes, whole pages, are memory already,
 * and as many more become it as that takes. False: there is none now. */
bool kept_grow(void *mapping, size_t *there, size_t end);
/* All of it is no memory any more. */
void kept_forget(void *mapping, size_t *there, size_t size);

#endif
