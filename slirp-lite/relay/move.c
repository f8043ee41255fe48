/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move: bytes from one end to the other until the kernel says that there are no more, or no more
 * room, or until it is enough for one turn. Read splice(2), tcp(7).
 */
#include "relay/move.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define COPY_MIN (16 * 1024)
/* Below this two moves of pages by splice are more calls than a read and a write. */
#define BULK_MIN (4 * 1024)

/* Bytes read from `from`, 0 at its end, or -errno. */
static ssize_t read_some(const struct mover *m, struct end *from)
{
	size_t size = m->pipes.pair[from->pipe].size;
	ssize_t n;

	do
		n = splice(from->fd, NULL, m->pipes.pair[from->pipe].in, NULL, size,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Exactly what is held is asked for: a larger count would make TCP wait for more to come. */
static ssize_t write_held(const struct mover *m, struct end *from, struct end *to)
{
	ssize_t n;

	do
		n = splice(m->pipes.pair[from->pipe].out, NULL, to->fd, NULL, from->held,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Notes the end of the stream, or that there is nothing now. Returns false on an error. */
static bool note_read(struct end *from, ssize_t n)
{
	if (n == 0)
		from->has_ended = true;
	else if (n == -EAGAIN)
		from->readable = false;
	else if (n < 0)
		return false;
	return true;
}

/* Before something is sent. Nothing is held back while there is nothing on its way, so one that
 * gets one answer and no more is spared the call. */
static void note_send(struct end *to)
{
	const int on = 1;

	if (to->is_sent && to->is_held_back) {
		setsockopt(to->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		to->is_held_back = false;
	}
	to->is_sent = true;
}

/* Reads and writes what is small; the rest that `to` does not take waits in the pipe, which is
 * empty and has room for it. */
static ssize_t step_small(struct mover *m, struct end *from, struct end *to)
{
	ssize_t n, sent;
	size_t left;

	do
		n = recv(from->fd, m->copy, COPY_MIN, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (!note_read(from, n < 0 ? -errno : n))
		return -EIO;
	if (n <= 0)
		return 0;
	from->is_bulk = n == COPY_MIN;
	/* That was all: what comes now is another event, or it was the end. */
	if (n < COPY_MIN && from->is_last)
		from->has_ended = true;
	else if (n < COPY_MIN && !from->is_thorough)
		from->readable = false;
	note_send(to);
	do
		sent = send(to->fd, m->copy, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN)
		return -EIO;
	to->writable = sent == n;
	sent = sent < 0 ? 0 : sent;
	left = (size_t)(n - sent);
	if (left > 0 && write(m->pipes.pair[from->pipe].in, m->copy + sent, left) != (ssize_t)left)
		return -EIO;
	from->held = (uint32_t)left;
	return sent;
}

/* One step by a pipe. Bytes moved, 0: nothing to do now, negative: broken. */
static ssize_t step_pipe(struct mover *m, struct end *from, struct end *to)
{
	if (m->may_write && from->held == 0 && !from->is_bulk && to->writable)
		return step_small(m, from, to);
	if (from->held == 0) {
		ssize_t n = read_some(m, from);
		if (!note_read(from, n))
			return n;
		if (n <= 0)
			return 0;
		from->held = (uint32_t)n;
		from->is_bulk = n >= BULK_MIN;
	}
	if (!to->writable)
		return 0;
	note_send(to);
	ssize_t n = write_held(m, from, to);
	if (n == -EAGAIN) {
		to->writable = false;
		return 0;
	}
	if (n <= 0)
		return -EIO;
	from->held -= (uint32_t)n;
	return n;
}

/* The same without a pipe: what was sent is taken off the queue afterwards (MSG_TRUNC, tcp(7)). */
static ssize_t step_copy(struct mover *m, struct end *from, struct end *to)
{
	if (!to->writable)
		return 0;
	size_t size = from->copy ? from->copy : COPY_MIN;
	ssize_t n = recv(from->fd, m->copy, size, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EINTR)
		return 1;
	if (!note_read(from, n < 0 ? -errno : n))
		return -EIO;
	if (n <= 0)
		return 0;
	note_send(to);
	ssize_t sent = send(to->fd, m->copy, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EINTR)
		return 1;
	if (sent < 0 && errno == EAGAIN) {
		to->writable = false;
		from->copy = COPY_MIN;
		return 0;
	}
	if (sent <= 0)
		return -EIO;
	if (sent < n)
		from->copy = sent < 2 * COPY_MIN ? COPY_MIN : (uint32_t)sent / 2;
	else if ((size_t)n == size)
		from->copy = size * 2 > MOVE_COPY_MAX ? MOVE_COPY_MAX : (uint32_t)size * 2;
	return recv(from->fd, m->copy, (size_t)sent, MSG_TRUNC | MSG_DONTWAIT) == sent ? sent
										       : -EIO;
}

enum moved move_turn(struct mover *m, struct end *from, struct end *to, uint64_t *moved)
{
	size_t total = 0;
	ssize_t n = 0;

	if (from->pipe == PIPES_NONE && from->readable && !from->has_ended)
		from->pipe = pipes_take(&m->pipes);
	while (total < m->turn) {
		if (from->held == 0 && (!from->readable || from->has_ended))
			break;
		if (from->held && !to->writable)
			break;
		n = from->pipe == PIPES_NONE ? step_copy(m, from, to) : step_pipe(m, from, to);
		if (n < 0)
			return MOVED_RESET;
		if (n == 0 && from->pipe == PIPES_NONE && !to->writable)
			break;
		total += (size_t)n;
		*moved += (uint64_t)n;
	}
	if (from->pipe != PIPES_NONE && from->held == 0) {
		pipes_give(&m->pipes, from->pipe, true);
		from->pipe = PIPES_NONE;
	}
	if (from->has_ended && from->held == 0 && !to->is_shut) {
		/* The second end is the close, which follows. */
		if (!from->is_shut)
			shutdown(to->fd, SHUT_WR);
		to->is_shut = true;
	}
	return total >= m->turn ? MOVED_SOME : MOVED_ALL;
}
