/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack: which entries are stale, and the two ways of deleting them. A flow is translated once,
 * at its first packet: an entry made before a port was published hides the port from its client,
 * one that outlives it sends packets to an address that may be another container's by then.
 *
 * A dump locks each of the table's buckets in turn (9 ms for an empty table of 262,144), a filtered
 * delete does not lock the empty ones (0.15 ms), hence the preference for the latter. Both delete
 * the same entries; what a filter cannot express is left to the dump, if a look at the table's text
 * form (0.15 ms) finds anything that it could concern. Each filter is a walk through the table, as
 * that look is: with few flows the look comes first, for it mostly ends the matter.
 */
#include "net/conntrack.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/grow.h"
#include "net/ctmsg.h"
#include "net/ctscout.h"
#include "net/route.h"
#include "net/rtnl.h"
#include "sys/probe.h"
#include "sys/sysctl.h"

#define DUMP_MS 10000
/* Filtered deletes that are sent at once. More of them would cost as much as a dump. */
#define OPS_MAX 48
/* With so few flows a look at the table's text comes first. */
#define LOOK_FLOWS 256
/* Exact deletes that are sent at once. */
#define DELETE_CHUNK 32

struct flush {
	int fd;
	uint32_t seq;
	const struct publish *p;
	size_t n;
	const struct ip *target; /* NULL: before publishing */
	bool tcp_all;
	int count;        /* flows of the namespace; -1: not known */
	struct ip *local; /* addresses that a wildcard stands for when target is NULL */
	size_t n_local, local_cap;
};

/* ---- what is stale ---- */

static bool is_wild(const struct publish *p)
{
	return p->host_ip.family == 0 || ip_is_any(&p->host_ip);
}

/* The status bits that decide, and what they must be. */
static uint32_t status_of(const struct flush *f, uint8_t proto, uint32_t *ret_mask)
{
	*ret_mask = IPS_DST_NAT;
	if (proto == IPPROTO_TCP && !f->tcp_all)
		*ret_mask |= IPS_ASSURED;
	return f->target ? IPS_DST_NAT : 0;
}

static bool is_local(const struct flush *f, const struct ip *ip)
{
	for (size_t i = 0; i < f->n_local; i++) {
		if (ip_equal(&f->local[i], ip))
			return true;
	}
	return false;
}

static bool matches(const struct flush *f, const struct publish *p, const struct ctmsg_entry *x)
{
	int fam = ip_fam(&x->orig_dst);
	uint32_t mask, want = status_of(f, p->proto, &mask);

	if (p->proto != x->proto || x->orig_dport < p->host_port ||
	    x->orig_dport - p->host_port >= p->count || !publish_covers(p, fam) ||
	    (x->status & mask) != want)
		return false;
	if (f->target && !ip_equal(&f->target[fam], &x->reply_src))
		return false;
	if (!is_wild(p))
		return ip_equal(&p->host_ip, &x->orig_dst);
	return f->target || is_local(f, &x->orig_dst);
}

static bool is_stale(const struct flush *f, const struct ctmsg_entry *x)
{
	for (size_t i = 0; i < f->n; i++) {
		if (matches(f, &f->p[i], x))
			return true;
	}
	return false;
}

static int note_local(uint32_t ifindex, const struct prefix *p, void *arg)
{
	struct flush *f = arg;

	(void)ifindex;
	if (ip_is_loopback(&p->ip) || ip_is_link_local(&p->ip))
		return 0;
	if (!GROW(f->local, f->n_local, f->local_cap))
		return -ENOMEM;
	f->local[f->n_local++] = p->ip;
	return 0;
}

static int find_local(struct flush *f, struct err *e)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	bool any = false;
	int ret;

	for (size_t i = 0; i < f->n; i++)
		any |= is_wild(&f->p[i]);
	if (f->target || !any)
		return 0;
	ret = rtnl_open(&r, e);
	if (ret == 0)
		ret = route_each_addr(r, note_local, f, e);
	return ret == -ENOMEM ? err_set(e, ERR_INTERNAL, ENOMEM, "local addresses") : ret;
}

/* ---- answers ---- */

/* Gives each message that answers [first, first + n) to fn until fn returns non-zero, which is
 * returned, or nothing is queued any more: -EAGAIN. */
static int receive(const struct flush *f, uint32_t first, uint32_t n,
		   int (*fn)(const struct nlmsghdr *h, void *arg), void *arg)
{
	char buf[32768] __attribute__((aligned(8)));

	for (;;) {
		ssize_t got = recv(f->fd, buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			int r = h->nlmsg_seq - first < n ? fn(h, arg) : 0;

			if (r)
				return r;
		}
	}
}

static int send_run(const struct flush *f, const char *p, size_t len)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	while (sendto(f->fd, p, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* errno of an error message, 0 for an acknowledgement, -1 for anything else */
static int error_of(const struct nlmsghdr *h)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(h) < sizeof(*err))
		return -1;
	return -err->error;
}

/* ---- filtered deletes ---- */

struct ops {
	char buf[OPS_MAX * CTMSG_MAX];
	size_t len;
	unsigned int n;
};

/* False: too many. */
static bool add_op(const struct flush *f, struct ops *o, const struct ctmsg_filter *c)
{
	if (o->n == OPS_MAX)
		return false;
	o->len += ctmsg_delete_filtered(o->buf + o->len, f->seq + o->n, c);
	o->n++;
	return true;
}

/* The filters of the k-th port of a run in IPv4. */
static bool add_port4(const struct flush *f, struct ops *o, const struct publish *p,
		      struct ctmsg_filter *c)
{
	if (!is_wild(p))
		c->orig_dst = p->host_ip;
	if (f->target)
		c->reply_src = f->target[FAM4];
	if (f->target || !is_wild(p))
		return add_op(f, o, c);
	for (size_t i = 0; i < f->n_local; i++) {
		c->orig_dst = f->local[i];
		if (ip_fam(&c->orig_dst) == FAM4 && !add_op(f, o, c))
			return false;
	}
	return true;
}

/* The same in IPv6, where the kernel cannot compare addresses. A published wildcard port belongs to
 * one container, so a translated flow to it, and to the container's port, is told without.
 * Everything else is left to the dump, unless there is nothing to look for. */
static bool add_port6(const struct flush *f, struct ops *o, const struct publish *p,
		      const struct ctmsg_filter *c)
{
	if (!is_wild(p))
		return false;
	if (f->target)
		return add_op(f, o, c);
	for (size_t i = 0; i < f->n_local; i++) {
		if (ip_fam(&f->local[i]) == FAM6)
			return false;
	}
	return true;
}

static bool add_port(const struct flush *f, struct ops *o, const struct publish *p, int fam,
		     unsigned int k)
{
	struct ctmsg_filter c = {.family = fam == FAM4 ? AF_INET : AF_INET6,
				 .proto = p->proto,
				 .orig_dport = (uint16_t)(p->host_port + k)};

	c.status = status_of(f, p->proto, &c.status_mask);
	if (f->target && fam == FAM6)
		c.reply_sport = (uint16_t)(p->ctr_port + k);
	return fam == FAM4 ? add_port4(f, o, p, &c) : add_port6(f, o, p, &c);
}

static bool add_run(const struct flush *f, struct ops *o, const struct publish *p)
{
	for (int fam = 0; fam < N_FAM; fam++) {
		if (!publish_covers(p, fam) || (f->target && !f->target[fam].family))
			continue;
		for (unsigned int k = 0; k < p->count; k++) {
			if (!add_port(f, o, p, fam, k))
				return false;
		}
	}
	return true;
}

struct acks {
	unsigned int n_ok, n_failed;
};

static int count_acks(const struct nlmsghdr *h, void *arg)
{
	struct acks *a = arg;

	if (error_of(h) == 0)
		a->n_ok++;
	else
		a->n_failed++;
	return 0;
}

/* False when the kernel does not do it, or the ports are too many: then nothing or a part is done.
 */
static bool flush_filtered(struct flush *f)
{
	CLEAN_FREE struct ops *o = NULL;
	struct acks a = {0};
	uint32_t first = f->seq;

	if (!probe_allowed(PROBE_CT_FILTER_FLUSH))
		return false;
	o = malloc(sizeof(*o));
	if (!o)
		return false;
	o->len = o->n = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (!add_run(f, o, &f->p[i]))
			return false;
	}
	if (o->n == 0)
		return true;
	f->seq += o->n;
	if (send_run(f, o->buf, o->len) < 0)
		return false;
	return receive(f, first, o->n, count_acks, &a) == -EAGAIN && a.n_ok == o->n;
}

/* ---- dump and exact deletes ---- */

/* Delete requests that the dump asks for; they are sent when it is over. */
struct stale {
	const struct flush *f;
	char *p;
	size_t len, cap;
	unsigned int n;
	int error;
};

static int note_entry(const struct nlmsghdr *h, void *arg)
{
	struct stale *s = arg;
	struct ctmsg_entry x;
	int error = error_of(h);

	if (h->nlmsg_type == NLMSG_DONE)
		return 1;
	if (error >= 0) {
		s->error = error;
		return 1;
	}
	if (!ctmsg_parse(h, &x) || !is_stale(s->f, &x))
		return 0;
	if (s->cap - s->len < CTMSG_MAX) {
		size_t cap = s->cap ? 2 * s->cap : (size_t)DELETE_CHUNK * CTMSG_MAX;
		char *p = realloc(s->p, cap);

		if (!p) {
			s->error = ENOMEM;
			return 0; /* to the end, so that nothing stays queued */
		}
		s->p = p;
		s->cap = cap;
	}
	s->len += ctmsg_delete(s->p + s->len, s->f->seq + s->n, &x);
	s->n++;
	return 0;
}

/* The dump goes on while it is read, so there is a wait only when the kernel is slow. */
static int collect(struct flush *f, uint32_t seq, struct stale *s, struct err *e)
{
	uint64_t deadline = clock_ms() + DUMP_MS;
	int r;

	while ((r = receive(f, seq, 1, note_entry, s)) == -EAGAIN) {
		struct pollfd p = {.fd = f->fd, .events = POLLIN};
		int left = clock_left(deadline);

		if (left == 0)
			return err_set(e, ERR_KERNEL, ETIMEDOUT, "conntrack dump");
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return err_sys(e, errno, "conntrack dump: poll");
	}
	if (r < 0)
		return err_sys(e, -r, "conntrack dump");
	return s->error ? err_sys(e, s->error, "conntrack dump") : 0;
}

static int note_failure(const struct nlmsghdr *h, void *arg)
{
	int *failed = arg, error = error_of(h);

	if (error > 0 && error != ENOENT) /* gone by itself */
		*failed = error;
	return 0;
}

static int delete_all(struct flush *f, const struct stale *s, struct err *e)
{
	size_t at = 0;

	while (at < s->len) {
		uint32_t first = f->seq, n = 0;
		size_t end = at;
		int failed = 0, r;

		for (; end < s->len && n < DELETE_CHUNK; n++)
			end += MNL_ALIGN(
				((const struct nlmsghdr *)(const void *)(s->p + end))->nlmsg_len);
		r = send_run(f, s->p + at, end - at);
		if (r < 0)
			return err_sys(e, -r, "conntrack delete");
		f->seq += n;
		r = receive(f, first, n, note_failure, &failed);
		if (r != -EAGAIN)
			return err_sys(e, -r, "conntrack delete");
		if (failed)
			return err_sys(e, failed, "conntrack delete");
		at = end;
	}
	return 0;
}

static int flush_dumped(struct flush *f, struct err *e)
{
	struct stale s = {.f = f};
	char request[CTMSG_MAX] __attribute__((aligned(8)));
	uint32_t seq = f->seq++;
	uint8_t family = AF_UNSPEC;
	int r;

	/* One family is half of the work where all ports have the same. */
	if (f->n && f->p[0].host_ip.family) {
		family = f->p[0].host_ip.family;
		for (size_t i = 1; i < f->n; i++)
			family = f->p[i].host_ip.family == family ? family : AF_UNSPEC;
	}
	r = send_run(f, request, ctmsg_dump(request, seq, family));
	if (r < 0)
		return err_sys(e, -r, "conntrack dump");
	r = collect(f, seq, &s, e);
	if (r == 0)
		r = delete_all(f, &s, e);
	free(s.p);
	return r;
}

/* ---- */

/* Does the namespace track anything? Without the file there is no conntrack here at all, or no
 * /proc: then the question is left to the table. */
static bool is_tracking(struct flush *f)
{
	if (sysctl_get_int("net/netfilter/nf_conntrack_count", &f->count, NULL) < 0)
		f->count = -1;
	return f->count != 0;
}

static int flush(struct flush *f, struct err *e)
{
	bool is_seen = f->count >= 0 && f->count <= LOOK_FLOWS;

	if (is_seen && !ctscout_sees(f->p, f->n, f->count))
		return 0;
	int r = find_local(f, e);
	/* What filters cannot do is the dump's, if there is anything to do. */
	if (r == 0 && !flush_filtered(f) && (is_seen || ctscout_sees(f->p, f->n, f->count)))
		r = flush_dumped(f, e);
	free(f->local);
	return r;
}

int conntrack_flush(int fd, const struct publish *p, size_t n, const struct ip *target,
		    bool tcp_all, struct err *e)
{
	struct flush f = {.fd = fd, .seq = 1, .p = p, .n = n, .target = target, .tcp_all = tcp_all};

	return n && is_tracking(&f) ? flush(&f, e) : 0;
}
