/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text: makes foreign bytes safe to print on one line of a terminal, a log or a JSON string. */
#ifndef NETD_BASE_TEXT_H
#define NETD_BASE_TEXT_H

#include <stddef.h>

/* Replaces every control byte, C1 control character and byte that is not part of well-formed UTF-8
 * (Unicode table 3-7) by '?', in place. */
void text_clean(char *s, size_t len);

#endif
