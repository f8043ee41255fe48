/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen: TCP with SO_REUSEADDR, so that what lingers of an earlier listener is no obstacle (one
 * that listens is, tcp(7)); UDP without, for there it would let two have the port. A port to be
 * picked for two sockets is picked by the first. Within the supervisor's filter.
 */
#include "proc/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define BACKLOG 4096 /* cut by the kernel to net.core.somaxconn */
#define PICK_TRIES 32

static socklen_t address_of(const struct ip *ip, int family, uint16_t port,
			    struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		memcpy(&v4.sin_addr, ip->b, ip->family ? 4 : 0);
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, ip->b, ip->family ? 16 : 0);
	memcpy(ret, &v6, sizeof(v6));
	return sizeof(v6);
}

static int set_on(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* 0 or -errno. */
static int open_one(const struct publish *p, int family, bool is_dual, uint16_t port, int *ret)
{
	const bool is_tcp = p->proto == IPPROTO_TCP;
	const int type = (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	CLEAN_FD int fd = socket(family, type, p->proto);
	struct sockaddr_storage ss;
	socklen_t len = address_of(&p->host_ip, family, port, &ss);
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && family == AF_INET6)
		r = set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_dual);
	if (r == 0 && is_tcp)
		r = set_on(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && bind(fd, (struct sockaddr *)&ss, len) < 0)
		r = -errno;
	if (r == 0 && is_tcp && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r == 0)
		*ret = fd_take(&fd);
	return r;
}

static int port_of(int fd, uint16_t *ret)
{
	struct sockaddr_storage ss;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	if (ss.ss_family == AF_INET) {
		memcpy(&v4, &ss, sizeof(v4));
		*ret = ntohs(v4.sin_port);
	} else {
		memcpy(&v6, &ss, sizeof(v6));
		*ret = ntohs(v6.sin6_port);
	}
	return 0;
}

static void close_all(struct listen_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		close(s->fd[i]);
	s->n = 0;
}

/* Not there, or switched off. */
static bool is_no_family(int r)
{
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL;
}

static int add(const struct publish *p, int family, bool is_dual, struct listen_set *s)
{
	int r = open_one(p, family, is_dual, s->port, &s->fd[s->n]);

	if (r < 0)
		return r;
	s->family[s->n++] = family;
	return s->port ? 0 : port_of(s->fd[s->n - 1], &s->port);
}

static int open_set(const struct publish *p, bool is_v4, bool is_v6, struct listen_set *s)
{
	const bool is_both = is_v4 && is_v6 && p->host_ip.family == 0;
	int r = -EAFNOSUPPORT, k;

	if (is_v6)
		r = add(p, AF_INET6, is_both && p->proto == IPPROTO_TCP, s);
	if (r == 0 && (p->proto == IPPROTO_TCP || !is_v4))
		return 0;
	if (!is_v4 || (is_v6 && r < 0 && !is_no_family(r)))
		return r;
	k = add(p, AF_INET, false, s);
	return r == 0 && is_no_family(k) ? 0 : k;
}

static int explain(const struct publish *p, int r, struct err *e)
{
	char text[PUBLISH_STRLEN];

	(void)publish_str(p, text);
	if (r == -EADDRINUSE)
		return err_set(e, ERR_CONFLICT, EADDRINUSE, "%s is taken on the host", text);
	if (r == -EACCES)
		return err_set(e, ERR_DENIED, EACCES,
			       "%s: a port below net.ipv4.ip_unprivileged_port_start needs "
			       "CAP_NET_BIND_SERVICE",
			       text);
	if (r == -EADDRNOTAVAIL)
		return err_set(e, ERR_USAGE, EADDRNOTAVAIL, "%s: no address of this host", text);
	if (r == -EMFILE || r == -ENFILE)
		return err_set(e, ERR_QUOTA, -r, "%s: no more open files (RLIMIT_NOFILE)", text);
	return err_sys(e, -r, "%s", text);
}

int listen_open(const struct publish *p, bool is_v4, bool is_v6, struct listen_set *ret,
		struct err *e)
{
	struct listen_set s = {.port = p->host_port};
	int r = open_set(p, is_v4, is_v6, &s);

	/* What is free for one family may be taken for the other. */
	for (int i = 0; i < PICK_TRIES && r == -EADDRINUSE && p->host_port == 0; i++) {
		close_all(&s);
		s.port = 0;
		r = open_set(p, is_v4, is_v6, &s);
	}
	if (r < 0) {
		close_all(&s);
		return explain(p, r, e);
	}
	*ret = s;
	return 0;
}
