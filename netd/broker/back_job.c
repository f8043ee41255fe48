/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_job: from a call to its end: who, may he, has he room, a worker, the answer. Of one user one
 * job is worked on at a time, and those of others pass him. Every grant and every denial is one
 * line of the log. Charges are counted when a job begins, and a job under way counts as what it
 * asks for, so that nobody gets more by being quick.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "broker/back_int.h"
#include "broker/policy.h"
#include "broker/request.h"
#include "sys/fdpass.h"

void back_job_clear(struct back *b, struct job *j)
{
	back_unwatch(b, j->report_fd);
	fdpass_drop(&j->conn);
	fd_closep(&j->report_fd);
	free(j->call);
	free(j->order_of_reap);
	free(j->names);
	*j = (struct job){.conn = -1, .report_fd = -1};
}

size_t back_jobs(const struct back *b, bool only_workers)
{
	size_t n = 0;

	for (size_t i = 0; i < BACK_JOBS; i++)
		n += b->job[i].is_used &&
		     (!only_workers || (b->job[i].worker > 0 && !b->job[i].is_done));
	return n;
}

struct job *back_job_free(struct back *b)
{
	for (size_t i = 0; i < BACK_JOBS; i++)
		if (!b->job[i].is_used)
			return &b->job[i];
	return NULL;
}

/* kind: ERR_NONE: granted. */
static void audit(struct back *b, const struct job *j, enum err_kind kind, const char *why)
{
	const struct call *c = j->call;
	char rates[2][ATTACH_RATE_STRLEN + 16];

	for (unsigned i = 0; i < 2; i++) {
		char s[ATTACH_RATE_STRLEN];

		rates[i][0] = '\0';
		if (c->rate_set & 1u << i)
			snprintf(rates[i], sizeof(rates[i]), " rate-%s=%s",
				 i == CALL_RATE_IN ? "in" : "out", attach_rate_str(c->rate[i], s));
	}
	tally_add(&b->tally, j->peer.who.uid, c->verb, j->is_too_often ? TALLY_RATE : kind);
	log_info("audit: uid=%u comm=%s verb=%s network=%s id=%s ifname=%s ports=%u%s%s "
		 "result=%s%s%s",
		 j->peer.who.uid, j->peer.comm, call_rule(c->verb)->name,
		 c->network[0] ? c->network : "-", c->id[0] ? c->id : "-",
		 c->ifname[0] ? c->ifname : "-", c->n_publish, rates[0], rates[1],
		 kind == ERR_NONE ? "granted" : err_kind_name(kind), why[0] ? " why=" : "", why);
}

static size_t jobs_of(const struct back *b, uint32_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < BACK_JOBS; i++)
		n += b->job[i].is_used && b->job[i].call && !b->job[i].is_done &&
		     b->job[i].peer.who.uid == uid;
	return n;
}

void back_job_add(struct back *b, const struct call *c, int conn)
{
	struct job stranger = {.call = (struct call *)(uintptr_t)c, .front = b->front};
	struct job *j = back_job_free(b);
	struct call *copy = NULL;
	struct err e = ERR_INIT;
	struct peer peer;

	b->busy_ms = b->now_ms;
	b->n_refused += c->n_refused;
	if (peer_of(conn, &b->c->name, &peer, &e) < 0) {
		log_warn("a client was refused: %s", e.text);
		back_refuse(b, &stranger, ERR_DENIED);
	} else if (j && !b->is_stopping && jobs_of(b, peer.who.uid) < BACK_JOBS_OF_UID) {
		copy = malloc(sizeof(*copy));
	}
	if (!copy) {
		back_refuse(b, &stranger, ERR_BUSY);
		fdpass_drop(&conn);
		return;
	}
	memcpy(copy, c, sizeof(*copy));
	*j = (struct job){.is_used = true,
			  .order = b->next_order++,
			  .call = copy,
			  .peer = peer,
			  .conn = conn,
			  .front = b->front,
			  .deadline_ms = b->now_ms + BACK_WAIT_MS,
			  .report_fd = -1};
}

/* ---- work ---- */

int back_job_start(struct back *b, struct job *j, const struct work_order *o, struct err *e)
{
	int r = worker_start(o, &j->worker, &j->report_fd, e);

	if (r < 0)
		return r;
	fdpass_drop(&j->conn);
	j->deadline_ms = b->now_ms + BACK_WORK_MS;
	r = back_watch(b, j->report_fd, (uint32_t)(j - b->job));
	return r < 0 ? err_sys(e, -r, "epoll") : 0;
}

static uint32_t count_ports(const struct call *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_publish; i++)
		n += c->publish[i].count;
	return n;
}

/* Its intent is in the list before it begins, as it is on record before anything is made. */
static int charge(struct back *b, struct job *j, const char *id, struct err *e)
{
	const struct call *c = j->call;
	struct holding *have = holdings_find(&b->held, id, c->ifname);
	struct holding h = {.uid = j->peer.who.uid, .is_busy = true};
	int r;

	j->had = have != NULL;
	if (have) {
		have->is_busy = true;
		if (c->verb == CALL_PUBLISH)
			have->n_ports += count_ports(c);
		return 0;
	}
	if (c->verb != CALL_ATTACH)
		return 0;
	memcpy(h.id, id, sizeof(h.id));
	memcpy(h.ifname, c->ifname, sizeof(h.ifname));
	memcpy(h.network, c->network, sizeof(h.network));
	h.n_ports = count_ports(c);
	h.has_egress = j->egress.n > 0;
	r = holdings_put(&b->held, &h, e);
	/* Whatever it will be refused is heard. */
	if (r >= 0)
		back_refused_run(b);
	return r;
}

static void status(struct back *b, struct job *j)
{
	struct charge own = holdings_charge(&b->held, j->peer.who.uid, NULL, NULL);
	CLEAN_POLICY struct policy p = {0};
	CLEAN_BUF struct buf text = BUF_INIT;
	size_t wrong = 0;
	bool is_root = j->peer.who.uid == 0;

	if (policy_load(b->c->policy_dir, &p, NULL) < 0)
		wrong = 1;
	for (size_t i = 0; i < p.n_file; i++)
		wrong += p.file[i].wrong.kind != ERR_NONE;
	buf_printf(&text,
		   "{\"ok\":true,\"version\":\"" NETNS_UP_VERSION "\",\"interfaces\":%zu,"
		   "\"ports\":%u,\"policyErrors\":%zu}",
		   is_root ? b->held.n : own.nics, own.ports, wrong);
	for (size_t i = 0; is_root && i < p.n_file; i++)
		if (p.file[i].wrong.kind != ERR_NONE)
			log_warn("policy %s: %s", p.file[i].name, p.file[i].wrong.text);
	if (!text.failed)
		back_answer(b, j, text.p, text.len);
}

/* Nothing is granted by it. */
static bool is_question(const struct call *c)
{
	return c->verb == CALL_LIST || c->verb == CALL_STATUS || c->verb == CALL_METRICS;
}

/* No worker is started for who holds nothing. */
static bool is_empty_list(struct back *b, const struct job *j)
{
	static const char none[] = "{\"ok\":true,\"attachments\":[]}";

	if (j->call->verb != CALL_LIST ||
	    holdings_charge(&b->held, j->peer.who.uid, NULL, NULL).nics > 0)
		return false;
	back_answer(b, j, none, sizeof(none) - 1);
	return true;
}

/* It is answered, and no worker needed. */
static bool is_told(struct back *b, struct job *j)
{
	if (j->call->verb == CALL_STATUS)
		status(b, j);
	else if (j->call->verb == CALL_METRICS)
		back_metrics(b, j);
	else
		return is_empty_list(b, j);
	return true;
}

static void begin(struct back *b, struct job *j)
{
	struct work_order o = {.state_dir = b->c->state_dir,
			       .hold = b->hold,
			       .verb = j->call->verb,
			       .call = j->call,
			       .uid = j->peer.who.uid,
			       .conn = j->conn};
	struct err e = ERR_INIT;
	char id[ID_STRLEN], why[256];
	enum err_kind kind;

	worker_id(o.uid, j->call->id, id);
	kind = back_may(b, j, id, why);
	o.own = j->limits;
	o.egress = &j->egress;
	o.names = j->names;
	/* What may still be refused for what was passed has its line then. */
	if (!is_question(j->call) && (j->call->verb != CALL_ATTACH || kind != ERR_NONE))
		audit(b, j, kind, why);
	if (kind == ERR_NONE && is_told(b, j)) {
		back_job_clear(b, j);
		return;
	}
	if (kind == ERR_NONE && (charge(b, j, id, &e) < 0 || back_job_start(b, j, &o, &e) < 0)) {
		log_error("%s", e.text);
		if (j->call->verb == CALL_ATTACH)
			audit(b, j, ERR_INTERNAL, e.text);
		if (!j->had && j->call->verb == CALL_ATTACH)
			holdings_drop(&b->held, id, j->call->ifname);
		kind = ERR_INTERNAL;
	}
	if (kind == ERR_NONE)
		return;
	back_refuse(b, j, kind);
	back_job_clear(b, j);
}

static bool has_doomed(const struct back *b)
{
	for (size_t i = 0; i < b->held.n; i++)
		if (b->held.h[i].is_doomed && !b->held.h[i].is_busy)
			return true;
	return false;
}

static void begin_reap(struct back *b)
{
	struct job *j = has_doomed(b) ? back_job_free(b) : NULL;
	struct work_order *o = j ? calloc(1, sizeof(*o)) : NULL;
	struct err e = ERR_INIT;

	if (!o)
		return;
	o->state_dir = b->c->state_dir;
	o->hold = b->hold;
	o->verb = WORK_REAP;
	o->conn = -1;
	for (size_t i = 0; i < b->held.n && o->n_reap < WORKER_REAP; i++) {
		struct holding *h = &b->held.h[i];

		if (!h->is_doomed || h->is_busy)
			continue;
		h->is_busy = true;
		o->reap[o->n_reap++] = *h;
	}
	*j = (struct job){.is_used = true,
			  .is_reap = true,
			  .order = b->next_order++,
			  .conn = -1,
			  .report_fd = -1,
			  .order_of_reap = o};
	b->reap_at_ms = UINT64_MAX; /* one at a time */
	if (back_job_start(b, j, o, &e) < 0) {
		log_error("%s", e.text);
		for (size_t i = 0; i < o->n_reap; i++)
			holdings_find(&b->held, o->reap[i].id, o->reap[i].ifname)->is_busy = false;
		back_job_clear(b, j);
		b->reap_at_ms = b->now_ms + BACK_REAP_AGAIN_MS;
	}
}

/* Nobody else is at work for that user, or on that name. A worker that does not come to its end is
 * held up by what it was passed: that is its user's affair. */
static bool is_ready(struct back *b, const struct job *j)
{
	const struct holding *h;
	char id[ID_STRLEN];
	size_t n_ending = 0;

	if (!j->is_used || j->worker)
		return false;
	for (size_t i = 0; i < BACK_JOBS; i++) {
		const struct job *k = &b->job[i];

		if (!k->worker || !k->call || k->peer.who.uid != j->peer.who.uid)
			continue;
		if (!k->is_done || ++n_ending >= BACK_ENDING)
			return false;
	}
	worker_id(j->peer.who.uid, j->call->id, id);
	h = holdings_find(&b->held, id, j->call->ifname);
	return !h || (!h->is_busy && !h->is_doomed);
}

void back_job_run(struct back *b)
{
	if (back_upgrade_holds(b))
		return;
	back_tables_run(b);
	back_follow_run(b);
	back_login_run(b);
	back_refused_run(b);
	back_names_run(b);
	if (b->now_ms >= b->reap_at_ms)
		begin_reap(b);
	while (back_jobs(b, true) < BACK_WORKERS && !back_upgrade_holds(b)) {
		struct job *first = NULL;

		for (size_t i = 0; i < BACK_JOBS; i++)
			if ((!first || b->job[i].order < first->order) && is_ready(b, &b->job[i]))
				first = &b->job[i];
		if (!first)
			return;
		begin(b, first);
	}
}

/* ---- its end ---- */

static void end_reap(struct back *b, const struct job *j, const struct work_report *r)
{
	const struct work_order *o = j->order_of_reap;

	b->reap_at_ms = 0;
	for (size_t i = 0; i < o->n_reap; i++) {
		struct holding *h = holdings_find(&b->held, o->reap[i].id, o->reap[i].ifname);

		if (r->reaped & UINT64_C(1) << i) {
			log_info("audit: uid=%u id=%s ifname=%s result=ended why=%s",
				 o->reap[i].uid, o->reap[i].id, o->reap[i].ifname,
				 o->reap[i].is_logged_out ? "its user has logged out"
							  : "its namespace or interface is gone");
			b->n_ended++;
			holdings_drop(&b->held, o->reap[i].id, o->reap[i].ifname);
		} else {
			b->reap_at_ms = b->now_ms + BACK_REAP_AGAIN_MS;
			if (h)
				h->is_busy = false;
		}
	}
}

/* The link may have gone before its number was known here. */
static void settle(struct back *b, const struct job *j, const struct work_report *r)
{
	struct holding now = r->holding, *h;
	char id[ID_STRLEN];

	worker_id(j->peer.who.uid, j->call->id, id);
	if (!r->is_held) {
		holdings_drop(&b->held, id, j->call->ifname);
		return;
	}
	if (b->watch && now.ifindex && engine_watch_has(b->watch, now.ifindex, NULL) == 0)
		now.is_doomed = true;
	h = holdings_find(&b->held, id, j->call->ifname);
	now.is_stale = h && h->is_stale;
	b->logins.is_due |= now.is_until_logout;
	if (h)
		*h = now;
	else if (holdings_put(&b->held, &now, NULL) < 0)
		log_error("%s is not accounted for: no memory", id);
}

/* Killed, or crashed: what it was making is taken down; what had been there stays. */
static void died(struct back *b, struct job *j)
{
	struct work_report none = {.kind = ERR_INTERNAL};
	struct holding *h;
	char id[ID_STRLEN];

	if (j->is_reap) {
		end_reap(b, j, &none);
		return;
	}
	if (j->is_tables) {
		back_tables_end(b, j, &none);
		return;
	}
	if (j->is_follow) {
		back_follow_end(b, j, &none);
		return;
	}
	if (j->is_names) {
		back_names_end(b, &none, NULL);
		return;
	}
	log_error("the worker of uid %u died", j->peer.who.uid);
	if (j->call->verb == CALL_ATTACH)
		audit(b, j, ERR_INTERNAL, "its worker died");
	worker_id(j->peer.who.uid, j->call->id, id);
	h = holdings_find(&b->held, id, j->call->ifname);
	if (h) {
		h->is_busy = false;
		h->is_doomed = h->is_doomed || !j->had || j->call->verb == CALL_DETACH;
	}
	back_refuse(b, j, ERR_INTERNAL);
}

/* All that is left is to collect the worker, which may be held up at its end. */
static void finish(struct back *b, struct job *j)
{
	if (j->is_over) {
		back_job_clear(b, j);
		return;
	}
	back_unwatch(b, j->report_fd);
	fd_closep(&j->report_fd);
	j->is_done = true;
	j->deadline_ms = b->now_ms + BACK_WORK_MS;
}

static void answer(struct back *b, struct job *j, const struct work_report *r, const char *text,
		   size_t len)
{
	if (j->call->verb == CALL_ATTACH)
		audit(b, j, r->why[0] ? ERR_DENIED : ERR_NONE, r->why);
	/* Whatever is asked for next is heard after this. */
	back_answer(b, j, text, len);
	if (j->call->verb != CALL_LIST)
		settle(b, j, r);
}

void back_job_report(struct back *b, struct job *j)
{
	static char data[sizeof(struct work_report) + ANSWER_TEXT_MAX];
	struct work_report r;
	CLEAN_FD int fd = -1;
	ssize_t n = fdpass_recv(j->report_fd, data, sizeof(data), &fd, 1);

	if (n == -EAGAIN)
		return;
	if (!j->is_tables && !j->is_names)
		b->busy_ms = b->now_ms;
	if (n < (ssize_t)sizeof(r)) {
		died(b, j);
	} else {
		memcpy(&r, data, sizeof(r));
		if (j->is_reap)
			end_reap(b, j, &r);
		else if (j->is_tables)
			back_tables_end(b, j, &r);
		else if (j->is_follow)
			back_follow_end(b, j, &r);
		else if (j->is_names)
			back_names_end(b, &r, &fd);
		else
			answer(b, j, &r, data + sizeof(r), (size_t)n - sizeof(r));
	}
	finish(b, j);
}

void back_job_over(struct back *b, pid_t worker)
{
	for (size_t i = 0; i < BACK_JOBS; i++) {
		struct job *j = &b->job[i];

		if (j->worker != worker)
			continue;
		j->is_over = true;
		if (j->is_done)
			back_job_clear(b, j);
	}
}

/* Its time is over. */
static void cut(struct back *b, struct job *j)
{
	if (!j->worker) {
		back_refuse(b, j, ERR_BUSY);
		back_job_clear(b, j);
		return;
	}
	if (!j->is_over)
		kill(j->worker, SIGKILL);
	if (j->is_done) {
		log_warn("a worker of uid %u does not come to its end", j->peer.who.uid);
		j->deadline_ms = UINT64_MAX;
		return;
	}
	log_error("a worker has taken %d ms: it is killed", BACK_WORK_MS);
	died(b, j);
	finish(b, j);
}

int back_job_cut(struct back *b)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < BACK_JOBS; i++) {
		struct job *j = &b->job[i];

		if (j->is_used && j->deadline_ms <= b->now_ms)
			cut(b, j);
		if (j->is_used && j->deadline_ms < next)
			next = j->deadline_ms;
	}
	return next == UINT64_MAX ? -1 : (int)(next - b->now_ms);
}

static void gone(uint32_t ifindex, void *arg)
{
	struct back *b = arg;
	struct holding *h = holdings_by_link(&b->held, ifindex);

	if (h)
		h->is_doomed = true;
}

void back_links_check(struct back *b)
{
	for (size_t i = 0; i < b->held.n; i++)
		if (b->held.h[i].ifindex &&
		    engine_watch_has(b->watch, b->held.h[i].ifindex, NULL) == 0)
			b->held.h[i].is_doomed = true;
}

void back_links_gone(struct back *b)
{
	struct err e = ERR_INIT;
	int r = engine_watch_read(b->watch, gone, b, &e);

	if (r < 0)
		log_error("%s", e.text);
	if (r != 0)
		back_links_check(b);
	if (r != 0 || engine_watch_came(b->watch))
		back_names_hint(b);
}
