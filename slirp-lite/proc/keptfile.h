/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keptfile: the memory file in which the workers have their connections (tcp/left.h). */
#ifndef SLIRP_PROC_KEPTFILE_H
#define SLIRP_PROC_KEPTFILE_H

#include "base/err.h"

/* given: somebody's who outlives us, or -1. *ret is the caller's: that file, if nobody has it any
 * more, else one of our own, or -1 when there is none to be had. What is no memory file is refused,
 * for it would be emptied. */
int keptfile_open(int given, int *ret, struct err *e);

#endif
