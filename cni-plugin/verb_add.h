/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_add: the verbs of the plugins that make an interface: netd, bridge, ptp. */
#ifndef CNI_PLUGIN_VERB_ADD_H
#define CNI_PLUGIN_VERB_ADD_H

#include "base/buf.h"
#include "cni-plugin/call.h"

int verb_add(struct call *c, struct result *ret, struct fault *f);
int verb_del(struct call *c, struct fault *f);
int verb_check(struct call *c, struct fault *f);
/* Also of the chained plugins: an attachment is one thing, whoever is asked to forget it. */
int verb_gc(struct call *c, struct fault *f);
int verb_status(struct call *c, struct fault *f);

/* Lines about what prev does not say of a. */
void verb_check_compare(const struct call *c, const struct attachment *a, struct buf *out);
int verb_check_tell(struct buf *out, struct fault *f); /* code 103, the lines as details */
int verb_check_differs(struct fault *f, const char *details);
/* What a GC keeps: new array in *ret, which points into the configuration. */
int verb_gc_keep(const struct call *c, struct attach_name **ret, size_t *ret_n, struct fault *f);

/* The interfaces, addresses and routes of a, behind those that *ret has. sandbox: CNI_NETNS. */
int verb_add_result(const struct attachment *a, const char *sandbox, struct result *ret,
		    struct fault *f);

#endif
