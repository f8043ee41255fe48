/* SPDX-License-Identifier: GPL-2.0-or-later */
/* completion: `slirp-lite --completion=SHELL`, by that name alone. */
#ifndef SLIRP_PROC_COMPLETION_H
#define SLIRP_PROC_COMPLETION_H

#include <stdbool.h>

/* True: that was all, with this exit status. */
bool completion_main(int argc, char **argv, int *ret_status);

#endif
