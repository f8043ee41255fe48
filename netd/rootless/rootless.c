/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rootless: up, down and what is up, by asking the processes themselves. Changes are made one at a
 * time under the directory's lock; reading takes none. It never touches a namespace: slirp-lite
 * does.
 */
#include "rootless/rootless.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "model/attach.h"
#include "rootless/args.h"
#include "rootless/ask.h"
#include "rootless/dir.h"
#include "rootless/start.h"
#include "sys/tun.h"

#define STOP_MS 5000
#define KILL_MS 5000

struct rootless {
	int fd;
	char path[ROOTLESS_DIR_MAX + 1];
};

int rootless_open(const char *dir, bool is_read_only, struct rootless **ret, struct err *e)
{
	struct rootless *r = calloc(1, sizeof(*r));
	int w;

	if (!r)
		return err_set(e, ERR_INTERNAL, ENOMEM, "state directory");
	r->fd = -1;
	w = dir_open(dir, is_read_only, r->path, &r->fd, e);
	if (w != 0) {
		free(r);
		r = NULL;
	}
	if (w >= 0)
		*ret = r;
	return w;
}

void rootless_closep(struct rootless **r)
{
	if (*r)
		fd_closep(&(*r)->fd);
	free(*r);
	*r = NULL;
}

void rootless_state_clear(struct rootless_state *s)
{
	json_decref(s->doc);
	free(s->publish);
	memset(s, 0, sizeof(*s));
}

/* ---- from an answer to values ---- */

static int read_ip(json_t *o, const char *path, const char *key, struct ip *ret, struct err *e)
{
	const char *text;
	int r = json_get_str(o, path, key, JSON_OPTIONAL, &text, e);

	return r == 0 ? ip_parse(text, ret, e) : r;
}

static int read_family(json_t *doc, int f, struct rootless_state *s, struct err *e)
{
	static const char *const keys[N_FAM] = {"ipv4", "ipv6"};
	const char *net;
	json_t *o = json_object_get(doc, keys[f]);
	int r;

	if (!json_is_object(o) || json_get_str(o, keys[f], "net", JSON_OPTIONAL, &net, NULL) != 0)
		return 0;
	r = prefix_parse(net, &s->addr[f], e);
	if (r == 0)
		r = read_ip(o, keys[f], "guest", &s->addr[f].ip, e);
	if (r >= 0)
		r = read_ip(o, keys[f], "gateway", &s->gateway[f], e);
	if (r >= 0)
		r = read_ip(o, keys[f], "dns", &s->dns[f], e);
	return r < 0 ? r : 0;
}

static int read_name(json_t *doc, struct rootless_state *s, struct err *e)
{
	const char *name, *ifname;
	int r = json_get_str(doc, "", "name", JSON_REQUIRED, &name, e);

	if (r == 0)
		r = json_get_str(doc, "", "interface", JSON_REQUIRED, &ifname, e);
	if (r == 0)
		r = name_check_id(name, "name", e);
	if (r == 0)
		r = name_check_ifname(ifname, "interface", e);
	if (r < 0)
		return r;
	(void)snprintf(s->id, sizeof(s->id), "%s", name);
	(void)snprintf(s->ifname, sizeof(s->ifname), "%s", ifname);
	return 0;
}

static int read_ports(json_t *doc, struct rootless_state *s, struct err *e)
{
	json_t *list = json_object_get(doc, "ports"), *o;
	size_t n = json_array_size(list), i;
	int r = 0;

	if (n == 0)
		return 0;
	s->publish = calloc(n, sizeof(*s->publish));
	if (!s->publish)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	json_array_foreach(list, i, o)
	{
		const char *spec;

		r = json_get_str(o, "ports", "spec", JSON_REQUIRED, &spec, e);
		if (r == 0)
			r = publish_parse(spec, &s->publish[i], e);
		if (r < 0)
			return r;
	}
	s->n_publish = n;
	return 0;
}

static int read_egress(json_t *doc, struct rootless_state *s, struct err *e)
{
	json_t *o;
	size_t i;

	json_array_foreach(json_object_get(doc, "egress"), i, o)
	{
		bool is_denied = json_object_get(o, "notTo") != NULL;
		const char *text;
		int r = json_get_str(o, "egress", is_denied ? "notTo" : "to", JSON_REQUIRED, &text,
				     e);

		if (r == 0)
			r = attach_egress_parse(text, is_denied, &s->egress, &s->names, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_limit(json_t *doc, struct rootless_state *s, struct err *e)
{
	json_t *o = NULL;
	int r = json_get_obj(doc, "", "limit", JSON_OPTIONAL, &o, e);

	if (r == 0)
		r = json_get_u64(o, "limit", "in", JSON_OPTIONAL, 1, INT64_MAX, &s->rate_in, e);
	if (r >= 0 && o)
		r = json_get_u64(o, "limit", "out", JSON_OPTIONAL, 1, INT64_MAX, &s->rate_out, e);
	return r < 0 ? r : 0;
}

/* Takes the reference. */
static int read_state(json_t *doc, struct rootless_state *ret, struct err *e)
{
	struct rootless_state s = {.doc = doc, .engine = "", .engine_why = "", .engine_asked = ""};
	uint64_t pid = 0, mtu = 0;
	int r = read_name(doc, &s, e);

	if (r == 0)
		r = json_get_u64(doc, "", "pid", JSON_REQUIRED, 1, INT32_MAX, &pid, e);
	if (r == 0)
		r = json_get_u64(doc, "", "mtu", JSON_REQUIRED, 68, 65535, &mtu, e);
	if (r == 0)
		r = json_get_u64(doc, "", "netns_dev", JSON_OPTIONAL, 0, UINT64_MAX / 2,
				 &s.netns_dev, e);
	if (r >= 0)
		r = json_get_u64(doc, "", "netns_ino", JSON_OPTIONAL, 0, UINT64_MAX / 2,
				 &s.netns_ino, e);
	for (int f = 0; f < N_FAM && r >= 0; f++)
		r = read_family(doc, f, &s, e);
	if (r >= 0)
		r = json_get_str(doc, "", "engine", JSON_OPTIONAL, &s.engine, e);
	if (r >= 0)
		r = json_get_str(doc, "", "engine_why", JSON_OPTIONAL, &s.engine_why, e);
	if (r >= 0)
		r = json_get_str(doc, "", "engine_asked", JSON_OPTIONAL, &s.engine_asked, e);
	if (r >= 0)
		r = read_egress(doc, &s, e);
	if (r >= 0)
		r = read_limit(doc, &s, e);
	if (r >= 0)
		r = read_ports(doc, &s, e);
	if (r < 0) {
		rootless_state_clear(&s);
		return err_ctx(e, r, "answer of slirp-lite");
	}
	s.pid = (int32_t)pid;
	s.mtu = (uint32_t)mtu;
	*ret = s;
	return 0;
}

/* ---- one socket ---- */

static void socket_path(const struct rootless *r, const char *file, char out[ROOTLESS_PATH_STRLEN])
{
	(void)snprintf(out, ROOTLESS_PATH_STRLEN, "%s/%s", r->path, file);
}

/* 0; 1: nobody is there. */
static int ask_state(const struct rootless *r, const char *file, struct rootless_state *ret,
		     struct err *e)
{
	char path[ROOTLESS_PATH_STRLEN];
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;
	json_t *doc;
	int w;

	socket_path(r, file, path);
	w = ask_connect(path, &fd, &pidfd, e);
	if (w != 0)
		return w;
	w = ask(fd, "status", &doc, e);
	return w < 0 ? w : read_state(doc, ret, e);
}

int rootless_get(struct rootless *r, const char *id, const char *ifname, struct rootless_state *ret,
		 struct err *e)
{
	char file[ROOTLESS_FILE_STRLEN];

	dir_socket_name(id, ifname, file);
	return ask_state(r, file, ret, e);
}

static bool is_gone(int pidfd, int timeout_ms)
{
	return fd_await(pidfd, POLLIN, clock_ms() + (uint64_t)timeout_ms) > 0;
}

/* It is asked to end, and made to when it does not. */
static int stop(int fd, int pidfd, struct err *e)
{
	struct err why = ERR_INIT;
	json_t *doc = NULL;
	int r = ask(fd, "stop", &doc, &why);

	json_decref(doc);
	if (pidfd < 0) {
		if (r < 0 && e)
			*e = why;
		return r;
	}
	if (r >= 0 && is_gone(pidfd, STOP_MS))
		return 0;
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return is_gone(pidfd, KILL_MS) ? 0 : err_set(e, ERR_BUSY, ETIMEDOUT, "slirp-lite stays");
}

static int stop_socket(struct rootless *r, const char *file, struct err *e)
{
	char path[ROOTLESS_PATH_STRLEN];
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;
	int w;

	socket_path(r, file, path);
	w = ask_connect(path, &fd, &pidfd, e);
	if (w == 0)
		w = stop(fd, pidfd, e);
	/* Its own work, unless it was killed. */
	if (w >= 0)
		(void)unlinkat(r->fd, file, 0);
	return w;
}

int rootless_down(struct rootless *r, const char *id, const char *ifname, struct err *e)
{
	char file[ROOTLESS_FILE_STRLEN];
	CLEAN_FD int lock = -1;
	int w = dir_lock(r->fd, &lock, e);

	if (w < 0)
		return w;
	dir_socket_name(id, ifname, file);
	return stop_socket(r, file, e);
}

/* ---- ports ---- */

struct search {
	const struct publish *list;
	size_t n;
	struct err *e;
	bool is_found;
};

/* A container of the user's that has one of them says more than a process. */
static int search_owner(const struct rootless_state *s, void *arg)
{
	struct search *f = arg;
	char text[PUBLISH_STRLEN];

	for (size_t i = 0; i < s->n_publish && !f->is_found; i++)
		for (size_t k = 0; k < f->n && !f->is_found; k++)
			if (publish_overlaps(&s->publish[i], &f->list[k])) {
				(void)err_set(f->e, ERR_CONFLICT, EADDRINUSE,
					      "%s is published by %s %s already",
					      publish_str(&s->publish[i], text), s->id, s->ifname);
				f->is_found = true;
			}
	return f->is_found;
}

/* 0; 1: nobody is there. */
static int change_ports(struct rootless *r, const char *file, const struct publish *list, size_t n,
			bool is_back, struct err *e)
{
	char path[ROOTLESS_PATH_STRLEN], text[PUBLISH_STRLEN];
	struct search f = {.list = list, .n = n, .e = e};
	json_t *specs = json_array();
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;
	CLEAN_JSON json_t *arguments = json_pack("{s:o}", "ports", specs);
	CLEAN_JSON json_t *doc = NULL;
	int w;

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(specs, json_string(publish_str(&list[i], text)));
	socket_path(r, file, path);
	w = ask_connect(path, &fd, &pidfd, e);
	if (w == 0)
		w = ask_with(fd, is_back ? "unpublish" : "publish", json_incref(arguments), &doc,
			     e);
	if (w < 0 && e && e->kind == ERR_CONFLICT)
		(void)rootless_each(r, search_owner, &f, NULL);
	return w;
}

int rootless_publish(struct rootless *r, const char *id, const char *ifname,
		     const struct publish *list, size_t n, bool is_back, struct rootless_state *ret,
		     struct err *e)
{
	char file[ROOTLESS_FILE_STRLEN];
	CLEAN_FD int lock = -1;
	int w = dir_lock(r->fd, &lock, e);

	if (w < 0)
		return w;
	dir_socket_name(id, ifname, file);
	w = change_ports(r, file, list, n, is_back, e);
	if (w == 0)
		w = ask_state(r, file, ret, e);
	return w == 1 ? err_set(e, ERR_ABSENT, 0, "%s %s has no network from us", id, ifname) : w;
}

static int change_limits(struct rootless *r, const char *file, json_t *arguments, struct err *e)
{
	char path[ROOTLESS_PATH_STRLEN];
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;
	CLEAN_JSON json_t *doc = NULL;
	int w;

	socket_path(r, file, path);
	w = ask_connect(path, &fd, &pidfd, e);
	return w != 0 ? w : ask_with(fd, "limit", json_incref(arguments), &doc, e);
}

int rootless_limit(struct rootless *r, const char *id, const char *ifname, const uint64_t *in,
		   const uint64_t *out, struct rootless_state *ret, struct err *e)
{
	CLEAN_JSON json_t *arguments = json_object();
	char file[ROOTLESS_FILE_STRLEN];
	CLEAN_FD int lock = -1;
	int w = dir_lock(r->fd, &lock, e);

	if (w < 0)
		return w;
	if ((in && json_object_set_new(arguments, "in",
				       *in ? json_integer((json_int_t)*in) : json_null()) < 0) ||
	    (out && json_object_set_new(arguments, "out",
					*out ? json_integer((json_int_t)*out) : json_null()) < 0))
		return err_set(e, ERR_INTERNAL, ENOMEM, "limits");
	dir_socket_name(id, ifname, file);
	w = change_limits(r, file, arguments, e);
	if (w == 0)
		w = ask_state(r, file, ret, e);
	return w == 1 ? err_set(e, ERR_ABSENT, 0, "%s %s has no network from us", id, ifname) : w;
}

int rootless_ask(struct rootless *r, const char *id, const char *ifname, const char *verb,
		 json_t **ret, struct err *e)
{
	char file[ROOTLESS_FILE_STRLEN], path[ROOTLESS_PATH_STRLEN];
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;
	int w;

	dir_socket_name(id, ifname, file);
	socket_path(r, file, path);
	w = ask_connect(path, &fd, &pidfd, e);
	if (w == 1)
		return err_set(e, ERR_ABSENT, 0, "%s %s has no network from us", id, ifname);
	return w < 0 ? w : ask(fd, verb, ret, e);
}

/* ---- up ---- */

static bool is_same_netns(const struct rootless_state *s, const struct rootless_request *q)
{
	return s->netns_ino == q->netns_ino && s->netns_dev == q->netns_dev;
}

static bool has_engine(const struct rootless_state *s, const struct rootless_request *q)
{
	return !q->engine || strcmp(q->engine, s->engine) == 0;
}

static bool has_destinations(const struct rootless_state *s, const struct rootless_request *q)
{
	static const struct attach_egress everywhere;
	static const struct attach_names none;

	return attach_egress_equal(&s->egress, q->egress ? q->egress : &everywhere) &&
	       memcmp(&s->names, q->names ? q->names : &none, sizeof(none)) == 0;
}

/* Without any of its own it is content with what there is, as with root. */
static bool has_limits(const struct rootless_state *s, const struct rootless_request *q)
{
	return (!q->rate_in && !q->rate_out) ||
	       (s->rate_in == q->rate_in && s->rate_out == q->rate_out);
}

static bool has_addresses(const struct rootless_state *s, const struct rootless_request *q)
{
	for (int f = 0; f < N_FAM; f++)
		if (q->ip[f].family && !ip_equal(&s->addr[f].ip, &q->ip[f]))
			return false;
	return true;
}

/* What is up is this very namespace's: as it is asked for? */
static int compare(const struct rootless_state *s, const struct rootless_request *q, struct err *e)
{
	const char *other = !has_destinations(s, q) ? "destinations (--to, --not-to)"
			    : !has_limits(s, q)     ? "limits (--rate-in, --rate-out)"
			    : !has_addresses(s, q)  ? "addresses (--ip, --ip6)"
						    : NULL;

	if (!has_engine(s, q))
		return err_set(e, ERR_CONFLICT, EEXIST, "%s %s is up by the %s engine (%s) already",
			       s->id, s->ifname, s->engine, s->engine_why);
	if (other)
		return err_set(e, ERR_CONFLICT, EEXIST,
			       "%s %s is up with other %s: take it down first", s->id, s->ifname,
			       other);
	return 1;
}

/* 1: this very attachment is up. 0: nothing is there. */
static int look(struct rootless *r, const struct rootless_request *q, const char *file,
		struct rootless_state *ret, struct err *e)
{
	int w = ask_state(r, file, ret, e);

	if (w < 0)
		return w;
	if (w == 1) {
		(void)unlinkat(r->fd, file, 0);
		return 0;
	}
	if (is_same_netns(ret, q))
		w = compare(ret, q, e);
	else
		w = err_set(e, ERR_CONFLICT, EEXIST,
			    "%s %s is another namespace's (slirp-lite is process %d)", ret->id,
			    ret->ifname, ret->pid);
	if (w < 0)
		rootless_state_clear(ret);
	return w;
}

/* What the kernel lacks for the engine that was asked for is not a fault. */
static int explain(const struct rootless_request *q, int w, struct err *e)
{
	struct err why = e ? *e : (struct err)ERR_INIT;

	if (w >= 0 || !q->engine || !strstr(why.text, "relay engine: "))
		return w;
	err_reset(e);
	return err_set(e, ERR_UNSUPPORTED, 0, "%s", why.text);
}

static int start_one(struct rootless *r, const struct rootless_request *q, const char *file,
		     struct rootless_state *ret, struct err *e)
{
	char path[ROOTLESS_PATH_STRLEN];
	struct args a = {0};
	int w;

	socket_path(r, file, path);
	w = args_make(q, path, &a, e);
	/* slirp-lite, which is to open it, could only say it in words. */
	if (w == 0)
		w = tun_may_open(e);
	if (w == 0)
		w = explain(q, start_slirp(a.v, (const int[2]){q->end_fd, q->flows_fd}, e), e);
	if (w == 0 && q->n_publish > 0)
		w = change_ports(r, file, q->publish, q->n_publish, false, e);
	if (w == 0)
		w = ask_state(r, file, ret, e);
	return w == 1 ? err_set(e, ERR_KERNEL, 0, "slirp-lite ended at once") : w;
}

int rootless_up(struct rootless *r, const struct rootless_request *q, struct rootless_state *ret,
		struct err *e)
{
	char file[ROOTLESS_FILE_STRLEN];
	CLEAN_FD int lock = -1;
	int w = dir_lock(r->fd, &lock, e);

	if (w < 0)
		return w;
	dir_socket_name(q->id, q->ifname, file);
	w = look(r, q, file, ret, e);
	if (w != 0)
		return w;
	w = start_one(r, q, file, ret, e);
	/* One that started too late, or is not understood, would stay: nobody could name it. */
	if (w < 0) {
		(void)stop_socket(r, file, NULL);
		return w;
	}
	/* A process number may have changed hands between the caller's look and slirp-lite's. */
	if (!is_same_netns(ret, q)) {
		(void)stop_socket(r, file, NULL);
		rootless_state_clear(ret);
		return err_set(e, ERR_ABSENT, ESRCH, "process %d has ended", q->pid);
	}
	return 0;
}

/* ---- all of them ---- */

static int each_file(struct rootless *r, int (*fn)(struct rootless *r, const char *file, void *arg),
		     void *arg, struct err *e)
{
	int fd = openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int w = 0;

	if (!d) {
		w = err_sys(e, errno, "state directory %s", r->path);
		fd_closep(&fd);
		return w;
	}
	while (w == 0 && (entry = readdir(d)))
		if (dir_is_socket_name(entry->d_name))
			w = fn(r, entry->d_name, arg);
	(void)closedir(d);
	return w;
}

struct visit {
	int (*fn)(const struct rootless_state *s, void *arg);
	void *arg;
	size_t n_removed;
};

static int visit_file(struct rootless *r, const char *file, void *arg)
{
	struct visit *v = arg;
	struct rootless_state s = {0};
	int w;

	/* One that ends at this moment, or does not answer, is no reason not to show the others. */
	if (ask_state(r, file, &s, NULL) != 0)
		return 0;
	w = v->fn(&s, v->arg);
	rootless_state_clear(&s);
	return w;
}

int rootless_each(struct rootless *r, int (*fn)(const struct rootless_state *s, void *arg),
		  void *arg, struct err *e)
{
	struct visit v = {.fn = fn, .arg = arg};

	return each_file(r, visit_file, &v, e);
}

static int remove_dead(struct rootless *r, const char *file, void *arg)
{
	char path[ROOTLESS_PATH_STRLEN];
	struct visit *v = arg;
	CLEAN_FD int fd = -1;
	CLEAN_FD int pidfd = -1;

	socket_path(r, file, path);
	if (ask_connect(path, &fd, &pidfd, NULL) == 1 && unlinkat(r->fd, file, 0) == 0)
		v->n_removed++;
	return 0;
}

int rootless_gc(struct rootless *r, size_t *ret_n, struct err *e)
{
	struct visit v = {0};
	CLEAN_FD int lock = -1;
	int w = dir_lock(r->fd, &lock, e);

	if (w == 0)
		w = each_file(r, remove_dead, &v, e);
	if (w >= 0)
		*ret_n = v.n_removed;
	return w;
}
