/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls: which system calls of a traced process change state, and how they are shown. */
#ifndef TESTS_FAULT_CALLS_H
#define TESTS_FAULT_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* tid stands at the entry of call nr. True when it counts; then show is "name(first arguments)". */
bool calls_counts(pid_t tid, uint64_t nr, const uint64_t args[6], char *show, size_t size);

#endif
