/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftbatch: the transport of element transactions. The messages are nftmsg's. The kernel works a
 * request off inside sendmsg, so every answer is queued when it returns: answers are collected
 * without waiting, and a missing one is an error, never a hang.
 *
 * One message an element: the kernel reports failures by sequence number and goes on to the end of
 * a failing batch, so one attempt names every element it refuses. Errors that do not fit into the
 * receive buffer are the later ones (ENOBUFS is reported once and the queue kept).
 */
#include "net/nftbatch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "base/fd.h"
#include "net/nftbatch_int.h"
#include "net/nftmsg.h"
#include "net/nftshare.h"
#include "net/ruleset.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* What a queued error takes of the receive buffer, generously. */
#define ANSWER_TRUESIZE 1024
/* Requests outside a transaction that are sent at once; their answers carry whole elements. */
#define GET_CHUNK 64

int nftbatch_open(struct nftbatch **ret, struct err *e)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	CLEAN_NFTBATCH struct nftbatch *n = calloc(1, sizeof(*n));
	int one = 1;

	if (!n)
		return err_set(e, ERR_INTERNAL, ENOMEM, "nftables socket");
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (n->fd < 0)
		return err_sys(e, errno, "netfilter socket (CONFIG_NETFILTER_NETLINK)");
	if (bind(n->fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return err_sys(e, errno, "nftables socket: bind");
	/* Both only shorten and explain errors: a kernel without them is served as well. */
	setsockopt(n->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(n->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	n->seq = 1;
	*ret = n;
	n = NULL;
	return 0;
}

void nftbatch_closep(struct nftbatch **n)
{
	if (!*n)
		return;
	fd_closep(&(*n)->fd);
	if (!(*n)->is_borrowed)
		nftshare_closep(&(*n)->share);
	free((*n)->door);
	free(*n);
	*n = NULL;
}

int nftbatch_fd(const struct nftbatch *n)
{
	return n->fd;
}

int nftbatch_use(struct nftbatch *n, const char *door, struct nftshare *share, struct err *e)
{
	n->door = door ? strdup(door) : NULL;
	if (door && !n->door)
		return err_set(e, ERR_INTERNAL, ENOMEM, "nftables socket");
	n->share = share;
	n->is_borrowed = n->is_shared = share != NULL;
	return 0;
}

/* ---- sending ---- */

/* Lets option take size bytes: past the system's limit where we may. */
static void raise_buffer(int fd, int force, int plain, int size)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

/* rcvbuf: what the receive buffer was raised to before. */
static int send_run(int fd, int *rcvbuf, const struct nftmsg *m, size_t n_answers, struct err *e)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t r;

	if (m->failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "nftables messages");
	if (n_answers > (size_t)INT32_MAX / ANSWER_TRUESIZE || m->len > INT32_MAX / 2)
		return err_set(e, ERR_QUOTA, EMSGSIZE, "%zu elements in one transaction",
			       n_answers);
	if ((int)n_answers * ANSWER_TRUESIZE > *rcvbuf && n_answers > GET_CHUNK) {
		*rcvbuf = (int)n_answers * ANSWER_TRUESIZE;
		raise_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, *rcvbuf);
	}
	for (unsigned int try = 0;; try++) {
		r = sendto(fd, m->p, m->len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
		if (r >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EMSGSIZE || try > 0)
			break;
		raise_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, (int)m->len + 4096);
	}
	if (errno == EMSGSIZE)
		return err_set(e, ERR_QUOTA, EMSGSIZE,
			       "transaction of %zu bytes is beyond the socket's send buffer "
			       "(net.core.wmem_max limits it without CAP_NET_ADMIN)",
			       m->len);
	return err_sys(e, errno, "nftables: send");
}

/* ---- answers ---- */

static const char *ack_text(const struct nlmsghdr *h)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);
	size_t at = sizeof(*err);
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		at += MNL_ALIGN(mnl_nlmsg_get_payload_len(&err->msg));
	mnl_attr_for_each(a, h, at)
	{
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(a);
	}
	return NULL;
}

static void take_message(const struct nlmsghdr *h, answer_fn fn, void *ctx)
{
	struct answer a = {.seq = h->nlmsg_seq};

	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);

		if (mnl_nlmsg_get_payload_len(h) < sizeof(*err))
			return;
		a.error = -err->error;
		if (a.error)
			a.text = ack_text(h);
	} else {
		a.msg = h;
	}
	fn(&a, ctx);
}

/* Gives every queued answer to fn. 1 when some were lost. */
static int collect(int fd, answer_fn fn, void *ctx, struct err *e)
{
	/* Not cleared first: mostly a page of it is used. */
	char buf[16384] __attribute__((aligned(8), uninitialized));
	int lost = 0;

	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t r = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &from_len);
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)r;

		if (r < 0 && errno == EAGAIN)
			return lost;
		if (r < 0 && errno == ENOBUFS)
			lost = 1;
		if (r < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (r < 0)
			return err_sys(e, errno, "nftables: receive");
		if (from.nl_pid != 0)
			continue;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take_message(h, fn, ctx);
	}
}

/* ---- transactions ---- */

static void judge(const struct answer *a, void *ctx)
{
	struct verdict *v = ctx;
	size_t i = a->seq - v->first;

	if (a->msg)
		return;
	if (!a->error) {
		v->is_done |= i == v->n - 1;
		return;
	}
	if (i >= v->n)
		i = v->n;
	else if (v->errors)
		v->errors[i] = a->error;
	if (v->error && i >= v->bad)
		return;
	v->error = a->error;
	v->bad = i;
	strncpy(v->text, a->text ? a->text : "", sizeof(v->text) - 1);
}

static int exchange(int fd, int *rcvbuf, const struct nftmsg *m, struct verdict *v, struct err *e)
{
	int r = send_run(fd, rcvbuf, m, v->n, e);

	if (r >= 0)
		r = collect(fd, judge, v, e);
	if (r < 0 || v->error || v->is_done)
		return r < 0 ? r : 0;
	return err_set(e, ERR_PROTOCOL, EPROTO, "nftables transaction was not answered");
}

/* Through the socket that the tables belong to. */
static int exchange_shared(struct nftbatch *n, struct nftmsg *m, struct verdict *v, struct err *e)
{
	int rcvbuf = 0, r; /* others may have set it */
	uint32_t seq;

	r = nftshare_begin(n->share, &seq, e);
	if (r < 0)
		return r;
	nftmsg_number(m, seq);
	*v = (struct verdict){.first = seq + 1, .n = v->n, .errors = v->errors};
	if (v->errors)
		memset(v->errors, 0, v->n * sizeof(*v->errors));
	r = exchange(nftshare_fd(n->share), &rcvbuf, m, v, e);
	nftshare_end(n->share, m->seq);
	return r;
}

static int fetch(struct nftbatch *n, struct err *e)
{
	if (n->share && !n->is_borrowed)
		nftshare_closep(&n->share);
	if (n->share || !n->door)
		return 1;
	return nftshare_fetch(n->door, n->fd, &n->share, e);
}

/* Refused to the socket that was tried first. It belongs to whom we may ask for the right one, or
 * nobody is there to be asked, and the refusal stands. */
static int transact_again(struct nftbatch *n, struct nftmsg *m, struct verdict *v, struct err *e)
{
	int r = fetch(n, e);

	if (r < 0)
		return err_ctx(e, r, "the tables are held");
	if (r == 0) {
		n->is_shared = true;
		return exchange_shared(n, m, v, e);
	}
	if (!v->text[0])
		snprintf(v->text, sizeof(v->text),
			 "CAP_NET_ADMIN is missing, or another process holds the tables");
	return 0;
}

int nftbatch_transact(struct nftbatch *n, struct nftmsg *m, struct verdict *v, struct err *e)
{
	int r;

	nftmsg_end(m);
	n->seq = m->seq;
	r = n->is_shared ? exchange_shared(n, m, v, e) : exchange(n->fd, &n->rcvbuf, m, v, e);
	return r == 0 && v->error == EPERM ? transact_again(n, m, v, e) : r;
}

void nftbatch_begin(struct nftbatch *n, struct nftmsg *m, struct verdict *v, size_t n_messages)
{
	m->seq = n->seq;
	nftmsg_begin(m);
	v->first = m->seq;
	v->n = n_messages;
}

int nftbatch_ask(struct nftbatch *n, struct nftmsg *m, size_t n_answers, answer_fn fn, void *ctx,
		 struct err *e)
{
	int r;

	n->seq = m->seq;
	r = send_run(n->fd, &n->rcvbuf, m, n_answers, e);
	return r < 0 ? r : collect(n->fd, fn, ctx, e);
}

static const char *table_of(const struct elem *x)
{
	return elem_sets[x->set].in_bridge_table ? "bridge" : "inet";
}

int nftbatch_refused(const struct verdict *v, const struct elem *x, struct err *e)
{
	const char *sep = v->text[0] ? ": " : "";

	if (!x)
		return err_sys(e, v->error, "nftables transaction%s%s", sep, v->text);
	return err_sys(e, v->error, "element of set %s in table %s " RULESET_TABLE "%s%s%s%s",
		       elem_sets[x->set].name, table_of(x), x->comment[0] ? " for " : "",
		       x->comment, sep, v->text);
}

int nftbatch_add(struct nftbatch *n, const struct elem_list *l, size_t *ret_bad, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {0};
	int r;

	if (l->n == 0)
		return 0;
	nftbatch_begin(n, &m, &v, l->n);
	for (size_t i = 0; i < l->n; i++)
		nftmsg_elem(&m, NFTMSG_ADD, &l->v[i]);
	r = nftbatch_transact(n, &m, &v, e);
	if (r < 0 || !v.error)
		return r;
	if (ret_bad && v.bad < l->n)
		*ret_bad = v.bad;
	return nftbatch_refused(&v, v.bad < l->n ? &l->v[v.bad] : NULL, e);
}

/* One attempt at the elements that left[] still lists (n_left indexes). Takes the absent ones out
 * and returns 1 for another attempt, or 0 when the rest is gone. */
static int delete_round(struct nftbatch *n, const struct elem_list *l, size_t *left, size_t *n_left,
			int *errors, struct err *e)
{
	CLEAN_NFTMSG struct nftmsg m = {0};
	struct verdict v = {.errors = errors};
	size_t kept = 0;
	int r;

	memset(errors, 0, *n_left * sizeof(*errors));
	nftbatch_begin(n, &m, &v, *n_left);
	for (size_t i = 0; i < *n_left; i++)
		nftmsg_elem(&m, NFTMSG_DELETE, &l->v[left[i]]);
	r = nftbatch_transact(n, &m, &v, e);
	if (r < 0 || !v.error)
		return r;
	for (size_t i = 0; i < *n_left; i++) {
		if (errors[i] == ENOENT)
			continue;
		if (errors[i]) {
			v.error = errors[i];
			return nftbatch_refused(&v, &l->v[left[i]], e);
		}
		left[kept++] = left[i];
	}
	if (kept == *n_left)
		return nftbatch_refused(&v, NULL, e);
	*n_left = kept;
	return 1;
}

int nftbatch_del(struct nftbatch *n, const struct elem_list *l, struct err *e)
{
	CLEAN_FREE size_t *left = calloc(l->n + 1, sizeof(*left));
	CLEAN_FREE int *errors = calloc(l->n + 1, sizeof(*errors));
	size_t n_left = l->n;
	int r = 1;

	if (!left || !errors)
		return err_set(e, ERR_INTERNAL, ENOMEM, "nftables messages");
	for (size_t i = 0; i < l->n; i++)
		left[i] = i;
	while (r == 1 && n_left > 0)
		r = delete_round(n, l, left, &n_left, errors, e);
	return r < 0 ? r : 0;
}

/* ---- questions ---- */

struct question {
	const struct elem *x; /* of this chunk */
	uint32_t first;
	size_t n;
	unsigned int yes[GET_CHUNK]; /* answers that confirm the element */
	unsigned int got[GET_CHUNK];
	uint64_t packets[GET_CHUNK];
	int error;
};

static void note_elem(const struct answer *a, void *ctx)
{
	struct question *q = ctx;
	size_t i = a->seq - q->first;

	if (i >= q->n)
		return;
	if (a->msg) {
		q->got[i]++;
		q->yes[i] += nftmsg_is_elem(a->msg, &q->x[i]);
		if (!nftmsg_packets(a->msg, &q->packets[i]))
			q->packets[i] = NFTBATCH_UNKNOWN;
	} else if (a->error) {
		q->got[i]++;
		if (a->error != ENOENT)
			q->error = a->error;
	}
}

/* What is not asked for is NULL. */
static int ask_elems(struct nftbatch *n, const struct elem_list *l, bool *ret_has,
		     uint64_t *ret_packets, struct err *e)
{
	size_t chunk = GET_CHUNK, count;

	for (size_t at = 0; at < l->n; at += count) {
		count = l->n - at < chunk ? l->n - at : chunk;
		struct question q = {.x = &l->v[at], .first = n->seq, .n = count};
		CLEAN_NFTMSG struct nftmsg m = {.seq = n->seq};
		int r;

		for (size_t i = 0; i < count; i++)
			nftmsg_elem(&m, NFTMSG_GET, &q.x[i]);
		r = nftbatch_ask(n, &m, count, note_elem, &q, e);
		if (r < 0)
			return r;
		if (r > 0 && count == 1)
			return err_set(e, ERR_KERNEL, ENOBUFS, "nftables answers were lost");
		if (r > 0) {
			/* More than the receive buffer may hold: fewer at a time. */
			chunk = count / 2;
			count = 0;
			continue;
		}
		if (q.error)
			return err_sys(e, q.error, "nftables: get element");
		for (size_t i = 0; i < count; i++) {
			if (!q.got[i])
				return err_set(e, ERR_PROTOCOL, EPROTO,
					       "nftables did not answer for an element");
			bool has = q.yes[i] == nftmsg_n_answers(&q.x[i]);
			if (ret_has)
				ret_has[at + i] = has;
			if (ret_packets)
				ret_packets[at + i] = has ? q.packets[i] : NFTBATCH_UNKNOWN;
		}
	}
	return 0;
}

int nftbatch_has(struct nftbatch *n, const struct elem_list *l, bool *ret_has, struct err *e)
{
	return ask_elems(n, l, ret_has, NULL, e);
}

int nftbatch_packets(struct nftbatch *n, const struct elem_list *l, uint64_t *ret, struct err *e)
{
	return ask_elems(n, l, NULL, ret, e);
}
