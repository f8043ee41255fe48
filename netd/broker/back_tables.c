/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_tables: our tables, held where the kernel lets us, else watched and mended. The back only
 * hears that there is something to do, and hands out the socket; a worker does it, one at a time.
 *
 * Mending is not held back as long as it is seldom: a hundred times at once, then ten times a
 * second, so that two who fight for the tables do not take the machine with them.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "broker/back_int.h"

#define MEND_MS 100
#define MEND_BURST 100
#define AGAIN_MS 1000 /* after a failure */
#define FULL_MS 10    /* while all jobs are in use */
#define TAKEN_MS 50   /* while somebody who is ending holds them */

int back_tables_open(struct back *b, struct err *e)
{
	struct err why = ERR_INIT;
	const struct handover *h = b->c->from;
	struct hold_fds fds;
	int r;

	if (h)
		fds = (struct hold_fds){.watch = h->fd[HANDOVER_WATCH],
					.door = h->fd[HANDOVER_DOOR],
					.socket = h->fd[HANDOVER_NFT],
					.lock = h->fd[HANDOVER_NFT_LOCK],
					.has_made_dir = h->has_made_dir,
					.watched = h->watched};
	r = h ? engine_hold_take(b->c->state_dir, &fds, &b->hold, &why)
	      : engine_hold_open(b->c->state_dir, &b->hold, &why);

	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	if (r == 1)
		log_info("the tables are watched, not held: %s", why.text);
	if (r == 1 && !engine_hold_keeps(b->hold, &why))
		log_info("what is closed is open while they are gone: %s", why.text);
	engine_hold_use(b->hold);
	/* A watch that was handed over has missed nothing. */
	if (!h || h->has_tables)
		b->look |= HOLD_UNKNOWN;
	if (back_watch(b, engine_hold_fd(b->hold), WATCH_TABLES) < 0 ||
	    (engine_hold_door(b->hold) >= 0 &&
	     back_watch(b, engine_hold_door(b->hold), WATCH_DOOR) < 0))
		return err_sys(e, errno, "epoll");
	return 0;
}

void back_tables_heard(struct back *b)
{
	struct err e = ERR_INIT;
	int what = engine_hold_read(b->hold, &e);

	if (what < 0) {
		log_error("%s", e.text);
		what = HOLD_UNKNOWN;
	}
	b->look |= (unsigned)what;
}

int back_tables_wait(const struct back *b)
{
	if (!b->look || b->is_looking)
		return -1;
	return b->look_at_ms > b->now_ms ? (int)(b->look_at_ms - b->now_ms) : 0;
}

void back_tables_run(struct back *b)
{
	struct job *j = back_tables_wait(b) == 0 ? back_job_free(b) : NULL;
	struct work_order *o = j ? calloc(1, sizeof(*o)) : NULL;
	struct err e = ERR_INIT;

	if (!o) {
		if (b->look && !b->is_looking && b->look_at_ms <= b->now_ms)
			b->look_at_ms = b->now_ms + FULL_MS;
		return;
	}
	o->state_dir = b->c->state_dir;
	o->verb = WORK_TABLES;
	o->conn = -1;
	o->hold = b->hold;
	o->look = b->look;
	*j = (struct job){.is_used = true,
			  .is_tables = true,
			  .order = b->next_order++,
			  .conn = -1,
			  .report_fd = -1,
			  .order_of_reap = o};
	b->look = 0;
	b->is_looking = true;
	if (back_job_start(b, j, o, &e) < 0) {
		log_error("%s", e.text);
		b->look = o->look;
		b->is_looking = false;
		b->look_at_ms = b->now_ms + AGAIN_MS;
		back_job_clear(b, j);
	}
}

static void count_mending(struct back *b)
{
	uint64_t burst = (uint64_t)MEND_MS * MEND_BURST;

	if (b->mended_ms + burst < b->now_ms)
		b->mended_ms = b->now_ms - burst;
	b->mended_ms += MEND_MS;
	if (b->mended_ms > b->now_ms)
		b->look_at_ms = b->mended_ms;
	b->n_mended++;
	log_warn("the tables were damaged by somebody else: loaded again from the records");
}

void back_tables_end(struct back *b, const struct job *j, const struct work_report *r)
{
	const struct hold_result *t = &r->tables;

	b->is_looking = false;
	b->look_at_ms = 0;
	if (r->kind != ERR_NONE) {
		b->look |= j->order_of_reap->look | HOLD_UNKNOWN;
		b->look_at_ms = b->now_ms + AGAIN_MS;
		return;
	}
	if (t->is_mended)
		count_mending(b);
	if (t->is_taken) {
		b->look |= HOLD_UNKNOWN;
		b->look_at_ms = b->now_ms + TAKEN_MS;
	}
	if (t->is_other && !b->has_told_other)
		log_warn("the tables are those of another version: they are left alone");
	b->has_told_other = t->is_other;
	if (t->is_held != b->has_tables)
		log_info(t->is_held ? "the tables are held" : "the tables are not held any more");
	b->has_tables = t->is_held;
	b->busy_ms = b->now_ms;
}
