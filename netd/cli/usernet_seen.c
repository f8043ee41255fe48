/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usernet_seen: the child's half makes one document, the parent's half checks it. */
#include "cli/usernet_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/grow.h"
#include "base/json.h"
#include "cli/usernet.h"
#include "model/codec.h"

#define CHILD_MS 60000 /* also behind others, who change something */
#define KIND_MAX ERR_INTERNAL

void usernet_seen_clear(struct usernet_seen *s)
{
	for (size_t i = 0; i < s->n; i++)
		attachment_free(s->one[i].a);
	free(s->one);
	json_decref(s->uplink);
	*s = (struct usernet_seen){0};
}

/* ---- in the child ---- */

struct tell {
	struct usernet *u;
	json_t *list;
	bool failed;
};

static int tell_one(const struct attachment *a, void *arg)
{
	struct tell *t = arg;
	json_t *doc;

	host_outer_ports(t->u->host, a);
	doc = codec_attachment(a);
	if (!doc || json_array_append_new(t->list, json_pack("{s:o}", "attachment", doc)) < 0)
		t->failed = true;
	return 0;
}

static bool is_of(json_t *one, const char *name, const char *on)
{
	json_t *doc = json_object_get(one, "attachment");
	const char *id = json_string_value(json_object_get(doc, "id"));
	const char *ifname = json_string_value(json_object_get(doc, "ifname"));

	return id && ifname && strcmp(id, name) == 0 && strcmp(ifname, on) == 0;
}

static json_t *counters(uint64_t bytes, uint64_t packets, uint64_t dropped)
{
	return json_pack("{s:I,s:I,s:I}", "bytes", (json_int_t)bytes, "packets",
			 (json_int_t)packets, "dropped", (json_int_t)dropped);
}

static int tell_traffic(const struct attachment *a, const struct engine_traffic *c, void *arg)
{
	struct tell *t = arg;
	json_t *one;
	size_t i;

	json_array_foreach(t->list, i, one)
	{
		if (!is_of(one, a->id, a->ifname))
			continue;
		if (json_object_set_new(one, "in",
					counters(c->in_bytes, c->in_packets, c->in_dropped)) < 0 ||
		    json_object_set_new(one, "out",
					counters(c->out_bytes, c->out_packets, c->out_dropped)) < 0)
			t->failed = true;
		break;
	}
	return 0;
}

static int tell_meant(struct engine *g, const char *id, const char *ifname, void *arg,
		      struct err *e)
{
	struct tell *t = arg;
	json_t *one;
	size_t i;

	(void)g;
	json_array_foreach(t->list, i, one)
	{
		if (is_of(one, id, ifname) && json_object_set_new(one, "is_meant", json_true()) < 0)
			return err_set(e, ERR_INTERNAL, ENOMEM, "networks of the user");
	}
	return 0;
}

/* Outside still: it is asked as by anybody. */
static json_t *tell_uplink(struct host *h)
{
	struct rootless_state s = {0};
	json_t *doc, *flows = NULL;

	if (!host_uplink_state(h, &s))
		return NULL;
	doc = json_incref(s.doc);
	rootless_state_clear(&s);
	if (host_uplink_flows(h, &flows, NULL) == 0)
		(void)json_object_set(doc, "flows", json_object_get(flows, "flows"));
	json_decref(flows);
	return doc;
}

static int gather(const struct cli_common *c, const char *target, json_t *into, struct err *e)
{
	CLEAN_USERNET struct usernet u = {0};
	struct tell t = {.u = &u, .list = json_array()};
	int r = usernet_open(c, USERNET_LOOK, &u, e);

	(void)json_object_set_new(into, "containers", t.list);
	if (r != 0)
		return r;
	(void)json_object_set_new(into, "uplink", tell_uplink(u.host));
	r = usernet_enter(&u, false, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = engine_each(u.g, tell_one, NULL, &t, e);
	if (r >= 0)
		r = engine_traffic_each(u.g, tell_traffic, &t, e);
	if (r >= 0 && target)
		r = target_each(u.g, target, NULL, tell_meant, &t, e);
	(void)json_object_set_new(into, "at_ms", json_integer((json_int_t)clock_ms()));
	if (r >= 0 && t.failed)
		r = err_set(e, ERR_INTERNAL, ENOMEM, "networks of the user");
	return r < 0 ? r : 0;
}

static void child(const struct cli_common *c, const char *target, int to)
{
	CLEAN_JSON json_t *doc = json_object();
	CLEAN_FREE char *text = NULL;
	struct err e = ERR_INIT;
	int r = gather(c, target, doc, &e);

	if (r != 0) {
		json_decref(doc);
		doc = r > 0 ? json_object()
			    : json_pack("{s:{s:i,s:s}}", "error", "kind", (int)e.kind, "text",
					e.text);
	}
	text = json_print(doc);
	if (text)
		(void)fd_write_all(to, text, strlen(text), NULL);
}

/* ---- in the caller ---- */

static int ask_child(const struct cli_common *c, const char *target, struct buf *out, struct err *e)
{
	CLEAN_FD int from = -1, to = -1;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	from = fds[0];
	to = fds[1];
	(void)fflush(stdout); /* once */
	pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		fd_closep(&from);
		child(c, target, to);
		_exit(0);
	}
	fd_closep(&to);
	r = fd_drain(from, clock_ms() + CHILD_MS, SIZE_MAX, out);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? err_sys(e, -r, "networks of the user") : 0;
}

static int read_counters(json_t *one, const char *key, uint64_t *bytes, uint64_t *packets,
			 uint64_t *dropped, struct err *e)
{
	const uint64_t most = INT64_MAX;
	json_t *o = NULL;
	int r = json_get_obj(one, "", key, JSON_OPTIONAL, &o, e);

	if (r == 0)
		r = json_get_u64(o, key, "bytes", JSON_REQUIRED, 0, most, bytes, e);
	if (r == 0)
		r = json_get_u64(o, key, "packets", JSON_REQUIRED, 0, most, packets, e);
	if (r == 0)
		r = json_get_u64(o, key, "dropped", JSON_REQUIRED, 0, most, dropped, e);
	return r;
}

static int read_one(json_t *one, bool is_meant, struct usernet_seen *s, struct err *e)
{
	struct usernet_one *to;
	json_t *doc;
	int r;

	if (!GROW(s->one, s->n, s->cap))
		return err_set(e, ERR_INTERNAL, ENOMEM, "networks of the user");
	to = &s->one[s->n];
	*to = (struct usernet_one){.is_meant =
					   is_meant || json_object_get(one, "is_meant") != NULL};
	r = json_get_obj(one, "", "attachment", JSON_REQUIRED, &doc, e);
	if (r == 0)
		r = codec_parse_attachment(doc, &to->a, e);
	if (r < 0)
		return r;
	s->n++;
	r = read_counters(one, "in", &to->traffic.in_bytes, &to->traffic.in_packets,
			  &to->traffic.in_dropped, e);
	if (r == 0)
		r = read_counters(one, "out", &to->traffic.out_bytes, &to->traffic.out_packets,
				  &to->traffic.out_dropped, e);
	to->has_traffic = r == 0;
	return r < 0 ? r : 0;
}

static int read_error(json_t *error, struct err *e)
{
	uint64_t kind = ERR_INTERNAL;
	const char *text = "";
	int r = json_get_u64(error, "error", "kind", JSON_REQUIRED, ERR_USAGE, KIND_MAX, &kind, e);

	if (r == 0)
		r = json_get_str(error, "error", "text", JSON_REQUIRED, &text, e);
	return r < 0 ? r : err_set(e, (enum err_kind)kind, 0, "%s", text);
}

static int read_seen(json_t *doc, bool is_all, struct usernet_seen *ret, struct err *e)
{
	json_t *list = NULL, *one;
	size_t i;
	int r;

	if (json_object_get(doc, "error"))
		return read_error(json_object_get(doc, "error"), e);
	r = json_get_arr(doc, "", "containers", JSON_OPTIONAL, &list, e);
	if (r != 0)
		return r;
	r = json_get_u64(doc, "", "at_ms", JSON_OPTIONAL, 0, INT64_MAX, &ret->at_ms, e);
	json_array_foreach(list, i, one) if (r >= 0) r = read_one(one, is_all, ret, e);
	if (r >= 0 && json_is_object(json_object_get(doc, "uplink")))
		ret->uplink = json_incref(json_object_get(doc, "uplink"));
	return r < 0 ? r : 0;
}

int usernet_see_all(const struct cli_common *c, const char *target, struct usernet_seen *ret,
		    struct err *e)
{
	CLEAN_BUF struct buf text = BUF_INIT;
	CLEAN_JSON json_t *doc = NULL;
	struct usernet_seen s = {0};
	int r = ask_child(c, target, &text, e);

	if (r >= 0)
		r = json_parse(text.p ? text.p : "", text.len, &doc, e);
	if (r >= 0)
		r = read_seen(doc, !target, &s, e);
	if (r != 0) {
		usernet_seen_clear(&s);
		return r < 0 ? err_ctx(e, r, "your networks") : r;
	}
	*ret = s;
	return 0;
}
