/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_follow: when the policy changes, caps and rates of what is up change with it, as they would
 * if each user asked for something of his. Who the users are is known, their groups are those of
 * /etc/passwd and /etc/group; where a rule before the one that decides names a group, and its user
 * is not in there, all stays as it is until he asks. So it does where the policy denies, or is
 * broken. Read inotify(7).
 */
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/back_int.h"
#include "broker/policy.h"

#define QUIET_MS 250   /* whoever changes a file may change another */
#define AGAIN_MS 10000 /* after a failure; where there is no directory */
#define WATCHED                                                                                    \
	(IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB |        \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW)

/* Whether it could be watched. */
static bool watch(struct back *b)
{
	struct follow *f = &b->follow;

	if (f->fd >= 0 && !f->is_watched)
		f->is_watched = inotify_add_watch(f->fd, b->c->policy_dir, WATCHED) >= 0;
	return f->is_watched;
}

void back_follow_open(struct back *b)
{
	struct follow *f = &b->follow;

	f->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f->fd < 0 || back_watch(b, f->fd, WATCH_POLICY) < 0)
		log_warn("the policy is not watched: what is up follows it when its user asks for "
			 "something, or at SIGHUP");
	watch(b);
	/* It may have changed since the netd before this one. */
	back_follow_all(b);
}

void back_follow_all(struct back *b)
{
	b->follow.at_ms = b->follow.watch_ms = b->now_ms;
}

void back_follow_heard(struct back *b)
{
	struct follow *f = &b->follow;
	_Alignas(struct inotify_event) char text[4096];
	ssize_t n;

	while ((n = read(f->fd, text, sizeof(text))) > 0) {
		for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)n;) {
			const struct inotify_event *x = (const void *)(text + at);

			/* It is watched wherever it went: that is not where it is looked for. */
			if (x->mask & IN_MOVE_SELF)
				(void)inotify_rm_watch(f->fd, x->wd);
			if (x->mask & IN_IGNORED)
				f->is_watched = false;
			at += sizeof(*x) + x->len;
		}
		if (f->at_ms == UINT64_MAX)
			f->at_ms = b->now_ms + QUIET_MS;
	}
}

static bool has_stale(const struct back *b)
{
	for (size_t i = 0; i < b->held.n; i++)
		if (b->held.h[i].is_stale && !b->held.h[i].is_busy)
			return true;
	return false;
}

int back_follow_wait(const struct back *b)
{
	const struct follow *f = &b->follow;
	uint64_t at = f->at_ms;

	if (f->is_at_work || b->held.n == 0)
		return -1;
	if (f->fd >= 0 && !f->is_watched && f->watch_ms < at)
		at = f->watch_ms;
	if (f->again_ms < at && has_stale(b))
		at = f->again_ms;
	if (at == UINT64_MAX)
		return -1;
	return at > b->now_ms ? (int)(at - b->now_ms) : 0;
}

/* True: there is something to be done, and now is the time. */
static bool is_due(struct back *b)
{
	struct follow *f = &b->follow;

	if (f->is_at_work || b->held.n == 0)
		return false;
	if (f->fd >= 0 && !f->is_watched && b->now_ms >= f->watch_ms) {
		if (watch(b))
			f->at_ms = b->now_ms;
		else
			f->watch_ms = b->now_ms + AGAIN_MS;
	}
	if (b->now_ms >= f->at_ms) {
		for (size_t i = 0; i < b->held.n; i++)
			b->held.h[i].is_stale = true;
		f->at_ms = UINT64_MAX;
		f->again_ms = 0;
	}
	return b->now_ms >= f->again_ms && has_stale(b);
}

/* What the policy gives it: true, or it stays as it is. */
static bool find_limits(const struct policy *p, struct policy_users *users, const struct holding *h,
			struct work_limits *ret)
{
	struct policy_subject who = {.uid = h->uid};
	struct policy_limits l;
	bool has_groups = policy_users_find(users, &who) == 0;

	if (policy_limits_of(p, &who, has_groups, h->network, &l) != 0)
		return false;
	*ret = (struct work_limits){.cap = l.cap, .bandwidth = l.bandwidth};
	return true;
}

/* Fills the order with what is to be looked at; the rest is done with. */
static int choose(struct back *b, struct work_order *o, struct err *e)
{
	CLEAN_POLICY struct policy p = {0};
	struct policy_users users = {0};
	int r = policy_load(b->c->policy_dir, &p, e);

	for (size_t i = 0; r >= 0 && i < b->held.n && o->n_reap < WORKER_REAP; i++) {
		struct holding *h = &b->held.h[i];

		if (!h->is_stale || h->is_busy)
			continue;
		h->is_stale = false;
		if (h->is_doomed || !find_limits(&p, &users, h, &o->limits[o->n_reap]))
			continue;
		h->is_busy = true;
		o->reap[o->n_reap++] = *h;
	}
	policy_users_clear(&users);
	return r;
}

/* Those of which a bit is not set are tried again. */
static void settle(struct back *b, const struct work_order *o, uint64_t done)
{
	b->follow.is_at_work = false;
	for (size_t i = 0; i < o->n_reap; i++) {
		struct holding *h = holdings_find(&b->held, o->reap[i].id, o->reap[i].ifname);

		if (!h)
			continue;
		h->is_busy = false;
		if (done & UINT64_C(1) << i)
			continue;
		h->is_stale = true;
		b->follow.again_ms = b->now_ms + AGAIN_MS;
	}
}

void back_follow_run(struct back *b)
{
	struct job *j = is_due(b) ? back_job_free(b) : NULL;
	struct work_order *o = j ? calloc(1, sizeof(*o)) : NULL;
	struct err e = ERR_INIT;
	int r;

	if (!o)
		return;
	o->state_dir = b->c->state_dir;
	o->hold = b->hold;
	o->verb = WORK_FOLLOW;
	o->conn = -1;
	r = choose(b, o, &e);
	if (r >= 0 && o->n_reap == 0) {
		free(o);
		return;
	}
	*j = (struct job){.is_used = true,
			  .is_follow = true,
			  .order = b->next_order++,
			  .conn = -1,
			  .report_fd = -1,
			  .order_of_reap = o};
	b->follow.is_at_work = true;
	if (r >= 0)
		r = back_job_start(b, j, o, &e);
	if (r >= 0)
		return;
	log_error("%s", e.text);
	settle(b, o, 0);
	b->follow.again_ms = b->now_ms + AGAIN_MS;
	back_job_clear(b, j);
}

void back_follow_end(struct back *b, const struct job *j, const struct work_report *r)
{
	const struct work_order *o = j->order_of_reap;

	for (size_t i = 0; i < o->n_reap; i++)
		if (r->changed & UINT64_C(1) << i)
			log_info("audit: uid=%u id=%s ifname=%s result=adjusted why=the policy has "
				 "changed",
				 o->reap[i].uid, o->reap[i].id, o->reap[i].ifname);
	settle(b, o, r->reaped);
}
