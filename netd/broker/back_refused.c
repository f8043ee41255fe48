/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_refused: what the policy's destinations have refused is a line of the log. The kernel tells
 * of one packet a second and address at most (ten at once), so nobody drowns another's; and of all
 * together there are no more than SAID_MAX lines a second, the rest being counted. Whose it was is
 * told by its source, which the guard holds to the truth.
 */
#include "base/fd.h"
#include "base/log.h"
#include "broker/back_int.h"

#define SAID_MAX 50
#define AGAIN_MS 10000

static bool has_any(const struct back *b)
{
	for (size_t i = 0; i < b->held.n; i++)
		if (b->held.h[i].has_egress)
			return true;
	return false;
}

static void see(const struct refusal *r, void *arg)
{
	struct back *b = arg;
	struct refused *f = &b->refused;
	const struct holding *h = holdings_by_ip(&b->held, &r->from);
	char to[REFUSAL_STRLEN];

	if (!h)
		return;
	if (b->now_ms - f->said_ms >= 1000) {
		if (f->n_unsaid)
			log_info("audit: result=refused: %u more were not told", f->n_unsaid);
		f->n_said = f->n_unsaid = 0;
		f->said_ms = b->now_ms;
	}
	if (f->n_said == SAID_MAX) {
		f->n_unsaid++;
		return;
	}
	f->n_said++;
	log_info("audit: uid=%u id=%s ifname=%s result=refused to=%s", h->uid, h->id, h->ifname,
		 refusal_str(r, to));
}

void back_refused_heard(struct back *b)
{
	struct err e = ERR_INIT;

	if (engine_refusals_read(b->refused.fd, see, b, &e) >= 0)
		return;
	log_error("%s", e.text);
	back_unwatch(b, b->refused.fd);
	fd_closep(&b->refused.fd);
	b->refused.at_ms = b->now_ms + AGAIN_MS;
}

void back_refused_run(struct back *b)
{
	struct refused *f = &b->refused;
	struct err e = ERR_INIT;

	if (f->fd >= 0 || b->now_ms < f->at_ms || !has_any(b))
		return;
	if (engine_refusals_open(&f->fd, &e) >= 0 && back_watch(b, f->fd, WATCH_REFUSED) < 0) {
		err_set(&e, ERR_INTERNAL, 0, "epoll");
		fd_closep(&f->fd);
	}
	if (f->fd < 0 && !f->has_failed)
		log_warn("what destinations refuse is not told: %s", e.text);
	f->has_failed = f->fd < 0;
	f->at_ms = b->now_ms + AGAIN_MS;
}

int back_refused_wait(const struct back *b)
{
	const struct refused *f = &b->refused;

	if (f->fd >= 0 || !has_any(b))
		return -1;
	return f->at_ms > b->now_ms ? (int)(f->at_ms - b->now_ms) : 0;
}
