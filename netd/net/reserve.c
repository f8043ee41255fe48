/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reserve: the sockets that keep published ports for us on the host. A TCP socket listens from the
 * start, for only a listener keeps others away from a port bound with SO_REUSEADDR (which is there
 * so that connections of an earlier life in TIME_WAIT do not keep us away); a UDP socket never has
 * it. Handing over is idempotent, so a forwarder that goes away meanwhile costs one more try.
 * Nothing is looked up in /proc unless a port is taken.
 */
#include "net/reserve.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/grow.h"
#include "model/fwdmsg.h"
#include "net/fwdlink.h"
#include "net/portowner.h"

#define BACKLOG 4096
#define PICK_TRIES 16
#define LOST_TRIES 4
#define N_OTHERS 64 /* descriptors beside the bound ones, generously */

/* One socket's place: what tells it from all others of a key. */
struct place {
	uint8_t proto;
	struct ip host_ip;
	uint16_t host_port, ctr_port;
	int fd; /* -1 in the list of those the forwarder has */
};

struct places {
	struct place *p;
	size_t n, cap;
};

struct reserve {
	struct fwdlink link;
	struct places bound, served;
	size_t n_max; /* of bound, with the descriptors that this process may have; 0: unknown */
	bool is_probe;
};

int reserve_open(int dirfd, struct reserve **ret, struct err *e)
{
	(void)dirfd;
	struct reserve *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(e, ERR_INTERNAL, ENOMEM, "reserve");
	r->link.fd = -1;
	*ret = r;
	return 0;
}

bool reserve_started(const struct reserve *r)
{
	return r->link.started;
}

void reserve_only_probe(struct reserve *r)
{
	r->is_probe = true;
}

static void places_cut(struct places *l, size_t n)
{
	while (l->n > n)
		fd_closep(&l->p[--l->n].fd);
}

static int places_add(struct places *l, const struct place *p, struct err *e)
{
	if (!GROW(l->p, l->n, l->cap))
		return err_set(e, ERR_INTERNAL, ENOMEM, "reserve");
	l->p[l->n++] = *p;
	return 0;
}

static bool places_has(const struct places *l, const struct place *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].proto == p->proto && l->p[i].host_port == p->host_port &&
		    l->p[i].ctr_port == p->ctr_port && ip_equal(&l->p[i].host_ip, &p->host_ip))
			return true;
	return false;
}

void reserve_closep(struct reserve **r)
{
	if (!*r)
		return;
	places_cut(&(*r)->bound, 0);
	free((*r)->bound.p);
	free((*r)->served.p);
	fwdlink_close(&(*r)->link);
	free(*r);
	*r = NULL;
}

/* Whether the run gets sockets that stay, or is only tried (or not even that: is_unheld). */
static bool is_kept(const struct publish *p)
{
	return !p->is_unheld && p->count <= PUBLISH_HELD_MAX &&
	       (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP);
}

/* Opening an SCTP socket would make the kernel load its module; without it nobody holds a port. */
static bool has_sctp(void)
{
	return access("/proc/thread-self/net/sctp", F_OK) == 0;
}

static int set_options(int fd, int family, const struct place *at, bool keep)
{
	const int on = 1;
	int v6only = at->host_ip.family != 0;

	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0)
		return -errno;
	/* Replies leave from the address the client asked: the forwarder learns it with each
	 * datagram. */
	if (at->proto == IPPROTO_UDP) {
		bool six = family == AF_INET6;
		if (keep && setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
				       six ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on)) < 0)
			return -errno;
		return 0;
	}
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ? -errno : 0;
}

static socklen_t set_address(struct sockaddr_storage *ss, int family, const struct place *at)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *four = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (family == AF_INET) {
		four->sin_family = AF_INET;
		four->sin_port = htons(at->host_port);
		memcpy(&four->sin_addr, at->host_ip.b, 4);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(at->host_port);
	memcpy(&six->sin6_addr, at->host_ip.b, 16);
	return sizeof(*six);
}

static int bound_port(int fd, uint16_t *ret)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	*ret = ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
					     : ((struct sockaddr_in6 *)&ss)->sin6_port);
	return 0;
}

/* Binds at->fd (and the port into at->host_port). keep: with all that serving it takes, otherwise
 * as little as tells whether the port is free. 0 or -errno; nothing is left open when it fails. */
static int bind_place(struct place *at, bool keep)
{
	int type = at->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int family = at->host_ip.family ? at->host_ip.family : AF_INET6;
	struct sockaddr_storage ss;
	CLEAN_FD int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, at->proto);

	if (fd < 0 && errno == EAFNOSUPPORT && !at->host_ip.family) {
		family = AF_INET;
		fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, at->proto);
	}
	if (fd < 0)
		return -errno;
	int r = set_options(fd, family, at, keep);
	if (r < 0)
		return r;
	socklen_t len = set_address(&ss, family, at);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	if (keep && at->proto == IPPROTO_TCP && listen(fd, BACKLOG) < 0)
		return -errno;
	if (at->host_port == 0)
		r = bound_port(fd, &at->host_port);
	if (r == 0)
		at->fd = fd_take(&fd);
	return r;
}

static int bind_error(int sys, const struct place *at, struct err *e)
{
	char who[PORTOWNER_STRLEN], ip[IP_STRLEN];
	const char *proto = proto_str(at->proto);

	if (sys == EADDRINUSE)
		return err_set(e, ERR_CONFLICT, sys, "port %u/%s is taken by %s", at->host_port,
			       proto, portowner_find(at->proto, &at->host_ip, at->host_port, who));
	if (sys == EADDRNOTAVAIL && at->host_ip.family)
		return err_set(e, ERR_USAGE, sys, "host address %s is not an address of this host",
			       ip_str(&at->host_ip, ip));
	return err_sys(e, sys, "bind port %u/%s", at->host_port, proto);
}

static int probe_run(const struct publish *p, struct err *e)
{
	if (p->proto == IPPROTO_SCTP && !has_sctp())
		return 0;
	for (uint32_t i = 0; i < p->count; i++) {
		struct place at = {.proto = p->proto,
				   .host_ip = p->host_ip,
				   .host_port = (uint16_t)(p->host_port + i),
				   .fd = -1};
		int r = bind_place(&at, false);
		/* An ended connection that lingers on its local port is in nobody's way. */
		if (r == -EADDRINUSE && p->proto == IPPROTO_TCP)
			r = bind_place(&at, true);
		if (r < 0)
			return bind_error(-r, &at, e);
		close(at.fd);
	}
	return 0;
}

/* The kernel picks among ports free at bind, but two listeners are told apart only at listen. */
static int pick_port(struct place *at, bool keep)
{
	int r = -EADDRINUSE;

	for (int i = 0; i < PICK_TRIES && r == -EADDRINUSE; i++) {
		at->host_port = 0;
		r = bind_place(at, keep);
	}
	return r;
}

/* Many ports need more descriptors than the soft limit allows, which is 1,024 by custom; the hard
 * one says what is allowed. */
static void make_room(struct reserve *r)
{
	struct rlimit now;

	if (r->bound.n < r->n_max || getrlimit(RLIMIT_NOFILE, &now) < 0)
		return;
	if (r->bound.n + N_OTHERS >= now.rlim_cur && now.rlim_cur < now.rlim_max) {
		now.rlim_cur = now.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &now);
	}
	r->n_max = now.rlim_cur > N_OTHERS ? now.rlim_cur - N_OTHERS : 0;
}

static int bind_run(struct reserve *r, struct publish *p, struct err *e)
{
	for (uint32_t i = 0; i < p->count; i++) {
		struct place at = {.proto = p->proto,
				   .host_ip = p->host_ip,
				   .host_port = (uint16_t)(p->host_port + (p->host_port ? i : 0)),
				   .ctr_port = (uint16_t)(p->ctr_port + i),
				   .fd = -1};
		bool pick = p->host_port == 0;
		if (!pick && places_has(&r->served, &at))
			continue;
		make_room(r);
		int k = pick ? pick_port(&at, !r->is_probe) : bind_place(&at, !r->is_probe);
		if (k < 0)
			return bind_error(-k, &at, e);
		k = places_add(&r->bound, &at, e);
		if (k < 0) {
			close(at.fd);
			return k;
		}
		if (pick)
			p->host_port = at.host_port;
	}
	return 0;
}

static int check_run(const struct publish *p, const bool has[N_FAM], struct err *e)
{
	if (!has[FAM4] && !has[FAM6])
		return err_set(e, ERR_INTERNAL, EINVAL, "publish: the container has no address");
	if (p->count == 0 || (p->host_port == 0 && p->count > 1) ||
	    p->host_port + p->count - 1 > UINT16_MAX)
		return err_set(e, ERR_USAGE, EINVAL, "publish: ports %u..%u", p->host_port,
			       p->host_port + p->count - 1);
	if (p->host_port == 0 && p->proto == IPPROTO_SCTP)
		return err_set(e, ERR_UNSUPPORTED, EPROTONOSUPPORT,
			       "publish: no free port can be picked for sctp");
	return 0;
}

int reserve_bind(struct reserve *r, struct publish *p, const bool has[N_FAM], struct err *e)
{
	size_t before = r->bound.n;
	uint16_t port = p->host_port;
	int k = check_run(p, has, e);

	if (k < 0)
		return k;
	if (p->is_unheld)
		return 0;
	if (!is_kept(p))
		return probe_run(p, e);
	k = bind_run(r, p, e);
	if (k < 0) {
		places_cut(&r->bound, before);
		p->host_port = port;
		return k;
	}
	/* Early, and only as a help: what is wrong with it comes up again in reserve_commit. */
	if (r->bound.n && r->link.fd < 0 && !r->is_probe)
		fwdlink_open(&r->link, true, NULL);
	return 0;
}

size_t reserve_n_bound(const struct reserve *r)
{
	return r->bound.n;
}

void reserve_cut(struct reserve *r, size_t n)
{
	places_cut(&r->bound, n);
}

/* The arguments of the requests of one call. */
struct batch {
	const struct places *places;
	const char *key;
	const struct ip *target;
	uint32_t op;
	struct reserve *into;
};

static void ask_place(size_t i, struct fwdmsg *m, int *ret_fd, void *arg)
{
	const struct batch *b = arg;
	const struct place *at = &b->places->p[i];

	m->op = b->op;
	m->proto = at->proto;
	m->host_ip = at->host_ip;
	m->host_port = at->host_port;
	m->ctr_port = at->ctr_port;
	if (b->target)
		memcpy(m->target, b->target, sizeof(m->target));
	strncpy(m->key, b->key, sizeof(m->key) - 1);
	if (b->op == FWDMSG_ADD)
		*ret_fd = at->fd;
}

static void ask_key(size_t i, struct fwdmsg *m, int *ret_fd, void *arg)
{
	const struct batch *b = arg;

	(void)i;
	(void)ret_fd;
	m->op = b->op;
	strncpy(m->key, b->key, sizeof(m->key) - 1);
}

/* Talks with the forwarder and starts over when it goes away in between. FWDLINK_NONE: none runs.
 */
static int talk(struct reserve *r, bool start, const struct fwdlink_talk *t, size_t *ret_failed,
		struct err *e)
{
	for (int i = 0; i < LOST_TRIES; i++) {
		int k = fwdlink_open(&r->link, start, e);
		if (k != FWDLINK_OPEN)
			return k;
		if (t->item)
			r->served.n = 0;
		k = fwdlink_exchange(&r->link, t, ret_failed, e);
		if (k != FWDLINK_LOST)
			return k;
	}
	return err_set(e, ERR_IO, ECONNRESET, "the local forwarder ends as soon as it is started");
}

static bool key_fits(const char *key)
{
	return key[0] != '\0' && strlen(key) < KEY_STRLEN;
}

void reserve_ask(struct reserve *r, const char *key, const struct ip target[N_FAM])
{
	struct batch b = {.places = &r->bound, .key = key, .target = target, .op = FWDMSG_ADD};
	struct fwdlink_talk t = {.n = r->bound.n, .ask = ask_place, .arg = &b};

	if (t.n && key_fits(key) && !r->is_probe && r->link.fd >= 0)
		fwdlink_ask(&r->link, &t);
}

int reserve_commit(struct reserve *r, const char *key, const struct ip target[N_FAM], struct err *e)
{
	struct batch b = {.places = &r->bound, .key = key, .target = target, .op = FWDMSG_ADD};
	struct fwdlink_talk t = {.n = r->bound.n, .ask = ask_place, .arg = &b};
	size_t failed = 0;

	if (r->bound.n == 0)
		return 0;
	if (!key_fits(key) || r->is_probe)
		return err_set(e, ERR_INTERNAL, EINVAL, "reserve: key");
	int k = talk(r, true, &t, &failed, e);
	if (k == 0) {
		places_cut(&r->bound, 0);
		return 0;
	}
	b.op = FWDMSG_REMOVE;
	talk(r, false, &t, NULL, NULL);
	return err_ctx(e, k, "reserve port %u", r->bound.p[failed].host_port);
}

/* The sockets that p's runs should have. */
static int list_places(const struct publish *p, size_t n, struct places *ret, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		for (uint32_t j = 0; is_kept(&p[i]) && j < p[i].count; j++) {
			struct place at = {.proto = p[i].proto,
					   .host_ip = p[i].host_ip,
					   .host_port = (uint16_t)(p[i].host_port + j),
					   .ctr_port = (uint16_t)(p[i].ctr_port + j),
					   .fd = -1};
			int r = places_add(ret, &at, e);
			if (r < 0)
				return r;
		}
	return 0;
}

void reserve_ask_release(struct reserve *r, const char *key)
{
	struct batch b = {.key = key, .op = FWDMSG_REMOVE};
	struct fwdlink_talk t = {.n = 1, .ask = ask_key, .arg = &b};

	if (key_fits(key) && fwdlink_open(&r->link, false, NULL) == FWDLINK_OPEN)
		fwdlink_ask(&r->link, &t);
}

int reserve_release(struct reserve *r, const char *key, const struct publish *p, size_t n,
		    struct err *e)
{
	struct places l = {0};
	struct batch b = {.places = &l, .key = key, .op = FWDMSG_REMOVE};
	struct fwdlink_talk t = {.n = 1, .ask = ask_key, .arg = &b};

	if (!key_fits(key))
		return err_set(e, ERR_INTERNAL, EINVAL, "reserve: key");
	int k = list_places(p, n, &l, e);
	if (n) {
		t.n = l.n;
		t.ask = ask_place;
	}
	if (k == 0 && t.n)
		k = talk(r, false, &t, NULL, e);
	r->served.n = 0;
	free(l.p);
	return k < 0 ? k : 0;
}

struct sweep {
	bool (*is_live)(const char *key, void *arg);
	void *arg;
	size_t n, cap;
	char (*dead)[KEY_STRLEN];
};

static int note_dead(const struct fwdmsg *m, void *arg)
{
	struct sweep *s = arg;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->dead[i], m->key) == 0)
			return 0;
	if (s->is_live(m->key, s->arg))
		return 0;
	if (!GROW(s->dead, s->n, s->cap))
		return -ENOMEM;
	memcpy(s->dead[s->n++], m->key, KEY_STRLEN);
	return 0;
}

static void ask_all(size_t i, struct fwdmsg *m, int *ret_fd, void *arg)
{
	(void)i;
	(void)ret_fd;
	(void)arg;
	m->op = FWDMSG_LIST;
}

int reserve_sweep(struct reserve *r, bool (*is_live)(const char *key, void *arg), void *arg,
		  struct err *e)
{
	struct sweep s = {.is_live = is_live, .arg = arg};
	struct fwdlink_talk t = {.n = 1, .ask = ask_all, .item = note_dead, .arg = &s};
	int k = talk(r, false, &t, NULL, e);
	int n = (int)s.n;

	for (size_t i = 0; k >= 0 && i < s.n; i++)
		k = reserve_release(r, s.dead[i], NULL, 0, e);
	free(s.dead);
	return k < 0 ? k : n;
}

static int note_served(const struct fwdmsg *m, void *arg)
{
	const struct batch *b = arg;
	struct place at = {.proto = m->proto,
			   .host_ip = m->host_ip,
			   .host_port = m->host_port,
			   .ctr_port = m->ctr_port,
			   .fd = -1};

	return places_add(&b->into->served, &at, NULL);
}

int reserve_count(struct reserve *r, const char *key, const struct publish *p, size_t n,
		  size_t *ret_has, size_t *ret_want, struct err *e)
{
	struct places l = {0};
	struct batch b = {.key = key, .op = FWDMSG_LIST, .into = r};
	struct fwdlink_talk t = {.n = 1, .ask = ask_key, .item = note_served, .arg = &b};
	size_t has = 0;

	if (!key_fits(key))
		return err_set(e, ERR_INTERNAL, EINVAL, "reserve: key");
	r->served.n = 0;
	int k = list_places(p, n, &l, e);
	if (k == 0 && l.n)
		k = talk(r, false, &t, NULL, e);
	if (k >= 0) {
		for (size_t i = 0; i < l.n; i++)
			has += places_has(&r->served, &l.p[i]);
		*ret_has = has;
		*ret_want = l.n;
	}
	free(l.p);
	return k < 0 ? k : 0;
}
