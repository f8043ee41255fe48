/* SPDX-License-Identifier: GPL-2.0-or-later */
/* publish_list: runs of published ports, gathered one by one, and what is taken out of them. */
#ifndef NETD_MODEL_PUBLISH_LIST_H
#define NETD_MODEL_PUBLISH_LIST_H

#include "model/publish.h"

struct publish_list {
	struct publish *p; /* owned */
	size_t n;
};

void publish_list_clear(struct publish_list *l);
#define CLEAN_PUBLISH_LIST __attribute__((cleanup(publish_list_clear)))

/* At most PUBLISH_MAX. */
int publish_list_add(struct publish_list *l, const struct publish *p, struct err *e);
/* Takes the host ports first..last of this protocol out of every run; what is left of a run is at
 * most two. Ports that are still to be picked stay. */
int publish_list_except(struct publish_list *l, uint8_t proto, uint16_t first, uint16_t last,
			struct err *e);

#endif
