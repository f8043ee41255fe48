/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_try: this program's own trial, beside the one that serves and as its child: the records are
 * read, what was handed over is looked at, and a back and a front give up their privileges as they
 * will. Nothing is served, written or removed. It ends with one message, or without.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/back.h"
#include "broker/front.h"
#include "broker/holdings.h"
#include "broker/listen.h"
#include "engine/engine.h"
#include "sys/fdpass.h"

#define WORD "front"

/* What it says from within its jail counts, not how it ends. */
static void be_front(const struct back_config *c, int sock)
{
	const struct front_config f = {.uid = c->front_uid, .gid = c->front_gid};
	struct err e = ERR_INIT;

	if (front_jail(&f, &e) < 0)
		log_error("front: %s", e.text);
	else
		(void)fdpass_send(sock, WORD, sizeof(WORD), NULL, 0);
	_exit(0);
}

static int try_front(const struct back_config *c, struct err *e)
{
	char word[sizeof(WORD)];
	int pair[2];
	ssize_t n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	pid = fork();
	if (pid == 0)
		be_front(c, pair[1]);
	if (pid < 0)
		return err_sys(e, errno, "fork");
	while (waitpid(pid, NULL, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "front");
	n = fdpass_recv(pair[0], word, sizeof(word), NULL, 0);
	return n == sizeof(word) ? 0 : err_set(e, ERR_INTERNAL, 0, "its front does not start");
}

static int try_tables(const struct back_config *c, struct err *e)
{
	const struct handover *h = c->from;
	const struct hold_fds fds = {.watch = h->fd[HANDOVER_WATCH],
				     .door = h->fd[HANDOVER_DOOR],
				     .socket = h->fd[HANDOVER_NFT],
				     .lock = h->fd[HANDOVER_NFT_LOCK]};
	struct engine_hold *hold = NULL; /* never closed: its files are somebody else's */

	/* Without a door it is the stand-in's, which is taken up as it is. */
	if (fds.socket < 0 || fds.door < 0)
		return 0;
	if (!listen_is_socket(fds.door))
		return err_invalid(e, ERR_PROTOCOL, "descriptor %d is no door", fds.door);
	return engine_hold_take(c->state_dir, &fds, &hold, e);
}

int back_try(const struct back_config *c)
{
	struct handover_ready ready = {.magic = HANDOVER_MAGIC, .nonce = c->from->nonce};
	struct holdings held = {0};
	struct engine_watch *watch = NULL;
	struct back_marks marks;
	struct err e = ERR_INIT;
	int r = fdpass_drop_setup();

	if (r >= 0)
		r = engine_watch_open(&watch, &e);
	if (r >= 0)
		r = holdings_load(&held, c->state_dir, &e);
	if (r >= 0)
		r = try_tables(c, &e);
	if (r >= 0)
		r = back_jail(c->from, &marks, &e);
	if (r >= 0)
		r = try_front(c, &e);
	if (r < 0) {
		log_error("trial of " NETNS_UP_VERSION ": %s", e.text);
		return 1;
	}
	snprintf(ready.version, sizeof(ready.version), "%s", NETNS_UP_VERSION);
	return fdpass_send(c->from->fd[HANDOVER_READY], &ready, sizeof(ready), NULL, 0) < 0;
}
