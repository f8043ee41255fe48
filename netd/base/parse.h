/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse: strict scalars from text. No white space, sign, empty string, leading zero, trailing
 * bytes. */
#ifndef NETD_BASE_PARSE_H
#define NETD_BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only; 0 on success, -EINVAL when malformed, -ERANGE outside [min, max]. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret);
/* The same for a slice that need not be NUL-terminated. */
int parse_u64_n(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret);

#endif
