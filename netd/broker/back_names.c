/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_names: the process that answers the names of containers, whoever has started it: its end is
 * seen (pidfd_open(2)), and a worker looks whether it is still needed and starts it again, with all
 * that is on record. As long as there is none a worker looks for it when links of ours have
 * changed, for who makes one has begun with the names before. The back itself never talks to it: it
 * reads what strangers send.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "broker/back_int.h"

#define SOON_MS 300    /* what changes seldom does so once */
#define FULL_MS 10     /* while all jobs are in use */
#define LIVED_MS 60000 /* what ends after that has not failed */
#define PAUSE_MS 200   /* before the second attempt, twice that before the third ... */
#define PAUSE_MAX_MS 12800

void back_names_open(struct back *b)
{
	b->names = (struct names){.pidfd = -1, .at_ms = b->now_ms};
}

/* How long to wait with another attempt, after so many that came to nothing. */
static uint64_t pause_of(struct names *n)
{
	uint64_t ms = n->n_lost ? PAUSE_MS : 0;

	for (unsigned i = 1; i < n->n_lost && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	n->n_lost++;
	return ms;
}

void back_names_heard(struct back *b)
{
	struct names *n = &b->names;

	back_unwatch(b, n->pidfd);
	fd_closep(&n->pidfd);
	engine_watch_want(b->watch, true);
	if (b->now_ms - n->since_ms >= LIVED_MS)
		n->n_lost = 0;
	n->at_ms = b->now_ms + pause_of(n);
}

void back_names_hint(struct back *b)
{
	struct names *n = &b->names;

	if (n->pidfd < 0 && n->at_ms == UINT64_MAX)
		n->at_ms = b->now_ms + SOON_MS;
}

int back_names_wait(const struct back *b)
{
	const struct names *n = &b->names;

	if (n->pidfd >= 0 || n->is_at_work || n->at_ms == UINT64_MAX)
		return -1;
	return n->at_ms > b->now_ms ? (int)(n->at_ms - b->now_ms) : 0;
}

static void again(struct back *b)
{
	struct names *n = &b->names;

	n->is_at_work = false;
	n->is_doubtful = true;
	if (n->n_lost == 0)
		n->n_lost = 1;
	n->at_ms = b->now_ms + pause_of(n);
}

void back_names_run(struct back *b)
{
	struct names *n = &b->names;
	struct job *j = back_names_wait(b) == 0 ? back_job_free(b) : NULL;
	struct work_order *o = j ? calloc(1, sizeof(*o)) : NULL;
	struct err e = ERR_INIT;

	if (!o) {
		if (back_names_wait(b) == 0)
			n->at_ms = b->now_ms + FULL_MS;
		return;
	}
	o->state_dir = b->c->state_dir;
	o->hold = b->hold;
	o->verb = WORK_NAMES;
	o->conn = -1;
	o->is_doubtful = n->is_doubtful;
	*j = (struct job){.is_used = true,
			  .is_names = true,
			  .order = b->next_order++,
			  .conn = -1,
			  .report_fd = -1,
			  .order_of_reap = o};
	n->at_ms = UINT64_MAX;
	n->is_at_work = true;
	if (back_job_start(b, j, o, &e) < 0) {
		log_error("%s", e.text);
		back_job_clear(b, j);
		again(b);
	}
}

void back_names_end(struct back *b, const struct work_report *r, int *pidfd)
{
	struct names *n = &b->names;

	if (r->kind != ERR_NONE) {
		again(b);
		return;
	}
	n->is_at_work = false;
	n->is_doubtful = false;
	if (*pidfd < 0) { /* nobody needs it */
		n->n_lost = 0;
		return;
	}
	n->pidfd = fd_take(pidfd);
	n->since_ms = b->now_ms;
	if (back_watch(b, n->pidfd, WATCH_NAMES) < 0) {
		log_error("the names responder cannot be watched: %m");
		fd_closep(&n->pidfd);
		again(b);
	}
	/* What comes is of no interest as long as one is known. */
	engine_watch_want(b->watch, n->pidfd < 0);
	if (r->is_started) {
		b->n_names++;
		log_warn("the names responder was gone: another is started");
	}
}
