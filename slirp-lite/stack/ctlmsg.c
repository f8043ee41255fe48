/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctlmsg: sends and receives the messages of ctlmsg.h. Never waits, allocates nothing, keeps no
 * state. Read unix(7) on SOCK_SEQPACKET.
 */
#include "stack/ctlmsg.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_SIZE offsetof(struct ctlmsg, resolvers)

/* Bytes of a message of this type, 0: there is no such type. */
static size_t size_of(uint32_t type)
{
	switch (type) {
	case CTLMSG_RESOLVERS:
		return HEAD_SIZE + sizeof(((struct ctlmsg *)0)->resolvers);
	case CTLMSG_STATS:
		return HEAD_SIZE + sizeof(((struct ctlmsg *)0)->stats);
	case CTLMSG_STATS_GET:
	case CTLMSG_READY:
		return HEAD_SIZE;
	default:
		return 0;
	}
}

int ctlmsg_send(int fd, const struct ctlmsg *m)
{
	size_t size = size_of(m->type);
	ssize_t n;

	if (size == 0)
		return -EINVAL;
	do
		n = send(fd, m, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static bool is_sound(const struct ctlmsg *m, size_t len)
{
	if (len < HEAD_SIZE || len != size_of(m->type))
		return false;
	if (m->type != CTLMSG_RESOLVERS)
		return true;
	if (m->resolvers.n > RESOLVERS_MAX)
		return false;
	for (size_t i = 0; i < m->resolvers.n; i++)
		if (ip_size(&m->resolvers.ip[i]) == 0)
			return false;
	return true;
}

int ctlmsg_recv(int fd, struct ctlmsg *ret)
{
	struct ctlmsg m;
	ssize_t n;

	memset(&m, 0, sizeof(m));
	do
		n = recv(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	if (!is_sound(&m, (size_t)n))
		return -EPROTO;
	*ret = m;
	return 1;
}
