/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delegate: runs another CNI plugin by the protocol: found by name in CNI_PATH, the caller's
 * environment, the configuration on its standard input, one document back, all within a time. Never
 * a shell, never a path from the configuration.
 */
#ifndef CNI_PLUGIN_DELEGATE_H
#define CNI_PLUGIN_DELEGATE_H

#include <stddef.h>

#include "cni-plugin/env.h"
#include "cni-plugin/fault.h"

#define DELEGATE_OUT_MAX ((size_t)1024 * 1024)

struct delegate_call {
	const char *path; /* CNI_PATH */
	const char *type; /* a checked name */
	enum cni_command command;
	const char *text; /* for its standard input */
	size_t len;
	int timeout_ms;
};

/* 0 when it ended with status 0; *ret_out (malloc'd, NUL-terminated) is what it wrote. -1: its own
 * code, message and details when it gave some; FAULT_CONFIG: it is not in CNI_PATH; FAULT_AGAIN: it
 * took too long and was killed, with its process group. SIGPIPE must be ignored. */
int delegate_run(const struct delegate_call *c, char **ret_out, size_t *ret_len, struct fault *f);

#endif
