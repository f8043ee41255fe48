/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_login: what is to end when its user logs out is doomed then, and taken down like what has
 * lost its namespace. logind's directory is watched (inotify(7)), from the first such attachment
 * on; where that cannot be, it is looked at every few seconds. Who is logged in again by the time
 * that it is looked at keeps what he has.
 */
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/back_int.h"
#include "broker/login.h"

#define LOOK_MS 5000
#define WATCHED (IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static bool has_any(const struct back *b)
{
	for (size_t i = 0; i < b->held.n; i++)
		if (b->held.h[i].is_until_logout && !b->held.h[i].is_doomed)
			return true;
	return false;
}

static void watch(struct back *b)
{
	struct logins *l = &b->logins;

	if (l->fd < 0) {
		l->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (l->fd >= 0 && back_watch(b, l->fd, WATCH_LOGINS) < 0) {
			close(l->fd);
			l->fd = -1;
		}
	}
	l->is_watched = l->fd >= 0 && inotify_add_watch(l->fd, LOGIN_DIR, WATCHED) >= 0;
}

void back_login_heard(struct back *b)
{
	struct logins *l = &b->logins;
	_Alignas(struct inotify_event) char text[4096];
	ssize_t n;

	while ((n = read(l->fd, text, sizeof(text))) > 0) {
		for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)n;) {
			const struct inotify_event *x = (const void *)(text + at);

			if (x->mask & IN_MOVE_SELF)
				(void)inotify_rm_watch(l->fd, x->wd);
			if (x->mask & IN_IGNORED)
				l->is_watched = false;
			at += sizeof(*x) + x->len;
		}
		l->is_due = true;
	}
}

static void look(struct back *b)
{
	for (size_t i = 0; i < b->held.n; i++) {
		struct holding *h = &b->held.h[i];
		int r = h->is_until_logout && !h->is_doomed ? login_has(h->uid) : 1;

		if (r < 0)
			log_warn("whether uid %u is logged in cannot be told: %s", h->uid,
				 strerror(-r));
		if (r == 0)
			h->is_doomed = h->is_logged_out = true;
	}
}

/* First the watch, then the look: what goes in between is announced. */
void back_login_run(struct back *b)
{
	struct logins *l = &b->logins;

	if (!has_any(b) || back_login_wait(b) != 0)
		return;
	if (!l->is_watched)
		watch(b);
	look(b);
	l->is_due = false;
	l->at_ms = b->now_ms + LOOK_MS;
}

int back_login_wait(const struct back *b)
{
	const struct logins *l = &b->logins;

	if (!has_any(b))
		return -1;
	if (l->is_due || (!l->is_watched && b->now_ms >= l->at_ms))
		return 0;
	return l->is_watched ? -1 : (int)(l->at_ms - b->now_ms);
}
