/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec: an IPAM plugin that is not ours, by the verbs of CNI. For configurations whose ipam.type is
 * one that ipam.c knows, every call here does nothing. */
#ifndef CNI_PLUGIN_EXEC_H
#define CNI_PLUGIN_EXEC_H

#include "cni-plugin/call.h"

/* Its result. When it gives none that can be used, its DEL has been called. */
int exec_ipam_add(const struct call *c, struct result *ret, struct fault *f);
int exec_ipam(const struct call *c, enum cni_command command, struct fault *f);

#endif
