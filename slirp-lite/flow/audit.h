/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * audit: says what the egress policy has refused, one line a destination and second at most. How
 * many lines there are is bounded by the number of places, whatever the container does: a
 * destination whose place another has taken within the second is passed over.
 */
#ifndef SLIRP_FLOW_AUDIT_H
#define SLIRP_FLOW_AUDIT_H

#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"

#define AUDIT_PLACES 64
#define AUDIT_MS 1000
#define AUDIT_STRLEN (2 * IP_STRLEN + 40)

struct audit;

/* say: gets "refused tcp FROM to TO:PORT", without a newline. */
int audit_new(void (*say)(void *arg, const char *line), void *arg, struct audit **ret,
	      struct err *e);
void audit_free(struct audit *a); /* accepts NULL */
/* port: 0 for ping. a NULL: nobody listens. */
void audit_refused(struct audit *a, uint8_t proto, const struct ip *from, const struct ip *to,
		   uint16_t port, uint64_t now);

#endif
