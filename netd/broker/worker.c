/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: from a call that has been checked and granted to the engine's calls, and from what they
 * say to the answer. The words of errors go to the log; a client gets the kind's one text.
 */
#include "broker/worker.h"

#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "broker/peer.h"
#include "broker/policy.h"
#include "broker/request.h"
#include "engine/engine.h"
#include "model/codec.h"
#include "sys/fdpass.h"

#define PAGE_FRAME 64 /* what is around the attachments of a page */

struct done {
	struct work_report report;
	struct buf text;
	int pidfd;                   /* of WORK_NAMES; -1: none */
	int passed[CALL_PASSED_MAX]; /* never closed but by the end of the process: see call.h */
};

void worker_id(uint32_t uid, const char *id, char out[ID_STRLEN])
{
	snprintf(out, ID_STRLEN, CALL_PREFIX "%s", uid, id);
}

/* The record as its user sees it: under his own name for it. */
static json_t *document(const struct attachment *a)
{
	char prefix[CALL_PREFIX_MAX + 1];
	json_t *doc = codec_attachment(a);
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), CALL_PREFIX, a->uid);

	if (doc && strncmp(a->id, prefix, len) == 0 &&
	    json_object_set_new(doc, "id", json_string(a->id + len)) < 0) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}

static int print(struct done *d, const char *key, json_t *value, bool is_more, struct err *e)
{
	CLEAN_JSON json_t *doc = json_object();
	char *text = NULL;

	if (doc && json_object_set_new(doc, "ok", json_true()) == 0 &&
	    (!key || json_object_set(doc, key, value) == 0) &&
	    (!is_more || json_object_set_new(doc, "more", json_true()) == 0))
		text = json_print(doc);
	json_decref(value);
	if (text)
		buf_add(&d->text, text, strlen(text));
	free(text);
	if (!text || d->text.failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "answer");
	if (d->text.len > ANSWER_TEXT_MAX)
		return err_set(e, ERR_QUOTA, 0, "an answer of %zu bytes", d->text.len);
	return 0;
}

/* What the client passed, and whether it is his. It is not closed here whatever it is. */
static int take_passed(const struct work_order *o, struct done *d, struct err *e)
{
	CLEAN_FREE char *text = malloc(REQUEST_BYTES);
	struct err why = ERR_INIT;
	ssize_t n;

	if (!text)
		return err_set(e, ERR_INTERNAL, ENOMEM, "request");
	n = fdpass_recv(o->conn, text, REQUEST_BYTES, d->passed, CALL_PASSED_MAX);
	if (n <= 0 || d->passed[CALL_PASSED_NETNS] < 0)
		return err_invalid(e, ERR_PROTOCOL, "a wrong number of descriptors");
	if (peer_owns_netns(o->uid, d->passed[CALL_PASSED_NETNS], d->passed[CALL_PASSED_PIDFD],
			    &why) == 0)
		return 0;
	snprintf(d->report.why, sizeof(d->report.why), "%.180s", why.text);
	return err_set(e, ERR_DENIED, 0, "%s", d->report.why);
}

/* 1 and nothing in *ret: there is none of that name that the user has. */
static int get(struct engine *g, const struct work_order *o, const char *id,
	       struct attachment **ret, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	int r = engine_get(g, id, o->call->ifname, &a, e);

	if (r != 0)
		return r;
	if (a->uid != o->uid)
		return 1;
	*ret = a;
	a = NULL;
	return 0;
}

/* Rates that are within what the policy leaves. */
static struct attach_rate within(const struct work_limits *l, const struct attach_rate *want)
{
	struct attach_rate r = *want;

	r.in_rate = policy_bandwidth(want->in_rate, l->bandwidth.in_rate);
	r.out_rate = policy_bandwidth(want->out_rate, l->bandwidth.out_rate);
	/* A burst goes with the rate that it was chosen for. */
	r.in_burst = r.in_rate == want->in_rate ? want->in_burst : 0;
	r.out_burst = r.out_rate == want->out_rate ? want->out_burst : 0;
	return r;
}

static int set_rates(struct engine *g, const struct attach_rate *rate, struct attachment **a,
		     struct err *e)
{
	const struct adjust_request req = {
		.id = (*a)->id, .ifname = (*a)->ifname, .netns_fd = -1, .rate = rate};
	struct attachment *now = NULL;
	int r;

	if (rate->in_rate == (*a)->rate.in_rate && rate->out_rate == (*a)->rate.out_rate)
		return 0;
	r = engine_adjust(g, &req, &now, e);
	if (r < 0)
		return r;
	attachment_free(*a);
	*a = now;
	return 0;
}

/* Those that the policy gives it now. */
static int set_caps(struct engine *g, const struct work_limits *l, struct attachment **a,
		    struct err *e)
{
	const struct adjust_request req = {
		.id = (*a)->id, .ifname = (*a)->ifname, .netns_fd = -1, .cap = &l->cap};
	struct attachment *now = NULL;
	int r;

	if (attach_cap_equal(&l->cap, &(*a)->cap))
		return 0;
	r = engine_adjust(g, &req, &now, e);
	if (r < 0)
		return r;
	attachment_free(*a);
	*a = now;
	return 0;
}

/* What is up already keeps its rates, as far as the policy allows them still. */
static int attach(struct engine *g, const struct work_order *o, const char *id, struct done *d,
		  struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *was = NULL;
	const struct call *c = o->call;
	const char *alias[CALL_ALIAS_MAX];
	struct attach_rate rate = {.in_rate = c->rate[CALL_RATE_IN],
				   .out_rate = c->rate[CALL_RATE_OUT]};
	struct up_request req = {
		.id = id,
		.ifname = c->ifname,
		.network = c->network,
		.netns_fd = d->passed[CALL_PASSED_NETNS],
		.netns_path = "",
		.ip = {c->ip[FAM4], c->ip[FAM6]},
		.mac = c->mac,
		.mtu = c->mtu,
		.n_publish = c->n_publish,
		.publish = c->publish,
		.n_alias = call_aliases(c, alias),
		.alias = alias,
		.cap = o->own.cap,
		.egress = o->egress,
		.names = o->names,
		.uid = o->uid,
		.is_until_logout = o->own.is_until_logout,
		.is_apart = true,
	};
	int r = get(g, o, id, &was, e);

	if (r < 0)
		return r;
	req.rate = was && was->phase == ATTACH_COMMITTED ? rate : within(&o->own, &rate);
	r = engine_up(g, &req, &a, e);
	if (r >= 0 && o->own.cap.is_usual && attach_cap_is_set(&o->own.cap) &&
	    !attach_cap_is_set(&a->cap))
		log_warn("%s/%s has no caps: the kernel lacks them", id, c->ifname);
	if (r >= 0) {
		rate = within(&o->own, &a->rate);
		r = set_rates(g, &rate, &a, e);
	}
	if (r >= 0)
		r = set_caps(g, &o->own, &a, e);
	return r < 0 ? r : print(d, "attachment", document(a), false, e);
}

static int detach(struct engine *g, const struct work_order *o, const char *id, struct done *d,
		  struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	int r = get(g, o, id, &a, e);
	bool was = r == 0;

	if (r == 0)
		r = engine_down(g, id, o->call->ifname, e);
	return r < 0 ? r : print(d, "was", json_boolean(was), false, e);
}

static int ports(struct engine *g, const struct work_order *o, const char *id, struct done *d,
		 struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *now = NULL;
	const struct call *c = o->call;
	int r = get(g, o, id, &a, e);

	if (r == 1)
		return err_set(e, ERR_ABSENT, 0, "there is no attachment %s", id);
	if (r < 0)
		return r;
	if (o->verb == CALL_PUBLISH)
		r = engine_publish(g, id, c->ifname, c->publish, c->n_publish, &now, e);
	else
		r = engine_unpublish(g, id, c->ifname, c->publish, c->n_publish, &now, e);
	/* To take ports back the policy is not asked. */
	if (r >= 0 && o->verb == CALL_PUBLISH)
		r = set_caps(g, &o->own, &now, e);
	return r < 0 ? r : print(d, "attachment", document(now), false, e);
}

/* A direction that is not named stays as it is, as far as the policy allows it still. */
static int limit(struct engine *g, const struct work_order *o, const char *id, struct done *d,
		 struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	const struct call *c = o->call;
	struct attach_rate rate;
	int r = get(g, o, id, &a, e);

	if (r < 0)
		return r;
	if (!a)
		return err_set(e, ERR_ABSENT, 0, "there is no attachment %s", id);
	rate = a->rate;
	if (c->rate_set & 1u << CALL_RATE_IN) {
		rate.in_rate = c->rate[CALL_RATE_IN];
		rate.in_burst = 0;
	}
	if (c->rate_set & 1u << CALL_RATE_OUT) {
		rate.out_rate = c->rate[CALL_RATE_OUT];
		rate.out_burst = 0;
	}
	rate = within(&o->own, &rate);
	r = set_rates(g, &rate, &a, e);
	if (r >= 0)
		r = set_caps(g, &o->own, &a, e);
	return r < 0 ? r : print(d, "attachment", document(a), false, e);
}

struct listing {
	const char *after;
	char prefix[CALL_PREFIX_MAX + 1];
	char (*key)[KEY_STRLEN]; /* of what is to be shown: the user's own id, interface */
	size_t n, cap;
};

/* Records of others are not read: their names tell whose they are. */
static int see(const char *id, const char *ifname, void *arg)
{
	struct listing *l = arg;
	size_t len = strlen(l->prefix);
	char key[KEY_STRLEN];

	if (strncmp(id, l->prefix, len) != 0)
		return 0;
	name_key(id + len, ifname, key);
	if (strcmp(key, l->after) <= 0)
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		void *more = reallocarray(l->key, cap, sizeof(*l->key));

		if (!more)
			return -ENOMEM;
		l->key = more;
		l->cap = cap;
	}
	memcpy(l->key[l->n++], key, sizeof(key));
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* With what is counted of its ports. That is left out where it makes the answer too long, and where
 * it cannot be had. */
static json_t *counted(struct engine *g, const struct attachment *a)
{
	CLEAN_FREE uint64_t *flows = calloc(a->n_publish + 1, sizeof(*flows));
	json_t *doc = document(a);
	struct err e = ERR_INIT;

	if (flows && doc && engine_flows(g, a, flows, &e) == 0)
		(void)codec_put_flows(doc, flows, a->n_publish);
	else if (e.kind != ERR_NONE)
		log_warn("%s/%s: %s", a->id, a->ifname, e.text);
	if (doc && json_dumpb(doc, NULL, 0, JSON_COMPACT) > ANSWER_TEXT_MAX - PAGE_FRAME) {
		json_decref(doc);
		doc = document(a);
	}
	return doc;
}

/* 1: it is not to be had: gone since, or never on record. *size: of what is listed, as text. */
static int show(struct engine *g, const struct work_order *o, const char *key, json_t *list,
		size_t *size, struct err *e)
{
	char id[ID_STRLEN], own[ID_STRLEN], ifname[IFNAME_STRLEN];
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_JSON json_t *doc = NULL;
	int r;

	if (name_parse_key(key, own, ifname) < 0)
		return 1;
	worker_id(o->uid, own, id);
	r = engine_get(g, id, ifname, &a, e);
	if (r != 0 || a->uid != o->uid)
		return r < 0 ? r : 1;
	doc = o->call->is_counted ? counted(g, a) : document(a);
	if (!doc)
		return err_set(e, ERR_INTERNAL, ENOMEM, "list");
	*size += json_dumpb(doc, NULL, 0, JSON_COMPACT) + 1;
	/* One is always shown, so that the next page begins after it. */
	if (o->call->is_paged && *size > ANSWER_TEXT_MAX - PAGE_FRAME && json_array_size(list))
		return -ENOBUFS;
	return json_array_append(list, doc) < 0 ? err_set(e, ERR_INTERNAL, ENOMEM, "list") : 0;
}

static int list(struct engine *g, const struct work_order *o, struct done *d, struct err *e)
{
	struct listing l = {.after = o->call->after};
	CLEAN_JSON json_t *shown = json_array();
	size_t size = 0;
	bool is_more = false;
	int r = 0;

	snprintf(l.prefix, sizeof(l.prefix), CALL_PREFIX, o->uid);
	if (g)
		r = engine_each_name(g, l.prefix, see, &l, e);
	if (l.n)
		qsort(l.key, l.n, sizeof(*l.key), by_key);
	for (size_t i = 0; r >= 0 && i < l.n && !is_more; i++) {
		r = show(g, o, l.key[i], shown, &size, e);
		is_more = r == -ENOBUFS;
		r = is_more ? 0 : r;
	}
	free(l.key);
	return r < 0 ? r : print(d, "attachments", json_incref(shown), is_more, e);
}

/* Goes on after errors: what could not be taken down is tried again later. */
static int reap(struct engine *g, const struct work_order *o, struct done *d)
{
	for (size_t i = 0; i < o->n_reap; i++) {
		struct err e = ERR_INIT;

		if (engine_down(g, o->reap[i].id, o->reap[i].ifname, &e) < 0) {
			log_warn("%s/%s: %s", o->reap[i].id, o->reap[i].ifname, e.text);
			continue;
		}
		d->report.reaped |= UINT64_C(1) << i;
	}
	return 0;
}

/* What is up gets what its user would get if he asked for something of it now. 1: it has that
 * already, or is not up any more. */
static int follow_one(struct engine *g, const struct holding *h, const struct work_limits *l,
		      struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct attach_rate rate, was;
	struct attach_cap cap;
	int r = engine_get(g, h->id, h->ifname, &a, e);

	if (r != 0 || a->uid != h->uid || a->phase != ATTACH_COMMITTED)
		return r < 0 ? r : 1;
	was = a->rate;
	cap = a->cap;
	rate = within(l, &was);
	r = set_rates(g, &rate, &a, e);
	if (r >= 0)
		r = set_caps(g, l, &a, e);
	if (r < 0)
		return r;
	return was.in_rate == a->rate.in_rate && was.out_rate == a->rate.out_rate &&
	       attach_cap_equal(&cap, &a->cap);
}

/* Goes on after errors, which are tried again later, but for what the kernel cannot do. */
static int follow(struct engine *g, const struct work_order *o, struct done *d)
{
	for (size_t i = 0; i < o->n_reap; i++) {
		struct err e = ERR_INIT;
		int r = follow_one(g, &o->reap[i], &o->limits[i], &e);

		if (r < 0)
			log_warn("%s/%s: %s", o->reap[i].id, o->reap[i].ifname, e.text);
		if (r >= 0 || e.kind == ERR_UNSUPPORTED)
			d->report.reaped |= UINT64_C(1) << i;
		if (r == 0)
			d->report.changed |= UINT64_C(1) << i;
	}
	return 0;
}

/* However it ended, what is on record is what is held. */
static void look(struct engine *g, const struct work_order *o, const char *id, struct done *d)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;

	if (o->call->id[0] && get(g, o, id, &a, NULL) == 0)
		d->report.is_held = holding_of(a, &d->report.holding);
}

static int carry_out(struct engine *g, const struct work_order *o, struct done *d, struct err *e)
{
	char id[ID_STRLEN];
	int r;

	worker_id(o->uid, o->call->id, id);
	switch (o->verb) {
	case CALL_ATTACH:
		r = take_passed(o, d, e);
		if (r >= 0)
			r = attach(g, o, id, d, e);
		break;
	case CALL_DETACH:
		r = detach(g, o, id, d, e);
		break;
	case CALL_PUBLISH:
	case CALL_UNPUBLISH:
		r = ports(g, o, id, d, e);
		break;
	case CALL_LIMIT:
		r = limit(g, o, id, d, e);
		break;
	default:
		return err_set(e, ERR_INTERNAL, 0, "work of no kind");
	}
	look(g, o, id, d);
	return r;
}

/* A state directory is not made for it. */
static int names(const struct work_order *o, struct done *d, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	bool is_started = false;
	int r = engine_open(o->state_dir, true, &g, e);

	engine_closep(&g);
	if (r == 0)
		r = engine_open(o->state_dir, false, &g, e);
	if (r == 0)
		r = engine_names_keep(g, o->is_doubtful, &d->pidfd, &is_started, e);
	d->report.is_started = is_started;
	return r < 0 ? r : 0;
}

static int work(const struct work_order *o, struct done *d, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	int r;

	if (o->verb == WORK_TABLES)
		return engine_hold_look(o->hold, o->look, &d->report.tables, e);
	if (o->verb == WORK_NAMES)
		return names(o, d, e);
	r = engine_open(o->state_dir, o->verb == CALL_LIST, &g, e);
	if (r < 0)
		return r;
	if (o->verb == CALL_LIST)
		return list(g, o, d, e);
	if (o->verb == WORK_FOLLOW)
		return follow(g, o, d);
	return o->verb == WORK_REAP ? reap(g, o, d) : carry_out(g, o, d, e);
}

static void report(int fd, struct done *d)
{
	CLEAN_FREE char *m = malloc(sizeof(d->report) + d->text.len);

	if (!m)
		return;
	memcpy(m, &d->report, sizeof(d->report));
	if (d->text.len)
		memcpy(m + sizeof(d->report), d->text.p, d->text.len);
	(void)fdpass_send(fd, m, sizeof(d->report) + d->text.len, &d->pidfd, d->pidfd >= 0);
}

static void live(const struct work_order *o, int fd)
{
	struct done d = {.report = {.kind = ERR_NONE}, .pidfd = -1, .passed = {-1, -1}};
	struct err e = ERR_INIT;

	engine_as_owner(true);
	if (work(o, &d, &e) < 0) {
		log_warn("%s%s%s: %s",
			 o->call                  ? call_rule(o->verb)->name
			 : o->verb == WORK_TABLES ? "tables"
			 : o->verb == WORK_FOLLOW ? "policy"
			 : o->verb == WORK_NAMES  ? "names"
						  : "clean-up",
			 o->call && o->call->id[0] ? " " : "", o->call ? o->call->id : "", e.text);
		d.report.kind = e.kind;
		buf_free(&d.text);
		request_refusal(e.kind, e.what, &d.text);
	}
	report(fd, &d);
	/* Whoever waits for it may be waiting for this processor: an end takes longer than an
	 * answer. */
	sched_yield();
	buf_free(&d.text);
}

/* Of the back's descriptors it keeps none but its own two, and the socket of the tables: not the
 * listener, which would answer in the place of a netd that was killed, and not what others have
 * passed. */
static void keep_only(int own, const struct work_order *o)
{
	int keep[2 + ENGINE_HOLD_FDS] = {own, o->conn};

	engine_hold_fds(o->hold, keep + 2);
	fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]));
}

int worker_start(const struct work_order *o, pid_t *ret_pid, int *ret_fd, struct err *e)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, errno, "socket pair");
	pid = fork();
	if (pid == 0) {
		keep_only(pair[1], o);
		live(o, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_sys(e, errno, "fork");
	}
	*ret_pid = pid;
	*ret_fd = pair[0];
	return 0;
}
