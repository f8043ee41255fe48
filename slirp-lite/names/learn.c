/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * learn: members that may go to where names lead: the keeper is told of each answer of a resolver
 * that has addresses, and the member hears it once the keeper has let it go there. The keeper
 * judges names and addresses; here nothing is known of either. A name that is denied is refused.
 * Without a keeper, or where it is too slow, the resolver has failed, as the member is told.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "names/server.h"
#include "relay/watch.h"
#include "wire/dnsaddr.h"

#define MESSAGES_A_TURN 64

_Static_assert(DNSADDR_MAX <= NAMESMSG_LEARN_IPS, "an answer's addresses fit one message");
_Static_assert(DNS_NAME_MAX <= NAMESMSG_LEARN_NAME, "a name fits");

static void lose_keeper(struct server *s)
{
	if (s->keeper_fd < 0)
		return;
	watch_del(s->epoll_fd, s->keeper_fd);
	close(s->keeper_fd);
	s->keeper_fd = -1;
}

void learn_take_keeper(struct server *s, int fd)
{
	lose_keeper(s); /* who comes later has seen that there is none, or none that answers */
	if (watch_add(s->epoll_fd, fd, EPOLLIN, SERVER_KEEPER, 0, 0) < 0)
		close(fd);
	else
		s->keeper_fd = fd;
}

enum learn learn_answer(struct server *s, uint32_t entry, const struct watch_id *who,
			const uint8_t *message, size_t len)
{
	const struct table_entry *e = table_entry_at(&s->table, entry);
	struct namesmsg_learn m = {.version = NAMESMSG_VERSION,
				   .kind = who->kind,
				   .index = who->index,
				   .gen = who->gen};
	struct dnsaddr a;

	if (!e->is_kept || dnsaddr_read(message, len, &a) < 0 || a.n == 0)
		return LEARN_NOTHING;
	if (s->keeper_fd < 0)
		return LEARN_FAILED;
	m.n_ip = (uint32_t)a.n;
	memcpy(m.ip, a.ip, a.n * sizeof(a.ip[0]));
	memcpy(m.ttl_s, a.ttl_s, a.n * sizeof(a.ttl_s[0]));
	memcpy(m.network, table_net_at(&s->table, e->net)->name, sizeof(m.network));
	memcpy(m.key, e->key, sizeof(m.key));
	memcpy(m.name, a.name, sizeof(a.name));
	if (send(s->keeper_fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(m))
		return LEARN_ASKED;
	if (errno != EAGAIN)
		lose_keeper(s);
	return LEARN_FAILED;
}

unsigned int learn_rcode(int sys)
{
	return sys == EACCES ? DNS_RCODE_REFUSED : DNS_RCODE_FAILED;
}

void learn_event(struct server *s)
{
	for (int i = 0; s->keeper_fd >= 0 && i < MESSAGES_A_TURN; i++) {
		struct namesmsg_learned a;
		ssize_t n = recv(s->keeper_fd, &a, sizeof(a), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != (ssize_t)sizeof(a) || a.version != NAMESMSG_VERSION) {
			lose_keeper(s);
			return;
		}
		if (a.kind == SERVER_QUERY)
			query_learned(s, a.index, a.gen, a.sys);
		else if (a.kind == SERVER_STREAM)
			stream_learned(s, a.index, a.gen, a.sys);
	}
}
