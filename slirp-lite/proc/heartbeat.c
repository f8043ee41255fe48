/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heartbeat: see heartbeat.h. It sends nothing and ends nobody: the supervisor does. */
#include "proc/heartbeat.h"

void heartbeat_start(struct heartbeat *h, uint64_t now)
{
	*h = (struct heartbeat){.next = now + HEARTBEAT_MS};
}

void heartbeat_stop(struct heartbeat *h)
{
	*h = (struct heartbeat)HEARTBEAT_OFF;
}

void heartbeat_heard(struct heartbeat *h, uint64_t now)
{
	if (h->next != UINT64_MAX)
		heartbeat_start(h, now);
}

enum heartbeat_verdict heartbeat_look(struct heartbeat *h, uint64_t now)
{
	if (now < h->next)
		return HEARTBEAT_WAIT;
	if (h->is_asked && ++h->n_missed == HEARTBEAT_LOOKS) {
		heartbeat_stop(h);
		return HEARTBEAT_SILENT;
	}
	h->next = now + HEARTBEAT_LOOK_MS;
	if (h->is_asked)
		return HEARTBEAT_WAIT;
	h->is_asked = true;
	return HEARTBEAT_ASK;
}
